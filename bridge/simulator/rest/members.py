"""Members of a conference: one id, ids joined by commas, or `all` (page "Conference members")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.simulator import control
from bridge.simulator.document import Element
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.call_actions import spoken
from bridge.simulator.rest.conferences import found
from bridge.simulator.rooms import Room

_BASE: Final = "Conference/{conference_name}/Member/{member_id}/"
_Act = Callable[[Room, str], list[str]]


def kick(asked: Asked) -> Reply:
    """Send members out; their calls go on."""
    return _done(asked, lambda room, members: room.kick(members), "kicked")


def hang_up(asked: Asked) -> Reply:
    """Hang up the calls of members."""
    return _done(asked, control.hang_up_members, "hangup")


def mute(asked: Asked) -> Reply:
    """Let nobody hear them."""
    return _done(asked, lambda room, members: room.mark(members, muted=True), "muted")


def unmute(asked: Asked) -> Reply:
    """Let them be heard again."""
    return _done(asked, lambda room, members: room.mark(members, muted=False))


def deafen(asked: Asked) -> Reply:
    """Let them hear nothing."""
    return _done(asked, lambda room, members: room.mark(members, deaf=True), "deaf")


def undeafen(asked: Asked) -> Reply:
    """Let them hear again."""
    return _done(asked, lambda room, members: room.mark(members, deaf=False))


def play(asked: Asked) -> Reply:
    """Play a sound file to members."""
    element = Element("Play", asked.required_url("url"), {}, (), 0)
    return _heard(asked, element, "play queued into conference")


def speak(asked: Asked) -> Reply:
    """Speak to members."""
    text, voice, language = spoken(asked)
    element = Element("Speak", text, {"voice": voice, "language": language}, (), 0)
    return _heard(asked, element, "speak queued into conference")


def stop_playing(asked: Asked) -> Reply:
    """Stop a sound; how much of it was heard is not simulated."""
    return _done(asked, _present, "playing in conference stopped")


def stop_speaking(asked: Asked) -> Reply:
    """Stop a text; how much of it was heard is not simulated."""
    return _done(asked, _present, "speak stopped")


def _present(room: Room, members: str) -> list[str]:
    return [member.member_id for member in room.find(members)]


def _heard(asked: Asked, element: Element, message: str) -> Reply:
    return _done(
        asked, lambda room, members: control.play_to_members(room, members, element), message
    )


def _done(asked: Asked, act: _Act, message: str = "") -> Reply:
    room, members = found(asked), asked.ids["member_id"]
    if not act(room, members):
        raise Refused(404, "member not found")
    return Reply(202, {"message": message, "member_id": members}) if message else Reply(204)


ROUTES: Final[tuple[Route, ...]] = (
    Route("DELETE", _BASE, hang_up),
    Route("POST", f"{_BASE}Kick/", kick),
    Route("POST", f"{_BASE}Mute/", mute),
    Route("DELETE", f"{_BASE}Mute/", unmute),
    Route("POST", f"{_BASE}Deaf/", deafen),
    Route("DELETE", f"{_BASE}Deaf/", undeafen),
    Route("POST", f"{_BASE}Play/", play),
    Route("DELETE", f"{_BASE}Play/", stop_playing),
    Route("POST", f"{_BASE}Speak/", speak),
    Route("DELETE", f"{_BASE}Speak/", stop_speaking),
)

__all__ = ["ROUTES"]
