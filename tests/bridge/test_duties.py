"""Who does what for all replicas, seen through one store."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bridge import duties
from bridge.duties import KIND, Duty
from bridge.replicas import MOST_MISSES, Replicas
from bridge.store.memory import MemoryStore
from bridge.store.protocol import Commit, Conflict, RecordWrite, StoreUnavailable

if TYPE_CHECKING:
    from bridge.runtime import Runtime


class Replica:
    """One process on the store, with one duty it may have."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        clock = SimpleNamespace(now=lambda: 1000.0)
        runtime = cast(
            "Runtime",
            SimpleNamespace(store=store, instance=name, clock=clock, lacking=set()),
        )
        self.replicas = Replicas(runtime)
        self.duty = Duty(runtime, self.replicas, "work")


@pytest.fixture
async def store() -> MemoryStore:
    """Open a store that says it is shared."""
    made = MemoryStore()
    made.shared = True
    await made.open()
    return made


async def _beats(*living: Replica) -> None:
    for one in living:
        await one.replicas._beat()
    for one in living:
        await one.replicas._look()


async def test_one_has_it_as_long_as_it_lives(store: MemoryStore) -> None:
    """The first to ask has the duty; another one gets it when that one is dead, and keeps it."""
    one, two = Replica(store, "one"), Replica(store, "two")
    await _beats(one, two)
    assert [True, False, True] == [await r.duty.mine() for r in (one, two, one)]
    for _ in range(MOST_MISSES):
        assert not await two.duty.mine()
        await _beats(two)

    assert await two.duty.mine()
    assert (False, True) == (one.duty.inherited, two.duty.inherited)
    await _beats(one, two)
    assert [False, True] == [await r.duty.mine() for r in (one, two)]


@pytest.mark.parametrize("how", ["drains", "leaves"])
async def test_it_goes_on_at_once_when_its_holder_does(store: MemoryStore, how: str) -> None:
    """Nobody waits for the death of a replica that says it is going."""
    one, two = Replica(store, "one"), Replica(store, "two")
    await one.replicas.join()
    await _beats(two)
    assert await one.duty.mine()
    await one.replicas.drain()
    if how == "leaves":
        await one.replicas.leave()
    await _beats(two)

    assert await two.duty.mine()
    if how == "drains":
        await one.replicas.leave()


async def test_what_a_former_holder_writes_is_refused(store: MemoryStore) -> None:
    """Commits of the holder are fenced, one after the other; the one that lost the duty has none."""
    one, two = Replica(store, "one"), Replica(store, "two")
    await _beats(one, two)
    assert await one.duty.mine()
    for n in range(3):
        async with one.duty.fence() as fence:
            done = RecordWrite("done", f"{n}", 0, b"")
            await store.commit(Commit(records=[done, *fence]))
    for _ in range(MOST_MISSES):
        await _beats(two)
    assert await two.duty.mine()
    with pytest.raises(Conflict, match="The duty work was not written"):
        async with one.duty.fence() as fence:
            await store.commit(Commit(records=[RecordWrite("done", "late", 0, b""), *fence]))

    assert ["0", "1", "2"] == [row.key for row in await store.list_records("done")]
    async with two.duty.fence() as fence:
        await store.commit(Commit(records=list(fence)))


async def test_store_that_forgot_gives_it_again(store: MemoryStore) -> None:
    """A duty whose record was lost with the server's memory is taken again, by whoever is first."""
    one = Replica(store, "one")
    await _beats(one)
    assert await one.duty.mine()
    await store.commit(Commit(records=[RecordWrite(KIND, "work", 1, None)]))
    with pytest.raises(Conflict):
        async with one.duty.fence() as fence:
            await store.commit(Commit(records=list(fence)))

    assert await one.duty.mine()
    async with one.duty.fence() as fence:
        await store.commit(Commit(records=list(fence)))


async def test_two_that_take_it_at_once_do_not_both_have_it(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever read before another one's commit is refused, and has nothing."""
    one, two = Replica(store, "one"), Replica(store, "two")
    await _beats(one, two)
    load = store.load_record

    async def overtaken(kind: str, key: str) -> object:
        monkeypatch.setattr(store, "load_record", load)
        found = await load(kind, key)
        assert await two.duty.mine()
        return found

    monkeypatch.setattr(store, "load_record", overtaken)

    assert not await one.duty.mine()
    assert await two.duty.mine()


async def test_only_process_has_every_duty() -> None:
    """Where nobody else can be, nothing is written and nothing refused."""
    store = MemoryStore()
    await store.open()
    one = Replica(store, "one")
    assert await one.duty.mine()
    async with one.duty.fence() as fence:
        assert [] == fence

    assert [] == await store.list_records(KIND)


async def test_what_is_done_alone_is_done_by_one_at_a_time(store: MemoryStore) -> None:
    """Others wait until it is done, in this process and in others, and then it is theirs."""
    one, two = Replica(store, "one"), Replica(store, "two")
    await _beats(one, two)
    done: list[str] = []
    held = asyncio.Event()

    async def work(by: Replica, name: str) -> None:
        async with by.duty.alone():
            done.append(f"{name} begins")
            await held.wait()
            done.append(f"{name} ends")

    first = asyncio.gather(work(one, "one"))
    while not done:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    others = asyncio.gather(work(one, "again"), work(two, "two"))
    assert not (await asyncio.wait({others}, timeout=0.3))[0]
    assert ["one begins"] == done
    held.set()
    await asyncio.gather(first, others)

    assert ["one begins", "one ends"] == done[:2]
    assert [{"begins", "ends"}] * 2 == [
        {done[n].split()[1], done[n + 1].split()[1]} for n in (2, 4)
    ]
    assert [] == await store.list_records(KIND)


async def test_nobody_waits_for_ever_for_another(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waited long enough is told so."""
    monkeypatch.setattr(duties, "PATIENCE_S", 0.15)
    one, two = Replica(store, "one"), Replica(store, "two")
    await _beats(one, two)
    async with one.duty.alone():
        with pytest.raises(StoreUnavailable, match="Another replica has been at it"):
            async with two.duty.alone():
                raise AssertionError("never")
