"""Two bridges on one store: what the API does in one works at once in the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support_e2e import PUBLIC, Make, World, command
from support_outbound import asked, dialled, does, told
from support_rpc import APP, CALLEE, DID, Rpc, make_rpc
from support_valkey import needs_valkey, shared_server, url_for

from bridge.app import Bridge
from bridge.json_rpc.errors import Code
from bridge.outbound.intents import Phase
from bridge.simulator.callees import Answers, Busy

pytestmark = needs_valkey

TARGET = {"number": CALLEE, "timeout": 30}
OPTIONS = {"cdr_field": "42", "cli": DID}


@asynccontextmanager
async def second(world: World) -> AsyncIterator[Bridge]:
    """Start another bridge with the same settings; Plivo's webhooks all go to it."""
    other = Bridge(world.bridge.settings, world.clock)
    await other.start()
    world.plivo.via[PUBLIC] = f"http://127.0.0.1:{other.port}"
    try:
        yield other
    finally:
        await world.plivo.halt()
        await other.stop()


@pytest.fixture
async def rpc(make_world: Make, tmp_path: Path) -> Rpc:
    """Give the API of a bridge on a store that others may use."""
    store = url_for(shared_server(), tmp_path)
    return await make_rpc(make_world, command("wait", wait=5), store=store, shutdown_grace_s=1)


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
        elsewhere = Rpc(rpc.world)
        elsewhere.sdk.set_api_url(f"http://127.0.0.1:{other.port}/json-rpc/v1.1/")
        assert True is await elsewhere.call("calls.hangup", 1)
        await rpc.world.delivered()

        assert [("UP", "", token, "42"), ("HANGUP", "wait", token, "42")] == told(rpc.world)


async def test_two_queues_dial_each_call_once(rpc: Rpc) -> None:
    """Both bridges know of all that waits, and no number is called twice."""
    async with second(rpc.world) as other:
        does(rpc.world, Busy())
        elsewhere = Rpc(rpc.world)
        elsewhere.sdk.set_api_url(f"http://127.0.0.1:{other.port}/json-rpc/v1.1/")
        numbers = [f"+3369999000{n}" for n in range(8)]
        for number in numbers:
            one = rpc if number < "+33699990004" else elsewhere
            does(rpc.world, Busy(), number)
            await one.call("calls.realtime", APP, {"number": number}, OPTIONS)
        # Both look into the store for what others have left.
        for bridge in (rpc.world.bridge, other):
            dispatcher = bridge.outbound._dispatcher
            assert dispatcher is not None
            await dispatcher._scan()
        await rpc.world.passes(120)

        assert [number.removeprefix("+") for number in numbers] == sorted(
            number for _, number in dialled(rpc.world)
        )
        assert len(numbers) == len(asked(rpc.world)) == len(rpc.world.app.finals)


async def test_what_one_left_is_dialled_by_the_other(rpc: Rpc) -> None:
    """Calls that waited in a bridge that is gone are found by the other within a minute."""
    async with second(rpc.world) as other:
        does(rpc.world, Busy())
        rpc.world.bridge.outbound.stop()
        ledger = rpc.world.bridge.session.arrivals.ledger
        rpc.world.bridge.outbound._stopping = False
        token = await rpc.call("calls.realtime", APP, TARGET, OPTIONS)
        await rpc.world.passes(70)
        await rpc.world.delivered()

        found = await ledger.read(token)
        assert found is not None
        assert Phase.OVER is found.phase
        assert 1 == len(dialled(rpc.world))
        assert 0 == other.outbound.waiting


async def test_unknown_app_is_unknown_in_both(rpc: Rpc) -> None:
    """A hash that nobody made is nobody's."""
    async with second(rpc.world) as other:
        assert await other.stored_apps.current("NOSUCH12") is None
        assert Code.APP_NOT_FOUND == (await rpc.fails("apps.get", "NOSUCH12"))[0]
