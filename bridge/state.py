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

FORMAT: Final = 1


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
    match state.start:
        case [_, str(name), int(version), *_]:
            return name, version
        case _:
            return "", 0


#: What every stored state has; the rest is stored only when it differs from a fresh state's.
_ALWAYS: Final = ("callid", "app", "uuid", "started_at")
_FRESH: Final = CallState(0, "", "", 0.0)
_SPARSE: Final = tuple(
    f.name for f in fields(CallState) if f.name not in {*_ALWAYS, "version", "running"}
)
_get_always = attrgetter(*_ALWAYS)
_get_sparse = attrgetter(*_SPARSE)
_DEFAULTS: Final = _get_sparse(_FRESH)
_NAMES: Final = frozenset({*_ALWAYS, *_SPARSE})


def dump(state: CallState) -> bytes:
    """Give the stored form; values at their default are left out."""
    stored: dict[str, Any] = {"v": FORMAT}
    stored.update(zip(_ALWAYS, _get_always(state), strict=True))
    sparse = zip(_SPARSE, _DEFAULTS, _get_sparse(state), strict=True)
    stored.update({name: value for name, default, value in sparse if value != default})
    return to_json(stored)


def load(blob: bytes, version: int) -> CallState:
    """Read a stored state; fields of a newer release are ignored."""
    stored = from_json(blob)
    del stored["v"]
    if not stored.keys() <= _NAMES:
        stored = {name: stored[name] for name in stored if name in _NAMES}
    state = CallState(**stored)
    state.phase = Phase(state.phase)
    state.version = version
    return state


__all__ = ["FORMAT", "CallState", "Phase", "dump", "load", "open_command"]
