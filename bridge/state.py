"""The state of one live call: what a step needs, and nothing that can be looked up.

It is kept as one compact JSON blob. Values the app must get back unharmed (`variables`,
`command_id`) stay the JSON text the app sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from pydantic_core import from_json, to_json

FORMAT: Final = 2
#: What can be read. A release reads a new format before the next one writes it (docs/adr/0003).
READABLE: Final = frozenset({2})


class UnreadableState(ValueError):  # noqa: N818 - named for what it is
    """The state was written by a newer release, in a form this one does not know."""


class Phase(StrEnum):
    """What the call is waiting for."""

    #: The app's answer to an RT.Request (which may have to be asked again after a crash).
    ASKING = "asking"
    #: The continuation of document `step`.
    WAITING = "waiting"
    #: The outcome of a REST action.
    ACTING = "acting"
    #: Nothing: the call is over.
    ENDED = "ended"


@dataclass(slots=True)
class CallState:
    """One call. `step` is the number of its newest document, 0 before the first.

    While ASKING or ACTING, the continuation of `step` has been consumed and document `step + 1` is
    due. `log` holds the facts of the open command, `start` its CommandStarted. Times are wall time
    in s.

    The order of the fields is part of the stored form: a new one comes after `cause`, with a default.
    """

    callid: int
    app: str
    uuid: str
    started_at: float
    number: str = ""
    cli_number: str = ""
    cli_name: str = ""
    caller_id: str = ""
    request_hash: str | None = None
    phase: Phase = Phase.ASKING
    step: int = 0
    answered: bool = False
    call_status: str = "UP"
    variables: str = "{}"
    cdr_field: str = ""
    command: str = ""
    command_id: str = "0"
    result: str | int = ""
    error: str = ""
    start: list[Any] | None = None
    log: list[list[Any]] = field(default_factory=list)
    handed_at: float = 0.0
    errors_in_row: int = 0
    without_document: int = 0
    call_recording: str = ""
    inbox: dict[str, Any] = field(default_factory=dict)
    #: Plivo was told to come back before the app was asked or the REST action sent.
    deferred: bool = False
    #: What happened since the last row of history was written.
    unwritten: list[dict[str, Any]] = field(default_factory=list)
    ended_at: float | None = None
    cause: str = ""
    #: When the bridge learned that the call was answered.
    answered_at: float | None = None
    #: How often Plivo was asked to transfer the call (bridge.breaks).
    transfers: int = 0
    #: The recordings of this call that were started and not stopped: [recording id, URL] each.
    recordings: list[list[str]] = field(default_factory=list)
    #: The app surely never heard of this call, so that it is not told of its end either.
    untold: bool = False
    #: The replica in the middle of a turn of this call, on a store that several share.
    holder: str = ""
    #: The last document whose command a break ended, 0 = none (bridge.breaks).
    broken: int = 0
    #: Version in the store this state was read with; 0 = not stored yet.
    version: int = 0
    #: The open command as read from `start`, so that it need not be read again; never stored.
    running: Any = None


def open_command(state: CallState) -> tuple[str, int] | None:
    """Give name and version of the command a live call is running.

    A start of another release's format may have any shape: its command has no name here.
    """
    if state.start is None or state.phase is Phase.ENDED:
        return None
    try:
        _, name, version, *_ = state.start
    except (TypeError, ValueError):
        return "", 0
    return (name, version) if type(name) is str and type(version) is int else ("", 0)


#: The fields that are stored, in the order in which they are stored.
_STORED: Final = tuple(f.name for f in fields(CallState) if f.name not in {"version", "running"})
# The serialiser asks an enumeration for its value by way of Python code: a quarter of its time.
_get_stored = attrgetter(*("phase._value_" if name == "phase" else name for name in _STORED))
_PHASES: Final = {phase.value: phase for phase in Phase}


def dump(state: CallState) -> bytes:
    """Give the stored form: a JSON array of the format and the fields in their order.

    Without names it is smaller, and written and read in half the time: a turn does that thrice.
    """
    return to_json((FORMAT, *_get_stored(state)))


def load(blob: bytes, version: int) -> CallState:
    """Read a stored state; fields of a newer release are ignored. Raises UnreadableState.

    The first releases stored an object, without the values at their default.
    """
    stored = from_json(blob)
    if type(stored) is list:
        if stored[0] not in READABLE:
            raise UnreadableState(
                f"a call is stored in format {stored[0]!r}, this release reads up to {max(READABLE)}: "
                "a release that reads it must take it over"
            )
        state = CallState(*stored[1 : 1 + len(_STORED)])
    else:
        state = CallState(**{name: stored[name] for name in stored if name in _STORED})
    state.phase = _PHASES[state.phase]
    state.version = version
    return state


__all__ = [
    "FORMAT",
    "READABLE",
    "CallState",
    "Phase",
    "UnreadableState",
    "dump",
    "load",
    "open_command",
]
