"""Requests per second and CPU per request of every server, in alternated one-second samples."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import Final

from benchmarks.figures import Spread, ratios
from benchmarks.load import Load
from benchmarks.processes import Server
from benchmarks.report import Report, judge
from benchmarks.rig import ONE_HOP, VARIANTS, Rig, shuffled
from benchmarks.webhooks import fixed_turns
from benchmarks.wire import UnexpectedReply

__all__ = ["measure_throughput"]

_CALLERS: Final = 1_000
_MICRO: Final = 1e6


def measure_throughput(
    rig: Rig,
    runner: asyncio.Runner,
    *,
    rounds: int,
    seconds: float,
    only: tuple[str, ...] = VARIANTS,
) -> Report:
    """Sample every variant once a round, in shuffled order, at 32 connections.

    Raises `UnexpectedReply` when a reply is wrong, or when a turn did not ask the app exactly once.
    """
    limit = _generator_limit(rig, runner, seconds)
    servers = {name: rig.start(name) for name in only}
    loads = {name: Load(servers[name].port, rig.jobs(name, _CALLERS)) for name in only}
    for load in loads.values():
        # For the bridge this is the answer request of every call; for the others a first turn.
        runner.run(load.run_once())
        runner.run(load.run_for(seconds / 2))
    gc.collect()
    gc.freeze()
    rates: dict[str, list[float]] = {name: [] for name in only}
    costs: dict[str, list[float]] = {name: [] for name in only}
    source = random.Random(1)
    for _ in range(rounds):
        for name in shuffled(only, source):
            rate, cost = _sample(rig, runner, servers[name], loads[name], seconds)
            rates[name].append(rate)
            costs[name].append(cost)
    for load in loads.values():
        runner.run(load.close())
    return _report(rates, costs, limit)


def _sample(
    rig: Rig, runner: asyncio.Runner, server: Server, load: Load, seconds: float
) -> tuple[float, float]:
    """Give replies per second, and CPU microseconds per reply."""
    posts = rig.app_posts()
    cpu = server.cpu_seconds()
    sample = runner.run(load.run_for(seconds))
    cpu = server.cpu_seconds() - cpu
    asked = rig.app_posts() - posts
    if asked != (0 if server.name in ONE_HOP else sample.total):
        raise UnexpectedReply(
            f"{server.name} asked the app {asked} times in {sample.total} turns; must be once each."
        )
    return sample.rate, cpu / sample.total * _MICRO


def _generator_limit(rig: Rig, runner: asyncio.Runner, seconds: float) -> float:
    load = Load(rig.start("floor").port, fixed_turns(_CALLERS))
    samples = [runner.run(load.run_for(seconds)).rate for _ in range(3)]
    runner.run(load.close())
    return Spread.of(samples).median


def _report(rates: dict[str, list[float]], costs: dict[str, list[float]], limit: float) -> Report:
    report = Report("Throughput, 32 connections, one core", samples={"rps": rates, "cpu_us": costs})
    if "bridge" in rates:
        if "bare" in rates:
            spread = ratios(rates["bridge"], rates["bare"])
            report.rows.append(
                judge(
                    "bridge / bare two-hop proxy",
                    spread.text(2),
                    spread.median,
                    least=0.45,
                    aim=">= 0.45, target 0.60",
                )
            )
        if "naive" in rates:
            spread = ratios(rates["bridge"], rates["naive"])
            report.rows.append(
                judge("bridge / naive bridge", spread.text(1), spread.median, least=5)
            )
        if "direct" in rates:
            spread = ratios(rates["bridge"], rates["direct"])
            report.add("bridge / direct answer, no app", spread.text(2), spread.median)
    if {"bare", "bare_again"} <= rates.keys():
        spread = ratios(rates["bare_again"], rates["bare"])
        report.add("noise: bare again / bare", spread.text(2), spread.median)
    for name, values in rates.items():
        spread = Spread.of(values)
        report.add(f"{name}: requests/s", spread.text(0), spread.median)
    for name, values in costs.items():
        spread = Spread.of(values)
        report.add(f"{name}: CPU us/request", spread.text(0), spread.median)
    report.add("load generator against a trivial server: requests/s", f"{limit:,.0f}", limit)
    return report
