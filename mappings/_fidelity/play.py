"""Fidelity of `play`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

PLAY: Final = Fidelity(
    "play",
    (
        Row(
            "param",
            "media_id",
            "exact",
            "It becomes Speak or Play.",
            "test_text_is_spoken_with_the_voice_it_names",
        ),
        Row(
            "result",
            "0",
            "approximated",
            "Plivo came back from Speak or Play, or there was nothing to play.",
            "test_library_media_is_played",
            "Plivo does not report a file it cannot fetch or decode, so that one gives 0 as well.",
        ),
        Row(
            "result",
            "1",
            "approximated",
            "The id is not in the media library.",
            "test_unknown_library_media_is_1",
            "A file of the library that Plivo cannot fetch or decode does not give 1.",
        ),
    ),
)
