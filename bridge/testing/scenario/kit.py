"""What a scenario needs of the test kit, as protocols.

`bridge.testing.rig` fits them; tests of this package use a fake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bridge.simulator.timeline import Timeline


class PersonLike(Protocol):
    """Somebody on a line: the caller or a dialled party."""

    async def press(self, keys: str, *, within: float = ...) -> None:
        """Press keys as soon as they are accepted."""

    async def press_now(self, keys: str) -> None:
        """Press keys whether or not they are accepted."""

    async def hang_up(self) -> None:
        """Hang up."""


class CallLike(PersonLike, Protocol):
    """One call: what its person does, and what is expected.

    An expectation raises AssertionError when it is not met within `within` virtual seconds. The
    expectations `expect_…` and their negative twins `expect_no_…` are called by name.
    """

    async def say(self, text: str, *, within: float = ...) -> None:
        """Say something to whatever listens for speech."""

    async def make_noise(self, seconds: float) -> None:
        """Make noise that is no speech."""

    async def speak(self, seconds: float, key: str = ..., *, within: float = ...) -> None:
        """Speak into a recording, and end it with a key."""

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass."""

    async def answer(self, leg: int | None = None) -> None:
        """Let a dialled party pick up."""

    async def busy(self, leg: int | None = None) -> None:
        """Let a dialled party be busy."""

    async def reject(self, leg: int | None = None) -> None:
        """Let a dialled party decline."""

    async def fail(self, leg: int | None = None, code: int = ...) -> None:
        """Let the call to a dialled party fail."""

    async def no_answer(self, leg: int | None = None) -> None:
        """Let a dialled party never pick up."""

    def leg(self, number: int) -> PersonLike:
        """Give a dialled party, counted from 1."""

    async def expect_no_dialled(
        self, number: str, *, caller_id: str | None = None, within: float = ...
    ) -> None:
        """Make sure that a number is not dialled."""


class PhoneLike(Protocol):
    """A phone that can call."""

    async def dial(
        self, to: str = ..., from_: str | None = None, caller_name: str | None = None
    ) -> CallLike:
        """Call a number of the bridge."""


class CalleeLike(Protocol):
    """What a number does when it is dialled."""

    def answers(
        self, after: float = ..., seconds: float | None = None, key: str | None = None
    ) -> object:
        """Pick up `after` s, press `key` when asked, and hang up `seconds` later."""

    def busy(self) -> object:
        """Be busy."""

    def rejects(self) -> object:
        """Decline."""

    def no_answer(self) -> object:
        """Never pick up."""

    def fails(self, code: int = ...) -> object:
        """Fail with a hangup cause of Plivo."""


class RigLike(Protocol):
    """The bridge and the simulated Plivo around the app, for one scenario."""

    @property
    def timeline(self) -> Timeline:
        """Everything that happened."""

    def phone(self, number: str) -> PhoneLike:
        """Give the phone with this number."""

    def callee(self, number: str) -> CalleeLike:
        """Say what a dialled number does."""

    def errors(self) -> Sequence[str]:
        """List what the app did against the protocol, but for what is allowed."""

    def warnings(self) -> Sequence[str]:
        """List what is probably not meant."""

    async def hang_up_all(self) -> None:
        """Let everybody hang up who is still on the phone."""

    async def finish(self) -> bool:
        """Let time pass until every call is over and the app was told; False when it never is."""


__all__ = [
    "CallLike",
    "CalleeLike",
    "PersonLike",
    "PhoneLike",
    "RigLike",
]
