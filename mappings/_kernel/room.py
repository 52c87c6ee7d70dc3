"""A conference room as its own aggregate: who is in it, and who is to be sent out.

Enter and exit are keyed by (ConferenceUUID, member): a duplicate does nothing, and an exit that
comes before its enter leaves a tombstone, so that the late enter makes no ghost
(docs/adr/0005). A room has one conference at a time: the next one ends the one before, of which nothing
is believed any more but that its members are gone.

Somebody is sent out for being alone only after having met somebody, or the first to join would
be: `met` says that of the newest conference. Times are wall time in s, and our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

#: Tombstones kept per room; late callbacks come within seconds.
MOST_GONE: Final = 64
#: Former conferences remembered per room.
MOST_OVER: Final = 8


@dataclass(frozen=True, slots=True)
class Member:
    """One call in the room; `step` is the document that joined it.

    By `since` it was surely in the room.
    """

    conference_uuid: str
    member_id: str
    callid: int
    step: int
    leave_when_alone: bool
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Entered:
    """Plivo says this member joined."""

    member: Member


@dataclass(frozen=True, slots=True)
class Exited:
    """Plivo says this member left, however that happened.

    `callid` and `step` are those of its call, 0 = not known; `at` is when it left, 0 = not known.
    """

    conference_uuid: str
    member_id: str
    callid: int = 0
    step: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Departed:
    """The call went on or ended at `at`; `entered` = it had surely joined before that."""

    callid: int
    step: int
    at: float
    entered: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """Plivo lists this member, whose enter was not heard of; its ConferenceUUID is not told."""

    member: Member


@dataclass(frozen=True, slots=True)
class Looked:
    """Somebody looks whether the one who is left is still to be sent out."""


@dataclass(frozen=True, slots=True)
class KickMember:
    """Send out the one who is left and asked for it."""

    member: Member


RoomEvent = Entered | Exited | Departed | Listed | Looked


@dataclass(slots=True)
class Room:
    """The members by (ConferenceUUID, member id), and those who are known to be gone.

    `now` is the ConferenceUUID of the newest conference, "" before the first; `over` are those of
    the conferences before it. `left` names the calls (and their documents) that are known to have
    left, the last of them at `left_at`. `met` = the newest conference had somebody else in it.
    """

    members: dict[str, Member] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    now: str = ""
    over: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    left_at: float = 0.0
    met: bool = False


def step(room: Room, event: RoomEvent) -> list[KickMember]:
    """Change the room and say whom to kick: only ever one who was left behind by others."""
    match event:
        case Entered():
            changed = _enter(room, event.member)
        case Exited():
            changed = _exit(room, event)
        case Departed():
            changed = _depart(room, event)
        case Listed():
            changed = _list(room, event.member)
        case Looked():
            changed = True
        case _:
            assert_never(event)
    return _left_alone(room) if changed else []


def knows(room: Room, callid: int, step: int) -> bool:
    """Tell whether the call was in the room by this document: Plivo reported it, or lists it."""
    stay = (callid, step)
    there = any((member.callid, member.step) == stay for member in room.members.values())
    return there or _stay(*stay) in room.left


def dump(room: Room) -> dict[str, Any]:
    """Give the stored form."""
    rows = [
        [m.conference_uuid, m.member_id, m.callid, m.step, m.leave_when_alone]
        for m in room.members.values()
    ]
    return {
        "v": 1,
        "members": rows,
        # Beside the rows, which earlier releases read whole.
        "since": [m.since for m in room.members.values()],
        "gone": room.gone,
        "now": room.now,
        "over": room.over,
        "left": room.left,
        "left_at": room.left_at,
        "met": room.met,
    }


def load(stored: dict[str, Any]) -> Room:
    """Read a stored room."""
    since = stored.get("since") or [0.0] * len(stored["members"])
    rows = zip(stored["members"], since, strict=True)
    members = [replace(Member(*row), since=at) for row, at in rows]
    # The first releases did not name the conference; its members do.
    now = stored.get("now") or next((member.conference_uuid for member in members), "")
    gone = stored["gone"]
    return Room(
        {_key(m.conference_uuid, m.member_id): m for m in members},
        gone,
        now,
        stored.get("over", []),
        stored.get("left", []),
        stored.get("left_at", 0.0),
        stored.get("met", len(members) > 1 or _had_others(gone, now)),
    )


def _key(conference_uuid: str, member_id: str) -> str:
    return f"{conference_uuid}/{member_id}"


def _stay(callid: int, step: int) -> str:
    return f"{callid}/{step}"


def _had_others(gone: list[str], conference_uuid: str) -> bool:
    return any(key.startswith(f"{conference_uuid}/") for key in gone)


def _left_alone(room: Room) -> list[KickMember]:
    members = list(room.members.values())
    alone = len(members) == 1 and room.met and members[0].leave_when_alone
    return [KickMember(members[0])] if alone else []


def _enter(room: Room, member: Member) -> bool:
    key = _key(member.conference_uuid, member.member_id)
    if key in room.gone or key in room.members or member.conference_uuid in room.over:
        return False
    _turn_to(room, member.conference_uuid)
    if key in room.members:
        return False
    _add(room, key, member)
    return True


def _list(room: Room, member: Member) -> bool:
    key = _key(room.now, member.member_id)
    if key in room.gone or key in room.members:
        return False
    if not room.members:
        # It may be the first of another conference: only who was there before the last one left met it.
        room.met = member.since < room.left_at
    _add(room, key, replace(member, conference_uuid=room.now))
    return True


def _add(room: Room, key: str, member: Member) -> None:
    stay = _stay(member.callid, member.step)
    # It may be there by another name already: a call is in a room once.
    others = {k: m for k, m in room.members.items() if _stay(m.callid, m.step) != stay}
    room.members = {**others, key: member}
    room.left = [one for one in room.left if one != stay]
    room.met = room.met or len(room.members) > 1


def _exit(room: Room, event: Exited) -> bool:
    key = _key(event.conference_uuid, event.member_id)
    # The row of its call may be the second to tell, and the first to tell when.
    room.left_at = max(room.left_at, event.at)
    if key in room.gone:
        return False
    if not room.now:
        _turn_to(room, event.conference_uuid)
    member = room.members.pop(key, None)
    room.gone = [*room.gone, key][-MOST_GONE:]
    callid, document = (member.callid, member.step) if member else (event.callid, event.step)
    if callid:
        _leaves(room, callid, document, event.at)
    if event.conference_uuid != room.now:
        return False
    room.met = True
    return True


def _depart(room: Room, event: Departed) -> bool:
    stay = (event.callid, event.step)
    keys = [key for key, m in room.members.items() if (m.callid, m.step) == stay]
    if _stay(*stay) in room.left:
        room.left_at = max(room.left_at, event.at)
    if not keys and (not event.entered or _stay(*stay) in room.left):
        return False
    for key in keys:
        del room.members[key]
        room.gone = [*room.gone, key][-MOST_GONE:]
    room.met = room.met or bool(keys) or any(m.since < event.at for m in room.members.values())
    _leaves(room, *stay, event.at)
    return True


def _leaves(room: Room, callid: int, document: int, at: float) -> None:
    stay = _stay(callid, document)
    room.left = [*(one for one in room.left if one != stay), stay][-MOST_GONE:]
    room.left_at = max(room.left_at, at)


def _turn_to(room: Room, conference_uuid: str) -> None:
    """Take note of the conference that callbacks tell of."""
    if room.now == conference_uuid:
        return
    if room.now:
        # Another ConferenceUUID under the same name: the former conference is over.
        room.over = [*room.over, room.now][-MOST_OVER:]
        room.members = {}
        room.met = False
    room.members = {
        _key(conference_uuid, m.member_id): replace(m, conference_uuid=conference_uuid)
        for m in room.members.values()
    }
    room.now = conference_uuid
    room.met = room.met or _had_others(room.gone, conference_uuid)


__all__ = [
    "Departed",
    "Entered",
    "Exited",
    "KickMember",
    "Listed",
    "Looked",
    "Member",
    "Room",
    "RoomEvent",
    "dump",
    "knows",
    "load",
    "step",
]
