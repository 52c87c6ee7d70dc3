"""A story as a test for pytest, formatted as ruff and black format it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.cells import cell_len

from bridge.testing.codegen.story import MASKS, REAL_ONES, Step, Story

__all__ = ["literal", "python_code"]

#: Columns, the default of ruff and black.
_WIDTH: Final = 88
_INDENT: Final = "    "
_NOT_IN_NAMES: Final = re.compile("[^a-z0-9]+")


def python_code(story: Story, title: str, redact: str) -> str:
    """Write a module with one test; `title` names the recording and its call."""
    docstring = " ".join("".join(_in_docstring(c) for c in title).split())
    caller = {"from_": story.caller} if story.caller else {"from_": "anonymous"}
    if story.caller_name:
        caller["caller_name"] = story.caller_name
    lines = [f'"""A test of the app, made from {docstring}."""', ""]
    if story.called:
        lines += ["import pytest", ""]
    if redact != "none":
        lines += [f"# {MASKS.format(redact)}", f"# {REAL_ONES}", ""]
    lines.append("")
    if story.called:
        # Any number leads to the app; so the account has this one from the beginning.
        lines.append(f"@pytest.mark.rt(number={literal(story.called)})")
    lines.append(f"async def test_{_name(title)}(phone):")
    lines.append(f'{_INDENT}"""The call goes as it was recorded."""')
    lines += _call("call = await phone.dial", (story.called,) if story.called else (), caller)
    for chapter in story.chapters:
        lines += ["", f"{_INDENT}# {chapter.title}"]
        for step in chapter.steps:
            lines += _step(step)
    return "\n".join(lines) + "\n"


def literal(value: Any) -> str:
    """Write a value as Python, strings as formatters leave them."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)


def _string(text: str) -> str:
    # Formatters keep single quotes only where they save escapes.
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_character(c, quote) for c in text) + quote


def _character(character: str, quote: str) -> str:
    if character in {quote, "\\"}:
        return f"\\{character}"
    if character.isprintable():
        return character
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or _escaped(character)


def _escaped(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:  # noqa: PLR2004 -- the largest \x escape
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 -- as above


def _in_docstring(character: str) -> str:
    return " " if character in {'"', "\\"} or not character.isprintable() else character


def _name(title: str) -> str:
    name = _NOT_IN_NAMES.sub("_", title.lower()).strip("_") or "call"
    return f"{name}_" if keyword.iskeyword(name) else name


def _step(step: Step) -> list[str]:
    who = f"call.leg({step.leg})" if step.leg else "call"
    return _call(f"await {who}.{step.method}", step.positional, step.named)


def _call(function: str, positional: Sequence[Any], named: Any) -> list[str]:
    """Write a call on one line, or with its arguments on the next, or one a line."""
    arguments = [*map(literal, positional), *(f"{k}={literal(v)}" for k, v in named.items())]
    joined = ", ".join(arguments)
    line = f"{_INDENT}{function}({joined})"
    if cell_len(line) <= _WIDTH or not arguments:
        return [line]
    inner = f"{_INDENT * 2}{joined}"
    if cell_len(inner) <= _WIDTH:
        return [f"{_INDENT}{function}(", inner, f"{_INDENT})"]
    return [f"{_INDENT}{function}(", *_one_a_line(arguments), f"{_INDENT})"]


def _one_a_line(arguments: Sequence[str]) -> Iterator[str]:
    # A lone string cannot be split, and formatters add no comma after it.
    comma = "" if len(arguments) == 1 else ","
    for argument in arguments:
        yield f"{_INDENT * 2}{argument}{comma}"
