"""Conferences in progress (page "Conferences"); what happens to members is in `members`."""

from __future__ import annotations

from typing import Any, Final

from bridge.simulator import control
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.call_actions import recording_parameters
from bridge.simulator.rooms import Member, Room


def everything(asked: Asked) -> Reply:
    """List their names."""
    return Reply(200, {"conferences": list(asked.api.plivo.rooms)})


def get(asked: Asked) -> Reply:
    """Give one with its members; its numbers are text."""
    room, now = found(asked), asked.api.plivo.clock.now()
    return Reply(
        200,
        {
            "conference_name": room.name,
            "conference_run_time": str(int(now - room.began)),
            "conference_member_count": str(len(room.members)),
            "members": [_shown(member, now) for member in room.members.values()],
        },
    )


def _shown(member: Member, now: float) -> dict[str, Any]:
    leg = member.line.leg
    return {
        "muted": member.muted,
        "member_id": member.member_id,
        "deaf": member.deaf,
        "from": leg.caller,
        "to": leg.called,
        "caller_name": leg.caller if leg.caller_name is None else leg.caller_name,
        "direction": leg.direction,
        "call_uuid": leg.uuid,
        "join_time": str(int(now - member.joined)),
    }


def end(asked: Asked) -> Reply:
    """Hang up the calls of all its members."""
    control.end_room(found(asked))
    return Reply(202, {"message": "conference hung up"})


def end_all(asked: Asked) -> Reply:
    """Hang up the calls of all members of all conferences."""
    for room in tuple(asked.api.plivo.rooms.values()):
        control.end_room(room)
    return Reply(202, {"message": "all conferences hung up"})


def record(asked: Asked) -> Reply:
    """Record one until it ends; the end is reported to callback_url."""
    room = found(asked)
    file_format, report, _ = recording_parameters(asked)
    recording = control.start_room_recording(room, report, file_format=file_format)
    if recording is None:
        raise Refused(404, "conference not found")
    told = {"url": recording.url, "recording_id": recording.recording_id}
    return Reply(202, {"message": "conference recording started", **told})


def stop_recording(asked: Asked) -> Reply:
    """Stop recording one."""
    if not control.stop_room_recording(found(asked)):
        raise Refused(404, "no recording of the conference is in progress")
    return Reply(204)


def found(asked: Asked) -> Room:
    """Find the conference the path names. Raises Refused(404)."""
    room = asked.api.plivo.rooms.get(asked.ids["conference_name"])
    if room is None:
        raise Refused(404, "conference not found")
    return room


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "Conference/", everything),
    Route("DELETE", "Conference/", end_all),
    Route("GET", "Conference/{conference_name}/", get),
    Route("DELETE", "Conference/{conference_name}/", end),
    Route("POST", "Conference/{conference_name}/Record/", record, own_callback=True),
    Route("DELETE", "Conference/{conference_name}/Record/", stop_recording),
)

__all__ = ["ROUTES", "found"]
