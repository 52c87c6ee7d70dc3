"""The outbox delivers everything, nothing more often than it must, and nobody waits for others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import settings_for

from bridge.app import make_runtime
from bridge.hangups import final_row
from bridge.outbox import GATEWAY_STATUSES, MOST_PER_LANE, Outbox
from bridge.rt_client import (
    AppDisconnected,
    AppFailure,
    AppStatus,
    AppTimeout,
    AppUnreachable,
    RtApp,
)
from bridge.runtime import Runtime
from bridge.simulator.clock import VirtualClock
from bridge.state import CallState, Phase, dump
from bridge.store.memory import MemoryStore
from bridge.store.protocol import CallWrite, Commit, OutboxRow, StoreUnavailable
from bridge.tasks import spawn

DAY_S = 86_400.0
#: Turns of the event loop in which everything has happened that needs no more time.
TURNS = 300


@dataclass
class Apps:
    """The way to the apps: what each answers, and what it was sent at which time."""

    clock: VirtualClock
    outcomes: dict[str, list[AppFailure | asyncio.Event]] = field(default_factory=dict)
    sent: list[tuple[str, int, float]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    waiting: int = 0
    most_waiting: int = 0

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """Take note, then do the first of the app's outcomes; the last one stays."""
        self.sent.append((app.hash, json.loads(body)["callid"], self.clock.now() - self.began))
        self.bodies.append(body)
        outcomes = self.outcomes.get(app.hash, [])
        outcome = outcomes.pop(0) if len(outcomes) > 1 else next(iter(outcomes), None)
        if isinstance(outcome, AppFailure):
            raise outcome
        if outcome is not None:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            await outcome.wait()
            self.waiting -= 1
        return b"{}"

    def __post_init__(self) -> None:
        self.began = self.clock.now()

    def times(self, app: str = "GOOD") -> list[float]:
        """List when an app was sent something, in s since the beginning."""
        return [at for name, _, at in self.sent if name == app]


class Disk(MemoryStore):
    """A store whose commits can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: Callable[[Commit], bool] = lambda _: False
        self.looks = 0

    async def commit(self, change: Commit) -> None:
        """Fail when told to."""
        if self.refuses(change):
            raise StoreUnavailable("The disk is full.")
        await super().commit(change)

    async def due(self, *args: Any) -> list[OutboxRow]:
        """Count how often the outbox looks."""
        self.looks += 1
        return await super().due(*args)


@dataclass
class Post:
    """An outbox at work, with everything around it."""

    runtime: Runtime
    store: Disk
    clock: VirtualClock
    apps: Apps
    outbox: Outbox

    async def end(
        self, callid: int, app: str = "GOOD", due: float = 0.0, variables: str = "{}"
    ) -> None:
        """Let a call be over."""
        state = CallState(callid, app, f"u{callid}", 100.0, phase=Phase.ENDED, variables=variables)
        state.call_status, state.ended_at = "HANGUP", self.clock.now()
        write = CallWrite(callid, app, state.uuid, 0, dump(state), 100.0, state.ended_at)
        row = final_row(callid, self.clock.now() + due, app)
        await self.store.commit(Commit(write, outbox=[row]))
        self.outbox.wake()

    async def put(self, key: str, kind: str, **values: Any) -> OutboxRow:
        """Put any row."""
        row = OutboxRow(key, kind, 1, self.clock.now(), **values)
        await self.store.commit(Commit(outbox=[row]))
        self.outbox.wake()
        return row

    async def rest(self) -> None:
        """Let everything happen that needs no more time."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def after(self, seconds: float) -> None:
        """Let what is due happen, and then so much time pass, a second at a time."""
        await self.rest()
        for _ in range(int(seconds)):
            self.clock.advance(1)
            for _ in range(12):
                await asyncio.sleep(0)
        await self.rest()

    def attempts(self, kind: str) -> list[float]:
        """Make a handler that always raises; gives the times of its attempts as they come."""
        times: list[float] = []

        async def fail(_: OutboxRow) -> bool:
            times.append(self.clock.now() - self.apps.began)
            raise ValueError(kind)

        self.outbox.handlers[kind] = fail
        return times


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """Start an outbox over a store in memory; time passes only when a test says so."""
    one = {"url": "https://app.example.com/rt"}
    settings = settings_for(
        "memory:", "https://api.plivo.com", {"apps": {"GOOD": one, "DEAD": one}}
    )
    store, clock = Disk(), VirtualClock()
    await store.open()
    apps = Apps(clock)
    runtime = make_runtime(settings, store, b"s" * 32, clock, apps, None)
    made = Post(runtime, store, clock, apps, Outbox(runtime))
    running = spawn(made.outbox.run(), "outbox")
    yield made
    made.outbox.stop()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def deletes(change: Commit) -> bool:
    """Tell whether a commit deletes a row."""
    return any(successor is None for _, successor in change.outbox_swap)


# --- failures -----------------------------------------------------------------------------------


async def test_final_request_is_sent_once_although_its_row_cannot_be_deleted(post: Post) -> None:
    """When the disk is full after the app was told, only the deletion is tried again."""
    post.store.refuses = deletes
    await post.end(1)
    await post.rest()
    looks = post.store.looks
    await post.after(200)

    assert [0.0] == post.apps.times()
    assert 1 == await post.store.outbox_size()
    # Eight attempts in 200 s (0, 1, 3, 7, 15, 31, 63, 123 s), each looked for once or twice.
    assert looks < 5
    assert post.store.looks < 40
    post.store.refuses = lambda _: False
    await post.after(60)
    assert 0 == await post.store.outbox_size()
    assert [0.0] == post.apps.times()


async def test_variables_nobody_else_can_read_do_not_keep_the_final_request(post: Post) -> None:
    """A lone surrogate, an error to strict JSON readers, goes back to the app that wrote it."""
    variables = '{"name":"\\ud800"}'
    await post.end(1, variables=variables)
    await post.rest()

    assert [0.0] == post.apps.times()
    assert post.apps.bodies[0].endswith(f'"variables":{variables}}}'.encode())
    assert 0 == await post.store.outbox_size()


async def test_final_request_waits_while_its_body_cannot_be_frozen(post: Post) -> None:
    """Nothing is sent before the body is in the store; then it is sent once."""
    post.store.refuses = lambda change: any(new and new.body for _, new in change.outbox_swap)
    await post.end(1)
    await post.after(5)
    assert [] == post.apps.sent

    post.store.refuses = lambda _: False
    await post.after(5)

    assert [7.0] == post.apps.times()
    assert 0 == await post.store.outbox_size()


async def test_handler_that_raises_is_tried_again_further_and_further_apart(post: Post) -> None:
    """A fault in a handler is logged with its traceback; the pauses double up to a minute."""
    times = post.attempts("kick")
    with capture_logs() as logs:
        await post.put("kick:1", "kick")
        await post.after(250)

    assert [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0] == times
    failed = [line for line in logs if line["event"] == "outbox.failed"]
    assert 10 == len(failed)
    assert (True, "kick:1", "kick") == tuple(
        failed[0][name] for name in ("exc_info", "key", "kind")
    )


async def test_pauses_start_afresh_after_a_success(post: Post) -> None:
    """What failed once and then went well begins with a second again, not where it was."""
    outcomes: list[bool | None] = [None, None, False, None, True]
    times: list[float] = []

    async def handle(row: OutboxRow) -> bool:
        times.append(post.clock.now() - post.apps.began)
        outcome = outcomes.pop(0)
        if outcome is None:
            raise ValueError(row.key)
        return outcome or await post.outbox.later(row, 10.0)

    post.outbox.handlers["kick"] = handle
    await post.put("kick:1", "kick")
    await post.after(30)

    assert [0.0, 1.0, 3.0, 13.0, 14.0] == times
    assert 0 == await post.store.outbox_size()


async def test_row_of_an_unknown_kind_is_kept(post: Post) -> None:
    """A row of another release is a failed attempt, logged now and then, and stays in the store."""
    with capture_logs() as logs:
        row = await post.put("x:1", "of_a_later_release")
        await post.after(30)

    assert row == await post.store.outbox_row("x:1")
    assert 5 == len([line for line in logs if line["event"] == "outbox.failed"])


async def test_fault_while_looking_does_not_end_deliveries(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the store raises when it is asked for rows, the outbox looks again."""

    async def broken(*_: object) -> list[OutboxRow]:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(post.store, "due", broken)
        await post.end(1)
        await post.rest()
    await post.after(2)

    assert ["outbox.fault"] == [line["event"] for line in logs]
    assert [1.0] == post.apps.times()


async def test_closed_store_is_looked_at_every_second(post: Post) -> None:
    """While the store cannot be read the outbox neither ends nor spins."""
    await post.end(1)
    await post.store.close()
    with capture_logs() as logs:
        await post.after(3)
    await post.store.open()
    await post.after(1)

    assert ["outbox.store"] * 4 == [line["event"] for line in logs]
    assert [4.0] == post.apps.times()


# --- fairness -----------------------------------------------------------------------------------


async def test_dead_app_keeps_no_other_waiting(post: Post) -> None:
    """A thousand earlier final requests of an app that never answers do not delay one of another."""
    never = asyncio.Event()
    post.apps.outcomes["DEAD"] = [never]
    for callid in range(2, 1002):
        await post.end(callid, "DEAD", due=-60.0)
    await post.end(1)
    await post.rest()

    assert [0.0] == post.apps.times("GOOD")
    assert MOST_PER_LANE == post.apps.waiting
    looks = post.store.looks
    await post.rest()
    assert looks == post.store.looks
    never.set()


async def test_dead_app_keeps_no_kick_waiting(post: Post) -> None:
    """Work for Plivo has places of its own."""
    post.apps.outcomes["DEAD"] = [asyncio.Event()]
    kicked: list[str] = []

    async def kick(row: OutboxRow) -> bool:
        kicked.append(row.key)
        return True

    post.outbox.handlers["kick"] = kick
    for callid in range(1, 101):
        await post.end(callid, "DEAD")
    await post.put("kick:1", "kick", lane="plivo")
    await post.rest()

    assert ["kick:1"] == kicked
    assert MOST_PER_LANE == post.apps.waiting


async def test_rows_wait_for_a_free_place_of_their_lane(post: Post) -> None:
    """Each delivery that ends makes room for the next, until all are delivered."""
    post.apps.outcomes["GOOD"] = [gate := asyncio.Event()]
    for callid in range(1, 101):
        await post.end(callid)
    await post.rest()
    assert MOST_PER_LANE == len(post.apps.sent)
    gate.set()
    await post.rest()

    assert MOST_PER_LANE == post.apps.most_waiting
    assert set(range(1, 101)) == {callid for _, callid, _ in post.apps.sent}
    assert 100 == len(post.apps.sent)
    assert 0 == await post.store.outbox_size()


# --- final requests -----------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [AppTimeout("too slow"), AppDisconnected("broken off")])
async def test_final_request_that_may_have_arrived_is_repeated_three_times(
    post: Post, failure: AppFailure
) -> None:
    """An app that answers too late every time gets the same bytes four times, not for a day."""
    post.apps.outcomes["GOOD"] = [failure]
    with capture_logs() as logs:
        await post.end(1)
        await post.after(300)

    assert [0.0, 1.0, 11.0, 71.0] == post.apps.times()
    assert 1 == len(set(post.apps.bodies))
    assert 0 == await post.store.outbox_size()
    given_up = [line for line in logs if line["event"] == "hangup.unconfirmed"]
    assert [(1, "GOOD", 4)] == [(line["call"], line["app"], line["sent"]) for line in given_up]


async def test_refusals_before_do_not_count_as_repetitions(post: Post) -> None:
    """However often an app could not be reached, what it may have got is repeated three times."""
    refused = [AppUnreachable("refused") for _ in range(5)]
    post.apps.outcomes["GOOD"] = [*refused, AppTimeout("too slow")]
    await post.end(1)
    await post.after(300)

    assert 5 + 4 == len(post.apps.times())
    assert 0 == await post.store.outbox_size()


async def test_repetitions_are_counted_for_all_replicas(post: Post) -> None:
    """The next process, or another one, goes on counting where this one was."""
    post.apps.outcomes["GOOD"] = [AppTimeout("too slow")]
    await post.end(1)
    await post.after(5)
    assert 2 == len(post.apps.times())
    post.outbox.stop()
    await post.rest()
    again = Outbox(post.runtime)
    running = spawn(again.run(), "another outbox")
    await post.after(300)
    again.stop()
    await running

    assert [0.0, 1.0, 11.0, 71.0] == post.apps.times()


async def test_rows_that_others_have_delivered_are_forgotten(post: Post) -> None:
    """What failed here and went well at another replica is not remembered for ever."""
    post.attempts("kick")
    await post.put("kick:1", "kick")
    await post.rest()
    assert {"kick:1"} == set(post.outbox._held)
    row = await post.store.outbox_row("kick:1")
    assert row is not None
    await post.store.commit(Commit(outbox_swap=[(row, None)]))
    await post.after(180)

    assert {} == post.outbox._held


@pytest.mark.parametrize(
    "failure",
    [
        AppUnreachable("refused"),
        *(AppStatus(status, "down") for status in sorted(GATEWAY_STATUSES)),
    ],
)
async def test_final_request_to_an_app_that_is_down_is_repeated_for_a_day(
    post: Post, failure: AppFailure
) -> None:
    """While the app cannot have got it, the final request is repeated until it does."""
    post.apps.outcomes["GOOD"] = [*[failure] * 9, AppTimeout("slow"), AppStatus(500, "done")]
    await post.end(1)
    await post.after(400)

    expected = [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0, 244.0]
    assert expected == post.apps.times()
    assert 0 == await post.store.outbox_size()


async def test_final_request_is_dropped_after_a_day(post: Post) -> None:
    """An app that stays down for `hangup_retry_for_s` is not told any more."""
    post.apps.outcomes["GOOD"] = [AppUnreachable("refused")]
    await post.end(1)
    await post.rest()
    with capture_logs() as logs:
        post.clock.advance(DAY_S + 1)
        await post.rest()

    assert ["hangup.dropped"] == [line["event"] for line in logs]
    assert 0 == await post.store.outbox_size()


async def test_final_request_of_a_removed_app_waits_for_its_return(post: Post) -> None:
    """An app that is not in the settings counts as down."""
    await post.end(1, "GONE")
    await post.rest()
    assert 1 == await post.store.outbox_size()
    post.runtime.apps["GONE"] = replace(post.runtime.apps["GOOD"])
    await post.after(1)

    assert [1.0] == post.apps.times("GOOD")
    assert 0 == await post.store.outbox_size()


async def frozen_and_purged(post: Post) -> OutboxRow:
    """Let the final request of a call be frozen, and the call be purged before it is sent."""
    post.apps.outcomes["GOOD"] = [AppUnreachable("refused"), AppStatus(200, "")]
    await post.end(1)
    await post.rest()
    await post.store.purge(0.0, post.clock.now() + 1)
    row = await post.store.outbox_row("final:1")
    assert row is not None
    return row


async def test_final_request_outlives_its_call(post: Post) -> None:
    """A frozen body is delivered although the call was purged meanwhile."""
    row = await frozen_and_purged(post)
    await post.after(1)

    assert [row.body] * 2 == post.apps.bodies
    assert 0 == await post.store.outbox_size()


async def test_purged_call_has_no_time_left_for_repetitions(post: Post) -> None:
    """Retention is longer than the time for repetitions, so a last attempt is all there is."""
    await frozen_and_purged(post)
    post.apps.outcomes["GOOD"] = [AppUnreachable("refused")]
    await post.after(1)

    assert [0.0, 1.0] == post.apps.times()
    assert 0 == await post.store.outbox_size()


@pytest.mark.parametrize("phase", [None, Phase.WAITING])
async def test_final_request_without_an_ended_call_cannot_be_written(
    post: Post, phase: Phase | None
) -> None:
    """A row without a body whose call is not there, or lives, is dropped with an error."""
    if phase is not None:
        blob = dump(CallState(1, "GOOD", "u1", 100.0, phase=phase))
        await post.store.commit(Commit(CallWrite(1, "GOOD", "u1", 0, blob, 100.0)))
    with capture_logs() as logs:
        await post.put("final:1", "final", lane="app:GOOD")
        await post.rest()

    assert ["hangup.call_missing"] == [line["event"] for line in logs]
    assert (0, []) == (await post.store.outbox_size(), post.apps.sent)


# --- rows that change meanwhile -----------------------------------------------------------------


class Slow:
    """A handler that begins, and ends when the test says so."""

    def __init__(self, post: Post, *, again: bool = False) -> None:
        self._post, self._again = post, again
        self.begun: list[OutboxRow] = []
        self.gate = asyncio.Event()
        post.outbox.handlers["kick"] = self

    async def __call__(self, row: OutboxRow) -> bool:
        """Wait, then be done, or the first time put the row back."""
        self.begun.append(row)
        await self.gate.wait()
        if self._again and len(self.begun) == 1:
            return await self._post.outbox.later(row)
        return True


@pytest.mark.parametrize("again", [False, True])
async def test_row_written_anew_during_its_delivery_is_delivered_too(
    post: Post, again: bool
) -> None:
    """Neither the end of a delivery nor its postponement touches a newer row of that key."""
    handler = Slow(post, again=again)
    first = await post.put("kick:1", "kick", body=b"first")
    await post.rest()
    second = await post.put("kick:1", "kick", body=b"second")
    await post.rest()
    assert [first] == handler.begun
    handler.gate.set()
    await post.rest()

    assert [first, second] == handler.begun
    assert 0 == await post.store.outbox_size()


async def test_row_is_delivered_by_one_at_a_time(post: Post) -> None:
    """However often the outbox is woken, a delivery under way is not begun again."""
    handler = Slow(post)
    await post.put("kick:1", "kick")
    for _ in range(5):
        await post.rest()
        post.outbox.wake()
    handler.gate.set()
    await post.rest()

    assert 1 == len(handler.begun)


async def test_stopped_outbox_begins_nothing(post: Post) -> None:
    """After `stop`, what is due stays for the next process."""
    post.outbox.stop()
    await post.end(1)
    await post.rest()

    assert [] == post.apps.sent
    assert 1 == await post.store.outbox_size()


async def test_what_was_claimed_is_delivered_although_it_was_told_to_stop(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claimed row would be nobody's until the claim is over: it is begun, and nothing after it."""
    claim = post.store.claim

    async def claim_and_stop(*args: Any) -> list[OutboxRow]:
        rows = await claim(*args)
        if rows:
            post.outbox.stop()
        return rows

    monkeypatch.setattr(post.store, "claim", claim_and_stop)
    await post.end(1)
    await post.rest()
    await post.end(2)
    await post.rest()

    assert 1 == len(post.apps.sent)
    assert 1 == await post.store.outbox_size()
