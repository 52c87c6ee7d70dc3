"""Play scenarios against an app, one after the other, and keep traces and recordings of them."""

from __future__ import annotations

import asyncio
import shlex
import signal
import threading
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Protocol
from urllib.parse import urlsplit

from bridge.errors import BridgeError
from bridge.simulator.clock import StuckError
from bridge.testing.app_under_test import AppStartError, Served, serving
from bridge.testing.recording.format import RecordingError
from bridge.testing.recording.recorder import Recorder
from bridge.testing.rig import Rig
from bridge.testing.scenario.model import ProfileName, Scenario
from bridge.testing.scenario.results import ScenarioResult, StepResult
from bridge.testing.scenario.rigging import standing
from bridge.testing.scenario.runner import play
from bridge.testing.traces import write_trace

#: Seeds that are chosen have at most so many digits, to be copied by hand.
LARGEST_SEED = 999_999


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; it wins over the files, and its faults come in addition.

    `app` is a URL, or the path of one when `app_command` starts the app.
    """

    app: str = ""
    app_command: str = ""
    seed: int | None = None
    profile: ProfileName | None = None
    faults: tuple[str, ...] = ()
    trace: Path | None = None
    record: Path | None = None


class KeepingError(BridgeError):
    """A trace or a recording cannot be written; the message says which and why."""


class Watching(Protocol):
    """Is told how it goes."""

    def begin(self, scenario: Scenario) -> None:
        """Hear that a scenario begins."""

    def step(self, result: StepResult) -> None:
        """Hear how a step went."""

    def end(self, result: ScenarioResult) -> None:
        """Hear how a scenario went."""


async def play_all(
    scenarios: Sequence[Scenario],
    options: Options,
    results: list[ScenarioResult],
    watching: Watching,
) -> None:
    """Play them all; `results` grows meanwhile.

    Raises KeepingError, and AppStartError as soon as the app cannot be started or reached; the result of the
    scenario at hand then has the sentence as its error.
    """
    async with app_serving(options) as served:
        for scenario in scenarios:
            chosen = replace(
                scenario,
                profile=options.profile or scenario.profile,
                faults=scenario.faults + options.faults,
            )
            seed = next(
                (s for s in (options.seed, scenario.seed) if s is not None),
                SystemRandom().randint(1, LARGEST_SEED),
            )
            result = ScenarioResult(chosen, seed)
            result.reproduce = _command(scenario, options, seed)
            results.append(result)
            watching.begin(chosen)
            try:
                url = app_url(served.url, options.app or scenario.app)
                await _play(result, url, options, watching)
            except AppStartError as error:
                result.error = str(error)
                raise
            except asyncio.CancelledError:
                result.error = "It was interrupted."
                raise
            finally:
                result.app_said = served.said() if result.status != "passed" else ""
                watching.end(result)


@asynccontextmanager
async def app_running(options: Options) -> AsyncIterator[str]:
    """Start the app when it is given as a command; gives its address, "" when it runs already."""
    async with app_serving(options) as served:
        yield served.url


@asynccontextmanager
async def app_serving(options: Options) -> AsyncIterator[Served]:
    """Start the app when it is given as a command; the address is "" when it runs already.

    Raises AppStartError.
    """
    if not options.app_command:
        yield Served("")
        return
    given = options.app if "://" in options.app else ""
    port = urlsplit(given).port if given else None
    with _ended_in_good_order():
        async with serving(options.app_command, port=port) as served:
            yield served


@contextmanager
def _ended_in_good_order() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, so that the app is not left behind when a CI job is cancelled."""
    of_nobody_else = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not of_nobody_else or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def app_url(base: str, given: str) -> str:
    """Give the URL of the app: as given, or on the address of the command that was started."""
    if not base:
        return given
    if "://" not in given:
        return base + given
    parts = urlsplit(given)
    return base + parts.path + (f"?{parts.query}" if parts.query else "")


async def _play(result: ScenarioResult, url: str, options: Options, watching: Watching) -> None:
    started = datetime.now(UTC)
    async with standing(result.scenario, url, result.seed, result.reproduce) as stand:
        recorder = Recorder(options.record) if options.record else None
        if recorder is not None:
            stand.timeline.listeners.append(recorder.entry)
        try:
            await play(stand, result, watching.step)
        except AppStartError:
            raise
        except StuckError as error:
            result.error = str(error)
        except Exception:  # noqa: BLE001 -- one scenario must not take the others down
            result.error = f"A fault of the simulation:\n{traceback.format_exc()}"
        try:
            if options.trace is not None:
                result.files += _traced(options.trace, result, stand.rig, started)
            if recorder is not None:
                recorder.close()
        except (OSError, RecordingError) as error:
            what = f"{options.trace or options.record}"
            raise KeepingError(f"Nothing can be kept in {what}: {error}") from None


def _traced(folder: Path, result: ScenarioResult, rig: Rig, started: datetime) -> list[str]:
    """Write the trace of a scenario; its title has the file, which makes it unique."""
    failed = next((one for one in result.steps if one.status == "failed"), None)
    page = write_trace(
        rig,
        folder,
        f"{result.scenario.file}: {result.scenario.name}",
        started=started,
        failure="\n\n".join(f"{where}\n{text}" for where, text in result.messages()),
        marker=None if failed is None else failed.entry,
    )
    return [str(page), str(page.with_suffix(".json"))]


def _command(scenario: Scenario, options: Options, seed: int) -> str:
    """Write the command that plays one scenario again in the same way."""
    words = ["rt-bridge", "simulate", scenario.file]
    for name, value in (
        ("--app", options.app),
        ("--app-command", options.app_command),
        ("--seed", str(seed)),
        ("--profile", options.profile or ""),
        *(("--fault", fault) for fault in options.faults),
    ):
        words += [name, value] if value else []
    return shlex.join([*words, *scenario.arguments])


__all__ = [
    "LARGEST_SEED",
    "KeepingError",
    "Options",
    "Watching",
    "app_running",
    "app_serving",
    "app_url",
    "play_all",
]
