"""Check a table of a file against its model, and say of each fault where it is and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.testing.scenario.problems import Place, Problem, did_you_mean
from bridge.testing.scenario.steps import spoken
from bridge.testing.scenario.yaml_tree import Items, Table, Text, Tree, json_value, place_of, plain

ModelT = TypeVar("ModelT", bound=BaseModel)

_PHRASES: Final = {
    "bool_parsing": "must be true or false",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "float_parsing": "must be a number",
    "float_type": "must be a duration such as 10s",
    "greater_than_equal": "must be at least {ge:g}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_type": "must be one text, not a list or a table",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}


@dataclass(slots=True)
class Checker:
    """Collects what is wrong.

    `step` names the step at hand in the sentences, `whole` the table whose parts do not fit.
    """

    problems: list[Problem] = field(default_factory=list)
    step: str = ""
    whole: str = "the scenario"

    def say(self, place: Place, what: str, fix: str = "") -> None:
        """Note a fault."""
        self.problems.append(Problem(place, what, fix, self.step))

    def table(self, tree: Tree, what: str) -> Table | None:
        """Make sure that it is a table."""
        if isinstance(tree, Table):
            return tree
        self.say(tree.place, f"{what} must be a table: keys with a colon and a space after them.")
        return None

    def names(self, table: Table, known: Iterable[str], introduction: str) -> None:
        """Refuse keys that are not known, and keys without a value.

        `introduction` stands before the list of those that are known.
        """
        names = list(known)
        for key, value in table.values.items():
            if key not in names:
                fix = did_you_mean(key, names, introduction)
                self.say(table.keys[key], f"`{key}` is not known here.", fix)
            elif no_value(value):
                self.nothing(table.keys[key], key, value)

    def nothing(self, place: Place, key: str, value: Tree | None) -> None:
        """Say that a value is missing, and that a # may be the reason."""
        comment = value.comment.strip() if isinstance(value, Text) else ""
        fix = "Write it after the colon."
        if comment:
            fix = f'A # after a space begins a comment; in quotes it does not: {key}: "{comment}"'
        self.say(place, f"`{key}` has no value.", fix)

    def model(
        self, model: type[ModelT], table: Table, typed: frozenset[str], labels: dict[str, str]
    ) -> ModelT | None:
        """Build the model; `labels` says how a field is called when it is not by its own name."""
        before = len(self.problems)
        known = [spoken(name) for name in model.model_fields]
        self.names(table, known, f"{self.step or 'A scenario'} has")
        data = {
            key: json_value(value) if key in typed else plain(value)
            for key, value in table.values.items()
            if key in known and not no_value(value)
        }
        try:
            made = model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.invalid(detail, table, labels)
            return None
        return made if len(self.problems) == before else None

    def invalid(self, detail: ErrorDetails, table: Table, labels: dict[str, str]) -> None:
        """Turn an error of pydantic into a sentence."""
        path = tuple(step for step in detail["loc"] if step != "[key]")
        names = [str(step) for step in path if not isinstance(step, int)]
        label = ".".join([labels.get(name, name) for name in names[:1]] + names[1:])
        label = label or self.whole
        place = _place(table, path, key=detail["loc"][-1:] == ("[key]",))
        if detail["type"] == "missing":
            if no_value(table.values.get(str(path[0]))):
                return  # said already
            self.say(place, f"`{label}` is missing.")
        elif detail["type"] == "extra_forbidden":
            self.say(place, f"`{label}` is not known here.")
        else:
            phrase = _PHRASES.get(detail["type"])
            text = phrase.format_map(detail.get("ctx", {})) if phrase else detail["msg"]
            self.say(place, f"`{label}` {text}{_given(detail['input'])}.")


def no_value(tree: Tree | None) -> bool:
    """Tell whether nothing was written where a value is due."""
    return isinstance(tree, Text) and tree.plain and not tree.value


def _given(value: Any) -> str:
    return f", but is “{value[:60]}”" if isinstance(value, str) else ""


def _place(table: Table, path: tuple[int | str, ...], *, key: bool) -> Place:
    if key and len(path) > 1:
        holder = table.values.get(str(path[0]))
        if isinstance(holder, Table) and str(path[1]) in holder.keys:
            return holder.keys[str(path[1])]
    return place_of(table, path)


__all__ = ["Checker", "Items", "no_value"]
