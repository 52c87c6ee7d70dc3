"""The params of the commands: their JSON Schema, their spellings, what is expected of each.

Everything comes from the params models and from the tables that open the modules of `mappings`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from pydantic.fields import FieldInfo

from bridge.rt_schema.kinds import Kind, Schema, kind_of
from mappings._kernel.command import Command
from mappings._rt.params import Params

__all__ = ["Definitions", "describe_command", "expectation", "params_schema", "spellings"]

#: What null and "" are taken for.
UNSET: Final[Schema] = {"enum": [None, ""], "description": "Left out."}
_ROW: Final = re.compile(r"^\| (?P<names>[^|]+) \| (?P<plivo>[^|]*) \| [^|]* \|(?P<note>.*)\|$")
_NAME: Final = re.compile(r"[a-z_]+(?:\[\]\.[a-z_]+)?")
#: Tables begin with the unit, where there is one.
_SECONDS: Final = re.compile(r"^s\b")
#: How a WAV file travels in JSON (JSON Schema, "Contents").
_WAV: Final = {"contentEncoding": "base64", "contentMediaType": "audio/wav"}


class Definitions:
    """The shared definitions of one document, in one of the two readings."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.schemas: dict[str, Schema] = {}

    def refer(self, name: str, schema: Schema) -> Schema:
        """Define a schema once and give a reference to it."""
        if self.schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two different definitions are called {name}")
        return {"$ref": f"#/$defs/{name}"}


def spellings(model: type[Params]) -> dict[str, tuple[str, ...]]:
    """Map each documented param to every name it is read under, the documented one first."""
    return {name: _spellings(name, info) for name, info in model.model_fields.items()}


def expectation(model: type[Params], name: str) -> Kind:
    """Tell what is expected of a param, by its documented name."""
    return kind_of(name, model.model_fields[name])


def describe_command(command: Command[Any]) -> str:
    """Give the sentence that says what a command does."""
    first = _docstring(command.params).partition("\n")[0]
    words = first.removeprefix(f"{command.name}: ").partition(". ")[0].rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."


def params_schema(model: type[Params], definitions: Definitions, prefix: str = "") -> Schema:
    """Describe the params of a command, or the objects of a list in them (`prefix` "targets[].")."""
    schema: Schema = {"type": "object", "properties": {}}
    rules: list[Schema] = []
    required: list[str] = []
    for name, info in model.model_fields.items():
        names = _spellings(name, info)
        value = _value(kind_of(name, info), definitions, f"{prefix}{name}")
        about = _about(model, name, info, prefix)
        if definitions.strict:
            schema["properties"][name] = value | about
            names = (name,)
        elif info.is_required() and len(names) == 1:
            schema["properties"][name] = value | about
        else:
            unset = definitions.refer("unset", UNSET)
            schema["properties"][name] = {"anyOf": [unset, value]} | about
            for alias in names[1:]:
                schema["properties"][alias] = {"description": f"Read where {name} is left out."}
            rules += _aliases(names, unset, value)
        if info.is_required() and len(names) == 1:
            required.append(name)
        elif info.is_required():
            rules.append({"anyOf": [_given(spelling) for spelling in names]})
    if required:
        schema["required"] = required
    if rules:
        schema["allOf"] = rules
    if definitions.strict:
        schema["additionalProperties"] = False
    return schema


def _value(kind: Kind, definitions: Definitions, path: str) -> Schema:
    if kind.model is not None:
        items = params_schema(kind.model, definitions, f"{path}[].")
        size = kind.strict if definitions.strict else kind.tolerant
        return size | {"items": definitions.refer(kind.model.__name__.lower(), items)}
    if not definitions.strict:
        return definitions.refer(kind.name, kind.tolerant)
    if path == "audio_data":
        return kind.strict | _WAV
    shared = "description" in kind.strict
    return definitions.refer(kind.name, kind.strict) if shared else dict(kind.strict)


def _aliases(names: tuple[str, ...], unset: Schema, value: Schema) -> Iterator[Schema]:
    """Demand of an alias what is demanded of the param, where the names before it are not set."""
    for position, alias in enumerate(names[1:], 1):
        earlier = {name: {"$ref": unset["$ref"]} for name in names[:position]}
        properties = {alias: {"anyOf": [unset, value]}}
        yield {"if": {"properties": earlier}, "then": {"properties": properties}}


def _given(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"$ref": "#/$defs/unset"}}}}


def _spellings(name: str, info: FieldInfo) -> tuple[str, ...]:
    choices = getattr(info.validation_alias, "choices", [])
    return tuple(dict.fromkeys([name, *map(str, choices)]))


def _about(model: type[Params], name: str, info: FieldInfo, prefix: str) -> Schema:
    """Give the description and the default of a param."""
    words = _rows(_docstring(model)).get(f"{prefix}{name}", "")
    about: Schema = {"description": words} if words else {}
    if isinstance(info.default, bool | int | str):
        about["default"] = info.default
    return about


def _docstring(model: type[Params]) -> str:
    return sys.modules[model.__module__].__doc__ or ""


@cache
def _rows(docstring: str) -> dict[str, str]:
    """Read the table "RT parameter, Plivo, default, difference" of a mapping."""
    rows: dict[str, str] = {}
    for line in docstring.splitlines():
        row = _ROW.match(line)
        if row is None:
            continue
        plivo, note = row["plivo"].strip(), row["note"].strip()
        words = [f"At Plivo: {plivo}." if plivo != "none" else "Plivo has no counterpart."]
        note = _SECONDS.sub("in s", note)
        words += [f"{note[:1].upper()}{note[1:]}."] if note else []
        rows |= dict.fromkeys(_NAME.findall(row["names"]), " ".join(words))
    return rows
