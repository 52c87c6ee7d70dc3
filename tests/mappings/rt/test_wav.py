"""WAV data is decoded and held against what the RT page allows: 8000 Hz, 16 bit, mono."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings._rt.wav import MAX_BYTES, WavError, decode_wav

SOUND = b"\x01\x00" * 80


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Write a RIFF chunk, padded to an even length."""
    stated = len(content) if size is None else size
    return name + struct.pack("<I", stated) + content + b"\0" * (len(content) % 2)


def fmt(encoding: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    """Write a format chunk."""
    align = channels * bits // 8
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", encoding, channels, rate, rate * align, align, bits)
    )


def riff(*chunks: bytes) -> bytes:
    """Write a WAV file."""
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def encoded(content: bytes) -> str:
    """Write base64."""
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "content",
    [
        riff(fmt(), chunk(b"data", SOUND)),
        riff(chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", b"1234"), chunk(b"data", SOUND)),
        riff(fmt(), chunk(b"data", SOUND), chunk(b"LIST", b"INFO")),
        riff(
            chunk(b"fmt ", struct.pack("<HHIIHHH", 1, 1, 8000, 16_000, 2, 16, 0)),
            chunk(b"data", SOUND),
        ),
        riff(fmt(), chunk(b"data", SOUND, 0xFFFFFFFF)),
        riff(fmt(), chunk(b"data", SOUND, 0)),
    ],
    ids=["plain", "extra chunks", "trailing chunk", "long format", "streamed", "unstated"],
)
def test_documented_format_is_taken_as_it_is(content: bytes) -> None:
    """The file comes back byte for byte."""
    assert content == decode_wav(encoded(content))


@pytest.mark.parametrize(
    "text",
    [
        encoded(riff(fmt(), chunk(b"data", SOUND))) + "\n",
        "\r\n ".join(encoded(riff(fmt(), chunk(b"data", SOUND)))),
        "data:audio/wav;base64," + encoded(riff(fmt(), chunk(b"data", SOUND))),
    ],
)
def test_base64_may_be_wrapped_and_prefixed(text: str) -> None:
    """White space and a data: prefix are how some encoders write it."""
    assert riff(fmt(), chunk(b"data", SOUND)) == decode_wav(text)


@pytest.mark.parametrize("text", ["*", "QUJD*", "QUJ", "é", "data:audio/wav;base64,?"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    """A broken encoding is named as such."""
    with pytest.raises(WavError, match=r"^not base64$"):
        decode_wav(text)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a RIFF WAVE file"),
        (b"RIFF", "not a RIFF WAVE file"),
        (b"RIFX" + riff(fmt())[4:], "not a RIFF WAVE file"),
        (b"RIFF\0\0\0\0AVI " + fmt(), "not a RIFF WAVE file"),
        (riff(), "there is no sound in it"),
        (riff(fmt()), "there is no sound in it"),
        (riff(fmt(), chunk(b"data", b"")), "there is no sound in it"),
        (riff(chunk(b"data", SOUND), fmt()), "the data comes before the format"),
        (riff(chunk(b"fmt ", b"\1\0"), chunk(b"data", SOUND)), "the format chunk is too short"),
        (
            riff(fmt(encoding=7, bits=8), chunk(b"data", SOUND)),
            "format 7, 1 channel(s), 8000 Hz, 8 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (
            riff(fmt(channels=2), chunk(b"data", SOUND)),
            "format 1, 2 channel(s), 8000 Hz, 16 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (
            riff(fmt(rate=44_100), chunk(b"data", SOUND)),
            "format 1, 1 channel(s), 44100 Hz, 16 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (
            riff(fmt(bits=24), chunk(b"data", SOUND)),
            "format 1, 1 channel(s), 8000 Hz, 24 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
    ],
)
def test_everything_else_is_refused_with_a_reason(content: bytes, why: str) -> None:
    """The sentence says what the file is, or what it lacks."""
    with pytest.raises(WavError) as caught:
        decode_wav(encoded(content))

    assert why == str(caught.value)


def test_largest_file_is_taken_and_one_byte_more_is_not() -> None:
    """Plivo plays files of up to 10 MB."""
    head = len(riff(fmt(), chunk(b"data", b"")))
    largest = riff(fmt(), chunk(b"data", bytes(MAX_BYTES - head)))
    larger = riff(fmt(), chunk(b"data", bytes(MAX_BYTES - head + 2)))

    assert MAX_BYTES == len(decode_wav(encoded(largest)))
    with pytest.raises(WavError, match="10000002 bytes are more than the 10000000 Plivo plays"):
        decode_wav(encoded(larger))


@given(st.binary(max_size=80))
def test_any_content_is_taken_or_refused(tail: bytes) -> None:
    """Whatever follows the magic words, the reader ends with the file or a WavError."""
    content = b"RIFF\0\0\0\0WAVE" + tail
    try:
        decoded = decode_wav(encoded(content))
    except WavError:
        return

    assert content == decoded
