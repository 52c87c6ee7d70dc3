"""What happened in a simulation, in order: one list that people, tests and reports read.

`data` of an entry holds the same as `text` and `detail`, as JSON values:

| kind | what | data |
|---|---|---|
| asks | a document is fetched | label, method, url, form, status, attempt, reason |
| gets | the document that came | xml |
| hears | what this leg hears | element, and text or url or tones; voice, language |
| does | what the person does | action, and keys or text or seconds |
| tells | a request whose answer is ignored | name, method, url, form, status, attempt, reason |
| fetches | a sound file or a document of sounds | url, status, content_type, bytes |
| dials | a party is dialled | number, caller_id, leg |
| leg | a dialled party changed (leg 0: a call made through REST) | leg, state |
| room | a conference changed: enter, exit, full, mute, unmute, deaf, undeaf | room, action, member, members |
| records | a recording began or ended | recording_id, seconds (-1 = began), url |
| sends | a text message | src, dst, text |
| streams | the WebSocket of a Stream | action (connects, sends, hears, ends), stream_id, frame, why |
| listens | an element begins to accept input | element, accepts |
| rest | a REST request arrived | method, path, body, status, reply |
| app | one RT turn, added by who listens at the app | request, status, reply, body, failure |
| fault | a fault was injected | fault, name |
| expects | an expectation of a test | expectation, ok, waited |
| ends | the leg ended | cause, code, name, source |
| problem | what must not happen | whatever helps |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "asks",
    "gets",
    "hears",
    "does",
    "tells",
    "fetches",
    "dials",
    "leg",
    "room",
    "records",
    "sends",
    "streams",
    "listens",
    "rest",
    "app",
    "fault",
    "expects",
    "ends",
    "problem",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    `at` is virtual time in s since the simulation (or the only call) began, `detail` XML or form
    or JSON for people, `ms` the real time of an HTTP exchange. `call` counts the calls of the
    simulation from 1 (0 = no call), `leg` is 0 for the call itself and counts whom it dialled.
    """

    at: float
    kind: Kind
    text: str
    detail: str = ""
    ms: float | None = None
    call: int = 1
    leg: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self) | {"data": dict(self.data)}


@dataclass(slots=True)
class Timeline:
    """The entries so far; `listeners` are told of each new one."""

    entries: list[Entry] = field(default_factory=list)
    listeners: list[Callable[[Entry], None]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Append an entry and tell who listens."""
        self.entries.append(entry)
        for listener in tuple(self.listeners):
            listener(entry)

    def of(self, *kinds: Kind, call: int | None = None) -> list[Entry]:
        """List the entries of these kinds, of one call or of all."""
        return [
            entry
            for entry in self.entries
            if entry.kind in kinds and (call is None or entry.call == call)
        ]

    def texts(self, kind: Kind) -> list[str]:
        """List the texts of one kind."""
        return [entry.text for entry in self.entries if entry.kind == kind]

    def details(self, kind: Kind) -> list[str]:
        """List the details of one kind."""
        return [entry.detail for entry in self.entries if entry.kind == kind]

    def __str__(self) -> str:
        return "\n".join(
            f"{entry.at:8.1f} s  {entry.kind:8}{entry.text}"
            + (f"  [{entry.ms:.1f} ms]" if entry.ms is not None else "")
            + "".join(f"\n{'':22}{line}" for line in entry.detail.splitlines())
            for entry in self.entries
        )


__all__ = ["Entry", "Kind", "Timeline"]
