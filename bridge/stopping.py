"""Being told to stop: once means in good order, twice at once, three times there and then.

A service manager may signal a whole group of processes while one of them passes the same signal on,
so what comes together counts once.
"""

from __future__ import annotations

import asyncio
import os
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

#: Signals that come so close to each other (s) are the same one.
TOGETHER_S: Final = 0.5
#: Exit status of a bridge that was told twice: that of a process ended by SIGTERM in a shell.
FORCED: Final = 143


class Stopping:
    """Counts how often it was told; `force` is called when it was told twice."""

    def __init__(self, force: Callable[[], None]) -> None:
        self._force = force
        self._loop = asyncio.get_running_loop()
        self._last = -inf
        #: Set from the first time on.
        self.asked = asyncio.Event()
        self.forced = False

    def hear(self) -> None:
        """Take note of being told."""
        now = self._loop.time()
        if now - self._last < TOGETHER_S:
            return
        self._last = now
        if self.forced:
            # Whatever keeps it from ending, somebody is sure that it should.
            os._exit(FORCED)
        if not self.asked.is_set():
            self.asked.set()
            return
        self.forced = True
        log.warning(
            "bridge.forced",
            why="it was told twice: what is in progress is cut off; what is stored goes on with "
            "the next start, or with another replica",
        )
        self._force()


__all__ = ["FORCED", "TOGETHER_S", "Stopping"]
