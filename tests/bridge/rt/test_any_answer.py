"""Whatever a server answers and however it is cut, asking ends with bytes or an AppFailure."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import zlib
from typing import Final

import pytest
from support_rt import BODY, PLAY, WireApp, chunked, http

from bridge.rt.plain import PlainTransport
from bridge.rt_client import AppFailure

SEED: Final = int(os.environ.get("RT_BRIDGE_FUZZ_SEED", "1"))
CASES: Final = 150
LIMIT: Final = 2000

#: Complete replies and what they are; the plain one comes again, so that bodies are compared.
VALID: Final = [
    http(PLAY),
    http(PLAY, "Connection: close"),
    chunked(PLAY),
    chunked(PLAY[:7], PLAY[7:8], PLAY[8:]),
    b"HTTP/1.1 100 Continue\r\n\r\n" + http(PLAY),
    b"HTTP/1.0 200 OK\r\n\r\n" + PLAY,
    http(gzip.compress(PLAY), "Content-Encoding: gzip"),
    http(zlib.compress(PLAY), "Content-Encoding: deflate"),
]
OTHER: Final = [
    http(b"x" * 5000),
    http(gzip.compress(b"x" * 5000), "Content-Encoding: gzip"),
    http(b"gone", "Location: /x?y=z", status="302 Found"),
    http(b"", status="204 No Content"),
    http(b"no gzip", "Content-Encoding: gzip"),
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
]


def answering(answer: bytes, source: random.Random) -> WireApp:
    """Make an app that sends these bytes in random pieces and closes its side."""
    cuts = sorted(source.randrange(len(answer) + 1) for _ in range(source.randrange(6)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]

    async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write_eof()
        await reader.read()

    return WireApp(give)


def damaged(answer: bytes, source: random.Random) -> bytes:
    """Change, lose, repeat or insert something."""
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(answer) + 1)
        upto = min(len(answer), at + source.randrange(12))
        answer = source.choice(
            [
                answer[:at] + source.randbytes(source.randrange(1, 5)) + answer[upto:],
                answer[:at] + answer[upto:],
                answer[:at],
                answer[:at] + answer[at:upto] * 3 + answer[upto:],
                answer[:at] + source.choice([b"\r\n", b"\0", b":", b"0", b"-1"]) + answer[at:],
            ]
        )
    return answer


async def outcome(app: WireApp) -> bytes | AppFailure:
    """Ask, within a time that a hang would exceed."""
    async with (
        asyncio.timeout(10),
        app.serving(),
        PlainTransport.open(max_reply_bytes=LIMIT) as transport,
    ):
        try:
            return await transport.ask(app.rt, BODY, 30)
        except AppFailure as failure:
            return failure
        finally:
            assert 1 == len(app.bodies), "the question is asked exactly once"


@pytest.mark.parametrize("answer", VALID)
async def test_a_valid_reply_is_the_same_however_it_is_cut(answer: bytes) -> None:
    """The pieces in which a reply arrives do not matter."""
    source = random.Random(SEED)
    for _ in range(CASES // 15):
        assert PLAY == await outcome(answering(answer, source))


async def test_a_damaged_reply_is_bytes_or_a_failure() -> None:
    """Nothing a server can send makes the transport raise anything else, or wait for ever."""
    for seed in range(SEED, SEED + CASES):
        source = random.Random(seed)
        answer = damaged(source.choice(VALID + OTHER), source)
        told = await outcome(answering(answer, source))
        assert isinstance(told, AppFailure) or len(told) <= LIMIT, f"seed {seed}: {answer!r}"


async def test_random_bytes_are_a_failure() -> None:
    """Noise is no reply."""
    for seed in range(SEED, SEED + CASES // 3):
        source = random.Random(seed)
        noise = source.randbytes(source.randrange(300))
        told = await outcome(answering(noise, source))
        assert isinstance(told, AppFailure), f"seed {seed}: {noise!r}"
