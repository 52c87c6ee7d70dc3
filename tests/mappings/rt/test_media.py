from __future__ import annotations

import json
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mappings._rt.media import (
    LibraryMedia,
    MediaFormatError,
    NoMedia,
    TtsMedia,
    clean_text,
    parse_media,
    split_text,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)
SPOKEN = st.lists(
    st.sampled_from(
        [
            *"ab.!?;:,\n \t\u00a0\u3000",
            "e\u0301",
            "👩‍👩‍👧",
            "👍🏽",
            "🇫🇷",
            "각",
            "。",
            " mot",
            '."',
            "x" * 9,
        ]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize(
    "raw", [None, False, 0, 0.0, -0.0, "", "0", "000", " ", "\n", " 0 ", "TTS|V|", "TTS|V| \t"]
)
def test_nothing_to_play(raw: object) -> None:
    """Zero, null, false and blanks in any spelling are no media."""
    assert NoMedia() == parse_media(raw)


@pytest.mark.parametrize("text", ["\x00\x1f", "\ufffe \ud800", "\x80\x9f"])
def test_a_text_of_control_characters_is_no_media(text: str) -> None:
    """Nothing would be said, so nothing is played."""
    assert NoMedia() == parse_media(f"TTS|TTS_EN-GB_SERENA|{text}")


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (42, "42"),
        ("42", "42"),
        (" 42\n", "42"),
        ("007", "7"),
        (42.0, "42"),
        (2**64 - 1, "18446744073709551615"),
        ("0" * 5000 + "5", "5"),
    ],
)
def test_numbers_are_ids_of_the_media_library(raw: object, number: str) -> None:
    """An id is canonical, however the app writes the number."""
    assert LibraryMedia(number) == parse_media(raw)


@pytest.mark.parametrize(
    ("raw", "voice", "text"),
    [
        ("TTS|TTS_EN-GB_SERENA|Hello there", "TTS_EN-GB_SERENA", "Hello there"),
        ("TTS|V|one|two||three", "V", "one|two||three"),
        ("TTS|V|<b>Tom & Jerry</b> &amp;", "V", "<b>Tom & Jerry</b> &amp;"),
        (" tts | v |Salut", "v", "Salut"),
        ("TTS||Hello", "", "Hello"),
        ("TTS|V|TTS|W|nested", "V", "TTS|W|nested"),
        ("TTS|V|a\x00b\x0bc\ud83d", "V", "abc"),
        ("TTS|V\x07|a", "V", "a"),
        ("TTS|V| two lines\n here ", "V", " two lines\n here "),
        ("TTS|V|42", "V", "42"),
    ],
)
def test_texts_keep_all_but_the_characters_xml_cannot_carry(
    raw: str, voice: str, text: str
) -> None:
    """The text starts after the second bar and is plain text to its end."""
    assert TtsMedia(voice, text) == parse_media(raw)


def test_texts_arrive_from_json() -> None:
    """Escapes of JSON, also of characters beyond the basic plane, are texts like any other."""
    raw = json.loads(r'"TTS|TTS_FR-FR_AUDREY|Bonjour, appuyez sur \u00e9toile \ud83d\ude00"')
    assert TtsMedia("TTS_FR-FR_AUDREY", "Bonjour, appuyez sur étoile 😀") == parse_media(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (True, "not true"),
        (1.5, "a fraction"),
        (float("nan"), "a fraction"),
        (float("inf"), "a fraction"),
        (-1, "not between"),
        (2**64, "not between"),
        pytest.param(10**5000, "not between", id="huge"),
        (1e300, "not between"),
        ("9" * 5000, "not between"),
        ("-1", "not other text"),
        ("+5", "not other text"),
        ("4 2", "not other text"),
        ("٤٢", "not other text"),
        ("Hello", "not other text"),
        ("TTS", "not other text"),
        ("TTS_EN-GB_SERENA|Hello", "not other text"),
        ("SAY|V|Hello", "not other text"),
        ("TTS|", "missing"),
        ("TTS|Hello secret", "missing"),
        ([], "a list"),
        ({}, "an object"),
        (b"42", "a bytes"),
    ],
)
def test_anything_else_is_an_error_with_a_sentence(raw: object, words: str) -> None:
    """The error says what is expected and does not repeat what was sent."""
    with pytest.raises(MediaFormatError) as caught:
        parse_media(raw)
    message = str(caught.value)
    assert words in message
    assert "TTS|VOICE|text is expected" in message
    assert "secret" not in message
    assert len(message) < 200


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT, st.binary()))
def test_parsing_ends_in_a_medium_or_in_the_one_error(raw: object) -> None:
    """No value makes the parser fail in another way."""
    try:
        media = parse_media(raw)
    except MediaFormatError:
        return
    assert isinstance(media, NoMedia | LibraryMedia | TtsMedia)
    assert not isinstance(media, TtsMedia) or clean_text(media.text).strip()


def test_clean_drops_exactly_what_is_no_text() -> None:
    """Of all code points only controls, surrogates and noncharacters go."""
    kept = clean_text("".join(map(chr, range(0x110000))))
    dropped = set(range(0x110000)) - set(map(ord, kept))
    controls = {code for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc"}
    noncharacters = {code for code in range(0x110000) if code & 0xFFFE == 0xFFFE}
    noncharacters.update(range(0xFDD0, 0xFDF0))
    expected = controls - {0x09, 0x0A, 0x0D, 0x85} | noncharacters | set(range(0xD800, 0xE000))
    assert expected == dropped


@given(ANY_TEXT)
def test_clean_text_can_be_written_as_xml(text: str) -> None:
    """Where raw text would make lxml raise, a clean one comes back as it was."""
    element = etree.Element("Speak")
    element.text = clean_text(text)
    assert clean_text(text) == (etree.fromstring(etree.tostring(element)).text or "")
    assert clean_text(text) == clean_text(clean_text(text))


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 10, ()),
        (" \n ", 10, ()),
        ("  Hello  ", 5, ("Hello",)),
        ("One two. Three four.", 14, ("One two.", "Three four.")),
        ("One two. Three four.", 12, ("One two.", "Three four.")),
        ("A b. c d e f g h", 12, ("A b. c d e f", "g h")),
        ("Ask! Or not.", 4, ("Ask!", "Or", "not.")),
        ("It costs 3.50 now", 11, ("It costs", "3.50 now")),
        ("Il a dit « oui. » Puis non.", 18, ("Il a dit « oui. »", "Puis non.")),
        ('He said "no." Then left.', 15, ('He said "no."', "Then left.")),
        ("line one\nline two", 10, ("line one", "line two")),
        ("tab\tand space", 8, ("tab\tand", "space")),
        ("今日は。明日も。", 6, ("今日は。", "明日も。")),
        ("abcdefgh", 3, ("abc", "def", "gh")),
        ("cafe\u0301s", 4, ("caf", "e\u0301s")),
        ("ab👩‍👩‍👧", 3, ("ab", "👩‍👩", "‍👧")),
        ("aa👍🏽b", 3, ("aa", "👍🏽b")),
        ("a🇫🇷🇬🇧", 4, ("a🇫🇷", "🇬🇧")),
        ("x10\u00a0000", 4, ("x10", "000")),
    ],
)
def test_long_texts_are_cut_where_a_speaker_would_pause(
    text: str, limit: int, parts: tuple[str, ...]
) -> None:
    """A sentence end in the second half comes first, then a gap, then a whole character."""
    assert parts == split_text(text, limit)


def test_the_limit_of_one_speak_is_the_default() -> None:
    """3000 characters stay one part and one more makes two."""
    assert ("a" * 3000,) == split_text("a" * 3000)
    assert ("a" * 3000, "a") == split_text("a" * 3001)


def test_a_part_holds_at_least_one_character() -> None:
    """A limit that no text can meet is the caller's error."""
    with pytest.raises(ValueError, match="at least 1 character, not 0"):
        split_text("a", 0)


@given(SPOKEN, st.integers(1, 40))
def test_parts_are_short_and_lose_only_white_space_at_the_cuts(text: str, limit: int) -> None:
    """Every part fits, none is blank or padded, and what lies between parts is white space."""
    parts = split_text(text, limit)
    at = 0
    for part in parts:
        assert 1 <= len(part) <= limit
        assert part == part.strip()
        found = text.index(part, at)
        assert "" == text[at:found].strip()
        at = found + len(part)
    assert "" == text[at:].strip()


@given(SPOKEN)
def test_no_cut_breaks_a_visible_character_that_fits(text: str) -> None:
    """Accents, skin tones, joined emoji and flags stay with what they belong to."""
    parts = split_text(text, 20)
    for before, after in pairwise(parts):
        assert not unicodedata.combining(after[0])
        assert "\u200d" not in (before[-1], after[0])
        assert not 0x1F3FB <= ord(after[0]) <= 0x1F3FF
    assert "".join(text.split()).count("🇫🇷") == sum(part.count("🇫🇷") for part in parts)
