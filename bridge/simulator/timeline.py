"""What happened in a simulated call, in order: one list that people and tests read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "asks",  # the platform fetches a document: what, and how long the answer took
    "gets",  # the document it got
    "hears",  # what the caller hears or is asked for
    "does",  # what the caller does
    "tells",  # a request whose answer is ignored: callbacks, the hangup URL
    "fetches",  # a sound file or a document of sounds
    "app",  # added by whoever listens on the app's side
    "ends",  # how the call ended
    "problem",  # what must not happen
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `at` is seconds since the call began, `detail` XML or form or JSON, `ms` real time."""

    at: float
    kind: Kind
    text: str
    detail: str = ""
    ms: float | None = None


@dataclass(slots=True)
class Timeline:
    """The entries so far."""

    entries: list[Entry] = field(default_factory=list)

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
