"""Read scenario files: text to tree, tree to scenario, every fault with its line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bridge.testing.scenario.checking import Checker, no_value
from bridge.testing.scenario.model import DEFAULT_CALLER, ONLY_PHONE, Head, Phone, Scenario
from bridge.testing.scenario.overrides import Override
from bridge.testing.scenario.planning import StepReader
from bridge.testing.scenario.problems import Place, Problem, ScenarioError
from bridge.testing.scenario.scenario_settings import check_settings
from bridge.testing.scenario.steps import spoken
from bridge.testing.scenario.yaml_tree import Items, Table, parse_tree, place_of

ENDINGS: Final = (".yaml", ".yml")


def load(paths: Iterable[Path], overrides: Sequence[Override] = ()) -> list[Scenario]:
    """Read files, and all scenarios of folders. Raises ScenarioError with everything wrong."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    for path in _files(paths, problems):
        try:
            scenarios.append(read_scenario(_text(path), str(path), overrides))
        except ScenarioError as error:
            problems += error.problems
    problems += [override.unused() for override in overrides if not override.used]
    if problems:
        raise ScenarioError(problems)
    return scenarios


def read_scenario(text: str, file: str, overrides: Sequence[Override] = ()) -> Scenario:
    """Read one scenario. Raises ScenarioError."""
    checker = Checker()
    tree = parse_tree(text, file)
    table = checker.table(tree, "A scenario")
    if table is None:
        raise ScenarioError(checker.problems)
    changes = [override for override in overrides if override.apply(table)]
    known = [*map(spoken, Head.model_fields), "steps"]
    checker.names(table, known, "A scenario has")
    rest = Table({k: v for k, v in table.values.items() if k in known[:-1]}, table.keys, tree.place)
    head = checker.model(Head, rest, frozenset(), {})
    check_settings(table.values.get("settings"), checker)
    phones = {} if head is None else _phones(head, table, checker)
    # Without a sound head, steps are still checked, but for the names of phones.
    reader = StepReader(checker, tuple(phones) or None)
    steps = table.values.get("steps")
    if steps is None:
        checker.say(tree.place, "`steps` is missing.", "List what happens, one dash for each step.")
    elif isinstance(steps, Items) and steps.values:
        reader.read(steps)
    elif not no_value(steps):
        checker.say(table.keys["steps"], "`steps` must be a list of at least one step.")
    if checker.problems or head is None:
        raise ScenarioError(sorted(checker.problems, key=lambda p: (p.place.line, p.place.column)))
    return Scenario(
        name=head.name or Path(file).stem,
        file=file,
        phones=phones,
        steps=tuple(reader.steps),
        app=head.app or "",
        numbers=head.numbers,
        settings=head.settings,
        seed=head.seed,
        profile=head.profile,
        faults=head.faults,
        allow=head.allow,
        arguments=tuple(word for change in changes for word in ("--set", change.text)),
    )


def _phones(head: Head, table: Table, checker: Checker) -> dict[str, Phone]:
    """Name the phones, each with the number that it calls."""
    if head.phones is None:
        given = {
            ONLY_PHONE: Phone.model_validate(
                {"from": head.from_ or DEFAULT_CALLER, "caller name": head.caller_name}
            )
        }
    else:
        given = head.phones
        for name in ("from", "caller name"):
            if name in table.keys:
                checker.say(
                    table.keys[name], f"`{name}` and `phones` exclude each other.", "Use `phones`."
                )
    for name, phone in given.items():
        if phone.to is None and head.to is None:
            place = place_of(table, ("phones", name))
            checker.say(place, "`to` is missing.", "Say which number is called.")
    return {
        name: phone.model_copy(update={"to": phone.to or head.to}) for name, phone in given.items()
    }


def _files(paths: Iterable[Path], problems: list[Problem]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix in ENDINGS)
            if not found:
                here = Place(str(path))
                problems.append(Problem(here, "The folder has no file that ends in .yaml or .yml."))
            yield from found
        else:
            yield path


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        what = f"Line {line} is not UTF-8."
        raise ScenarioError([Problem(Place(str(path)), what, "Save the file as UTF-8.")]) from None
    except OSError as error:
        raise ScenarioError(
            [Problem(Place(str(path)), f"The file cannot be read: {error.strerror}.")]
        ) from None


__all__ = ["load", "read_scenario"]
