"""Clocks a simulated call can push forward, so that waiting takes no time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from bridge.clock import SystemClock

#: 2026-01-05 10:00:00 UTC, a Monday: tests can state whole dates.
MONDAY: Final = 1_767_607_200.0


class Advancing(Protocol):
    """A clock whose time passes when the simulation says so."""

    def now(self) -> float:
        """Give the wall time in s."""

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""


class VirtualClock:
    """A clock that stands still until it is advanced; satisfies `bridge.clock.Clock`."""

    def __init__(self, start: float = MONDAY) -> None:
        self._now = start
        self._alarms: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        """Give the virtual wall time in s."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock was advanced so far; 0 or less gives way once."""
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set or the clock was advanced so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                alarm = (self._now + seconds, lambda: limit.reschedule(loop.time()))
                self._alarms.append(alarm)
                try:
                    await event.wait()
                finally:
                    if alarm in self._alarms:
                        self._alarms.remove(alarm)

    def advance(self, seconds: float) -> None:
        """Let time pass and wake who has slept long enough."""
        self._now += seconds
        due = [alarm for alarm in self._alarms if alarm[0] <= self._now]
        for alarm in sorted(due, key=lambda one: one[0]):
            self._alarms.remove(alarm)
            alarm[1]()


class SkippingClock(SystemClock):
    """Real time plus what the simulation skipped; for a bridge that serves on afterwards."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        """Give the wall time in s, ahead of the machine's by what was skipped."""
        return super().now() + self._skipped

    def advance(self, seconds: float) -> None:
        """Skip so much time."""
        self._skipped += seconds


__all__ = ["MONDAY", "Advancing", "SkippingClock", "VirtualClock"]
