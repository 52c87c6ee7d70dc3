"""The body of `rt-bridge simulate`: read, play, report; gives the exit status."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import click

from bridge.simulator.faults import Fault, FaultError
from bridge.telemetry import configure_logging
from bridge.testing.app_under_test import AppStartError
from bridge.testing.scenario.app_address import AddressError, check_app
from bridge.testing.scenario.files import load
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.overrides import Override, select
from bridge.testing.scenario.playing import KeepingError, Options, play_all
from bridge.testing.scenario.problems import ScenarioError
from bridge.testing.scenario.report_data import step_data, to_json, to_junit
from bridge.testing.scenario.report_text import (
    Progress,
    print_plan,
    print_results,
    tolerant,
)
from bridge.testing.scenario.results import UNREACHABLE, WRONG, ScenarioResult, exit_status

Format = Literal["text", "json", "junit"]
HINT: Final = "Start it, or let rt-bridge start it with --app-command."


@dataclass(frozen=True, slots=True)
class Choice:
    """Which scenarios and steps, and how they are reported."""

    files: Sequence[Path]
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    overrides: Sequence[str] = ()
    output_format: Format = "text"
    output: Path | None = None
    only_list: bool = False
    verbose: bool = False


def simulate(choice: Choice, options: Options) -> int:
    """Play scenarios: 0 all passed, 1 one failed, 2 wrong usage, 3 the app cannot be reached."""
    try:
        scenarios = _scenarios(choice)
        if choice.only_list:
            _list(scenarios, choice)
            return 0
        for scenario in scenarios:
            check_app(options, scenario)
        for fault in options.faults:
            Fault.parse(fault)
    except (ScenarioError, AddressError, FaultError) as error:
        return _wrong(str(error))
    if options.record is not None and len(scenarios) > 1:
        return _wrong(
            f"--record keeps one scenario, and these are {len(scenarios)}: choose one with --only."
        )
    configure_logging("console", "warning" if choice.verbose else "error", stream=sys.stderr.buffer)
    results: list[ScenarioResult] = []
    progress = Progress(tolerant(sys.stderr), len(scenarios), verbose=choice.verbose)
    try:
        asyncio.run(play_all(scenarios, options, results, progress))
        status = exit_status(results)
    except AppStartError as error:
        sys.stderr.write(f"{error} {HINT if not options.app_command else ''}".rstrip() + "\n")
        status = UNREACHABLE
    except KeepingError as error:
        return _wrong(str(error))
    try:
        _report(results, status, choice)
    except OSError as error:
        return _wrong(f"The report cannot be written: {error}")
    return status


def _scenarios(choice: Choice) -> list[Scenario]:
    scenarios = load(choice.files, [Override.parse(text) for text in choice.overrides])
    return select(scenarios, choice.only, choice.skip)


def _report(results: Sequence[ScenarioResult], status: int, choice: Choice) -> None:
    if choice.output_format != "text":
        machine = choice.output_format == "json"
        content = to_json(results, status) if machine else to_junit(results)
        if choice.output is None:
            _bytes(content)
            return
        choice.output.write_bytes(content)
    elif choice.output is not None:
        with choice.output.open("w", encoding="utf-8", errors="replace") as file:
            print_results(results, file)
    if results:
        print_results(results, tolerant(sys.stdout))


def _list(scenarios: Sequence[Scenario], choice: Choice) -> None:
    if choice.output_format == "json":
        plan = [
            {
                "name": scenario.name,
                "file": scenario.file,
                "steps": [
                    step_data(step) | {"skipped": step.number in scenario.skipped}
                    for step in scenario.steps
                ],
            }
            for scenario in scenarios
        ]
        _bytes((json.dumps(plan, ensure_ascii=False, indent=2) + "\n").encode())
    else:
        print_plan(scenarios, tolerant(sys.stdout))


def _bytes(content: bytes) -> None:
    """Write UTF-8 whatever the terminal's encoding is: programs read it."""
    click.echo(content, nl=False)


def _wrong(sentence: str) -> int:
    tolerant(sys.stderr).write(f"{sentence}\n")
    return WRONG


__all__ = ["Choice", "Format", "simulate"]
