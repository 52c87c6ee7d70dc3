"""What can happen to a line from outside: its person, the other parties, the room, the REST API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.simulator.leg import CALLER_HUNG_UP, Ending, Method

#: How a party takes a ringing phone; `failed` = the network did not even ring it.
Outcome = Literal["answered", "busy", "rejected", "no-answer", "failed"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key is pressed: 0-9, * or #."""

    digit: str


@dataclass(frozen=True, slots=True)
class Talks:
    """The person begins to make sound for `seconds`: speech when there is a text, else noise.

    `confidence` 0.0 to 1.0 is what a recogniser would say.
    """

    seconds: float
    text: str = ""
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class MachineBeeps:
    """An answering machine gives its beep, for Wait with beep="true"."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The line is hung up, with this ending."""

    ending: Ending = CALLER_HUNG_UP


@dataclass(frozen=True, slots=True)
class Transferred:
    """The running element is broken off and the call goes on at `url`."""

    url: str
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class Takes:
    """The person whose phone rings does something with it.

    `code` and `cause` are Plivo's hangup cause when the call fails.
    """

    outcome: Outcome
    code: int = 3050
    cause: str = "UNALLOCATED_NUMBER"


@dataclass(frozen=True, slots=True)
class PartyChanged:
    """A party that this line dialled changed; its state is to be read from it."""

    leg: int


@dataclass(frozen=True, slots=True)
class Kicked:
    """Sent out of a conference; the call goes on with the element's action."""


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The conference of this line started, or somebody came or went."""


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The conference of this line ended for everybody."""


Input = (
    Key
    | Talks
    | MachineBeeps
    | HungUp
    | Transferred
    | Takes
    | PartyChanged
    | Kicked
    | RoomChanged
    | RoomEnded
)

__all__ = [
    "HungUp",
    "Input",
    "Key",
    "Kicked",
    "MachineBeeps",
    "Outcome",
    "PartyChanged",
    "RoomChanged",
    "RoomEnded",
    "Takes",
    "Talks",
    "Transferred",
]
