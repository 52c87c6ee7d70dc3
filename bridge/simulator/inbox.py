"""The ears of a line: what happened to it and was not dealt with yet."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from bridge.simulator.flow import Moved, Over
from bridge.simulator.inputs import HungUp, Input, Key, Talks, Transferred
from bridge.simulator.leg import Ending
from bridge.simulator.timeline import Kind

if TYPE_CHECKING:
    from bridge.simulator.clock import SimulationClock
    from bridge.simulator.profile import Profile


class Inbox(ABC):
    """What happens to a line, in order. `post` adds to it; `next`, `idle` and `until` wait for it."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.listening: frozenset[str] = frozenset()
        #: Until when, in wall time, somebody makes sound on the line.
        self.talking_until = -inf
        #: Everything that was said, with the instant at which it began.
        self.said: list[tuple[float, Talks]] = []
        #: Who hears everything at the moment it happens, besides the running element.
        self.listeners: list[Callable[[Input], None]] = []
        self._inbox: deque[Input] = deque()
        self._arrived = asyncio.Event()
        self._typed_ahead: list[Key] = []

    @property
    @abstractmethod
    def clock(self) -> SimulationClock:
        """Give the clock of the simulation."""

    @property
    @abstractmethod
    def profile(self) -> Profile:
        """Give the answers to what nobody documents."""

    @abstractmethod
    def add(
        self, kind: Kind, text: str, detail: str = "", ms: float | None = None, /, **data: Any
    ) -> None:
        """Append to the timeline."""

    def post(self, event: Input) -> None:
        """Let something happen to the line; nothing happens any more once it is over."""
        if self.ending is not None:
            return
        if isinstance(event, Talks):
            self.said.append((self.clock.now(), event))
            self.talking_until = max(self.talking_until, self.clock.now() + event.seconds)
        self._inbox.append(event)
        for listener in tuple(self.listeners):
            listener(event)
        self.stir()

    def stir(self) -> None:
        """Let whoever waits for the line look again."""
        self._arrived.set()

    async def next(self, seconds: float = inf) -> Input | None:
        """Wait for the next thing to happen; None once `seconds` are over.

        Raises Over when the line is hung up, Moved when the call is transferred.
        """
        until = self.clock.now() + seconds
        while True:
            if self._inbox:
                event = self._inbox.popleft()
                _leave(event)
                return event
            left = until - self.clock.now()
            if left <= 0:
                return None
            await self._wait(left)

    async def idle(self, seconds: float) -> None:
        """Let time pass in the line; what happens meanwhile is lost. Raises as `next`."""
        until = self.clock.now() + seconds
        while (event := await self.next(until - self.clock.now())) is not None:
            self.lose(event)

    async def until(self, done: asyncio.Event, seconds: float = inf) -> None:
        """Wait until the event is set, or `seconds` at most; what happens meanwhile is kept.

        Whoever sets the event calls `stir` afterwards. Raises as `next`.
        """
        end = self.clock.now() + seconds
        while not done.is_set() and (left := end - self.clock.now()) > 0:
            for event in tuple(self._inbox):
                if isinstance(event, HungUp | Transferred):
                    self._inbox.remove(event)
                    _leave(event)
            await self._wait(left)

    async def _wait(self, seconds: float) -> None:
        # Not `clock.wait` with a time: it ends by an exception thrown into whoever waits, after
        # which a tracer of Python 3.11 loses sight of the element.
        self._arrived.clear()
        switch_off = self.clock.alarm(seconds, self.stir)
        try:
            await self.clock.wait(self._arrived, inf)
        finally:
            switch_off()

    def lose(self, event: Input) -> None:
        """Hear something while nobody listens; only a key leaves a trace, or is kept for later."""
        if not isinstance(event, Key):
            return
        if self.profile.type_ahead_kept:
            self._typed_ahead.append(event)
            return
        self.add(
            "does", f"presses {event.digit}, and nobody listens", action="lost", keys=event.digit
        )

    def forget_keys(self) -> None:
        """Begin to listen: drop what came too early, or take up what the profile kept of it."""
        if self.profile.type_ahead_kept:
            self._inbox.extendleft(reversed(self._typed_ahead))
            self._typed_ahead.clear()
            return
        early = [event for event in self._inbox if isinstance(event, Key | Talks)]
        self.forget_heard()
        for event in early:
            self.lose(event)

    def forget_heard(self) -> None:
        """Drop keys and sound that were dealt with in another way."""
        self._inbox = deque(event for event in self._inbox if not isinstance(event, Key | Talks))

    @contextmanager
    def listens(self, element: str, *accepts: str) -> Iterator[None]:
        """Say what the running element accepts: keys, speech, recording, answer, room, silence."""
        self.listening = frozenset(accepts)
        self.add(
            "listens", f"{element}: {', '.join(accepts)}", element=element, accepts=list(accepts)
        )
        try:
            yield
        finally:
            self.listening = frozenset()


def _leave(event: Input) -> None:
    match event:
        case HungUp():
            raise Over(event.ending)
        case Transferred():
            raise Moved(event.url, event.method)
        case _:
            return


__all__ = ["Inbox"]
