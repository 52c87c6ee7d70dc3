"""What a verification found, as text for people, as JSON and as JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from lxml import etree

from bridge.testing.verify.compare import ABSENT, Difference
from bridge.testing.verify.paths import written
from bridge.testing.verify.player import PlayedTurn, Verification

__all__ = ["as_json", "as_junit", "as_text"]

_SHOWN: Final = 500
_MARKS: Final = {"same": "=", "differs": "≠", "ignored": "·", "not compared": "?"}
_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(name: str, result: Verification) -> str:
    """Show each call with its turns, and under a turn the tree of what differs."""
    lines = []
    for call, turns in _by_call(result):
        lines.append(f"call {call} of {name}, played as callid {turns[0].callid}")
        for turn in turns:
            note = f"  ({turn.note})" if turn.note else ""
            lines.append(f"  {_MARKS[turn.verdict]} turn {turn.number}  {turn.asked}{note}")
            lines += [f"      {line}" for line in _tree(turn.differences)]
    if result.unreachable:
        lines.append(result.unreachable)
    lines.append(_summary(result) if result.turns else "No call was played.")
    if result.by_shape:
        lines.append(
            f"Note: {result.by_shape} values that the recording has masked were compared by shape."
        )
    lines += [f"Note: --ignore {path} matched no difference." for path in result.unused]
    return "\n".join(lines) + "\n"


def as_json(name: str, result: Verification) -> str:
    """Give everything as one JSON object; a side that lacks a member has no such key."""
    turns = [
        {
            "call": turn.call,
            "turn": turn.number,
            "callid": turn.callid,
            "asked": turn.asked,
            "verdict": turn.verdict,
            "differences": [_members(difference) for difference in turn.differences],
            "note": turn.note,
        }
        for turn in result.turns
    ]
    summary = {
        "recording": name,
        "same": result.same,
        "counts": {verdict: result.count(verdict) for verdict in _MARKS},  # type: ignore[arg-type]
        "unreachable": result.unreachable,
        "compared_by_shape": result.by_shape,
        "unused_ignores": list(result.unused),
    }
    return json.dumps(summary | {"turns": turns}, indent=2) + "\n"


def as_junit(name: str, result: Verification) -> str:
    """Give a test suite in which each turn is a test case."""
    suite = etree.Element(
        "testsuite",
        name=_xml(f"verify {name}"),
        tests=str(len(result.turns) + bool(result.unreachable)),
        failures=str(result.count("differs")),
        errors=str(int(bool(result.unreachable))),
        skipped=str(result.count("not compared")),
    )
    for turn in result.turns:
        title = f"turn {turn.number}: {turn.asked}"
        case = etree.SubElement(
            suite, "testcase", classname=_xml(f"{name}.call {turn.call}"), name=_xml(title)
        )
        if turn.verdict == "differs":
            paths = ", ".join(_path(difference) for difference in turn.differences)
            failure = etree.SubElement(case, "failure", message=_xml(f"differs in {paths}"))
            failure.text = _xml("\n".join(_tree(turn.differences)))
        elif turn.verdict == "not compared":
            etree.SubElement(case, "skipped", message=_xml(turn.note))
    if result.unreachable:
        case = etree.SubElement(suite, "testcase", classname=_xml(name), name="the app is reached")
        etree.SubElement(case, "error", message=_xml(result.unreachable))
    root = etree.Element("testsuites")
    root.append(suite)
    document: str = etree.tostring(root, pretty_print=True, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'


def _by_call(result: Verification) -> Iterator[tuple[int, list[PlayedTurn]]]:
    ordered = sorted(result.turns, key=lambda turn: (turn.call, turn.number))
    for call, turns in groupby(ordered, key=lambda turn: turn.call):
        yield call, list(turns)


def _summary(result: Verification) -> str:
    calls = len({turn.call for turn in result.turns})
    compared = result.count("same") + result.count("differs")
    parts = [f"{result.count('same')} of {compared} compared turns are as recorded"]
    if differing := result.count("differs"):
        parts.append(f"{differing} {'differs' if differing == 1 else 'differ'}")
    if skipped := result.count("not compared"):
        parts.append(f"{skipped} could not be compared")
    return f"{calls} call{'' if calls == 1 else 's'}: {', '.join(parts)}."


def _tree(differences: tuple[Difference, ...]) -> list[str]:
    """Show differing members below the members that lead to them, each of these once."""
    lines: list[str] = []
    open_path: tuple[str | int, ...] = ()
    for difference in differences:
        steps = difference.steps or ("reply",)
        for depth, step in enumerate(steps):
            if open_path[: depth + 1] != steps[: depth + 1]:
                lines.append(f"{'  ' * depth}{written((step,))}")
        open_path = steps
        indent = "  " * len(steps)
        lines.append(f"{indent}recorded  {_shown(difference.recorded)}")
        lines.append(f"{indent}now       {_shown(difference.actual)}")
    return lines


def _shown(value: Any) -> str:
    if value is ABSENT:
        return repr(ABSENT)
    text = json.dumps(value, ensure_ascii=False)
    text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _path(difference: Difference) -> str:
    return difference.path or "the reply"


def _members(difference: Difference) -> dict[str, Any]:
    sides = {"recorded": difference.recorded, "actual": difference.actual}
    return {"path": difference.path} | {
        side: value for side, value in sides.items() if value is not ABSENT
    }


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
