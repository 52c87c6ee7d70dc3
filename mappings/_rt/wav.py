"""Checking the WAV data of `play_wav_data` (RT page: 8000 Hz, 16 bit, mono)."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

RATE_HZ: Final = 8000
BITS: Final = 16
PCM: Final = 1
#: Plivo plays files of up to 10 MB (its page on audio output).
MAX_BYTES: Final = 10_000_000


class WavError(ValueError):
    """The data is not a WAV file that the RT page allows."""


def decode_wav(encoded: str) -> bytes:
    """Decode base64 and check the format. Raises WavError with a sentence.

    White space and a `data:` prefix are tolerated, as is a data chunk whose stated length overruns
    the file (streaming writers leave it so).
    """
    text = encoded.strip()
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise WavError("not base64") from None
    if len(content) > MAX_BYTES:
        raise WavError(f"{len(content)} bytes are more than the {MAX_BYTES} Plivo plays")
    _check(content)
    return content


def _check(content: bytes) -> None:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise WavError("not a RIFF WAVE file")
    at = 12
    formatted = False
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if name == b"fmt ":
            _check_format(content[at : at + size])
            formatted = True
        elif name == b"data":
            if not formatted:
                raise WavError("the data comes before the format")
            if at >= len(content):
                raise WavError("there is no sound in it")
            return
        at += size + size % 2
    raise WavError("there is no sound in it")


def _check_format(chunk: bytes) -> None:
    if len(chunk) < 16:  # noqa: PLR2004 - the length of a PCM format chunk
        raise WavError("the format chunk is too short")
    encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if (encoding, channels, rate, bits) != (PCM, 1, RATE_HZ, BITS):
        raise WavError(
            f"format {encoding}, {channels} channel(s), {rate} Hz, {bits} bit: "
            "it must be PCM, mono, 8000 Hz, 16 bit"
        )


__all__ = ["MAX_BYTES", "WavError", "decode_wav"]
