"""Single values of a scenario: what text is accepted and what it becomes.

Each check raises ValueError with a phrase that begins with "must".
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h)")
_BARE: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_E164: Final = re.compile(r"\+[1-9][0-9]{5,14}")
_SIP: Final = re.compile(r"sips?:[^\s@]+@[^\s@]+", re.IGNORECASE)
_KEYS: Final = re.compile(r"[0-9*#]+")
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})
#: A day; no call lasts longer, and virtual time must not be pulled for ever.
LONGEST_S: Final = 86_400.0
ANONYMOUS: Final = "anonymous"


def seconds(text: str) -> float:
    """Read a duration: `10s`, `1.5 s`, `500ms`, `2m`, `1m30s`, `1h`; bare digits are seconds."""
    compact = text.strip().lower()
    if _BARE.fullmatch(compact):
        total = float(compact)
    else:
        parts = _PART.findall(compact)
        if not parts or _PART.sub("", compact).strip():
            raise ValueError("must be a duration such as 10s, 1.5s, 500ms or 2m")
        total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if total > LONGEST_S:
        raise ValueError("must be at most a day (24h)")
    return total


def number(text: str) -> str:
    """Check a phone number: E.164 with a plus, or a SIP URI."""
    if _E164.fullmatch(text) or _SIP.fullmatch(text):
        return text
    bare = re.sub(r"[\s().-]", "", text)
    bare = "+" + bare[2:] if bare.startswith("00") else bare
    example = bare if _E164.fullmatch(bare) else "+33612345678"
    raise ValueError(
        f"must be a number with + and country code and nothing between, such as {example}"
    )


def caller(text: str) -> str:
    """Check the number of a caller, who may hide it."""
    return ANONYMOUS if text.lower() == ANONYMOUS else number(text)


def keys(text: str) -> str:
    """Check keys of a phone; spaces between them are left out."""
    pressed = "".join(text.split())
    if not _KEYS.fullmatch(pressed):
        raise ValueError("must be keys of a phone: 0 to 9, * and #")
    return pressed


def pattern(text: str) -> str | re.Pattern[str]:
    """Read a text, or between slashes a regular expression; `/…/i` ignores case."""
    found = re.fullmatch(r"/(.+)/(i?)", text, re.DOTALL)
    if found is None:
        return text
    try:
        return re.compile(found[1], re.IGNORECASE if found[2] else 0)
    except re.error as error:
        where = "" if error.pos is None else f" at its character {error.pos + 1}"
        raise ValueError(
            f"must be a regular expression, as it is between slashes: {error.msg}{where}"
        ) from None


def truth(text: Any) -> bool:
    """Read true or false, as YAML writes it."""
    word = str(text).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("must be true or false")
    return word in _TRUE


def one_or_more(value: Any) -> Any:
    """Let a single text stand for a list of one."""
    return [value] if isinstance(value, str) else value


def _shown(value: str | re.Pattern[str]) -> str | re.Pattern[str]:
    if not value:
        raise ValueError("must not be empty")
    return value


Seconds = Annotated[float, BeforeValidator(lambda value: _text(value, seconds))]
Number = Annotated[str, AfterValidator(number)]
Caller = Annotated[str, AfterValidator(caller)]
Keys = Annotated[str, AfterValidator(keys)]
KeysOrNone = Annotated[str, AfterValidator(lambda text: keys(text) if text else "")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Pattern = Annotated[
    str | re.Pattern[str],
    BeforeValidator(lambda value: _text(value, pattern)),
    AfterValidator(_shown),
]
Truth = Annotated[bool, BeforeValidator(truth)]
Numbers = Annotated[tuple[Number, ...], BeforeValidator(one_or_more), Field(min_length=1)]
Leg = Annotated[int, Field(ge=1)]


def _text(value: Any, read: Any) -> Any:
    """Read text, and leave to pydantic's own message what is not text."""
    return read(value) if isinstance(value, str) else value


__all__ = [
    "ANONYMOUS",
    "LONGEST_S",
    "Caller",
    "Keys",
    "KeysOrNone",
    "Leg",
    "Number",
    "Numbers",
    "Pattern",
    "Seconds",
    "Truth",
    "Words",
    "caller",
    "keys",
    "number",
    "one_or_more",
    "pattern",
    "seconds",
    "truth",
]
