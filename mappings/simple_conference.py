"""simple_conference: join a room.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| id | room name, hashed, kept apart per app unless rooms are shared | (required) | any text or number |
| auto_leave_when_alone | kick through REST; stayAlone without | true | without REST it holds for the whole room |

The results are those of `conference` that need no PIN. A full room → ROOM_FULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pydantic import Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, SubFlow, command
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import ConferenceLeft
from mappings._plivo.verbs import Conference, Sounds
from mappings._rt.params import Params, RtBool

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext
    from mappings._plivo.verbs import Sound


class SimpleConferenceParams(Params):
    """Params of `simple_conference`."""

    id: str = Field(min_length=1, max_length=200)
    auto_leave_when_alone: RtBool = True


@dataclass(frozen=True, slots=True)
class RoomSounds:
    """What a room plays; empty = nothing."""

    joined: tuple[Sound, ...] = ()
    left: tuple[Sound, ...] = ()
    waiting: tuple[Sound, ...] = ()
    alone: tuple[Sound, ...] = ()


@command("simple_conference", SimpleConferenceParams)
def simple_conference(p: SimpleConferenceParams, call: CallContext) -> Flow:
    """Join; the way the room was left."""
    return (
        yield from room_flow(
            p.id, call, (), RoomSounds(), auto_leave_when_alone=p.auto_leave_when_alone
        )
    )


def room_name(scope: str, room_id: str) -> str:
    """Give the room its name at Plivo: legal whatever the app's id is, and its own per scope."""
    return "rt" + sha256(f"{scope}\0{room_id}".encode("utf-8", "replace")).hexdigest()[:30]


def room_flow(
    room_id: str,
    call: CallContext,
    opening: tuple[Sound, ...],
    sounds: RoomSounds,
    *,
    auto_leave_when_alone: bool,
) -> SubFlow[str]:
    """Join the room and tell apart how it was left: LAST_PARTICIPANT, CONFERENCE_CLOSED, LEFT_CONFERENCE.

    Plivo gives no reason, so: whom we sent out carries our reason, whose time is
    up was closed, and everybody else pressed star.
    """
    room = Conference(
        room=room_name(call.scope, room_id),
        enter_sound=_hosted(sounds.joined),
        exit_sound=_hosted(sounds.left),
        wait_sound=_hosted(sounds.waiting),
        stay_alone=call.rest or not auto_leave_when_alone,
        leave_when_alone=auto_leave_when_alone,
    )
    event = yield Reply(*opening, room)
    if not isinstance(event, ConferenceLeft):
        sentence = f"the room {room_id} already has {room.max_members} members"
        raise CommandRefused("ROOM_FULL", sentence)
    if event.reason == "LAST_PARTICIPANT" and sounds.alone:
        yield Reply(*sounds.alone)
    if event.reason:
        return event.reason
    return "CONFERENCE_CLOSED" if event.elapsed_ms >= room.time_limit * 1000 else "LEFT_CONFERENCE"


def _hosted(sounds: tuple[Sound, ...]) -> Sounds | None:
    return Sounds(sounds) if sounds else None
