"""How many live calls run which version of a command, where one process counts for all."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from structlog.testing import capture_logs

from bridge import open_commands
from bridge.open_commands import CALLS_AT_ONCE, Tally, counted
from bridge.state import CallState, Phase, dump
from bridge.store.memory import MemoryStore
from bridge.store.protocol import CallWrite, Commit

if TYPE_CHECKING:
    from bridge.runtime import Runtime


@pytest.fixture
async def store() -> MemoryStore:
    """Open a store that says it is shared."""
    made = MemoryStore()
    made.shared = True
    await made.open()
    return made


def _runtime(store: MemoryStore) -> Runtime:
    return cast("Runtime", SimpleNamespace(store=store, open_commands=Counter({("mine", 1): 1})))


async def _call(store: MemoryStore, callid: int, name: str = "", version: int = 1) -> None:
    start = ["start", name, version, "0", {}, {}] if name else None
    state = CallState(callid, "APP", f"u{callid}", 1.0, phase=Phase.WAITING, start=start)
    await store.commit(Commit(CallWrite(callid, "APP", f"u{callid}", 0, dump(state), 1.0)))


async def test_every_replica_tells_what_one_has_counted(store: MemoryStore) -> None:
    """The stored count is that of all live calls, whoever runs them, and is replaced by the next."""
    one, two = _runtime(store), _runtime(store)
    assert Counter() == await open_commands.open_commands(one)
    for callid in range(1, 4):
        await _call(store, callid, "read")
    await _call(store, 4, "read", 2)
    await _call(store, 5)
    await Tally(one).renew()
    assert Counter({("read", 1): 3, ("read", 2): 1}) == await open_commands.open_commands(two)
    await _call(store, 6, "play")
    await Tally(two).renew()

    assert 1 == (await open_commands.open_commands(one))["play", 1]


async def test_count_goes_through_all_calls_and_past_unreadable_ones(store: MemoryStore) -> None:
    """More calls than are read at once count, and one of another release only costs a line."""
    for callid in range(1, 2 * CALLS_AT_ONCE + 2):
        await _call(store, callid, "wait")
    odd = CallWrite(999, "APP", "odd", 0, b"{", 1.0)
    await store.commit(Commit(odd))
    with capture_logs() as logs:
        assert Counter({("wait", 1): 2 * CALLS_AT_ONCE + 1}) == await counted(store)

    assert [("call.unreadable", 999)] == [(line["event"], line["call"]) for line in logs]


async def test_counting_takes_a_small_part_of_the_time(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took two seconds is not done again within the next two hundred."""
    times = iter([10.0, 12.0, 12.0, 211.0, 213.0, 214.0, 214.0])
    monkeypatch.setattr(open_commands, "perf_counter", lambda: next(times))
    tally = Tally(_runtime(store))
    await tally.renew()
    await _call(store, 1, "read")
    await tally.renew()
    assert Counter() == await open_commands.open_commands(_runtime(store))
    await tally.renew()

    assert 1 == (await open_commands.open_commands(_runtime(store)))["read", 1]


async def test_only_process_tells_what_it_counts_itself() -> None:
    """Where nobody else can be, the count is exact, and nothing is stored."""
    store = MemoryStore()
    await store.open()
    runtime = _runtime(store)
    await Tally(runtime).renew()

    assert runtime.open_commands == await open_commands.open_commands(runtime)
    assert [] == await store.list_records(open_commands.KIND)
