"""Values no well-behaved peer sends, by seed: for params of commands and for fields of forms."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

#: Characters that XML, JSON, UTF-8, URLs or logs treat specially, and some from everywhere.
CHARACTERS: Final = (
    "\x00\x01\x08\t\n\r\x0b\x0c\x1b\x1f \x7f\x80\x84\x85\x9f\xa0\xad\ufeff\u200b\u2028\u2029\u202e"
    "\ufdd0\ufffd\ufffe\uffff\ud800\udbff\udc00\udfff\U0001f600\U0001fffe\U0010ffff"
    "<>&\"'`;:#*%+=?/\\|{}[]()!$,._-~^@éßИ中א०٣𝟜e0123456789abcXYZ"
)
TEXTS: Final = (
    "",
    " ",
    "0",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "00",
    "1_0",
    "0x10",
    "NaN",
    "null",
    "true",
    "FALSE",
    "on",
    "<Response><Hangup/></Response>",
    "]]><Hangup/><![CDATA[",
    "&lt;&amp;&#0;&#x1F;&undefined;",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "<?xml version='1.0'?>",
    "<speak><break time='1s'/></speak>",
    "TTS|",
    "TTS||",
    "TTS|x|",
    "tts| TTS_EN-GB_SERENA |spoken",
    "TTS|TTS_EN-GB_SERENA|a|b|c",
    "TTS|\x00|\x00",
    "' OR 1=1 --",
    "../../etc/passwd",
    "http://127.0.0.1/#ct=1",
    "javascript:alert(1)",
    "{{7*7}}${7*7}%s%n",
    "+33123456789",
    "sip:user@example.com",
    "BLOCKED",
    "𝟜𝟚",
    "٣",
)
NUMBERS: Final = (
    *(0, 1, -1, 2, 9, 10, 19, 20, 21, 99, 100, 101, 255, 256, 299, 300, 301, 4999, 5000, 5001),
    *(29_999, 30_000, 30_001, 60_000, 60_001, 2**31, 2**32, 2**53 + 1, 2**63, -(2**63) - 1, 2**64),
    *(10**30, -(10**300), 0.0, -0.0, 0.5, 1.0, 1.5, 1e3, 1e22, 1e300, -1e-300, 5e-324, 3.0000001),
)
#: Numbers that are valid JSON and that not every reader survives.
NUMERALS: Final = ("1e400", "-1e9999", "1" * 5000, "-" + "9" * 4301, "0." + "1" * 5000, "1E-400")


class Numeral:
    """A number written just so."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def text(rng: Random, longest: int = 40) -> str:
    """Make up a text of hostile characters; rarely one far beyond any limit."""
    if rng.random() < 0.4:
        return rng.choice(TEXTS)
    length = rng.randint(0, longest)
    if rng.random() < 0.02:
        length = rng.choice((2999, 3000, 3001, 6001, 120_000))
        return (rng.choice(("a", "a ", "Well. ", "é", "<", "&", "\x00", "𝟜")) * length)[:length]
    return "".join(rng.choices(CHARACTERS, k=length))


def value(rng: Random, depth: int = 3) -> Any:
    """Make up any JSON value."""
    kind = rng.randrange(11 if depth else 9)
    if kind < 3:
        return text(rng)
    if kind < 6:
        return rng.choice(NUMBERS)
    if kind == 6:
        return rng.choice((True, False, None))
    if kind == 7:
        return rng.randint(-10, 400)
    if kind == 8:
        return rng.choice(([], {}, "", Numeral(rng.choice(NUMERALS))))
    if kind == 9:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {text(rng, 8): value(rng, depth - 1) for _ in range(rng.randint(0, 4))}


def deep(levels: int) -> str:
    """Write a JSON value nested that deeply."""
    return '{"a":[' * levels + "0" + "]}" * levels


def to_text(found: Any, rng: Random) -> str:
    """Write a value as JSON the way some library would: escaped or not, compact or spaced."""
    match found:
        case Numeral():
            return found.text
        case dict():
            items = [f"{to_text(key, rng)}:{to_text(item, rng)}" for key, item in found.items()]
            return "{" + rng.choice((",", ", ", ",\n\t")).join(items) + "}"
        case list():
            return "[" + ",".join(to_text(item, rng) for item in found) + "]"
        case _:
            return json.dumps(found, ensure_ascii=rng.random() < 0.9)
