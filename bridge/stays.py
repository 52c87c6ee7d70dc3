"""The stay of a call in a conference room, as its own state tells: where, since when, on what terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge import steps
from bridge.state import Phase
from mappings._kernel.values import value_class
from mappings._plivo.verbs import Conference, Play, Speak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.state import CallState
    from mappings._plivo.verbs import Verb

#: Commands whose documents may join a room.
ROOM_COMMANDS: Final = frozenset({"conference", "simple_conference"})
#: Whoever waited so long for a document that begins with a Conference had joined, in s.
JOINING_S: Final = 1.0
#: A text is spoken faster than this, in characters a s, and a file is shorter than this, in s:
#: Plivo does not report when they end.
SLOWEST_SPEECH: Final = 8.0
LONGEST_FILE_S: Final = 60.0


@value_class
class Stay:
    """A call waits for a document that joins `room`; at wall time `since`, in s, it surely had."""

    room: str
    callid: int
    step: int
    since: float
    leave_when_alone: bool


def stay_of(state: CallState, *, ended: bool = False) -> Stay | None:
    """Give the stay a call waits for the end of, or None; whether it was let in is not known.

    With `ended` it is that of a call which ended while it waited.
    """
    if state.phase is not (Phase.ENDED if ended else Phase.WAITING):
        return None
    if state.start is None or state.command not in ROOM_COMMANDS:
        return None
    verbs = steps.awaited(state)
    for position, verb in enumerate(verbs):
        if isinstance(verb, Conference):
            since = state.handed_at + JOINING_S + _longest_s(verbs[:position])
            return Stay(verb.room, state.callid, state.step, since, verb.leave_when_alone)
    return None


def _longest_s(verbs: Sequence[Verb]) -> float:
    """Give a time after which these verbs have surely ended, in s."""
    return sum(
        len(verb.text) / SLOWEST_SPEECH
        if isinstance(verb, Speak)
        else LONGEST_FILE_S
        if isinstance(verb, Play)
        else 0.0
        for verb in verbs
    )


__all__ = ["ROOM_COMMANDS", "Stay", "stay_of"]
