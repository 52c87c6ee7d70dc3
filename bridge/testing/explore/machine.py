"""The caller as a state machine of Hypothesis: which odd things are done, and in which order.

Importing this module needs Hypothesis, which is part of the extra [pytest].
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from bridge.testing.explore.caller import FIRST, PHONES, OddCaller, Outcome

Act = Callable[[OddCaller], Coroutine[Any, Any, None]]
_Sound = Callable[[OddCaller, str], Coroutine[Any, Any, None]]

# What comes first is what a shrunk call has; what stands twice is pressed more often.
_KEYS: Final = "1*#0234567890*#"
_PHONE: Final = st.sampled_from((FIRST, FIRST, FIRST, *PHONES))
_KEY: Final = st.sampled_from(_KEYS)
_SOME: Final = st.lists(_KEY, min_size=1, max_size=4).map("".join)
_MANY: Final = st.lists(_KEY, min_size=15, max_size=40).map("".join)
_PRESSED: Final = st.one_of(_KEY, _KEY, _SOME, _SOME.map(lambda keys: f"{keys}#"), _MANY)
_SILENCE_S: Final = st.sampled_from((1.0, 0.3, 3.0, 10.0, 30.0, 120.0, 600.0, 1800.0))
_SOUND_S: Final = st.sampled_from((1.0, 0.2, 6.0, 70.0))
_SAID: Final = st.sampled_from(
    ("yes", "no", "one", "er", "I would like to talk to somebody, please", "ça va très bien")
)
_END: Final = st.sampled_from(("#", "", "*", "1"))
_SOUND: Final[st.SearchStrategy[_Sound]] = st.one_of(
    _SOUND_S.map(lambda seconds: lambda caller, phone: caller.make_noise(phone, seconds)),
    st.tuples(_SOUND_S, _END).map(lambda how: lambda caller, phone: caller.speak(phone, *how)),
    _SAID.map(lambda text: lambda caller, phone: caller.talk(phone, text)),
)
_OUTCOME: Final[st.SearchStrategy[Outcome]] = st.sampled_from(
    ("answer", "busy", "reject", "no answer", "fail")
)


class Stage(Protocol):
    """Where the machine plays: one rig after the other."""

    def begin(self) -> None:
        """Begin with a fresh rig."""

    def act(self, act: Act) -> None:
        """Do something; raises when something was found."""

    def end(self) -> None:
        """Let everybody hang up; raises when something was found."""


class OddCalls(RuleBasedStateMachine):
    """One run of it is one example: some calls on one rig."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.stage.begin()

    @rule(phone=_PHONE, keys=_PRESSED, at_once=st.sampled_from((False, False, False, True)))
    def press(self, phone: str, keys: str, at_once: bool) -> None:  # noqa: FBT001 -- Hypothesis passes it by name
        """Press keys."""
        self.stage.act(lambda caller: caller.press(phone, keys, at_once=at_once))

    @rule(phone=_PHONE, key=_KEY)
    def press_one(self, phone: str, key: str) -> None:
        """Press one key: most apps ask for that."""
        self.stage.act(lambda caller: caller.press(phone, key))

    @rule(phone=_PHONE, seconds=_SILENCE_S)
    def be_silent(self, phone: str, seconds: float) -> None:
        """Do nothing."""
        self.stage.act(lambda caller: caller.be_silent(seconds, phone))

    @rule(phone=_PHONE, sound=_SOUND)
    def make_sound(self, phone: str, sound: _Sound) -> None:
        """Talk, make noise, or speak into a recording."""
        self.stage.act(lambda caller: sound(caller, phone))

    @rule(phone=_PHONE)
    def hang_up(self, phone: str) -> None:
        """Hang up."""
        self.stage.act(lambda caller: caller.hang_up(phone))

    @rule(phone=_PHONE, outcome=_OUTCOME)
    def party_takes(self, phone: str, outcome: Outcome) -> None:
        """Let a dialled party pick up, or not."""
        self.stage.act(lambda caller: caller.take(phone, outcome))

    @rule(phone=_PHONE, key=st.one_of(st.just(""), _KEY))
    def party_acts(self, phone: str, key: str) -> None:
        """Let a dialled party hang up, or press a key."""
        self.stage.act(
            lambda caller: caller.party_presses(phone, key) if key else caller.party_hangs_up(phone)
        )

    def teardown(self) -> None:
        """End the example."""
        self.stage.end()


def machine(stage: Stage) -> type[OddCalls]:
    """Give the machine that plays on a stage."""
    return type("OddCallsOnStage", (OddCalls,), {"stage": stage})


__all__ = ["Act", "OddCalls", "Stage", "machine"]
