"""rt_media, the one way an app names a sound (Real-Time page, "Format: rt_media").

A number of the media library, `TTS|VOICE|text`, or nothing; texts are plain text, whatever `&` and
`<` they hold.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = [
    "LibraryMedia",
    "Media",
    "MediaFormatError",
    "NoMedia",
    "TtsMedia",
    "clean_text",
    "parse_media",
    "split_text",
]

LONGEST_TEXT: Final = 3000
"""Characters one Speak may hold (Plivo page "SSML")."""

_LARGEST_ID: Final = 2**64 - 1
_EXPECTED: Final = "a media id (a number), 0 or empty for no media, or TTS|VOICE|text is expected"

# Outside the Char production of XML 1.0, or inside it and still no character: C1 controls (NEL is
# white space and stays), noncharacters, surrogates without their other half.
_PLANE_ENDS: Final = "".join(
    chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF)
)
_NO_TEXT: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef" + _PLANE_ENDS + "]"
)

# Where a voice pauses anyway: closing punctuation, with its quotes and brackets (a French quote has
# a space before it), before white space (Chinese and Japanese write none), or a line end.
_SENTENCE_END: Final = re.compile(
    r"[.!?\u2026;:]+(?:\s?\u00bb|[\"'\u201d\u2019)\]])*(?=\s)"
    r"|[\u3002\uff01\uff1f]+[\u300d\u300f\uff09]*"
    r"|\n"
)
# Not the no-break spaces: "10 000 €" is one word.
_GAP: Final = re.compile(r"[^\S\u00a0\u2007\u202f]+")

_JOINER: Final = "\u200d"
_REGIONAL: Final = range(0x1F1E6, 0x1F200)
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_TAGS: Final = range(0xE0020, 0xE0080)
_HANGUL_VOWELS_AND_TAILS: Final = range(0x1160, 0x1200)


#: Longer prompts are not kept in memory, in characters.
LONGEST_REMEMBERED: Final = 1000


class MediaFormatError(ValueError):
    """The value is no rt_media; the message says what is expected and never quotes a text."""


@dataclass(frozen=True, slots=True)
class NoMedia:
    """Nothing to play."""


@dataclass(frozen=True, slots=True)
class LibraryMedia:
    """A file of the media library; `id` is decimal without leading zeros, 1 to 2**64-1."""

    id: str


@dataclass(frozen=True, slots=True)
class TtsMedia:
    """A text to say; `voice` is the app's name for it, `text` is clean and not blank."""

    voice: str
    text: str


Media = NoMedia | LibraryMedia | TtsMedia


def parse_media(raw: object) -> Media:
    """Read rt_media as apps send it: a JSON number, a string, false or null.

    A text of nothing but white space and control characters is no media.
    Raises MediaFormatError for everything else.
    """
    if raw is None or raw is False:
        return NoMedia()
    if isinstance(raw, str):
        return _remembered(raw) if len(raw) <= LONGEST_REMEMBERED else _parse_string(raw)
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise MediaFormatError(f"{_EXPECTED}, not {_kind(raw)}")
    return _library(raw)


def _parse_string(raw: str) -> Media:
    text = raw.strip()
    if not text:
        return NoMedia()
    if text.isascii() and text.isdecimal():
        # int() refuses thousands of digits with an error of its own.
        return _library(int(text[-40:]) if not text[:-40].strip("0") else _LARGEST_ID + 1)
    family, bar, rest = raw.lstrip().partition("|")
    voice, second_bar, words = rest.partition("|")
    if not bar or family.strip().upper() != "TTS":
        raise MediaFormatError(f"{_EXPECTED}, not other text")
    if not second_bar:
        raise MediaFormatError(f"{_EXPECTED}; the part after the voice is missing")
    spoken = clean_text(words)
    return TtsMedia(clean_text(voice).strip(), spoken) if spoken.strip() else NoMedia()


#: Prompts come back in every call of an app.
_remembered = lru_cache(maxsize=1024)(_parse_string)


def _library(number: int) -> Media:
    if number == 0:
        return NoMedia()
    if not 0 < number <= _LARGEST_ID:
        raise MediaFormatError(f"{_EXPECTED}; the number is not between 0 and {_LARGEST_ID}")
    return LibraryMedia(str(number))


def _kind(raw: object) -> str:
    if isinstance(raw, bool):
        return "true"
    names = {dict: "an object", list: "a list", tuple: "a list", float: "a fraction"}
    return names.get(type(raw), f"a {type(raw).__name__}")


def clean_text(text: str) -> str:
    """Drop the characters XML cannot carry: controls, lone surrogates, noncharacters.

    Tab, line feed, carriage return and everything else stay as they are.
    """
    return _NO_TEXT.sub("", text)


def split_text(text: str, limit: int = LONGEST_TEXT) -> tuple[str, ...]:
    """Split a text into parts of 1 to `limit` characters that one voice can say one by one.

    Cuts after the last sentence that ends in the second half of a part, else between words, else
    between characters as people see them; only white space around a cut is lost.
    A blank text has no parts. Raises ValueError when `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"a part holds at least 1 character, not {limit}")
    parts: list[str] = []
    start, end = 0, len(text.rstrip())
    while True:
        while start < end and text[start].isspace():
            start += 1
        if start >= end:
            return tuple(parts)
        cut = end if end - start <= limit else _cut(text, start, start + limit)
        parts.append(text[start:cut].rstrip())
        start = cut


def _cut(text: str, start: int, stop: int) -> int:
    """Find the best cut in (start, stop]; text goes on after `stop`, start is not white space."""
    half = (start + stop) // 2
    # One character more, so that a sentence of exactly the limit sees the space after it.
    ends = [end for m in _SENTENCE_END.finditer(text, half, stop + 1) if (end := m.end()) <= stop]
    if ends and _between_characters(text, ends[-1]):
        return ends[-1]
    gaps = [gap.start() for gap in _GAP.finditer(text, start, stop + 1)]
    if gaps:
        return gaps[-1]
    for cut in range(stop, start, -1):
        if _between_characters(text, cut):
            return cut
    return stop


def _between_characters(text: str, at: int) -> bool:
    """Say whether a cut before text[at] leaves every visible character whole."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or _JOINER in (before, after):
        return False
    code = ord(after)
    if code in _SKIN_TONES or code in _TAGS or code in _HANGUL_VOWELS_AND_TAILS:
        return False
    if code not in _REGIONAL:
        return True
    # A flag is a pair of regional indicators: cut only after an even number of them.
    run = 0
    while run < at and ord(text[at - 1 - run]) in _REGIONAL:
        run += 1
    return run % 2 == 0
