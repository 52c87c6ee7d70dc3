from __future__ import annotations

import asyncio
from random import Random

import pytest

from bridge.locks import Locks
from bridge.tasks import spawn


class Visitors:
    """Tasks that enter the lock of a key, note it, and leave when they are told to."""

    def __init__(self, locks: Locks) -> None:
        self.locks = locks
        self.inside: list[str] = []
        self.seen: list[str] = []
        self.leave: dict[str, asyncio.Event] = {}

    def come(self, name: str, key: object = 1) -> asyncio.Task[None]:
        """Let one come; it waits inside until `go`."""
        self.leave[name] = asyncio.Event()
        return spawn(self._visit(name, key), name)

    async def _visit(self, name: str, key: object) -> None:
        async with self.locks[key]:
            self.inside.append(name)
            self.seen.append(name)
            try:
                await self.leave[name].wait()
            finally:
                self.inside.remove(name)

    def go(self, name: str) -> None:
        """Let one leave."""
        self.leave[name].set()


async def settle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def visitors() -> Visitors:
    """Nobody is there yet."""
    return Visitors(Locks())


async def test_one_at_a_time_in_order(visitors: Visitors) -> None:
    """Those who wait enter in the order they came, and then nothing is left of the lock."""
    tasks = [visitors.come(name) for name in "abc"]
    inside = []
    for name in "abc":
        await settle()
        inside.append(list(visitors.inside))
        visitors.go(name)
    await asyncio.gather(*tasks)

    assert [["a"], ["b"], ["c"]] == inside
    assert 0 == len(visitors.locks)


async def test_keys_do_not_wait_for_each_other(visitors: Visitors) -> None:
    """A callid and a pair are different keys, equal pairs are the same one."""
    tasks = [
        visitors.come("number", 1),
        visitors.come("pair", ("app", "1")),
        visitors.come("same pair", ("app", "1")),
    ]
    await settle()
    inside, held = list(visitors.inside), len(visitors.locks)
    for name in visitors.leave:
        visitors.go(name)
    await asyncio.gather(*tasks)

    assert (["number", "pair"], 2) == (inside, held)
    assert ["number", "pair", "same pair"] == visitors.seen


async def test_nobody_cuts_in(visitors: Visitors) -> None:
    """Who comes while the lock is handed over waits behind who was there before."""
    tasks = [visitors.come("first"), visitors.come("second")]
    await settle()
    visitors.go("first")
    tasks.append(visitors.come("third"))
    await settle()
    inside = list(visitors.inside)
    visitors.go("second")
    visitors.go("third")
    await asyncio.gather(*tasks)

    assert ["second"] == inside
    assert ["first", "second", "third"] == visitors.seen


async def test_who_is_cancelled_while_waiting_is_passed_over(visitors: Visitors) -> None:
    """The next one enters instead."""
    tasks = [visitors.come(name) for name in "abc"]
    await settle()
    tasks[1].cancel()
    await settle()
    visitors.go("a")
    await settle()
    inside = list(visitors.inside)
    visitors.go("c")
    await asyncio.gather(*tasks, return_exceptions=True)

    assert ["c"] == inside
    assert 0 == len(visitors.locks)


async def test_who_is_cancelled_as_the_lock_is_handed_over_hands_it_on(visitors: Visitors) -> None:
    """A task that is given the lock and cancelled before it runs does not keep it."""
    tasks = [visitors.come(name) for name in "abc"]
    await settle()
    async with asyncio.timeout(5):
        visitors.go("a")
        while not tasks[0].done():
            await asyncio.sleep(0)
            if "a" not in visitors.inside and not tasks[1].done():
                tasks[1].cancel()
        await settle()
    inside = list(visitors.inside)
    visitors.go("b")
    visitors.go("c")
    await asyncio.gather(*tasks, return_exceptions=True)

    assert ["c"] == inside
    assert 0 == len(visitors.locks)


async def test_an_error_inside_releases_the_lock() -> None:
    """Whatever ends the block."""
    locks = Locks()
    with pytest.raises(ZeroDivisionError):
        async with locks["key"]:
            raise ZeroDivisionError

    assert 0 == len(locks)


@pytest.mark.parametrize("seed", range(20))
async def test_random_visits_never_overlap(seed: int) -> None:
    """With tasks cancelled at any moment, no two are inside, and all others get in."""
    source = Random(seed)
    locks = Locks()
    inside = 0
    entered: list[int] = []

    async def visit(number: int) -> None:
        nonlocal inside
        for _ in range(source.randrange(4)):
            await asyncio.sleep(0)
        async with locks["key"]:
            inside += 1
            assert 1 == inside
            entered.append(number)
            try:
                for _ in range(source.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                inside -= 1

    tasks = [spawn(visit(number), f"visit {number}") for number in range(30)]
    for _ in range(20):
        await asyncio.sleep(0)
        source.choice(tasks).cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    done = {number for number, result in enumerate(results) if result is None}
    assert all(isinstance(r, asyncio.CancelledError) for r in results if r is not None)
    assert done <= set(entered)
    assert 0 == len(locks)
