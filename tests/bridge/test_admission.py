from __future__ import annotations

import asyncio
from random import Random

import pytest

from bridge.admission import Admission
from bridge.tasks import spawn

#: Longer than any test.
LONG_S = 60.0


async def turns() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def waiting_for(line: Admission, *, known: bool, seconds: float = LONG_S) -> asyncio.Task[bool]:
    """Begin to wait for a place."""
    return spawn(line.enter(seconds, known=known), "somebody in the line")


async def test_so_many_at_once() -> None:
    """Whoever comes while all places are taken waits, and gets the place of one who leaves."""
    line = Admission(2)
    assert (True, True) == (await line.enter(0, known=False), await line.enter(0, known=False))
    third = waiting_for(line, known=False)
    await turns()
    assert (2, 1, False) == (line.asked, line.waiting, third.done())

    line.leave()

    assert await third
    assert (2, 0) == (line.asked, line.waiting)


async def test_known_calls_go_first() -> None:
    """Calls the app knows get the next place, and within their kind the first come is the first."""
    line = Admission(1)
    await line.enter(0, known=False)
    order: list[str] = []

    async def wait(name: str) -> None:
        await line.enter(LONG_S, known=name.startswith("known"))
        order.append(name)
        line.leave()

    tasks = [spawn(wait(name), name) for name in ("new 1", "known 1", "new 2", "known 2")]
    await turns()
    line.leave()
    await asyncio.gather(*tasks)

    assert ["known 1", "known 2", "new 1", "new 2"] == order
    assert (0, 0) == (line.asked, line.waiting)


async def test_nobody_waits_longer_than_said() -> None:
    """Whoever has waited long enough is turned away, and its place in the line is free."""
    line = Admission(1)
    await line.enter(0, known=True)

    assert not await line.enter(0, known=False)
    assert not await line.enter(0.01, known=True)
    assert (1, 0) == (line.asked, line.waiting)


async def test_full_line() -> None:
    """Where the line is full a new call is turned away at once, without waiting."""
    line = Admission(1, longest_line=1)
    await line.enter(0, known=False)
    first = waiting_for(line, known=False)
    await turns()

    assert not await line.enter(LONG_S, known=False)
    assert not first.done()

    line.leave()
    assert await first


async def test_known_call_takes_the_place_of_the_newest() -> None:
    """In a full line a call the app knows replaces the new call that came last."""
    line = Admission(1, longest_line=2)
    await line.enter(0, known=False)
    first, second = waiting_for(line, known=False), waiting_for(line, known=False)
    await turns()
    known = waiting_for(line, known=True)
    await turns()

    assert not await second
    assert (False, False, 2) == (first.done(), known.done(), line.waiting)

    other = waiting_for(line, known=True)
    await turns()
    assert not await first
    assert not await line.enter(LONG_S, known=True)

    for task in (known, other):
        line.leave()
        assert await task


@pytest.mark.parametrize("given_up", ["in the line", "with the place"])
async def test_cancelled(given_up: str) -> None:
    """Who is cancelled holds no place, not even when it was given at that very moment."""
    line = Admission(1)
    await line.enter(0, known=False)
    task = waiting_for(line, known=False)
    await turns()
    if given_up == "with the place":
        line.leave()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    if given_up == "in the line":
        assert (1, 0) == (line.asked, line.waiting)
        line.leave()
    assert (0, 0) == (line.asked, line.waiting)


async def random_crowd(rng: Random, line: Admission) -> int:
    """Let people come, give up and leave in a random order; give how many were inside at most."""
    inside: list[None] = []
    most = 0

    async def somebody(patience: float) -> None:
        nonlocal most
        if await line.enter(patience, known=rng.random() < 0.5):
            inside.append(None)
            most = max(most, len(inside))
            try:
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                inside.pop()
                line.leave()

    tasks = []
    for _ in range(30):
        tasks.append(spawn(somebody(rng.choice((0.0, LONG_S))), "somebody"))
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
        if rng.random() < 0.2:
            tasks[-1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return most


@pytest.mark.parametrize("seed", range(50))
async def test_places_are_never_lost(seed: int) -> None:
    """Whatever order people come, give up and leave in, no place is lost and none is taken twice."""
    rng = Random(seed)
    line = Admission(rng.randint(1, 4), longest_line=rng.randint(0, 6))

    assert 1 <= await random_crowd(rng, line) <= line.places
    assert (0, 0) == (line.asked, line.waiting)
