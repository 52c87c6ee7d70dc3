"""`--set STEP.FIELD=VALUE`, `--only NAME` and `--skip NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from bridge.testing.scenario.model import Head, Scenario
from bridge.testing.scenario.planning import MODIFIERS, VERBS
from bridge.testing.scenario.problems import Place, Problem, ScenarioError, did_you_mean
from bridge.testing.scenario.steps import spoken
from bridge.testing.scenario.yaml_tree import Items, Table, Text, Tree, parse_tree

HEAD = tuple(spoken(name) for name in Head.model_fields)


@dataclass(slots=True)
class Override:
    """One `--set`; `used` once a scenario had what it names."""

    path: str
    value: str
    used: bool = False
    _names: set[str] = field(default_factory=set)
    _wrong_field: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `STEP.FIELD=VALUE`, or `FIELD=VALUE` of the scenario. Raises ScenarioError."""
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            fix = "Write --set STEP.FIELD=VALUE, for example --set age.press=43#"
            raise ScenarioError([Problem(Place(f"--set {text}"), "This sets nothing.", fix)])
        return cls(path.strip(), value)

    @property
    def place(self) -> Place:
        """Say that the value comes from the command line."""
        return Place(f"--set {self.text}")

    def tree(self) -> Tree:
        """Give the value: text, or a list or table when it is written as one."""
        if self.value.strip()[:1] in {"[", "{"}:
            return parse_tree(self.value, self.place.origin)
        return Text(self.value, self.place)

    @property
    def text(self) -> str:
        """Write it as it was given."""
        return f"{self.path}={self.value}"

    def apply(self, scenario: Table) -> bool:
        """Change the step or the head that has the name; say whether there was one."""
        steps = scenario.values.get("steps")
        named = _named(steps) if isinstance(steps, Items) else {}
        self._names |= set(named)
        for name in sorted(named, key=len, reverse=True):
            if self.path.startswith(f"{name}."):
                path = self.path.removeprefix(f"{name}.").split(".")
                return self._set_in_step(named[name], path)
        first, *rest = self.path.split(".")
        if first in HEAD and first not in named:
            return self._put(scenario, [first, *rest])
        return False

    def _set_in_step(self, step: Table, path: list[str]) -> bool:
        verb = next((key for key in step.values if key in VERBS), None)
        model = VERBS[verb][0] if verb else None
        if verb and model and path[0] == model.main in model.typed:
            path = [verb, *path[1:]]
        if path[0] in MODIFIERS or path[0] == verb:
            return self._put(step, path)
        if verb is None or model is None or path[0] not in model.options():
            known = [*MODIFIERS, *([verb] if verb else []), *(model.options() if model else [])]
            self._wrong_field = did_you_mean(path[0], known, "The step has")
            return False
        value = step.values[verb]
        if not isinstance(value, Table) or model.main in model.typed:
            main = spoken(model.main)
            bare = isinstance(value, Text) and value.plain and not value.value
            kept = {} if bare or not main else {main: value}
            value = step.values[verb] = Table(kept, dict.fromkeys(kept, value.place), value.place)
        return self._put(value, path)

    def _put(self, table: Table, path: list[str]) -> bool:
        for key in path[:-1]:
            inner = table.values.get(key)
            if not isinstance(inner, Table):
                inner = Table({}, {}, self.place)
                table.values[key] = inner
                table.keys.setdefault(key, self.place)
            table = inner
        table.values[path[-1]] = self.tree()
        table.keys[path[-1]] = self.place
        self.used = True
        return True

    def unused(self) -> Problem:
        """Say why nothing was set."""
        step, dot, name = self.path.rpartition(".")
        if self._wrong_field:
            return Problem(self.place, f"The step has no field `{name}`.", self._wrong_field)
        word = step if dot else name
        what = f"No step has the name `{word}`" + (
            "." if dot else ", and the head of no scenario has such a field."
        )
        known = self._names if dot else {*self._names, *HEAD}
        fix = did_you_mean(word, known, "Names are")
        return Problem(self.place, what, fix or "Give the step a name: `name: …`.")


def _named(steps: Items) -> dict[str, Table]:
    return {
        name.value: step
        for step in steps.values
        if isinstance(step, Table) and isinstance(name := step.values.get("name"), Text)
    }


def select(
    scenarios: Sequence[Scenario], only: Sequence[str], skip: Sequence[str]
) -> list[Scenario]:
    """Leave out scenarios and steps by name. Raises ScenarioError for a name nobody has.

    With `only` a scenario is run when it or one of its steps is named; of its steps only the named
    ones are done, or all when none is.
    """
    names = {scenario.name for scenario in scenarios}
    names |= {step.name for scenario in scenarios for step in scenario.steps if step.name}
    problems = [
        Problem(
            Place(f"{option} {name}"),
            f"No scenario and no step has the name `{name}`.",
            did_you_mean(name, names, "Names are"),
        )
        for option, given in (("--only", only), ("--skip", skip))
        for name in given
        if name not in names
    ]
    if problems:
        raise ScenarioError(problems)
    return [
        replace(
            scenario,
            skipped=_left_out(scenario, only, skip),
            arguments=scenario.arguments + _arguments(scenario, only, skip),
        )
        for scenario in scenarios
        if scenario.name not in skip
        and (not only or {scenario.name, *(step.name for step in scenario.steps)} & set(only))
    ]


def _left_out(scenario: Scenario, only: Sequence[str], skip: Sequence[str]) -> frozenset[int]:
    chosen = {step.number for step in scenario.steps if step.name and step.name in only}
    return frozenset(
        step.number
        for step in scenario.steps
        if (chosen and step.number not in chosen) or (step.name and step.name in skip)
    )


def _arguments(scenario: Scenario, only: Sequence[str], skip: Sequence[str]) -> tuple[str, ...]:
    """Write those options again that mean steps of this scenario."""
    names = {step.name for step in scenario.steps if step.name}
    return tuple(
        word
        for option, given in (("--only", only), ("--skip", skip))
        for name in given
        if name in names
        for word in (option, name)
    )


__all__ = ["Override", "select"]
