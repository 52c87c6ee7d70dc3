"""Audio the bridge ships, synthesised at first use: WAV, PCM, 8 kHz, 16 bit, mono."""

from __future__ import annotations

import io
import math
import wave
from array import array
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mappings._plivo.verbs import AssetName

RATE_HZ: Final = 8000
SILENCE_S: Final = 0.2
NOTE_S: Final = 0.4
VOLUME: Final = 6000
#: Two bars of broken chords (C, A minor, F, G), in Hz; our own, so free of any licence.
MELODY: Final = (
    261.6, 329.6, 392.0, 523.3, 392.0, 329.6, 220.0, 261.6, 329.6, 440.0, 329.6, 261.6,
    174.6, 220.0, 261.6, 349.2, 261.6, 220.0, 196.0, 246.9, 293.7, 392.0, 293.7, 246.9,
)  # fmt: skip


@cache
def asset(name: AssetName) -> bytes:
    """Give the WAV file: 0.2 s of silence, or 9.6 s of music that can be looped."""
    match name:
        case "silence":
            return wav(array("h", bytes(2 * int(RATE_HZ * SILENCE_S))))
        case "music":
            return wav(_music())


def wav(samples: array[int]) -> bytes:
    """Wrap 16-bit samples in a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(samples.tobytes())
    return out.getvalue()


def _music() -> array[int]:
    samples = array("h")
    count = int(RATE_HZ * NOTE_S)
    for frequency in MELODY:
        for index in range(count):
            fade = math.exp(-3 * index / count) * min(1.0, index / 80)
            samples.append(int(VOLUME * fade * math.sin(2 * math.pi * frequency * index / RATE_HZ)))
    return samples


__all__ = ["RATE_HZ", "asset", "wav"]
