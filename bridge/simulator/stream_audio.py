"""Audio frames of a Stream: 20 ms of silence, or of a loud tone while somebody talks."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import Final

#: Samples of a frame of 20 ms at 8 kHz.
_SAMPLES: Final = 160
_LOUD: Final = 8000
#: The silence and the two loudest values of mu-law.
_MULAW_SILENCE: Final = b"\xff"
_MULAW_LOUD: Final = b"\x80\x00"


@cache
def frame_of(content_type: str, *, loud: bool) -> str:
    """Give the base64 payload of one frame in a content type of Stream; l16 is little-endian."""
    kind, _, rate = content_type.partition(";rate=")
    if kind == "audio/x-mulaw":
        audio = _MULAW_LOUD * (_SAMPLES // 2) if loud else _MULAW_SILENCE * _SAMPLES
    else:
        samples = _SAMPLES * int(rate) // 8000
        high, low = (value.to_bytes(2, "little", signed=True) for value in (_LOUD, -_LOUD))
        audio = (high * 4 + low * 4) * (samples // 8) if loud else bytes(2 * samples)
    return b64encode(audio).decode()


__all__ = ["frame_of"]
