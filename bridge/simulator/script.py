"""What a scripted caller does: an ordered list of typed steps.

A step is used up by the element that needs input. When the list is used up the caller is silent,
nobody answers a Dial, and a conference lasts until its time is up. A step that does not fit the
element in front of it is a fault of the script or of the bridge, and ends the call with a problem.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Press:
    """Press these keys at GetDigits or GetInput."""

    keys: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say something to GetInput; `confidence` 0.0 to 1.0."""

    text: str
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Silence:
    """Give one element that needs input nothing, so that the next element runs."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Make noise during one Wait that listens for silence, so that it lasts its whole length."""


@dataclass(frozen=True, slots=True)
class RecordFor:
    """Speak into Record for `seconds`, then press `key`; "" = fall silent instead."""

    seconds: float
    key: str = "#"


@dataclass(frozen=True, slots=True)
class LegAnswers:
    """The dialled party picks up and talks for `seconds`."""

    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class LegBusy:
    """The dialled party is busy."""


@dataclass(frozen=True, slots=True)
class LegNoAnswer:
    """Nobody picks up within the ring time."""


@dataclass(frozen=True, slots=True)
class LegFails:
    """The dialled number cannot be reached; `code` and `cause` are Plivo's hangup cause."""

    code: int = 3050
    cause: str = "UNALLOCATED_NUMBER"


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Stay in the conference for `seconds`, then leave it with this key."""

    key: str = "*"
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class RoomFull:
    """The conference already has as many members as it takes."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Remain in the element until something from outside ends it: a kick, a hang-up, a transfer."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up `after` s into an element: the next one called `during`, else the next for input."""

    during: str | None = None
    after: float = 1.0


Step = (
    Press
    | Say
    | Silence
    | Noise
    | RecordFor
    | LegAnswers
    | LegBusy
    | LegNoAnswer
    | LegFails
    | LeaveRoom
    | RoomFull
    | Stay
    | HangUp
)

__all__ = [
    "HangUp",
    "LeaveRoom",
    "LegAnswers",
    "LegBusy",
    "LegFails",
    "LegNoAnswer",
    "Noise",
    "Press",
    "RecordFor",
    "RoomFull",
    "Say",
    "Silence",
    "Stay",
    "Step",
]
