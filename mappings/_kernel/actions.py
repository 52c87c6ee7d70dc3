"""What a mapping may yield: a closed union of frozen actions. Its counterpart is `events`.

`Reply`, the REST actions and the look-ups wait for exactly one event; `Note`, `KeepRecording` and
`RememberCallRecording` do not wait: they take effect with the commit that carries the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappings._plivo.verbs import Verb


@dataclass(frozen=True, slots=True, init=False)
class Reply:
    """Answer the webhook with a document and wait for what comes back from it."""

    verbs: tuple[Verb, ...]

    def __init__(self, *verbs: Verb) -> None:
        """Make a reply of these verbs; the way back to the bridge is added when it is rendered."""
        object.__setattr__(self, "verbs", verbs)


@dataclass(frozen=True, slots=True)
class HangUpCall:
    """Hang up another call through REST. Safe to repeat.

    Answered by `RestDone`, or `RestFailed` with code CALL_NOT_FOUND, CALL_ENDED, or, when the app may
    end its own calls only, CALL_OF_ANOTHER_APP.
    """

    callid: int


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record this call in the background through REST; not repeatable after a crash.

    `time_limit` in s. Answered by `RestDone(recording_id=…)`.
    """

    time_limit: int
    stereo: bool
    transcribe: bool


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Stop the background recordings the app has started on this call through REST. Safe to repeat."""

    recording_id: str


@dataclass(frozen=True, slots=True)
class FindRecording:
    """Ask whether a recording of this app is known: `RecordingFound` or `RecordingMissing`."""

    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """A diagnostic that is logged once, when live; `code` is stable, `text` a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class KeepRecording:
    """Bind a media_file name to a recording of Plivo's; an empty `url` means silence was recorded."""

    name: str
    url: str
    recording_id: str


@dataclass(frozen=True, slots=True)
class RememberCallRecording:
    """Remember the background recording of this call for later commands; "" forgets it."""

    recording_id: str


RestAction = HangUpCall | StartRecording | StopRecording
WaitingAction = Reply | RestAction | FindRecording
Effect = Note | KeepRecording | RememberCallRecording
Action = WaitingAction | Effect

#: REST actions that may be sent again when a crash hides whether they were carried out.
REPEATABLE = HangUpCall | StopRecording

__all__ = [
    "REPEATABLE",
    "Action",
    "Effect",
    "FindRecording",
    "HangUpCall",
    "KeepRecording",
    "Note",
    "RememberCallRecording",
    "Reply",
    "RestAction",
    "StartRecording",
    "StopRecording",
    "WaitingAction",
]
