"""Speak, Play and PreAnswer: what a line hears."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.sound_length import seconds_of
from bridge.simulator.webhooks import HTTP_OK

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: How fast a voice speaks; only virtual time depends on it.
CHARACTERS_PER_S: Final = 15
#: Length of a file whose own length cannot be told.
FILE_S: Final = 2.0


async def speak(line: Line, element: Element) -> None:
    """Say the text; keys do not interrupt it."""
    await line.idle(await announce(line, element))


async def play(line: Line, element: Element) -> None:
    """Play the file; keys do not interrupt it, and a file that does not come is skipped."""
    await line.idle(await announce(line, element))


async def pre_answer(line: Line, element: Element) -> None:
    """Play to a call that still rings."""
    for child in element.children:
        if child.name == "Wait":
            await line.idle(child.number("length", 1))
        else:
            await line.idle(await announce(line, child))


async def announce(line: Line, element: Element) -> float:
    """Begin to speak or play; give how many s it will last, inf with loop="0".

    Raises Over or Moved when the line is hung up or transferred before the file came.
    """
    hear(line, element)
    if element.name == "Speak":
        once = len(element.text) / CHARACTERS_PER_S
    else:
        once = await file_length(line, element.text)
    times = element.number("loop", 1) or inf
    # A file that did not come is not repeated for ever.
    return times * once if once else 0.0


def hear(line: Line, element: Element) -> None:
    """Note that the line hears what is spoken or played."""
    if element.name == "Speak":
        voice, language = element.get("voice", "WOMAN"), element.get("language", "en-US")
        line.add(
            "hears",
            f"“{element.text}” ({voice} {language})",
            element="Speak",
            text=element.text,
            voice=voice,
            language=language,
        )
    else:
        line.add("hears", f"the sound file {element.text}", element="Play", url=element.text)


async def file_length(line: Line, url: str) -> float:
    """Fetch a sound file as Play does, so that the server under test is asked; give its length in s.

    A file that does not come lasts no time, and nobody is told (Plivo XML reference, Play).
    """
    if not line.leg.is_ours(url):
        return FILE_S
    answer = await line.plivo.webhooks.fetch(line, url)
    text = f"{answer.content_type}, {len(answer.body)} bytes"
    line.add(
        "fetches",
        text if answer.status else f"no answer: {answer.body.decode('utf-8', 'replace')}",
        ms=answer.ms,
        url=url.partition("#")[0],
        status=answer.status,
        content_type=answer.content_type,
        bytes=len(answer.body),
    )
    if answer.status != HTTP_OK or not answer.content_type.startswith("audio/"):
        line.problem(f"{url} gave status {answer.status} and {text}")
        return 0.0
    return seconds_of(answer.body, FILE_S)


async def sounds_length(line: Line, elements: Iterable[Element]) -> float:
    """Begin to play a document of sounds to the line; give how many s it lasts, inf for ever."""
    total = 0.0
    for element in elements:
        if element.name == "Wait":
            total += element.number("length", 1)
        else:
            total += await announce(line, element)
            if element.get("loop") == "0":
                return inf
    return total


__all__ = ["announce", "file_length", "hear", "play", "pre_answer", "sounds_length", "speak"]
