"""Decisions every adapter takes the same way."""

from __future__ import annotations

from bridge.store.protocol import CallWrite, Conflict, MediaRow, OutboxRow, RecordWrite

CALLID_MAX = 2**63 - 1


def still_good(held_until: float | None, wanted: MediaRow, now: float | None) -> bool:
    """Tell whether the file held under this name until then makes writing the row needless.

    Content-addressed files are asked for again by every call that plays them; rewriting a file only
    when half of its time is over keeps its content out of nearly all commits. Without `now` only a
    later expiry counts.
    """
    if held_until is None:
        return False
    if held_until >= wanted.expires_at:
        return True
    return now is not None and held_until - now > (wanted.expires_at - now) / 2


def call_conflict(write: CallWrite, reason: str) -> Conflict:
    """Name the call that was not written."""
    return Conflict(f"Call {write.callid} was not written on version {write.base}: {reason}.")


def room_conflict(key: str, base: int, found: int) -> Conflict:
    """Name the room that was not written."""
    return Conflict(f"Room {key} was not written on version {base}: the store has {found}.")


def record_conflict(write: RecordWrite, found: int) -> Conflict:
    """Name the record that was not written."""
    return Conflict(
        f"The {write.kind} {write.key} was not written on version {write.base}: "
        f"the store has {found}."
    )


def outbox_conflict(row: OutboxRow) -> Conflict:
    """Name the row of the outbox that changed meanwhile."""
    return Conflict(f"The outbox row {row.key} is no longer what it was when it was read.")


__all__ = [
    "CALLID_MAX",
    "call_conflict",
    "outbox_conflict",
    "record_conflict",
    "room_conflict",
    "still_good",
]
