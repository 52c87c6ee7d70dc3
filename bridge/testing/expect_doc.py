"""Writes docs/expect.md from the methods of phones, calls and rigs: `python -m bridge.testing.expect_doc`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, Final

from bridge.testing.call import Call
from bridge.testing.phone import CalleeSetting, Phone
from bridge.testing.rig import Rig
from bridge.testing.wants import SOURCES

TARGET: Final = Path(__file__).parents[2] / "docs" / "expect.md"
_HEAD: Final = """# What a call can do and be expected to do

Written from the code by `python -m bridge.testing.expect_doc`; docs/testing.md is the place to begin.
Calls of `sync_phone` have the same methods without `await`.

- An action waits until the call accepts it, an expectation until what it names has happened: at most `within` seconds of the simulation, which take no real time.
- What one expectation has matched is not matched again by the same kind of expectation.
- `expect_no_…` makes sure that nothing of the kind has happened since the last match, nor does within `within` seconds more.
- `call.soft.expect_…` notes a failure and goes on; the test fails at its end.
- Texts match when they are part of what is heard; `re.compile(…)` searches.
- A failure is an `AssertionError` with the nearest candidate, the timeline, the seed and the command that repeats it.
"""
_WORDS: Final = f"""`by` is one of {", ".join(f"`{name}`" for name in SOURCES)}.
States of a party are `ringing`, `answered`, `connected`, `busy`, `no-answer`, `rejected`, `failed`, `cancelled` and `ended`.
"""


def page() -> str:
    """Give the text of the page."""
    negative = [name for name in _public(Call) if name.startswith("expect_no_")]
    expectations = [
        name for name in _public(Call) if name.startswith("expect_") and name not in negative
    ]
    actions = [name for name in _public(Call) if not name.startswith("expect_")]
    parts = [
        _HEAD,
        _table("Phone", Phone, _public(Phone)),
        _table("Call: actions", Call, actions),
        _table("Call: expectations", Call, expectations),
        _WORDS,
        _table("Call: negative twins", Call, negative),
        _table(
            "Numbers that are dialled: `rig.callee(number)`", CalleeSetting, _public(CalleeSetting)
        ),
        _table("Rig", Rig, [name for name in _public(Rig) if name not in {"heard", "call_of"}]),
    ]
    return "\n".join(parts)


def _public(owner: type[Any]) -> list[str]:
    found = [
        name
        for name, value in inspect.getmembers(owner)
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    ]
    return sorted(found)


def _table(title: str, owner: type[Any], names: list[str]) -> str:
    rows = [f"## {title}", "", "| | |", "|---|---|"]
    for name in names:
        value = getattr(owner, name)
        doc = (inspect.getdoc(value) or "").splitlines()[0]
        shown = name if isinstance(value, property) else f"{name}{_signature(value)}"
        rows.append(f"| `{_cell(shown)}` | {_cell(doc)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    # A bar would end the cell.
    return text.replace("|", "\\|")


def _signature(function: Any) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    text = str(inspect.Signature(parameters))
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    return text.replace("wants.", "").replace("Wanted", "str | re.Pattern")


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
