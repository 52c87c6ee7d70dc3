"""YAML as a tree in which every value is text and knows where it was written.

The base loader's rules: `no`, `0123`, `1e3` and `2020-01-01` stay what was typed. What YAML would
swallow silently is refused here: a key given twice, aliases, tags, a second document.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml
from yaml.composer import ComposerError
from yaml.error import Mark
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import ParserError
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from bridge.testing.scenario.problems import Place, Problem, ScenarioError
from bridge.testing.scenario.yaml_errors import explained

#: Far beyond any scenario; a larger or deeper file is something else.
MOST_CHARACTERS: Final = 1_000_000
DEEPEST: Final = 20


@dataclass(slots=True)
class Text:
    """A value without parts; `plain` when not in quotes; `comment` = what follows it in its line."""

    value: str
    place: Place
    plain: bool = True
    comment: str = ""


@dataclass(slots=True)
class Items:
    """A list."""

    values: list[Tree]
    place: Place


@dataclass(slots=True)
class Table:
    """Keys and values; `keys` says where each key was written."""

    values: dict[str, Tree]
    keys: dict[str, Place]
    place: Place


Tree = Text | Items | Table


def parse_tree(text: str, origin: str) -> Tree:
    """Read one document. Raises ScenarioError."""
    reader = _Reader(origin, text.splitlines())
    if len(text) > MOST_CHARACTERS:
        reader.fail(None, f"The file has more than {MOST_CHARACTERS:,} characters.")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (ScannerError, ParserError, ComposerError) as error:
        reader.fail(*explained(error))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise ScenarioError(
            [
                Problem(
                    reader.at(line, column),
                    f"The character U+{ord(text[error.position]):04X} cannot stand in YAML.",
                    'Leave it out, or write it as an escape in double quotes, such as "\\x07".',
                )
            ]
        ) from None
    except RecursionError:
        reader.fail(None, "Lists or tables are nested too deeply.")
    if node is None:
        reader.fail(None, "The file is empty.", "A scenario needs `to` and `steps`.")
    tree = reader.tree(node, 0)
    if reader.problems:
        raise ScenarioError(reader.problems)
    return tree


def plain(tree: Tree) -> Any:
    """Give the values alone: str, list and dict."""
    match tree:
        case Text():
            return tree.value
        case Items():
            return [plain(value) for value in tree.values]
        case Table():
            return {key: plain(value) for key, value in tree.values.items()}


_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
#: Python refuses to read whole numbers of thousands of digits.
_LONGEST_NUMBER: Final = 300
_WORDS: Final[dict[str, object]] = {"true": True, "false": False, "null": None}


def json_value(tree: Tree) -> Any:
    """Give it as JSON: a number, true, false or null without quotes is one, all else is text."""
    match tree:
        case Items():
            return [json_value(value) for value in tree.values]
        case Table():
            return {key: json_value(value) for key, value in tree.values.items()}
        case Text(value=value, plain=True) if value in _WORDS:
            return _WORDS[value]
        case Text(value=value, plain=True) if _NUMBER.fullmatch(value):
            return json.loads(value) if len(value) <= _LONGEST_NUMBER else value
        case Text():
            return tree.value


def place_of(tree: Tree, path: tuple[int | str, ...]) -> Place:
    """Find the place of what a path of keys and positions leads to, or of the nearest around it."""
    for step in path:
        match tree:
            case Table() if str(step) in tree.values:
                tree = tree.values[str(step)]
            case Items() if isinstance(step, int) and step < len(tree.values):
                tree = tree.values[step]
            case _:
                break
    return tree.place


class _Loader(yaml.BaseLoader):
    """Composes nodes, without the parts of YAML by which a file says something else than it shows."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose one node. Raises ComposerError for an alias, an anchor or a tag."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        for kind in ("anchor", "tag"):
            if name := getattr(event, kind, None):
                text = f"`{name}` is a tag" if kind == "tag" else f"`&{name}` is an anchor"
                if isinstance(event, yaml.AliasEvent):
                    text = f"`*{name}` is an alias"
                raise ComposerError(None, None, text, event.start_mark)
        return super().compose_node(parent, index)


@dataclass(slots=True)
class _Reader:
    """Turns nodes into trees and collects what is wrong with them."""

    origin: str
    lines: list[str]
    problems: list[Problem] = field(default_factory=list)

    def at(self, line: int, column: int) -> Place:
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Place(self.origin, line, column, source)

    def marked(self, mark: Mark | None) -> Place:
        return Place(self.origin) if mark is None else self.at(mark.line + 1, mark.column + 1)

    def fail(self, mark: Mark | None, what: str, fix: str = "") -> NoReturn:
        raise ScenarioError([Problem(self.marked(mark), what, fix)]) from None

    def tree(self, node: Node, depth: int) -> Tree:
        place = self.marked(node.start_mark)
        if depth > DEEPEST:
            self.fail(node.start_mark, "Lists or tables are nested too deeply.")
        match node:
            case SequenceNode():
                return Items([self.tree(child, depth + 1) for child in node.value], place)
            case MappingNode():
                return self.table(node, place, depth)
            case ScalarNode():
                line = self.lines[node.end_mark.line : node.end_mark.line + 1]
                rest = line[0][node.end_mark.column :] if line and node.style is None else ""
                comment = rest if rest.lstrip().startswith("#") and rest[:1].isspace() else ""
                return Text(self.characters(node), place, node.style is None, comment)
            case _:  # pragma: no cover -- there are three kinds of nodes
                raise TypeError(f"unknown node {node!r}")

    def characters(self, node: ScalarNode) -> str:
        """Join the halves of characters that were written as two escapes."""
        value: str = node.value
        try:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self.problems.append(
                Problem(
                    self.marked(node.start_mark),
                    "An escape from \\ud800 to \\udfff is half a character.",
                    "Write the character itself.",
                )
            )
            return ""

    def table(self, node: MappingNode, place: Place, depth: int) -> Table:
        table = Table({}, {}, place)
        for key, value in node.value:
            here = self.marked(key.start_mark)
            if not isinstance(key, ScalarNode):
                self.problems.append(Problem(here, "A key must be a word, not a list or a table."))
            elif key.value in table.values:
                self.problems.append(
                    Problem(
                        here,
                        f"`{key.value}` was given before, in line {table.keys[key.value].line}.",
                        "YAML would silently take the last one: remove one of them"
                        + (", or begin a new step with a dash." if depth else "."),
                    )
                )
            else:
                table.keys[key.value] = here
                table.values[key.value] = self.tree(value, depth + 1)
        return table


__all__ = ["Items", "Table", "Text", "Tree", "json_value", "parse_tree", "place_of", "plain"]
