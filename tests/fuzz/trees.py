"""Random verbs, full of characters that XML treats specially."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, TypeVar

from fuzz import hostile

from mappings._plivo.verbs import (
    DTMF,
    Asset,
    Conference,
    Dial,
    GetDigits,
    GetInput,
    Hangup,
    HostedAudio,
    HostedRecording,
    Next,
    Play,
    Record,
    Redirect,
    Sounds,
    Speak,
    Verb,
    Wait,
)

T = TypeVar("T")


class Trees:
    """Makes up verbs whose texts are of these characters."""

    def __init__(self, source: Random, characters: str = hostile.CHARACTERS) -> None:
        self._source = source
        self._characters = characters

    def text(self) -> str:
        """Make up a text."""
        if self._source.random() < 0.3:
            return self._source.choice(("", "plain words", "https://a.test/x?a=1&b=2#rc=5"))
        return "".join(self._source.choices(self._characters, k=self._source.randrange(1, 30)))

    def sounds(self) -> Sounds:
        """Make up a document of sounds."""
        verbs = [self._source.choice((self._sound, self._wait))() for _ in range(3)]
        return Sounds(tuple(verbs))

    def verbs(self) -> list[Verb]:
        """Make up a document."""
        return [self._verb() for _ in range(self._source.randrange(5))]

    def _sound(self) -> Speak | Play:
        source = self._source
        loop = source.choice((0, 1, 1, 7))
        urls = (self.text(), Asset("music"), HostedAudio.of(b"RIFF"), HostedRecording(self.text()))
        if source.random() < 0.5:
            return Play(source.choice(urls), loop)
        return Speak(self.text(), self.text(), self.text(), loop)

    def _prompts(self) -> tuple[Speak | Play, ...]:
        return tuple(self._sound() for _ in range(self._source.randrange(4)))

    def _wait(self) -> Wait:
        return Wait(self._number(), self._flag(), self._source.choice((None, 800)))

    def _flag(self) -> bool:
        return self._source.random() < 0.5

    def _number(self) -> int:
        return self._source.randrange(100_000)

    def _maybe(self, value: T) -> T | None:
        return self._source.choice((None, value))

    def _verb(self) -> Verb:
        number, text, flag = self._number, self.text, self._flag
        makers: tuple[Callable[[], Verb], ...] = (
            self._sound,
            self._wait,
            lambda: GetDigits(self._prompts(), number(), number(), number(), text(), flag()),
            lambda: GetInput(self._prompts(), number(), text()),
            self._record,
            lambda: Dial(
                text(),
                number(),
                self._maybe(text()),
                self._maybe(self.sounds()),
                self._music(),
                number(),
            ),
            self._conference,
            lambda: DTMF(text()),
            lambda: Hangup(self._source.choice((None, "busy", "rejected"))),
            lambda: Redirect(self._source.choice((Next("next"), text()))),
        )
        return self._source.choice(makers)()

    def _record(self) -> Record:
        return Record(
            self._number(),
            self._maybe(9),
            self._maybe(self.text()),
            self._maybe(self._flag()),
            self._flag(),
            self._flag(),
            self._flag(),
        )

    def _conference(self) -> Conference:
        return Conference(
            self.text(),
            self._maybe(self.sounds()),
            self._maybe(self.sounds()),
            self._maybe(self.sounds()),
            stay_alone=self._flag(),
            max_members=self._number(),
            time_limit=self._number(),
            leave_when_alone=self._flag(),
        )

    def _music(self) -> Sounds | Literal["real"]:
        return "real" if self._flag() else self.sounds()
