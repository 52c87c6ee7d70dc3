"""Fidelity of `play_talk_detect`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

PLAY_TALK_DETECT: Final = Fidelity(
    "play_talk_detect",
    (
        Row(
            "param",
            "media_id",
            "approximated",
            "It plays inside GetInput, which stops it when the caller is understood to speak.",
            "test_speech_is_talk",
            "Recognising speech is billed by Plivo, and expects the language of the text or else US English.",
        ),
        Row(
            "param",
            "min_ms",
            "approximated",
            "It is checked against its range.",
            "test_times_are_accepted_and_change_nothing",
            "It has no effect, because Plivo's recogniser decides what is long enough to be speech.",
        ),
        Row(
            "param",
            "max_ms",
            "approximated",
            "It is checked against its range.",
            "test_times_are_accepted_and_change_nothing",
            "It has no effect, so that a noise of any length may be taken for speech.",
        ),
        Row(
            "param",
            "silence_ms",
            "approximated",
            "It is checked against its range.",
            "test_times_are_accepted_and_change_nothing",
            "It has no effect, because Plivo's recogniser decides when the caller has finished.",
        ),
        Row(
            "param",
            "analysistime_ms",
            "approximated",
            "It is checked against its range.",
            "test_times_are_accepted_and_change_nothing",
            "It has no effect: the whole prompt is analysed, and 5 s after it.",
        ),
        Row(
            "result",
            "0",
            "approximated",
            "Plivo came back without speech.",
            "test_silence_is_0",
            "It comes 5 s after the prompt ended, the shortest time GetInput listens.",
        ),
        Row(
            "result",
            "TALK",
            "approximated",
            "Plivo came back with speech.",
            "test_speech_is_talk",
            "Sounds that are no words, such as a cough, do not count.",
        ),
    ),
)
