"""HTTP as nobody should write it: requests to the bridge, and replies of an RT app."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from random import Random
from typing import Final, Self
from urllib.parse import quote, quote_from_bytes

from fuzz import hostile

#: No answer takes longer, on the slowest machine, in s.
PATIENCE_S: Final = 20.0
#: A request of so many bytes is read at once.
SHORT: Final = 30_000
FORM: Final = "application/x-www-form-urlencoded"

METHODS: Final = (
    *("GET", "POST", "POST", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"),
    *("CONNECT", "post", "GE\tT", "", "\x00", "X" * 9000, "PRI"),
)
KINDS: Final = ("next", "digits", "speech", "recording", "dial", "conference", "other", "", "%00")
NUMBERS: Final = (
    *("0", "1", "2", "00", "-1", "+1", "1e3", "1.0", "0x1", " 1", "٣", "%D9%A3", "NaN", "", "a"),
    *("9" * 9, "9" * 10, "9" * 18, "9" * 19, "9" * 300, str(2**63 - 1), str(2**63), str(2**64)),
)


def random_path(rng: Random, app: str, callid: str = "1") -> str:
    """Make up a path: mostly one of the routes, with parts that are out of place."""
    whim = rng.random()
    chosen = rng.choice((app,) * 6 + ("other", "", "..", "%2e%2e", "%00", "%ff", "a" * 3000, "é"))
    notice = rng.choice(("recording", "dial", "room", "room_autoleave", "x"))
    name = rng.choice(("m1", quote(hostile.text(rng), errors="replace"), "a" * 3000))
    where = rng.choice(
        (
            *("answer", "hangup", "fallback", "ring", "answer/", "ANSWER", "answer;a=1", ""),
            *(f"{_number(rng, callid)}/{_number(rng, '1')}/{rng.choice(KINDS)}" for _ in range(8)),
            f"{callid}/1/notice/{notice}/{name}",
        )
    )
    path = f"/plivo/{chosen}/{where}"
    if whim < 0.15:
        path = rng.choice(
            ("/", "//", "*", "", "/media/x", "/json-rpc/v1.1/", "/healthz", "x", "/?")
        )
    elif whim < 0.2:
        path = f"http://example.com{path}"
    elif whim < 0.25:
        path = "/" + quote_from_bytes(rng.randbytes(20))
    if rng.random() < 0.2:
        path += "?" + rng.choice(("a=1", "%", "%zz=%", "&" * 900, "CallUUID=x", "=", "a" * 5000))
    return path


def _number(rng: Random, good: str) -> str:
    return good if rng.random() < 0.4 else rng.choice(NUMBERS)


def random_body(rng: Random) -> tuple[str, bytes]:
    """Make up a content type and a body: a form of some kind, or something else entirely."""
    field = "CallUUID=b1c2&From=33123456789&To=33170000000&Direction=inbound&CallStatus=ringing"
    bodies: tuple[tuple[str, Callable[[], bytes]], ...] = (
        (FORM, field.encode),
        (FORM, lambda: b""),
        (FORM, lambda: b"&".join(b"f%d=x" % n for n in range(100_000))),
        (FORM, f"{field}&Digits={'9' * 200_000}".encode),
        (FORM, f"{field}&Digits={'9' * 400_000}".encode),
        (FORM, lambda: b"CallUUID=%&%=%zz&%u1234=%e9&\xff\xfe=\xc3&a=%00%0a%0d"),
        (FORM, lambda: b"CallUUID=\x00\x01\x02&&&===&;;"),
        (FORM, lambda: rng.randbytes(300)),
        ("application/json", lambda: b'{"CallUUID":"b1c2"}'),
        ("text/xml; charset=utf-16", lambda: "<a/>".encode("utf-16")),
        (
            "multipart/form-data; boundary=x",
            lambda: (
                b'--x\r\nContent-Disposition: form-data; name="CallUUID"\r\n\r\nb1c2\r\n--x--\r\n'
            ),
        ),
        ("multipart/form-data", lambda: b"--"),
        ("", lambda: b"CallUUID=b1c2"),
    )
    content_type, make = rng.choice(bodies)
    return content_type, make()


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(50_000_000), 1)


def random_request(rng: Random, app: str) -> tuple[bytes, bool]:
    """Make up a whole request; False when it is not complete, so that no answer is due."""
    content_type, body = random_body(rng)
    headers = [("Host", "bridge"), ("Connection", "close"), ("Content-Type", content_type)]
    headers += [
        ("X-Plivo-Signature-V3", rng.choice(("", "x", ",,,", "é", "A" * 44, "a" * 7000))),
        ("X-Plivo-Signature-V3-Nonce", rng.choice(("", "1", "\x80", "n" * 500))),
    ]
    complete = True
    whim = rng.random()
    length = str(len(body))
    if whim < 0.08:
        wrong = (
            "-1",
            "x",
            "1e3",
            "",
            str(len(body) + 9),
            "9" * 30,
            f"{length}\r\nContent-Length: 1",
        )
        headers.append(("Content-Length", rng.choice(wrong)))
        complete = False
    elif whim < 0.16:
        headers.append(("Transfer-Encoding", rng.choice(("chunked", "chunked, gzip", "x"))))
        good = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        body = rng.choice((good, b"zz\r\n" + body, b"ffffffffffffffffff\r\n", b"5\r\nabc"))
        complete = False
    else:
        if whim < 0.28:
            encoding, body = rng.choice(
                (
                    ("gzip", gzip.compress(body)),
                    ("gzip", body),
                    ("gzip", _bomb()),
                    ("deflate", zlib.compress(body)[:-3]),
                    ("br", b"\x00"),
                    ("identity, gzip", body),
                )
            )
            headers.append(("Content-Encoding", encoding))
            # The server hangs up at the first bad byte, which may overtake its answer.
            complete = False
        headers.append(("Content-Length", str(len(body))))
    if whim > 0.9:
        headers.append(
            rng.choice(
                (
                    ("Expect", "100-continue"),
                    ("Expect", "x"),
                    ("Upgrade", "websocket"),
                    ("X" * 9000, "1"),
                    ("X", "1" * 9000),
                    ("Bad Name", "1"),
                    ("X", "a\x00b"),
                    ("Cookie", "=;" * 900),
                )
            )
        )
        complete = False
    rng.shuffle(headers)
    method = rng.choice(METHODS)
    version = rng.choice(("HTTP/1.1",) * 12 + ("HTTP/1.0", "HTTP/0.9", "HTTP/9.9", "HTTP/x", ""))
    head = f"{method} {random_path(rng, app)} {version}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    plain = complete and method in {"GET", "POST"} and version == "HTTP/1.1"
    request = f"{head}\r\n".encode("utf-8", "surrogatepass") + body
    # A refusal does not wait for the end of a long request, and the connection may break instead.
    return request, plain and len(request) < SHORT


async def exchange(port: int, request: bytes, *, complete: bool) -> bytes:
    """Send a request and give all that comes back; whoever sent half of one goes away again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                writer.write(request)
                await writer.drain()
                if not complete:
                    writer.write_eof()
            with suppress(ConnectionError):
                return await reader.read()
            return b""
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


class RawApp:
    """An RT app that answers every connection with the bytes it is told, and then hangs up."""

    def __init__(self, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            writer.write(await self._answer(await reader.readexactly(length)))
            await writer.drain()
        await _close(writer)
        self._open.discard(writer)
