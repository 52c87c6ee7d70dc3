"""GetDigits: collect keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.elements.speak_play import announce, file_length
from bridge.simulator.flow import Follow
from bridge.simulator.inputs import Key

if TYPE_CHECKING:
    from bridge.simulator.line import Line

ALL_KEYS = "1234567890*#"


@dataclass(frozen=True, slots=True)
class Collecting:
    """How keys are collected; times in s, `finish` may be empty, `until` is the end in any case."""

    timeout: float
    digit_timeout: float
    finish: str
    most: int
    until: float = inf

    @classmethod
    def of(cls, element: Element) -> Collecting:
        """Read it from GetDigits, whose defaults are those of the page "Input"."""
        return cls(
            timeout=element.number("timeout", 5),
            digit_timeout=element.number("digitTimeout", 2),
            finish=finish_key(element),
            most=int(element.number("numDigits", 99)),
        )


async def get_digits(line: Line, element: Element) -> Follow | None:
    """Play the prompts and collect keys; without any the next element runs.

    `retries` counts attempts in all; every attempt plays all prompts. Keys that are not valid use
    up an attempt. Source: Plivo XML reference, GetDigits, and the framework Plivo published.
    """
    collecting = Collecting.of(element)
    for _ in range(int(element.number("retries", 1))):
        line.forget_keys()
        with line.listens("GetDigits", "keys"):
            first = await _prompts(line, element)
            keys = await collect(line, collecting, first)
        if keys is None:
            continue
        if not _valid(line, keys, element.get("validDigits", ALL_KEYS)):
            sound = element.get("invalidDigitsSound")
            if sound:
                line.add("hears", f"the sound file {sound}", element="Play", url=sound)
                await line.idle(await file_length(line, sound))
            continue
        return typed(line, element, keys, {"Digits": keys})
    return None


def typed(line: Line, element: Element, keys: str, result: Mapping[str, str]) -> Follow | None:
    """Submit what was typed; whether the finishing key alone counts is up to the profile."""
    line.add("does", f"has typed {keys or 'only the finishing key'}", action="typed", keys=keys)
    if keys or line.profile.empty_digits_reach_action:
        return line.follow(element, result)
    return None


def finish_key(element: Element) -> str:
    """Give the key that submits; "" when there is none."""
    key = element.get("finishOnKey", "#")
    return "" if key == "none" else key


def _valid(line: Line, keys: str, valid: str) -> bool:
    # The framework looks at the beginning only: its pattern is not anchored at the end.
    judged = keys if line.profile.all_digits_validated else keys[:1]
    return all(key in valid for key in judged)


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


async def collect(line: Line, collecting: Collecting, first: Key | None) -> str | None:
    """Collect what is typed, beginning with a key that was pressed already.

    None when no key came at all; "" when the first one finished the input.
    """
    key = first or await first_key(line, collecting.timeout)
    if key is None:
        line.add("does", "presses nothing", action="silence", seconds=collecting.timeout)
        return None
    keys = ""
    while key is not None and key.digit not in collecting.finish:
        keys += key.digit
        if len(keys) >= collecting.most:
            break
        left = collecting.until - line.clock.now()
        key = await first_key(line, min(collecting.digit_timeout, left))
    return keys


__all__ = ["Collecting", "collect", "finish_key", "first_key", "get_digits", "typed"]
