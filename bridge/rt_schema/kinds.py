"""The kinds of values that params have, each in two readings.

A kind is made from a field of a params model (`mappings._rt.params`), so that the models stay the
only place that says what a param may be. A model with a validator that is not known here cannot be
described: that is an error, and a test makes every description.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from bridge.rt_schema import patterns
from mappings._rt.media import LibraryMedia, NoMedia, TtsMedia
from mappings._rt.numbers import caller_id, phone_number
from mappings._rt.params import Params
from mappings.dialout import MOST_TARGETS

__all__ = ["Kind", "Schema", "kind_of", "one_word_of"]

Schema = dict[str, Any]

_LARGEST: Final = 2**64 - 1
_E164: Final = r"^\+[1-9][0-9]{6,14}$"
_E164_WORDS: Final = 'an international number such as "+33612345678"'
_MEDIA_WORDS: Final = 'a media id (a number), 0 or "" for no media, or "TTS|VOICE|text"'


@dataclass(frozen=True, slots=True)
class Kind:
    """What a param may be.

    `name` is that of its definition, `strict` what the RT page documents, `tolerant` what the
    reader accepts beside null and "", which mean that the param was left out. `words` finish
    "expected is …". `model` is that of the objects of a list.
    """

    name: str
    strict: Schema
    tolerant: Schema
    words: str
    model: type[Params] | None = None


def kind_of(name: str, info: FieldInfo) -> Kind:
    """Tell the kind of a field. Raises TypeError when this module does not know it."""
    annotation = _without_none(info.annotation)
    arguments = get_args(annotation)
    if annotation is int:
        return _integer(info.metadata)
    if annotation is bool:
        return _BOOLEAN
    if set(arguments) == {LibraryMedia, NoMedia, TtsMedia}:
        return _MEDIA
    if get_origin(annotation) is Literal:
        return _choice(name, arguments)
    if annotation is str:
        return _text(name, info.metadata)
    if get_origin(annotation) is tuple and issubclass(arguments[0], Params):
        return _list(name, arguments[0])
    raise TypeError(f"{name}: {annotation} has no JSON Schema in {__name__}")


def one_word_of(words: list[str]) -> str:
    """Join alternatives: "a, b or c"."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _without_none(annotation: Any) -> Any:
    """Give T of `T | None`, and bool of the annotated bool inside it."""
    if get_origin(annotation) in {Union, types.UnionType} and type(None) in get_args(annotation):
        (annotation,) = (kind for kind in get_args(annotation) if kind is not type(None))
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _integer(metadata: list[Any]) -> Kind:
    low, high = 0, _LARGEST
    for rule in metadata:
        match rule:
            case Ge(ge=int(bound)):
                low = bound
            case Gt(gt=int(bound)):
                low = bound + 1
            case Le(le=int(bound)):
                high = bound
            case Lt(lt=int(bound)):
                high = bound - 1
            case _:
                raise TypeError(f"a whole number with {rule!r} has no JSON Schema in {__name__}")
    number = {"type": "integer", "minimum": low, "maximum": high}
    tolerant = [number, {"type": "string", "pattern": patterns.whole_number(low, high)}]
    flags = [flag for flag in (False, True) if low <= flag <= high]
    if flags:
        tolerant.append({"enum": flags})
    top = "2**64-1" if high == _LARGEST else str(high)
    return Kind(
        f"integer_{low}_to_{top}".replace("**", "_").replace("-", "_"),
        number,
        {"anyOf": tolerant, "description": f"A whole number from {low} to {top}, however written."},
        f"a whole number from {low} to {top}",
    )


def _choice(name: str, values: tuple[Any, ...]) -> Kind:
    schema = {"enum": list(values)}
    return Kind(f"one_{name}", schema, schema, one_word_of([f'"{value}"' for value in values]))


def _text(name: str, metadata: list[Any]) -> Kind:
    strict: Schema = {"type": "string"}
    words: list[str] = []
    for rule in metadata:
        match rule:
            case MinLen(min_length=count):
                strict["minLength"] = count
            case MaxLen(max_length=count):
                strict["maxLength"] = count
                words.append(f"of {strict.get('minLength', 0)} to {count} characters")
            case BeforeValidator(func=function) if function is phone_number:
                return _PHONE_NUMBER
            case BeforeValidator(func=function) if function is caller_id:
                return _CALLER_ID
            case _ if isinstance(pattern := getattr(rule, "pattern", None), str):
                strict["pattern"] = pattern
                words.append(f"that matches {pattern}")
            case _:
                raise TypeError(f"a text with {rule!r} has no JSON Schema in {__name__}")
    number: Schema = {"type": "number"}
    if "pattern" in strict:
        shape = patterns.DIGITS_ONLY.fullmatch(strict["pattern"])
        if shape is None:
            raise TypeError(f"numbers that match {strict['pattern']} cannot be described")
        number = {"type": "integer", "minimum": 0, "maximum": 10 ** int(shape[1]) - 1}
    return Kind(
        f"text_{name}" if words else "text",
        strict,
        {"anyOf": [strict, number], "description": "A text; a number stands for its digits."},
        " ".join(["text", *words]),
    )


def _list(name: str, model: type[Params]) -> Kind:
    size = {"type": "array", "minItems": 1, "maxItems": MOST_TARGETS}
    return Kind(f"list_of_{name}", size, size, f"a list of 1 to {MOST_TARGETS} objects", model)


def _any(*alternatives: Mapping[str, Any], description: str) -> Schema:
    return {"anyOf": list(alternatives), "description": description}


_BOOLEAN: Final = Kind(
    "boolean",
    {"type": "boolean"},
    _any(
        {"type": "boolean"},
        {"enum": [0, 1]},
        {"type": "string", "pattern": patterns.boolean_word()},
        description="True or false, 1 or 0, yes or no, on or off, also as texts.",
    ),
    "true or false",
)
_ID_TEXT, _SPOKEN_TEXT = patterns.rt_media(_LARGEST)
_MEDIA: Final = Kind(
    "rt_media",
    _any(
        {"type": "integer", "minimum": 0, "maximum": _LARGEST},
        {"type": "string", "pattern": r"^(?:0|[1-9][0-9]*|TTS\|[^|]+\|[\s\S]+)?$"},
        description=f"rt_media: {_MEDIA_WORDS}.",
    ),
    _any(
        {"const": False},
        {"type": "integer", "minimum": 0, "maximum": _LARGEST},
        {"type": "string", "pattern": patterns.BLANK},
        {"type": "string", "pattern": _ID_TEXT},
        {"type": "string", "pattern": _SPOKEN_TEXT},
        description=f"rt_media: {_MEDIA_WORDS}; white space and false are no media too.",
    ),
    f"rt_media: {_MEDIA_WORDS}",
)
_NUMBER_TEXT: Final[Schema] = {"type": "string", "pattern": patterns.phone_number()}
_NUMBER_DIGITS: Final[Schema] = {"type": "integer", "minimum": 10**6, "maximum": 10**15 - 1}
_PHONE_NUMBER: Final = Kind(
    "phone_number",
    {"type": "string", "pattern": _E164, "description": f"{_E164_WORDS.capitalize()}."},
    _any(
        _NUMBER_TEXT,
        _NUMBER_DIGITS,
        description="An international number; + or 00 may be missing, dots and dashes are ignored.",
    ),
    _E164_WORDS,
)
_CALLER_ID: Final = Kind(
    "caller_id",
    _any(
        {"type": "string", "pattern": _E164},
        {"const": "BLOCKED"},
        description=f'{_E164_WORDS.capitalize()}, or "BLOCKED".',
    ),
    _any(
        _NUMBER_TEXT,
        _NUMBER_DIGITS,
        {"type": "string", "pattern": patterns.caller_id()},
        description="A phone number, or BLOCKED in any case.",
    ),
    f'{_E164_WORDS} or "BLOCKED"',
)
