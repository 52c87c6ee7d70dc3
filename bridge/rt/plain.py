"""RtTransport for plain HTTP/1.1 on httptools: a pool of connections per host, few calls per turn.

Why it exists beside aiohttp's client: docs/adr/0008.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from types import TracebackType
from typing import Final, Self

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver

from bridge.rt import failures
from bridge.rt.connection import Connection
from bridge.rt.dialling import Dialler, UnknownHostError
from bridge.rt.failures import AppFailure
from bridge.rt.port import (
    CONNECT_SHARE,
    CONNECTIONS_PER_HOST,
    FIRST_PAUSE_S,
    IDLE_S,
    LONGEST_PAUSE_S,
    MAX_REPLY_BYTES,
    RtApp,
)
from bridge.rt.request import Address, Target, target_of

__all__ = ["PlainTransport"]

# Loops count in milliseconds and may ring that much early.
_TICK_S: Final = 0.002
_MOST_TARGETS: Final = 1024


class PlainTransport:
    """RtTransport for http:// URLs; close it, or use it with `async with`."""

    def __init__(
        self,
        resolver: AbstractResolver,
        *,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        connections_per_host: int = CONNECTIONS_PER_HOST,
    ) -> None:
        """Belongs to the running event loop; the arguments are those of `open`."""
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._resolver = resolver
        self._max_reply_bytes = max_reply_bytes
        self._limit = connections_per_host or inf
        self._alarm = _Alarm(self._loop)
        self._pools: dict[Address, _Pool] = {}
        self._targets: dict[tuple[str, str | None], tuple[Target, _Pool]] = {}
        self._closed = False

    @classmethod
    def open(
        cls,
        *,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        connections_per_host: int = CONNECTIONS_PER_HOST,
    ) -> Self:
        """Open the pools inside the running event loop.

        `max_reply_bytes` counts the body, decompressed. Waiting for one of the connections of a
        host counts towards the budget. 0 means no limit of connections.
        """
        return cls(
            DefaultResolver(),
            max_reply_bytes=max_reply_bytes,
            connections_per_host=connections_per_host,
        )

    async def close(self) -> None:
        """Close every connection; what is under way ends as disconnected."""
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        await self._alarm.close()
        await self._resolver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """POST the body; try again while the connection is refused and time is left."""
        found = self._targets.get((app.url, app.authorization))
        target, pool = found or self._target(app)
        now = self._time()
        deadline = now + budget_s
        connection = pool.idle.pop() if pool.idle else None
        if connection is None or connection.deadline <= now or connection.transport.is_closing():
            if connection is not None:
                connection.drop()
            connection = await self._connection(pool, target, now, budget_s)
        if deadline < self._alarm.at:
            self._alarm.set(deadline)
        waiter = connection.ask(target, body, deadline, budget_s)
        try:
            reply = await waiter
        except asyncio.CancelledError:
            connection.cancel(waiter)
            raise
        if isinstance(reply, AppFailure):
            raise reply
        return reply

    def _target(self, app: RtApp) -> tuple[Target, _Pool]:
        target = target_of(app)
        pool = self._pools.get(target.address)
        if pool is None:
            dialler = Dialler(target.address, self._resolver)
            pool = _Pool(dialler, self._alarm, self._max_reply_bytes, self._limit)
            self._pools[target.address] = pool
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        found = self._targets[app.url, app.authorization] = (target, pool)
        return found

    async def _connection(
        self, pool: _Pool, target: Target, begun: float, budget_s: float
    ) -> Connection:
        """Wait for a connection; tries again what was refused."""
        pause_s = FIRST_PAUSE_S
        last = begun + CONNECT_SHARE * budget_s
        try:
            async with asyncio.timeout_at(last):
                while True:
                    try:
                        return await pool.acquire()
                    except OSError as error:
                        if self._closed or self._time() + pause_s >= last:
                            raise failures.unreachable(target.where, _reason(error)) from error
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        except TimeoutError as error:
            raise failures.unreachable(target.where, failures.NOT_IN_TIME) from error


class _StoppingError(OSError):
    """The transport was closed."""


def _reason(error: OSError) -> str:
    if isinstance(error, UnknownHostError):
        return failures.NO_SUCH_HOST
    if isinstance(error, _StoppingError):
        return "the bridge is stopping"
    return failures.reason_of(error)


class _Alarm:
    """One timer for all connections, set to the earliest deadline that was asked for.

    Most questions are answered long before theirs, so it is hardly ever set anew.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._connections: set[Connection] = set()
        self.at = inf

    def set(self, deadline: float) -> None:
        """Ring no later than this."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._ring)
        self.at = deadline

    def add(self, connection: Connection) -> None:
        """Watch a connection."""
        self._connections.add(connection)

    def remove(self, connection: Connection) -> None:
        """Watch it no longer: its socket is closed."""
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """Close all connections and wait until the sockets are."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._connections):
            connection.drop()
        if self._connections:
            self._emptied = self._loop.create_future()
            await self._emptied

    def _ring(self) -> None:
        now = self._loop.time() + _TICK_S
        self._timer, self.at = None, inf
        for connection in tuple(self._connections):
            if connection.deadline <= now:
                connection.expire()
        nearest = min((connection.deadline for connection in self._connections), default=inf)
        if nearest < self.at:
            self.set(nearest)


class _Pool:
    """The connections to one host: `idle` ones, newest last, and those who wait for one."""

    def __init__(self, dialler: Dialler, alarm: _Alarm, max_reply_bytes: int, limit: float) -> None:
        self.idle: list[Connection] = []
        self._dialler = dialler
        self._alarm = alarm
        self._max_reply_bytes = max_reply_bytes
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._open = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    async def acquire(self) -> Connection:
        """Give an idle connection or a new one, as soon as there may be one; OSError as `connect`."""
        queue = self._waiting.append
        while True:
            if self._closed:
                raise _StoppingError
            if self.idle:
                return self.idle.pop()
            if self._open < self._limit:
                return await self._connect()
            waiter: asyncio.Future[Connection | None] = self._loop.create_future()
            queue(waiter)
            try:
                connection = await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._pass_on(waiter.result())
                raise
            if connection is not None and connection.is_usable:
                return connection
            # Whoever waited longest stays first.
            queue = self._waiting.appendleft

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._dialler.close()
        while self._hand_over(None):
            pass

    def released(self, connection: Connection) -> None:
        """See `Owner`."""
        if self._waiting and self._hand_over(connection):
            return
        deadline = connection.deadline = self._time() + IDLE_S
        self.idle.append(connection)
        if deadline < self._alarm.at:
            self._alarm.set(deadline)

    def dropped(self, connection: Connection) -> None:
        """See `Owner`."""
        if connection in self.idle:
            self.idle.remove(connection)
        self._open -= 1
        self._hand_over(None)

    def gone(self, connection: Connection) -> None:
        """See `Owner`."""
        self._alarm.remove(connection)

    async def _connect(self) -> Connection:
        self._open += 1
        connection = Connection(self, self._max_reply_bytes)
        try:
            sock = await self._dialler.connect()
            await self._loop.create_connection(lambda: connection, sock=sock)
        except BaseException:
            connection.drop()
            raise
        self._alarm.add(connection)
        if self._closed:
            connection.drop()
            raise _StoppingError
        return connection

    def _hand_over(self, connection: Connection | None) -> bool:
        """Give a connection, or None for the right to open one, to whoever waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                if connection is not None:
                    connection.deadline = inf
                waiter.set_result(connection)
                return True
        return False

    def _pass_on(self, connection: Connection | None) -> None:
        """Give away what was handed to somebody who does not want it any more."""
        if connection is None:
            self._hand_over(None)
        elif connection.is_usable:
            self.released(connection)
