from __future__ import annotations

from typing import Any

import pytest
from plivo.exceptions import ResourceNotFoundError, ValidationError
from support_plivo import ACCOUNT
from support_rest import WAITING, Rest

from bridge.plivo.rest import PlivoNotFound, PlivoRest
from bridge.simulator.line import Line

CALLERS = ("33600000001", "33600000002", "33600000003")


async def meet(rest: Rest, name: str = "sales", people: int = 2) -> list[Line]:
    """Let people into a room, one every 2 s; who leaves it goes on to /after."""
    rest.app.documents["/after"] = WAITING
    document = f'<Conference action="{rest.app.url}/after">{name}</Conference>'
    return [
        await rest.call(document, caller, path=f"/{name.partition(' ')[0]}")
        for caller in CALLERS[:people]
    ]


def members(rest: Rest, name: str = "sales") -> list[str]:
    """List the ids of who is in a room."""
    return list(rest.plivo.rooms[name].members)


async def test_a_room_is_shown(rest: Rest) -> None:
    """With its members, and numbers as text; its name needs encoding."""
    lines = await meet(rest, "My Room")
    await rest.passes(10)
    listed = await rest.sdk(rest.client.conferences.list)
    room = await rest.sdk(rest.client.conferences.get, "My%20Room")

    assert ["My Room"] == listed.conferences
    assert ("My Room", "14", "2") == (
        room.conference_name,
        room.conference_run_time,
        room.conference_member_count,
    )
    assert [(line.uuid, line.leg.caller) for line in lines] == [
        (one.call_uuid, getattr(one, "from")) for one in room.members
    ]
    assert [("14", False, False), ("12", False, False)] == [
        (one.join_time, one.muted, one.deaf) for one in room.members
    ]


async def test_our_client_sees_and_kicks(rest: Rest) -> None:
    """A kicked member goes on in its document; the room is None once nobody is in it."""
    (line,) = await meet(rest, "a b", 1)
    client = PlivoRest(rest.plivo.session, rest.plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)
    room = await client.get_conference("a b")
    assert room is not None
    await client.kick_member("a b", room.members[0].member_id)
    await rest.passes(3)

    assert (1, line.uuid) == (room.member_count, room.members[0].call_uuid)
    assert ["/after"] == [path for path in rest.app.paths() if path == "/after"]
    assert not line.over.is_set()
    assert None is await client.get_conference("a b")
    with pytest.raises(PlivoNotFound):
        await client.kick_member("a b", room.members[0].member_id)


async def test_a_member_is_hung_up(rest: Rest) -> None:
    """Its call ends, the others stay."""
    first, second = await meet(rest)
    gone, _ = members(rest)
    told = await rest.sdk(rest.client.conferences.member_hangup, "sales", gone)
    await rest.passes(3)

    assert ("hangup", gone) == (told.message, told.member_id)
    assert (True, False) == (first.over.is_set(), second.over.is_set())


@pytest.mark.parametrize(("what", "word"), [("mute", "muted"), ("deaf", "deaf")])
async def test_members_are_muted_and_deafened(rest: Rest, what: str, word: str) -> None:
    """One, some or all, and the other way round."""
    await meet(rest, people=3)
    first, second, third = members(rest)
    conferences = rest.client.conferences

    async def marks() -> list[bool]:
        room = await rest.sdk(conferences.get, "sales")
        return [getattr(one, word) for one in room.members]

    told = await rest.sdk(getattr(conferences, f"member_{what}"), "sales", first)
    one = await marks()
    await rest.sdk(getattr(conferences, f"member_{what}"), "sales", f"{second},{third}")
    three = await marks()
    undo, _ = await rest("DELETE", f"Conference/sales/Member/all/{what.capitalize()}/")
    none = await marks()

    assert (word, first) == (told.message, told.member_id)
    assert [[True, False, False], [True] * 3, [False] * 3] == [one, three, none]
    assert 204 == undo


async def test_members_hear_something(rest: Rest) -> None:
    """Sounds and texts reach who is named, and can be stopped."""
    await meet(rest)
    first, _ = members(rest)
    conferences = rest.client.conferences
    url = "http://a.example.com/1.wav"
    replies = [
        await rest.sdk(conferences.member_play, "sales", first, url),
        await rest.sdk(conferences.member_speak, "sales", "all", "Good day", language="en-GB"),
        await rest.sdk(conferences.member_play_stop, "sales", "all"),
        await rest.sdk(conferences.member_speak_stop, "sales", first),
    ]
    await rest.passes(5)
    heard = [
        (entry.call, entry.data.get("url") or entry.data.get("text"))
        for entry in rest.plivo.timeline.of("hears")
    ]

    assert [
        "play queued into conference",
        "speak queued into conference",
        "playing in conference stopped",
        "speak stopped",
    ] == [reply.message for reply in replies]
    assert [(1, "Good day"), (1, url), (2, "Good day")] == sorted(heard)


async def test_a_room_is_recorded(rest: Rest) -> None:
    """The end of a recording is reported with the name of the room, in snake_case."""
    await meet(rest)
    callback = {"callback_url": f"{rest.app.url}/recorded"}
    started = await rest.sdk(rest.client.conferences.record, "sales", "wav", **callback)
    await rest.passes(5)
    await rest.sdk(rest.client.conferences.record_stop, "sales")
    await rest.passes(5)
    told = rest.app.first("/recorded")
    again, body = await rest("DELETE", "Conference/sales/Record/")

    assert "conference recording started" == started.message
    assert ("sales", started.url, "5") == (
        told["conference_name"],
        told["record_url"],
        told["recording_duration"],
    )
    assert (404, "no recording of the conference is in progress") == (again, body["error"])


async def test_a_room_is_ended(rest: Rest) -> None:
    """The calls of its members end; other rooms go on until all are ended."""
    sales, support = await meet(rest), await meet(rest, "support")
    one = await rest.sdk(rest.client.conferences.delete, "sales")
    await rest.passes(3)
    after = [[line.over.is_set() for line in lines] for lines in (sales, support)]
    every = await rest.sdk(rest.client.conferences.hangup_all)
    await rest.passes(3)

    assert [[True, True], [False, False]] == after
    assert [True, True] == [line.over.is_set() for line in support]
    assert ("conference hung up", "all conferences hung up") == (one.message, every.message)
    assert [] == (await rest.sdk(rest.client.conferences.list)).conferences


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "Record/"),
        ("DELETE", "Record/"),
        ("DELETE", "Member/1/"),
        *(("POST", f"Member/1/{name}/") for name in ("Kick", "Mute", "Deaf")),
        *(("DELETE", f"Member/1/{name}/") for name in ("Mute", "Deaf", "Play", "Speak")),
    ],
)
async def test_rooms_that_do_not_exist(rest: Rest, method: str, path: str) -> None:
    """Everything about them is 404."""
    assert (404, "conference not found") == (
        (reply := await rest(method, f"Conference/nobody/{path}"))[0],
        reply[1]["error"],
    )


async def test_members_that_are_not_there(rest: Rest) -> None:
    """Unknown ids are 404; of several, those that are there count."""
    await meet(rest)
    first, _ = members(rest)
    with pytest.raises(ResourceNotFoundError, match="member not found"):
        await rest.sdk(rest.client.conferences.member_kick, "sales", "1")
    some = await rest.sdk(rest.client.conferences.member_mute, "sales", f"1,{first}")

    assert "muted" == some.message


@pytest.mark.parametrize(
    ("path", "fields", "error"),
    [
        ("Play", {}, "url parameter not present"),
        ("Play", {"url": "x"}, "url must be a URL"),
        ("Speak", {}, "text parameter not present"),
        ("Speak", {"text": "x" * 3001}, "text may have 3000"),
    ],
)
async def test_bad_parameters_are_named(
    rest: Rest, path: str, fields: dict[str, Any], error: str
) -> None:
    """400 with a sentence, and nobody hears anything."""
    await meet(rest)
    status, body = await rest("POST", f"Conference/sales/Member/all/{path}/", fields)
    with pytest.raises(ValidationError, match="file_format"):
        await rest.sdk(rest.client.conferences.record, "sales", file_format="ogg")

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert [] == rest.plivo.timeline.of("hears")
