"""Apps on real sockets for tests of the transports, and both transports on each event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from bridge.rt.plain import PlainTransport
from bridge.rt_client import AiohttpTransport, AppFailure, RtApp
from mappings._rt.reader import RtResponse
from mappings._rt.request import RtRequest, write_request

Transport = AiohttpTransport | PlainTransport
Kind = type[AiohttpTransport] | type[PlainTransport]

KINDS: Final[tuple[Kind, ...]] = (AiohttpTransport, PlainTransport)

BODY = write_request(
    RtRequest(
        app="4346423A",
        callid=7,
        request_hash=None,
        cli_name="Zoë",
        cli_number="+33123456789",
        date_started="2012-01-09 17:27:55",
        number="+33612345678",
    )
)
PLAY = b'{"command":"play","command_id":"welcome","params":{"media_id":"3"},"variables":{"a":1.10}}'
READ = RtResponse("play", '"welcome"', {"media_id": "3"}, '{"a":1.10}')

Answer = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write an HTTP response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes) -> bytes:
    """Write a complete chunked HTTP response."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


async def stall(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing until the client goes away."""
    await reader.read()


class WireApp:
    """An app on a real socket: gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.all_gone = asyncio.Event()
        self.asked = asyncio.Event()
        self.url = ""

    @property
    def rt(self) -> RtApp:
        """The app as the transport is told of it."""
        return RtApp("DEFAULT", self.url)

    @asynccontextmanager
    async def serving(self, sock: socket.socket | None = None) -> AsyncIterator[WireApp]:
        """Listen on a free port or a bound socket; at the end drop the connections still kept."""
        sock = sock or bound()
        self.url = url_of(sock)
        server = await asyncio.start_server(self._connected, sock=sock)
        try:
            yield self
        finally:
            server.close()
            for writer in self.open:
                writer.transport.abort()
            if self.open:
                await self.all_gone.wait()
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self.open.discard(writer)
            if not self.open:
                self.all_gone.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        while keep:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.partition(":")[2])
                for line in head.splitlines()
                if line.startswith("Content-Length:")
            )
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(length))
            self.asked.set()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
                sized = b"Content-Length:" in answer or b"chunked" in answer
                keep = sized and b"Connection: close" not in answer
                if not keep:
                    writer.close()
                    await writer.wait_closed()
            else:
                await answer(reader, writer)
                keep = False


def bound() -> socket.socket:
    """Give a socket bound to a free port of loopback; connections are refused until it listens."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def url_of(sock: socket.socket) -> str:
    """Give the URL of an app on this socket."""
    return f"http://127.0.0.1:{sock.getsockname()[1]}/rt?key=secret"


def cut_off(answer: bytes) -> Answer:
    """Send these bytes and reset the connection."""

    async def run(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return run


async def failure_of(transport: Transport, app: WireApp, budget_s: float = 5.0) -> AppFailure:
    """Ask the app, which must fail."""
    async with app.serving():
        with pytest.raises(AppFailure) as caught:
            await transport.ask(app.rt, BODY, budget_s)
        await transport.close()
        await app.all_gone.wait()
    return caught.value
