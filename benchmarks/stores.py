"""Turns per second on each store, and with two workers on one, beside the bare pass-through.

The Valkey has the core of the load, as one on another machine would leave the bridge's alone. Two
workers (`rt-bridge serve --workers 2`) have two cores where there are three; on two they share them
with the load, and then only their processor time tells what a second worker is worth.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Spread, ratios
from benchmarks.load import Load
from benchmarks.processes import Server, worker_cores
from benchmarks.report import Report, judge
from benchmarks.rig import Rig, shuffled, store_url
from benchmarks.wire import UnexpectedReply

__all__ = ["SIDES", "measure_stores"]

SIDES: Final = ("bare", "bare_again", "memory", "sqlite", "valkey", "valkey, 2 workers")
"""What is compared; `bare` is the baseline."""

WORKERS: Final = 2
_CALLERS: Final = 1_000
_START_S: Final = 30.0
_MICRO: Final = 1e6
#: What a bridge with a plain redis-py client was measured to reach.
_PLAIN_REDIS: Final = 0.40


@dataclass(frozen=True, slots=True)
class _Side:
    """The processes under one load; `behind` is their Valkey, when they have one."""

    servers: tuple[Server, ...]
    load: Load
    behind: tuple[Server, ...] = ()

    def cpu(self) -> tuple[float, float]:
        """Give the processor time of the servers, and of what is behind them, in s."""
        return (
            sum(server.cpu_seconds() for server in self.servers),
            sum(server.cpu_seconds() for server in self.behind),
        )


def measure_stores(rig: Rig, runner: asyncio.Runner, *, rounds: int, seconds: float) -> Report:
    """Sample every side once a round, in shuffled order, at 32 connections.

    Raises `UnexpectedReply` when a reply is wrong, or when a turn did not ask the app exactly once.
    """
    with ExitStack() as stack:
        sides = {name: _side(rig, stack, name) for name in SIDES}
        for side in sides.values():
            runner.run(side.load.run_once())
            runner.run(side.load.run_for(seconds / 2))
        gc.collect()
        gc.freeze()
        figures: dict[str, dict[str, list[float]]] = {
            kind: {name: [] for name in SIDES} for kind in ("rps", "cpu_us", "server_us")
        }
        source = random.Random(4)
        for _ in range(rounds):
            for name in shuffled(SIDES, source):
                rate, cost, behind = _sample(rig, runner, name, sides[name], seconds)
                figures["rps"][name].append(rate)
                figures["cpu_us"][name].append(cost)
                figures["server_us"][name].append(behind)
        for side in sides.values():
            runner.run(side.load.close())
    return _report(figures)


def _side(rig: Rig, stack: ExitStack, name: str) -> _Side:
    if name.startswith("bare"):
        server = rig.start(name)
        return _Side((server,), Load(server.port, rig.jobs(name, _CALLERS)))
    if not name.startswith("valkey"):
        bridge = stack.enter_context(rig.bridge(name, store=name))
        return _Side((bridge,), Load(bridge.port, rig.jobs("bridge", _CALLERS, seed=6)))
    behind = stack.enter_context(rig.valkey(f"server of {name}"))
    workers = 1 if name == "valkey" else WORKERS
    bridge = stack.enter_context(
        rig.bridge(
            name,
            store=store_url(behind),
            core=rig.cores.server if workers == 1 else worker_cores(rig.cores),
            settings={"BRIDGE_WORKERS": str(workers)},
        )
    )
    if workers > 1:
        _await_all(bridge)
    return _Side((bridge,), Load(bridge.port, rig.jobs("bridge", _CALLERS, seed=6)), (behind,))


def _await_all(bridge: Server) -> None:
    """Wait until every worker serves: the first one alone would get all connections."""
    assert bridge.health_url is not None, "the bridge has an admin listener"
    url = bridge.health_url.replace("/readyz", "/metrics")
    give_up = time.monotonic() + _START_S
    while time.monotonic() < give_up:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback URL
            if b"\nrt_bridge_workers %d.0\n" % WORKERS in answer.read():
                return
        time.sleep(0.1)
    raise RuntimeError(f"There were no {WORKERS} workers within {_START_S:g} s.")


def _sample(
    rig: Rig, runner: asyncio.Runner, name: str, side: _Side, seconds: float
) -> tuple[float, float, float]:
    """Give replies per second, and CPU microseconds per reply of the servers and behind them."""
    posts, (cpu, behind) = rig.app_posts(), side.cpu()
    sample = runner.run(side.load.run_for(seconds))
    now, now_behind = side.cpu()
    asked = rig.app_posts() - posts
    if asked != sample.total:
        raise UnexpectedReply(
            f"{name} asked the app {asked} times in {sample.total} turns; must be once each."
        )
    each = _MICRO / sample.total
    return sample.rate, (now - cpu) * each, (now_behind - behind) * each


def _report(figures: dict[str, dict[str, list[float]]]) -> Report:
    rates, costs, behind = figures["rps"], figures["cpu_us"], figures["server_us"]
    report = Report("Turns on each store, 32 connections", samples=dict(figures))
    for name in SIDES[2:]:
        spread = ratios(rates[name], rates["bare"])
        figure = f"{name} / bare two-hop proxy"
        if name == "valkey":
            aim = f">= {_PLAIN_REDIS:g}, what plain redis-py reaches"
            report.rows.append(
                judge(figure, spread.text(2), spread.median, least=_PLAIN_REDIS, aim=aim)
            )
        else:
            report.add(figure, spread.text(2), spread.median)
    for name in SIDES[2:5]:
        # The same on one core that nobody else uses, and steadier where somebody does.
        spread = ratios(costs["bare"], costs[name])
        report.add(f"{name} / bare, by processor time", spread.text(2), spread.median)
    again = ratios(rates["bare_again"], rates["bare"])
    report.add("noise: bare again / bare", again.text(2), again.median)
    two, one = SIDES[5], SIDES[4]
    for what, of in (("turns/s", rates), ("CPU of a turn", costs)):
        spread = ratios(of[two], of[one])
        report.add(f"{what}, 2 workers / 1 worker", spread.text(2), spread.median)
    over = ratios(costs["valkey"], costs["sqlite"])
    report.add("CPU of a turn, valkey / sqlite", over.text(2), over.median)
    for unit, of in (("turns/s", rates), ("CPU us/turn", costs), ("CPU us/turn behind", behind)):
        for name, values in of.items():
            if any(values):
                spread = Spread.of(values)
                report.add(f"{name}: {unit}", spread.text(0), spread.median)
    return report
