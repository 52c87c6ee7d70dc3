from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from bridge import draining
from bridge.draining import Draining, Phase
from bridge.store.patience import deadline

#: Nothing in here takes longer, on the slowest machine, in s.
PATIENCE_S = 20.0
LONG_S = 1000.0


async def left() -> dict[str, int | None]:
    """Give what there is to do in these tests."""
    return {"calls": None, "requests": 2, "work": 1}


def needed(*answers: bool) -> Callable[[], Awaitable[bool]]:
    """Give one answer after another, the last one for ever."""
    remaining = list(answers)

    async def next_answer() -> bool:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return next_answer


async def test_serving_bridge_counts_nothing_down() -> None:
    """Before the signal no time is left, because none is limited."""
    it = Draining(5.0, 10.0, left)

    assert (Phase.SERVING, 0.0, 0.0) == (it.phase, it.seconds_left, it.gone_within_s)


async def test_countdown_names_phase_and_time() -> None:
    """While it answers on, the end of that and the end of everything are told, and what is left."""
    it = Draining(100.0, 10.0, left)
    it.begin()
    told = await it.told()

    assert 99 < told.pop("seconds_left") <= 100
    assert 109 < told.pop("gone_within_s") <= 110
    assert {"phase": "answering", "calls": None, "requests": 2, "work": 1} == told


async def test_it_answers_on_while_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on from look to look, and ends with the first that finds nobody in need."""
    monkeypatch.setattr(draining, "LOOK_S", 0.0)
    it = Draining(LONG_S, 10.0, left)
    looks: list[float | None] = []

    async def look() -> bool:
        looks.append(deadline.get())
        return len(looks) < 4

    it.begin()
    async with asyncio.timeout(PATIENCE_S):
        await it.answer_on(look)
    it.gone()

    assert 4 == len(looks)
    # Nobody waits long for a store out of reach, and what comes later is as patient as before.
    assert None not in looks
    assert None is deadline.get()


async def test_it_answers_on_for_its_time_at_most() -> None:
    """However much it is needed, it ends."""
    it = Draining(0.05, 10.0, left)
    it.begin()
    async with asyncio.timeout(PATIENCE_S):
        await it.answer_on(needed(True))
    it.gone()

    assert 0.0 == it.seconds_left


@pytest.mark.parametrize("end", ["no_longer", "force"])
async def test_it_can_be_cut_short(end: str) -> None:
    """Without anybody who could come, or told twice, it waits no longer."""
    it = Draining(LONG_S, 10.0, left)
    it.begin()
    waiting = asyncio.gather(it.answer_on(needed(True)))
    assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
    getattr(it, end)()
    async with asyncio.timeout(PATIENCE_S):
        await waiting
    it.gone()


async def test_nothing_is_told_where_nobody_can_come() -> None:
    """A bridge that lost its time before the signal goes straight on to its end."""
    it = Draining(LONG_S, 10.0, left)
    it.no_longer()
    with capture_logs() as logs:
        it.begin()
        await it.answer_on(needed(True))
        await it.finish()

    assert [] == logs


async def test_log_tells_each_phase_and_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line at the beginning of each phase, and more of them as time goes by, until it is gone."""
    monkeypatch.setattr(draining, "TOLD_EVERY_S", 0.0)
    it = Draining(LONG_S, 10.0, left)
    lines: list[str] = []

    async def until_told() -> bool:
        return len(lines) < 5

    with capture_logs() as logs:
        told, it.tell = it.tell, lambda: _told(told, lines)  # type: ignore[method-assign]
        monkeypatch.setattr(draining, "LOOK_S", 0.0)
        it.begin()
        async with asyncio.timeout(PATIENCE_S):
            await it.answer_on(until_told)
        await it.finish()
        it.gone()
        counted = len(logs)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert {"bridge.draining"} == {line["event"] for line in logs}
    assert ("answering", "finishing") == (logs[0]["phase"], logs[counted - 1]["phase"])
    assert counted == len(logs)
    assert counted >= 6


async def _told(tell: Callable[[], Awaitable[None]], lines: list[str]) -> None:
    await tell()
    lines.append("told")


async def test_work_is_waited_for() -> None:
    """What ends while the phase lasts has ended."""
    it = Draining(0.0, LONG_S, left)
    await it.finish()
    opened = asyncio.Event()
    working = asyncio.gather(it.within(opened.wait(), "work"))
    assert not (await asyncio.wait({working}, timeout=0.05))[0]
    opened.set()

    assert (await working)[0]


async def test_work_is_cancelled_when_its_time_is_over() -> None:
    """What does not end is cancelled, and awaited."""
    it = Draining(0.0, 0.01, left)
    await it.finish()
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert not await it.within(work(), "work")
    assert cancelled.is_set()


async def test_force_comes_before_everything() -> None:
    """Told twice before it could begin, it does not begin to answer on."""
    it = Draining(LONG_S, LONG_S, left)
    it.force()
    it.begin()
    async with asyncio.timeout(PATIENCE_S):
        await it.answer_on(needed(True))
        await it.finish()

    assert (Phase.FORCED, 0.0, 0.0) == (it.phase, it.seconds_left, it.gone_within_s)


async def test_force_waits_for_no_work() -> None:
    """Told twice, what is in progress is given up, in every later phase as well."""
    it = Draining(0.0, LONG_S, left)
    await it.finish()
    working = asyncio.gather(it.within(asyncio.Event().wait(), "work"))
    await asyncio.sleep(0)
    it.force()
    async with asyncio.timeout(PATIENCE_S):
        assert not (await working)[0]
        await it.finish()
        assert not await it.within(asyncio.Event().wait(), "more")

    assert (Phase.FORCED, 0.0) == (it.phase, it.gone_within_s)
