"""A caller who does legal but odd things, and remembers them as the steps of a scenario.

Whatever cannot be done at the moment becomes silence, so that every order of actions is a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bridge.simulator.line import Line
from bridge.testing.call import Call
from bridge.testing.rig import Rig

Outcome = Literal["answer", "busy", "reject", "no answer", "fail"]

#: Who may call; three fit into a conference that one of them leaves.
PHONES: Final[Mapping[str, str]] = {
    "first": "+33612345678",
    "second": "+33612345679",
    "third": "+33612345680",
}
FIRST: Final = next(iter(PHONES))
#: Virtual s that the caller waits for what an action needs.
PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario: its words, and its options as they are written there."""

    verb: str
    phone: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line for people."""
        options = ", ".join(
            value if name in {"", "for"} else f"{name} {value}"
            for name, value in ((name, str(value)) for name, value in self.options.items())
        )
        return f"{self.phone}: {self.verb}" + (f" {options}" if options else "")


class OddCaller:
    """Everybody on a phone. `enough` says that the call need not go on; `steps` is what was done."""

    def __init__(self, rig: Rig, enough: Callable[[], bool]) -> None:
        self._rig = rig
        self._enough = enough
        self._calls: dict[str, Call] = {}
        self.steps: list[Step] = []

    async def dial(self, phone: str) -> None:
        """Call again, when the last call of this phone is over."""
        await self._call(phone)
        await self._settle()

    async def press(self, phone: str, keys: str, *, at_once: bool = False) -> None:
        """Press keys when they are accepted, or whether or not they are."""
        call = await self._call(phone)
        if at_once:
            self._did("press", phone, keys=keys, **{"at once": True})
            await call.press_now(keys)
        elif await self._accepted(call, phone, "keys"):
            self._did("press", phone, keys=keys)
            await call.press(keys)
        await self._settle()

    async def talk(self, phone: str, text: str) -> None:
        """Say something; where nothing listens for speech it is noise."""
        call = await self._call(phone)
        if "speech" in call.line.listening:
            self._did("say", phone, text=text)
            await call.say(text)
        else:
            await self.make_noise(phone, 1.0)
        await self._settle()

    async def make_noise(self, phone: str, seconds: float) -> None:
        """Make noise."""
        call = await self._call(phone)
        self._did("make noise", phone, **{"for": _seconds(seconds)})
        await call.make_noise(seconds)
        await self._settle()

    async def speak(self, phone: str, seconds: float, key: str) -> None:
        """Speak into a recording."""
        call = await self._call(phone)
        if await self._accepted(call, phone, "recording"):
            self._did("speak", phone, **{"for": _seconds(seconds), "key": key})
            await call.speak(seconds, key)
        await self._settle()

    async def be_silent(self, seconds: float, phone: str = FIRST) -> None:
        """Do nothing."""
        await self._call(phone)
        await self._wait(phone, seconds, lambda: False)

    async def hang_up(self, phone: str) -> None:
        """Hang up."""
        call = await self._call(phone)
        self._did("hang up", phone)
        await call.hang_up()
        await self._settle()

    async def take(self, phone: str, outcome: Outcome) -> None:
        """Let the party that rings take the call in one way or another."""
        call = await self._call(phone)
        legs = call.line.legs
        await self._wait(phone, PATIENCE_S, lambda: call.is_over or _first(legs, _rings) > 0)
        leg = _first(legs, _rings)
        if leg:
            self._did(outcome, phone, leg=leg)
            await _TAKE[outcome](call, leg)
        await self._settle()

    async def party_hangs_up(self, phone: str) -> None:
        """Let a party that talks hang up."""
        call = await self._call(phone)
        leg = _first(call.line.legs, _talks)
        if leg:
            self._did("hang up", phone, leg=leg)
            await call.leg(leg).hang_up()
        await self._settle()

    async def party_presses(self, phone: str, key: str) -> None:
        """Let a party that talks, or hears a whisper, press a key."""
        call = await self._call(phone)
        leg = _first(call.line.legs, _talks)
        if leg:
            self._did("press", phone, keys=key, leg=leg, **{"at once": True})
            await call.leg(leg).press_now(key)
        await self._settle()

    def is_over(self, phone: str) -> bool:
        """Say whether a phone has called, and its call is over."""
        call = self._calls.get(phone)
        return call is not None and call.is_over

    async def all_hang_up(self) -> None:
        """Let everybody hang up, which is no step: a scenario ends so by itself."""
        for call in self._calls.values():
            if not call.is_over:
                await call.hang_up()

    async def _call(self, phone: str) -> Call:
        call = self._calls.get(phone)
        if call is None or call.is_over:
            self._did("dial", phone)
            call = self._calls[phone] = await self._rig.phone(PHONES[phone]).dial()
        return call

    async def _accepted(self, call: Call, phone: str, what: str) -> bool:
        line = call.line
        await self._wait(phone, PATIENCE_S, lambda: what in line.listening or call.is_over)
        return what in line.listening

    async def _wait(self, phone: str, seconds: float, done: Callable[[], bool]) -> None:
        clock = self._rig.clock
        began = clock.now()
        await clock.drive(lambda: done() or self._enough(), began + seconds)
        # A wait of no length repeats nothing.
        waited = round(clock.now() - began, 3)
        if waited:
            self._did("wait", phone, **{"for": _seconds(waited)})

    async def _settle(self) -> None:
        # What the app answers at this instant is seen before anybody does more.
        await self._rig.clock.drive(lambda: False, self._rig.clock.now())

    def _did(self, verb: str, phone: str, **options: Any) -> None:
        self.steps.append(Step(verb, phone, options))


_TAKE: Final[Mapping[Outcome, Callable[[Call, int], Any]]] = {
    "answer": Call.answer,
    "busy": Call.busy,
    "reject": Call.reject,
    "no answer": Call.no_answer,
    "fail": Call.fail,
}


def _first(legs: list[Line], wanted: Callable[[Line], bool]) -> int:
    """Give the number of the first party of which something is so, from 1; 0 for none."""
    return next((number for number, leg in enumerate(legs, 1) if wanted(leg)), 0)


def _rings(leg: Line) -> bool:
    return "answer" in leg.listening


def _talks(leg: Line) -> bool:
    return leg.leg.answered is not None and not leg.over.is_set()


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


__all__ = ["FIRST", "PATIENCE_S", "PHONES", "OddCaller", "Outcome", "Step"]
