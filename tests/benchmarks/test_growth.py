"""The stores that are measured hold real calls, and the figures say what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_benchmarks import bridge_for, sqlite_in

from benchmarks import growth
from benchmarks.growth import populate
from benchmarks.load import Load
from benchmarks.report import Report
from benchmarks.stub import REPLIES, Stub
from benchmarks.webhooks import calls
from bridge.store.memory import MemoryStore


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_copies_are_live_calls(kind: str, tmp_path: Path) -> None:
    """Every copy of an answered call takes its keys, asks the app, and is asked the next question."""
    app = Stub(REPLIES["app"])
    store = "memory:" if kind == "memory" else sqlite_in(tmp_path)
    async with bridge_for(app, store) as bridge:
        load = Load(bridge.port, calls(1), connections=1)
        await load.run_once()
        await load.run_once()
        await load.close()
        waiting = await populate(bridge.store, 12)
        assert 2 == app.posts
        load = Load(bridge.port, waiting, connections=4)
        await load.run_once()
        await load.run_once()
        await load.close()

        assert list(range(1, 13)) == await bridge.store.live_calls()
        assert 2 + 2 * 12 == app.posts


async def test_nothing_to_copy() -> None:
    """A store without a call is refused with a sentence."""
    store = MemoryStore()
    await store.open()

    with pytest.raises(RuntimeError, match="no call 1"):
        await populate(store, 10)


def test_slopes() -> None:
    """Each larger store is judged against the smallest one within a round, the noise is shown."""
    report = Report("growth")
    names = ["10", "1,000", "50,000", "10 again"]
    costs = {"10": [100.0, 200.0], "1,000": [105.0, 210.0], "50,000": [120.0, 240.0]}
    costs["10 again"] = [98.0, 196.0]
    growth._rows(report, "sqlite", names, costs, {name: [0.0, 0.0] for name in names})

    assert [
        ("sqlite: turn at 1,000 / at 10 live calls", 1.05, "met"),
        ("sqlite: turn at 50,000 / at 10 live calls", 1.2, "missed"),
        ("sqlite: noise, 10 again / 10", 0.98, ""),
    ] == [(row.figure, round(row.value, 2), row.verdict) for row in report.rows[:3]]
    assert 7 == len(report.rows)
