"""Fidelity of rt_media, the format of every sound a command names."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

RT_MEDIA: Final = Fidelity(
    "rt_media",
    (
        Row(
            "behaviour",
            "Media ID",
            "emulated",
            "A number, also as text, becomes Play of the address that the bridge's media settings give it.",
            "tests/mappings/test_play.py::test_library_media_is_played",
            "The library is the bridge's own, so its files have to be brought along.",
        ),
        Row(
            "behaviour",
            "unknown Media ID",
            "approximated",
            "Commands that document an error result return it, all others fail with MEDIA_NOT_FOUND before the caller hears anything.",
            "tests/mappings/test_read.py::test_unknown_library_media_is_an_error",
            "The page does not say what commands without an error result do.",
        ),
        Row(
            "behaviour",
            "no media",
            "exact",
            "0, an empty text, null and a text of white space play nothing.",
            "tests/mappings/test_play.py::test_no_media_is_0_at_once",
        ),
        Row(
            "behaviour",
            "file that cannot be fetched",
            "approximated",
            "Plivo skips the file and goes on.",
            "tests/e2e/test_commands.py::test_file_that_cannot_be_fetched",
            "Plivo does not report it, so the command goes on as if the file had been played.",
        ),
        Row(
            "behaviour",
            "TTS|VOICE|text",
            "approximated",
            "The text becomes Speak with a Plivo voice of the same language and gender.",
            "tests/mappings/plivo/test_voices.py::test_documented_voices_keep_their_language_and_gender",
            "It is another speaker than the Nuance voice the app names.",
        ),
        Row(
            "behaviour",
            "unknown voice",
            "approximated",
            "The language in the name of the voice is spoken, else the configured default, and the log says so.",
            "tests/mappings/plivo/test_voices.py::test_an_unknown_voice_speaks_the_language_it_names",
            "The gender of the voice may change.",
        ),
        Row(
            "behaviour",
            "long text",
            "emulated",
            "A text over the 3000 characters of one Speak is said in parts, cut where a voice pauses.",
            "tests/mappings/test_play.py::test_long_text_is_spoken_in_parts",
            "The pause between two parts may be longer than the voice would make it.",
        ),
        Row(
            "behaviour",
            "characters of the text",
            "exact",
            "Everything after the second bar is text, and only control characters, which no voice says, are dropped.",
            "tests/mappings/test_play.py::test_text_may_contain_the_separator_and_any_script",
        ),
    ),
)
