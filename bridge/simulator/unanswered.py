"""What became of a call that was not answered, in the words of webhooks and of the timeline."""

from __future__ import annotations

from typing import Final, Literal

from bridge.simulator.leg import Ending

State = Literal[
    "ringing",
    "answered",
    "connected",
    "busy",
    "rejected",
    "no-answer",
    "failed",
    "cancelled",
    "ended",
]

#: What CallStatus and DialStatus say of a call that was not answered, by hangup cause; else failed.
#: Which status goes with which cause is not documented; these pairs are plausible.
_STATUSES: Final = {
    "1000": "cancel",
    "3000": "no-answer",
    "3010": "busy",
    "3020": "busy",
    "6010": "timeout",
    "9000": "cancel",
    "9110": "no-answer",
}
_STATES: Final[dict[str, State]] = {
    "1000": "cancelled",
    "3000": "no-answer",
    "3010": "busy",
    "3020": "rejected",
    "6010": "no-answer",
    "9000": "cancelled",
}


def unanswered_status(ending: Ending) -> str:
    """Give CallStatus or DialStatus of a call that ended before it was answered."""
    return _STATUSES.get(ending[1], "failed")


def unanswered_state(ending: Ending) -> State:
    """Give the state of a party that ended before it answered."""
    return _STATES.get(ending[1], "failed")


__all__ = ["State", "unanswered_state", "unanswered_status"]
