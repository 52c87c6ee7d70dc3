"""The RT app under every two-hop server: one fixed `read` command, as cheaply as Python allows.

`python -m benchmarks.stub <port> app` is the app; `… xml` answers the fixed Plivo document
instead and so shows what the load generator itself can do. A GET tells how many POSTs there were,
so that a benchmark can prove that every turn really asked the app.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final, cast

from benchmarks.documents import PLIVO_XML, RT_REPLY
from benchmarks.loops import new_loop
from benchmarks.wire import message_bounds, reply

__all__ = ["REPLIES", "Stub", "serve"]

REPLIES: Final = {
    "app": reply(RT_REPLY, "application/json"),
    "xml": reply(PLIVO_XML, "application/xml"),
}


class Stub:
    """A server that answers every POST with the same bytes and counts them.

    `told` is what it answers a GET: how many there were.
    """

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.posts = 0

    @property
    def told(self) -> int:
        """Give what whoever measures wants to know."""
        return self.posts

    def reply_to(self, body: bytes) -> bytes:  # noqa: ARG002 - other apps look at it
        """Answer one POST."""
        return self.answer

    def connection(self) -> asyncio.Protocol:
        """Make the protocol of one connection."""
        return _Connection(self)


class _Connection(asyncio.Protocol):
    __slots__ = ("_buffer", "_stub", "_transport")

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        while (bounds := message_bounds(data)) is not None and bounds[1] <= len(data):
            if data.startswith(b"GET "):
                self._transport.write(reply(b"%d" % self._stub.told, "text/plain"))
            else:
                self._stub.posts += 1
                self._transport.write(self._stub.reply_to(data[bounds[0] : bounds[1]]))
            data = data[bounds[1] :]
        self._buffer = data


def serve(port: int, stub: Stub) -> None:
    """Serve on loopback until the process is ended."""
    loop = new_loop()
    server = loop.create_server(stub.connection, "127.0.0.1", port)
    loop.run_until_complete(server)
    loop.run_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Stub(REPLIES[sys.argv[2]]))
