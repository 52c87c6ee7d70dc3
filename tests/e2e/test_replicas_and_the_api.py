"""Two bridges on one store: what the API does in one works at once in the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import pytest
from support_e2e import PATIENCE_S, PUBLIC, Gate, Make, RecordingApp, Reply, World, command
from support_outbound import asked, dialled, does, told
from support_rpc import APP, CALLEE, DID, Rpc, make_rpc
from support_valkey import needs_valkey, shared_server, url_for

from bridge import replicas
from bridge.app import Bridge
from bridge.breaks import BreakOutcome
from bridge.json_rpc.errors import Code
from bridge.open_commands import Tally
from bridge.outbound.intents import Phase
from bridge.simulator.callees import Answers, Busy
from bridge.state import dump
from bridge.store.protocol import CallWrite, Commit

pytestmark = needs_valkey

TARGET = {"number": CALLEE, "timeout": 30}
OPTIONS = {"cdr_field": "42", "cli": DID}
LIMIT = 10
TOKEN = "an-admin-token-of-some-length-0123456789"


@asynccontextmanager
async def second(world: World) -> AsyncIterator[Bridge]:
    """Start another bridge with the same settings; Plivo's webhooks all go to it."""
    other = Bridge(world.bridge.settings, world.clock)
    await other.start()
    world.plivo.via[PUBLIC] = f"http://127.0.0.1:{other.port}"
    async with asyncio.timeout(PATIENCE_S):
        while not world.bridge.session.replicas.ready():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    try:
        yield other
    finally:
        await world.plivo.halt()
        await other.stop()


@pytest.fixture
async def rpc(make_world: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rpc:
    """Give the API of a bridge on a store that others may use; they soon notice a dead one."""
    monkeypatch.setattr(replicas, "BEAT_S", 0.05)
    store = url_for(shared_server(), tmp_path)
    return await make_rpc(
        make_world,
        command("wait", wait=5),
        store=store,
        shutdown_grace_s=1,
        outbound_queue_limit=LIMIT,
        admin_token=TOKEN,
    )


async def test_app_made_in_one_answers_in_the_other(rpc: Rpc) -> None:
    """The other bridge takes the very first call of a new app, and asks it where it is."""
    async with second(rpc.world):
        url = {"url": rpc.world.app.url, "login": "me", "password": "sesame"}
        made = await rpc.call("apps.create", "REALTIME10", "Your app name", url)
        await rpc.call("apps.assign_did", made["hash"], DID)
        rpc.world.dial()
        await rpc.world.delivered()

        assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}
        assert all("Authorization" in headers for headers in rpc.world.app.headers)


async def test_edits_and_deletions_count_from_the_next_call_on(rpc: Rpc) -> None:
    """What one bridge changed of an app holds for the next call that the other takes."""
    async with second(rpc.world) as other:
        url = {"url": "http://127.0.0.1:9/nobody"}
        made = await rpc.call("apps.create", "REALTIME10", "Your app name", url)
        await rpc.call("apps.assign_did", made["hash"], DID)
        assert await other.stored_apps.current(made["hash"]) is not None
        await rpc.call("apps.edit", made["hash"], None, {"url": rpc.world.app.url})
        rpc.world.dial()
        await rpc.world.delivered()
        assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}

        await rpc.call("apps.unassign_did", DID)
        await rpc.call("apps.delete", made["hash"])
        assert await other.stored_apps.current(made["hash"]) is None


async def test_call_of_one_is_led_by_the_other(rpc: Rpc) -> None:
    """Webhooks find the intent whichever bridge dialled, and either can hang the call up."""
    async with second(rpc.world) as other:
        does(rpc.world, Answers(after=2))
        token = await rpc.call("calls.realtime", APP, TARGET, OPTIONS)
        await rpc.world.passes(4)
        assert True is await at(rpc.world, other).call("calls.hangup", 1)
        await rpc.world.delivered()

        assert [("UP", "", token, "42"), ("HANGUP", "wait", token, "42")] == told(rpc.world)


def at(world: World, bridge: Bridge) -> Rpc:
    """Give the API of another bridge."""
    elsewhere = Rpc(world)
    elsewhere.sdk.set_api_url(f"http://127.0.0.1:{bridge.port}/json-rpc/v1.1/")
    return elsewhere


async def vanish(bridge: Bridge, *witnesses: Bridge) -> None:
    """Let a bridge stand still as if it were dead, and wait until the others take it for dead."""
    bridge.outbound.stop()
    running = bridge.session.replicas._running
    assert running is not None
    running.cancel()
    async with asyncio.timeout(10):
        for witness in witnesses:
            while await witness.session.replicas.lives(bridge.runtime.instance):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


def gaps(world: World) -> list[float]:
    """List the times between calls that Plivo was asked for, in s."""
    times = [entry.at for entry in world.timeline.of("rest") if entry.data["path"] == "Call/"]
    return [later - earlier for earlier, later in pairwise(times)]


async def test_two_bridges_dial_each_call_once_at_one_pace(rpc: Rpc) -> None:
    """Wherever calls are placed, no number is called twice, and the account's pace is kept."""
    async with second(rpc.world) as other:
        elsewhere = at(rpc.world, other)
        numbers = [f"+3369999000{n}" for n in range(8)]
        for n, number in enumerate(numbers):
            does(rpc.world, Busy(), number)
            one = elsewhere if n % 2 else rpc
            await one.call("calls.realtime", APP, {"number": number}, OPTIONS)
        await rpc.world.passes(120)

        assert [number.removeprefix("+") for number in numbers] == sorted(
            number for _, number in dialled(rpc.world)
        )
        assert len(numbers) == len(asked(rpc.world)) == len(rpc.world.app.finals)
        assert 0.5 <= min(gaps(rpc.world))


async def test_pace_is_kept_when_the_dialling_bridge_dies_and_joins(rpc: Rpc) -> None:
    """Who takes over waits as if the other had dialled just now; who comes back does not dial."""
    async with second(rpc.world) as other:
        numbers = [f"+3369999000{n}" for n in range(6)]
        for number in numbers:
            does(rpc.world, Busy(), number)
            await rpc.call("calls.realtime", APP, {"number": number}, OPTIONS)
        await rpc.world.passes(0.7)
        assert 2 == len(dialled(rpc.world))
        await vanish(rpc.world.bridge, other)
        await rpc.world.passes(1.1)
        third = Bridge(rpc.world.bridge.settings, rpc.world.clock)
        await third.start()
        await rpc.world.passes(10)
        await rpc.world.plivo.halt()
        await third.stop()

        assert sorted(numbers) == sorted(f"+{number}" for _, number in dialled(rpc.world))
        assert 6 == len(asked(rpc.world))
        assert 0.5 <= min(gaps(rpc.world))


def look_too_early(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bridge look for a call once just before another one stores it."""
    find, looks = bridge.store.find_call, count()

    async def find_too_early(app: str, uuid: str) -> int | None:
        return await find(app, uuid) if next(looks) else None

    monkeypatch.setattr(bridge.store, "find_call", find_too_early)


@pytest.mark.parametrize("route", ["answer", "hangup"])
async def test_webhooks_of_a_new_outbound_call_race(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    """A bridge that another is faster than answers with the same document, and ends the same call."""
    async with second(rpc.world) as other:
        token = await rpc.call("calls.realtime", APP, TARGET, OPTIONS)
        leg = rpc.world.leg(direction="outbound")
        url = f"{PUBLIC}/plivo/{APP}"
        first = await leg.request(f"{url}/answer/{token}")
        look_too_early(rpc.world.bridge, monkeypatch)
        rpc.world.plivo.via[PUBLIC] = f"http://127.0.0.1:{rpc.world.bridge.port}"
        again = await leg.request(f"{url}/{route}/{token}")

        assert b"<Wait " in first.body
        assert (200, first.body if route == "answer" else b"") == (again.status, again.body)
        assert ("UP", "", token, "42") == told(rpc.world)[0]
        assert (1 if route == "answer" else 0) == await other.store.count_live()


async def test_queue_is_that_of_all_bridges(rpc: Rpc) -> None:
    """Each tells how many calls wait in all, and refuses more than the limit, whoever took them."""
    async with second(rpc.world) as other:
        elsewhere = at(rpc.world, other)
        # The clock stands still, so that one of them is dialled and the others wait.
        for number in range(LIMIT + 1):
            one = elsewhere if number % 2 else rpc
            await one.call("calls.realtime", APP, {"number": f"+336999900{number:02}"}, OPTIONS)
        waiting = [await bridge.outbound.waiting() for bridge in (rpc.world.bridge, other)]
        _, metrics = await rpc.world.admin("/metrics")

        assert [LIMIT, LIMIT] == waiting
        assert f"\nrt_bridge_outbound_waiting {LIMIT}.0\n" in metrics
        for one in (rpc, elsewhere):
            assert Code.QUEUE_FULL == (await one.fails("calls.realtime", APP, TARGET, OPTIONS))[0]


async def test_apps_take_turns_across_bridges(rpc: Rpc) -> None:
    """One call of an app, placed at one bridge, does not wait behind the many at the other."""
    async with second(rpc.world) as other:
        url = {"url": rpc.world.app.url}
        made = await rpc.call("apps.create", "REALTIME10", "Another", url)
        for number in range(6):
            await rpc.call("calls.realtime", APP, {"number": f"+3369999000{number}"}, OPTIONS)
        await at(rpc.world, other).call("calls.realtime", made["hash"], TARGET, OPTIONS)
        await rpc.world.passes(10)

        assert CALLEE.removeprefix("+") in [number for _, number in dialled(rpc.world)][:3]
        assert 7 == len(dialled(rpc.world))


async def test_what_a_dead_bridge_took_is_dialled_at_once(rpc: Rpc) -> None:
    """Calls that waited in a bridge that died are dialled as soon as the other knows of its death."""
    async with second(rpc.world) as other:
        does(rpc.world, Busy())
        # It takes the call and dies before it dials.
        rpc.world.bridge.outbound.stop()
        rpc.world.bridge.outbound._stopping = False
        token = await rpc.call("calls.realtime", APP, TARGET, OPTIONS)
        await vanish(rpc.world.bridge, other)
        await rpc.world.passes(5)

        found = await rpc.world.bridge.session.arrivals.ledger.read(token)
        assert found is not None
        assert Phase.OVER is found.phase
        assert 1 == len(dialled(rpc.world))
        assert 0 == await other.outbound.waiting()


# --- calls that another bridge leads -------------------------------------------------------------


@asynccontextmanager
async def led_elsewhere(rpc: Rpc, *replies: Reply) -> AsyncIterator[Bridge]:
    """Let a call begin whose webhooks all go to the other bridge, and give that one."""
    rpc.world.app.replies[:] = replies
    async with second(rpc.world) as other:
        rpc.world.dial()
        await rpc.world.app.heard(1)
        yield other


def overtake(bridge: Bridge, times: int = 1) -> list[int]:
    """Let another bridge be faster at so many commits of calls; gives the list of those calls."""
    store, commit, overtaken = bridge.store, bridge.store.commit, list[int]()

    async def slower(change: Commit) -> None:
        if change.call is not None and change.call.base and len(overtaken) < times:
            overtaken.append(change.call.callid)
            held = await store.load_call(change.call.callid)
            assert held is not None
            await commit(Commit(replace(change.call, blob=held.blob, base=held.version)))
        await commit(change)

    store.commit = slower  # type: ignore[method-assign]
    return overtaken


def transfers(world: World) -> int:
    """Count the transfers Plivo was asked for."""
    found = [e.data for e in world.timeline.of("rest") if e.data["method"] == "POST"]
    return sum("legs" in (one["body"] or {}) for one in found)


async def test_break_of_a_call_that_another_bridge_leads(rpc: Rpc) -> None:
    """The command ends with BREAK, although another bridge writes the call at that very moment."""
    async with led_elsewhere(rpc, command("wait", wait=30)):
        await rpc.world.passes(2)
        overtaken = overtake(rpc.world.bridge, 3)
        assert True is await rpc.call("calls.realtime_break", 1, None)
        await rpc.world.delivered()

        assert [1, 1, 1] == overtaken
        assert "BREAK" == rpc.world.app.results()[1].partition(":")[0]


async def test_break_at_both_bridges_at_once_is_one_transfer(rpc: Rpc) -> None:
    """Both say that the command was broken; Plivo is asked once, and the next command goes on."""
    async with led_elsewhere(rpc, command("wait", wait=30), command("wait", "next", wait=9)) as it:
        await rpc.world.passes(2)
        both = [one.call("calls.realtime_break", 1, None) for one in (rpc, at(rpc.world, it))]
        assert [True, True] == await asyncio.gather(*both)
        await rpc.world.delivered()

        assert 1 == transfers(rpc.world)
        asked_for = [(one["command_id"], one["command_result"]) for one in rpc.world.app.asked]
        assert [(0, ""), ("wait", ""), ("next", "0")] == asked_for


async def test_break_that_a_dead_bridge_left_is_carried_out(rpc: Rpc) -> None:
    """Nobody waits for a bridge that died after it had stored the break."""
    async with led_elsewhere(rpc, command("wait", wait=30)) as other:
        await rpc.world.passes(2)
        begun = await other.breaks._intend(1, -1)
        assert not isinstance(begun, int | BreakOutcome)
        running = other.session.replicas._running
        assert running is not None
        running.cancel()
        async with asyncio.timeout(PATIENCE_S):
            assert True is await rpc.call("calls.realtime_break", 1, None)

        assert 1 == transfers(rpc.world)


async def test_nothing_runs_while_another_bridge_asks_the_app(rpc: Rpc) -> None:
    """Between two commands there is nothing to break, and a hangup ends the call all the same."""
    gate = Gate(command("wait", wait=30))
    async with led_elsewhere(rpc, gate):
        assert False is await rpc.call("calls.realtime_break", 1, None)
        assert True is await rpc.call("calls.hangup", 1)
        gate.open()
        await rpc.world.delivered()

        assert ["UP", "HANGUP"] == [one["call_status"] for one in rpc.world.app.requests]


async def test_operator_ends_what_another_bridge_leads(rpc: Rpc) -> None:
    """The admin listener of any bridge breaks and hangs up any call, whoever writes it meanwhile."""
    async with led_elsewhere(rpc, command("wait", wait=30), command("wait", wait=30)):
        await rpc.world.passes(2)
        overtake(rpc.world.bridge)
        assert 200 == await admin(rpc.world, "break")
        await rpc.world.app.heard(2)
        assert 200 == await admin(rpc.world, "hangup")
        await rpc.world.delivered()

        assert 1 == len(rpc.world.app.finals)


async def test_operator_ends_what_plivo_knows_no_more(rpc: Rpc) -> None:
    """A call whose hangup webhook was lost is over for all, though another bridge was just at it."""
    async with led_elsewhere(rpc, command("wait", wait=30)):
        await rpc.world.passes(2)
        state = await rpc.world.bridge.session.read(1)
        assert state is not None
        state.uuid = "nobody"
        await rpc.world.bridge.store.commit(
            Commit(CallWrite(1, APP, state.uuid, state.version, dump(state), 1.0))
        )
        overtaken = overtake(rpc.world.bridge)
        assert 200 == await admin(rpc.world, "hangup")
        await rpc.world.app.heard(1, final=True)

        assert [1] == overtaken


async def test_both_bridges_tell_what_runs(rpc: Rpc) -> None:
    """A command that one bridge started and the other will end is one open command for both."""
    async with led_elsewhere(rpc, command("wait", wait=30)) as other:
        await rpc.world.passes(2)
        await Tally(other.runtime).renew()
        for bridge in (rpc.world.bridge, other):
            url = f"http://127.0.0.1:{bridge.admin_port}/metrics"
            async with rpc.world.plivo.session.get(url) as response:
                shown = await response.text()
            assert '\nrt_bridge_open_commands{name="wait",version="1"} 1.0\n' in shown


async def admin(world: World, action: str) -> int:
    """Let an operator do something to the first call at the first bridge; gives the status."""
    url = f"http://127.0.0.1:{world.bridge.admin_port}/admin/calls/1/{action}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with world.plivo.session.post(url, headers=headers) as response:
        return response.status


# --- apps ----------------------------------------------------------------------------------------


async def test_change_of_an_app_reaches_the_calls_it_has(rpc: Rpc) -> None:
    """Within a second every bridge asks an app where it is by now, in the middle of a call."""
    async with second(rpc.world) as other:
        made = await rpc.call("apps.create", "REALTIME10", "One", {"url": rpc.world.app.url})
        await rpc.call("apps.assign_did", made["hash"], DID)
        rpc.world.dial()
        await rpc.world.app.heard(1)
        moved = RecordingApp()
        await moved.start()
        try:
            await rpc.call("apps.edit", made["hash"], None, {"url": moved.url})
            async with asyncio.timeout(PATIENCE_S):
                while other.runtime.apps[made["hash"]].settings.url != moved.url:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
            await rpc.world.passes(10)
            await moved.heard(1, final=True)
        finally:
            await moved.stop()

        assert ["", "wait"] == [one["command"] for one in (*rpc.world.app.asked, *moved.asked)]


async def test_two_bridges_assign_one_number_after_the_other(rpc: Rpc) -> None:
    """Of two that give a number away at once the later one wins, at Plivo as in the store."""
    async with second(rpc.world) as other:
        url = {"url": rpc.world.app.url}
        made = [await rpc.call("apps.create", "REALTIME10", name, url) for name in ("A", "B")]
        hashes = [one["hash"] for one in made]
        for _ in range(4):
            both = (rpc.call, at(rpc.world, other).call)
            await asyncio.gather(
                *(call("apps.assign_did", app, DID) for call, app in zip(both, hashes, strict=True))
            )
            owners = [app for app in hashes if (await rpc.call("apps.get", app))["did"]]
            rpc.world.app.requests.clear()
            rpc.world.dial()
            (request, *_) = await rpc.world.app.heard(1)
            assert [request["app"]] == owners


async def test_unknown_app_is_unknown_in_both(rpc: Rpc) -> None:
    """A hash that nobody made is nobody's."""
    async with second(rpc.world) as other:
        assert await other.stored_apps.current("NOSUCH12") is None
        assert Code.APP_NOT_FOUND == (await rpc.fails("apps.get", "NOSUCH12"))[0]
