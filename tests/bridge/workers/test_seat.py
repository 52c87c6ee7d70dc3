from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web
from support_serve import PATIENCE_S, SERVE

from bridge.door import Door
from bridge.settings import load_settings
from bridge.workers.line import Message, Word, receive, send
from bridge.workers.seat import PEER, Seat

SETTINGS = load_settings(SERVE).settings


class Supervisor:
    """The other end of the line of worker 1, and two slots."""

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair()
        self.seat = Seat(SETTINGS, 1, theirs)
        self._theirs = theirs
        self.slots = {n: [socket.create_server(("127.0.0.1", 0))] for n in (1, 2)}
        self.told = 0
        self.stopped = asyncio.Event()
        self.runners: list[web.AppRunner] = []

    async def seated(self) -> Supervisor:
        """Let the worker take its seat."""
        self.listen(1)
        public = await self._runner(web.Application())
        admin = await self._runner(web.Application(middlewares=self.seat.admin_middlewares))
        async with asyncio.timeout(PATIENCE_S):
            await self.seat.open(Door(10), public)
            await self.seat.open_admin(admin)
        return self

    async def _runner(self, app: web.Application) -> web.AppRunner:
        app.router.add_get("/who", _who)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self.runners.append(runner)
        return runner

    def listen(self, slot: int) -> None:
        """Say so."""
        assert send(self.line, Message(Word.LISTEN, slot, self.slots[slot]))

    def hear(self) -> None:
        """Count how often the worker was told to stop."""
        self.told += 1
        self.stopped.set()

    async def heard(self) -> Message | None:
        """Wait for what the worker says."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(BlockingIOError):
                    self.line.settimeout(0.0)
                    return receive(self.line)
                await asyncio.sleep(0.005)

    async def orphaned(self) -> None:
        """Go away, and wait until the worker knows."""
        self.line.close()
        async with asyncio.timeout(PATIENCE_S):
            while not self.seat._orphaned:  # noqa: ASYNC110 - it tells nobody but its log
                await asyncio.sleep(0.005)

    async def get(self, slot: int) -> bytes:
        """Ask at a slot who asks."""
        host, port = self.slots[slot][0].getsockname()
        return await self._ask(*await asyncio.open_connection(host, port))

    async def operate(self) -> bytes:
        """Ask on a connection of an operator."""
        ours, theirs = socket.socketpair()
        assert send(self.line, Message(Word.OPERATOR, 0, [theirs]))
        theirs.close()
        return await self._ask(*await asyncio.open_unix_connection(sock=ours))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        head = f"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{PEER}: 192.0.2.7\r\n\r\n"
        writer.write(head.encode())
        try:
            async with asyncio.timeout(PATIENCE_S):
                return (await reader.read()).rpartition(b"\r\n\r\n")[2]
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def close(self) -> None:
        """End it all."""
        self.seat.close()
        asyncio.get_running_loop().remove_reader(self._theirs)
        self.line.close()
        self._theirs.close()
        for runner in self.runners:
            await runner.cleanup()
        for slot in self.slots.values():
            slot[0].close()


async def _who(request: web.Request) -> web.Response:
    return web.Response(text=request.remote)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    """Give the other end of the line."""
    one = Supervisor()
    yield one
    await one.close()


async def test_worker_listens_where_it_is_told(supervisor: Supervisor) -> None:
    """It lets in by its own sockets, names the address of all, and says when it serves."""
    world = await supervisor.seated()
    world.seat.serves()

    assert b"127.0.0.1" == await world.get(1)
    assert (SETTINGS.listen.port, SETTINGS.admin_listen.port) == (
        world.seat.port,
        world.seat.admin_port,
    )
    assert Message(Word.SERVES, 0, []) == await world.heard()


async def test_operators_come_through_the_supervisor(supervisor: Supervisor) -> None:
    """Who asks is whom the supervisor names; on Plivo's address that header means nothing."""
    world = await supervisor.seated()

    assert b"192.0.2.7" == await world.operate()
    assert b"127.0.0.1" == await world.get(1)


async def test_helping(supervisor: Supervisor) -> None:
    """It listens in the place of another until it is told not to; its own place stays open."""
    world = await supervisor.seated()
    world.listen(2)
    assert b"127.0.0.1" == await world.get(2)
    world.listen(2)  # said twice, it counts once
    send(world.line, Message(Word.YIELD, 2))
    send(world.line, Message(Word.YIELD, 2))
    send(world.line, Message(99))
    assert b"192.0.2.7" == await world.operate()  # all that was heard before

    world.slots[2][0].settimeout(0.0)
    with socket.create_connection(world.slots[2][0].getsockname()):
        world.slots[2][0].accept()[0].close()
    assert b"127.0.0.1" == await world.get(1)


async def test_closing(supervisor: Supervisor) -> None:
    """It says that it takes no more, and leaves what waits, and what it is told, to others."""
    world = await supervisor.seated()
    world.seat.close()
    assert Message(Word.CLOSES, 0, []) == await world.heard()
    world.listen(2)
    assert b"192.0.2.7" == await world.operate()

    assert {} == world.seat._listening
    for slot in (1, 2):
        listener = world.slots[slot][0]
        listener.settimeout(0.0)
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()


async def test_supervisor_is_gone(supervisor: Supervisor) -> None:
    """Then the worker stops as on a signal."""
    world = await supervisor.seated()
    world.seat.when_told_to_stop(world.hear)
    world.line.close()
    async with asyncio.timeout(PATIENCE_S):
        await world.stopped.wait()

    assert 1 == world.told


async def test_supervisor_goes_while_the_worker_starts(supervisor: Supervisor) -> None:
    """A worker that hears of it before it could be told to stop stops as soon as it can be told."""
    world = await supervisor.seated()
    await world.orphaned()
    world.seat.when_told_to_stop(world.hear)

    assert 1 == world.told


async def test_supervisor_goes_after_it_said_stop(supervisor: Supervisor) -> None:
    """Its end is no second signal: the worker goes on stopping in good order."""
    world = await supervisor.seated()
    world.seat.when_told_to_stop(world.hear)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        await world.stopped.wait()
    await world.orphaned()

    assert 1 == world.told


async def test_supervisor_never_was(supervisor: Supervisor) -> None:
    """Without a supervisor from the beginning there is nowhere to listen."""
    supervisor.line.close()
    runner = await supervisor._runner(web.Application())

    with pytest.raises(OSError, match="the supervisor is gone"):
        await supervisor.seat.open(Door(10), runner)


async def test_operator_who_comes_too_early(supervisor: Supervisor) -> None:
    """A connection before there is an admin listener is closed."""
    supervisor.listen(1)
    await supervisor.seat.open(Door(10), await supervisor._runner(web.Application()))

    assert b"" == await supervisor.operate()
