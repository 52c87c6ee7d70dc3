"""What a mapping may receive: a closed union of frozen events. Its counterpart is `actions`.

An event answers the pending action. `elapsed_ms` counts from the moment the document was first
answered (0 for REST actions and look-ups): the only clock a mapping ever sees.
"""

from __future__ import annotations

from typing import Literal

from mappings._kernel.values import value_class

#: Why a call left a room; "" = not by us, as far as is known.
LeaveReason = Literal["", "LAST_PARTICIPANT", "CONFERENCE_CLOSED"]


@value_class
class DocumentEnded:
    """Plivo came to the end of the document: nothing in it fetched its action."""

    elapsed_ms: int = 0


@value_class
class DigitsReceived:
    """GetDigits collected these keys, without the finishing key; "" = the finishing key alone."""

    digits: str
    elapsed_ms: int = 0


@value_class
class SpeechReceived:
    """GetInput heard speech."""

    speech: str = ""
    elapsed_ms: int = 0


@value_class
class RecordingReceived:
    """Record ended (or, for a background recording, began); an empty url means nothing was kept."""

    url: str
    recording_id: str
    duration_ms: int = -1
    digits: str = ""
    elapsed_ms: int = 0


@value_class
class DialEnded:
    """Dial is over. `status` is Plivo's DialStatus, `cause` its DialHangupCause."""

    status: str
    cause: str = ""
    elapsed_ms: int = 0


@value_class
class ConferenceLeft:
    """The caller is out of the room and still on the line; `reason` is set when we sent them out."""

    reason: LeaveReason = ""
    conference_uuid: str = ""
    elapsed_ms: int = 0


@value_class
class RestDone:
    """The REST action was accepted; a recording that was started has an id and the URL of its file."""

    recording_id: str = ""
    recording_url: str = ""


@value_class
class RestFailed:
    """The REST action was refused or could not be sent; `code` is a command_error code."""

    code: str
    message: str


@value_class
class RestUnknown:
    """Nobody knows whether the REST action was carried out (a crash or time-out in mid-flight)."""

    message: str = ""


@value_class
class RecordingFound:
    """The recording exists; `silent` when nothing was recorded under that name."""

    silent: bool


@value_class
class RecordingMissing:
    """No such recording, or it expired."""


@value_class
class HungUp:
    """The call ended. The engine closes the command; a mapping never sees this."""


@value_class
class Broken:
    """`calls.realtime_break` ended the command. The engine closes it; a mapping never sees this."""


Event = (
    DocumentEnded
    | DigitsReceived
    | SpeechReceived
    | RecordingReceived
    | DialEnded
    | ConferenceLeft
    | RestDone
    | RestFailed
    | RestUnknown
    | RecordingFound
    | RecordingMissing
    | HungUp
    | Broken
)

__all__ = [
    "Broken",
    "ConferenceLeft",
    "DialEnded",
    "DigitsReceived",
    "DocumentEnded",
    "Event",
    "HungUp",
    "LeaveReason",
    "RecordingFound",
    "RecordingMissing",
    "RecordingReceived",
    "RestDone",
    "RestFailed",
    "RestUnknown",
    "SpeechReceived",
]
