"""The actions of a scenario: what the persons on the phones do.

One class an action; `verb` is how it is written, the fields are its options, `main` is the option
that may be given directly: `press: "42#"` is short for `press: {keys: "42#"}`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from bridge.testing.scenario.kit import CallLike
from bridge.testing.scenario.values import (
    Caller,
    Keys,
    KeysOrNone,
    Leg,
    Number,
    Seconds,
    Truth,
    Words,
)

#: Plivo's code of a number that does not exist (page "Hangup causes").
UNALLOCATED: Final = 3050


def limit(within: float | None) -> dict[str, float]:
    """Give the time limit of a step as the test kit takes it, or leave the kit its own."""
    return {} if within is None else {"within": within}


def spoken(field: str) -> str:
    """Give the name of a field as it is written in a file, with spaces and no underscores."""
    return field.rstrip("_").replace("_", " ")


class Strict(BaseModel):
    """A table of a scenario: names are written with spaces, unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=spoken)


class Step(Strict):
    """What stands under the name of an action."""

    verb: ClassVar[str]
    main: ClassVar[str] = ""
    #: Fields whose unquoted numbers, true, false and null are JSON values and not text.
    typed: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def options(cls) -> list[str]:
        """List the options as they are written."""
        return [spoken(name) for name in cls.model_fields]

    @classmethod
    def needs(cls) -> list[str]:
        """List the options that must be given."""
        return [spoken(name) for name, info in cls.model_fields.items() if info.is_required()]


class Action(Step):
    """Something that a person does."""

    #: Whether it waits until the call is ready for it, so that `within` may be said.
    waits: ClassVar[bool] = False

    async def perform(self, call: CallLike, within: float | None) -> None:
        """Do it; wait for at most `within` virtual s until it is possible."""
        raise NotImplementedError


class Dial(Step):
    """Call the bridge; without options as the head of the file says."""

    verb = "dial"
    main = "to"
    to: Number | None = None
    from_: Caller | None = None
    caller_name: Words | None = None


class Press(Action):
    """Press keys as soon as they are accepted; `at once` = whether or not they are."""

    verb = "press"
    main = "keys"
    waits = True
    keys: Keys
    leg: Leg | None = None
    at_once: Truth = False

    async def perform(self, call: CallLike, within: float | None) -> None:
        """Press them on the caller's phone, or on that of a dialled party."""
        person = call if self.leg is None else call.leg(self.leg)
        if self.at_once:
            await person.press_now(self.keys)
        else:
            await person.press(self.keys, **limit(within))


class Say(Action):
    """Say something to an app that listens for speech."""

    verb = "say"
    main = "text"
    waits = True
    text: Words

    async def perform(self, call: CallLike, within: float | None) -> None:
        """Say it."""
        await call.say(self.text, **limit(within))


class MakeNoise(Action):
    """Make noise that is no speech."""

    verb = "make noise"
    main = "for_"
    for_: Seconds

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Make it."""
        await call.make_noise(self.for_)


class Speak(Action):
    """Speak into a recording as soon as one runs, then press a key; `key: ""` = fall silent."""

    verb = "speak"
    main = "for_"
    waits = True
    for_: Seconds
    key: KeysOrNone = "#"

    async def perform(self, call: CallLike, within: float | None) -> None:
        """Speak."""
        await call.speak(self.for_, self.key, **limit(within))


class Wait(Action):
    """Do nothing for a while."""

    verb = "wait"
    main = "for_"
    for_: Seconds

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Let virtual time pass."""
        await call.wait(self.for_)


class HangUp(Action):
    """Hang up."""

    verb = "hang up"
    main = "leg"
    leg: Leg | None = None

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Hang up the caller's phone, or that of a dialled party."""
        await (call if self.leg is None else call.leg(self.leg)).hang_up()


class _Party(Action):
    """Something that a dialled party does with its ringing phone; by default the last one."""

    main = "leg"
    leg: Leg | None = None


class Answer(_Party):
    """A dialled party picks up."""

    verb = "answer"

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Pick up."""
        await call.answer(self.leg)


class Busy(_Party):
    """A dialled party is busy."""

    verb = "busy"

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Be busy."""
        await call.busy(self.leg)


class Reject(_Party):
    """A dialled party declines."""

    verb = "reject"

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Decline."""
        await call.reject(self.leg)


class Fail(_Party):
    """The call to a dialled party fails, with a hangup cause code of Plivo."""

    verb = "fail"
    code: int = UNALLOCATED

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Fail."""
        await call.fail(self.leg, self.code)


class NoAnswer(_Party):
    """A dialled party never picks up."""

    verb = "no answer"

    async def perform(self, call: CallLike, _within: float | None) -> None:
        """Let it ring."""
        await call.no_answer(self.leg)


ACTIONS: tuple[type[Action], ...] = (
    Press,
    Say,
    Speak,
    MakeNoise,
    Wait,
    HangUp,
    Answer,
    Busy,
    Reject,
    Fail,
    NoAnswer,
)

__all__ = ["ACTIONS", "Action", "Dial", "Step", "Strict", "limit", "spoken"]
