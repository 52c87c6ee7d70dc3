"""Comparing two replies by what they mean to the bridge, not by how they are spelt.

Params are compared as the command's own model reads them, defaults included. Everywhere "3" is 3,
[] is {}, "true" and 1 are true. Values that a recording has masked are compared by shape, and must
stand for the same value throughout a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from bridge.testing.recording.masks import HIDDEN, Level
from bridge.testing.recording.redactor import is_named_number, number_spans
from bridge.testing.turns import parsed
from bridge.testing.verify.paths import JsonPath, Steps, written
from mappings._kernel.errors import CommandRefused
from mappings._rt.media import LibraryMedia, NoMedia, TtsMedia
from mappings._rt.reader import read_response
from mappings.registry import newest

__all__ = ["ABSENT", "Difference", "Pairs", "compare_replies"]


class _Absent:
    """A member that one side has and the other has not."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()
_DIGITS: Final = re.compile("[0-9]+")
_TRUE: Final = ("true", "1")
_FALSE: Final = ("false", "0")
_GENERATED: Final = re.compile(r"(?<![A-Za-z0-9])[0-9]+(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Difference:
    """A member of a reply that is another than recorded; ABSENT where a side lacks it."""

    steps: Steps
    recorded: Any
    actual: Any

    @property
    def path(self) -> str:
        """Write the path of the member."""
        return written(self.steps)


@dataclass(slots=True)
class Pairs:
    """Which value of the app a masked value of the recording stands for, one for one.

    `level` is that of the recording, `callids` maps each recorded callid to the one in its place,
    both as text. `by_shape` counts the values compared by their shape.
    """

    level: Level = "none"
    callids: dict[str, str] = field(default_factory=dict)
    by_shape: int = 0
    _actual: dict[str, str] = field(default_factory=dict)
    _recorded: dict[str, str] = field(default_factory=dict)

    def same(self, name: str, recorded: Any, actual: Any) -> bool:
        """Tell whether two differing values of a member `name` may stand for each other."""
        if type(recorded) is not str or type(actual) is not str:
            if not (_is_number(recorded) or _is_number(actual)):
                return False
            recorded, actual = str(recorded), str(actual)
        renumbered = _GENERATED.sub(
            lambda match: self.callids.get(match.group(), match.group()), recorded
        )
        if renumbered == actual:
            return True
        if self.level == "none":
            return False
        if recorded == HIDDEN:
            self.by_shape += 1
            return True
        return self._same_shape(name, recorded, actual)

    def sent(self, recorded: str, actual: str) -> None:
        """Note which value the app got in the place of a recorded one."""
        self._pair(_compact(recorded), _compact(actual))

    def _same_shape(self, name: str, recorded: str, actual: str) -> bool:
        if is_named_number(name):
            spans = [(0, len(recorded))], [(0, len(actual))]
        else:
            spans = number_spans(recorded, self.level), number_spans(actual, self.level)
        if len(spans[0]) != len(spans[1]) or _rest(recorded, spans[0]) != _rest(actual, spans[1]):
            return False
        for (first, last), (start, end) in zip(*spans, strict=True):
            before, now = recorded[first:last], actual[start:end]
            if _DIGITS.sub("", before) != _DIGITS.sub("", now) or not _compact(now):
                return False
            if before != now and not self._pair(_compact(before), _compact(now)):
                return False
        self.by_shape += 1
        return True

    def _pair(self, recorded: str, actual: str) -> bool:
        if len(recorded) != len(actual):
            return False
        return (
            self._actual.setdefault(recorded, actual) == actual
            and self._recorded.setdefault(actual, recorded) == recorded
        )


def compare_replies(
    recorded: bytes, actual: bytes, pairs: Pairs, ignored: Iterable[JsonPath] = ()
) -> Iterator[Difference]:
    """Compare command, params and variables. Raises ReplyError for what is no RT.Response.

    `command_id` is the app's own matter: the call goes on with the one it sends.
    """
    before, now = read_response(recorded), read_response(actual)
    if before.command != now.command:
        found: Iterable[Difference] = [Difference(("command",), before.command, now.command)]
    else:
        params = _as_read(before.command, before.params), _as_read(now.command, now.params)
        if params[0] is None or params[1] is None:
            params = _set(before.params), _set(now.params)
        found = _differences(("params",), *params, pairs)
    variables = parsed(before.variables.encode()), parsed(now.variables.encode())
    paths = tuple(ignored)
    for difference in (*found, *_differences(("variables",), *variables, pairs)):
        if not any(path.covers(difference.steps) for path in paths):
            yield difference


def _as_read(command: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Give params as the command reads them, or None when it refuses them."""
    try:
        tree = _tree(newest(command).params.model_validate(params))
    except (CommandRefused, ValidationError):
        return None
    return tree if isinstance(tree, dict) else None


def _set(params: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null or empty, as every command does."""
    return {name: value for name, value in params.items() if value is not None and value != ""}


def _tree(value: Any) -> Any:
    match value:
        case BaseModel():
            return {name: _tree(getattr(value, name)) for name in type(value).model_fields}
        case list() | tuple():
            return [_tree(item) for item in value]
        case NoMedia():
            return ""
        case LibraryMedia(id=number):
            return number
        case TtsMedia(voice=voice, text=text):
            return f"TTS|{voice}|{text}"
        case _:
            return value


def _differences(steps: Steps, recorded: Any, actual: Any, pairs: Pairs) -> Iterator[Difference]:
    match recorded, actual:
        case (dict() | [], dict() | []):
            before, now = recorded or {}, actual or {}
            for name in dict.fromkeys((*before, *now)):
                yield from _differences(
                    (*steps, name), before.get(name, ABSENT), now.get(name, ABSENT), pairs
                )
        case (list(), list()):
            for index in range(max(len(recorded), len(actual))):
                before = recorded[index] if index < len(recorded) else ABSENT
                now = actual[index] if index < len(actual) else ABSENT
                yield from _differences((*steps, index), before, now, pairs)
        case _:
            name = next((step for step in reversed(steps) if isinstance(step, str)), "")
            if not _same(recorded, actual) and not pairs.same(name, recorded, actual):
                yield Difference(steps, recorded, actual)


def _same(recorded: Any, actual: Any) -> bool:
    if isinstance(recorded, bool) or isinstance(actual, bool):
        return _truth(recorded) is not None and _truth(recorded) is _truth(actual)
    if _is_number(recorded) != _is_number(actual):
        return str(recorded) == str(actual) and ABSENT not in (recorded, actual)
    return bool(recorded == actual)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compact(text: str) -> str:
    return "".join(_DIGITS.findall(text))


def _rest(text: str, spans: list[tuple[int, int]]) -> list[str]:
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)]
