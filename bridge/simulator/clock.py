"""Clocks a simulation owns, so that waiting takes no time.

Virtual time stands still until somebody pulls it with `drive`, and advances only when the simulation is at rest:
nothing is in flight, and every background task (`bridge.tasks.spawn`) of this event loop waits for time.
So simulated code waits through the clock alone (`sleep`, `wait`), never for another task,
and makes its requests inside `busy`.
Time-outs of HTTP are real time and concern no clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Final, Protocol

from bridge.clock import Clock, SystemClock
from bridge.tasks import background_tasks

#: 2026-01-05 10:00:00 UTC, a Monday: tests can state whole dates.
MONDAY: Final = 1_767_607_200.0
#: Real s between two looks at whether a simulation is at rest, when nothing tells that it might be.
_LOOK_AGAIN_S: Final = 0.001
#: Real s between two looks at what is due, once time runs by itself.
_TICK_S: Final = 0.05
#: Turns of the event loop that pass without anybody starting work before it counts as rest.
_QUIET_TURNS: Final = 3
#: The same while a server may wait for virtual time; turns of _LOOK_AGAIN_S at least, longer on a
#: machine under load, where the server needs longer as well.
_PATIENT_TURNS: Final = 30


class StuckError(Exception):
    """A simulation did not come to rest in real time: something waits for what never comes."""


class SimulationClock(Clock, Protocol):
    """What the simulated platform needs of a clock."""

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that something is in flight: virtual time stands still meanwhile."""
        yield

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Say that something is in flight whose answer may take virtual time: it passes reluctantly."""
        yield

    async def drive(self, done: Callable[[], bool], until: float = inf) -> bool:
        """Let time pass until something is so, or the instant `until`; say whether it is so."""
        ...

    def alarm(self, seconds: float, ring: Callable[[], None]) -> Callable[[], None]:
        """Call `ring` in so many s, inf = never; give what switches the alarm off."""
        ...


class Participant(Protocol):
    """Another process that shares virtual time; once it is gone it rests for ever."""

    async def rest(self) -> float:
        """Wait until it is at rest; give the next instant at which it wants to wake, or inf.

        Raises StuckError.
        """
        ...

    async def tell(self, now: float) -> None:
        """Tell it the time and wait until it has heard."""
        ...


@dataclass(order=True, slots=True)
class _Alarm:
    at: float
    number: int
    ring: Callable[[], None] = field(compare=False)
    off: bool = field(default=False, compare=False)


class VirtualClock:
    """A clock that stands still until it is driven or advanced; satisfies `bridge.clock.Clock`.

    `patience_s` is the longest real time a simulation may take to come to rest. `listeners` are
    told when time passes; `participants` are other processes that share this time.
    """

    def __init__(self, start: float = MONDAY, *, patience_s: float = 60.0) -> None:
        self._now = start
        self.patience_s = patience_s
        self._alarms: list[_Alarm] = []
        self._numbers = count()
        self._in_flight = 0
        self._patient = 0
        #: How often somebody began or ended to do something.
        self._stirs = 0
        self._waiting: dict[asyncio.Task[object], asyncio.Event] = {}
        self._stirred = asyncio.Event()
        self._pulling = asyncio.Lock()
        self.participants: list[Participant] = []

    def now(self) -> float:
        """Give the virtual wall time in s."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock was advanced so far; 0 or less gives way once."""
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set or the clock was advanced so far; inf = only the event."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                alarm = self._set(seconds, lambda: limit.reschedule(loop.time()))
                if task is not None:
                    self._waiting[task] = event
                self._stir()
                try:
                    await event.wait()
                finally:
                    self._stir()
                    alarm.off = True
                    if task is not None:
                        self._waiting.pop(task, None)

    def alarm(self, seconds: float, ring: Callable[[], None]) -> Callable[[], None]:
        """Call `ring` in so many s, inf = never; give what switches the alarm off."""
        alarm = self._set(seconds, ring)

        def switch_off() -> None:
            alarm.off = True

        return switch_off

    def _set(self, seconds: float, ring: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(self._now + seconds, next(self._numbers), ring)
        if seconds < inf:
            heapq.heappush(self._alarms, alarm)
        return alarm

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that something is in flight: virtual time stands still meanwhile."""
        self._in_flight += 1
        self._stirs += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._stir()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Say that something is in flight whose answer may take virtual time.

        Time passes only after a while of rest, so that a server can do whatever takes no time.
        """
        self._patient += 1
        self._stirs += 1
        try:
            yield
        finally:
            self._patient -= 1
            self._stir()

    def _stir(self) -> None:
        self._stirs += 1
        self._stirred.set()

    def advance(self, seconds: float) -> None:
        """Let time pass and wake who has slept long enough."""
        self.advance_to(self._now + seconds)

    def next_alarm(self) -> float:
        """Give the next instant at which somebody here wants to wake, or inf."""
        while self._alarms and self._alarms[0].off:
            heapq.heappop(self._alarms)
        return self._alarms[0].at if self._alarms else inf

    async def drive(self, done: Callable[[], bool], until: float = inf) -> bool:
        """Let time pass until something is so, or the instant `until`; say whether it is so.

        False also when nothing is left to happen. Raises StuckError when the simulation does not
        come to rest.
        """
        while True:
            if done():
                return True
            async with self._pulling:
                upcoming = await self._everybody_rests()
                if done():
                    return True
                if upcoming > until or upcoming == inf:
                    if until < inf:
                        await self._pass(until)
                    return done()
                await self._pass(upcoming)

    async def _everybody_rests(self) -> float:
        """Wait until all are at rest at the same time; give the next instant somebody wants to wake."""
        while True:
            await self.at_rest()
            # What a participant did on its way to rest may have been a request to this process.
            before = self._stirs
            alarms = [await participant.rest() for participant in tuple(self.participants)]
            if before == self._stirs and self._at_rest():
                return min([self.next_alarm(), *alarms])

    async def at_rest(self) -> None:
        """Wait, in real time, until nothing is in flight and all background tasks wait for time.

        Raises StuckError.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.patience_s
        quiet = 0
        while quiet < (_PATIENT_TURNS if self._patient else _QUIET_TURNS):
            self._stirred.clear()
            await asyncio.sleep(_LOOK_AGAIN_S if self._patient else 0)
            if not self._at_rest():
                quiet = 0
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), _LOOK_AGAIN_S)
                if loop.time() > deadline:
                    raise StuckError(self._why())
            else:
                quiet += 1

    def _at_rest(self) -> bool:
        return not self._in_flight and all(self._rests(task) for task in background_tasks())

    def _rests(self, task: asyncio.Task[object]) -> bool:
        event = self._waiting.get(task)
        return event is not None and not event.is_set()

    def _why(self) -> str:
        awake = sorted(task.get_name() for task in background_tasks() if not self._rests(task))
        return (
            f"The simulation did not come to rest within {self.patience_s:g} s of real time: "
            f"{self._in_flight} requests in flight, awake: {', '.join(awake) or 'nobody'}."
        )

    async def _pass(self, instant: float) -> None:
        for participant in tuple(self.participants):
            await participant.tell(instant)
        self.advance_to(instant)

    def advance_to(self, instant: float) -> None:
        """Let time pass until an instant, in wall time, and wake who has slept long enough."""
        self._now = max(self._now, instant)
        while self.next_alarm() <= self._now:
            heapq.heappop(self._alarms).ring()


class ReleasedClock(VirtualClock):
    """Virtual time until it is released, and from then on the machine's; for a bridge that serves on."""

    def __init__(self) -> None:
        super().__init__(time.time())
        self._ahead_s: float | None = None
        self._ticking: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Give the wall time in s; it never goes back, so it may be ahead of the machine's."""
        if self._ahead_s is None:
            return super().now()
        return time.time() + self._ahead_s

    def release(self) -> None:
        """Let time run by itself from here on."""
        self._ahead_s = super().now() - time.time()
        # Not spawned: it waits for real time, which no simulation does.
        loop = asyncio.get_running_loop()
        self._ticking = loop.create_task(self._tick(), name="released clock")

    async def _tick(self) -> None:
        while True:
            self.advance_to(self.now())
            await asyncio.sleep(_TICK_S)


class RealTime(SystemClock):
    """The machine's clock under a simulation: calls take as long as they would."""

    def alarm(self, seconds: float, ring: Callable[[], None]) -> Callable[[], None]:
        """Call `ring` in so many s, inf = never; give what switches the alarm off."""
        if seconds == inf:
            return lambda: None
        return asyncio.get_running_loop().call_later(seconds, ring).cancel

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Do nothing: real time never stands still."""
        yield

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Do nothing: real time passes in any case."""
        yield

    async def drive(self, done: Callable[[], bool], until: float = inf) -> bool:
        """Wait until something is so, or the instant `until`; say whether it is so."""
        while not done():
            if self.now() >= until:
                return False
            await asyncio.sleep(min(0.02, max(0.0, until - self.now())))
        return True


__all__ = [
    "MONDAY",
    "Participant",
    "RealTime",
    "ReleasedClock",
    "SimulationClock",
    "StuckError",
    "VirtualClock",
]
