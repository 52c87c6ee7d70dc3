"""Keep numbers, keys pressed and secrets out of logs.

Log sites mask by type with `mask_number`, `mask_digits` and `mask_url`. `redact_event` is the
last resort behind them: a structlog processor that masks by the name of a field, and numbers
inside any text, tracebacks included. It errs on the side of hiding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "any_rule_alone",
    "mask_digits",
    "mask_number",
    "mask_url",
    "may_need_masks",
    "redact_event",
    "redact_excerpt",
    "redact_text",
]

_MASK: Final = "*****"
_SHORTEST_SHOWN_IN_PART: Final = 8
_SEPARATORS: Final = str.maketrans("", "", " .()/-")
_HIDDEN: Final = "[hidden]"
_DEPTH: Final = 6
_KEYS_REMEMBERED: Final = 1024
_LONGEST_KEY: Final = 64

# The separators people write inside numbers; "%2B" is the plus sign inside a URL.
_INTERNATIONAL: Final = re.compile(r"(?:\+|%2[Bb])[1-9](?:[ .()/-]{0,2}[0-9]){6,14}(?![0-9])")
# Plivo writes numbers without a plus. Neighbours that occur in UUIDs and decimals are excluded.
_BARE: Final = re.compile(r"(?<![\w.+-])[1-9][0-9]{9,14}(?![\w-]|\.[0-9])")
_DIGIT_RUN: Final = re.compile(r"[0-9]{10}")
#: Every digit looks like 0, and what may begin a mask or a nested value like +.
_SHAPES: Final = bytes.maketrans(b"123456789@%[{", b"000000000++++")
_DIGITS_OF_ANY_KIND: Final = re.compile(r"[0-9]{4,}")
# A value may be cut off, and JSON inside of JSON has its quotes escaped.
_JSON_VALUE: Final = re.compile(
    r"""(["']\s*:\s*)(?:\\+"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|'[^']*(?:'|$)|[^\s,{}\[\]"']+)"""
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@?#'\"]+@")

_SECRET_WORDS: Final = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
_DIGIT_WORDS: Final = frozenset({"digit", "digits", "dtmf", "keys", "pin"})
_NUMBER_KEYS: Final = frozenset(
    {
        "a_number",
        "alegnumber",
        "b_number",
        "bleg_from",
        "bleg_to",
        "blocked_caller_id",
        "called",
        "called_number",
        "caller",
        "caller_id",
        "caller_number",
        "callerid",
        "cli",
        "cli_number",
        "destination",
        "dialblegfrom",
        "dialblegto",
        "forwarded_from",
        "forwardedfrom",
        "from",
        "from_",
        "from_number",
        "number",
        "numbers",
        "phone",
        "phone_number",
        "recipient",
        "target",
        "target_number",
        "targets",
        "to",
        "to_number",
    }
)
_HIDDEN_KEYS: Final = frozenset(
    {
        "api_key",
        "api_keys",
        "apikey",
        "caller_name",
        "callername",
        "cli_name",
        "speech",
        "variables",
    }
)


def mask_number(number: str) -> str:
    """Hide the middle of a number: `+33612345678` is `+336*****78`.

    The number of stars is fixed. Short numbers and addresses that are not numbers (a SIP URI) are
    hidden whole; words without any digit, such as `anonymous`, stay.
    """
    text = number.strip()
    compact = text.translate(_SEPARATORS)
    digits = compact.removeprefix("+")
    if not digits.isdigit():
        scheme, colon, _ = text.partition(":")
        if colon or "@" in text:
            return f"{scheme}:{_MASK}" if colon and scheme.isalpha() else _MASK
        return _MASK if any(character.isdigit() for character in text) else text
    if len(digits) < _SHORTEST_SHOWN_IN_PART:
        return _MASK
    return f"{compact[: len(compact) - len(digits) + 3]}{_MASK}{compact[-2:]}"


def mask_digits(digits: str) -> str:
    """Say how many keys were pressed, never which: `1234` is `<4 digits>`."""
    return "<1 digit>" if len(digits) == 1 else f"<{len(digits)} digits>"


def mask_url(url: str) -> str:
    """Hide login, password, fragment and the values of the query: `http://h/p?a=***#***`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    names = [pair.partition("=")[0] for pair in parts.query.split("&") if pair]
    query = "&".join(f"{redact_text(name)}=***" for name in names)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, redact_text(parts.path), query, "***" if parts.fragment else "")
    )


def redact_text(text: str) -> str:
    """Mask numbers and the userinfo of URLs inside any text."""
    if "+" in text or "%2" in text:
        text = _INTERNATIONAL.sub(_mask_match, text)
    if _DIGIT_RUN.search(text) is not None:
        text = _BARE.sub(_mask_match, text)
    if "@" in text:
        text = _USERINFO.sub("", text)
    return text


def redact_excerpt(text: str) -> str:
    """Mask what strangers wrote, such as the error page of an app, which may print what it was asked.

    Of JSON the names stay and no value does; elsewhere every run of four digits or more is masked:
    keys that a caller pressed have no mark of their own.
    """
    return _DIGITS_OF_ANY_KIND.sub("***", _JSON_VALUE.sub(r"\1***", redact_text(text)))


def _mask_match(match: re.Match[str]) -> str:
    found = match.group()
    sign = 3 if found[0] == "%" else int(found[0] == "+")
    return f"{found[: sign + 3]}{_MASK}{found[-2:]}"


def _hide(_value: Any, _depth: int) -> Any:
    return _HIDDEN


def _number(value: Any, depth: int) -> Any:
    match value:
        case str():
            return mask_number(value)
        case bool() | None:
            return value
        case int():
            return mask_number(str(value))
        case list() | tuple() if depth:
            return [_number(item, depth - 1) for item in value]
        case Mapping() if depth:
            return {str(key): _number(item, depth - 1) for key, item in value.items()}
        case _:
            return _HIDDEN


def _digits(value: Any, _depth: int) -> Any:
    match value:
        case bool() | None:
            return value
        case str() | int():
            return value if value == "" else mask_digits(str(value))
        case _:
            return _HIDDEN


def _excerpt(value: Any, _depth: int) -> Any:
    return redact_excerpt(value) if isinstance(value, str) else _HIDDEN


def _result(value: Any, depth: int) -> Any:
    if isinstance(value, str) and value.isdigit():
        return mask_digits(value)
    return _any(value, depth)


def _any(value: Any, depth: int) -> Any:
    match value:
        case str():
            return redact_text(value)
        case bool() | int() | float() | None:
            return value
        case list() | tuple() | set() | frozenset() if depth:
            return [_any(item, depth - 1) for item in value]
        case Mapping() if depth:
            return {
                str(key): _rule(key)(item, depth - 1) if isinstance(key, str) else _HIDDEN
                for key, item in value.items()
            }
        case bytes() | bytearray():
            return redact_text(bytes(value).decode("utf-8", "replace"))
        case _:
            # Objects are logged as their text: serialising their fields would evade the masks.
            return redact_text(str(value))


_Rule = Callable[[Any, int], Any]
_rules: dict[str, _Rule] = {}


def _rule(key: str) -> _Rule:
    rule = _rules.get(key)
    if rule is None:
        rule = _choose_rule(key)
        # Keys of nested values can come from outside, so memory is bounded.
        if len(_rules) < _KEYS_REMEMBERED and len(key) <= _LONGEST_KEY:
            _rules[key] = rule
    return rule


def _choose_rule(key: str) -> _Rule:
    name = key.lower()
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()))
    if name in _HIDDEN_KEYS or words & _SECRET_WORDS:
        return _hide
    if name in _NUMBER_KEYS:
        return _number
    if words & _DIGIT_WORDS:
        return _digits
    if name == "excerpt":
        return _excerpt
    return _result if name == "command_result" else _any


@lru_cache(maxsize=256)
def any_rule_alone(keys: tuple[str, ...]) -> bool:
    """Tell whether the values under these keys are masked by what they look like, not by the key."""
    return all(_choose_rule(key) is _any for key in keys)


def may_need_masks(text: bytes) -> bool:
    """Tell whether a flat JSON object has anything in its text that `redact_event` might mask.

    Every mask begins at a sign that JSON leaves as it is, or needs ten digits in a row; inside of
    lists and objects the keys count too.
    """
    shapes = text.translate(_SHAPES)
    return b"0000000000" in shapes or shapes.find(b"+", 1) > 0


def redact_event(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask every value of a log line; the line's own dictionary is changed."""
    for key, value in event_dict.items():
        rule = _rules.get(key) or _rule(key)
        if rule is _any:
            kind = type(value)
            if kind is str:
                # Masks need ten digits in a row, or a sign that is neither letter nor digit.
                if len(value) >= 10 or not value.isalnum():  # noqa: PLR2004 -- see above
                    event_dict[key] = redact_text(value)
                continue
            if kind is int or kind is float or kind is bool or value is None:
                continue
        if value is not None:
            event_dict[key] = rule(value, _DEPTH)
    return event_dict
