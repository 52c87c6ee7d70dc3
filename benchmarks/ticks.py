"""A steady beat for the open loop, precise to tens of microseconds where the kernel offers it.

The timers of asyncio and uvloop are rounded to a millisecond, which at 1,000 requests a second
would drown what is measured. Linux has timerfd for it; elsewhere the loop's timers have to do.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Beat"]

_CLOCK_MONOTONIC: Final = 1
_NONBLOCK: Final = 0o4000
_ABSOLUTE: Final = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    @classmethod
    def of(cls, seconds: float) -> _Timespec:
        whole = int(seconds)
        return cls(whole, int((seconds - whole) * 1e9))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


class Beat:
    """Calls `on_beat(count)` at `start`, `start + interval` … until stopped.

    `start` is on the clock of `time.monotonic()`, `interval` in s; `count` is how many beats are
    due at once, more than 1 after a delay.
    """

    def __init__(self, start: float, interval: float, on_beat: Callable[[int], None]) -> None:
        self._on_beat = on_beat
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._handle: asyncio.TimerHandle | None = None
        self._next = start
        self._interval = interval
        if sys.platform == "linux":
            self._start_timerfd(start, interval)
        else:
            self._wait()

    def stop(self) -> None:
        """Stop calling."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            # uvloop lets go of the reader in its next turn: a new timer that got the same number
            # before that would never be heard.
            self._loop.call_later(0.05, os.close, self._fd)
            self._fd = -1
        if self._handle is not None:
            self._handle.cancel()

    def _start_timerfd(self, start: float, interval: float) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
        spec = _TimerSpec(_Timespec.of(interval), _Timespec.of(start))
        if self._fd < 0 or libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "The kernel refused a timer")
        self._loop.add_reader(self._fd, self._expired)

    def _expired(self) -> None:
        self._on_beat(int.from_bytes(os.read(self._fd, 8), sys.byteorder))

    def _wait(self) -> None:
        delay = max(0.0, self._next - time.monotonic())
        self._handle = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        count = 0
        while self._next <= time.monotonic():
            self._next += self._interval
            count += 1
        # The next wait first: the callback may stop the beat.
        self._wait()
        if count:
            self._on_beat(count)
