"""JSON paths that name members of a reply: `params.targets[0].number`, `variables.*`, `params["a b"]`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from bridge.errors import BridgeError

__all__ = ["JsonPath", "PathError", "Steps", "written"]

Steps = tuple[str | int, ...]
_ROOTS: Final = ("command", "params", "variables")
_NAME: Final = re.compile(r"[^\W\d][\w-]*")
_STEP: Final = re.compile(
    r"""
      \.? (?P<name> \* | [^\W\d][\w-]* )
    | \[ (?P<index> \* | 0 | [1-9][0-9]* ) \]
    | \[ (?P<quoted> "(?:[^"\\]|\\.)*" ) \]
    """,
    re.VERBOSE,
)


class PathError(BridgeError):
    """The text is no JSON path; the message shows where it stops being one."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path; None stands for any member (`*`). It covers everything below what it names."""

    text: str
    steps: tuple[str | int | None, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path, with or without `$.` in front. Raises PathError."""
        at = 2 if text.startswith("$.") else 0
        steps: list[str | int | None] = []
        while at < len(text):
            found = _STEP.match(text, at)
            if found is None or (text[at] == "." and not steps):
                raise PathError(
                    f"{text!r} is no JSON path from its character {at + 1} on; one looks like "
                    'params.targets[0].number, variables.* or params["a b"]'
                )
            steps.append(_step(found))
            at = found.end()
        if not steps or (steps[0] is not None and steps[0] not in _ROOTS):
            raise PathError(f"{text!r} must begin with one of {', '.join(_ROOTS)}")
        return cls(text, tuple(steps))

    def covers(self, steps: Steps) -> bool:
        """Tell whether a member is what the path names, or below it."""
        return len(self.steps) <= len(steps) and all(
            wanted is None or wanted == step
            for wanted, step in zip(self.steps, steps, strict=False)
        )


def written(steps: Steps) -> str:
    """Write the path of a member."""
    parts = [_part(step) for step in steps]
    return "".join(parts).removeprefix(".")


def _part(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _NAME.fullmatch(step) else f"[{json.dumps(step, ensure_ascii=False)}]"


def _step(found: re.Match[str]) -> str | int | None:
    kind: Literal["name", "index", "quoted"] = found.lastgroup  # type: ignore[assignment]
    value = found[kind]
    if value == "*":
        return None
    if kind == "index":
        return int(value)
    return str(json.loads(value)) if kind == "quoted" else value
