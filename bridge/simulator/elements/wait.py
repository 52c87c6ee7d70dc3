"""Wait: time passes, all of it or until the line is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.inputs import Talks

if TYPE_CHECKING:
    from bridge.simulator.line import Line


async def wait(line: Line, element: Element) -> None:
    """Let time pass; with silence="true" only until there was silence for minSilence ms."""
    length = element.number("length", 1)
    if element.get("silence") != "true":
        line.add("hears", f"{length:g} s pass", element="Wait", seconds=length)
        await line.idle(length)
        return
    shortest = element.number("minSilence", 1000 * length) / 1000
    until = line.clock.now() + length
    with line.listens("Wait", "silence"):
        quiet_since = max(line.clock.now(), line.talking_until)
        while (now := line.clock.now()) < until:
            event = await line.next(min(until, quiet_since + shortest) - now)
            if isinstance(event, Talks):
                quiet_since = line.talking_until
            elif event is not None:
                line.lose(event)
            elif line.clock.now() >= quiet_since + shortest:
                line.add(
                    "does", f"is silent for {shortest:g} s", action="silence", seconds=shortest
                )
                return


__all__ = ["wait"]
