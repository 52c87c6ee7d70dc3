"""The clock of the shell: one port, so that a simulator can own time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in seconds since the epoch, and sleeping."""

    def now(self) -> float:
        """Give the wall time in s; it survives a restart, so it may be stored."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for that long."""

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, but no longer than that."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Give the wall time in s."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep for that long in real time."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, but no longer than that in real time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


__all__ = ["Clock", "SystemClock"]
