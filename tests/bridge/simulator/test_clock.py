"""Virtual time: it passes when it is pulled, and only while nobody has anything to do."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from bridge.simulator.clock import MONDAY, RealTime, ReleasedClock, StuckError, VirtualClock
from bridge.tasks import drain, spawn


def never() -> bool:
    """Say that nothing is so."""
    return False


async def test_time_stands_still_until_it_is_pulled() -> None:
    """Nobody wakes before somebody drives the clock."""
    clock, woke = VirtualClock(), asyncio.Event()

    async def sleeper() -> None:
        await clock.sleep(5)
        woke.set()

    spawn(sleeper(), "sleeper")
    await clock.at_rest()

    assert (MONDAY, False) == (clock.now(), woke.is_set())
    assert await clock.drive(woke.is_set, clock.now() + 10)
    assert MONDAY + 5 == clock.now()


async def test_sleepers_wake_in_order() -> None:
    """Whoever wants to wake first wakes first; ties wake in the order in which they fell asleep."""
    clock, woke = VirtualClock(start=0.0), list[tuple[str, float]]()

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woke.append((name, clock.now()))

    spawn(sleeper("a", 3, 4), "a")
    spawn(sleeper("b", 1, 2), "b")
    spawn(sleeper("c", 3), "c")
    assert not await clock.drive(never)

    assert [("b", 1.0), ("a", 3.0), ("c", 3.0), ("b", 3.0), ("a", 7.0)] == woke
    assert inf == clock.next_alarm()


async def test_driving_to_an_instant() -> None:
    """A drive ends at its instant although somebody sleeps longer, and says that it is not so."""
    clock = VirtualClock(start=0.0)
    task = spawn(clock.sleep(100), "sleeper")

    assert not await clock.drive(never, 30)
    assert (30.0, 100.0) == (clock.now(), clock.next_alarm())
    task.cancel()
    await drain(1)


async def test_driving_to_what_is_so_already() -> None:
    """What is so already takes no time."""
    clock = VirtualClock(start=0.0)

    assert await clock.drive(lambda: True, 30)
    assert 0.0 == clock.now()


async def test_driving_when_nothing_is_left() -> None:
    """Without an instant, a drive ends when nobody waits for time any more."""
    clock = VirtualClock(start=0.0)

    assert not await clock.drive(never)
    assert 0.0 == clock.now()


async def test_an_event_ends_a_wait() -> None:
    """A wait ends with its event, at the instant of it, and leaves no alarm behind."""
    clock, event, over = VirtualClock(start=0.0), asyncio.Event(), asyncio.Event()

    async def waiter() -> None:
        await clock.wait(event, 50)
        over.set()

    async def setter() -> None:
        await clock.sleep(2)
        event.set()

    spawn(waiter(), "waiter")
    spawn(setter(), "setter")
    assert await clock.drive(over.is_set, 60)

    assert (2.0, inf) == (clock.now(), clock.next_alarm())


async def test_waiting_for_an_event_alone() -> None:
    """A wait without end takes no time by itself."""
    clock, event = VirtualClock(start=0.0), asyncio.Event()
    spawn(clock.wait(event, inf), "waiter")

    assert not await clock.drive(never)
    assert 0.0 == clock.now()
    event.set()
    assert 0 == await drain(1)


async def test_a_cancelled_sleeper_leaves_no_alarm() -> None:
    """Who is cancelled does not hold up time."""
    clock = VirtualClock(start=0.0)
    task = spawn(clock.sleep(100), "sleeper")
    await clock.at_rest()
    task.cancel()
    await drain(1)

    assert inf == clock.next_alarm()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_sleeping_no_time_gives_way(seconds: float) -> None:
    """A sleep of no time lets others run once, and needs no drive."""
    clock, ran = VirtualClock(), list[str]()

    async def other() -> None:
        ran.append("other")

    spawn(other(), "other")
    await clock.sleep(seconds)

    assert ["other"] == ran


async def test_time_stands_still_while_something_is_in_flight() -> None:
    """Virtual time does not pass while a request is under way, however long that takes."""
    clock, arrived, woke = VirtualClock(start=0.0), asyncio.Event(), list[float]()

    async def request() -> None:
        with clock.busy():
            await arrived.wait()
        woke.append(clock.now())

    async def sleeper() -> None:
        await clock.sleep(1)

    spawn(request(), "request")
    spawn(sleeper(), "sleeper")
    asyncio.get_running_loop().call_later(0.02, arrived.set)
    assert not await clock.drive(never)

    assert [0.0] == woke
    assert 1.0 == clock.now()


async def test_a_request_that_may_take_virtual_time() -> None:
    """Time passes reluctantly while a server may wait for it: what takes no time comes first."""
    clock, arrived, woke = VirtualClock(start=0.0), asyncio.Event(), list[float]()

    async def server(steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        arrived.set()

    async def request() -> None:
        with clock.patient():
            await clock.wait(arrived, inf)
        woke.append(clock.now())

    spawn(request(), "request")
    spawn(clock.sleep(1), "sleeper")
    # Not spawned, as the tasks of a server are not.
    serving = asyncio.get_running_loop().create_task(server(20))
    assert await clock.drive(lambda: bool(woke))
    await serving
    assert [0.0] == woke

    arrived.clear()
    spawn(request(), "request")
    spawn(clock.sleep(1), "sleeper")
    assert not await clock.drive(never, clock.now() + 5)
    arrived.set()
    assert await clock.drive(lambda: len(woke) > 1)
    assert [0.0, 5.0] == woke


@pytest.mark.parametrize("clock", [VirtualClock(start=0.0), RealTime()])
async def test_an_alarm_that_is_switched_off(clock: VirtualClock | RealTime) -> None:
    """An alarm rings at its instant, unless it was switched off before; one at no time never rings."""
    rang = list[str]()
    clock.alarm(0.01, lambda: rang.append("in time"))
    clock.alarm(0.01, lambda: rang.append("too late"))()
    clock.alarm(inf, lambda: rang.append("never"))()
    assert await clock.drive(lambda: bool(rang), clock.now() + 1)

    assert ["in time"] == rang


async def test_two_drivers_at_once() -> None:
    """Several drives at the same time agree on one time."""
    clock = VirtualClock(start=0.0)
    seen = list[float]()

    async def sleeper() -> None:
        for _ in range(4):
            await clock.sleep(1)
            seen.append(clock.now())

    spawn(sleeper(), "sleeper")
    await asyncio.gather(clock.drive(lambda: len(seen) >= 2), clock.drive(lambda: len(seen) >= 4))

    assert [1.0, 2.0, 3.0, 4.0] == seen


async def test_a_simulation_that_does_not_come_to_rest() -> None:
    """Something that waits for what never comes is named instead of hanging for ever."""
    clock, never_set = VirtualClock(patience_s=0.05), asyncio.Event()

    async def stuck() -> None:
        with clock.busy():
            await never_set.wait()

    spawn(stuck(), "the stuck one")
    with pytest.raises(StuckError, match="1 requests in flight, awake: the stuck one"):
        await clock.drive(never)
    never_set.set()
    await drain(1)


async def test_advancing_by_hand() -> None:
    """Time can be moved without looking whether anybody is at rest."""
    clock, woke = VirtualClock(start=0.0), asyncio.Event()

    async def sleeper() -> None:
        await clock.sleep(5)
        woke.set()

    spawn(sleeper(), "sleeper")
    await clock.at_rest()
    clock.advance(4)
    await clock.at_rest()
    assert not woke.is_set()
    clock.advance(1)
    await asyncio.wait_for(woke.wait(), 1)

    assert 5.0 == clock.now()


async def test_released_time() -> None:
    """Time is virtual until it is released; then it runs by itself, from where it was."""
    clock = ReleasedClock()
    later = clock.now() + 3600
    await clock.drive(never, later)
    assert later == clock.now()

    clock.release()
    await asyncio.wait_for(clock.sleep(0.01), 5)
    assert later + 0.01 <= clock.now() < later + 60


async def test_real_time_is_not_held_up() -> None:
    """Under the machine's clock a request in flight does not stop time, and a drive has an end."""
    clock = RealTime()
    begun = clock.now()
    with clock.busy():
        assert not await clock.drive(never, clock.now() + 0.05)

    assert clock.now() - begun >= 0.05
    assert await clock.drive(lambda: clock.now() > begun)
