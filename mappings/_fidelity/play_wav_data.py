"""Fidelity of `play_wav_data`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

PLAY_WAV_DATA: Final = Fidelity(
    "play_wav_data",
    (
        Row(
            "param",
            "audio_data",
            "exact",
            "The file is decoded, checked, hosted by the bridge under an unguessable name, and played byte for byte.",
            "test_file_is_hosted_and_played",
        ),
        Row(
            "result",
            "0",
            "exact",
            "Plivo came back from Play.",
            "test_file_is_hosted_and_played",
        ),
        Row(
            "result",
            "1",
            "exact",
            "The data are not base64 of a WAV file of 8 kHz, 16 bit, mono.",
            "test_other_formats_are_1",
        ),
    ),
)
