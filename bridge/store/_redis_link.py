"""One connection to Redis that everybody shares.

What is asked in one turn of the event loop goes out in one write, and answers come back in order.
While the server is out of reach, questions wait for it, each for as long as its asker may wait, and
then go out again; so what is asked must bear to be asked twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from random import uniform
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from bridge.store._redis_dial import MISSING, advised
from bridge.store.patience import PATIENCE_S, deadline
from bridge.store.protocol import StoreUnavailable
from bridge.tasks import spawn

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from bridge.store._redis_dial import Dialler

log = structlog.get_logger()

#: A server that answers nothing for so long (s) counts as lost: it was stopped, or the network was.
ANSWER_S: Final = 2.0
#: Longest the end of a connection is waited for, in s.
CLOSE_S: Final = 1.0
#: How often it is looked whether somebody has waited long enough, in s.
WATCH_S: Final = 0.1
#: Even whoever has no time left waits so long (s): a server that is well answers long before.
SHORTEST_S: Final = 0.5
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
#: Errors of a server that cannot serve now, or not here; another connection may find one that can.
#: Connecting also gives the server the scripts it does not know.
ELSEWHERE: Final = frozenset(
    {"ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "NOREPLICAS", "READONLY"}
    | {"NOSCRIPT", "TRYAGAIN"}
)
#: Errors of a server that can be read and not written: its memory or its disk is full. Another
#: connection would not help, and deleting, which does, needs this one.
FULL: Final = frozenset({"MISCONF", "OOM"})
#: The least that a server is said to be out of reach for, in s.
_MOMENT_S: Final = 0.001
_NOTHING: Final = object()

Word = bytes | str | int


@dataclass(slots=True, eq=False)
class _Question:
    packed: bytes
    answer: asyncio.Future[Any]
    #: Until when its asker waits, and when it was sent; times of the event loop.
    until: float
    sent_at: float = 0.0


class _Wire(asyncio.Protocol):
    """Hands the answers of one connection over as they come."""

    def __init__(self, link: Link, connection: Connection) -> None:
        from hiredis import Reader  # noqa: PLC0415 - the optional extra `redis`

        self._link = link
        self._reader = Reader(notEnoughData=_NOTHING)
        # redis-py offers no other way to its transport, and closes what it still holds.
        writer = connection._writer  # noqa: SLF001
        connection._reader = connection._writer = None  # noqa: SLF001
        if writer is None:
            raise StoreUnavailable("the connection was closed")
        self._writer = writer
        self.gone = asyncio.Event()
        self.transport = writer.transport
        self.transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _NOTHING:
            self._link.answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._link.lost(self, str(exc or "") or "the server closed the connection")


class Link:
    """Asks one server, for ever: `open`, `ask`, `close`.

    `greeting` is asked first on every connection; `greeted` is told its answers.
    """

    def __init__(
        self,
        name: str,
        dialler: Dialler,
        greeting: Callable[[], Sequence[tuple[Word, ...]]],
        greeted: Callable[[Sequence[Any]], None],
    ) -> None:
        self._name = name
        self._dialler = dialler
        self._greeting = greeting
        self._greeted = greeted
        self._wire: _Wire | None = None
        self._new: _Wire | None = None
        self._waiting: deque[_Question] = deque()
        self._sent: deque[_Question] = deque()
        self._flushing = False
        self._watching = False
        self._watch_at = 0.0
        self._closed = True
        self._pack: Callable[[tuple[Word, ...]], bytes]
        #: Why the server is out of reach, and since when (time of the event loop, s).
        self._trouble = ""
        self._since = 0.0
        #: Since when nothing can be written (time of the event loop, s), 0 = it can.
        self._full_since = 0.0
        self._mending: asyncio.Task[None] | None = None
        #: How often the server was lost.
        self.losses = 0

    async def open(self) -> None:
        """Connect for the first time. Raises StoreUnavailable."""
        try:
            from hiredis import pack_command  # noqa: PLC0415 - the optional extra `redis`
        except ImportError:
            raise StoreUnavailable(self._sentence(MISSING)) from None
        self._pack = cast("Callable[[tuple[Word, ...]], bytes]", pack_command)
        self._loop = asyncio.get_running_loop()
        self._closed = False
        try:
            try:
                await self._connect()
            except StoreUnavailable:
                if self._dialler.moved is None:
                    raise
                await self._connect()
        except StoreUnavailable as error:
            self._closed = True
            raise StoreUnavailable(self._sentence(str(error))) from None

    async def close(self) -> None:
        """Wait for what was asked, then disconnect."""
        while self._sent or (self._waiting and self._wire is not None):
            await asyncio.wait([question.answer for question in (*self._sent, *self._waiting)])
        self._closed = True
        if self._mending is not None:
            self._mending.cancel()
            # It may hold a connection that is not everybody's yet.
            await asyncio.wait({self._mending})
        for question in self._waiting:
            self._fail(question, "it was closed")
        self._waiting.clear()
        wire, self._wire = self._wire, None
        if wire is None:
            return
        wire.transport.close()
        try:
            # TLS says goodbye; a server that sleeps may never read what is still to be sent.
            async with asyncio.timeout(CLOSE_S):
                await wire.gone.wait()
        except TimeoutError:
            wire.transport.abort()

    def ask(self, *words: Word, patience_s: float | None = None) -> asyncio.Future[Any]:
        """Ask one command; its answer, None for null, or StoreUnavailable."""
        self.check()
        now = self._loop.time()
        if patience_s is None:
            last = deadline.get()
            patience_s = PATIENCE_S if last is None else max(SHORTEST_S, last - now)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Question(self._pack(words), answer, now + patience_s))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        if not self._watching:
            self._watching = True
            self._watch_again(now)
        return answer

    def check(self) -> None:
        """Raise StoreUnavailable when it was not opened, or closed."""
        if self._closed:
            raise StoreUnavailable(f"The Redis store {self._name} is not open.")

    def down_s(self) -> float:
        """Tell for how long the server has been out of reach, 0 = it is not."""
        return self._loop.time() - self._since if self._trouble else 0.0

    def _flush(self) -> None:
        self._flushing = False
        wire = self._wire
        if wire is None or not self._waiting:
            return
        now = self._loop.time()
        for question in self._waiting:
            question.sent_at = now
        wire.transport.write(b"".join([question.packed for question in self._waiting]))
        self._sent.extend(self._waiting)
        self._waiting.clear()

    def answered(self, wire: _Wire, answer: Any) -> None:
        """Give an answer to whoever asked; called by the wire."""
        if wire is not self._wire and wire is not self._new:
            return
        if not self._sent:
            self.lost(wire, "the server answered what was not asked")
            return
        question = self._sent.popleft()
        if question.answer.done():
            return
        if isinstance(answer, Exception):
            self._refused(question, str(answer))
        else:
            question.answer.set_result(answer)

    def _refused(self, question: _Question, error: str) -> None:
        code, _, rest = error.partition(" ")
        if code == "MOVED":
            host, _, port = rest.rpartition(" ")[2].rpartition(":")
            self._dialler.moved = (host, int(port)) if host else None
        if self._wire is None:
            question.answer.set_exception(StoreUnavailable(error))
        elif code in ELSEWHERE:
            self._sent.appendleft(question)
            self.lost(self._wire, error)
        else:
            refusal = StoreUnavailable(self._sentence(error))
            if code in FULL:
                now = self._loop.time()
                self._full_since = self._full_since or now
                refusal.down_s = max(_MOMENT_S, now - self._full_since)
            question.answer.set_exception(refusal)

    def written(self) -> None:
        """Take note that the server has room again; called by whoever wrote something."""
        self._full_since = 0.0

    def lost(self, wire: _Wire, reason: str) -> None:
        """Give a connection up, and look for another; called by the wire as well."""
        wire.transport.abort()
        if wire is self._new:
            self._new = None
            for question in self._sent:
                if not question.answer.done():
                    question.answer.set_exception(StoreUnavailable(reason))
            self._sent.clear()
        if wire is not self._wire:
            return
        self._wire = None
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        if self._closed:
            return
        self.losses += 1
        self._trouble, self._since = reason, self._loop.time()
        log.warning("store.lost", store=self._name, why=reason)
        # Who stops the bridge must not wait for a server that may never come back.
        self._mending = spawn(self._mend(), "store:connect", daemon=True)

    async def _mend(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._closed:
            try:
                await self._connect()
            except Exception as error:
                if not isinstance(error, StoreUnavailable):
                    log.exception("store.fault", store=self._name)
                self._trouble = str(error) or type(error).__name__
                await asyncio.sleep(pause * uniform(0.5, 1.0))  # noqa: S311 - spreads reconnections
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            log.info("store.back", store=self._name, seconds=round(self.down_s(), 3))
            self._trouble = ""
            self._flush()
            return

    async def _connect(self) -> None:
        connection = await self._dialler.dial()
        wire = self._new = _Wire(self, connection)
        try:
            async with asyncio.timeout(ANSWER_S):
                answers = await asyncio.gather(*map(self._ask_first, self._greeting()))
        except TimeoutError:
            wire.transport.abort()
            raise StoreUnavailable(f"it did not answer within {ANSWER_S:g} s") from None
        except BaseException:
            wire.transport.abort()
            raise
        finally:
            self._new = None
            self._sent.clear()
        self._greeted(answers)
        self._wire = wire

    def _ask_first(self, words: tuple[Word, ...]) -> asyncio.Future[Any]:
        """Ask on a connection that is not everybody's yet."""
        if self._new is None:
            raise StoreUnavailable("the connection was closed")
        answer: asyncio.Future[Any] = self._loop.create_future()
        packed = self._pack(words)
        # Who connects sees to the time: those who wait meanwhile are looked after every moment.
        self._sent.append(_Question(packed, answer, inf))
        self._new.transport.write(packed)
        return answer

    def _watch(self) -> None:
        """Find what was asked too long ago; goes on as long as somebody waits."""
        now = self._loop.time()
        late_s = now - self._watch_at
        if late_s > WATCH_S:
            # So long nothing ran here, and nobody could read what the server had answered.
            for question in (*self._sent, *self._waiting):
                question.sent_at += late_s
                question.until += late_s
        wire = self._wire
        if wire is not None and self._sent and now - self._sent[0].sent_at > ANSWER_S:
            self.lost(wire, f"it did not answer for {ANSWER_S:g} s")
        reason = self._trouble or "it did not answer in time"
        for question in (*self._sent, *self._waiting):
            if question.until <= now and not question.answer.done():
                self._fail(question, reason)
        self._waiting = deque(q for q in self._waiting if not q.answer.done())
        self._watching = bool(self._sent or self._waiting) and not self._closed
        if self._watching:
            self._watch_again(now)

    def _watch_again(self, now: float) -> None:
        self._watch_at = now + WATCH_S
        self._loop.call_at(self._watch_at, self._watch)

    def _fail(self, question: _Question, reason: str) -> None:
        if not question.answer.done():
            error = StoreUnavailable(self._sentence(reason))
            error.down_s = self.down_s()
            question.answer.set_exception(error)

    def _sentence(self, reason: str) -> str:
        return f"The Redis store {self._name} cannot be used: {advised(reason)}."


__all__ = ["Link", "Word"]
