"""The body of `rt-bridge explore`: check the options, explore, report; gives the exit status."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from random import SystemRandom
from typing import Any, Final

import click

from bridge.simulator.faults import Fault, FaultError
from bridge.telemetry import configure_logging
from bridge.testing.contract import Contract
from bridge.testing.explore.exploring import Plan, explore
from bridge.testing.explore.report import (
    UNREACHABLE,
    exit_status,
    explore_command,
    print_report,
    to_json,
    write_files,
)
from bridge.testing.explore.watch import Limits
from bridge.testing.scenario.app_address import AddressError, check_app
from bridge.testing.scenario.playing import LARGEST_SEED, Options
from bridge.testing.scenario.report_text import tolerant

USAGE: Final = 2
HINT: Final = "Start it, or let rt-bridge start it with --app-command."


def explore_main(options: Options, given: Mapping[str, Any]) -> int:
    """Explore: 0 nothing found, 1 something, 2 wrong usage, 3 the app cannot be reached."""
    try:
        check_app(options)
        for fault in options.faults:
            Fault.parse(fault)
        Contract(allow=given["allow"])
    except (AddressError, FaultError, ValueError) as error:
        return _wrong(str(error))
    if given["fresh_app"] and not options.app_command:
        return _wrong("--fresh-app starts the app anew for each example: give --app-command too.")
    chosen = SystemRandom().randint(1, LARGEST_SEED) if options.seed is None else options.seed
    plan = Plan(
        replace(options, seed=chosen),
        max_examples=given["max_examples"],
        steps=given["steps"],
        allow=given["allow"],
        limits=Limits(given["repeats"], given["max_turns"]),
        fresh_app=given["fresh_app"],
        keep=given["keep"],
        shrink_s=given["shrink_s"],
    )
    # Hundreds of calls fail on purpose: what the bridge logs of them would hide what was found.
    verbose = given["verbose"]
    stream = sys.stderr.buffer if verbose else _Nowhere()
    configure_logging("console", "warning" if verbose else "error", stream=stream)
    progress = tolerant(sys.stderr)
    result = explore(plan, lambda text: print(text, file=progress, flush=True))
    try:
        files = write_files(result, given["scenarios"], options.trace)
    except OSError as error:
        return _wrong(f"What was found cannot be written: {error}")
    command = explore_command(plan)
    if given["output_format"] == "json":
        click.echo(to_json(result, files, command), nl=False)
    else:
        print_report(result, files, tolerant(sys.stdout), command)
    status = exit_status(result)
    if status == UNREACHABLE:
        hint = "" if options.app_command else HINT
        progress.write(f"{result.unreachable} {hint}".rstrip() + "\n")
    return status


class _Nowhere(BytesIO):
    """Takes what is logged and forgets it."""

    def write(self, data: Any, /) -> int:
        """Forget it."""
        return len(data)


def _wrong(sentence: str) -> int:
    tolerant(sys.stderr).write(f"{sentence}\n")
    return USAGE


__all__ = ["explore_main"]
