from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from support_plivo import FOR_EVER, XmlApp
from support_rooms import ROOM, Meeting, begin, conference

from bridge.simulator import control
from bridge.simulator.control import Report
from bridge.simulator.document import Element
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.simulator.rooms import Room

#: Lets calls enter a room, and gives them with the room, on time.
Gather = Callable[..., Awaitable[tuple[Meeting, Room]]]


@pytest.fixture
async def gather(app: XmlApp) -> AsyncIterator[Gather]:
    """Give what lets calls enter a room; afterwards every call is let live to its end."""
    meetings: list[Meeting] = []

    async def make(
        *documents: str, profile: Profile = NORMAL, every: float = 0.0
    ) -> tuple[Meeting, Room]:
        plivo = app.plivo(profile)
        await plivo.__aenter__()
        meeting = Meeting(app, plivo)
        meetings.append(meeting)
        begin(meeting, *documents, every=every)
        many = len(documents)
        assert await plivo.clock.drive(
            lambda: ROOM in plivo.rooms and len(plivo.rooms[ROOM].members) == many
        )
        return meeting, plivo.rooms[ROOM]

    yield make
    for meeting in meetings:
        control.hang_up_all(meeting.plivo)
        assert await meeting.plivo.finish(FOR_EVER)
        assert [] == meeting.problems()
        await meeting.plivo.__aexit__(None, None, None)


async def settle(meeting: Meeting, seconds: float = 1.0) -> None:
    """Let a little time pass."""
    clock = meeting.plivo.clock
    await clock.drive(lambda: False, clock.now() + seconds)


async def test_who_is_there(gather: Gather) -> None:
    """A room knows its members, when they came, and how many it takes."""
    meeting, room = await gather(conference(1, maxMembers="3"), conference(2), every=5)

    assert [meeting.lines[0], meeting.lines[1]] == [m.line for m in room.members.values()]
    assert [0.0, 5.0] == [m.joined - meeting.plivo.began for m in room.members.values()]
    assert (False, 3) == (room.full, room.most)
    assert all(member_id.isdigit() for member_id in room.members)


@pytest.mark.parametrize("how", ["one", "list", "text", "all"])
async def test_kick(gather: Gather, how: str) -> None:
    """Who is kicked goes on with the action; ids come one by one, as a list, or as all."""
    meeting, room = await gather(conference(1), conference(2))
    first, second = room.members
    asked = {"one": [first], "list": [first, second], "text": f"{first},{second}", "all": "all"}
    kicked = room.kick(asked[how])
    await settle(meeting)

    both = how != "one"
    assert ([first, second] if both else [first]) == kicked
    assert (True, both) == (meeting.went_on(1), meeting.went_on(2))
    assert [] == room.kick("999999")


async def test_hang_up_members(gather: Gather) -> None:
    """A member that REST hangs up leaves the room, and its call ends."""
    meeting, room = await gather(conference(1), conference(2))
    first, second = room.members
    assert [second] == control.hang_up_members(room, second)
    await settle(meeting)

    assert [first] == list(room.members)
    assert "API Request" == meeting.app.first("/hangup2")["HangupSource"]
    assert ["enter", "exit"] == meeting.actions(2)


async def test_end_room(gather: Gather) -> None:
    """A room that REST ends hangs up the calls of all its members."""
    meeting, room = await gather(conference(1), conference(2))
    control.end_room(room)
    await settle(meeting)

    assert {} == meeting.plivo.rooms
    assert {"API Request"} == {
        meeting.app.first(path)["HangupSource"] for path in ("/hangup1", "/hangup2")
    }
    assert (False, False) == (meeting.went_on(1), meeting.went_on(2))


async def test_mute_and_deaf(gather: Gather) -> None:
    """Members are marked muted or deaf, and unmarked; the timeline says so once."""
    meeting, room = await gather(conference(1), conference(2))
    first, second = room.members.values()
    assert [first.member_id] == room.mark(first.member_id, muted=True)
    assert 2 == len(room.mark("all", muted=True))
    assert [second.member_id] == room.mark([second.member_id], deaf=True)
    assert (True, True, False, True) == (first.muted, second.muted, first.deaf, second.deaf)
    assert [first.line] == room.listeners()
    room.mark("all", muted=False, deaf=False)

    assert (False, False) == (first.muted, second.deaf)
    actions = [entry.data["action"] for entry in meeting.plivo.timeline.of("room")]
    assert ["mute", "mute", "deaf", "unmute", "unmute", "undeaf"] == actions[2:]


async def test_a_deaf_member_hears_nothing_of_the_room(gather: Gather) -> None:
    """Sounds of the room pass a deaf member by."""
    meeting, room = await gather(conference(1), conference(2, exitSound="beep:1"))
    first, second = room.members
    room.mark(first, deaf=True)
    room.kick(second)
    await settle(meeting)

    assert [] == meeting.heard(1, "beep")


async def test_record_through_rest(gather: Gather) -> None:
    """A recording of a room is reported at its end, in snake_case, when its file is ready."""
    meeting, room = await gather(conference(1), conference(2))
    report = Report(f"{meeting.app.url}/recorded", api_id="api-1")
    recording = control.start_room_recording(room, report, file_format="wav")
    assert recording is not None
    assert recording is control.start_room_recording(room, report)
    await settle(meeting, 12)
    assert control.stop_room_recording(room)
    assert not control.stop_room_recording(room)
    await settle(meeting, 5)

    form = dict(meeting.app.first("/recorded").form)
    began = int(form.pop("recording_start_ms"))
    assert 12_000 == int(form.pop("recording_end_ms")) - began
    assert {
        "api_id": "api-1",
        "conference_name": ROOM,
        "record_url": recording.url,
        "recording_id": recording.recording_id,
        "recording_duration": "12",
        "recording_duration_ms": "12000",
    } == form


async def test_a_recording_ends_with_its_room(gather: Gather) -> None:
    """When the last member leaves, the recording ends."""
    meeting, room = await gather(conference(1))
    recording = control.start_room_recording(room, Report())
    await settle(meeting, 4)
    room.kick("all")
    await settle(meeting)

    assert recording is not None
    assert 4.0 == recording.seconds
    assert control.start_room_recording(room, Report()) is None


async def test_play_to_members(gather: Gather) -> None:
    """A member hears what REST plays to it, the others do not."""
    meeting, room = await gather(conference(1), conference(2))
    first, second = room.members
    element = Element("Speak", "for one", {"voice": "MAN"}, (), 0)
    assert [second] == control.play_to_members(room, second, element)
    await settle(meeting)

    assert ([], ["for one"]) == (
        meeting.heard(1, "Speak"),
        [text for _, text in meeting.heard(2, "Speak")],
    )
    assert first in room.members


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_an_ended_room_makes_place_at_once(gather: Gather, profile: Profile) -> None:
    """A new conference of the same name begins although members still leave the old one."""
    meeting, room = await gather(conference(1), conference(2), profile=profile)
    room.end()
    assert {} == meeting.plivo.rooms
    assert 2 == len(room.members)
    await settle(meeting)

    assert {} == room.members


async def test_decimal_durations(gather: Gather) -> None:
    """Where the profile says so the duration of a recording has a decimal."""
    meeting, room = await gather(conference(1, record="true"), profile=HOSTILE)
    await settle(meeting, 3)
    room.kick("all")
    await settle(meeting, 20)

    assert ["-1", "3.0"] == sorted(s["RecordingDuration"] for s in meeting.told(1, "record"))
