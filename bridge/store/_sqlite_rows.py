"""What the SQLite store writes and asks, statement by statement; runs in the store's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import MutableMapping, Sequence

from bridge.store import _sqlite_outbox as outbox
from bridge.store import _sqlite_records as records
from bridge.store._rules import call_conflict, room_conflict, still_good
from bridge.store._sqlite_jobs import Step
from bridge.store.protocol import (
    CallWrite,
    Commit,
    Conflict,
    HistoryRow,
    MediaRow,
    RecordingRow,
    RoomWrite,
    Versioned,
)

# Nearly every step: no indexed column changes, so only the row itself is rewritten.
_STEP = """
    UPDATE call SET version = ?, touched_at = ?, blob = ?
    WHERE callid = ? AND version = ? AND ended_at IS NULL
"""
_UPDATE = """
    UPDATE call SET version = ?, touched_at = ?, blob = ?, app = ?, uuid = ?, ended_at = ?
    WHERE callid = ? AND version = ?
"""
_INSERT = """
    INSERT INTO call (version, touched_at, blob, app, uuid, ended_at, callid)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (callid) DO NOTHING
"""
_HISTORY = """
    INSERT OR REPLACE INTO history (callid, seq, at, step, body, document)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_MEDIA = (
    "INSERT OR REPLACE INTO media (name, content_type, content, expires_at) VALUES (?, ?, ?, ?)"
)
_RECORDING = """
    INSERT OR REPLACE INTO recording (name, app, url, recording_id, ready, expires_at)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_RECORDING_COLUMNS = "name, app, url, recording_id, ready, expires_at"


def apply(
    cursor: sqlite3.Cursor, change: Commit, media: MutableMapping[str, float], *, steady: bool
) -> None:
    """Write one commit inside an open transaction, or raise Conflict before anything is written.

    `steady` promises that neither app, uuid nor `ended_at` of a live call changes. `media` maps the
    names of held files to their expiry and learns of new ones.
    """
    call, room = change.call, change.room
    if room is not None:
        _check_room(cursor, room)
    records.check(cursor, change.records)
    outbox.check(cursor, change)
    if call is not None:
        if steady:
            _step_call(cursor, call)
        else:
            _write_call(cursor, call)
    if room is not None:
        _write_room(cursor, room)
    for line in change.history:
        cursor.execute(_HISTORY, _line(line))
    if change.outbox_swap or change.outbox:
        outbox.write(cursor, change)
    if change.media:
        _write_media(cursor, change, media)
    if change.recordings:
        _write_recordings(cursor, change)
    records.write(cursor, change.records)


def write_steps(cursor: sqlite3.Cursor, steps: Sequence[Step]) -> set[int]:
    """Write acknowledged steps, those of each call in their order; give the calls that have others.

    Of several states of a call only the last is written. A call may have another state only when
    another program has written to the file.
    """
    first: dict[int, int] = {}
    last: dict[int, CallWrite] = {}
    for call, _ in steps:
        first.setdefault(call.callid, call.base)
        last[call.callid] = call
    cursor.executemany(_STEP, (_state(call, first[callid]) for callid, call in last.items()))
    others = set()
    if cursor.rowcount != len(last):
        for callid, call in last.items():
            found = load_call(cursor, callid)
            # One that was written, but not reported, is written again.
            if found is None or found.version != call.base + 1:
                others.add(callid)
    lines = (line for call, lines in steps if call.callid not in others for line in lines)
    cursor.executemany(_HISTORY, map(_line, lines))
    return others


def _state(call: CallWrite, base: int) -> tuple[object, ...]:
    # For bytes, unlike bytearray, sqlite3 looks for adapters each time: that takes longer than a copy.
    return call.base + 1, call.touched_at, bytearray(call.blob), call.callid, base


def _check_room(cursor: sqlite3.Cursor, room: RoomWrite) -> None:
    found = cursor.execute("SELECT version FROM room WHERE key = ?", (room.key,)).fetchone()
    version = 0 if found is None else found[0]
    if version != room.base:
        raise room_conflict(room.key, room.base, version)


def _line(line: HistoryRow) -> tuple[object, ...]:
    document = None if line.document is None else bytearray(line.document)
    return line.callid, line.seq, line.at, line.step, bytearray(line.body), document


def _step_call(cursor: sqlite3.Cursor, call: CallWrite) -> None:
    cursor.execute(_STEP, _state(call, call.base))
    if not cursor.rowcount:
        raise _call_conflict(cursor, call)


def _write_call(cursor: sqlite3.Cursor, call: CallWrite) -> None:
    values = (
        call.base + 1,
        call.touched_at,
        call.blob,
        call.app,
        call.uuid,
        call.ended_at,
        call.callid,
    )
    try:
        if call.base:
            cursor.execute(_UPDATE, (*values, call.base))
        else:
            cursor.execute(_INSERT, values)
    except sqlite3.IntegrityError:
        owner = find_call(cursor, call.app, call.uuid)
        if owner is None:
            raise
        raise call_conflict(call, f"its CallUUID belongs to call {owner}") from None
    if not cursor.rowcount:
        raise _call_conflict(cursor, call)


def _call_conflict(cursor: sqlite3.Cursor, call: CallWrite) -> Conflict:
    found = cursor.execute("SELECT version FROM call WHERE callid = ?", (call.callid,)).fetchone()
    return call_conflict(call, f"the store has {0 if found is None else found[0]}")


def _write_room(cursor: sqlite3.Cursor, room: RoomWrite) -> None:
    if room.blob is None:
        cursor.execute("DELETE FROM room WHERE key = ?", (room.key,))
    else:
        cursor.execute(
            "INSERT OR REPLACE INTO room (key, version, blob) VALUES (?, ?, ?)",
            (room.key, room.base + 1, room.blob),
        )


def _write_media(cursor: sqlite3.Cursor, change: Commit, media: MutableMapping[str, float]) -> None:
    now = None if change.call is None else change.call.touched_at
    for file in change.media:
        if not still_good(media.get(file.name), file, now):
            cursor.execute(_MEDIA, (file.name, file.content_type, file.content, file.expires_at))
            media[file.name] = file.expires_at


def _write_recordings(cursor: sqlite3.Cursor, change: Commit) -> None:
    for row in change.recordings:
        cursor.execute(
            _RECORDING,
            (row.name, row.app, row.url, row.recording_id, row.ready, row.expires_at),
        )


def find_call(cursor: sqlite3.Cursor, app: str, uuid: str) -> int | None:
    """Give the call of a CallUUID that is not empty."""
    cursor.execute("SELECT callid FROM call WHERE app = ? AND uuid = ? AND uuid <> ''", (app, uuid))
    found = cursor.fetchone()
    return None if found is None else int(found[0])


def load_call(cursor: sqlite3.Cursor, callid: int) -> Versioned | None:
    """Give the state of any call."""
    cursor.execute("SELECT version, blob FROM call WHERE callid = ?", (callid,))
    found = cursor.fetchone()
    return None if found is None else Versioned(*found)


def live_calls(cursor: sqlite3.Cursor, after: int, limit: int) -> list[CallWrite]:
    """Give calls that have not ended, as they were last written: those behind a callid, ascending."""
    cursor.execute(
        "SELECT callid, app, uuid, version - 1, blob, touched_at FROM call"
        " WHERE ended_at IS NULL AND callid > ? ORDER BY callid LIMIT ?",
        (after, limit),
    )
    return [CallWrite(*row) for row in cursor]


def rooms(cursor: sqlite3.Cursor) -> dict[str, Versioned]:
    """Give every room."""
    cursor.execute("SELECT key, version, blob FROM room")
    return {key: Versioned(version, blob) for key, version, blob in cursor}


def history(cursor: sqlite3.Cursor, callid: int) -> list[HistoryRow]:
    """Give the history of a call in order of `seq`."""
    cursor.execute(
        "SELECT callid, seq, at, body, step, document FROM history WHERE callid = ? ORDER BY seq",
        (callid,),
    )
    return [HistoryRow(*row) for row in cursor]


def document(cursor: sqlite3.Cursor, callid: int, step: int) -> bytes | None:
    """Give the first document of a step."""
    cursor.execute(
        "SELECT document FROM history WHERE callid = ? AND step = ? AND document IS NOT NULL"
        " ORDER BY seq LIMIT 1",
        (callid, step),
    )
    found = cursor.fetchone()
    return None if found is None else bytes(found[0])


def media(cursor: sqlite3.Cursor, name: str, now: float) -> MediaRow | None:
    """Give a file that has not expired."""
    cursor.execute(
        "SELECT name, content_type, content, expires_at FROM media"
        " WHERE name = ? AND expires_at > ?",
        (name, now),
    )
    found = cursor.fetchone()
    return None if found is None else MediaRow(*found)


def media_expiries(cursor: sqlite3.Cursor) -> dict[str, float]:
    """Map the name of each file to its expiry."""
    return dict(cursor.execute("SELECT name, expires_at FROM media"))


def recording(cursor: sqlite3.Cursor, app: str, name: str, now: float) -> RecordingRow | None:
    """Give a recording of this app that has not expired."""
    cursor.execute(
        f"SELECT {_RECORDING_COLUMNS} FROM recording"  # noqa: S608 - a constant
        " WHERE name = ? AND app = ? AND expires_at > ?",
        (name, app, now),
    )
    return _recording(cursor)


def recording_named(cursor: sqlite3.Cursor, name: str, now: float) -> RecordingRow | None:
    """Give a recording that has not expired, whichever app's it is."""
    cursor.execute(
        f"SELECT {_RECORDING_COLUMNS} FROM recording"  # noqa: S608 - a constant
        " WHERE name = ? AND expires_at > ? ORDER BY app LIMIT 1",
        (name, now),
    )
    return _recording(cursor)


def _recording(cursor: sqlite3.Cursor) -> RecordingRow | None:
    found = cursor.fetchone()
    if found is None:
        return None
    name, app, url, recording_id, ready, expires_at = found
    return RecordingRow(name, app, url, recording_id, bool(ready), expires_at)


def purge_media(cursor: sqlite3.Cursor, now: float, limit: int) -> list[str]:
    """Delete up to `limit` expired files and give their names."""
    cursor.execute("SELECT name FROM media WHERE expires_at <= ? LIMIT ?", (now, limit))
    names: list[str] = [name for (name,) in cursor.fetchall()]
    cursor.executemany("DELETE FROM media WHERE name = ?", [(name,) for name in names])
    return names


def purge_recordings(cursor: sqlite3.Cursor, now: float, limit: int) -> int:
    """Delete up to `limit` expired recordings and count them."""
    cursor.execute(
        "DELETE FROM recording WHERE (name, app) IN"
        " (SELECT name, app FROM recording WHERE expires_at <= ? LIMIT ?)",
        (now, limit),
    )
    return cursor.rowcount


def purge_calls(cursor: sqlite3.Cursor, ended_before: float, limit: int) -> tuple[list[int], bool]:
    """Delete old calls with their history, at most `limit` rows; give them and whether more remain.

    A call goes after the last line of its history, so that one with a long history can be deleted
    in several transactions.
    """
    cursor.execute(
        "SELECT callid FROM call WHERE ended_at < ? ORDER BY ended_at LIMIT ?",
        (ended_before, limit),
    )
    gone: list[int] = []
    for (callid,) in cursor.fetchall():
        cursor.execute(
            "DELETE FROM history WHERE rowid IN"
            " (SELECT rowid FROM history WHERE callid = ? LIMIT ?)",
            (callid, limit),
        )
        limit -= cursor.rowcount
        if limit <= 0:
            return gone, True
        cursor.execute("DELETE FROM call WHERE callid = ?", (callid,))
        limit -= 1
        gone.append(callid)
    return gone, limit <= 0


def reserve_callids(cursor: sqlite3.Cursor, upto: int) -> None:
    """Note that no callid up to this one may be given after a restart."""
    cursor.execute("UPDATE meta SET value = ? WHERE key = 'callid'", (upto,))


def last_callid(cursor: sqlite3.Cursor) -> int:
    """Give the highest callid that may have been given."""
    cursor.execute(
        "SELECT max(value, coalesce((SELECT max(callid) FROM call), 0))"
        " FROM meta WHERE key = 'callid'"
    )
    return int(cursor.fetchone()[0])


def secret(cursor: sqlite3.Cursor) -> bytes:
    """Give the random bytes made with the file."""
    return bytes(cursor.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()[0])


def ping(cursor: sqlite3.Cursor) -> None:
    """Write something of no meaning."""
    cursor.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('ping', random())")


__all__ = [
    "apply",
    "document",
    "find_call",
    "history",
    "last_callid",
    "live_calls",
    "load_call",
    "media",
    "media_expiries",
    "ping",
    "purge_calls",
    "purge_media",
    "purge_recordings",
    "recording",
    "recording_named",
    "reserve_callids",
    "rooms",
    "secret",
    "write_steps",
]
