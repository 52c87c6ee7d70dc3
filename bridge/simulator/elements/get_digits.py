"""GetDigits: collect keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.elements.speak_play import announce, file_length
from bridge.simulator.flow import Follow
from bridge.simulator.inputs import Key

if TYPE_CHECKING:
    from bridge.simulator.line import Line

ALL_KEYS = "1234567890*#"


@dataclass(frozen=True, slots=True)
class _Options:
    timeout: float
    digit_timeout: float
    finish: str
    most: int
    valid: str

    @classmethod
    def of(cls, element: Element) -> _Options:
        finish = element.get("finishOnKey", "#")
        return cls(
            timeout=element.number("timeout", 5),
            digit_timeout=element.number("digitTimeout", 2),
            finish="" if finish == "none" else finish,
            most=int(element.number("numDigits", 99)),
            valid=element.get("validDigits", ALL_KEYS),
        )


async def get_digits(line: Line, element: Element) -> Follow | None:
    """Play the prompts and collect keys; without any the next element runs.

    `retries` counts attempts in all; every attempt plays all prompts. Keys that are not valid use
    up an attempt. Source: Plivo XML reference, GetDigits, and the framework Plivo published.
    """
    options = _Options.of(element)
    line.forget_keys()
    with line.listens("GetDigits", "keys"):
        for _ in range(int(element.number("retries", 1))):
            first = await _prompts(line, element)
            keys = await _collect(line, options, first)
            if keys is None:
                continue
            if any(key not in options.valid for key in keys):
                sound = element.get("invalidDigitsSound")
                if sound:
                    line.add("hears", f"the sound file {sound}", element="Play", url=sound)
                    await line.idle(await file_length(line, sound))
                continue
            if keys or line.profile.empty_digits_reach_action:
                line.add(
                    "does",
                    f"has typed {keys or 'only the finishing key'}",
                    action="typed",
                    keys=keys,
                )
                return line.follow(element, {"Digits": keys})
            return None
    return None


async def _prompts(line: Line, element: Element) -> Key | None:
    """Play the prompts until one is interrupted by a key; then the beep."""
    for child in element.children:
        if (key := await first_key(line, await announce(line, child))) is not None:
            return key
    if element.get("playBeep") == "true":
        line.add("hears", "a beep", element="beep")
    return None


async def first_key(line: Line, seconds: float) -> Key | None:
    """Wait so long for a key."""
    until = line.clock.now() + seconds
    while (event := await line.next(until - line.clock.now())) is not None:
        if isinstance(event, Key):
            return event
    return None


async def _collect(line: Line, options: _Options, first: Key | None) -> str | None:
    """Collect what is typed; None when no key came at all."""
    key = first or await first_key(line, options.timeout)
    if key is None:
        line.add("does", "presses nothing", action="silence", seconds=options.timeout)
        return None
    typed = ""
    while key is not None and key.digit not in options.finish:
        typed += key.digit
        if len(typed) >= options.most:
            break
        key = await first_key(line, options.digit_timeout)
    return typed


__all__ = ["first_key", "get_digits"]
