"""Wait: time passes, all of it, or until the line is silent or a machine beeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.inputs import MachineBeeps, Talks

if TYPE_CHECKING:
    from bridge.simulator.line import Line


async def wait(line: Line, element: Element) -> None:
    """Let time pass; with silence="true" only until there was silence for minSilence ms.

    With beep="true" only until an answering machine beeps.
    Source: Plivo XML reference, Wait.
    """
    length = element.number("length", 1)
    if element.get("silence") == "true":
        await _silence(line, length, element.number("minSilence", 1000 * length) / 1000)
        return
    line.add("hears", f"{length:g} s pass", element="Wait", seconds=length)
    until = line.clock.now() + length
    while (event := await line.next(until - line.clock.now())) is not None:
        if isinstance(event, MachineBeeps) and element.get("beep") == "true":
            return
        line.lose(event)


async def _silence(line: Line, length: float, shortest: float) -> None:
    until = line.clock.now() + length
    quiet_since = max(line.clock.now(), line.talking_until)
    with line.listens("Wait", "silence"):
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
