"""Conferences with two callers: who left, how, and who was left alone."""

from __future__ import annotations

import asyncio

import pytest
from support_e2e import HANGUP, PUBLIC, Json, Make, World, command, link, tts
from support_fake_rest import FakeRest

from bridge.simulator.caller import ScriptedCaller, When
from bridge.simulator.exchange import HungUpByApi
from bridge.simulator.script import HangUp, LeaveRoom, Press, RoomFull, Silence, Stay
from bridge.tasks import spawn

ROOM = command("simple_conference", id="42")


def by_call(world: World) -> dict[int, list[str]]:
    """List per call what the app was told after the first request."""
    told: dict[int, list[str]] = {}
    for request in world.app.asked[0:]:
        if request["command"]:
            result = request["command_error"].partition(":")[0] or request["command_result"]
            told.setdefault(request["callid"], []).append(result)
    return told


async def two_callers(
    world: World, first: ScriptedCaller, second: ScriptedCaller
) -> tuple[ScriptedCaller, ScriptedCaller]:
    """Let the first caller enter, then the second, and wait until both calls are over."""
    waiting = spawn(first.run(), "first caller")
    await world.exchange.populated(1)
    await second.run()
    await world.ticking(_finished(waiting))
    for caller in (first, second):
        assert [] == caller.problems(), str(caller.timeline)
    await world.delivered(2)
    return first, second


async def _finished(task: asyncio.Task[object]) -> None:
    async with asyncio.timeout(5):
        await task


async def test_last_participant(make_rest_world: Make, rest: FakeRest, store: str) -> None:
    """The one who is left alone and asked for it is sent out, after a look at who is there."""
    world = await make_rest_world(ROOM, ROOM, store=store)
    await two_callers(world, world.caller(Stay()), world.caller(LeaveRoom()))

    assert {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert ["GET", "POST"] == [method for method, _, _ in rest.seen]


async def test_announcement_for_the_last(make_rest_world: Make) -> None:
    """Who is sent out hears the announcement before the app is told."""
    room = command("conference", id=1, auto_leave_when_alone=True, auto_leave_announce=tts("Alone"))
    world = await make_rest_world(room, room)
    first, _ = await two_callers(world, world.caller(Stay()), world.caller(LeaveRoom()))

    assert "“Alone” (WOMAN en-GB)" in first.timeline.texts("hears")
    assert {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]} == by_call(world)


async def test_lost_exit_of_one_who_pressed_star(make_rest_world: Make) -> None:
    """Who left by star is known to be gone from the action alone, so the other is sent out."""
    world = await make_rest_world(ROOM, ROOM)
    second = world.caller(LeaveRoom(), callbacks={"exit": When.NEVER})
    await two_callers(world, world.caller(Stay()), second)

    assert {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]} == by_call(world)


@pytest.mark.parametrize("when", [When.TWICE, When.LATE, When.NEVER])
async def test_exit_of_the_other(make_rest_world: Make, rest: FakeRest, when: When) -> None:
    """A doubled exit sends out once; a lost or very late one leaves the last to press star."""
    world = await make_rest_world(ROOM, ROOM)
    first = world.caller(*([Stay()] if when is When.TWICE else [LeaveRoom(seconds=9)]))
    second = world.caller(LeaveRoom(), callbacks={"exit": when})
    if when is When.TWICE:
        await two_callers(world, first, second)
    else:
        await second.run()
        await first.run()
        await world.delivered(2)

    kicks = len(rest.done("POST", "/Kick/"))
    assert (1 if when is When.TWICE else 0) == kicks


@pytest.mark.parametrize("when", [When.TWICE, When.NEVER])
async def test_enter_of_the_other(make_rest_world: Make, rest: FakeRest, when: When) -> None:
    """An enter that is doubled or lost does not change who is left alone."""
    world = await make_rest_world(ROOM, ROOM)
    second = world.caller(LeaveRoom(), callbacks={"enter": when})
    await two_callers(world, world.caller(Stay()), second)

    assert {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert 1 == len(rest.done("POST", "/Kick/"))


async def test_enter_after_exit(make_rest_world: Make, rest: FakeRest) -> None:
    """An enter that arrives after its exit makes no ghost that a later exit would count."""
    world = await make_rest_world(ROOM, ROOM, ROOM)
    waiting = world.caller(Stay())
    first = spawn(waiting.run(), "first caller")
    await world.exchange.populated(1)
    late = world.caller(LeaveRoom(), callbacks={"enter": When.LATE, "exit": When.NOW})
    await late.run()
    await world.ticking(_finished(first))

    assert [] == waiting.problems()
    room = await world.bridge.store.load_room(_room_of(waiting))
    assert room is not None
    assert b'"members":[]' in room.blob


async def test_somebody_else_came_meanwhile(make_rest_world: Make, rest: FakeRest) -> None:
    """Nobody is sent out when Plivo says that the one left is not alone after all."""
    world = await make_rest_world(ROOM, ROOM, ROOM, HANGUP, HANGUP, HANGUP)
    first, third = world.caller(Stay()), world.caller(Stay(), callbacks={"enter": When.NEVER})
    calls = [spawn(first.run(), "first caller")]
    await world.exchange.populated(1)
    calls.append(spawn(third.run(), "third caller"))
    await world.exchange.populated(2)
    await world.caller(LeaveRoom()).run()

    async def looked() -> bool:
        return bool(rest.done("GET", "Conference/")) and not [
            row for row in await world.bridge.store.due(world.clock.now(), 9) if row.kind == "kick"
        ]

    await world.until(looked)
    assert [] == rest.done("POST", "/Kick/")
    for caller in (first, third):
        caller.interrupt(HungUpByApi())
    await asyncio.gather(*calls)


async def test_kick_repeated(make_rest_world: Make, rest: FakeRest) -> None:
    """A kick that Plivo could not take at first is sent again."""
    rest.failing = {"GET Conference": [500, 500, 500]}
    world = await make_rest_world(ROOM, ROOM)
    await two_callers(world, world.caller(Stay()), world.caller(LeaveRoom()))

    assert {1: ["LAST_PARTICIPANT"], 2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert 4 <= len(rest.done("GET", "Conference/"))


async def test_not_asked_for(make_rest_world: Make, rest: FakeRest) -> None:
    """Who did not ask for it stays alone until leaving by star."""
    room = command("simple_conference", id="42", auto_leave_when_alone=False)
    world = await make_rest_world(room, room, HANGUP)
    first = world.caller(Stay())
    waiting = spawn(first.run(), "first caller")
    await world.exchange.populated(1)
    await world.caller(LeaveRoom(seconds=1)).run()
    first.interrupt(HungUpByApi())
    await waiting
    await world.delivered(2)

    assert {2: ["LEFT_CONFERENCE"]} == by_call(world)
    assert [] == rest.seen


async def test_first_to_join_is_not_sent_out(make_rest_world: Make, rest: FakeRest) -> None:
    """Waiting alone for the others is not being left alone."""
    world = await make_rest_world(ROOM)
    await world.call(LeaveRoom(seconds=600))

    assert {1: ["LEFT_CONFERENCE"]} == by_call(world)
    assert [] == rest.seen


async def test_other_hangs_up(make_rest_world: Make) -> None:
    """Somebody who hangs up in the room leaves the other one alone as well."""
    world = await make_rest_world(ROOM, ROOM)
    await two_callers(world, world.caller(Stay()), world.caller(HangUp()))

    assert {1: ["LAST_PARTICIPANT"]} == by_call(world)
    finals = [f for f in world.app.finals if f["callid"] == 2]
    assert [("simple_conference", "")] == [(f["command"], f["command_result"]) for f in finals]


async def test_without_rest(make_world: Make, store: str) -> None:
    """Without REST the room itself ends for the one who is left, who then counts as the last."""
    world = await make_world(ROOM, ROOM, store=store)
    first, _ = await two_callers(world, world.caller(Stay()), world.caller(LeaveRoom()))

    assert 'stayAlone="false"' in first.documents[0].decode()
    results = by_call(world)
    assert ["LEFT_CONFERENCE"] == results[2]
    assert results[1] in (["LAST_PARTICIPANT"], ["LEFT_CONFERENCE"])


async def test_time_is_up(make_world: Make) -> None:
    """Who is in the room when its time is up is told that it was closed."""
    world = await make_world(ROOM, stale_call_after_s=172_800.0)
    await world.call()

    assert {1: ["CONFERENCE_CLOSED"]} == by_call(world)


async def test_room_full(make_world: Make) -> None:
    """A full room is an error with its own code, and the call goes on."""
    world = await make_world(ROOM, command("wait"), HANGUP)
    await world.call(RoomFull())

    assert {1: ["ROOM_FULL", "0"]} == by_call(world)


@pytest.mark.parametrize(
    ("script", "result", "said"),
    [
        ([Press("1234#"), LeaveRoom()], "LEFT_CONFERENCE", ["Welcome", "PIN?", "Right"]),
        ([Press("9#"), Press("1234#"), LeaveRoom()], "LEFT_CONFERENCE", None),
        ([Press("1#"), Press("2#"), Press("3#")], "PIN_ERROR", None),
        ([Silence(), Silence(), Silence()], "PIN_TIMEOUT", ["Welcome", "PIN?", "PIN?", "PIN?"]),
        ([Silence(), Press("1#"), Silence()], "PIN_ERROR", None),
    ],
    ids=["right", "second try", "wrong", "silent", "mixed"],
)
async def test_pin(
    make_world: Make, script: list[Press], result: str, said: list[str] | None
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
    world = await make_world(room, HANGUP)
    caller = await world.call(*script)

    assert {1: [result]} == by_call(world)
    spoken = [t.partition("“")[2].partition("”")[0] for t in caller.timeline.texts("hears")]
    assert said is None or said == [text for text in spoken if text]


async def test_sounds(make_world: Make) -> None:
    """The sounds of a room are documents Plivo can fetch; the caller checks each of them."""
    room = command(
        "conference", id="x", user_join=tts("in"), user_leave=tts("out"), waiting=tts("alone")
    )
    world = await make_world(room)
    caller = await world.call(LeaveRoom())

    assert ["enterSound", "exitSound", "waitSound"] == caller.timeline.texts("fetches")


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


def _room_of(caller: ScriptedCaller) -> str:
    return link(caller.documents[0], "Conference")
