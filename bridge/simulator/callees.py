"""What a dialled party does when its phone rings, unless somebody says so at the moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rings:
    """The phone rings until somebody says what happens, or the ring time is over."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Picks up `after` s of ringing.

    Presses `key` once the confirmation sound begins ("" = nothing), and hangs up `talks` s after
    the parties were connected (None = never). A `machine` is what machine detection finds.
    """

    after: float = 3.0
    talks: float | None = None
    key: str = ""
    machine: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """Is busy, which is known `after` s."""

    after: float = 1.0


@dataclass(frozen=True, slots=True)
class Rejects:
    """Declines the call `after` s of ringing."""

    after: float = 3.0


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody picks up within the ring time."""


@dataclass(frozen=True, slots=True)
class Fails:
    """The call cannot be put through; `code` and `cause` are Plivo's hangup cause."""

    code: int = 3050
    cause: str = "UNALLOCATED_NUMBER"
    after: float = 0.5


Callee = Rings | Answers | Busy | Rejects | NoAnswer | Fails

__all__ = ["Answers", "Busy", "Callee", "Fails", "NoAnswer", "Rejects", "Rings"]
