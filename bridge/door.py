"""The door of a listener: so many connections at most, and none that keeps it waiting.

A request has to arrive within `PATIENCE_S`, head and body: whoever sends it byte by byte is cut off.
Where all places are taken, a newcomer gets that of the connection which has kept waiting longest,
and is cut off itself only where every single one is being answered.

Behind it webhooks take a short way, where there is one, and everything else is aiohttp's.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

if TYPE_CHECKING:
    from bridge.hook import Take
    from bridge.shortcut import Shortcut

log = structlog.get_logger()

#: A request that takes longer to arrive (s) is no request of Plivo's.
PATIENCE_S: Final = 10.0
#: A connection without a request is closed after so long (s), as long as aiohttp's own time-out:
#: proxies close it before, so that no request meets a closing one.
IDLE_S: Final = 3630.0
#: aiohttp's own time-out knows nothing of requests on the short way: so long (s) that it is none.
NEVER_S: Final = 1e8
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

    `cut_off` counts those that were not let in, or not to the end. `take` answers webhooks that need
    no aiohttp; the runner it listens for should have a `keepalive_timeout` of NEVER_S.
    """

    def __init__(
        self,
        most: int,
        *,
        patience_s: float = PATIENCE_S,
        idle_s: float = IDLE_S,
        take: Take | None = None,
    ) -> None:
        self._most = most
        self._patience_s = patience_s
        self._idle_s = idle_s
        self._take = take
        self._shortcut = None if take is None else _shortcut_kind()
        self._loop = asyncio.get_running_loop()
        self._inside: set[_Visitor] = set()
        self._handlers: dict[object, _Visitor] = {}
        #: Whose request is expected, who has none, and since when. The oldest come first.
        self._sending: dict[_Visitor, float] = {}
        self._idle: dict[_Visitor, float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        #: What is being answered on the short way.
        self._busy: dict[_Visitor, asyncio.Task[None]] = {}
        self._closed = False
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
            lambda: _Visitor(self, server), host, port, backlog=1024
        )

    async def listen_on(self, runner: web.AppRunner, one: socket.socket) -> asyncio.Server:
        """Serve an application as `listen` does, on a socket that is bound."""
        server = runner.server
        if server is None:
            raise AssertionError("the runner was not set up")
        return await self._loop.create_server(
            lambda: _Visitor(self, server), sock=one, backlog=1024
        )

    def see_out(self) -> None:
        """Let every answer be the last one of its connection, so that load balancers let go."""
        self._seeing_out = True

    def close(self) -> None:
        """Watch nobody any longer, and answer nothing new on the short way."""
        self._closed = True
        for timer in (self._alarm, self._sweep):
            if timer is not None:
                timer.cancel()
        for visitor in tuple(self._inside):
            visitor.dismiss()

    async def finish(self) -> None:
        """Wait until what came the short way is answered; whoever waits no longer cuts it off."""
        try:
            while self._busy:
                await asyncio.wait(self._busy.values())
        except asyncio.CancelledError:
            for task in self._busy.values():
                task.cancel()
            raise

    def middleware(self) -> Middleware:
        """Give the middleware by which the door knows whose request has arrived."""

        @web.middleware
        async def arrived(request: web.Request, handler: Handler) -> web.StreamResponse:
            visitor = self._handlers.get(request.protocol)
            if visitor is None:
                return await handler(request)
            self.arrived(visitor)
            visitor.lent(asyncio.current_task())
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
                self.answered(visitor)

        return arrived

    def enter(self, visitor: _Visitor) -> bool:
        """Take a new connection in, in place of another one if need be; False = there is no place."""
        if len(self._inside) >= self._most:
            oldest = next(iter(self._sending or self._idle), None)
            if oldest is None:
                self._cut(visitor, "refused")
                return False
            self._cut(oldest, "displaced")
        self._inside.add(visitor)
        self._expect(visitor)
        return True

    def shortcut(self, visitor: _Visitor) -> Shortcut | None:
        """Make the short way of a connection, if there is one."""
        if self._take is None or self._shortcut is None:
            return None
        return self._shortcut(visitor, self._take)

    def meet(self, handler: object, visitor: _Visitor) -> None:
        """Take note which of aiohttp's handlers a connection has."""
        self._handlers[handler] = visitor

    def hear(self, visitor: _Visitor) -> None:
        """Take note that a connection sends something."""
        if visitor in self._idle:
            del self._idle[visitor]
            self._expect(visitor)

    def arrived(self, visitor: _Visitor, answering: asyncio.Task[None] | None = None) -> None:
        """Take note that a request is here, and what answers it on the short way."""
        self._sending.pop(visitor, None)
        self._idle.pop(visitor, None)
        if answering is not None:
            self._busy[visitor] = answering

    def answered(self, visitor: _Visitor) -> bool:
        """Take note that it was answered; False = the connection takes no more."""
        self._busy.pop(visitor, None)
        if visitor in self._inside:
            now = self._idle[visitor] = self._loop.time()
            if self._sweep is None:
                self._sweep = self._loop.call_at(now + self._idle_s, self._close_idle)
        return not (self._seeing_out or self._closed)

    def leave(self, visitor: _Visitor) -> None:
        """Forget a connection that was closed."""
        self._inside.discard(visitor)
        self._handlers.pop(visitor.handler, None)
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

    def _close_idle(self) -> None:
        self._sweep = None
        for visitor, since in list(self._idle.items()):
            due = since + self._idle_s
            if due > self._loop.time():
                self._sweep = self._loop.call_at(due, self._close_idle)
                return
            del self._idle[visitor]
            visitor.transport.close()

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
    """One connection: passes on what the transport tells, to the short way or to aiohttp's handler."""

    __slots__ = ("_door", "_is_in", "_server", "_shortcut", "handler", "is_paused", "transport")

    transport: asyncio.Transport

    def __init__(self, door: Door, server: web.Server) -> None:
        self._door = door
        self._server = server
        self._is_in = False
        self._shortcut = door.shortcut(self)
        self.is_paused = False
        #: Made when it is needed.
        self.handler: web.RequestHandler | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's are no asyncio.Transport
        self._is_in = self._door.enter(self)
        if self._is_in and self._shortcut is None:
            self.general()

    def general(self) -> asyncio.Protocol:
        handler = self.handler
        if handler is None:
            handler = self.handler = self._server()
            self._door.meet(handler, self)
            handler.connection_made(self.transport)
            if self.is_paused:
                handler.pause_writing()
        return handler

    def data_received(self, data: bytes) -> None:
        if self._is_in:
            self._door.hear(self)
            (self._shortcut or self.general()).data_received(data)

    def arrived(self, answering: asyncio.Task[None]) -> None:
        self._door.arrived(self, answering)

    def answered(self) -> bool:
        return self._door.answered(self)

    def lent(self, task: asyncio.Task[object] | None) -> None:
        """Take note which task of aiohttp's answers a request: its end is that of the answer."""
        if self._shortcut is not None and task is not None:
            task.add_done_callback(self._returned)

    def _returned(self, _: object) -> None:
        if self._shortcut is not None:
            self._shortcut.returned()

    def dismiss(self) -> None:
        """Close the connection unless a request is in it; the rest is up to aiohttp."""
        if self._shortcut is not None and self._shortcut.is_waiting:
            self.transport.close()

    def eof_received(self) -> None:
        if self.handler is not None:
            self.handler.eof_received()

    def pause_writing(self) -> None:
        self.is_paused = True
        if self.handler is not None:
            self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.is_paused = False
        if self.handler is not None:
            self.handler.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.leave(self)
        if self.handler is not None:
            self.handler.connection_lost(exc)
        if self._shortcut is not None:
            self._shortcut.close()


def _shortcut_kind() -> type[Shortcut] | None:
    try:
        from bridge.shortcut import Shortcut  # noqa: PLC0415 - httptools may be missing
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "httptools":
            raise
        return None
    return Shortcut


__all__ = ["IDLE_S", "NEVER_S", "PATIENCE_S", "Door", "Why", "most_connections"]
