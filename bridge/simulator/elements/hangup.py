"""Hangup: end the call, now or later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.simulator.causes import (
    BUSY_BY_DOCUMENT,
    HANGUP_ELEMENT,
    REFUSED_BY_DOCUMENT,
    SCHEDULED_HANGUP,
)
from bridge.simulator.document import Element
from bridge.simulator.flow import Over
from bridge.simulator.inputs import HungUp

if TYPE_CHECKING:
    from bridge.simulator.line import Line


async def hangup(line: Line, element: Element) -> None:
    """End the call; the reason only matters before it is answered.

    A schedule arms a timer, and the next element runs; as the last element it hangs up at once,
    because the document ends (Plivo XML reference, Hangup).
    """
    schedule = element.number("schedule", 0)
    if schedule > 0:
        line.later(schedule, lambda: line.post(HungUp(SCHEDULED_HANGUP)))
        return
    reason = element.get("reason")
    if line.leg.status == "ringing" and reason:
        raise Over(BUSY_BY_DOCUMENT if reason == "busy" else REFUSED_BY_DOCUMENT)
    raise Over(HANGUP_ELEMENT)


__all__ = ["hangup"]
