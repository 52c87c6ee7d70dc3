"""The body of `rt-bridge call`: one call, placed from the command line, and what happened in it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, Final, TypeVar

import click
from rich.console import Console

from bridge.simulator.callees import Answers
from bridge.simulator.causes import CALLER_HUNG_UP
from bridge.simulator.clock import StuckError, VirtualClock
from bridge.simulator.faults import Fault, FaultError
from bridge.simulator.inputs import HungUp
from bridge.simulator.line import Line
from bridge.simulator.report import print_timeline
from bridge.simulator.timeline import Entry
from bridge.telemetry import configure_logging
from bridge.testing.app_under_test import AppStartError
from bridge.testing.call import Call
from bridge.testing.failures import ExpectationError
from bridge.testing.rig import Rig, rig
from bridge.testing.scenario.app_address import AddressError, check_app
from bridge.testing.scenario.playing import LARGEST_SEED, Options, app_running, app_url
from bridge.testing.scenario.problems import did_you_mean
from bridge.testing.scenario.report_data import plain
from bridge.testing.scenario.report_text import tolerant
from bridge.testing.scenario.results import FAILED, PASSED, UNREACHABLE, WRONG
from bridge.testing.scenario.values import caller, keys, number, seconds

VERSION: Final = 1
#: Virtual s that an input waits for its turn, and that the call may go on after the last one.
PATIENCE_S: Final = 600.0
#: Fields of RT.Request that a caller decides about, and what sets them.
SETTABLE: Final = ("cli_name", "cli_number", "number", "date_started")
_DECIDED: Final = (
    "app",
    "callid",
    "request_hash",
    "command",
    "command_id",
    "command_result",
    "command_error",
    "call_status",
    "cdr_field",
    "variables",
)
_DATE: Final = "%Y-%m-%d %H:%M:%S"
ReadT = TypeVar("ReadT")


class OptionError(ValueError):
    """An option cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that the caller does when it is possible."""

    option: str
    text: str

    def __str__(self) -> str:
        return f"{self.option} {self.text}"


@dataclass(slots=True)
class Wish:
    """The call that is wanted; times in s."""

    caller: str
    called: str
    inputs: list[Input] = field(default_factory=list)
    answer_after: float | None = None
    hang_up_after: float | None = None
    caller_name: str | None = None
    started: float | None = None


@dataclass(slots=True)
class Outcome:
    """How it went; `unused` are options that had no effect, which fail the call."""

    seed: int
    entries: list[Entry] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def call(inputs: Sequence[tuple[str, str]], given: Mapping[str, Any], options: Options) -> int:
    """Place a call: 0 played, 1 the app or an unused option failed it, 2 wrong usage, 3 no app."""
    try:
        wish = read_wish(inputs, given)
        check_app(options)
        for fault in options.faults:
            Fault.parse(fault)
    except (OptionError, AddressError, FaultError) as error:
        tolerant(sys.stderr).write(f"{error}\n")
        return WRONG
    configure_logging("console", "error", stream=sys.stderr.buffer)
    seed = options.seed if options.seed is not None else SystemRandom().randint(1, LARGEST_SEED)
    try:
        outcome, made = asyncio.run(_place(wish, options, seed))
    except (AppStartError, StuckError) as error:
        tolerant(sys.stderr).write(f"{error}\n")
        return UNREACHABLE if isinstance(error, AppStartError) else FAILED
    failed = bool(outcome.unused or outcome.violations)
    if given["output_format"] == "json":
        click.echo(_json(outcome, wish), nl=False)
    else:
        console = Console(file=tolerant(sys.stdout), highlight=False, markup=False, soft_wrap=True)
        print_timeline(made.timeline, console)
        console.print("")
        for text in outcome.violations + outcome.unused:
            console.print(text, style="bold red")
        for text in outcome.warnings:
            console.print(text, style="yellow")
        console.print(f"seed {seed}, profile {options.profile or 'normal'}", style="dim")
    return FAILED if failed else PASSED


def read_wish(inputs: Sequence[tuple[str, str]], given: Mapping[str, Any]) -> Wish:
    """Check the options. Raises OptionError."""
    wish = Wish(
        _read("--from", given["caller"], caller),
        _read("--to", given["called"], number),
        answer_after=_seconds("--answer-after", given["answer_after"]),
        hang_up_after=_seconds("--hang-up-after", given["hang_up_after"]),
    )
    for option, text in inputs:
        if option == "--press":
            wish.inputs += [Input(option, _read(option, part, keys)) for part in text.split(",")]
        elif option == "--speak":
            _read(option, text, seconds)
            wish.inputs.append(Input(option, text))
        elif not text.strip():
            raise OptionError("--say must not be empty.")
        else:
            wish.inputs.append(Input(option, text))
    for text in given["variables"]:
        _set(wish, text)
    return wish


def _read(option: str, text: str, read: Callable[[str], ReadT]) -> ReadT:
    try:
        return read(text)
    except ValueError as error:
        raise OptionError(f"{option} {error}, but is “{text}”.") from None


def _seconds(option: str, text: str | None) -> float | None:
    return None if text is None else _read(option, text, seconds)


def _set(wish: Wish, text: str) -> None:
    """Set a field of RT.Request."""
    name, equals, value = text.partition("=")
    if not equals:
        raise OptionError(f"--var {text}: write NAME=VALUE, for example --var cli_name=Ann.")
    match name:
        case "cli_name":
            wish.caller_name = value
        case "cli_number":
            wish.caller = _read("--var cli_number", value, caller)
        case "number":
            wish.called = _read("--var number", value, number)
        case "date_started":
            try:
                wish.started = datetime.strptime(value, _DATE).replace(tzinfo=UTC).timestamp()
            except ValueError:
                raise OptionError(
                    f"--var date_started must be UTC such as 2026-01-05 10:00:00, but is “{value}”."
                ) from None
        case _ if name in _DECIDED:
            raise OptionError(
                f"--var {name}: the bridge decides about this field. "
                f"You can set {', '.join(SETTABLE)}."
            )
        case _:
            hint = did_you_mean(name, SETTABLE, "You can set")
            raise OptionError(f"--var {name}: RT.Request has no such field. {hint}")


async def _place(wish: Wish, options: Options, seed: int) -> tuple[Outcome, Rig]:
    outcome = Outcome(seed)
    clock = VirtualClock() if wish.started is None else VirtualClock(wish.started)
    async with (
        app_running(options) as base,
        rig(
            app_url(base, options.app),
            seed=seed,
            profile=options.profile or "normal",
            faults=options.faults,
            number=wish.called,
            clock=clock,
        ) as made,
    ):
        if wish.answer_after is not None:
            made.plivo.default_callee = Answers(wish.answer_after)
        placed = await made.phone(wish.caller).dial(wish.called, caller_name=wish.caller_name)
        line = placed.line
        if wish.hang_up_after is not None:
            made.plivo.later(wish.hang_up_after, lambda: _hang_up(line, "as --hang-up-after says"))
        await _live(placed, wish, outcome)
        if not await made.finish():
            outcome.violations.append("The call never ended, or the app was not told so.")
        if wish.answer_after is not None and not made.timeline.of("dials"):
            outcome.unused.append("--answer-after was not used: nobody was dialled.")
        outcome.entries = list(made.timeline.entries)
        found = made.contract.found
        outcome.violations += [str(one) for one in found if one.severity == "error"]
        outcome.warnings += [str(one) for one in found if one.severity == "warning"]
    return outcome, made


async def _live(placed: Call, wish: Wish, outcome: Outcome) -> None:
    """Do what the caller does, one input after the other, then let the call end."""
    clock = placed.rig.clock
    for position, one in enumerate(wish.inputs):
        try:
            await _do(placed, one)
        except ExpectationError as error:
            why = str(error).partition("\n")[0]
            rest = ", ".join(map(str, wish.inputs[position:]))
            outcome.unused.append(f"Not used: {rest}. {why}")
            break
    if not await clock.drive(placed.line.over.is_set, clock.now() + PATIENCE_S):
        _hang_up(placed.line, f"after {PATIENCE_S:g} s without an end")
    hung_up = any(entry.data.get("action") == "hang_up" for entry in placed.rig.timeline.of("does"))
    if wish.hang_up_after is not None and not hung_up:
        outcome.warnings.append("--hang-up-after was not needed: the call was over before.")


async def _do(placed: Call, one: Input) -> None:
    match one.option:
        case "--press":
            await placed.press(one.text, within=PATIENCE_S)
        case "--say":
            await placed.say(one.text, within=PATIENCE_S)
        case _:
            await placed.speak(seconds(one.text), within=PATIENCE_S)


def _hang_up(line: Line, why: str) -> None:
    if not line.over.is_set():
        line.add("does", f"hangs up, {why}", action="hang_up")
        line.post(HungUp(CALLER_HUNG_UP))


def _json(outcome: Outcome, wish: Wish) -> bytes:
    document = {
        "format": "plivo-rt-bridge/call",
        "version": VERSION,
        "from": wish.caller,
        "to": wish.called,
        "seed": outcome.seed,
        "unused": outcome.unused,
        "violations": outcome.violations,
        "warnings": outcome.warnings,
        "timeline": [entry.as_json() for entry in outcome.entries],
    }
    return (json.dumps(plain(document), ensure_ascii=False, indent=2) + "\n").encode()


__all__ = ["SETTABLE", "Input", "OptionError", "Wish", "call", "read_wish"]
