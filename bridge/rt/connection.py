"""One connection to an app: a question, its reply, and whether another question may follow.

Written for few function calls per reply; `bridge.rt.plain` owns the connections.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bridge.rt import failures
from bridge.rt.failures import AppFailure
from bridge.rt.port import OK
from bridge.rt.request import Target
from bridge.rt.unpacking import NotUnpackedError, longest_packed, unpack

__all__ = ["Connection", "Owner"]

if not hasattr(HttpResponseParser, "set_dangerous_leniencies"):
    raise ImportError("httptools 0.6.2 or later is needed", name="httptools")

# What a server may send without any body between: status line, headers, interim replies, trailers.
_LONGEST_FRAMING: Final = 65_536
_FIRST_FINAL: Final = 200
_SWITCHING: Final = 101
_ENCODING: Final = b"content-encoding"
_LENGTH: Final = b"content-length"
_CHUNKING: Final = b"transfer-encoding"
_LOCATION: Final = b"location"
_NOTED: Final = frozenset({_ENCODING, _LENGTH, _CHUNKING, _LOCATION})


class Owner(Protocol):
    """Whoever keeps the connections to one host."""

    def released(self, connection: Connection) -> None:
        """Take the connection back: its reply is complete and another question may follow."""

    def dropped(self, connection: Connection) -> None:
        """Forget the connection: nothing more can be asked on it. Told once."""

    def gone(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.Protocol):
    """Asks one question at a time.

    `deadline`, in loop time, is when `expire` is due: the end of the budget of the question, or
    of the time an idle connection is kept. `waiter` is that of the question under way.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_budget_s",
        "_chunks",
        "_feed",
        "_framing",
        "_head_done",
        "_is_made",
        "_keep",
        "_limit",
        "_loop",
        "_noted",
        "_outcome",
        "_owner",
        "_parser",
        "_target",
        "deadline",
        "is_dropped",
        "transport",
        "waiter",
    )

    transport: asyncio.Transport
    _target: Target
    _budget_s: float

    def __init__(self, owner: Owner, limit: int) -> None:
        self._owner = owner
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._chunks: list[bytes] = []
        self._body = bytearray()
        self._noted: dict[bytes, bytes] = {}
        self._begun = self._head_done = self._keep = False
        self._is_made = self.is_dropped = False
        self._framing = 0
        self._outcome: bytes | AppFailure | None = None
        self.deadline = inf
        self.waiter: asyncio.Future[bytes | AppFailure] | None = None
        parser = HttpResponseParser(self)
        # As lenient as aiohttp, which legacy apps were seen to work with.
        parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._parser = parser
        self._feed = parser.feed_data

    @property
    def is_usable(self) -> bool:
        """Whether a question can be written to it."""
        return not (self.is_dropped or self.transport.is_closing())

    def ask(
        self, target: Target, body: bytes, deadline: float, budget_s: float
    ) -> asyncio.Future[bytes | AppFailure]:
        """Send a question; the future gives the body of the reply, or what went wrong."""
        self._target = target
        self._budget_s = budget_s
        self.deadline = deadline
        self._framing = 0
        waiter = self.waiter = self._loop.create_future()
        self.transport.write(b"%b%d\r\n\r\n%b" % (target.head, len(body), body))
        return waiter

    def expire(self) -> None:
        """End what lasted too long: the question, or the idle connection."""
        if self.waiter is None:
            self.drop()
        else:
            self._fail(failures.too_late(self._target.where, self._budget_s))

    def cancel(self, waiter: asyncio.Future[bytes | AppFailure]) -> None:
        """Close the connection if the question is still under way; its reply has no taker."""
        if self.waiter is waiter:
            self.waiter = None
            self.drop()

    def drop(self) -> None:
        """Close the connection at once, with whatever was not sent yet."""
        if not self.is_dropped:
            self.is_dropped = True
            self.deadline = inf
            self._owner.dropped(self)
            if self._is_made:
                self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket; one that nobody wants any more is closed."""
        # uvloop's transports are no subclasses of asyncio.Transport.
        self.transport = cast("asyncio.Transport", transport)
        self._is_made = True
        if self.is_dropped:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read a part of the reply, or all of it."""
        if self.waiter is None:
            # Nobody asked; what follows could be taken for the next reply.
            self.drop()
            return
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade):
            self._keep = False
            if self._outcome is None:
                self._outcome = failures.not_http(self._target.where)
        if self._outcome is None:
            self._take_part(len(data))
            if self._outcome is None:
                return
        self._deliver(self._outcome)

    def eof_received(self) -> None:
        """Complete a reply that ends where the connection does; the rest follows from its loss."""
        if self.waiter is not None and self._head_done and self._ends_with_connection():
            self._keep = False
            self._outcome = self._judge(self._parser.get_status_code())
            self._deliver(self._outcome)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how does not matter
        """Fail the question under way, if any."""
        if self.waiter is not None:
            self._fail(failures.broken(self._target.where))
        self.drop()
        self._owner.gone(self)
        # The parser holds this object's methods; without the circle both go at once.
        del self._parser, self._feed

    def on_message_begin(self) -> None:
        """Note that a reply begins, wanted or not."""
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that matter."""
        name = name.lower()
        if name in _NOTED:
            self._noted[name] = value

    def on_headers_complete(self) -> None:
        """Note that only the body is missing."""
        self._head_done = True

    def on_body(self, chunk: bytes) -> None:
        """Keep a part of the body."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Judge the first final reply."""
        if self._outcome is not None:
            # A second reply to one question: `_begun` stays, and the connection is not kept.
            return
        status = self._parser.get_status_code()
        self._begun = self._head_done = False
        if status < _FIRST_FINAL and status != _SWITCHING:
            self._noted.clear()
            self._chunks.clear()
            return
        self._keep = self._parser.should_keep_alive()
        self._outcome = self._judge(status)

    def _judge(self, status: int) -> bytes | AppFailure:
        """Make the outcome of a complete reply."""
        reply = b"".join(self._chunks)
        self._chunks.clear()
        if self._body:
            reply = bytes(self._body) + reply
            self._body.clear()
        if status == OK and _ENCODING not in self._noted and len(reply) <= self._limit:
            self._noted.clear()
            return reply
        return self._judge_closely(status, reply)

    def _judge_closely(self, status: int, reply: bytes, *, cut: bool = False) -> bytes | AppFailure:
        where, location = self._target.where, self._noted.get(_LOCATION)
        encoding = self._noted.get(_ENCODING, b"")
        self._noted.clear()
        try:
            body = unpack(reply, encoding, self._limit)
        except NotUnpackedError:
            return failures.not_unpacked(where)
        if status != OK:
            leads = None if location is None else location.decode("utf-8", "replace")
            return failures.other_status(where, status, leads, body)
        if cut or len(body) > self._limit:
            return failures.too_large(where, self._limit, body)
        return body

    def _take_part(self, size: int) -> None:
        """Keep what arrived of an incomplete reply, unless it is too much."""
        if not self._chunks:
            self._framing += size
            if self._framing > _LONGEST_FRAMING:
                self._outcome = failures.not_http(self._target.where)
            return
        self._framing = 0
        self._body += b"".join(self._chunks)
        self._chunks.clear()
        packed = _ENCODING in self._noted
        if len(self._body) > (longest_packed(self._limit) if packed else self._limit):
            status = self._parser.get_status_code()
            self._outcome = self._judge_closely(status, bytes(self._body), cut=True)

    def _ends_with_connection(self) -> bool:
        chunking = self._noted.get(_CHUNKING, b"").strip().lower()
        return _LENGTH not in self._noted and not chunking.endswith(b"chunked")

    def _deliver(self, outcome: bytes | AppFailure) -> None:
        waiter, self.waiter, self._outcome = self.waiter, None, None
        # A server may answer before it has read everything; the rest would precede what comes next.
        if self._keep and not self._begun and not self.transport.get_write_buffer_size():
            self._owner.released(self)
        else:
            self.drop()
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    def _fail(self, failure: AppFailure) -> None:
        self._keep = False
        self._deliver(failure)
