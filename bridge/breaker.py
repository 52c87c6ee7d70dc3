"""A circuit breaker: who never answers is not asked for a while, and then by one question first.

    closed ──so many failures in a row──► open ──pause──► probing ──an answer──► closed
                                           ▲                 │
                                           └────a failure────┘

Pure: the time is that of `now`, and what a failure is, is for others to say.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """What becomes of the next question."""

    #: It is put.
    CLOSED = "closed"
    #: It is not put, before the pause is over.
    OPEN = "open"
    #: It is not put, because the one that finds out is under way.
    PROBING = "probing"


class Breaker:
    """The breaker of one app. `failures` 0 = it never opens; times in s."""

    __slots__ = ("_failures", "_in_row", "_now", "_opened_at", "_pause_s", "state")

    def __init__(self, failures: int, pause_s: float, now: Callable[[], float]) -> None:
        self._failures = failures
        self._pause_s = pause_s
        self._now = now
        self._in_row = 0
        self._opened_at = 0.0
        self.state = BreakerState.CLOSED

    @property
    def in_row(self) -> int:
        """How many questions failed since the last answer."""
        return self._in_row

    @property
    def is_shut(self) -> bool:
        """Whether a question that comes now would not be put."""
        if self.state is BreakerState.CLOSED:
            return False
        return self.state is BreakerState.PROBING or not self._is_over()

    def begin(self) -> bool | None:
        """Begin a question: True = it is the probe, False = one as any other, None = refused.

        Every question that began is ended by one of the methods below, which tell whether the
        breaker opened or closed by it.
        """
        if self.state is BreakerState.CLOSED:
            return False
        if self.is_shut:
            return None
        self.state = BreakerState.PROBING
        return True

    def answered(self) -> bool:
        """End a question that was answered, whatever the answer: whoever answers may be asked."""
        self._in_row = 0
        changed = self.state is not BreakerState.CLOSED
        self.state = BreakerState.CLOSED
        return changed

    def failed(self, *, probe: bool) -> bool:
        """End a question that was not answered; those from before it opened change nothing."""
        self._in_row += 1
        if self.state is BreakerState.CLOSED and self._in_row >= self._failures > 0:
            self._open()
            return True
        if probe and self.state is BreakerState.PROBING:
            self._open()
        return False

    def abandoned(self, *, probe: bool) -> None:
        """End a question of which nothing can be said; the next one may be the probe."""
        if probe and self.state is BreakerState.PROBING:
            self.state = BreakerState.OPEN

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self._opened_at = self._now()

    def _is_over(self) -> bool:
        # A clock that was set back must not keep it open for as long.
        return not 0 <= self._now() - self._opened_at < self._pause_s


__all__ = ["Breaker", "BreakerState"]
