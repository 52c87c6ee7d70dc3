"""One call under test: what its person does, and what is expected of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bridge.simulator.causes import CALLEE_HUNG_UP, CALLER_HUNG_UP
from bridge.simulator.inputs import HungUp, Key, Takes, Talks
from bridge.simulator.line import Line
from bridge.testing.expectations import Expectations
from bridge.testing.expecting import WITHIN_S, Cursor, pass_time, until_accepts

if TYPE_CHECKING:
    from bridge.testing.rig import Rig

#: s from key to key, as people type.
KEY_S: Final = 0.3
#: How fast people speak, in characters a s.
CHARACTERS_PER_S: Final = 15


_KEYS: Final = re.compile(r"[0-9*#A-D]*")


class Person:
    """Somebody on a line: the caller, or a party that was dialled."""

    def __init__(self, rig: Rig, line: Line, cursor: Cursor) -> None:
        self.rig = rig
        self.line = line
        self._cursor = cursor

    async def press(self, keys: str, *, within: float = WITHIN_S) -> None:
        """Press keys, one after the other, as soon as the call accepts keys.

        Raises ExpectationError when it does not within so many virtual s, ValueError for what is
        no key.
        """
        __tracebackhide__ = True
        _check(keys)
        await self._accepted("keys", f"press {keys}", within)
        for key in str(keys):
            self.line.add("does", f"presses {key}", action="press", keys=key)
            self.line.post(Key(key))
            await pass_time(self.rig, KEY_S)

    async def press_now(self, keys: str) -> None:
        """Press keys whether or not anything listens.

        Raises ValueError for what is no key.
        """
        __tracebackhide__ = True
        _check(keys)
        for key in str(keys):
            self.line.add("does", f"presses {key}", action="press", keys=key)
            self.line.post(Key(key))
            await pass_time(self.rig, KEY_S)

    async def hang_up(self) -> None:
        """Hang up."""
        self.line.add("does", "hangs up", action="hang_up")
        self.line.post(HungUp(CALLER_HUNG_UP if self.line.parent is None else CALLEE_HUNG_UP))
        await self.rig.clock.drive(self.line.over.is_set, self.rig.clock.now() + 1)

    async def _accepted(self, what: str, action: str, within: float) -> None:
        __tracebackhide__ = True
        if not await until_accepts(self.rig, self.line, what, within):
            why = (
                "the call is over"
                if self.line.over.is_set()
                else f"nothing did within {within:g} s"
            )
            self._cursor.refuse(f"Cannot {action}: nothing accepts {what}; {why}.")


def _check(keys: str) -> None:
    __tracebackhide__ = True
    if not _KEYS.fullmatch(str(keys)):
        raise ValueError(
            f'{keys!r} cannot be pressed: keys are a text of 0 to 9, * and #, such as "42#".'
        )


class Call(Person, Expectations):
    """A call, from its caller's side.

    Actions wait until the call accepts them; expectations wait on the virtual clock. `soft` is the
    same call with expectations that are collected and fail the test at its end.
    """

    def __init__(
        self, rig: Rig, line: Line, cursor: Cursor | None = None, *, soft: bool = False
    ) -> None:
        Person.__init__(self, rig, line, cursor or Cursor(rig, line))
        self._soft = soft

    @property
    def soft(self) -> Call:
        """Give this call with soft expectations."""
        return Call(self.rig, self.line, self._cursor, soft=True)

    @property
    def number(self) -> int:
        """Give the number of this call in the simulation, from 1."""
        return self.line.number

    @property
    def is_over(self) -> bool:
        """Say whether the call is over."""
        return self.line.over.is_set()

    def leg(self, number: int) -> Person:
        """Give a party this call dialled, counted from 1. Raises ExpectationError."""
        __tracebackhide__ = True
        legs = self.line.legs
        if not 1 <= number <= len(legs):
            self._cursor.refuse(f"There is no party {number}: {len(legs)} were dialled.")
        return Person(self.rig, legs[number - 1], self._cursor)

    async def say(self, text: str, *, confidence: float = 0.95, within: float = WITHIN_S) -> None:
        """Say something, as soon as the call listens for speech."""
        __tracebackhide__ = True
        await self._accepted("speech", f"say “{text}”", within)
        seconds = len(text) / CHARACTERS_PER_S
        self.line.add("does", f"says “{text}”", action="say", text=text)
        self.line.post(Talks(seconds, text, confidence))
        await pass_time(self.rig, seconds)

    async def make_noise(self, seconds: float) -> None:
        """Make noise that is no speech, now."""
        self.line.add("does", f"makes noise for {seconds:g} s", action="noise", seconds=seconds)
        self.line.post(Talks(seconds))
        await pass_time(self.rig, seconds)

    async def speak(self, seconds: float, key: str = "#", *, within: float = WITHIN_S) -> None:
        """Speak into a recording as soon as one runs, and end it with a key ("" = fall silent)."""
        __tracebackhide__ = True
        await self._accepted("recording", f"speak for {seconds:g} s", within)
        self.line.add("does", f"speaks for {seconds:g} s", action="speak", seconds=seconds)
        self.line.post(Talks(seconds))
        await pass_time(self.rig, seconds)
        if key:
            await self.press_now(key)

    async def wait(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        await pass_time(self.rig, seconds)

    async def answer(self, leg: int | None = None) -> None:
        """Let a dialled party pick up; without a number the last one dialled.

        On a call that `Phone.rings` gave, and that is not answered yet, the phone itself picks up.
        """
        await self._take(leg, Takes("answered"))

    async def busy(self, leg: int | None = None) -> None:
        """Let a dialled party be busy."""
        await self._take(leg, Takes("busy", 3010, "USER_BUSY"))

    async def reject(self, leg: int | None = None) -> None:
        """Let a dialled party decline."""
        await self._take(leg, Takes("rejected", 3020, "CALL_REJECTED"))

    async def no_answer(self, leg: int | None = None) -> None:
        """Let the network give up ringing a party."""
        await self._take(leg, Takes("no-answer", 3000, "NO_ANSWER"))

    async def fail(self, leg: int | None = None, code: int = 3050) -> None:
        """Let the call to a party fail with a hangup cause of Plivo."""
        await self._take(leg, Takes("failed", code))

    async def _take(self, leg: int | None, takes: Takes) -> None:
        __tracebackhide__ = True
        if leg is None and "answer" in self.line.listening and not self.line.legs:
            self.line.post(takes)
            await pass_time(self.rig, 0)
            return
        legs, clock = self.line.legs, self.rig.clock
        least = leg or 1
        over = self.line.over
        await clock.drive(lambda: len(legs) >= least or over.is_set(), clock.now() + 300)
        if len(legs) < least:
            self._cursor.refuse(f"Nobody can take the call: {len(legs)} parties were dialled.")
        party = legs[least - 1] if leg else legs[-1]
        if not await until_accepts(self.rig, party, "answer", 1):
            self._cursor.refuse(f"Party {party.leg_number} does not ring any more.")
        party.post(takes)
        await pass_time(self.rig, 0)


__all__ = ["CHARACTERS_PER_S", "KEY_S", "Call", "Person"]
