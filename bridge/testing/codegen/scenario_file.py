"""A story as a scenario file."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import yaml

from bridge.testing.codegen.story import MASKS, REAL_ONES, Step, Story
from bridge.testing.scenario.expectations import Expectation
from bridge.testing.scenario.model import verbs
from bridge.testing.scenario.steps import spoken

__all__ = ["scenario_file"]

_VERBS: Final = verbs()
_SECONDS: Final = frozenset({"speak", "make_noise", "wait"})
_PATTERNS: Final = frozenset({"expect_prompt", "expect_played"})
_LIKE_A_PATTERN: Final = re.compile("/.+/i?", re.DOTALL)


def scenario_file(story: Story, title: str, redact: str) -> str:
    """Write a scenario; `title` names the recording and its call."""
    head: dict[str, Any] = {"name": _line(title)}
    if redact != "none":
        head["description"] = f"{MASKS.format(redact)} {REAL_ONES}"
    head["from"] = story.caller or "anonymous"
    if story.called:
        head["to"] = story.called
    if story.caller_name:
        head["caller name"] = _line(story.caller_name)
    names: Counter[str] = Counter()
    steps: list[dict[str, Any]] = [{"name": "the phone calls", "dial": None}]
    for chapter in story.chapters:
        for step in chapter.steps:
            named = {"name": _unique(chapter.title, step, names)}
            steps += [named | _step(step)]
    return f"{_dumped(head)}\n{_dumped({'steps': steps})}"


def _dumped(value: dict[str, Any]) -> str:
    text: str = yaml.dump(value, sort_keys=False, allow_unicode=True, width=10_000, Dumper=_Dumper)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, and nothing for an action without options."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 -- as inherited
        """Indent lists below their key."""
        super().increase_indent(flow, False)  # noqa: FBT003 -- as inherited


_Dumper.add_representer(
    type(None), lambda dumper, _value: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)


def _unique(title: str, step: Step, names: Counter[str]) -> str:
    """Name a step, so that it can be chosen by its name."""
    name = f"{title}: {_verb(step)}"
    names[name] += 1
    return name if names[name] == 1 else f"{name} {names[name]}"


def _verb(step: Step) -> str:
    return step.method.replace("_", " ")


def _step(step: Step) -> dict[str, Any]:
    verb = _verb(step)
    model = _VERBS[verb][0]
    ordered = model.ordered if issubclass(model, Expectation) else (model.main,)
    options: dict[str, Any] = {
        spoken(name): _value(step, value)
        for name, value in zip(ordered, step.positional, strict=False)
    }
    options |= {spoken(name): _value(step, value) for name, value in step.named.items()}
    within = options.pop("within", None)
    if step.leg:
        options["leg"] = step.leg
    only = next(iter(options.values())) if list(options) == [spoken(model.main)] else options
    written = {verb: only or None}
    return written if within is None else written | {"within": f"{within}s"}


def _value(step: Step, value: Any) -> Any:
    if step.method in _SECONDS and not isinstance(value, str):
        return f"{value:g}s"
    if isinstance(value, tuple):
        return [_line(item) for item in value]
    if not isinstance(value, str):
        return value
    pattern = step.method in _PATTERNS and _LIKE_A_PATTERN.fullmatch(value)
    return f"/{re.escape(_line(value))}/" if pattern else _line(value)


def _line(text: str) -> str:
    """Leave out what YAML cannot hold or a scenario would not read back."""
    return "".join(c if c.isprintable() else " " for c in text)
