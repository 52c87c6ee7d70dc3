"""Rooms that are closed, by us, by somebody else, or by themselves: what their members are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_e2e import HANGUP, PUBLIC, Make, World, command, tts
from support_rpc import make_rpc

from bridge.simulator import control
from bridge.simulator.inputs import HungUp, RoomEnded
from bridge.simulator.platform import Application
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.store.protocol import Commit, Conflict
from bridge.testing.call import Call

ROOM = command("simple_conference", id="42", auto_leave_when_alone=False)
NEXT = command("play", media_id=tts("Afterwards"))
ANN, BOB = "+33611111111", "+33622222222"
PROFILES = [NORMAL, HOSTILE]


async def two_in_a_room(world: World) -> tuple[Call, Call]:
    """Let Ann and Bob meet."""
    ann = world.dial(ANN)
    await ann.expect_room(members=1)
    bob = world.dial(BOB)
    await bob.expect_room(members=2)
    await bob.wait(10)
    return ann, bob


def results(world: World) -> list[tuple[int, str, str, str]]:
    """List call, command, code and result of what the app was told of rooms, in any order."""
    return sorted(
        (r["callid"], r["call_status"], r["command_error"].partition(":")[0], r["command_result"])
        for r in world.app.requests
        if r["command"] == "simple_conference"
    )


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
async def test_closed_by_us(make_rest_world: Make, profile: Profile) -> None:
    """Everybody is sent out with CONFERENCE_CLOSED, those of lost callbacks too, and goes on."""
    world = await make_rest_world(ROOM, ROOM, NEXT, NEXT, faults=["drop:enter#2"], profile=profile)
    ann, bob = await two_in_a_room(world)
    app = world.bridge.runtime.apps["DEFAULT"]
    assert [1, 2] == sorted(await world.bridge.looks.close(app, "42"))
    await ann.expect_prompt("Afterwards")
    await bob.expect_prompt("Afterwards")
    await world.finish()

    closed = "CONFERENCE_CLOSED"
    assert [(1, "UP", "", closed), (2, "UP", "", closed)] == results(world)


async def test_closing_what_is_not_there(make_rest_world: Make) -> None:
    """A room nobody is in, or one of another app, has nobody to be sent out."""
    world = await make_rest_world(ROOM, ROOM, more_apps=["SHOP"])
    shop = world.dial(application=Application.at(PUBLIC, "SHOP"))
    await shop.expect_room(members=1)
    app = world.bridge.runtime.apps["DEFAULT"]
    assert [] == await world.bridge.looks.close(app, "42")
    await world.passes(5)

    assert not shop.is_over
    assert [] == world.asked_of_rest("POST")


async def test_closing_without_rest(make_world: Make) -> None:
    """Without REST nobody can be sent out."""
    world = await make_world(ROOM, HANGUP)
    call = world.dial()
    await call.expect_room()
    app = world.bridge.runtime.apps["DEFAULT"]

    assert [] == await world.bridge.looks.close(app, "42")
    await call.hang_up()
    await world.finish()


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
@pytest.mark.parametrize("seed", range(3))
async def test_ended_elsewhere(make_rest_world: Make, profile: Profile, seed: int) -> None:
    """A room that is ended through Plivo's API hangs its members up: the final request says so."""
    world = await make_rest_world(ROOM, ROOM, profile=profile)
    world.plivo.faults.random.seed(seed)
    await two_in_a_room(world)
    (room,) = world.plivo.rooms.values()
    control.end_room(room)
    await world.finish()

    closed = "CONFERENCE_CLOSED"
    assert [(1, "HANGUP", "", closed), (2, "HANGUP", "", closed)] == results(world)


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
async def test_hung_up_in_a_room(make_rest_world: Make, profile: Profile) -> None:
    """A caller who hangs up left no room that was closed."""
    world = await make_rest_world(ROOM, profile=profile)
    call = world.dial()
    await call.expect_room()
    await call.hang_up()
    await world.finish()

    assert [(1, "HANGUP", "", "")] == results(world)


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
async def test_line_that_breaks_in_a_room(make_rest_world: Make, profile: Profile) -> None:
    """Nor did one whose line failed."""
    world = await make_rest_world(ROOM, profile=profile)
    call = world.dial()
    await call.expect_room()
    call.line.post(HungUp(("NORMAL_TEMPORARY_FAILURE", "6020", "Media Timeout", "Plivo")))
    await world.finish()

    assert [(1, "HANGUP", "", "")] == results(world)


@pytest.mark.parametrize("known", ["enter", "exit"])
async def test_plivo_goes_on_behind_a_room_that_ended(make_rest_world: Make, known: str) -> None:
    """Who was let in, by either callback, was in a room that was closed, not before a full one."""
    world = await make_rest_world(ROOM, HANGUP)
    leg = world.leg(uuid="u1")
    document = (await leg.request(world.application.answer_url)).body.decode()
    name = document.partition("</Conference>")[0].rpartition(">")[2]
    callback = document.partition('callbackUrl="')[2].partition("#")[0]
    form = {"ConferenceName": name, "ConferenceUUID": "c1", "ConferenceMemberID": "7"}
    await leg.request(callback, {**form, "ConferenceAction": known})
    base = world.application.answer_url.removesuffix("/answer")
    await leg.request(f"{base}/1/1/next")

    assert [(1, "UP", "", "CONFERENCE_CLOSED")] == results(world)


async def test_plivo_goes_on_behind_a_full_room(make_rest_world: Make) -> None:
    """Who was never let in stood before a full room, however long that took."""
    world = await make_rest_world(ROOM, HANGUP)
    leg = world.leg(uuid="u1")
    await leg.request(world.application.answer_url)
    await world.passes(20)
    base = world.application.answer_url.removesuffix("/answer")
    await leg.request(f"{base}/1/1/next")

    assert [(1, "UP", "ROOM_FULL", "")] == results(world)


async def test_room_that_ends_by_itself_hangs_up(make_rest_world: Make) -> None:
    """Should Plivo hang up the members of a conference that ends, the final request says why."""
    world = await make_rest_world(ROOM, profile=replace(NORMAL, members_survive_room_end=False))
    call = world.dial()
    await call.expect_room()
    call.line.post(RoomEnded())
    await world.finish()

    assert [(1, "HANGUP", "", "CONFERENCE_CLOSED")] == results(world)


async def test_member_that_another_replica_serves(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's commit to the call in between neither fails the hangup nor hides who made it."""
    rpc = await make_rpc(make_world, ROOM)
    call = rpc.world.dial()
    await call.expect_room()
    store, faster = rpc.world.bridge.store, [Conflict("another replica was faster")]
    commit = store.commit

    async def overtaken(change: Commit) -> None:
        if faster:
            raise faster.pop()
        await commit(change)

    monkeypatch.setattr(store, "commit", overtaken)
    assert True is await rpc.call("calls.hangup", 1)
    await rpc.world.finish()

    assert [] == faster
    assert [(1, "HANGUP", "", "")] == results(rpc.world)


async def test_member_that_legacy_code_hangs_up(make_world: Make) -> None:
    """A member that calls.hangup ends leaves a room that was not closed."""
    rpc = await make_rpc(make_world, ROOM)
    call = rpc.world.dial()
    await call.expect_room()
    assert True is await rpc.call("calls.hangup", 1)
    await rpc.world.finish()

    assert [(1, "HANGUP", "", "")] == results(rpc.world)
