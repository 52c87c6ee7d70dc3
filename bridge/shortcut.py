"""The short way of a webhook: read here when it is whole and plain, and left to aiohttp otherwise.

Nearly all of Plivo's requests are a short POST whose length is stated. Of these a few lines around
httptools' parser, a binding of the llhttp that aiohttp uses too, are all that is needed. Whatever is
not so plain, or no webhook, aiohttp gets byte for byte as it came: no request is refused here.
Why it exists: docs/adr/0015.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Any, Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from bridge.hook import NONCE, SIGNATURES, Answer, Take
from bridge.tasks import spawn

__all__ = ["Owner", "Shortcut"]

#: Longest head, as aiohttp has it for each of its lines, and most headers, in bytes and lines.
LONGEST_HEAD: Final = 8190
MOST_HEADERS: Final = 128
#: Longest request that is read here, in bytes.
LONGEST: Final = 32_768
_METHODS: Final = {b"GET": "GET", b"POST": "POST"}
_SIGNATURES: Final = tuple(name.lower().encode() for name in SIGNATURES)
_NONCE: Final = NONCE.lower().encode()
#: With these a request is more than a head and as many bytes as it states.
_SPECIAL: Final = frozenset(
    {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer"}
)


class Owner(Protocol):
    """Whoever has the connection."""

    @property
    def transport(self) -> asyncio.Transport:
        """Where answers go."""

    @property
    def is_paused(self) -> bool:
        """Whether the client leaves answers unread."""

    def general(self) -> asyncio.Protocol:
        """Give aiohttp's handler of this connection."""

    def data_received(self, data: bytes) -> None:
        """Take what came before it was wanted, as if it came now."""

    def arrived(self, answering: asyncio.Task[None]) -> None:
        """Take note that a request is here and is being answered."""

    def answered(self) -> bool:
        """Take note that it was answered; False = that was the last answer of the connection."""


class Shortcut:
    """Reads the requests of one connection, one at a time."""

    __slots__ = (
        "_away",
        "_behind",
        "_body",
        "_busy",
        "_data",
        "_feed",
        "_headers",
        "_is_plain",
        "_is_whole",
        "_keep",
        "_lent",
        "_owner",
        "_parser",
        "_take",
        "_target",
        "on_body",
        "on_header",
        "on_url",
    )

    def __init__(self, owner: Owner, take: Take) -> None:
        self._owner = owner
        self._take = take
        #: aiohttp has the connection: for good, or for the request it was lent.
        self._away = self._lent = False
        self._busy = False
        #: What was sent behind a request before that was answered.
        self._behind = b""
        # Told by the parser without a detour: parts of the target, headers by name, parts of the body.
        self._target: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self.on_url = self._target.append
        self.on_header = self._headers.setdefault
        self.on_body = self._body.append
        self._parser = HttpRequestParser(self)
        self._feed = self._parser.feed_data
        self._expect()

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is being answered here or by aiohttp."""
        return not (self._away or self._lent or self._busy)

    def _expect(self) -> None:
        """Begin with the next request."""
        self._data = b""
        self._target.clear()
        self._headers.clear()
        self._body.clear()
        self._is_plain = True
        self._is_whole = self._keep = False

    def data_received(self, data: bytes) -> None:
        """Read a part of a request, or all of it."""
        if self._busy:
            # Clients that do not wait for answers are aiohttp's, but one thing after the other.
            self._behind += data
            self._owner.transport.pause_reading()
            return
        if self._away or self._lent:
            self._away = True
            self._owner.general().data_received(data)
            return
        self._data = self._data + data if self._data else data
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade):
            self._is_plain = self._is_whole = False
        if self._is_whole and len(self._data) <= LONGEST:
            self._answer()
        elif not self._is_plain or self._is_special():
            self._away = True
            self._owner.general().data_received(self._data)
            self._expect()

    def _is_special(self) -> bool:
        """Tell whether what is here already is too much, or what is missing waits for something."""
        return (
            len(self._data) > LONGEST
            or len(self._headers) > MOST_HEADERS
            or not _SPECIAL.isdisjoint(name.lower() for name in self._headers)
        )

    def on_message_begin(self) -> None:
        """Take note of a request; a second one in the same bytes has to wait for the first."""
        if self._is_whole:
            self._is_plain = self._is_whole = False

    def on_message_complete(self) -> None:
        """Take note that the request is whole."""
        self._is_whole = True
        # The parser forgets it with the message.
        self._keep = self._parser.should_keep_alive()

    def _answer(self) -> None:
        coming = self._coming()
        if coming is None:
            self._lent = True
            data = self._data
            self._expect()
            self._owner.general().data_received(data)
            return
        self._busy = True
        self._owner.arrived(spawn(self._give(coming, keep=self._keep), "webhook", daemon=True))
        self._expect()

    def _coming(self) -> Coroutine[Any, Any, Answer] | None:
        """Give what will answer the request; None = that is for aiohttp."""
        parser, data, body = self._parser, self._data, b"".join(self._body)
        headers, target = self._headers, b"".join(self._target)
        of_interest = _of_interest(tuple(headers))
        method = _METHODS.get(parser.get_method())
        head = len(data) - len(body)
        if not (
            self._is_plain
            and of_interest is not None
            and method is not None
            and not self._owner.is_paused
            and head <= LONGEST_HEAD
            # Its first line, the empty one, and each header once.
            and data.count(b"\r\n", 0, head) == len(headers) + 2 <= MOST_HEADERS
            and b"#" not in target
            and parser.get_http_version() == "1.1"
        ):
            return None
        given, nonces = of_interest
        signatures = [_text(headers[name]) for name in given]
        nonce = _text(headers[nonces[0]]) if nonces else ""
        return self._take(method, _text(target), signatures, nonce, body)

    async def _give(self, coming: Coroutine[Any, Any, Answer], *, keep: bool) -> None:
        transport = self._owner.transport
        try:
            answer = await coming
        except BaseException:
            transport.abort()
            self._owner.answered()
            raise
        self._busy = False
        keep = self._owner.answered() and keep
        if transport.is_closing():
            return
        transport.write(_written(answer, keep=keep))
        if not keep:
            transport.close()
        elif self._behind:
            data, self._behind = self._behind, b""
            self._away = True
            self._owner.data_received(data)
            transport.resume_reading()

    def returned(self) -> None:
        """Take note that aiohttp has answered the request it was lent."""
        self._lent = False

    def close(self) -> None:
        """Let go of the parser, which holds this object's methods."""
        del self._parser, self._feed


#: Which headers have the signatures and the nonce, as they are spelt in a request.
_Names = tuple[bytes, ...]


@lru_cache(maxsize=64)
def _of_interest(names: _Names) -> tuple[_Names, _Names] | None:
    """Choose from the headers of a request; None = it is not plain.

    That is where a name stands twice, or means more than it says.
    """
    spelt = {name.lower(): name for name in names}
    if len(spelt) < len(names) or b"host" not in spelt or not _SPECIAL.isdisjoint(spelt):
        return None
    given = tuple(spelt[name] for name in _SIGNATURES if name in spelt)
    return given, (spelt[_NONCE],) if _NONCE in spelt else ()


def _text(value: bytes) -> str:
    """Read what was sent as aiohttp does."""
    return value.strip(b" \t").decode("utf-8", "surrogateescape")


def _written(answer: Answer, *, keep: bool) -> bytes:
    body = answer.body
    head = _head(answer.status, answer.content_type, keep=keep)
    if answer.headers:
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode()
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, _date(int(time())), len(body), body)


@lru_cache(maxsize=64)
def _head(status: int, content_type: str, *, keep: bool) -> bytes:
    closing = "" if keep else "Connection: close\r\n"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\n{closing}Content-Type: {content_type}\r\n".encode()


@lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
