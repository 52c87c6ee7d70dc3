"""The place of a worker: it listens and stops as its supervisor says.

Without the supervisor it stops as on SIGTERM: nobody would pass on what operators want, or a signal.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from bridge.place import Listening, Place
from bridge.tasks import spawn
from bridge.workers.line import Message, Word, receive, send

if TYPE_CHECKING:
    from bridge.door import Door
    from bridge.settings import Settings

log = structlog.get_logger()

#: The header in which the supervisor names who asks.
PEER: Final = "X-RT-Bridge-Peer"


@web.middleware
async def who_asks(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let handlers see who asked the supervisor."""
    return await handler(request.clone(remote=request.headers.get(PEER, "")))


class Seat(Place):
    """The seat of the worker with that number, at its end of the line."""

    admin_middlewares = (who_asks,)

    def __init__(self, settings: Settings, number: int, line: socket.socket) -> None:
        super().__init__(settings)
        self._number = number
        self._line = line
        line.settimeout(0.0)
        self._heard: asyncio.Queue[Message | None] = asyncio.Queue()
        self._listening: dict[int, list[asyncio.Server]] = {}
        self._closed = False
        self._operators: web.Server | None = None
        self._stop: Callable[[], object] | None = None
        self._orphaned = False

    async def open(self, door: Door, runner: web.AppRunner) -> Listening:
        """Listen where the supervisor says. Raises OSError, also when it is gone."""
        asyncio.get_running_loop().add_reader(self._line, self._hear)
        # The first message is the one that brings the sockets.
        first = await self._heard.get()
        if first is None:
            raise OSError("the supervisor is gone")
        await self._listen(door, runner, first)
        spawn(self._obey(door, runner), "supervisor's line", daemon=True)
        self.port = self.settings.listen.port
        return self

    async def open_admin(self, runner: web.AppRunner) -> None:
        """Let those in whom the supervisor sends; there is no address."""
        self._operators = runner.server
        self.admin_port = self.settings.admin_listen.port

    def when_told_to_stop(self, told: Callable[[], object]) -> None:
        """Have something done as on any other place, and at once when the supervisor is gone."""

        def hear() -> None:
            # From now on the end of the supervisor says nothing new.
            self._stop = None
            told()

        self._stop = hear
        super().when_told_to_stop(hear)
        if self._orphaned:
            hear()

    def serves(self) -> None:
        """Tell the supervisor."""
        send(self._line, Message(Word.SERVES))

    def close(self) -> None:
        """Let no more connections in; those that wait are somebody else's."""
        self._closed = True
        for slot in list(self._listening):
            self._yield(slot)
        send(self._line, Message(Word.CLOSES))

    def _hear(self) -> None:
        with suppress(BlockingIOError, InterruptedError):
            message = receive(self._line)
            self._heard.put_nowait(message)
            if message is None:
                asyncio.get_running_loop().remove_reader(self._line)

    async def _obey(self, door: Door, runner: web.AppRunner) -> None:
        while (message := await self._heard.get()) is not None:
            match message.word:
                case Word.LISTEN:
                    await self._listen(door, runner, message)
                case Word.YIELD:
                    self._yield(message.slot)
                case Word.OPERATOR:
                    for one in message.sockets:
                        spawn(self._admit(one), "operator")
                case _:
                    log.error("worker.misheard", word=message.word)
        log.warning("worker.orphaned", why="the supervisor is gone: this worker stops as well")
        self._orphaned = True
        if self._stop is not None:
            self._stop()

    async def _listen(self, door: Door, runner: web.AppRunner, message: Message) -> None:
        if self._closed or message.slot in self._listening:
            for one in message.sockets:
                one.close()
            return
        servers = [await door.listen_on(runner, one) for one in message.sockets]
        self._listening[message.slot] = servers
        if message.slot != self._number:
            log.info("worker.helps", slot=message.slot)

    def _yield(self, slot: int) -> None:
        for server in self._listening.pop(slot, ()):
            server.close()

    async def _admit(self, one: socket.socket) -> None:
        if self._operators is None:
            one.close()
            return
        await asyncio.get_running_loop().connect_accepted_socket(self._operators, one)


__all__ = ["PEER", "Seat", "who_asks"]
