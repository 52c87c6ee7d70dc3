"""Which replicas live, and what they share, seen through one store."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge import replicas
from bridge.replicas import KIND, MOST_LOOKS, MOST_MISSES, Replicas, settled
from bridge.standing import KNOWN
from bridge.state import CallState, Phase, dump
from bridge.store.memory import MemoryStore
from bridge.store.protocol import CallWrite, Commit, Conflict, RecordWrite, StoreUnavailable

if TYPE_CHECKING:
    from bridge.runtime import Runtime


@pytest.fixture
async def store() -> MemoryStore:
    """Open a store that says it is shared."""
    made = MemoryStore()
    made.shared = True
    await made.open()
    return made


def _replica(store: MemoryStore, name: str) -> Replicas:
    clock = SimpleNamespace(now=lambda: 1000.0)
    runtime = SimpleNamespace(store=store, instance=name, clock=clock, lacking=set())
    return Replicas(cast("Runtime", runtime))


async def _beats(*living: Replicas) -> None:
    for one in living:
        await one._beat()
    for one in living:
        await one._look()


async def test_replica_lives_as_long_as_its_record_changes(store: MemoryStore) -> None:
    """A replica whose record did not change between four looks in a row is dead, and may return."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await _beats(one, two)
    assert await one.lives("two")
    for _ in range(MOST_MISSES - 1):
        await _beats(one)
        assert await one.lives("two")
    await _beats(one)

    assert not await one.lives("two")
    await _beats(one, two)
    assert await one.lives("two")


async def test_looks_are_counted_by_those_who_look_one_after_the_other(store: MemoryStore) -> None:
    """Replicas that live for one look each find out together that another one is dead."""
    dead = _replica(store, "dead")
    await dead._look_and_beat()
    for number in range(MOST_MISSES):
        one = _replica(store, f"short-lived {number}")
        await one._look_and_beat()
        assert await one.lives("dead")
        await one._look_and_beat()
    newcomer = _replica(store, "newcomer")
    await newcomer._look_and_beat()

    assert not await newcomer.lives("dead")
    await dead._look_and_beat()
    await newcomer._look_and_beat()
    assert await newcomer.lives("dead")


async def test_looks_are_not_counted_twice(store: MemoryStore) -> None:
    """However many look, a replica has as many beats as before to say that it lives."""
    one, two, three = (_replica(store, name) for name in ("one", "two", "three"))
    for each in (three, one, two, one, two):
        await each._look_and_beat()
    assert await one.lives("three")
    await three._look_and_beat()
    for _ in range(MOST_MISSES):
        await one._look_and_beat()
        assert await one.lives("three")
        await two._look_and_beat()

    await one._look_and_beat()
    assert not await one.lives("three")


async def test_records_of_the_dead_do_not_pile_up(store: MemoryStore) -> None:
    """A replica that restarts again and again does not leave a record each time."""
    one = _replica(store, "one")
    for number in range(20):
        await _replica(store, f"killed {number}")._look_and_beat()
        await one._look_and_beat()
    for _ in range(MOST_LOOKS):
        await one._look_and_beat()

    assert ["one"] == [row.key for row in await store.list_records(KIND)]


async def test_replica_that_was_never_seen_is_looked_up(store: MemoryStore) -> None:
    """Somebody who joined since the last look lives; somebody without a record does not."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await _beats(one)
    await two._beat()

    assert await one.lives("two")
    assert not await one.lives("three")


async def test_outage_kills_nobody(store: MemoryStore) -> None:
    """Looks that fail do not count: after an outage everybody has time to say that he lives."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await _beats(one, two)
    await store.close()
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            await _beats(one)
    await store.open()
    await _beats(one)

    assert await one.lives("two")


async def test_replica_whose_record_is_gone_writes_another(store: MemoryStore) -> None:
    """A record that was purged, or lost with the server's memory, is written again."""
    one = _replica(store, "one")
    await _beats(one, one)
    await store.commit(Commit(records=[RecordWrite(KIND, "one", 2, None)]))
    await _beats(one, one)

    assert ["one"] == [row.key for row in await store.list_records(KIND)]


async def test_replica_that_leaves_is_gone_at_once(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining writes a record, beats go on by themselves, and leaving deletes it."""
    monkeypatch.setattr(replicas, "BEAT_S", 0.0)
    one = _replica(store, "one")
    await one.join()
    async with asyncio.timeout(10):
        while (row := await store.load_record(KIND, "one")) is None or row.version < 5:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0)
    await one.leave()

    assert [] == await store.list_records(KIND)


async def test_replica_leaves_in_the_middle_of_a_beat(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat that was stored, and cut off before anybody knew, keeps no record of who left."""
    one = _replica(store, "one")
    await one.join()
    monkeypatch.setattr(replicas, "BEAT_S", 0.0)
    commit, stored = store.commit, asyncio.Event()

    async def unanswered(change: Commit) -> None:
        monkeypatch.setattr(store, "commit", commit)
        await commit(change)
        stored.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(store, "commit", unanswered)
    async with asyncio.timeout(10):
        await stored.wait()
    await one.leave()

    assert [] == await store.list_records(KIND)


async def test_store_of_one_process_has_no_replicas() -> None:
    """Nothing is written where nobody else could read it."""
    store = MemoryStore()
    await store.open()
    one = _replica(store, "one")
    await one.join()
    await one.leave()

    assert [] == await store.list_records(KIND)


async def test_replica_that_drains_lives_and_serves_no_more(store: MemoryStore) -> None:
    """It says so at once: its duties are anybody's, it is not counted on, and its turns stay its."""
    one, two, three = (_replica(store, name) for name in ("one", "two", "three"))
    await two.join()
    await _beats(three, one)
    assert (2, True) == (one.ready(), await one.serves("two"))
    await two.drain()
    await _beats(three, one)

    assert (1, False) == (one.ready(), await one.serves("two"))
    assert await one.lives("two")
    assert not await one.serves("nobody")
    await two.leave()


async def test_store_out_of_reach_keeps_nobody_from_draining(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be said at once is said with the next beat that reaches the store."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await two.join()
    await store.close()
    await two.drain()
    await store.open()
    await _beats(two, one)

    assert 0 == one.ready()
    await two.leave()


@pytest.mark.parametrize("how", ["drains", "leaves", "dies"])
async def test_others_hear_when_one_goes(store: MemoryStore, how: str) -> None:
    """Who drains, left, or died may have left duties: the others are told, once."""
    one, two = _replica(store, "one"), _replica(store, "two")
    told: list[str] = []
    one.when_one_goes = lambda: told.append("gone")
    await two.join()
    await _beats(one)
    if how == "drains":
        await two.drain()
    elif how == "leaves":
        await two.leave()
    else:
        assert two._running is not None
        two._running.cancel()
    for _ in range(MOST_MISSES + 2):
        await _beats(one)

    assert ["gone"] == told
    if how == "drains":
        await two.leave()
        await _beats(one)
        assert ["gone"] == told


async def test_versions_that_another_replica_lacks_are_known(store: MemoryStore) -> None:
    """As long as a replica of another release lives, what it lacks is not to be used."""
    one = _replica(store, "one")
    await _beats(one)
    assert set() == one._runtime.lacking
    older = {"commands": {**KNOWN, "read": []}}
    other = RecordWrite(KIND, "other", 0, json.dumps(older).encode())
    await store.commit(Commit(records=[other]))
    await _beats(one)
    assert {("read", 1)} == one._runtime.lacking
    for _ in range(MOST_MISSES):
        await _beats(one)

    assert set() == one._runtime.lacking


async def _call(store: MemoryStore, holder: str, **fields: Any) -> CallState:
    state = CallState(1, "APP", "u1", 1.0, **{"phase": Phase.ASKING, "holder": holder, **fields})
    held = await store.load_call(1)
    base = 0 if held is None else held.version
    await store.commit(Commit(CallWrite(1, "APP", "u1", base, dump(state), 1.0)))
    return state


@pytest.mark.parametrize("holder", ["", "one", "nobody"])
async def test_turn_of_nobody_else(store: MemoryStore, holder: str) -> None:
    """A turn that is over, one's own, and that of a dead replica are nobody else's."""
    one = _replica(store, "one")
    await _beats(one)

    assert None is await one.turn_of(await _call(store, holder))


@pytest.mark.parametrize(
    "after",
    [
        {"holder": "", "phase": Phase.WAITING, "step": 1},
        {"holder": "", "phase": Phase.ENDED},
        {"holder": "three"},
    ],
    ids=["document", "end", "somebody else's"],
)
async def test_turn_of_another_is_waited_for(store: MemoryStore, after: dict[str, Any]) -> None:
    """Who waits for a turn elsewhere goes on when it ended, and not before."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await _beats(one, two)
    turn = await one.turn_of(await _call(store, "two"))
    assert turn is not None
    waiting = asyncio.gather(turn.wait(60.0))
    assert not (await asyncio.wait({waiting}, timeout=0.3))[0]
    await _call(store, **after)
    async with asyncio.timeout(10):
        await waiting


async def test_turn_of_a_replica_that_dies_is_not_waited_for(store: MemoryStore) -> None:
    """Waiting ends with the life of the replica, and at the latest with the waiter's time."""
    one, two = _replica(store, "one"), _replica(store, "two")
    await _beats(one, two)
    turn = await one.turn_of(await _call(store, "two"))
    assert turn is not None
    await turn.wait(0.05)
    for _ in range(MOST_MISSES):
        await _beats(one)
    async with asyncio.timeout(10):
        await turn.wait(60.0)


async def test_own_turn_that_another_went_on_with_is_given_up(store: MemoryStore) -> None:
    """Whoever was taken for dead may not go on."""
    one = _replica(store, "one")
    one.check(await _call(store, "one"))
    one.check(await _call(store, ""))
    with pytest.raises(Conflict, match="Another replica went on with the turn of call 1"):
        one.check(await _call(store, "two"))


async def test_what_another_replica_came_before_is_done_anew() -> None:
    """A conflict makes the attempt begin again, a few times; another error does not."""
    left = [Conflict("faster"), Conflict("faster")]

    async def attempt() -> str:
        if left:
            raise left.pop()
        return "done"

    assert "done" == await settled(attempt)
    left[:] = [Conflict("faster") for _ in range(50)]
    with pytest.raises(Conflict):
        await settled(attempt)
    assert 50 - replicas.MOST_AGAIN - 1 == len(left)
