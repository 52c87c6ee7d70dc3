"""Regular expressions, as ECMA-262 knows them, for what the reader of an app's reply accepts.

Only what every dialect shares is used, so that validators in Python, JavaScript, Go, Rust and PHP
agree.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "BLANK",
    "DIGITS_ONLY",
    "any_case",
    "between",
    "boolean_word",
    "caller_id",
    "decimal",
    "padded",
    "phone_number",
    "rt_media",
    "whole_number",
]

# Written as characters, since the escapes for them differ between dialects. What str.strip() takes
# away; the parser of numbers keeps four control characters of it.
_UNICODE_SPACE: Final = "\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TEXT_SPACE: Final = f"[\t-\r\x1c- {_UNICODE_SPACE}]*"
_NUMBER_SPACE: Final = f"[\t-\r {_UNICODE_SPACE}]*"
_PHONE_SPACE: Final = f"[\t-\r\x1c- {_UNICODE_SPACE}.\u2010-\u2015-]*"

#: Nothing but white space.
BLANK: Final = f"^{_TEXT_SPACE}$"
#: A pattern of one character class and a number of them, as the params models write it.
DIGITS_ONLY: Final = re.compile(r"\^\[[^]]*0-9[^]]*\]\{\d+,(\d+)\}\$")

_TRUE_AND_FALSE: Final = ("1", "on", "t", "true", "y", "yes", "0", "off", "f", "false", "n", "no")


def padded(pattern: str) -> str:
    """Allow white space around."""
    return f"^{_TEXT_SPACE}(?:{pattern}){_TEXT_SPACE}$"


def any_case(word: str) -> str:
    """Match an ASCII word in small and capital letters."""
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word)


def whole_number(low: int, high: int) -> str:
    """Match the texts that are read as a whole number from `low` (0 or more) to `high`."""
    plain = rf"\+?0*(?:{decimal(max(low, 1), high)})" if high else ""
    zero = "[+-]?0+" if low == 0 else ""
    spelled = "|".join(part for part in (plain, zero) if part)
    return rf"^{_NUMBER_SPACE}(?:{spelled})(?:\.0+)?{_NUMBER_SPACE}$"


def boolean_word() -> str:
    """Match the texts that are read as true or false."""
    return padded("|".join(map(any_case, _TRUE_AND_FALSE)))


def phone_number() -> str:
    """Match the texts that are read as an international number."""
    gap = _PHONE_SPACE
    return rf"^{gap}(?:\+{gap}|0{gap}0{gap})?[1-9](?:{gap}[0-9]){{6,14}}{gap}$"


def caller_id() -> str:
    """Match BLOCKED, which stands for no caller id."""
    return padded(any_case("BLOCKED"))


def rt_media(largest_id: int) -> tuple[str, str]:
    """Match rt_media that is not blank: a media id, and a text to say."""
    number = padded(f"0+|0*(?:{decimal(1, largest_id)})")
    # What follows the second bar is the text, whatever it holds.
    spoken = rf"^{_TEXT_SPACE}{any_case('TTS')}{_TEXT_SPACE}\|[^|]*\|"
    return number, spoken


def decimal(low: int, high: int) -> str:
    """Match the whole numbers from `low` (1 or more) to `high`, written without leading zeros."""
    shortest, longest = len(str(low)), len(str(high))
    if shortest == longest:
        return "|".join(between(str(low), str(high)))
    parts = between(str(low), "9" * shortest)
    if longest - shortest > 1:
        parts.append(f"[1-9][0-9]{{{shortest},{longest - 2}}}")
    return "|".join(parts + between(f"1{'0' * (longest - 1)}", str(high)))


def between(low: str, high: str) -> list[str]:
    """Match the texts of digits from `low` to `high`, which are equally long."""
    if low == high:
        return [low]
    if low[0] == high[0]:
        return [low[0] + rest for rest in between(low[1:], high[1:])]
    rest = len(low) - 1
    first, last = int(low[0]), int(high[0])
    head: list[str] = []
    tail: list[str] = []
    if low[1:].strip("0"):
        head = [low[0] + end for end in between(low[1:], "9" * rest)]
        first += 1
    if high[1:].strip("9"):
        tail = [high[0] + end for end in between("0" * rest, high[1:])]
        last -= 1
    middle = [_digits(first, last) + _repeated(rest)] if first <= last else []
    return head + middle + tail


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _repeated(count: int) -> str:
    return {0: "", 1: "[0-9]"}.get(count, f"[0-9]{{{count}}}")
