"""A conference room as its own aggregate: who is in it, and who is to be sent out.

Enter and exit are keyed by (ConferenceUUID, member): a duplicate does nothing, and an exit that
comes before its enter leaves a tombstone, so that the late enter makes no ghost
(docs/adr/0005). A room has one conference at a time: the next one ends the one before, of which nothing
is believed any more but that its members are gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, assert_never

#: Tombstones kept per room; late callbacks come within seconds.
MOST_GONE: Final = 64
#: Former conferences remembered per room.
MOST_OVER: Final = 8


@dataclass(frozen=True, slots=True)
class Member:
    """One call in the room; `step` is the document that joined it."""

    conference_uuid: str
    member_id: str
    callid: int
    step: int
    leave_when_alone: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """Plivo says this member joined."""

    member: Member


@dataclass(frozen=True, slots=True)
class Exited:
    """Plivo says this member left, however that happened."""

    conference_uuid: str
    member_id: str


@dataclass(frozen=True, slots=True)
class KickMember:
    """Send out the one who is left and asked for it."""

    member: Member


@dataclass(slots=True)
class Room:
    """The members by (ConferenceUUID, member id), and those who are known to be gone.

    `now` is the ConferenceUUID of the newest conference, "" before the first; `over` are those of
    the conferences before it.
    """

    members: dict[str, Member] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    now: str = ""
    over: list[str] = field(default_factory=list)


def step(room: Room, event: Entered | Exited) -> list[KickMember]:
    """Change the room and say whom to kick: only ever on an exit that leaves one behind."""
    match event:
        case Entered():
            _enter(room, event.member)
            return []
        case Exited():
            return _exit(room, event)
        case _:
            assert_never(event)


def dump(room: Room) -> dict[str, Any]:
    """Give the stored form."""
    rows = [
        [m.conference_uuid, m.member_id, m.callid, m.step, m.leave_when_alone]
        for m in room.members.values()
    ]
    return {"v": 1, "members": rows, "gone": room.gone, "now": room.now, "over": room.over}


def load(stored: dict[str, Any]) -> Room:
    """Read a stored room."""
    members = [Member(*row) for row in stored["members"]]
    # The first releases did not name the conference; its members do.
    now = stored.get("now") or next((member.conference_uuid for member in members), "")
    return Room(
        {_key(m.conference_uuid, m.member_id): m for m in members},
        stored["gone"],
        now,
        stored.get("over", []),
    )


def _key(conference_uuid: str, member_id: str) -> str:
    return f"{conference_uuid}/{member_id}"


def _enter(room: Room, member: Member) -> None:
    key = _key(member.conference_uuid, member.member_id)
    if key in room.gone or key in room.members or member.conference_uuid in room.over:
        return
    if room.now not in {"", member.conference_uuid}:
        # Another ConferenceUUID under the same name: the former conference is over.
        room.over = [*room.over, room.now][-MOST_OVER:]
        room.members = {}
    room.now = member.conference_uuid
    room.members[key] = member


def _exit(room: Room, event: Exited) -> list[KickMember]:
    key = _key(event.conference_uuid, event.member_id)
    if key in room.gone:
        return []
    room.members.pop(key, None)
    room.now = room.now or event.conference_uuid
    room.gone = [*room.gone, key][-MOST_GONE:]
    left = [m for m in room.members.values() if m.conference_uuid == event.conference_uuid]
    if len(left) == 1 and left[0].leave_when_alone:
        return [KickMember(left[0])]
    return []


__all__ = ["Entered", "Exited", "KickMember", "Member", "Room", "dump", "load", "step"]
