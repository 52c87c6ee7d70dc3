from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.door import Door, most_connections
from bridge.hook import Answer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
#: Nothing takes longer, on the slowest machine, in s.
PATIENCE_S = 20.0
#: So patient is a door that cuts somebody off in a test, in s.
SHORT_S = 0.05


#: How requests go behind the door, see `either_way`.
SHORT = [False]


@pytest.fixture(params=[False, True], ids=["aiohttp", "shortcut"], autouse=True)
def either_way(request: pytest.FixtureRequest) -> None:
    """Let every test see both ways behind the door."""
    SHORT[0] = request.param


class Socket:
    """A client that sends just what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> bytes:
        """Give the body of an answer; b"" when the connection is closed instead."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._reader.readuntil(b"\r\n\r\n")
                return await self._reader.readexactly(2)
            return b""

    async def head(self) -> bytes:
        """Give the head of an answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def asks(self) -> bytes:
        """Send a whole request and give the answer."""
        with suppress(ConnectionError):
            self.writer.write(GET)
        return await self.answer()


@dataclass
class House:
    """A listener behind a door; its handler answers a POST once `open` is set, and a GET at once."""

    door: Door
    port: int
    stack: AsyncExitStack
    open: asyncio.Event
    inside: list[str] = field(default_factory=list)

    async def visit(self, first: bytes = b"") -> Socket:
        """Connect, and send something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.stack.callback(writer.close)
        writer.write(first)
        await writer.drain()
        return Socket(reader, writer)

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not check():  # noqa: ASYNC110 -- nothing tells what happens inside of a socket
                await asyncio.sleep(0.001)


@asynccontextmanager
async def house(most: int = 3, patience_s: float = PATIENCE_S) -> AsyncIterator[House]:
    """Open a listener."""

    def take(method: str, *_: object) -> Coroutine[Any, Any, Answer]:
        return answer(method)

    async def answer(method: str) -> Answer:
        here.inside.append(method)
        if method == "POST":
            await here.open.wait()
        return Answer(b"ok")

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return (await answer(request.method)).response()

    door = Door(most, patience_s=patience_s, take=take if SHORT[0] else None)

    app = web.Application(middlewares=[door.middleware()])
    app.router.add_route("*", "/", handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    server = await door.listen(runner, "127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        here = House(door, server.sockets[0].getsockname()[1], stack, asyncio.Event())
        yield here
    server.close()
    door.close()
    await runner.cleanup()


async def test_requests_pass() -> None:
    """Requests are answered, several on one connection, and a closed connection is forgotten."""
    async with house() as here:
        socket = await here.visit()
        assert [b"ok"] * 3 == [await socket.asks() for _ in range(3)]
        assert 1 == len(here.door)

        socket.writer.close()
        await here.until(lambda: not len(here.door))
        assert {} == dict(here.door.cut_off)


@pytest.mark.parametrize(
    "begun",
    [b"", b"G", GET[:-1], b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 50, POST, POST + b"a=1"],
    ids=["nothing", "one byte", "no end of the head", "many headers", "no body", "half a body"],
)
async def test_slow_request(begun: bytes) -> None:
    """A request that does not arrive in time, head or body, costs its connection."""
    async with house(patience_s=SHORT_S) as here:
        socket = await here.visit(begun)

        assert b"" == await socket.answer()
        assert ({"slow": 1}, 0) == (dict(here.door.cut_off), len(here.door))


async def test_drip() -> None:
    """A byte now and then buys no time: it is the whole request that has to arrive."""
    async with house(patience_s=SHORT_S) as here:
        socket = await here.visit(b"GET / HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while not here.door.cut_off:
                    socket.writer.write(b"X")
                    await socket.writer.drain()
                    await asyncio.sleep(SHORT_S / 10)

        assert b"" == await socket.answer()
        assert {"slow": 1} == dict(here.door.cut_off)


async def test_slow_second_request() -> None:
    """The second request of a connection has as much time as the first, and no more."""
    async with house(patience_s=SHORT_S) as here:
        socket = await here.visit()
        assert b"ok" == await socket.asks()
        socket.writer.write(GET[:10])

        assert b"" == await socket.answer()
        assert {"slow": 1} == dict(here.door.cut_off)


async def test_idle_and_busy_connections_have_time() -> None:
    """Neither a connection without a request nor one that is being answered is ever too slow."""
    async with house(patience_s=SHORT_S) as here:
        idle, busy = await here.visit(), await here.visit(POST + b"0123456789")
        assert b"ok" == await idle.asks()
        await here.until(lambda: "POST" in here.inside)
        slow = await here.visit(b"G")
        # Came after both, and is cut off all the same.
        assert b"" == await slow.answer()

        here.open.set()
        assert (b"ok", b"ok") == (await idle.asks(), await busy.answer())
        assert {"slow": 1} == dict(here.door.cut_off)


async def test_newcomer_displaces_the_slowest() -> None:
    """Where all places are taken, the one that has kept waiting longest makes room for the next."""
    async with house(most=3) as here:
        slow = []
        for number in range(1, 4):
            slow.append(await here.visit(b"GET / HTTP/1.1\r\n"))
            await here.until(lambda number=number: len(here.door) == number)  # type: ignore[misc] # mypy cannot infer a lambda with a default

        assert b"ok" == await (await here.visit()).asks()

        assert b"" == await slow[0].answer()
        slow[2].writer.write(b"Host: x\r\n\r\n")
        assert b"ok" == await slow[2].answer()
        assert ({"displaced": 1}, 3) == (dict(here.door.cut_off), len(here.door))


async def test_requests_under_way_are_never_displaced() -> None:
    """A newcomer is refused where every connection is being answered; those are answered."""
    async with house(most=2) as here:
        busy = [await here.visit(POST + b"0123456789") for _ in range(2)]
        await here.until(lambda: here.inside == ["POST", "POST"])
        with capture_logs() as logs:
            refused = [await (await here.visit()).asks() for _ in range(5)]

        here.open.set()
        assert [b""] * 5 == refused
        assert [b"ok"] * 2 == [await socket.answer() for socket in busy]
        assert {"refused": 5} == dict(here.door.cut_off)
    assert [("door.cut_off", "refused")] == [(line["event"], line["why"]) for line in logs]


async def test_seeing_out() -> None:
    """Before, connections stay open; from then on each answer is the last of its connection."""
    async with house() as here:
        socket = await here.visit()
        assert [b"ok"] * 2 == [await socket.asks() for _ in range(2)]
        here.door.see_out()
        socket.writer.write(GET)
        head = await socket.head()

        assert b"\r\nconnection: close\r\n" in head.lower()
        await here.until(lambda: not len(here.door))
        assert b"ok" == await (await here.visit()).asks()


async def test_requests_being_answered_are_counted() -> None:
    """Neither a connection without a request nor one whose request is on its way counts."""
    async with house() as here:
        await here.visit()
        await here.visit(b"POST / HTTP/1.1\r\nX: ")
        socket = await here.visit(POST + b"0123456789")
        await here.until(lambda: here.door.answering > 0)
        assert (1, 3) == (here.door.answering, len(here.door))
        here.open.set()

        assert b"ok" == await socket.answer()
        assert 0 == here.door.answering


async def test_slow_crowd() -> None:
    """However many connections dawdle, whoever sends whole requests is answered."""
    async with house(most=20) as here:
        for number in range(200):
            await here.visit(b"POST / HTTP/1.1\r\nX: ")
            if number % 20 == 0:
                assert b"ok" == await (await here.visit()).asks()

        assert here.door.cut_off["displaced"] >= 180
        assert 20 >= len(here.door)


async def test_malformed_request() -> None:
    """What is no HTTP gets its refusal, and the connection is forgotten."""
    async with house() as here:
        socket = await here.visit(b"\x16\x03\x01 no HTTP\r\n\r\n")

        assert await socket.answer()
        await here.until(lambda: not len(here.door))


async def test_runner_that_was_not_set_up() -> None:
    """A door opens for a runner that was set up."""
    with pytest.raises(AssertionError, match="not set up"):
        await Door(1).listen(web.AppRunner(web.Application()), "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("wanted", "files", "expected"),
    [(10_000, 1024, 512), (100, 1024, 100), (10_000, resource.RLIM_INFINITY, 10_000), (10, 1, 1)],
)
def test_most_connections(
    monkeypatch: pytest.MonkeyPatch, wanted: int, files: int, expected: int
) -> None:
    """Half of the files the process may open are for what comes in."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))

    assert expected == most_connections(wanted)
