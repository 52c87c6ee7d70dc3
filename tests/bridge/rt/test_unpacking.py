from __future__ import annotations

import gzip
import random
import zlib

import pytest

from bridge.rt.unpacking import NotUnpackedError, longest_packed, unpack

TEXT = b"what an app says " * 50


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(TEXT), b"gzip"),
        (gzip.compress(TEXT), b" X-GZIP "),
        (gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]), b"gzip"),
        (zlib.compress(TEXT), b"deflate"),
        (zlib.compress(TEXT)[2:-4], b"deflate"),
        (gzip.compress(TEXT)[:-8], b"gzip"),
        (TEXT, b""),
        (TEXT, b"identity"),
        (TEXT, b"UTF-8"),
    ],
)
def test_what_servers_send_is_unpacked(packed: bytes, encoding: bytes) -> None:
    """gzip, deflate in both spellings, nothing at all, and what is no encoding."""
    assert TEXT == unpack(packed, encoding, len(TEXT))


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_nothing_stays_nothing(encoding: bytes) -> None:
    """An empty body has no encoding, whatever its header says."""
    assert b"" == unpack(b"", encoding, 10)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (TEXT, b"gzip"),
        (TEXT, b"deflate"),
        (gzip.compress(TEXT) + b"more", b"gzip"),
        (gzip.compress(TEXT)[:-8] + b"01234567", b"gzip"),
        (gzip.compress(b"") * 1000, b"gzip"),
        (TEXT, b"br"),
        (TEXT, b"zstd"),
    ],
)
def test_what_is_not_packed_as_said_is_an_error(packed: bytes, encoding: bytes) -> None:
    """Other bytes, a wrong check sum, absurdly many members, encodings nobody asked for."""
    with pytest.raises(NotUnpackedError):
        unpack(packed, encoding, 1_000_000)


@pytest.mark.parametrize("packed", [gzip.compress(b"0" * 10_000_000), gzip.compress(TEXT) * 60])
def test_a_bomb_stops_one_byte_behind_the_limit(packed: bytes) -> None:
    """No more is unpacked than it takes to know that it is too much."""
    assert 1001 == len(unpack(packed, b"gzip", 1000))


@pytest.mark.parametrize("size", [0, 1, 1000, 1_048_576])
def test_whatever_fits_unpacked_fits_packed(size: int) -> None:
    """Bytes that cannot be compressed grow by less than is allowed for."""
    packed = gzip.compress(random.Random(1).randbytes(size), compresslevel=0)
    assert len(packed) <= longest_packed(size)
