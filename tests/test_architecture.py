"""Promises about the mappings that no single mapping can keep alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest

from mappings._rt.params import Params
from mappings.registry import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings._kernel.command import Command

ROOT: Final = Path(__file__).resolve().parent.parent
MAPPINGS: Final = sorted(
    path for path in (ROOT / "mappings").glob("*.py") if path.stem not in {"__init__", "registry"}
)
PURE: Final = sorted((ROOT / "mappings").rglob("*.py"))
NEWEST: Final = {command.name: command for command in COMMANDS}

LONGEST_MODULE: Final = 150
LONGEST_GENERATOR: Final = 60
#: What gives another value in another process, or reaches outside.
NOT_REPEATABLE: Final = frozenset(
    {"hash", "id", "object", "open", "input", "print", "globals", "vars", "eval", "exec"}
)

each_mapping = pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.name}-v{c.version}")


def parsed(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(path.read_text())


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Find all functions, methods included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Find what belongs to a function itself, not to the functions inside it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def is_generator(function: ast.FunctionDef) -> bool:
    """Tell whether a function yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def called(node: ast.Call) -> str:
    """Name what is called, without its module."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def forgotten(tree: ast.AST) -> list[str]:
    """Name the calls of yielding helpers that are not driven by `yield from`."""
    driven = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.YieldFrom)}
    return [
        f"line {node.lineno}: {called(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node).endswith("_flow") and id(node) not in driven
    ]


def fields_of(params: type[Params]) -> set[str]:
    """Name the fields of a params model and of the objects in its lists."""
    names = set(params.model_fields)
    for info in params.model_fields.values():
        for inner in get_args(info.annotation):
            if isinstance(inner, type) and issubclass(inner, Params):
                names |= fields_of(inner)
    return names


def documented(docstring: str) -> set[str]:
    """Name what the first column of the table speaks of."""
    cells = [line.split("|")[1] for line in docstring.splitlines() if line.startswith("| ")]
    return {word for cell in cells for word in re.findall(r"[a-z_]+", cell)}


@each_mapping
def test_every_mapping_is_registered_under_its_file_name(path: Path) -> None:
    """Listing the folder is the list of commands."""
    assert path.stem in NEWEST


@each_command
def test_every_command_is_named_alike_everywhere(command: Command[Any]) -> None:
    """File, command and generator share one name, and the params model bears it too."""
    camel = "".join(word.capitalize() for word in command.name.split("_"))

    assert (ROOT / "mappings" / f"{command.name}.py").is_file()
    assert f"{camel}Params" == command.params.__name__
    assert {f"mappings.{command.name}"} == {command.params.__module__, command.flow.__module__}
    assert re.fullmatch(rf"{command.name}(_v[0-9]+)?", getattr(command.flow, "__name__", ""))


def test_every_version_of_a_command_is_registered_once() -> None:
    """A log finds exactly the generator it was started with, and newest comes last."""
    versions = [(command.name, command.version) for command in COMMANDS]

    assert sorted(versions) == versions
    assert len(set(versions)) == len(versions)


@each_mapping
def test_every_mapping_has_its_test_file(path: Path) -> None:
    """A mapping without Playbooks is not finished."""
    assert (ROOT / "tests" / "mappings" / f"test_{path.stem}.py").is_file()


@each_command
def test_every_version_has_stored_histories(command: Command[Any]) -> None:
    """Calls of earlier releases can be replayed by this one."""
    folder = ROOT / "tests" / "histories" / command.name / f"v{command.version}"

    assert list(folder.glob("*.json"))


@each_command
def test_every_param_has_a_row(command: Command[Any]) -> None:
    """The module opens with a table of RT parameter, Plivo attribute, default and difference."""
    path = ROOT / "mappings" / f"{command.name}.py"
    docstring = ast.get_docstring(parsed(path)) or ""

    assert docstring.startswith(f"{command.name}: ")
    assert set() == fields_of(command.params) - documented(docstring)


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_yielding_helpers_are_driven(path: Path) -> None:
    """A helper called without `yield from` would do nothing, and no type checker objects."""
    assert [] == forgotten(parsed(path))


def test_search_for_forgotten_yield_from_finds_them() -> None:
    """The check sees a bare call, an assigned one and a method, and lets driven ones pass."""
    source = """
def f():
    yield from pin_flow(1)
    x = yield from room_flow(2)
    return (yield from self.end_flow())

def g():
    pin_flow(1)
    x = room_flow(2)
    yield self.end_flow()
    yield room_flow
"""
    assert ["line 8: pin_flow", "line 9: room_flow", "line 10: end_flow"] == sorted(
        forgotten(ast.parse(source)), key=lambda text: int(text.split()[1][:-1])
    )


@each_mapping
def test_yielding_helpers_are_named_so(path: Path) -> None:
    """Whatever yields is the mapping itself or ends in `_flow`; nothing else ends so."""
    for function in functions(parsed(path)):
        mapping = re.fullmatch(rf"{path.stem}(_v[0-9]+)?", function.name) is not None

        assert is_generator(function) == (mapping or function.name.endswith("_flow"))


@each_mapping
def test_generators_fit_on_a_screen(path: Path) -> None:
    """A mapping that needs more than 60 lines becomes two flows; a module stays under 150."""
    tree = parsed(path)
    lengths = {
        function.name: (function.end_lineno or 0) - function.lineno + 1
        for function in functions(tree)
        if is_generator(function)
    }

    assert lengths
    assert {} == {name: length for name, length in lengths.items() if length > LONGEST_GENERATOR}
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@each_mapping
def test_nothing_is_yielded_while_closing(path: Path) -> None:
    """A yield in `finally` would break the engine's close()."""
    closing = [
        node.lineno
        for attempt in ast.walk(parsed(path))
        if isinstance(attempt, ast.Try)
        for statement in attempt.finalbody
        for node in ast.walk(statement)
        if isinstance(node, ast.Yield | ast.YieldFrom)
    ]

    assert [] == closing


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_pure_code_calls_nothing_that_cannot_be_repeated(path: Path) -> None:
    """Builtins that differ between two processes, or reach outside, are not used."""
    used = [
        f"line {node.lineno}: {called(node)}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in NOT_REPEATABLE
    ]

    assert [] == used


@each_mapping
def test_mappings_do_not_iterate_over_sets(path: Path) -> None:
    """The order of a set of texts differs between two processes."""
    tree = parsed(path)
    iterated = [
        node.iter for node in ast.walk(tree) if isinstance(node, ast.For | ast.comprehension)
    ]
    sets = [
        node.lineno
        for node in iterated
        if isinstance(node, ast.Set | ast.SetComp)
        or (isinstance(node, ast.Call) and called(node) in {"set", "frozenset"})
    ]

    assert [] == sets
