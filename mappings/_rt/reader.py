"""Read RT.Response, the app's reply, as tolerantly as legacy apps need (RT SDKs).

Tolerated: any white space and byte order marks around the object, unknown fields, fields left out
or null, PHP's `[]` where an empty object is meant, any JSON value as command_id, any spelling of
numbers. Not tolerated, because guessing would hide a fault of the app: text before or after the
object, JSON that is not an object, NaN and Infinity, bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Any, Final, NoReturn

from mappings._kernel.values import value_class

_MARGIN: Final = "\ufeff \t\r\n\v\f"
_EXCERPT: Final = 200
_SHOWN_NAME: Final = 64
#: No param of the RT page nests deeper than two levels; what follows copes with this many.
_DEPTH: Final = 100

_KEY: Final = r'"([^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"[ \t\n\r]*:[ \t\n\r]*'
# The object up to its first value or its end; what lies between two values, or ends it.
_FIRST: Final = re.compile(rf"\{{[ \t\n\r]*(?:{_KEY}|\}})", re.DOTALL)
_LATER: Final = re.compile(rf"[ \t\n\r]*(?:,[ \t\n\r]*{_KEY}|\}})", re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_OBJECT_LATER: Final = re.compile(r'\{\s*["}]')


class ReplyError(ValueError):
    """The reply is not an RT.Response; nothing of it may be used.

    `sentence` says what is wrong with it, `excerpt` shows its beginning (see `excerpt`).
    """

    def __init__(self, sentence: str, excerpt: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.excerpt = excerpt


@value_class
class RtResponse:
    """What the app wants next (RT page, "RT.Response").

    `command` is "" when the app left it out, which no command is called: the app then gets
    UNKNOWN_COMMAND and may recover. `command_id` and `variables` are the JSON text the app wrote,
    for `RtRequest` to return unchanged; `variables` is always an object.
    """

    command: str
    command_id: str
    params: dict[str, Any]
    variables: str


def read_response(body: bytes) -> RtResponse:
    """Read the body of a reply with status 200. Raises ReplyError."""
    try:
        text = body.decode().strip(_MARGIN)
        members = _members(text, _scan)
    except (ValueError, StopIteration, RecursionError):
        text, members = _second_try(body)
    raw_command = members.get("command", _ABSENT)
    command = raw_command[0]
    if type(command) is not str:
        command = "" if command is None else raw_command[1][:_SHOWN_NAME]
    params, _ = _object("params", members, body)
    _, variables = _object("variables", members, body)
    for value in params.values():
        if type(value) is dict or type(value) is list:
            _check_depth(params, body)
            break
    if "\\u" in text and _SURROGATE.search(text):
        command, params = _mended(command), _mended(params)
    command_id = members.get("command_id", _ABSENT)[1]
    return RtResponse(
        command.strip(), "0" if command_id == "null" else command_id, params, variables
    )


def excerpt(body: bytes) -> str:
    """Show the first 200 characters of a body on one line, for the log.

    They may hold what callers typed or said: log them under a field name that is redacted.
    """
    # Four bytes per character at most, and as much again for the margin that is dropped.
    text = body[: 8 * _EXCERPT].decode("utf-8", "replace").strip(_MARGIN)
    shown = text[:_EXCERPT]
    return shown if shown.isprintable() else "".join(c if c.isprintable() else " " for c in shown)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _int(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


def _float(digits: str) -> float | str:
    value = float(digits)
    # An infinite value could not be stored as JSON; the text fails where a number is expected.
    return digits if value in (_INFINITY, -_INFINITY) else value


_INFINITY: Final = float("inf")
_ABSENT: Final[tuple[Any, str]] = (None, "null")
_Members = dict[str, tuple[Any, str]]
# Reading whole numbers is left to the decoder: quicker, but it fails on those of 4300 digits.
# The scanner is `raw_decode` without its sentences, which the second try finds; it takes a decoder,
# as the standard library uses it, although typeshed says otherwise.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = make_scanner(
    json.JSONDecoder(parse_float=_float, parse_constant=_no_constant)  # type: ignore[arg-type] # typeshed
)
_scan_patiently: Final = json.JSONDecoder(
    parse_int=_int, parse_float=_float, parse_constant=_no_constant
).raw_decode


def _members(text: str, scan: Callable[[str, int], tuple[Any, int]]) -> _Members:
    """Map each top-level key to its value and the value's own text; of duplicates the last wins."""
    members: _Members = {}
    found = _FIRST.match(text)
    while found is not None:
        name = found[1]
        at = found.end()
        if name is None:
            if at == len(text):
                return members
            break
        if "\\" in name:
            name = json.loads(f'"{name}"')
        value, end = scan(text, at)
        members[name] = (value, text[at:end])
        found = _LATER.match(text, end)
    raise ValueError(text)


def _object(field: str, members: _Members, body: bytes) -> tuple[dict[str, Any], str]:
    value, raw = members.get(field, _ABSENT)
    if type(value) is dict:
        return value, raw
    if value is None or value == []:
        return {}, "{}"
    raise ReplyError(
        f"In the reply {field} is {_kind(value)} where a JSON object is expected.", excerpt(body)
    )


def _second_try(body: bytes) -> tuple[str, _Members]:
    """Read a reply with enormous numbers, or raise ReplyError with the reason why it cannot be."""
    shown = excerpt(body)
    try:
        text = body.decode().strip(_MARGIN)
    except UnicodeDecodeError as error:
        raise ReplyError(
            f"The reply is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}.", shown
        ) from None
    if not text:
        raise ReplyError("The reply is empty; a JSON object is expected.", shown)
    try:
        value, end = _scan_patiently(text)
        if type(value) is dict and end == len(text):
            return text, _members(text, _scan_patiently)
    except json.JSONDecodeError as error:
        raise ReplyError(_fault(text, error), shown) from None
    except RecursionError:
        raise ReplyError("The reply is nested too deeply.", shown) from None
    except ValueError as error:
        raise ReplyError(f"The reply contains {error}, which JSON does not know.", shown) from None
    if type(value) is dict:
        raise ReplyError(f"Text follows the JSON object, from character {end} on.", shown)
    if end < len(text):
        raise ReplyError(_preceded(text), shown)
    raise ReplyError(f"The reply is {_kind(value)} where a JSON object is expected.", shown)


def _fault(text: str, error: json.JSONDecodeError) -> str:
    if not text.startswith("{"):
        return _preceded(text)
    what = f"{error.msg[:1].lower()}{error.msg[1:]}"
    return f"The reply is not valid JSON: {what}, line {error.lineno} column {error.colno}."


def _preceded(text: str) -> str:
    found = _OBJECT_LATER.search(text)
    if found is None:
        return "The reply is not JSON."
    return (
        f"{found.start()} characters of text precede the JSON object; "
        "does the app print warnings into its reply?"
    )


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case None:
            return "null"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a number"


def _mended(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 text can carry, by the replacement character."""
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
        case list():
            return [_mended(item) for item in value]
        case _:
            return value


def _check_depth(params: dict[str, Any], body: bytes) -> None:
    level: list[Any] = [params]
    for _ in range(_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if type(value) is dict else value)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return
    raise ReplyError(
        f"In the reply params is nested more than {_DEPTH} levels deep.", excerpt(body)
    )


__all__ = ["ReplyError", "RtResponse", "excerpt", "read_response"]
