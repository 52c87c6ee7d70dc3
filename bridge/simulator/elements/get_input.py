"""GetInput: collect keys or speech, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.elements.get_digits import Collecting, collect, finish_key, typed
from bridge.simulator.elements.speak_play import announce
from bridge.simulator.flow import Follow
from bridge.simulator.inputs import Input, Key, Talks
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: What "auto" means in s; nobody documents it, so it is the least that can be set.
AUTO_S: Final = 2.0
#: USD per started PULSE_S of speech recognition (Plivo XML reference, GetInput).
PRICE: Final = 0.02
PULSE_S: Final = 15.0
#: Stands for the words that a real profanity filter knows; its list is not published.
PROFANE: Final = frozenset({"bloody", "crap", "damn"})


@dataclass(slots=True)
class _Listening:
    """One GetInput at work; `began` is when speech recognition began."""

    line: Line
    element: Element
    began: float
    until: float = 0.0
    sequence: int = 0
    timers: list[asyncio.Event] = field(default_factory=list)

    def takes(self, kind: str) -> bool:
        """Say whether this kind of input is wanted: dtmf or speech."""
        return kind in self.element.get("inputType").split()

    def end_timeout(self, attribute: str) -> float:
        """Give how long silence ends an input, in s."""
        given = self.element.get(attribute, "auto")
        return AUTO_S if given == "auto" else float(given)

    def wanted(self, event: Input | None) -> Key | Talks | None:
        """Give the event if it begins an input: keys, speech, or sound that may be speech."""
        match event:
            case Key() if self.takes("dtmf"):
                return event
            case Talks() if self.takes("speech"):
                guesses = self.line.profile.noise_reaches_action
                return event if event.text or guesses else None
        return None

    def billed(self) -> str:
        """Give BilledAmount; keys alone cost nothing."""
        pulses = ceil((self.line.clock.now() - self.began) / PULSE_S) if self.takes("speech") else 0
        return f"{PRICE * pulses:.2f}"


async def get_input(line: Line, element: Element) -> Follow | None:
    """Play the prompts and collect keys or speech; without any the next element runs.

    The first input interrupts the prompts and decides about its kind. executionTimeout counts from
    the end of the prompts. Source: Plivo XML reference, GetInput.
    """
    line.forget_keys()
    listening = _Listening(line, element, line.clock.now())
    accepts = [
        name for kind, name in (("dtmf", "keys"), ("speech", "speech")) if listening.takes(kind)
    ]
    with line.listens("GetInput", *accepts):
        first = await _prompts(listening)
        timeout = element.number("executionTimeout", 15)
        listening.until = line.clock.now() + timeout
        first = first or await _first(listening, listening.until)
        match first:
            case Key():
                keys = await _keys(listening, first)
                return typed(line, element, keys, _result(listening, "dtmf", keys))
            case Talks():
                return await _speech(listening, first)
            case None:
                line.add("does", "says nothing", action="silence", seconds=timeout)
                return None


async def _prompts(listening: _Listening) -> Key | Talks | None:
    for child in listening.element.children:
        seconds = await announce(listening.line, child)
        heard = await _first(listening, listening.line.clock.now() + seconds)
        if heard is not None:
            return heard
    return None


async def _first(listening: _Listening, until: float) -> Key | Talks | None:
    line = listening.line
    while (event := await line.next(until - line.clock.now())) is not None:
        if (begun := listening.wanted(event)) is not None:
            return begun
        line.lose(event)
    return None


async def _keys(listening: _Listening, first: Key) -> str:
    element = listening.element
    collecting = Collecting(
        timeout=0.0,
        digit_timeout=listening.end_timeout("digitEndTimeout"),
        finish=finish_key(element),
        most=int(element.number("numDigits", 32)),
        until=listening.until,
    )
    return await collect(listening.line, collecting, first) or ""


async def _speech(listening: _Listening, first: Talks) -> Follow | None:
    """Hear the speech to its end: silence for speechEndTimeout, or the end of executionTimeout."""
    line, patience = listening.line, listening.end_timeout("speechEndTimeout")
    texts, confidence = [first.text], first.confidence
    _announce_interim(listening, texts, first)
    try:
        while True:
            end = min(line.talking_until + patience, listening.until)
            event = await line.next(end - line.clock.now())
            if isinstance(event, Talks) and event.text:
                texts.append(event.text)
                confidence = min(confidence, event.confidence)
                _announce_interim(listening, texts, event)
            elif event is not None:
                line.lose(event)
            elif line.clock.now() >= min(line.talking_until + patience, listening.until):
                break
    finally:
        for timer in listening.timers:
            timer.set()
    speech = _filtered(listening.element, " ".join(filter(None, texts)))
    line.add("does", f"is heard to say “{speech}”", action="heard", text=speech)
    score = f"{confidence:g}" if speech else "0.0"
    return line.follow(
        listening.element, _result(listening, "speech", speech=speech, confidence=score)
    )


def _result(
    listening: _Listening, kind: str, keys: str = "", speech: str = "", confidence: str = ""
) -> dict[str, str]:
    return {
        "InputType": kind,
        "Digits": keys,
        "Speech": speech,
        "SpeechConfidenceScore": confidence,
        "BilledAmount": listening.billed(),
    }


def _announce_interim(listening: _Listening, texts: list[str], talk: Talks) -> None:
    """Tell interimSpeechResultsCallback halfway through what is said and at its end."""
    url = listening.element.get("interimSpeechResultsCallback")
    if not url or not talk.text:
        return
    words, before = talk.text.split(), " ".join(texts[:-1])
    half = " ".join(words[: max(1, len(words) // 2)])
    whole = " ".join([*texts[:-1], talk.text])
    later = listening.line.later
    listening.timers.append(
        later(talk.seconds / 2, _interim(listening, url, before, half, talk.confidence / 2))
    )
    listening.timers.append(later(talk.seconds, _interim(listening, url, whole, "", 0.0)))


def _interim(
    listening: _Listening, url: str, stable: str, unstable: str, stability: float
) -> Callable[[], None]:
    element, line = listening.element, listening.line
    method: Method = "GET" if element.get("interimSpeechResultsCallbackMethod") == "GET" else "POST"

    def tell() -> None:
        form = {
            "StableSpeech": _filtered(element, stable),
            "UnstableSpeech": _filtered(element, unstable),
            "Stability": f"{stability:g}",
            "SequenceNumber": str(listening.sequence),
        }
        listening.sequence += 1
        line.tell("interim", url, form, method=method)

    return tell


def _filtered(element: Element, text: str) -> str:
    """Write profane words as their first letter and asterisks, if the document wants that."""
    if element.get("profanityFilter") != "true":
        return text
    return " ".join(
        word[0] + "*" * (len(word) - 1) if word.lower() in PROFANE else word
        for word in text.split()
    )


__all__ = ["AUTO_S", "PRICE", "PULSE_S", "get_input"]
