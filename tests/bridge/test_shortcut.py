"""Whether a webhook takes the short way or aiohttp's makes no difference to anybody but the clock.

Every test of `way` runs over both; the last ones look at what only the short way does.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest
import uvloop
from aiohttp import web

from bridge.door import NEVER_S, Door
from bridge.hook import Answer
from bridge.tasks import spawn

WAYS = ("shortcut", "aiohttp")
#: Nothing takes longer, on the slowest machine, in s.
PATIENCE_S = 20.0
LARGEST = 60_000
HOOK = "/hook/A/answer"
#: What is told of the sound request behind a damaged one.
END = b'["GET", "/hook/A/end", "", ""]'
POST = b"POST /hook/A/answer HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1"


class Socket:
    """A client that sends just what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        """Give status line, headers and body of an answer; the line is "" when there is none."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await self._reader.readuntil(b"\r\n\r\n")
                line, *rest = head.decode().split("\r\n")[:-2]
                headers = {k.lower(): v for k, _, v in (one.partition(": ") for one in rest)}
                length = int(headers.get("content-length", "0"))
                return line, headers, await self._reader.readexactly(length)
            return "", {}, b""

    async def asks(self, request: bytes) -> tuple[str, dict[str, str], bytes]:
        """Send something and give what is answered."""
        with suppress(ConnectionError):
            self.writer.write(request)
        return await self.answer()

    async def refusal(self, request: bytes) -> str:
        """Send something and give the status line alone: that of HEAD has nothing behind it."""
        self.writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return (await self._reader.readline()).decode()


class House:
    """A listener whose webhooks tell what they were given; those about "wait" wait for `open`."""

    def __init__(self, way: str, stack: AsyncExitStack, **door: Any) -> None:
        self.short = 0
        self.taken = 0
        self.open = asyncio.Event()
        self.stack = stack
        self.port = 0
        self.door = Door(50, take=self._take if way == "shortcut" else None, **door)

    def _take(
        self, method: str, target: str, signatures: Sequence[str], _: str, body: bytes
    ) -> Any:
        if not re.fullmatch(r"/hook/[\w.~-]+/[\w/]+", target.partition("?")[0], re.ASCII):
            return None
        self.short += 1
        return self._told(method, target, "".join(signatures[:1]), body)

    async def _told(self, method: str, target: str, signature: str, body: bytes) -> Answer:
        self.taken += 1
        if "wait" in target:
            await self.open.wait()
        if "large" in target:
            return Answer(b"x" * 90_000)
        told = [method, target, signature, body.decode("latin-1")]
        return Answer(json.dumps(told).encode(), headers={"X-Told": "yes"})

    async def _general(self, request: web.Request) -> web.Response:
        signature = request.headers.get("X-Plivo-Signature-V3", "")
        body = await request.read() if request.can_read_body else b""
        told = await self._told(request.method, request.raw_path, signature, body)
        return told.response()

    async def begin(self) -> web.AppRunner:
        """Begin to listen."""
        app = web.Application(middlewares=[self.door.middleware()], client_max_size=LARGEST)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/hook/{app}/{what:[\\w/]+}", self._general)
        app.router.add_get("/media", self._media)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=NEVER_S, shutdown_timeout=0.1
        )
        await runner.setup()
        server = await self.door.listen(runner, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.stack.push_async_callback(runner.cleanup)
        self.stack.callback(self.door.close)
        self.stack.callback(server.close)
        return runner

    async def _media(self, _: web.Request) -> web.Response:
        return web.Response(text="media")

    async def visit(self) -> Socket:
        """Connect."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.stack.callback(writer.close)
        return Socket(reader, writer)

    async def until(self, check: Any) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not check():  # noqa: ASYNC110 -- nothing tells what happens inside of a socket
                await asyncio.sleep(0.001)


@asynccontextmanager
async def house(way: str, **door: Any) -> AsyncIterator[House]:
    """Open a listener."""
    async with AsyncExitStack() as stack:
        here = House(way, stack, **door)
        await here.begin()
        yield here


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Choose how webhooks go."""
    chosen: str = request.param
    return chosen


def post(body: bytes = b"a=1", *headers: bytes, target: bytes = HOOK.encode()) -> bytes:
    """Write a request whose length is stated."""
    lines = [b"POST " + target + b" HTTP/1.1", b"Host: x", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def chunked(*chunks: bytes) -> bytes:
    """Write a request in chunks."""
    head = b"POST /hook/A/answer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        pytest.param(post(), ["POST", HOOK, "", "a=1"], id="plain"),
        pytest.param(post(b""), ["POST", HOOK, "", ""], id="no body"),
        pytest.param(
            b"POST /hook/A/answer HTTP/1.1\r\nHost: x\r\n\r\n",
            ["POST", HOOK, "", ""],
            id="no length",
        ),
        pytest.param(
            b"GET /hook/A/answer?a=%20&b HTTP/1.1\r\nHost: x\r\n\r\n",
            ["GET", HOOK + "?a=%20&b", "", ""],
            id="GET",
        ),
        pytest.param(post(b"\x00\xff\r\n\r\n"), ["POST", HOOK, "", "\x00\xff\r\n\r\n"], id="bytes"),
        pytest.param(post(b"x" * 50_000), ["POST", HOOK, "", "x" * 50_000], id="long"),
        pytest.param(
            post(b"a=1", b"x-plivo-SIGNATURE-v3:  abc= \t"),
            ["POST", HOOK, "abc=", "a=1"],
            id="any case, white space around",
        ),
        pytest.param(
            post(b"a=1", "X-Plivo-Signature-V3: é".encode()), ["POST", HOOK, "é", "a=1"], id="UTF-8"
        ),
        pytest.param(
            post(b"a=1", b"X-Plivo-Signature-V3: \xff"),
            ["POST", HOOK, "\udcff", "a=1"],
            id="no UTF-8",
        ),
        pytest.param(
            post(b"a=1", b"X-Plivo-Signature-V3: one", b"X-Plivo-Signature-V3: two"),
            ["POST", HOOK, "one", "a=1"],
            id="signed twice",
        ),
        pytest.param(
            post(target=b"/hook/A%20B/answer"),
            ["POST", "/hook/A%20B/answer", "", "a=1"],
            id="escapes",
        ),
        pytest.param(
            post(target=b"/hook/A/answer?x=1#y"),
            ["POST", "/hook/A/answer?x=1#y", "", "a=1"],
            id="fragment",
        ),
        pytest.param(chunked(b"a=", b"1"), ["POST", HOOK, "", "a=1"], id="chunked"),
        pytest.param(
            post(gzip.compress(b"a=1"), b"Content-Encoding: gzip"),
            ["POST", HOOK, "", "a=1"],
            id="compressed",
        ),
        pytest.param(b"\r\n" + post(), ["POST", HOOK, "", "a=1"], id="empty line before"),
        pytest.param(
            post(b"a=1", b"Upgrade: h2c", b"Connection: Upgrade"),
            ["POST", HOOK, "", "a=1"],
            id="offer of HTTP/2",
        ),
        pytest.param(post(b"a=1", b"Trailer: X"), ["POST", HOOK, "", "a=1"], id="trailer"),
    ],
)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
async def test_request_is_understood(
    way: str, request_: bytes, told: list[str], pieces: str
) -> None:
    """Handlers are given the same, however the request was written and arrived; twice over."""
    async with house(way) as here:
        socket = await here.visit()
        rounds = 1 if b"Upgrade" in request_ else 2
        for _ in range(rounds):
            if pieces == "bytes" and len(request_) < 1000:
                for at in range(len(request_)):
                    socket.writer.write(request_[at : at + 1])
                    await asyncio.sleep(0)
                line, headers, body = await socket.answer()
            else:
                line, headers, body = await socket.asks(request_)
            assert ("HTTP/1.1 200 OK", told) == (line, json.loads(body))
            assert ("application/xml", "yes") == (headers["content-type"], headers["x-told"])
            assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post().replace(b"Length: 3", b"Length: 3\r\nTransfer-Encoding: chunked"), 400),
        (post().replace(b"Length: 3", b"Length: 3\r\nContent-Length: 3"), 400),
        (post().replace(b"Length: 3", b"Length: 3\r\nContent-Length: 4"), 400),
        (post().replace(b"Length: 3", b"Length: +3"), 400),
        (post().replace(b"Length: 3", b"Length: 3, 3"), 400),
        (post().replace(b"Length: 3", b"Length : 3"), 400),
        (post().replace(b"Host: x", b"Host: x\r\nHost: y"), 400),
        (post().replace(b"Host: x\r\n", b""), 400),
        (post().replace(b"HTTP/1.1", b"HTTP/9.9"), 400),
        (post().replace(b"\r\n", b"\n"), 400),
        (post(b"a=1", b"X: a\x00b"), 400),
        (post(b"a=1", b"X: a\r\n folded"), 400),
        (post(b"a=1", b"X Y: a"), 400),
        (post(b"a=1", b"X: " + b"a" * 9000), 400),
        (post(b"a=1", *(b"X%d: a" % number for number in range(200))), 400),
        (post(target=b"/hook/A/answer?" + b"a" * 9000), 400),
        (post(b"a" * (LARGEST + 1)), 413),
        (post(target=b"/hook/A/answer;none"), 404),
        (post().replace(b"POST", b"PUT"), 405),
        (post().replace(b"POST", b"HEAD"), 405),
        (b"\x16\x03\x01 no HTTP\r\n\r\n", 400),
        (chunked(b"a=1").replace(b"3\r\n", b"zz\r\n"), 400),
    ],
)
async def test_request_is_refused(way: str, request_: bytes, status: int) -> None:
    """What is no sound HTTP, or no webhook, gets the same refusal, and no handler hears of it."""
    async with house(way) as here:
        line = await (await here.visit()).refusal(request_)

        assert str(status) == line.split(" ")[1]
        assert 0 == here.taken or status in {400, 413}


async def test_first_answer_before_the_body(way: str) -> None:
    """A client that expects a leave to send the body gets it."""
    async with house(way) as here:
        socket = await here.visit()
        head, _, body = post(b"a=1", b"Expect: 100-continue").partition(b"a=1")
        assert "HTTP/1.1 100 Continue" == (await socket.asks(head))[0]

        assert "HTTP/1.1 200 OK" == (await socket.asks(b"a=1" + body))[0]


@pytest.mark.parametrize(
    ("request_", "closes"),
    [
        (post(), False),
        (post(b"a=1", b"Connection: keep-alive"), False),
        (post(b"a=1", b"Connection: close"), True),
        (post(b"a=1", b"Connection: x, Close"), True),
        (post().replace(b"HTTP/1.1", b"HTTP/1.0"), True),
    ],
)
async def test_connection_is_kept_as_long_as_wanted(
    way: str, request_: bytes, closes: bool
) -> None:
    """The connection is closed after the answer where the client said so, and only there."""
    async with house(way) as here:
        socket = await here.visit()
        assert "200 OK" == (await socket.asks(request_))[0][9:]

        assert ("" if closes else "HTTP/1.1 200 OK") == (await socket.asks(post()))[0]


@pytest.mark.parametrize("cut", [None, 10, len(POST), len(POST) + 1, 2 * len(POST) - 1])
async def test_pipelined_requests_are_answered_in_order(way: str, cut: int | None) -> None:
    """Requests sent without waiting for answers are answered one after the other, however cut."""
    async with house(way) as here:
        socket = await here.visit()
        sent = b"".join(
            post(b"a=%d" % number, target=b"/hook/A/wait" if number == 0 else HOOK.encode())
            for number in range(5)
        )
        socket.writer.write(sent[:cut])
        await here.until(lambda: here.taken or cut == 10)
        if cut is not None:
            socket.writer.write(sent[cut:])
        await here.until(lambda: here.taken)
        here.open.set()
        answers = [json.loads((await socket.answer())[2]) for _ in range(5)]

    assert [f"a={number}" for number in range(5)] == [told[3] for told in answers]


async def test_client_that_reads_nothing(way: str) -> None:
    """Answers that nobody reads do not pile up: no more requests are taken."""
    async with house(way) as here:
        socket = await here.visit()
        socket.writer.transport.pause_reading()  # type: ignore[attr-defined] # StreamWriter's transport is a full one
        request = post(target=b"/hook/A/large")
        for _ in range(300):
            before = here.taken
            socket.writer.write(request)
            for _ in range(50):
                await asyncio.sleep(0)
                if here.taken > before:
                    break

        # The kernel buffers some megabytes of the 27.
        assert here.taken < 290


async def test_other_requests_between(way: str) -> None:
    """A connection that fetched something else is good for webhooks afterwards."""
    async with house(way) as here:
        socket = await here.visit()
        for _ in range(3):
            assert b"media" == (await socket.asks(b"GET /media HTTP/1.1\r\nHost: x\r\n\r\n"))[2]
            assert "HTTP/1.1 200 OK" == (await socket.asks(post()))[0]

        assert (3 if way == "shortcut" else 0) == here.short


async def test_connection_breaks_while_it_is_answered(way: str) -> None:
    """A webhook whose client is gone is handled to its end, and the next client is served."""
    async with house(way) as here:
        gone = await here.visit()
        gone.writer.write(post(target=b"/hook/A/wait"))
        await here.until(lambda: here.taken)
        gone.writer.transport.abort()
        await here.until(lambda: not len(here.door))
        here.open.set()

        assert "HTTP/1.1 200 OK" == (await (await here.visit()).asks(post()))[0]


async def test_last_answers(way: str) -> None:
    """Whoever is seen out is told so with his answer."""
    async with house(way) as here:
        socket = await here.visit()
        here.door.see_out()
        line, headers, _ = await socket.asks(post())

        assert ("HTTP/1.1 200 OK", "close") == (line, headers["connection"])
        assert "" == (await socket.answer())[0]


async def test_idle_connection_is_closed_in_the_end() -> None:
    """A connection without a request is closed at last, however it was used, and a busy one never."""
    async with house("shortcut", idle_s=0.05) as here:
        idle, busy = await here.visit(), await here.visit()
        busy.writer.write(post(target=b"/hook/A/wait"))
        await here.until(lambda: here.taken)
        assert "HTTP/1.1 200 OK" == (await idle.asks(post()))[0]

        assert "" == (await idle.answer())[0]
        here.open.set()
        assert "HTTP/1.1 200 OK" == (await busy.answer())[0]
        await here.until(lambda: not len(here.door))
        assert {} == dict(here.door.cut_off)


async def test_closing_time() -> None:
    """A door that closes lets go of those without a request and waits for the others' answers."""
    async with house("shortcut") as here:
        idle, busy = await here.visit(), await here.visit()
        assert "HTTP/1.1 200 OK" == (await idle.asks(post()))[0]
        busy.writer.write(post(target=b"/hook/A/wait"))
        await here.until(lambda: here.taken == 2)
        here.door.close()
        closing = spawn(here.door.finish(), "closing")
        assert "" == (await idle.answer())[0]
        assert not closing.done()

        here.open.set()
        line, headers, _ = await busy.answer()
        await closing
        assert ("HTTP/1.1 200 OK", "close") == (line, headers["connection"])


async def test_closing_time_is_over() -> None:
    """Whoever waits for the last answers no longer cuts them off."""
    async with house("shortcut") as here:
        busy = await here.visit()
        busy.writer.write(post(target=b"/hook/A/wait"))
        await here.until(lambda: here.taken)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await here.door.finish()

        assert "" == (await busy.answer())[0]


async def test_most_webhooks_take_it() -> None:
    """A plain webhook takes the short way, also in pieces; aiohttp is not even woken."""
    async with house("shortcut") as here:
        socket = await here.visit()
        await socket.asks(post())
        socket.writer.write(POST[:50])
        await here.until(lambda: len(here.door))
        await socket.asks(POST[50:])

        assert (2, {}) == (here.short, here.door._handlers)


@pytest.mark.parametrize(
    "begun",
    [
        b"Transfer-Encoding: chunked\r\n\r\n1",
        b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 50000\r\n\r\n" + b"a" * 40_000,
    ],
    ids=["chunks", "expects", "long"],
)
async def test_unusual_requests_are_left_to_aiohttp_before_they_are_whole(begun: bytes) -> None:
    """What can only be aiohttp's is handed over at once, and not gathered byte by byte."""
    async with house("shortcut") as here:
        (await here.visit()).writer.write(b"POST /hook/A/answer HTTP/1.1\r\nHost: x\r\n" + begun)

        await here.until(lambda: here.door._handlers)


async def test_too_many_headers_are_refused_before_they_are_whole(way: str) -> None:
    """Headers are not gathered without end: aiohttp refuses one too many as soon as it is there."""
    headers = b"".join([b"X%d: 1\r\n" % number for number in range(140)])
    async with house(way) as here:
        socket = await here.visit()

        line = await socket.refusal(b"POST /hook/A/answer HTTP/1.1\r\nHost: x\r\n" + headers)
        assert "400" == line.split(" ")[1]


async def test_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where httptools is missing everything goes through aiohttp."""
    monkeypatch.setitem(__import__("sys").modules, "httptools", None)
    monkeypatch.delitem(__import__("sys").modules, "bridge.shortcut")
    async with house("shortcut") as here:
        line, _, _ = await (await here.visit()).asks(post())

        assert ("HTTP/1.1 200 OK", 0, 1) == (line, here.short, here.taken)


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_requests(seed: int) -> None:
    """A request with a few bytes wrong is refused by both ways or by none, and told alike.

    Where it is refused aiohttp may have handled what came before, depending on how bytes arrive.
    """
    rng = Random(seed)
    async with house("shortcut") as short, house("aiohttp") as general:
        for _ in range(60):
            request = _damaged(rng, post(b"a=1&b=%20", b"Connection: Keep-Alive", b"X: y"))
            ours, theirs = [await _answers(here, request) for here in (short, general)]
            refused = [not answers or END not in answers[-1][1] for answers in (ours, theirs)]
            assert refused[0] == refused[1], request
            told = [answer for answer in ours if answer[0] != b"400"]
            assert told == theirs[: len(told)], request
            assert refused[0] or ours == theirs, request

        assert 5 < short.short <= short.taken


def _damaged(rng: Random, request: bytes) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(request))
        odd = rng.choice((*b"\r\n\t :,;/%?#0129aG\x00\xff", *b"\r\n"))
        cut = at + rng.choice((0, 1, 1, 20))
        request = request[:at] + bytes([odd] * rng.choice((0, 1, 1, 2))) + request[cut:]
    return request


async def _answers(here: House, request: bytes) -> list[tuple[bytes, bytes]]:
    """Give status and body of all that is answered to a request and to a sound one behind it."""
    end = b"GET /hook/A/end HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    got = b""
    with suppress(ConnectionError):
        writer.write(request)
        await asyncio.sleep(0.001)
        # A length that is wrong swallows some of them.
        writer.write(end * 50)
        async with asyncio.timeout(PATIENCE_S):
            while END not in got and (more := await reader.read(65536)):
                got += more
    writer.close()
    answers: list[tuple[bytes, bytes]] = []
    while got and (not answers or END not in answers[-1][1]):
        head, _, got = got.partition(b"\r\n\r\n")
        found = re.search(rb"Content-Length: (\d+)", head)
        length = int(found[1]) if found else 0
        answers.append((head[9:12], got[:length]))
        got = got[length:]
    return answers


def test_uvloop() -> None:
    """It is the same on the loop that the bridge serves with."""

    async def serve() -> None:
        await test_other_requests_between("shortcut")
        await test_client_that_reads_nothing("shortcut")
        await test_connection_breaks_while_it_is_answered("shortcut")
        await test_pipelined_requests_are_answered_in_order("shortcut", len(POST))
        await test_closing_time()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
