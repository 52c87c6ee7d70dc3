"""The way out of a running bridge: what it still does, for how long, and who may watch.

    serving → answering → finishing → gone

Load balancers need seconds to notice that a replica is not ready, and Plivo goes on sending what
belongs to live calls. So a bridge that is to stop first answers on, for `drain_s` at most, and then
takes nothing more and finishes what it has begun, for `shutdown_grace_s` at most. Nothing of a call
depends on that: whatever is cut off is in the store, and Plivo repeats its webhook.
All times are real time, like every other time-out of HTTP, also where a simulation owns the clock.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import structlog

from bridge.store.patience import deadline
from bridge.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

log = structlog.get_logger()

#: How often the log tells how far it is, in s.
TOLD_EVERY_S: Final = 5.0
#: How often it is looked whether anybody still needs an answer, in s.
LOOK_S: Final = 0.25
#: Longest the store is asked for what is only to be told, in s.
GLANCE_S: Final = 1.0


class Phase(StrEnum):
    """How far a bridge is on its way out."""

    SERVING = "serving"
    #: Not ready, dials nobody, answers everything that comes.
    ANSWERING = "answering"
    #: Takes nothing more, finishes what it has begun.
    FINISHING = "finishing"
    #: Waits for nothing any more.
    FORCED = "forced"


class Draining:
    """The phases of one bridge. `look` gives what it still has to do, by name."""

    def __init__(
        self, drain_s: float, grace_s: float, look: Callable[[], Awaitable[dict[str, int | None]]]
    ) -> None:
        self._drain_s = drain_s
        self._grace_s = grace_s
        self._look = look
        self._loop = asyncio.get_running_loop
        self._ends_at = 0.0
        self._gone_at = 0.0
        self._answered = asyncio.Event()
        self._forced = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self.phase = Phase.SERVING

    @property
    def seconds_left(self) -> float:
        """Give how long this phase may still last; 0 while serving."""
        return self._until(self._ends_at)

    @property
    def gone_within_s(self) -> float:
        """Give the time until it is gone at the latest; 0 while serving."""
        return self._until(self._gone_at)

    def _until(self, instant: float) -> float:
        return 0.0 if self.phase is Phase.SERVING else max(0.0, instant - self._loop().time())

    def begin(self) -> None:
        """Begin to answer on, for `drain_s` at most, unless it is forced already."""
        if self.phase is not Phase.SERVING:
            return
        self.phase = Phase.ANSWERING
        self._ends_at = self._loop().time() + (0.0 if self._answered.is_set() else self._drain_s)
        self._gone_at = self._ends_at + self._grace_s

    async def answer_on(self, needed: Callable[[], Awaitable[bool]]) -> None:
        """Wait while it is needed that we answer; the log tells how far it is."""
        if self._answered.is_set():
            return
        self._telling = spawn(self._tell_on(), "countdown", daemon=True)
        if self.seconds_left > 0:
            await self.tell()
        while self.seconds_left > 0 and not self._answered.is_set():
            with _glance():
                if not await needed():
                    break
            await _set_within(self._answered, min(LOOK_S, self.seconds_left))

    def no_longer(self) -> None:
        """Answer on no longer: nobody can come any more."""
        self._answered.set()

    async def finish(self) -> None:
        """Begin to finish, for `shutdown_grace_s` at most."""
        if self.phase in {Phase.SERVING, Phase.ANSWERING}:
            self.phase = Phase.FINISHING
            self._ends_at = self._gone_at = self._loop().time() + self._grace_s
        if self._telling is not None:
            await self.tell()

    def force(self) -> None:
        """Wait for nothing any more."""
        self.phase = Phase.FORCED
        self._ends_at = self._gone_at = self._loop().time()
        self._answered.set()
        self._forced.set()

    async def within(self, work: Coroutine[Any, Any, object], name: str) -> bool:
        """Let something happen while this phase lasts; it is cancelled afterwards. Tell if it did."""
        # Daemons, so that they are no part of the work that is waited for.
        working = spawn(work, name, daemon=True)
        forced = spawn(self._forced.wait(), "forced", daemon=True)
        both: set[asyncio.Task[Any]] = {working, forced}
        await asyncio.wait(both, timeout=self.seconds_left, return_when=asyncio.FIRST_COMPLETED)
        done = working.done()
        for task in both:
            task.cancel()
        await asyncio.wait(both)
        return done

    def gone(self) -> None:
        """Tell nothing more."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def told(self) -> dict[str, Any]:
        """Give how far it is, for whoever watches; None stands for what the store does not tell."""
        with _glance():
            rest = await self._look()
        left = {"seconds_left": self.seconds_left, "gone_within_s": self.gone_within_s}
        return {"phase": self.phase, **{name: round(s, 1) for name, s in left.items()}, **rest}

    async def tell(self) -> None:
        """Log how far it is."""
        log.info("bridge.draining", **await self.told())

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            await self.tell()


@contextmanager
def _glance() -> Iterator[None]:
    """Wait for a store out of reach hardly at all: a countdown does not stand still."""
    patience = deadline.set(asyncio.get_running_loop().time() + GLANCE_S)
    try:
        yield
    finally:
        deadline.reset(patience)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


__all__ = ["GLANCE_S", "LOOK_S", "TOLD_EVERY_S", "Draining", "Phase"]
