"""The report for people: each failure with its place, and a table that sums up."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from typing import IO, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.results import ScenarioResult, Status, StepResult, StepStatus

STYLES: Final[dict[Status | StepStatus, str]] = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "skipped": "yellow",
    "not run": "dim",
}
_INDENT: Final = "    "
#: Control characters, and those that turn the direction of writing.
_STEERING: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def make_console(stream: IO[str]) -> Console:
    """Give a console that colours on a terminal only, and not where NO_COLOR is set."""
    return Console(file=stream, highlight=False, soft_wrap=True, emoji=False, markup=False)


class Progress:
    """Says on standard error what is being played; `verbose` names every step."""

    def __init__(self, stream: IO[str], total: int, *, verbose: bool = False) -> None:
        self._console = make_console(stream)
        self._total = total
        self._verbose = verbose
        self._count = 0

    def begin(self, scenario: Scenario) -> None:
        """Announce a scenario."""
        self._count += 1
        line = f"[{self._count}/{self._total}] {scenario.name}"
        if self._verbose:
            self._console.print(Text(line, "bold"))
        elif self._console.is_terminal:
            self._passing(line)

    def step(self, result: StepResult) -> None:
        """Report a step."""
        step = result.step
        if self._verbose:
            name = f"{step.name}: " if step.name else ""
            line = Text(f"  {result.status:8}", STYLES[result.status])
            line.append(f"{result.at:8.1f} s  {step.number:3}  {name}{step.title}", "")
            self._console.print(line)
        elif self._console.is_terminal:
            self._passing(f"[{self._count}/{self._total}] {step.number:3}  {step.title}")

    def end(self, result: ScenarioResult) -> None:
        """Report a scenario."""
        if self._console.is_terminal and not self._verbose:
            self._passing("")
        line = Text(f"[{self._count}/{self._total}] ")
        line.append(result.status, STYLES[result.status])
        line.append(f"  {result.scenario.name}  ({_spent(result)})")
        self._console.print(line)

    def _passing(self, text: str) -> None:
        """Write a line that the next one replaces."""
        width = shutil.get_terminal_size().columns - 1
        self._console.file.write(f"\r{visible(text)[:width]:{width}}\r")
        self._console.file.flush()


def print_results(results: Sequence[ScenarioResult], stream: IO[str]) -> None:
    """Print what failed, then the table."""
    console = make_console(stream)
    for result in results:
        if result.status != "passed":
            _failure(result, console)
        for text in result.warnings:
            console.print(Text(f"warning  {result.scenario.name}: {text}", "yellow"))
    if console.is_terminal:
        console.print(_table(results))
    else:
        for line in _lines(results):
            stream.write(line.rstrip() + "\n")
    console.print(_sum(results))


def print_plan(scenarios: Sequence[Scenario], stream: IO[str]) -> None:
    """List scenarios and their steps without playing them."""
    console = make_console(stream)
    for scenario in scenarios:
        console.print(Text(f"{scenario.file}: {scenario.name}", "bold"))
        for step in scenario.steps:
            phone = f"{step.phone}: " if len(scenario.phones) > 1 else ""
            name = f"  [{step.name}]" if step.name else ""
            soft = "  (soft)" if step.soft else ""
            skipped = "  (skipped)" if step.number in scenario.skipped else ""
            console.print(f"  {step.number:3}  {phone}{step.title}{name}{soft}{skipped}")


def visible(text: str) -> str:
    """Keep what an app says from steering the terminal."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _failure(result: ScenarioResult, console: Console) -> None:
    console.print(Text(f"{result.status.upper()}  {result.scenario.name}", "bold red"))
    for where, text in result.messages():
        console.print(Text(f"  {visible(where)}", "bold"))
        for line in text.splitlines():
            console.print(Text((_INDENT + visible(line)).rstrip()))
    if result.app_said:
        console.print(Text("  the app has printed at last", "bold"))
        for line in result.app_said.splitlines():
            console.print(Text((_INDENT + visible(line)).rstrip()))
    console.print(f"  seed {result.seed}, profile {result.scenario.profile or 'normal'}")
    if result.reproduce and not any(result.reproduce in text for _, text in result.messages()):
        console.print(f"  again: {result.reproduce}")
    for file in result.files:
        console.print(f"  trace: {file}")
    console.print("")


def _columns(result: ScenarioResult) -> tuple[str, str, str, str, str]:
    done = f"{result.count('passed')}/{len(result.steps) - result.count('skipped')}"
    times = (f"{result.virtual_s:.1f} s", f"{result.real_s:.2f} s")
    return (result.status, result.scenario.name, done, *times)


_HEADS: Final = ("result", "scenario", "steps", "call time", "real time")


def _table(results: Sequence[ScenarioResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in _HEADS:
        right = head not in {"result", "scenario"}
        table.add_column(head, justify="right" if right else "left", no_wrap=right)
    for result in results:
        status, *rest = _columns(result)
        table.add_row(Text(status, STYLES[result.status]), *map(Text, rest))
    return table


def _lines(results: Sequence[ScenarioResult]) -> list[str]:
    rows = [_HEADS, *map(_columns, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)  # noqa: PLR2004 -- two of text
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _sum(results: Sequence[ScenarioResult]) -> Text:
    failed = [result for result in results if result.status != "passed"]
    word = "scenario" if len(results) == 1 else "scenarios"
    if failed:
        return Text(f"{len(failed)} of {len(results)} {word} failed", "bold red")
    return Text(f"{len(results)} {word} passed", "green")


def _spent(result: ScenarioResult) -> str:
    return f"{len(result.steps)} steps, {result.virtual_s:.1f} s of calls in {result.real_s:.2f} s"


def tolerant(stream: IO[str]) -> IO[str]:
    """Let a terminal that cannot show a character show a question mark in its place."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    return stream


def standard_error() -> IO[str]:
    """Give standard error as it is now; tests replace it."""
    return tolerant(sys.stderr)


__all__ = [
    "Progress",
    "make_console",
    "print_plan",
    "print_results",
    "standard_error",
    "tolerant",
]
