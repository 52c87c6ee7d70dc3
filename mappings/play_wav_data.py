"""play_wav_data: play a WAV file the app sends along.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| audio_data | Play of the hosted file | none → "1" | base64 of RIFF WAVE, PCM, 8 kHz, 16 bit, mono; anything else → "1" |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.actions import Note, Reply
from mappings._kernel.command import Flow, command
from mappings._plivo.verbs import HostedAudio, Play
from mappings._rt.params import Params
from mappings._rt.wav import WavError, decode_wav

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class PlayWavDataParams(Params):
    """Params of `play_wav_data`."""

    audio_data: str = ""


@command("play_wav_data", PlayWavDataParams)
def play_wav_data(p: PlayWavDataParams, call: CallContext) -> Flow:  # noqa: ARG001 - every mapping has both
    """Check the file, host it and play it."""
    try:
        audio = decode_wav(p.audio_data)
    except WavError as error:
        yield Note("INVALID_PARAMS", f"play_wav_data.audio_data: {error}")
        return "1"
    yield Reply(Play(HostedAudio.of(audio)))
    return "0"
