"""Conferences with two callers: who left, how, and who was left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import stamina
from support_e2e import HANGUP, PUBLIC, Json, Make, World, command, link, tts

from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.testing.call import Call

ROOM = command("simple_conference", id="42")
ANN, BOB, EVE = "+33611111111", "+33622222222", "+33633333333"
LAST_AND_LEFT = {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]}


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Repeat REST requests at once: their number is the product's, only the pauses are left out."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def by_call(world: World) -> dict[int, list[str]]:
    """List per call what the app was told after the first request."""
    told: dict[int, list[str]] = {}
    for request in world.app.asked:
        if request["command"]:
            result = request["command_error"].partition(":")[0] or request["command_result"]
            told.setdefault(request["callid"], []).append(result)
    return told


async def two_callers(world: World) -> tuple[Call, Call]:
    """Let Ann enter, then Bob, and let them talk for a while."""
    ann = world.dial(ANN)
    await ann.expect_room(members=1)
    bob = world.dial(BOB)
    await bob.expect_room(members=2)
    await bob.wait(10)
    return ann, bob


async def test_last_participant(make_rest_world: Make, store: str) -> None:
    """The one who is left and asked for it is sent out, after a look at who is there."""
    world = await make_rest_world(ROOM, ROOM, store=store)
    ann, bob = await two_callers(world)
    await bob.press("*")
    await ann.expect_result("LAST_PARTICIPANT")
    await world.finish()

    assert LAST_AND_LEFT == by_call(world)
    assert ["GET", "POST"] == [entry.data["method"] for entry in world.timeline.of("rest")]


async def test_announcement_for_the_last(make_rest_world: Make) -> None:
    """Who is sent out hears the announcement before the app is told."""
    room = command("conference", id=1, auto_leave_when_alone=True, auto_leave_announce=tts("Alone"))
    world = await make_rest_world(room, room)
    ann, bob = await two_callers(world)
    await bob.press("*")
    await ann.expect_prompt("Alone")
    await ann.expect_no_result("LAST_PARTICIPANT")
    await ann.expect_result("LAST_PARTICIPANT")
    await world.finish()

    assert LAST_AND_LEFT == by_call(world)


@pytest.mark.parametrize("leaves", ["star", "hangs up"])
@pytest.mark.parametrize("fault", ["duplicate:exit#1", "delay:exit=300#1", "drop:exit#1"])
async def test_exit_of_the_other(make_rest_world: Make, fault: str, leaves: str) -> None:
    """An exit that is doubled, late or lost sends the last one out once: Bob's call says as much."""
    world = await make_rest_world(ROOM, ROOM, faults=[fault])
    ann, bob = await two_callers(world)
    if leaves == "star":
        await bob.press("*")
    else:
        await bob.hang_up()
    await ann.expect_result("LAST_PARTICIPANT")
    await world.finish()

    assert 1 == len(world.asked_of_rest("POST", "/Kick/"))
    bobs = {2: ["LEFT_CONFERENCE"]} if leaves == "star" else {}
    assert {1: ["LAST_PARTICIPANT"], **bobs} == by_call(world)


@pytest.mark.parametrize("fault", ["duplicate:enter#2", "drop:enter#2"])
async def test_enter_of_the_other(make_rest_world: Make, fault: str) -> None:
    """An enter that is doubled or lost does not change who is left alone."""
    world = await make_rest_world(ROOM, ROOM, faults=[fault])
    _, bob = await two_callers(world)
    await bob.press("*")
    await world.finish()

    assert LAST_AND_LEFT == by_call(world)
    assert 1 == len(world.asked_of_rest("POST", "/Kick/"))


async def test_enter_after_exit(make_rest_world: Make) -> None:
    """An enter that arrives after its exit makes no ghost that a later exit would count."""
    world = await make_rest_world(ROOM, ROOM, faults=["delay:enter=300#2"])
    ann, bob = await two_callers(world)
    await bob.press("*")
    await world.finish()

    assert LAST_AND_LEFT == by_call(world)
    assert ["enter", "exit", "exit", "enter"] == [
        entry.data["name"]
        for entry in world.timeline.of("tells")
        if entry.data["name"] in {"enter", "exit"}
    ]
    room = await world.bridge.store.load_room(link(world.documents(ann)[0], "Conference"))
    assert room is not None
    assert b'"members":[]' in room.blob


async def test_somebody_else_came_meanwhile(make_rest_world: Make) -> None:
    """Nobody is sent out when Plivo says that the one left is not alone after all."""
    world = await make_rest_world(ROOM, ROOM, ROOM, faults=["drop:enter#2"])
    ann = world.dial(ANN)
    await ann.expect_room(members=1)
    eve = world.dial(EVE)
    await eve.expect_room(members=2)
    bob = world.dial(BOB)
    await bob.expect_room(members=3)
    await bob.press("*")
    await bob.expect_rest("GET", "Conference/")
    await world.passes(60)

    assert [] == world.asked_of_rest("POST", "/Kick/")
    rows = await world.bridge.store.due(world.clock.now() + 3600, 9)
    assert [] == [row for row in rows if row.kind == "kick"]
    for call in (ann, eve):
        assert not call.is_over
        world.plivo.hang_up(call.line.uuid)
    await world.finish()


async def test_kick_repeated(make_rest_world: Make) -> None:
    """A kick that Plivo could not take at first is sent again."""
    faults = [f"rest_500:Conference#{number}" for number in (1, 2, 3)]
    world = await make_rest_world(ROOM, ROOM, faults=faults)
    _, bob = await two_callers(world)
    await bob.press("*")
    await world.finish()

    assert LAST_AND_LEFT == by_call(world)
    statuses = [e.data["status"] for e in world.timeline.of("rest") if e.data["method"] == "GET"]
    assert [500, 500, 500, 200] == statuses[:4]


async def test_not_asked_for(make_rest_world: Make) -> None:
    """Who did not ask for it stays alone."""
    room = command("simple_conference", id="42", auto_leave_when_alone=False)
    world = await make_rest_world(room, room, HANGUP)
    ann, bob = await two_callers(world)
    await bob.press("*")
    await ann.expect_no_result("LAST_PARTICIPANT", within=600)
    await ann.hang_up()
    await world.finish()

    assert {2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert [] == world.asked_of_rest("POST")


async def test_first_to_join_is_not_sent_out(make_rest_world: Make) -> None:
    """Waiting alone for the others is not being left alone."""
    world = await make_rest_world(ROOM)
    ann = world.dial(ANN)
    await ann.expect_room(members=1)
    await ann.wait(600)
    await ann.press("*")
    await world.finish()

    assert {1: ["LEFT_CONFERENCE"]} == by_call(world)
    assert [] == world.asked_of_rest("POST")


async def test_other_hangs_up(make_rest_world: Make) -> None:
    """Somebody who hangs up in the room leaves the other one alone as well."""
    world = await make_rest_world(ROOM, ROOM)
    _, bob = await two_callers(world)
    await bob.hang_up()
    await world.finish()

    assert {1: ["LAST_PARTICIPANT"]} == by_call(world)
    finals = [f for f in world.app.finals if f["callid"] == 2]
    assert [("simple_conference", "")] == [(f["command"], f["command_result"]) for f in finals]


async def test_without_rest(make_world: Make, store: str) -> None:
    """Without REST the room itself ends for the one who is left, who then counts as the last."""
    world = await make_world(ROOM, ROOM, store=store)
    ann, bob = await two_callers(world)
    await bob.press("*")
    await world.finish()

    assert 'stayAlone="false"' in world.documents(ann)[0].decode()
    results = by_call(world)
    assert ["LEFT_CONFERENCE"] == results[2]
    assert results[1] in (["LAST_PARTICIPANT"], ["LEFT_CONFERENCE"])


async def test_without_rest_when_nobody_survives_a_room(make_world: Make) -> None:
    """Should the end of a room end the calls in it, the final request says why."""
    world = await make_world(ROOM, ROOM, profile=replace(NORMAL, members_survive_room_end=False))
    ann, bob = await two_callers(world)
    await bob.press("*")
    await ann.expect_ended(by="plivo")
    await world.finish()

    assert {2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert [("simple_conference", "LAST_PARTICIPANT"), ("hangup", "")] == [
        (final["command"], final["command_result"])
        for final in sorted(world.app.finals, key=lambda final: int(final["callid"]))
    ]


async def test_time_is_up(make_world: Make) -> None:
    """Who is in the room when its time is up is told that it was closed."""
    world = await make_world(ROOM, stale_call_after_s=172_800.0)
    # A call of the platform ends after four hours, long before a room does.
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    room = {"ConferenceName": link(document, "Conference"), "ConferenceUUID": "c-1"}
    await world.passes(86_400)
    await leg.request(link(document, "action"), {**room, "ConferenceMemberID": "11"})

    assert {1: ["CONFERENCE_CLOSED"]} == by_call(world)


async def test_longest_call(make_world: Make) -> None:
    """A caller whom Plivo hangs up after four hours in a room leaves it without a result."""
    world = await make_world(ROOM)
    call = world.dial()
    await call.expect_ended(by="plivo", code=6000, within=15_000)
    await world.finish()

    assert [("simple_conference", "", "HANGUP")] == [
        (f["command"], f["command_result"], f["call_status"]) for f in world.app.finals
    ]


@pytest.mark.parametrize("skipped", [True, False], ids=["element skipped", "action asked"])
async def test_room_full(make_world: Make, *, skipped: bool) -> None:
    """A full room is an error with its own code, and the call goes on."""
    profile = replace(NORMAL, full_room_skips_action=skipped)
    world = await make_world(ROOM, ROOM, command("wait"), HANGUP, profile=profile)
    ann = world.dial(ANN)
    await ann.expect_room()
    (room,) = world.plivo.rooms.values()
    room.most = 1
    bob = world.dial(BOB)
    await bob.expect_error("ROOM_FULL")
    await bob.expect_ended(by="app")
    await ann.hang_up()
    await world.finish()

    assert {2: ["ROOM_FULL", "0"]} == by_call(world)


@pytest.mark.parametrize(
    ("attempts", "result", "said"),
    [
        (["1234#"], "LEFT_CONFERENCE", ["Welcome", "PIN?", "Right"]),
        (["9#", "1234#"], "LEFT_CONFERENCE", ["Welcome", "PIN?", "Wrong", "PIN?", "Right"]),
        (["1#", "2#", "3#"], "PIN_ERROR", None),
        (["", "", ""], "PIN_TIMEOUT", ["Welcome", "PIN?", "PIN?", "PIN?"]),
        (["", "1#", ""], "PIN_ERROR", None),
    ],
    ids=["right", "second try", "wrong", "silent", "mixed"],
)
@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_pin(
    make_world: Make, attempts: list[str], result: str, said: list[str] | None, profile: Profile
) -> None:
    """The PIN dialogue is held as the app wants it, and its failures are results of their own."""
    room = command(
        "conference",
        id=1,
        welcome=tts("Welcome"),
        pin_code="1234",
        pin_prompt=tts("PIN?"),
        pin_error=tts("Wrong"),
        pin_valid=tts("Right"),
    )
    world = await make_world(room, HANGUP, profile=profile)
    call = world.dial()
    for keys in attempts:
        await call.expect_prompt("PIN?")
        if keys:
            await call.press(keys)
    if result == "LEFT_CONFERENCE":
        await call.expect_room()
        await call.press("*")
    await call.expect_result(result)
    await world.finish()

    assert {1: [result]} == by_call(world)
    assert said is None or said == world.spoken(call)


async def test_sounds(make_world: Make) -> None:
    """The sounds of a room are documents Plivo can fetch; the caller hears them."""
    room = command(
        "conference", id="x", user_join=tts("in"), user_leave=tts("out"), waiting=tts("alone")
    )
    world = await make_world(room)
    call = world.dial()
    await call.expect_prompt("in")
    await call.expect_prompt("alone")
    await call.press("*")
    await world.finish()

    assert ["enterSound", "exitSound", "waitSound"] == world.timeline.texts("fetches")


@pytest.mark.parametrize(("share", "same"), [(False, False), (True, True)])
async def test_rooms_of_two_apps(make_world: Make, share: bool, same: bool) -> None:
    """The same id is another room in another app, unless both share their rooms."""
    world = await make_world(ROOM, ROOM, more_apps=["SHOP"], app={"share_rooms": share})
    rooms = set()
    for name in ("DEFAULT", "SHOP"):
        answer = await world.leg().request(f"{PUBLIC}/plivo/{name}/answer")
        rooms.add(link(answer.body, "Conference"))

    assert (1 if same else 2) == len(rooms)


async def test_ids_as_number_and_text(make_world: Make) -> None:
    """The id 42 is the same room whether the app writes it as a number or as text."""

    def room(number: object) -> Json:
        return command("simple_conference", id=number)

    world = await make_world(room(42), room("42"))
    rooms = {
        link((await world.leg().request(world.application.answer_url)).body, "Conference")
        for _ in range(2)
    }

    assert 1 == len(rooms)
