"""A TCP proxy that can be told to misbehave, and to speak TLS with its clients."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import which

import pytest

needs_openssl = pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")


#: Turns of the event loop between a connection that is accepted and its first line served.
_TURNS = 10


class Proxy:
    """Passes bytes on between its clients and a server on this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        #: How often bytes came from a client.
        self.reads = 0
        #: How many bytes came from clients.
        self.bytes = 0
        #: Answers of the server are thrown away, and the connection is cut after the first one.
        self.swallow = False
        #: Connections are refused, or rather cut at once.
        self.closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._serving += 1
        try:
            if self.closed:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up(reader, back))
                both.create_task(self._down(there, writer))
        except* (OSError, EOFError):
            pass
        finally:
            self._serving -= 1
            self.cut()

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            self.reads += 1
            self.bytes += len(data)
            back.write(data)
        raise EOFError

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(1 << 20):
            if self.swallow:
                self.swallow = False
                raise EOFError
            writer.write(data)
        raise EOFError

    async def end(self) -> None:
        """Cut every connection, and those that have just come; nothing of them is left."""
        self.closed = True
        for _ in range(_TURNS):
            # Who was accepted in this moment is served in one of the next turns of the loop.
            await asyncio.sleep(0)
        while self._serving:
            self.cut()
            await asyncio.sleep(0.001)
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            with suppress(RuntimeError):
                writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def proxy(target: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a port."""
    made = Proxy(target)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        # asyncio leaves a transport open that was accepted in the very turn its server is closed in.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await made.end()
        server.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate of this machine; gives what serves it, and the file that proves it."""
    key, chain = folder / "key.pem", folder / "chain.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", *words.split(), "-addext", names, "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context, chain
