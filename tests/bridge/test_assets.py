from __future__ import annotations

import base64
import io
import wave
from array import array
from itertools import pairwise

import pytest

from bridge.assets import MELODY, NOTE_S, RATE_HZ, VOLUME, asset, wav
from mappings._plivo.verbs import AssetName
from mappings._rt.wav import decode_wav

FULL_SCALE = 32_767


def samples_of(content: bytes) -> array[int]:
    """Read a WAV file back; checks that it is what a telephone plays without conversion."""
    with wave.open(io.BytesIO(content)) as reader:
        assert (1, 2, RATE_HZ) == (
            reader.getnchannels(),
            reader.getsampwidth(),
            reader.getframerate(),
        )
        return array("h", reader.readframes(reader.getnframes()))


def test_silence_is_silent_and_short() -> None:
    """The file that answers a call is 0.2 s of nothing."""
    samples = samples_of(asset("silence"))

    assert RATE_HZ // 5 == len(samples)
    assert {0} == set(samples)


def test_music_can_be_heard_and_looped() -> None:
    """The music on hold is 9.6 s, never too loud, never silent for a note, and ends without a click."""
    samples = samples_of(asset("music"))
    note = int(RATE_HZ * NOTE_S)
    notes = [samples[start : start + note] for start in range(0, len(samples), note)]

    assert RATE_HZ * 96 // 10 == len(samples)
    assert len(MELODY) == len(notes)
    assert all(VOLUME // 2 < max(map(abs, part)) <= VOLUME < FULL_SCALE // 4 for part in notes)
    assert all(abs(part[0]) < VOLUME // 10 for part in notes)
    assert abs(samples[-1]) < VOLUME // 10


@pytest.mark.parametrize(("index", "frequency"), [(0, 261.6), (7, 261.6), (15, 349.2), (23, 246.9)])
def test_notes_have_their_pitch(index: int, frequency: float) -> None:
    """A note crosses zero twice per period."""
    note = int(RATE_HZ * NOTE_S)
    part = samples_of(asset("music"))[index * note : (index + 1) * note]
    crossings = sum((one < 0) != (other < 0) for one, other in pairwise(part))

    assert pytest.approx(2 * frequency * NOTE_S, abs=3) == crossings


@pytest.mark.parametrize("name", ["silence", "music"])
def test_asset_is_made_once(name: AssetName) -> None:
    """The same bytes come back, so that it keeps one hosted name."""
    assert asset(name) is asset(name)


def test_wav_keeps_its_samples() -> None:
    """What is wrapped can be read back, to the loudest sample."""
    samples = array("h", [0, 1, -1, FULL_SCALE, -FULL_SCALE - 1])

    assert samples == samples_of(wav(samples))
    assert array("h") == samples_of(wav(array("h")))


def test_wav_is_what_an_app_may_send() -> None:
    """The format is the one of play_wav_data."""
    content = wav(array("h", [1, 2, 3]))

    assert content == decode_wav(base64.b64encode(content).decode())
