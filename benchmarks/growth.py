"""How the cost of a webhook grows with the calls that live in the store: it should not.

For each store there is a bridge with 10 live calls, one with 1,000 and one with 50,000, and another
one with 10, which shows the noise. Every turn is one of any live call, so that the large one pays
for memory that no cache holds as well. The figure is processor time of a turn.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.figures import Spread, ratios
from benchmarks.load import Load
from benchmarks.processes import Server
from benchmarks.report import Report, judge
from benchmarks.rig import Rig, shuffled, store_url
from benchmarks.webhooks import LiveCall, action_url, calls
from bridge.state import dump, load
from bridge.store import open_store
from bridge.store.protocol import CallWrite, Commit, HistoryRow, Store

__all__ = ["SIZES", "STORES", "measure_growth", "populate"]

SIZES: Final = (10, 1_000, 50_000)
"""Live calls in the store; the first is the baseline."""

QUICK_SIZES: Final = (10, 50, 200)
STORES: Final = ("sqlite", "valkey")
_AGAIN: Final = "again"
#: As many as the smallest store has calls: each of them has one turn at a time.
_CONNECTIONS: Final = 8
#: Commits that are put at once.
_AT_ONCE: Final = 500
#: The calls began at different seconds of so many: what is the same in all could be remembered.
_BEGUN_WITHIN_S: Final = 1_800
_MICRO: Final = 1e6
_MOST: Final = 1.10


@dataclass(frozen=True, slots=True)
class _Side:
    """One bridge with its calls; `valkey` is its store's process, when it has one."""

    name: str
    bridge: Server
    load: Load
    valkey: Server | None


def measure_growth(
    rig: Rig, runner: asyncio.Runner, *, rounds: int, seconds: float, sizes: Sequence[int] = SIZES
) -> Report:
    """Sample the bridges of one store alternately, once each per round, then those of the other."""
    report = Report(f"Cost of a turn with {' / '.join(f'{n:,}' for n in sizes)} live calls")
    for kind in STORES:
        with ExitStack() as stack:
            sides = [_side(rig, runner, stack, kind, size) for size in sizes]
            sides.append(_side(rig, runner, stack, kind, sizes[0], _AGAIN))
            _sample(report, runner, kind, sides, rounds, seconds)
    return report


def _side(  # noqa: PLR0917 - what one bridge is made of
    rig: Rig, runner: asyncio.Runner, stack: ExitStack, kind: str, size: int, more: str = ""
) -> _Side:
    name = f"{kind}-{size}{more}"
    valkey = stack.enter_context(rig.valkey(f"{name}-server")) if kind == "valkey" else None
    store = kind if valkey is None else store_url(valkey)
    with rig.bridge(name, store=store) as first:
        one = calls(1, seed=5)
        load = Load(first.port, one, connections=1)
        # The answer and a turn, so that the call is at its second question like those to come.
        runner.run(load.run_once())
        runner.run(load.run_once())
        runner.run(load.close())
    url = f"sqlite:///{rig.store_path(name)}" if valkey is None else store
    waiting = runner.run(_populated(url, size))
    bridge = stack.enter_context(rig.bridge(name, store=store))
    load = Load(bridge.port, waiting, connections=_CONNECTIONS)
    runner.run(load.run_for(0.5))
    return _Side(f"{size:,}{more and ' '}{more}", bridge, load, valkey)


async def _populated(url: str, size: int) -> list[LiveCall]:
    store = open_store(url, durability="normal")
    await store.open()
    try:
        return await populate(store, size)
    finally:
        await store.close()


async def populate(store: Store, size: int) -> list[LiveCall]:
    """Fill the store up to `size` live calls, copies of call 1; give them in a shuffled order.

    Call 1 waits for keys. A copy has its own callid, CallUUID and document, and the whole state.
    """
    original = await store.load_call(1)
    if original is None:
        raise RuntimeError("There is no call 1 to be copied.")
    state = load(original.blob, original.version)
    document = await store.document(1, state.step)
    line = (await store.history(1))[-1]
    if document is None:
        raise RuntimeError("Call 1 has not been asked anything.")
    url = action_url(document)
    path = f"/1/{state.step}/"
    waiting = [LiveCall(state.uuid, url)]
    writes: list[Commit] = []
    for number in range(2, size + 1):
        callid = await store.allocate_callid()
        uuid = f"{number:08x}{state.uuid[8:]}"
        began = state.started_at - number % _BEGUN_WITHIN_S
        copy = replace(state, callid=callid, uuid=uuid, started_at=began, version=0, running=None)
        own = f"/{callid}/{state.step}/"
        row = HistoryRow(
            callid, 1, line.at, line.body, state.step, document.replace(path.encode(), own.encode())
        )
        call = CallWrite(callid, state.app, uuid, 0, dump(copy), state.handed_at)
        writes.append(Commit(call=call, history=[row]))
        waiting.append(LiveCall(uuid, url.replace(path, own)))
        if len(writes) == _AT_ONCE or number == size:
            await asyncio.gather(*map(store.commit, writes))
            writes.clear()
    random.Random(size).shuffle(waiting)
    return waiting


def _sample(  # noqa: PLR0917 - where to, with what, how often and how long
    report: Report,
    runner: asyncio.Runner,
    kind: str,
    sides: list[_Side],
    rounds: int,
    seconds: float,
) -> None:
    gc.collect()
    gc.freeze()
    costs: dict[str, list[float]] = {side.name: [] for side in sides}
    behind: dict[str, list[float]] = {side.name: [] for side in sides}
    by_name = {side.name: side for side in sides}
    source = random.Random(3)
    for _ in range(rounds):
        for name in shuffled(list(by_name), source):
            side = by_name[name]
            cpu, of_store = side.bridge.cpu_seconds(), _cpu(side.valkey)
            sample = runner.run(side.load.run_for(seconds))
            costs[name].append((side.bridge.cpu_seconds() - cpu) / sample.total * _MICRO)
            behind[name].append((_cpu(side.valkey) - of_store) / sample.total * _MICRO)
    for side in sides:
        runner.run(side.load.close())
    report.samples[kind] = {"bridge_us": costs, "server_us": behind}
    _rows(report, kind, [side.name for side in sides], costs, behind)


def _cpu(server: Server | None) -> float:
    return 0.0 if server is None else server.cpu_seconds()


def _rows(
    report: Report,
    kind: str,
    names: list[str],
    costs: dict[str, list[float]],
    behind: dict[str, list[float]],
) -> None:
    least, *larger, again = names
    for name in larger:
        slope = ratios(costs[name], costs[least])
        figure = f"{kind}: turn at {name} / at {least} live calls"
        report.rows.append(judge(figure, slope.text(2), slope.median, most=_MOST))
    noise = ratios(costs[again], costs[least])
    report.add(f"{kind}: noise, {again} / {least}", noise.text(2), noise.median)
    for name in names:
        spread = Spread.of(costs[name])
        report.add(f"{kind}: CPU us/turn at {name}", spread.text(0), spread.median)
    if any(map(any, behind.values())):
        for name in names:
            spread = Spread.of(behind[name])
            report.add(
                f"{kind}: CPU us/turn of the server at {name}", spread.text(0), spread.median
            )
