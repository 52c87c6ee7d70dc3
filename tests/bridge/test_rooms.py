"""Rooms know who is there although Plivo loses callbacks, and nobody stays in one for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic_core import from_json
from structlog.testing import capture_logs
from support_e2e import command
from support_shell import RestStub, Shell, shell

from bridge.plivo.rest_errors import PlivoNotFound, PlivoUnavailable
from bridge.room_looks import MOST_ATTEMPTS
from bridge.rooms import EMPTY_ROOM_TTL_S
from bridge.store.protocol import Commit, OutboxRow
from mappings._kernel.room import Room, load

JOIN = command("simple_conference", id="1")
NAME = "rt-room"
DOWN = PlivoUnavailable("look", "down", sent=False)


@pytest.fixture
async def rest() -> RestStub:
    """Give a stub of Plivo's REST API."""
    return RestStub()


@pytest.fixture
async def here(rest: RestStub) -> AsyncIterator[Shell]:
    """Start a shell whose app lets every call join a room."""
    async with shell(JOIN, rest) as made:
        yield made


async def enter(here: Shell, number: int, conference: str = "c1") -> None:
    """Report that call 1, 2 … entered as member m1, m2 and so on."""
    await tell(here, number, "enter", conference)


async def leave(here: Shell, number: int, conference: str = "c1") -> None:
    """Report that a member left."""
    await tell(here, number, "exit", conference)


async def tell(here: Shell, number: int, action: str, conference: str) -> None:
    """Make the conference callback."""
    form = {
        "ConferenceName": await name_of(here),
        "ConferenceUUID": conference,
        "ConferenceMemberID": f"m{number}",
        "ConferenceAction": action,
    }
    await here.rooms.noticed(number, 1, form, leave_when_alone=True)


async def name_of(here: Shell) -> str:
    """Give the room's name at Plivo."""
    document = await here.store.document(1, 1)
    assert document is not None
    return document.decode().partition("</Conference>")[0].rpartition(">")[2]


async def room_of(here: Shell) -> Room | None:
    """Read the stored room."""
    stored = await here.store.load_room(await name_of(here))
    return None if stored is None else load(from_json(stored.blob))


async def inside(here: Shell) -> list[int]:
    """List the calls in the room."""
    room = await room_of(here)
    return [] if room is None else [member.callid for member in room.members.values()]


async def callers(here: Shell, count: int) -> None:
    """Let calls 1, 2 … join the room."""
    for number in range(1, count + 1):
        assert number == await here.answer(f"u{number}")
        await enter(here, number)


async def kicks(here: Shell) -> list[OutboxRow]:
    """List the kicks that are still to be made."""
    rows = await here.store.due(float("inf"), 99)
    return [row for row in rows if row.kind == "kick"]


async def reason(here: Shell, callid: int) -> object:
    """Read why a call is to leave its room."""
    return (await here.state(callid)).inbox.get("reason")


# --- ghosts -------------------------------------------------------------------------------------


async def test_hangup_in_a_room_counts_as_exit(here: Shell, rest: RestStub) -> None:
    """When the exit callback is lost, the call's hangup lets the other one be sent out."""
    await callers(here, 2)
    rest.listed = [["m1"]]
    await here.hang_up("u2")
    await here.settle()

    assert [1] == await inside(here)
    assert [(await name_of(here), "m1")] == rest.kicks
    assert "LAST_PARTICIPANT" == await reason(here, 1)


async def test_row_of_the_hangup_is_put_out_with_it(here: Shell) -> None:
    """The end of the call and the row that empties its place are one commit, not two."""
    await callers(here, 2)
    changes: list[Commit] = []
    commit = here.store.commit

    async def watched(change: Commit) -> None:
        changes.append(change)
        await commit(change)

    here.store.commit = watched  # type: ignore[method-assign]
    await here.hang_up("u2")

    assert ["final", "room_left"] == sorted(row.kind for row in changes[0].outbox)
    assert changes[0].call is not None


async def test_exit_after_the_hangup_kicks_no_second_time(here: Shell, rest: RestStub) -> None:
    """An exit callback that comes after all changes nothing."""
    await callers(here, 2)
    rest.listed = [["m1"]]
    await here.hang_up("u2")
    await here.settle()
    await leave(here, 2)
    await here.settle()

    assert 1 == len(rest.kicks)


async def test_enter_reported_after_the_hangup_makes_no_ghost(here: Shell, rest: RestStub) -> None:
    """An enter of a call that has ended counts as both, so the other one is sent out."""
    await callers(here, 1)
    await here.answer("u2")
    await here.hang_up("u2")
    await here.settle()
    rest.listed = [["m1"]]
    await enter(here, 2)
    await here.settle()

    assert [1] == await inside(here)
    assert 1 == len(rest.kicks)


async def test_call_that_went_on_is_found_at_the_next_event(here: Shell, rest: RestStub) -> None:
    """Who left by star with a lost callback is not counted when the next one leaves."""
    await callers(here, 3)
    await here.resume(2, "conference")
    rest.listed = [["m1"]]
    await leave(here, 3)
    await here.settle()

    assert [1] == await inside(here)
    assert 1 == len(rest.kicks)


async def test_hangup_elsewhere_says_nothing_about_rooms(rest: RestStub) -> None:
    """A call that ends in another command puts out its final request alone."""
    async with shell(command("wait", wait=5), rest) as here:
        await here.answer("u1")
        await here.hang_up("u1")

        assert 1 == await here.store.outbox_size()


async def test_leaving_a_room_nobody_heard_of(here: Shell) -> None:
    """A call that ends before its enter was reported leaves no room behind."""
    await here.answer("u1")
    await here.hang_up("u1")
    await here.settle()

    assert None is await room_of(here)
    assert 0 == await here.store.outbox_size()


async def test_enter_of_a_call_nobody_knows(here: Shell) -> None:
    """A member whose call is not in the store, perhaps purged, is not believed to be there."""
    await callers(here, 1)
    await enter(here, 99)

    assert [1] == await inside(here)


async def test_late_enter_of_a_former_conference(here: Shell) -> None:
    """Members of the newer conference are not replaced by one of the conference before."""
    await callers(here, 1)
    await leave(here, 1)
    assert 2 == await here.answer("u2")
    assert 3 == await here.answer("u3")
    await enter(here, 2, "c2")
    await enter(here, 3, "c1")

    assert [2] == await inside(here)


@pytest.mark.parametrize(
    "missing", ["ConferenceName", "ConferenceUUID", "ConferenceMemberID", "ConferenceAction"]
)
async def test_callback_without_what_it_is_about(here: Shell, missing: str) -> None:
    """A callback that names no room, conference, member or action changes nothing."""
    await here.answer("u1")
    form = {
        "ConferenceName": NAME,
        "ConferenceUUID": "c1",
        "ConferenceMemberID": "m1",
        "ConferenceAction": "enter",
    }
    del form[missing]
    await here.rooms.noticed(1, 1, form, leave_when_alone=True)

    assert None is await here.store.load_room(NAME)


# --- forgetting ---------------------------------------------------------------------------------


async def test_empty_room_is_forgotten(here: Shell) -> None:
    """An hour after the last one left, nothing is stored of a room."""
    await callers(here, 1)
    await leave(here, 1)
    await here.settle()
    here.clock.advance(EMPTY_ROOM_TTL_S - 1)
    await here.settle()
    assert None is not await room_of(here)
    here.clock.advance(1)
    await here.settle()

    assert None is await room_of(here)
    assert 0 == await here.store.outbox_size()


async def test_room_of_a_ghost_is_forgotten(here: Shell) -> None:
    """A room whose last member left unreported is found empty, and then forgotten too."""
    await callers(here, 1)
    await here.resume(1, "conference")
    assert [1] == await inside(here)
    for _ in range(2):
        await here.settle()
        here.clock.advance(EMPTY_ROOM_TTL_S)
    await here.settle()

    assert None is await room_of(here)
    assert 0 == await here.store.outbox_size()


async def test_room_with_members_is_kept(here: Shell) -> None:
    """A conference may last for days: its room is looked at every hour and stays."""
    await callers(here, 2)
    for _ in range(5):
        await here.settle()
        here.clock.advance(EMPTY_ROOM_TTL_S)
    await here.settle()

    assert [1, 2] == await inside(here)
    assert 1 == await here.store.outbox_size()


async def test_room_entered_while_it_is_forgotten_is_kept(here: Shell) -> None:
    """Somebody who comes between the last look and the deletion finds the room."""
    await callers(here, 1)
    await leave(here, 1)
    await here.settle()
    await here.answer("u2")
    change = here.rooms.change

    async def and_somebody_comes(name: str) -> Room:
        room = await change(name)
        here.rooms.change = change  # type: ignore[method-assign]
        await enter(here, 2, "c2")
        return room

    here.rooms.change = and_somebody_comes  # type: ignore[assignment, method-assign]
    here.clock.advance(EMPTY_ROOM_TTL_S)
    await here.settle()

    assert [2] == await inside(here)
    assert 1 == await here.store.outbox_size()


# --- kicks --------------------------------------------------------------------------------------


async def test_kick_waits_for_a_list_that_lags_behind(here: Shell, rest: RestStub) -> None:
    """When Plivo still lists the one who has left, it is asked again a little later."""
    rest.listed = [["m1", "m2"], ["m1", "m2"], ["m1"]]
    await callers(here, 2)
    await leave(here, 2)
    await here.after(3)

    assert (3, 1) == (len(rest.looks), len(rest.kicks))
    assert "LAST_PARTICIPANT" == await reason(here, 1)
    assert [] == await kicks(here)


async def test_kick_is_given_up_when_somebody_else_stays(here: Shell, rest: RestStub) -> None:
    """After a fourth look, 7 s later, nobody is kicked."""
    rest.listed = [["m1", "m9"]]
    await callers(here, 2)
    await leave(here, 2)
    with capture_logs() as logs:
        await here.after(100)

    assert (4, []) == (len(rest.looks), rest.kicks)
    assert ["room.kick_given_up"] == [line["event"] for line in logs]
    assert None is await reason(here, 1)
    assert [] == await kicks(here)


@pytest.mark.parametrize("listed", [None, [], ["m9"]])
async def test_kick_of_somebody_who_left(
    here: Shell, rest: RestStub, listed: list[str] | None
) -> None:
    """Whom Plivo lists no longer is left alone, without asking again."""
    rest.listed = [listed]
    await callers(here, 2)
    await leave(here, 2)
    await here.after(20)

    assert (1, []) == (len(rest.looks), rest.kicks)


async def test_reason_of_a_kick_that_is_given_up_is_taken_back(here: Shell, rest: RestStub) -> None:
    """Who was not sent out after all, and leaves by star later, is told so."""
    rest.listed, rest.kick = [["m1"]], DOWN
    await callers(here, 2)
    await leave(here, 2)
    await here.settle()
    assert "LAST_PARTICIPANT" == await reason(here, 1)
    await here.after(40)

    assert MOST_ATTEMPTS == len(rest.kicks)
    assert None is await reason(here, 1)
    await here.resume(1, "conference", ConferenceUUID="c1")
    assert "LEFT_CONFERENCE" == here.rt.sent[-1]["command_result"]


async def test_kick_that_overtakes_the_one_who_leaves(here: Shell, rest: RestStub) -> None:
    """A member who is gone when the kick arrives needs no other."""
    rest.listed, rest.kick = [["m1"]], PlivoNotFound("kick", "gone", 404)
    await callers(here, 2)
    await leave(here, 2)
    await here.after(20)

    assert 1 == len(rest.kicks)
    assert [] == await kicks(here)


async def test_kick_that_cannot_be_named_is_given_up(here: Shell, rest: RestStub) -> None:
    """A name that the client refuses will be refused every time."""
    rest.listed = [ValueError("an id must not contain a slash")]
    await callers(here, 2)
    await leave(here, 2)
    await here.after(20)

    assert 1 == len(rest.looks)
    assert [] == await kicks(here)


async def test_kick_of_a_call_that_went_on(here: Shell, rest: RestStub) -> None:
    """A member whose call left the room before the kick is not kicked any more."""
    rest.listed = [DOWN, ["m1"]]
    await callers(here, 2)
    await leave(here, 2)
    await here.settle()
    await here.resume(1, "conference")
    await here.after(20)

    assert [] == rest.kicks


async def test_call_that_goes_on_during_the_look(here: Shell, rest: RestStub) -> None:
    """A reason is never given to another document than the one that joined the room."""
    await callers(here, 2)
    look = rest.get_conference

    async def and_it_leaves(name: str) -> object:
        found = await look(name)
        await here.resume(1, "conference")
        return found

    rest.listed = [["m1"]]
    rest.get_conference = and_it_leaves  # type: ignore[method-assign]
    await leave(here, 2)
    await here.after(5)

    assert [] == rest.kicks
    assert None is await reason(here, 1)


async def test_kick_for_a_removed_app(here: Shell, rest: RestStub) -> None:
    """Calls of an app that is no longer in the settings are not kicked."""
    await callers(here, 2)
    here.runtime.apps.clear()
    await leave(here, 2)
    await here.after(5)

    assert ([], []) == (rest.looks, await kicks(here))


async def test_without_rest_only_the_reason_is_ours() -> None:
    """Plivo itself ends the conference for the one who is left; the app is told why."""
    async with shell(JOIN) as here:
        await callers(here, 2)
        await leave(here, 2)
        await here.settle()

        assert "LAST_PARTICIPANT" == await reason(here, 1)
        assert [] == await kicks(here)
