"""A commit as arguments of the script `commit.lua`, and its refusals as Conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_bytes

from bridge.store import _redis_rows as rows
from bridge.store._rules import call_conflict, outbox_conflict, record_conflict, room_conflict
from bridge.store.protocol import CallWrite, Commit, Conflict, MediaRow, RecordWrite, RoomWrite

Refusal = list[bytes | int]

_NO, _YES = b"0", b"1"


def arguments(change: Commit, media: list[MediaRow]) -> list[bytes]:
    """Lay a commit out as the script reads it; `media` are those of its files that must be sent."""
    token = token_bytes(rows.TOKEN_BYTES)
    call = change.call
    words = [token, _YES if change.exact else _NO]
    if call is None:
        words.append(_NO)
    else:
        words += _call(call, token)
    if change.room is None:
        words.append(_NO)
    else:
        words += _room(change.room, token)
    words.append(b"%d" % len(change.records))
    for record in change.records:
        words += _record(record, token)
    words.append(b"%d" % len(change.outbox_swap))
    for row, successor in change.outbox_swap:
        words += (rows.text(row.key), rows.outbox_value(row))
        if successor is None:
            words += (b"", b"")
        else:
            words += (rows.outbox_value(successor), rows.number(successor.due))
    words.append(b"%d" % len(change.history))
    for line in change.history:
        step = b"" if line.step is None or line.document is None else b"%d" % line.step
        seq = b"%d" % line.seq
        words += (rows.callid_name(line.callid), seq, rows.history_value(line), step)
    words.append(b"%d" % len(change.outbox))
    for row in change.outbox:
        words += (rows.text(row.key), rows.outbox_value(row), rows.number(row.due))
    words.append(b"" if call is None else rows.number(call.touched_at))
    words.append(b"%d" % len(media))
    for file in media:
        words += (rows.text(file.name), rows.media_value(file), rows.number(file.expires_at))
    words.append(b"%d" % len(change.recordings))
    for recording in change.recordings:
        words += (rows.text(recording.name), rows.text(recording.app))
        words += (rows.recording_value(recording), rows.number(recording.expires_at))
    return words


def _call(write: CallWrite, token: bytes) -> Iterator[bytes]:
    yield _YES
    yield rows.callid_name(write.callid)
    yield rows.call_names(write, write.base)
    yield b"%d" % write.base
    yield rows.call_names(write, write.base + 1) + token + write.blob
    yield rows.uuid_name(write.app, write.uuid)
    yield rows.number(write.touched_at)
    yield b"" if write.ended_at is None else rows.number(write.ended_at)


def _room(write: RoomWrite, token: bytes) -> Iterator[bytes]:
    yield _YES
    yield rows.text(write.key)
    yield b"%d" % write.base
    yield b"" if write.blob is None else rows.room_value(write.base + 1, token, write.blob)


def _record(write: RecordWrite, token: bytes) -> Iterator[bytes]:
    yield rows.text(write.kind)
    yield rows.text(write.key)
    yield b"%d" % write.base
    yield rows.record_value(write, token)
    yield rows.number(write.sort)
    yield rows.text(write.scope)
    yield b"" if write.expires_at is None else rows.number(write.expires_at)


def conflict(change: Commit, refusal: Refusal) -> Conflict:
    """Say what stood in the way of a commit."""
    what, found = refusal[0], int(refusal[1])
    if what == b"uuid" and change.call is not None:
        return call_conflict(change.call, f"its CallUUID belongs to call {found}")
    if what == b"call" and change.call is not None:
        return call_conflict(change.call, f"the store has {found}")
    if what == b"room" and change.room is not None:
        return room_conflict(change.room.key, change.room.base, found)
    index = int(refusal[2]) - 1
    if what == b"record":
        return record_conflict(change.records[index], found)
    return outbox_conflict(change.outbox_swap[index][0])


__all__ = ["Refusal", "arguments", "conflict"]
