"""DTMF: send tones down the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: Length of a tone with the pause after it; a guess that only virtual time depends on.
TONE_S: Final = 0.3
_PAUSES: Final = {"w": 0.5, "W": 1.0}


async def dtmf(line: Line, element: Element) -> None:
    """Send the tones; with async="true", the default, the next element runs after the first one."""
    line.add("hears", f"the tones {element.text}", element="DTMF", tones=element.text)
    lengths = [_PAUSES.get(tone, TONE_S) for tone in element.text]
    waits = lengths if element.get("async", "true") == "false" else lengths[:1]
    await line.idle(sum(waits))


__all__ = ["dtmf"]
