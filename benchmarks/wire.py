"""The least HTTP/1.1 a benchmark needs: messages that say their Content-Length, nothing else.

Parsing is kept this small so that the load generator and the app stub cost little beside the server
under test. Anything unexpected stops the benchmark with a sentence.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ReplyReader", "UnexpectedReply", "message_bounds", "reply"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_SHOWN: Final = 200


class UnexpectedReply(Exception):  # noqa: N818 - named for what happened
    """The server under test answered something no sample may contain; the message quotes it."""


def message_bounds(data: bytes) -> tuple[int, int] | None:
    """Give where the body of the first message starts and ends, None while its head is incomplete.

    The end may lie beyond `data`. Raises `UnexpectedReply` for a chunked body.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    start = end + 4
    found = _LENGTH.search(data, 0, end)
    if found is None:
        if _CHUNKED.search(data, 0, end):
            raise UnexpectedReply(f"A chunked message is not supported here: {data[:_SHOWN]!r}.")
        return start, start
    return start, start + int(found[1])


def reply(body: bytes, content_type: str) -> bytes:
    """Build a 200 reply that keeps the connection."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class ReplyReader:
    """Collects one reply at a time; `closing` tells that the server closes after the last one."""

    __slots__ = ("_buffer", "closing")

    def __init__(self) -> None:
        self._buffer = b""
        self.closing = False

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived and give the body once it is complete.

        Raises `UnexpectedReply` unless it is one reply with status 200.
        """
        if self._buffer:
            data = self._buffer + data
        bounds = message_bounds(data)
        if bounds is None or len(data) < bounds[1]:
            self._buffer = data
            return None
        start, end = bounds
        if not data.startswith(b"HTTP/1.1 200"):
            raise UnexpectedReply(_sentence(data, start, end))
        if len(data) > end:
            raise UnexpectedReply(f"The server sent more than one reply: {data[end:][:_SHOWN]!r}.")
        self._buffer = b""
        self.closing = _CLOSE.search(data, 0, start) is not None
        return data[start:end]


def _sentence(data: bytes, start: int, end: int) -> str:
    status = data.partition(b"\r\n")[0]
    return f"The server answered {status!r} with {data[start:end][:_SHOWN]!r}."
