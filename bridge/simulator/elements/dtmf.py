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
    """Send the tones; with async="true", the default, the next element runs after the first one.

    A w is a pause of 0.5 s, a W of 1 s (Plivo XML reference, DTMF).
    """
    tones = element.text
    line.add("hears", f"the tones {tones}", element="DTMF", tones=tones)
    if element.get("async", "true") == "true":
        tones = tones[: len(tones) - len(tones.lstrip("wW")) + 1]
    await line.idle(sum(_PAUSES.get(tone, TONE_S) for tone in tones))


__all__ = ["TONE_S", "dtmf"]
