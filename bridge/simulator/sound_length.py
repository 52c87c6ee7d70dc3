"""How long a sound file lasts, as far as its first bytes tell."""

from __future__ import annotations

from typing import Final

_WAV_HEADER: Final = 44
_ID3_HEADER: Final = 10
#: kbit/s by the index in the header of a frame of layer III; 0 = none.
_MPEG_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)


def seconds_of(body: bytes, otherwise: float) -> float:
    """Give the length of a WAV file, or of an MP3 file with one bit rate, in s."""
    if body[:4] == b"RIFF" and len(body) >= _WAV_HEADER:
        rate = int.from_bytes(body[28:32], "little")
        return (len(body) - _WAV_HEADER) / rate if rate else 0.0
    start = _tag_length(body)
    rate = _bit_rate(body[start : start + 4])
    return 8 * (len(body) - start) / rate if rate else otherwise


def _tag_length(body: bytes) -> int:
    """Give the length of an ID3 tag: four times seven bits."""
    if body[:3] != b"ID3" or len(body) < _ID3_HEADER:
        return 0
    size = 0
    for byte in body[6:_ID3_HEADER]:
        size = size * 128 + (byte & 0x7F)
    return _ID3_HEADER + size


def _bit_rate(header: bytes) -> int:
    """Give bit/s, or 0 when this is no frame of MPEG layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:  # noqa: PLR2004 -- 11 bits of sync, then the layer
        return 0
    rates = _MPEG_1 if header[1] & 0x18 == 0x18 else _MPEG_2  # noqa: PLR2004 -- the version
    return 1000 * rates[header[2] >> 4]


__all__ = ["seconds_of"]
