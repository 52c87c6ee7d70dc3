"""Whose call is dialled next, and when: no app waits behind the many calls of another."""

from __future__ import annotations

from collections import OrderedDict, deque


class FairQueue:
    """Hashes of intents by app; apps take turns, each with its oldest first."""

    def __init__(self) -> None:
        self._apps: OrderedDict[str, deque[str]] = OrderedDict()
        self._known: set[str] = set()

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._known)

    def __contains__(self, token: str) -> bool:
        """Tell whether an intent waits."""
        return token in self._known

    def add(self, app: str, token: str, *, first: bool = False) -> None:
        """Let an intent wait, behind those of its app or in front of them; once is enough."""
        if token in self._known:
            return
        self._known.add(token)
        waiting = self._apps.setdefault(app, deque())
        if first:
            waiting.appendleft(token)
        else:
            waiting.append(token)

    def take(self) -> str | None:
        """Take the next one; its app is the last whose turn comes again."""
        if not self._apps:
            return None
        app, waiting = self._apps.popitem(last=False)
        token = waiting.popleft()
        if waiting:
            self._apps[app] = waiting
        self._known.discard(token)
        return token


class Pace:
    """At most so many calls per second, evenly spread (Plivo's page "Account limits").

    `hold` makes everything wait: 1 s, then twice as long each time, 30 s at most; `go` ends that.
    """

    _LONGEST_HOLD_S = 30.0

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next = 0.0
        self._hold_s = 1.0

    def wait_s(self, now: float) -> float:
        """Give the time until the next call may leave."""
        return max(0.0, self._next - now)

    def left(self, now: float) -> None:
        """Take note that a call leaves now."""
        self._next = max(self._next, now + self._interval_s)

    def hold(self, now: float) -> float:
        """Let nothing leave for a while; gives how long."""
        held_s = self._hold_s
        self._next = max(self._next, now + held_s)
        self._hold_s = min(self._LONGEST_HOLD_S, 2 * held_s)
        return held_s

    def go(self) -> None:
        """Begin with 1 s again at the next `hold`."""
        self._hold_s = 1.0


__all__ = ["FairQueue", "Pace"]
