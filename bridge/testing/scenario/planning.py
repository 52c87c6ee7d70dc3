"""Read the steps of a scenario.

A step is one action. It is written `- action`, `- action: value` or
`- action: {option: value, …}`; beside it may stand `name`, `phone`, and for
expectations `within` and `soft`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from bridge.testing.scenario.checking import Checker, no_value
from bridge.testing.scenario.expectations import Expectation
from bridge.testing.scenario.model import Modifiers, PlannedStep, verbs
from bridge.testing.scenario.problems import Place, did_you_mean
from bridge.testing.scenario.steps import ACTIONS, Action, Dial, Step, spoken
from bridge.testing.scenario.yaml_tree import Items, Table, Text, Tree

VERBS: Final = verbs()
MODIFIERS: Final = tuple(Modifiers.model_fields)
LONGEST_TITLE: Final = 72


@dataclass(slots=True)
class StepReader:
    """Turns the list into steps; `phones` None = their names are not known."""

    checker: Checker
    phones: tuple[str, ...] | None
    steps: list[PlannedStep] = field(default_factory=list)
    _names: dict[str, Place] = field(default_factory=dict)

    def read(self, items: Items) -> None:
        """Read them all."""
        for number, tree in enumerate(items.values, 1):
            self.checker.step = step_label(tree, number)
            step = self._step(tree, number)
            if step is not None:
                self.steps.append(step)
        self.checker.step = ""

    def _step(self, tree: Tree, number: int) -> PlannedStep | None:
        match tree:
            case Text(value="", plain=True):
                self.checker.say(tree.place, "The step is empty.", "Write an action, or no dash.")
                return None
            case Text(value=value):
                if value not in VERBS:
                    self.checker.say(tree.place, *unknown_words(value))
                    return None
                table = Table({value: Text("", tree.place)}, {value: tree.place}, tree.place)
            case Table():
                table = tree
            case Items():
                self.checker.say(
                    tree.place, "A step is an action, not a list.", "Write one dash for each step."
                )
                return None
        verb = self._verb(table)
        if verb is None:
            return None
        action = self._action(verb, table)
        modifiers = self._modifiers(table, VERBS[verb][0])
        if action is None or modifiers is None:
            return None
        return PlannedStep(
            number=number,
            title=title(verb, table.values[verb]),
            action=action,
            phone=modifiers.phone or (self.phones or ("",))[0],
            place=table.keys[verb],
            name=modifiers.name or "",
            negative=VERBS[verb][1],
            soft=modifiers.soft,
            within=modifiers.within,
        )

    def _verb(self, table: Table) -> str | None:
        found = [key for key in table.values if key in VERBS]
        others = [key for key in table.values if key not in VERBS and key not in MODIFIERS]
        for key in others:
            fix = ""
            if found and key in VERBS[found[0]][0].options():
                fix = f"Options stand under the action: {found[0]}: {{{key}: …}}"
            self.checker.say(
                table.keys[key], *((f"`{key}` is not known here.", fix) if fix else unknown(key))
            )
        for key in found[1:]:
            self.checker.say(
                table.keys[key],
                f"`{key}` is a second action in this step, after `{found[0]}`.",
                "Begin a new step with a dash.",
            )
        if not found and not others:
            self.checker.say(
                table.place, "The step has no action.", "Add one, for example `hang up:`."
            )
        return found[0] if len(found) == 1 and not others else None

    def _action(self, verb: str, table: Table) -> Dial | Action | Expectation | None:
        model = VERBS[verb][0]
        value = table.values[verb]
        main = spoken(model.main)
        key = table.keys[verb]
        labels = {main: verb}
        if no_value(value):
            if model.needs():
                self._needs(verb, model, key, value)
                return None
            options = Table({}, {}, key)
        elif isinstance(value, Table) and model.main not in model.typed:
            options = value
            labels = {}
        elif not main:
            self._without_value(verb, model, value)
            return None
        else:
            options = Table({main: value}, {main: key}, value.place)
        self._refuse_cut_off(options)
        made = self.checker.model(model, options, model.typed, labels)
        return cast("Dial | Action | Expectation | None", made)

    def _needs(self, verb: str, model: type[Step], key: Place, value: Tree) -> None:
        if model.main and isinstance(value, Text) and (value.comment or key != value.place):
            self.checker.nothing(key, verb, value)
        else:
            needs = ", ".join(f"`{name}`" for name in model.needs())
            self.checker.say(key, f"`{verb}` needs {needs}.", f"Write {example(verb, model)}")

    def _without_value(self, verb: str, model: type[Step], value: Tree) -> None:
        options = ", ".join(f"`{name}`" for name in model.options())
        fix = f"Its options are {options}: {example(verb, model)}" if options else ""
        self.checker.say(value.place, f"`{verb}` takes no value of its own.", fix)

    def _modifiers(self, table: Table, model: type[Step]) -> Modifiers | None:
        given = {key: value for key, value in table.values.items() if key in MODIFIERS}
        made = self.checker.model(Modifiers, Table(given, table.keys, table.place), frozenset(), {})
        if not issubclass(model, Expectation):
            self._only_for_expectations(given, table, model)
        if made is None:
            return None
        if made.name:
            self._remember(made.name, table)
        if made.phone and self.phones is not None and made.phone not in self.phones:
            fix = did_you_mean(made.phone, self.phones, "The scenario has")
            self.checker.say(table.values["phone"].place, f"There is no phone `{made.phone}`.", fix)
        return made

    def _only_for_expectations(
        self, given: dict[str, Tree], table: Table, model: type[Step]
    ) -> None:
        if "soft" in given:
            self.checker.say(table.keys["soft"], "`soft` belongs to expectations only.")
        if "within" in given and not (issubclass(model, Action) and model.waits):
            waiting = ", ".join(f"`{action.verb}`" for action in ACTIONS if action.waits)
            self.checker.say(
                table.keys["within"],
                f"`within` belongs to expectations and to {waiting}.",
                "This action does not wait for anything.",
            )

    def _remember(self, name: str, table: Table) -> None:
        place = table.values["name"].place
        if "=" in name:
            what = f"The name `{name}` has a = in it."
            self.checker.say(place, what, "Leave it out, for --set.")
        if name in self._names:
            line = self._names[name].line
            what = f"The step in line {line} has the name `{name}` too."
            self.checker.say(place, what, "Give each step its own.")
        self._names.setdefault(name, place)

    def _refuse_cut_off(self, options: Table) -> None:
        """Refuse what looks like text cut off by a #; two spaces before it say that it is not."""
        for value in options.values.values():
            if isinstance(value, Text) and value.value and value.comment.startswith(" #"):
                self.checker.say(
                    value.place,
                    f"“{value.comment.strip()}” is a comment in YAML, so the value is only "
                    f"“{value.value}”.",
                    "Put the value in quotes if the # belongs to it, else two spaces before the #.",
                )


def step_label(tree: Tree, number: int) -> str:
    """Name a step in a message by its own name, or by its number."""
    name = tree.values.get("name") if isinstance(tree, Table) else None
    return f"step “{name.value}”" if isinstance(name, Text) and name.value else f"step {number}"


def title(verb: str, value: Tree) -> str:
    """Write a step in one line, shortened."""
    shown = _shown(value)
    text = f"{verb}: {shown}" if shown else verb
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"


def _shown(tree: Tree) -> str:
    match tree:
        case Text():
            return " ".join(tree.value.split())
        case Items():
            return ", ".join(map(_shown, tree.values))
        case Table():
            return ", ".join(f"{key} {_shown(value)}" for key, value in tree.values.items())


def unknown(word: str) -> tuple[str, str]:
    """Say that a word is no action, and which one was probably meant."""
    return f"`{word}` is not an action.", did_you_mean(word, [*VERBS, *MODIFIERS], "There are")


def unknown_words(text: str) -> tuple[str, str]:
    """Say it of a step without a colon, in which the value may stand beside the action."""
    for verb in sorted(VERBS, key=len, reverse=True):
        rest = text.removeprefix(verb)
        if rest != text and rest[:1] in {" ", ":"}:
            value = rest.lstrip(": ")
            return f"`{text}` is not an action.", f'Write a colon and a space: {verb}: "{value}"'
    return unknown(text)


def example(verb: str, model: type[Step]) -> str:
    """Show how an action is written."""
    if model.main:
        return f"{verb}: …"
    return f"{verb}: {{{', '.join(f'{name}: …' for name in model.needs() or model.options())}}}"


__all__ = ["MODIFIERS", "VERBS", "StepReader", "step_label"]
