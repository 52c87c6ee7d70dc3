"""What the bridge adds to the time of one webhook, at fixed rates far from saturation."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import Final

from benchmarks.figures import Spread, percentile
from benchmarks.load import Load
from benchmarks.report import Report, Row, judge
from benchmarks.rig import Rig, shuffled

__all__ = ["RATES", "measure_latency", "report_of"]

RATES: Final[tuple[int, ...]] = (200, 1_000)
_VARIANTS: Final[tuple[str, ...]] = ("bare", "bare_again", "direct", "bridge")
#: The bridge without a file: what the other one takes more is SQLite and the disk.
_IN_MEMORY: Final = "bridge_memory"
_LABELS: Final = {
    "bridge": "added by the bridge",
    _IN_MEMORY: "added by the bridge on the memory store",
    "bare_again": "noise: bare again",
}
_CALLERS: Final = 1_000
_CONNECTIONS: Final = 64
_MILLI: Final = 1e3
_AIMED_RATE: Final = 200
_AIMED_MS: Final = 0.5


def measure_latency(
    rig: Rig,
    runner: asyncio.Runner,
    *,
    rounds: int,
    seconds: float,
    only: tuple[str, ...] = _VARIANTS,
) -> Report:
    """Send 200 and 1,000 turns a second to each server in short windows, in shuffled order.

    A window lasts `seconds` at the higher rate and has as many turns at the lower one: of a few
    hundred turns the slowest hundredth is chance.

    The added time is the median of the differences of windows of the same round, which one stall of
    the machine cannot spoil; beside it is the difference of all windows together, which it can.
    """
    names = tuple(name for name in _VARIANTS if name in only)
    if "bridge" in names:
        names = (*names, _IN_MEMORY)
    loads: dict[str, Load] = {}
    for name in names:
        jobs = rig.jobs(name, _CALLERS, seed=2)
        server = rig.start(name, store="memory" if name == _IN_MEMORY else "sqlite")
        loads[name] = Load(server.port, jobs, connections=_CONNECTIONS)
        runner.run(loads[name].run_once())
        runner.run(loads[name].run_for(seconds / 2))
    gc.collect()
    gc.freeze()
    windows: dict[int, dict[str, list[list[float]]]] = {
        rate: {name: [] for name in names} for rate in RATES
    }
    source = random.Random(2)
    for _ in range(rounds):
        for rate in RATES:
            for name in shuffled(names, source):
                times = runner.run(loads[name].run_at(rate, seconds * max(RATES) / rate))
                windows[rate][name].append([time * _MILLI for time in times])
    for load in loads.values():
        runner.run(load.close())
    return report_of(windows)


def report_of(windows: dict[int, dict[str, list[list[float]]]]) -> Report:
    """Compare the windows, times in ms, by rate, server and round."""
    report = Report("Time of one turn at a fixed rate, ms from due to reply, 64 connections")
    for rate, of_rate in windows.items():
        pooled = {name: [t for window in each for t in window] for name, each in of_rate.items()}
        report.samples[str(rate)] = pooled
        for name, times in pooled.items():
            p50, p99, p999 = (percentile(times, percent) for percent in (50, 99, 99.9))
            text = f"p50 {p50:.2f}  p99 {p99:.2f}  p99.9 {p999:.2f}"
            report.add(f"{name} at {rate:,}/s", text, p99)
        for name in _LABELS:
            if name in pooled and "bare" in pooled:
                report.rows += _added(rate, name, pooled, of_rate)
    return report


def _added(
    rate: int, name: str, pooled: dict[str, list[float]], of_rate: dict[str, list[list[float]]]
) -> list[Row]:
    rows = []
    for percent in (50, 99):
        together = percentile(pooled[name], percent) - percentile(pooled["bare"], percent)
        by_round = Spread.of(
            [
                percentile(window, percent) - percentile(bare, percent)
                for window, bare in zip(of_rate[name], of_rate["bare"], strict=True)
            ]
        )
        value = by_round.median
        figure = f"{_LABELS[name]} over bare at {rate:,}/s, p{percent}"
        text = f"{by_round.text(2)}  (all rounds together {together:+.2f})"
        if (name, rate, percent) == ("bridge", _AIMED_RATE, 99):
            rows.append(judge(figure, text, value, most=_AIMED_MS))
        else:
            rows.append(Row(figure, text, value))
    return rows
