"""What an exploration found, for people and as JSON, with its files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from rich.text import Text

from bridge.simulator.timeline import Entry
from bridge.testing.explore.exploring import Exploration, Found, Plan
from bridge.testing.explore.watch import ENDLESS, LOOP
from bridge.testing.scenario.report_text import make_console, visible
from bridge.testing.traces import write_trace

NOTHING: Final = 0
FOUND: Final = 1
UNREACHABLE: Final = 3
#: Columns of a line of the timeline, and how many lines are shown.
_WIDTH: Final = 140
_LINES: Final = 40


def exit_status(result: Exploration) -> int:
    """Give what the process ends with."""
    if result.found:
        return FOUND
    return UNREACHABLE if result.unreachable else NOTHING


def write_files(result: Exploration, folder: Path, traces: Path | None) -> dict[str, list[Path]]:
    """Write a scenario of each failure, and its trace; give the paths by code. Raises OSError."""
    files: dict[str, list[Path]] = {}
    for found in result.found:
        code = found.finding.code
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{code}.yaml"
        path.write_text(found.scenario, encoding="utf-8")
        files[code] = [path]
        if traces is not None:
            found.rig.reproduce = simulate_command(result.plan, path)
            page = write_trace(
                found.rig,
                traces,
                f"explore {code}",
                started=datetime.now(UTC),
                failure=found.finding.sentence,
                marker=min(found.finding.entry, len(found.rig.timeline.entries) - 1),
            )
            files[code].append(page)
    return files


def print_report(
    result: Exploration, files: Mapping[str, list[Path]], stream: IO[str], command: str
) -> None:
    """Print what was found: the shortest call of each kind, its timeline, and how to repeat it."""
    console = make_console(stream)
    for found in result.found:
        _print_found(result, found, files.get(found.finding.code, []), stream)
    if result.unreachable:
        console.print(Text(visible(result.unreachable), "bold red"))
    elif result.stopped:
        console.print(Text(visible(result.stopped), "yellow"))
    plan = result.plan
    options = plan.app
    faults = f", faults {' '.join(options.faults)}" if options.faults else ""
    console.print(
        f"{result.calls} calls in {result.examples} examples of up to {plan.steps} steps; "
        f"seed {plan.seed}, profile {options.profile or 'normal'}{faults}"
    )
    if result.found:
        codes = ", ".join(found.finding.code for found in result.found)
        console.print(Text(f"found {codes}", "bold red"))
        console.print(f"The same again: {command}")
    elif not result.unreachable:
        console.print(Text("nothing found", "green"))


def _print_found(result: Exploration, found: Found, files: list[Path], stream: IO[str]) -> None:
    console = make_console(stream)
    console.print(Text(found.finding.code, "bold red"))
    console.print(f"  {visible(found.finding.sentence)}")
    console.print(Text("  The shortest call that was found:", "bold"))
    for number, step in enumerate(found.steps, 1):
        console.print(f"  {number:4}. {step}")
    if found.finding.code in {LOOP, ENDLESS}:
        console.print("        Nobody does anything any more.")
    console.print(Text("  What happened:", "bold"))
    entries = found.rig.timeline.entries
    shown = entries[max(0, found.finding.entry + 1 - _LINES) : found.finding.entry + 1]
    for entry in shown or entries[-_LINES:]:
        console.print(Text(_line(entry)))
    for path in files:
        name = "scenario" if path.suffix == ".yaml" else "trace"
        console.print(f"  {name}: {path}")
    if not found.repeats:
        console.print(
            "  Its scenario did not fail when it was played again: "
            "the app may remember earlier calls, or the time of day."
        )
    elif files:
        console.print(f"  again: {simulate_command(result.plan, files[0])}")
    console.print("")


def _line(entry: Entry) -> str:
    who = f"{entry.call}.{entry.leg}"
    text = visible(f"    {entry.at:8.1f} s  {who:5}{entry.kind:8}{entry.text}")
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def to_json(result: Exploration, files: Mapping[str, list[Path]], command: str) -> bytes:
    """Write the report for programs."""
    plan = result.plan
    data: dict[str, Any] = {
        "status": exit_status(result),
        "seed": plan.seed,
        "profile": plan.app.profile or "normal",
        "faults": list(plan.app.faults),
        "examples": result.examples,
        "calls": result.calls,
        "stopped": result.stopped,
        "unreachable": result.unreachable,
        "reproduce": command,
        "found": [_found_data(found, files) for found in result.found],
    }
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode()


def _found_data(found: Found, files: Mapping[str, list[Path]]) -> dict[str, Any]:
    return {
        "code": found.finding.code,
        "sentence": found.finding.sentence,
        "steps": [
            {"action": step.verb, "phone": step.phone, "options": dict(step.options)}
            for step in found.steps
        ],
        "repeats": found.repeats,
        "scenario": found.scenario,
        "files": [str(path) for path in files.get(found.finding.code, [])],
        "timeline": [entry.as_json() for entry in found.rig.timeline.entries],
    }


def simulate_command(plan: Plan, path: Path) -> str:
    """Write the command that plays the scenario of a failure."""
    words = ["rt-bridge", "simulate", str(path), *_app_words(plan)]
    return shlex.join(words)


def explore_command(plan: Plan) -> str:
    """Write the command that explores in the same way."""
    options = plan.app
    standard = replace(plan, max_examples=100, steps=20)
    words = ["rt-bridge", "explore", *_app_words(plan), "--seed", str(plan.seed)]
    for name, value, usual in (
        ("--max-examples", plan.max_examples, standard.max_examples),
        ("--steps", plan.steps, standard.steps),
        ("--repeats", plan.limits.repeats, 10),
        ("--max-turns", plan.limits.turns, 100),
    ):
        words += [name, str(value)] if value != usual else []
    words += ["--profile", options.profile] if options.profile else []
    words += [word for fault in options.faults for word in ("--fault", fault)]
    words += [word for code in plan.allow for word in ("--allow", code)]
    words += ["--fresh-app"] if plan.fresh_app else []
    return shlex.join(words)


def _app_words(plan: Plan) -> list[str]:
    words = ["--app", plan.app.app] if plan.app.app else []
    return words + (["--app-command", plan.app.app_command] if plan.app.app_command else [])


__all__ = [
    "FOUND",
    "NOTHING",
    "UNREACHABLE",
    "exit_status",
    "explore_command",
    "print_report",
    "simulate_command",
    "to_json",
    "write_files",
]
