"""The door of a listener: so many connections at most, and none that keeps it waiting.

A request has to arrive within `PATIENCE_S`, head and body: whoever sends it byte by byte is cut off.
Where all places are taken, a newcomer gets that of the connection which has kept waiting longest,
and is cut off itself only where every single one is being answered.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

log = structlog.get_logger()

#: A request that takes longer to arrive (s) is no request of Plivo's.
PATIENCE_S: Final = 10.0
#: How often (s) the log tells of connections that were cut off.
TOLD_EVERY_S: Final = 60.0

#: Why a connection was cut off: its request took too long, its place was needed, there was none.
Why = Literal["slow", "displaced", "refused"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def most_connections(wanted: int) -> int:
    """Give how many connections may be open: as many as wanted, and half of the files at most.

    The other half is for the connections to apps, to the store and to Plivo.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else max(1, min(wanted, files // 2))


class Door:
    """Lets connections in; `middleware` belongs to the application they are for.

    `cut_off` counts those that were not let in, or not to the end.
    """

    def __init__(self, most: int, *, patience_s: float = PATIENCE_S) -> None:
        self._most = most
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._inside: dict[object, _Visitor] = {}
        #: Whose request is expected, and since when; who has none. The oldest come first.
        self._sending: dict[_Visitor, float] = {}
        self._idle: dict[_Visitor, None] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._seeing_out = False
        self.cut_off: Counter[str] = Counter()
        self._told_at: float | None = None

    def __len__(self) -> int:
        """Count the open connections."""
        return len(self._inside)

    @property
    def answering(self) -> int:
        """Count the requests that are being answered."""
        return len(self._inside) - len(self._sending) - len(self._idle)

    async def listen(self, runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
        """Serve the application of a runner that was set up. Raises OSError."""
        server = runner.server
        if server is None:
            raise AssertionError("the runner was not set up")
        return await self._loop.create_server(
            lambda: _Visitor(self, server()), host, port, backlog=1024
        )

    async def listen_on(self, runner: web.AppRunner, one: socket.socket) -> asyncio.Server:
        """Serve an application as `listen` does, on a socket that is bound."""
        server = runner.server
        if server is None:
            raise AssertionError("the runner was not set up")
        return await self._loop.create_server(
            lambda: _Visitor(self, server()), sock=one, backlog=1024
        )

    def see_out(self) -> None:
        """Let every answer be the last one of its connection, so that load balancers let go."""
        self._seeing_out = True

    def close(self) -> None:
        """Watch nobody any longer."""
        if self._alarm is not None:
            self._alarm.cancel()

    def middleware(self) -> Middleware:
        """Give the middleware by which the door knows whose request has arrived."""

        @web.middleware
        async def arrived(request: web.Request, handler: Handler) -> web.StreamResponse:
            visitor = self._inside.get(request.protocol)
            if visitor is None:
                return await handler(request)
            self._sending.pop(visitor, None)
            self._idle.pop(visitor, None)
            timer = None
            if not request.content.is_eof():
                timer = self._loop.call_later(self._patience_s, self._unread, visitor, request)
            try:
                response = await handler(request)
                if self._seeing_out:
                    response.force_close()
                return response
            finally:
                if timer is not None:
                    timer.cancel()
                if request.protocol in self._inside:
                    self._idle[visitor] = None

        return arrived

    def enter(self, visitor: _Visitor) -> bool:
        """Take a new connection in, in place of another one if need be; False = there is no place."""
        if len(self._inside) >= self._most:
            oldest = next(iter(self._sending or self._idle), None)
            if oldest is None:
                self._cut(visitor, "refused")
                return False
            self._cut(oldest, "displaced")
        self._inside[visitor.handler] = visitor
        self._expect(visitor)
        return True

    def hear(self, visitor: _Visitor) -> None:
        """Take note that a connection sends something."""
        if visitor in self._idle:
            del self._idle[visitor]
            self._expect(visitor)

    def leave(self, visitor: _Visitor) -> None:
        """Forget a connection that was closed."""
        self._inside.pop(visitor.handler, None)
        self._sending.pop(visitor, None)
        self._idle.pop(visitor, None)

    def _expect(self, visitor: _Visitor) -> None:
        now = self._loop.time()
        self._sending[visitor] = now
        if self._alarm is None:
            self._alarm = self._loop.call_at(now + self._patience_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        for visitor, since in list(self._sending.items()):
            due = since + self._patience_s
            if due > self._loop.time():
                self._alarm = self._loop.call_at(due, self._ring)
                return
            self._cut(visitor, "slow")

    def _unread(self, visitor: _Visitor, request: web.Request) -> None:
        if not request.content.is_eof():
            self._cut(visitor, "slow")

    def _cut(self, visitor: _Visitor, why: Why) -> None:
        self.leave(visitor)
        visitor.transport.abort()
        self.cut_off[why] += 1
        now = self._loop.time()
        if self._told_at is None or now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            log.warning("door.cut_off", why=why, so_far=dict(self.cut_off), open=len(self))


class _Visitor(asyncio.Protocol):
    """One connection: passes on to aiohttp's handler what the transport tells."""

    __slots__ = ("_door", "_is_in", "handler", "transport")

    transport: asyncio.Transport

    def __init__(self, door: Door, handler: web.RequestHandler) -> None:
        self._door = door
        self._is_in = False
        self.handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's are no asyncio.Transport
        self._is_in = self._door.enter(self)
        if self._is_in:
            self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_in:
            self._door.hear(self)
            self.handler.data_received(data)

    def eof_received(self) -> None:
        if self._is_in:
            self.handler.eof_received()

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.leave(self)
        if self._is_in:
            self.handler.connection_lost(exc)


__all__ = ["PATIENCE_S", "Door", "Why", "most_connections"]
