"""How long a sound file lasts."""

from __future__ import annotations

import pytest
from support_plivo import wav

from bridge.simulator.sound_length import seconds_of

#: Frames of MPEG 1 layer III at 32 kbit/s and of MPEG 2 layer III at 16 kbit/s.
MPEG_1 = b"\xff\xfb\x10\xc4"
MPEG_2 = b"\xff\xf3\x20\xc4"
#: A tag of 10 + 130 bytes.
TAG = b"ID3\x04\x00\x00\x00\x00\x01\x02" + bytes(130)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (wav(2.5), 2.5),
        (wav(0.25, 16_000), 0.25),
        (MPEG_1 + bytes(7996), 2.0),
        (MPEG_2 + bytes(7996), 4.0),
        (TAG + MPEG_1 + bytes(3996), 1.0),
        (b"", 9.0),
        (b"OggS" + bytes(100), 9.0),
        (b"RIFF", 9.0),
        (b"ID3", 9.0),
        (TAG, 9.0),
        (b"\xff\xfb\xf0\xc4" + bytes(100), 9.0),
        (b"\xff\xff\x10\xc4" + bytes(100), 9.0),
        (b"RIFF" + bytes(60), 0.0),
    ],
)
def test_length(body: bytes, seconds: float) -> None:
    """WAV and MP3 files say how long they are; for anything else the caller of it does."""
    assert seconds == seconds_of(body, 9.0)
