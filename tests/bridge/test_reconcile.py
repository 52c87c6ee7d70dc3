"""No call lives for ever, and none is ended that Plivo still knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from support_e2e import command
from support_shell import RestStub, Shell, shell

from bridge.duties import Duty
from bridge.open_commands import KEY, KIND
from bridge.plivo.rest_errors import PlivoUnavailable
from bridge.reconcile import INTERVAL_S, LONGEST_CALL_S, MOST_PER_ROUND, Reconciler
from bridge.replicas import MOST_MISSES, Replicas
from bridge.state import dump
from bridge.store.protocol import CallWrite, Commit, StoreUnavailable
from bridge.tasks import spawn

JOIN = command("simple_conference", id="1")
STALE_S = 15_300.0
DOWN = PlivoUnavailable("look", "down", sent=False)


@pytest.fixture
async def rest() -> RestStub:
    """Give a stub of Plivo's REST API, which knows no call."""
    return RestStub()


@pytest.fixture
async def here(rest: RestStub) -> AsyncIterator[Shell]:
    """Start a shell whose calls get no further webhook."""
    async with shell(JOIN, rest) as made:
        yield made


def keeper(here: Shell) -> Reconciler:
    """Keep house in this shell."""
    duty = Duty(here.runtime, here.session.replicas, "house")
    return Reconciler(here.runtime, here.hangups, duty)


async def pass_by(here: Shell, reconciler: Reconciler, rounds: int) -> None:
    """Let so many rounds happen, one a minute."""
    for _ in range(rounds):
        await reconciler.round()
        here.clock.advance(INTERVAL_S)


async def test_dead_calls_behind_many_live_ones_are_found(here: Shell, rest: RestStub) -> None:
    """Fifty and more old calls that still live do not hide the dead ones that are younger."""
    for number in range(3 * MOST_PER_ROUND):
        await here.answer(f"live{number}")
        here.clock.advance(1)
    for number in range(10):
        await here.answer(f"dead{number}")
    rest.live = {f"live{number}" for number in range(3 * MOST_PER_ROUND)}
    here.clock.advance(STALE_S + 1)
    await pass_by(here, keeper(here), 4)

    assert 3 * MOST_PER_ROUND == await here.store.count_live()
    assert 10 == len([uuid for uuid in rest.looks if uuid.startswith("dead")])


async def test_live_calls_are_looked_up_in_turn(here: Shell, rest: RestStub) -> None:
    """However many live for long, each is looked up, and none twice within a tenth of the time."""
    count = 3 * MOST_PER_ROUND
    rest.live = {f"live{number}" for number in range(count)}
    for number in range(count):
        await here.answer(f"live{number}")
    here.clock.advance(STALE_S + 1)
    reconciler = keeper(here)
    await pass_by(here, reconciler, 25)
    assert rest.live == set(rest.looks)
    assert count == len(rest.looks)
    await pass_by(here, reconciler, 4)

    assert 2 * count == len(rest.looks)


@pytest.mark.parametrize(
    ("age_s", "expected"), [(STALE_S + 60, 1), (LONGEST_CALL_S - 1, 1), (LONGEST_CALL_S, 0)]
)
async def test_without_rest_a_call_may_last_a_day(age_s: float, expected: int) -> None:
    """Four hours in a conference are no sign of a lost hangup; 24 hours are."""
    async with shell(JOIN) as here:
        await here.answer("u1")
        here.clock.advance(age_s)
        await keeper(here).round()

        assert expected == await here.store.count_live()


@pytest.mark.parametrize("error", [DOWN, ValueError("an id must not contain a slash")])
@pytest.mark.parametrize(("age_s", "expected"), [(STALE_S + 60, 1), (LONGEST_CALL_S + 60, 0)])
async def test_age_decides_when_plivo_does_not(
    here: Shell, rest: RestStub, error: Exception, age_s: float, expected: int
) -> None:
    """A call that cannot be looked up is over once it is older than any call can be."""
    rest.live_error = error
    await here.answer("u1")
    here.clock.advance(age_s)
    await keeper(here).round()

    assert expected == await here.store.count_live()


async def test_ended_call_gets_its_final_request(here: Shell) -> None:
    """A call whose hangup webhook was lost is told to the app like any other."""
    await here.answer("u1")
    here.clock.advance(STALE_S + 1)
    await keeper(here).round()
    await here.settle()

    (final,) = here.rt.finals()
    assert ("simple_conference", "") == (final["command"], final["command_result"])


async def test_calls_of_a_removed_app_end(here: Shell) -> None:
    """An app taken out of the settings leaves no call behind; its final request waits for it."""
    await here.answer("u1")
    here.runtime.apps.clear()
    here.clock.advance(STALE_S + 1)
    await keeper(here).round()
    await here.settle()

    assert 0 == await here.store.count_live()
    assert None is not await here.store.outbox_row("final:1")


async def test_call_that_cannot_be_read_stops_nothing(here: Shell) -> None:
    """A poisoned call is logged; those after it are ended, and the purge takes place."""
    await here.answer("u1")
    stored = await here.store.load_call(1)
    assert stored is not None
    at = here.clock.now()
    await here.store.commit(Commit(CallWrite(1, "DEFAULT", "u1", stored.version, b"{", at)))
    await here.answer("u2")
    old = await here.state(2)
    blob = dump(old)
    await here.store.commit(Commit(CallWrite(99, "DEFAULT", "u99", 0, blob, at, at - 1e9)))
    here.clock.advance(STALE_S + 1)
    with capture_logs() as logs:
        await keeper(here).round()

    assert [1] == await here.store.live_calls()
    assert None is await here.store.load_call(99)
    failed = [line for line in logs if line["event"] == "reconcile.failed"]
    assert [(1, True)] == [(line["call"], line["exc_info"]) for line in failed]


async def test_call_that_is_gone_meanwhile(here: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale call that was purged before its look needs none."""

    async def stale(*_: object) -> list[int]:
        return [77]

    monkeypatch.setattr(here.store, "stale_calls", stale)
    await keeper(here).round()

    assert 0 == await here.store.outbox_size()


@pytest.mark.parametrize(
    ("fault", "event"),
    [(StoreUnavailable("The disk is full."), "store"), (ZeroDivisionError(), "fault")],
)
async def test_housekeeping_goes_on_after_a_fault(
    here: Shell, monkeypatch: pytest.MonkeyPatch, fault: Exception, event: str
) -> None:
    """A round that fails as a whole is logged, and the next one comes a minute later."""
    rounds: list[float] = []

    async def purge(now: float, ended_before: float) -> int:
        rounds.append(now)
        if len(rounds) == 1:
            raise fault
        return 0

    monkeypatch.setattr(here.store, "purge", purge)
    with capture_logs() as logs:
        running = spawn(keeper(here).run(), "reconciler")
        await here.after(61)
    running.cancel()
    await here.settle()

    assert INTERVAL_S == rounds[1] - rounds[0]
    assert [f"reconcile.{event}"] == [line["event"] for line in logs]


async def test_one_of_several_replicas_keeps_house(here: Shell, rest: RestStub) -> None:
    """Plivo is asked once about each stale call; when that replica dies another one goes on."""
    here.store.shared = True
    runtimes = [replace(here.runtime, instance=name) for name in ("one", "two")]
    replicas = [Replicas(runtime) for runtime in runtimes]
    for one in (*replicas, *replicas):
        await one._look_and_beat()
    loops = [
        spawn(Reconciler(runtime, here.hangups, Duty(runtime, mates, "house")).run(), "reconciler")
        for runtime, mates in zip(runtimes, replicas, strict=True)
    ]
    rest.live = {"u1"}
    await here.answer("u1")
    here.clock.advance(STALE_S + 1)
    await here.after(61)
    asked = len(rest.looks)
    loops[0].cancel()
    for _ in range(MOST_MISSES + 1):
        await replicas[1]._look_and_beat()
    rest.live = set()
    here.clock.advance(STALE_S + 1)
    await here.after(61)
    loops[1].cancel()
    await here.settle()

    assert 1 == asked
    assert 0 == await here.store.count_live()
    assert [KEY] == [row.key for row in await here.store.list_records(KIND)]
