"""play_wav_data: a WAV file the app sends along.

| parameter | type | meaning |
|---|---|---|
| audio_data | string | base64 of a WAV file: 8000 Hz, 16 bit, mono |

| result | meaning |
|---|---|
| "0" | it was played |
| "1" | something went wrong |
"""

from __future__ import annotations

import base64
import io
import wave
from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Playbook, Result

from mappings._kernel.actions import Note
from mappings._kernel.events import DocumentEnded, HungUp


def wav(*, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    """Write a tenth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(rate)
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.writeframes(bytes(rate // 10 * channels * width))
    return file.getvalue()


def encoded(content: bytes) -> str:
    """Write base64."""
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "audio_data",
    [
        encoded(wav()),
        f"data:audio/wav;base64,{encoded(wav())}",
        "\r\n".join([encoded(wav())[:76], encoded(wav())[76:], ""]),
    ],
)
def test_file_is_hosted_and_played(audio_data: str) -> None:
    """A file in the documented format is played from the bridge byte for byte."""
    assert (
        Playbook("play_wav_data", {"audio_data": audio_data})
        >> Document(
            """
            <Response>
              <Play>https://bridge.test/wav/1</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            wavs=(wav(),),
        )
        << DocumentEnded(100)
        >> Result("0")
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            wav(rate=16_000),
            "format 1, 1 channel(s), 16000 Hz, 16 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (
            wav(channels=2),
            "format 1, 2 channel(s), 8000 Hz, 16 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (
            wav(width=1),
            "format 1, 1 channel(s), 8000 Hz, 8 bit: it must be PCM, mono, 8000 Hz, 16 bit",
        ),
        (b"ID3 not a WAV file", "not a RIFF WAVE file"),
    ],
)
def test_other_formats_are_1(content: bytes, why: str) -> None:
    """Any other format gives the documented error result, and the log says what was wrong."""
    assert (
        Playbook("play_wav_data", {"audio_data": encoded(content)})
        >> Does(Note("INVALID_PARAMS", f"play_wav_data.audio_data: {why}"))
        >> Result("1")
    )


def test_what_is_not_base64_is_1() -> None:
    """Data that cannot be decoded gives the documented error result."""
    assert (
        Playbook("play_wav_data", {"audio_data": "RIFF!"})
        >> Does(Note("INVALID_PARAMS", "play_wav_data.audio_data: not base64"))
        >> Result("1")
    )


@pytest.mark.parametrize("params", [{}, {"audio_data": ""}, {"audio_data": None}])
def test_no_data_is_1(params: dict[str, Any]) -> None:
    """Without data there is nothing to play, which is an error."""
    assert (
        Playbook("play_wav_data", params)
        >> Does(Note("INVALID_PARAMS", "play_wav_data.audio_data: not a RIFF WAVE file"))
        >> Result("1")
    )


def test_hang_up_during_play() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("play_wav_data", {"audio_data": encoded(wav())})
        >> Document(
            """
            <Response>
              <Play>https://bridge.test/wav/1</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            wavs=(wav(),),
        )
        << HungUp()
        >> CallEnded()
    )
