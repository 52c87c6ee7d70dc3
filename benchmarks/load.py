"""The load generator: raw protocols on keep-alive connections, closed loop or open loop.

A closed loop keeps every connection busy and so finds the throughput. An open loop sends at a fixed
rate whatever the server does, and times each reply from the moment its request was *due*, so that a
slow server cannot hide its delays by slowing the load.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from benchmarks.ticks import Beat
from benchmarks.webhooks import Job
from benchmarks.wire import ReplyReader, UnexpectedReply

__all__ = ["Load", "Sample"]

_GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One closed-loop sample: replies within the window of `seconds`, and with its drain `total`."""

    replies: int
    seconds: float
    total: int

    @property
    def rate(self) -> float:
        """Replies per second."""
        return self.replies / self.seconds


class _Connection(asyncio.Protocol):
    __slots__ = ("_load", "due", "job", "reader", "transport")

    def __init__(self, load: Load) -> None:
        self._load = load
        self.reader = ReplyReader()
        self.job: Job | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio.Transport.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            document = self.reader.feed(data)
            if document is not None:
                self._load.replied(self, document)
        except UnexpectedReply as error:
            self._load.failed(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, exc)


class Load:
    """Drives one server on loopback `port` with `jobs` in turn over keep-alive `connections`.

    Every run raises `UnexpectedReply` when a reply is wrong, a connection breaks while a request is
    out, or replies stay out for half a minute.
    """

    def __init__(self, port: int, jobs: Sequence[Job], *, connections: int = 32) -> None:
        self.port = port
        self.jobs = deque(jobs)
        self._size = connections
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._reopening: set[asyncio.Task[None]] = set()
        self._missing = 0
        self._left = 0
        self._due: deque[float] = deque()
        self._replies = 0
        self._latencies: list[float] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._more_to_come = False

    async def run_for(self, seconds: float) -> Sample:
        """Keep every connection busy for `seconds`, then let the last replies come in."""
        ended = await self._start()
        loop = asyncio.get_running_loop()
        self._left = 1 << 62
        start = time.perf_counter()
        within: list[tuple[int, float]] = []

        def stop() -> None:
            within.append((self._replies, time.perf_counter() - start))
            self._left = 0

        timer = loop.call_later(seconds, stop)
        self._wake()
        try:
            await self._finish(ended, seconds)
        finally:
            timer.cancel()
        replies, elapsed = within[0]
        return Sample(replies, elapsed, self._replies)

    async def run_once(self) -> None:
        """Send one request of every job, as fast as the connections allow."""
        ended = await self._start()
        self._left = len(self.jobs)
        self._wake()
        await self._finish(ended, len(self.jobs) / 100)

    async def run_at(self, rate: float, seconds: float) -> list[float]:
        """Send `rate` requests a second; give the time from due to reply of each, in s."""
        ended = await self._start()
        latencies: list[float] = []
        self._latencies = latencies
        count = max(1, round(rate * seconds))
        interval = 1.0 / rate
        start = time.monotonic() + 0.02
        sent = 0
        self._more_to_come = True

        def on_beat(beats: int) -> None:
            nonlocal sent
            first, sent = sent, min(count, sent + beats)
            self._due.extend([start + index * interval for index in range(first, sent)])
            if sent == count:
                self._more_to_come = False
                beat.stop()
            self._wake()

        beat = Beat(start, interval, on_beat)
        try:
            await self._finish(ended, seconds)
        finally:
            beat.stop()
            self._latencies = None
        return latencies

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._open:
            connection.transport.abort()
        self._open.clear()
        self._idle.clear()

    def replied(self, connection: _Connection, document: bytes) -> None:
        """Take a reply: check it, and send the next request if one is wanted."""
        job = connection.job
        if job is None:
            raise UnexpectedReply(f"A reply nobody waits for: {document[:200]!r}.")
        if self._latencies is not None:
            self._latencies.append(time.monotonic() - connection.due)
        job.replied(document)
        connection.job = None
        self.jobs.append(job)
        self._replies += 1
        if connection.reader.closing:
            self._replace(connection)
        elif self._left:
            self._left -= 1
            self._send(connection, 0.0)
        else:
            self._idle.append(connection)
            self._wake()

    def failed(self, error: Exception) -> None:
        """End the run with this error."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def lost(self, connection: _Connection, reason: Exception | None) -> None:
        """Forget a connection; that is an error only while it owes a reply."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
            self._wake()
        if connection.job is not None:
            self.failed(UnexpectedReply(f"The server closed a busy connection ({reason})."))

    async def _start(self) -> asyncio.Future[None]:
        while len(self._open) < self._size:
            self._idle.append(await self._connect())
        self._replies = self._left = 0
        self._due.clear()
        self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    async def _finish(self, ended: asyncio.Future[None], seconds: float) -> None:
        try:
            await asyncio.wait_for(ended, seconds + _GRACE_S)
        except TimeoutError:
            busy = len(self._open) - len(self._idle)
            raise UnexpectedReply(f"{busy} replies did not come in time.") from None
        finally:
            self._ended = None
            self._left = 0

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self), "127.0.0.1", self.port
        )
        self._open.add(connection)
        return connection

    def _replace(self, connection: _Connection) -> None:
        self._open.discard(connection)
        connection.transport.close()

        async def reopen() -> None:
            try:
                self._idle.append(await self._connect())
            except OSError as error:
                self.failed(error)
            finally:
                self._missing -= 1
            self._wake()

        self._missing += 1

        task = asyncio.get_running_loop().create_task(reopen())
        self._reopening.add(task)
        task.add_done_callback(self._reopening.discard)

    def _wake(self) -> None:
        """Give idle connections work; end the run when there is none left and all are idle."""
        idle = self._idle
        while idle and self._left:
            self._left -= 1
            self._send(idle.pop(), 0.0)
        while idle and self._due:
            self._send(idle.pop(), self._due.popleft())
        # Not the size: a server may close a connection that was idle for long.
        all_idle = len(idle) == len(self._open) and not self._missing and not self._more_to_come
        if all_idle and self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _send(self, connection: _Connection, due: float) -> None:
        if not self.jobs:
            raise UnexpectedReply("There are fewer calls than connections.")
        job = self.jobs.popleft()
        connection.job = job
        connection.due = due
        connection.transport.write(job.request)
