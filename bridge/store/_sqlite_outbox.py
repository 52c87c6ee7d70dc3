"""The rows of the outbox in the SQLite file; runs in the store's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from heapq import nsmallest

from bridge.store._rules import outbox_conflict
from bridge.store.protocol import Commit, OutboxRow

_PUT = """
    INSERT OR REPLACE INTO outbox (key, kind, callid, due, body, attempts, lane)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_DELETE = """
    DELETE FROM outbox
    WHERE key = ? AND kind = ? AND callid = ? AND due = ? AND body = ? AND attempts = ? AND lane = ?
"""
_COLUMNS = "key, kind, callid, due, body, attempts, lane"
# One look into the index per lane, where DISTINCT would read every row.
_LANES = """
    WITH RECURSIVE lanes (lane) AS (
        SELECT min(lane) FROM outbox
        UNION ALL
        SELECT (SELECT min(lane) FROM outbox WHERE lane > lanes.lane) FROM lanes
        WHERE lanes.lane IS NOT NULL
    )
    SELECT lane FROM lanes WHERE lane IS NOT NULL
"""


def check(cursor: sqlite3.Cursor, change: Commit) -> None:
    """Raise Conflict where an exact commit would swap what is no longer there."""
    if change.exact:
        for held, successor in change.outbox_swap:
            if row(cursor, held.key) not in {held, successor or held}:
                raise outbox_conflict(held)


def write(cursor: sqlite3.Cursor, change: Commit) -> None:
    """Write the rows of one commit inside an open transaction."""
    for held, successor in change.outbox_swap:
        cursor.execute(_DELETE, _columns(held))
        if successor is not None and cursor.rowcount:
            cursor.execute(_PUT, _columns(successor))
    for row in change.outbox:
        cursor.execute(_PUT, _columns(row))


def due(cursor: sqlite3.Cursor, now: float, limit: int, full: Collection[str]) -> list[OutboxRow]:
    """Give what is due, earliest first, out of the lanes that are not full."""
    found: list[OutboxRow] = []
    for lane in _lanes(cursor):
        if lane not in full:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM outbox"  # noqa: S608 - a constant
                " WHERE lane = ? AND due <= ? ORDER BY due, key LIMIT ?",
                (lane, now, limit),
            )
            found += [OutboxRow(*row) for row in cursor]
    return nsmallest(limit, found, key=lambda row: (row.due, row.key))


def next_due(cursor: sqlite3.Cursor, after: float) -> float | None:
    """Give the earliest `due` after that time."""
    query = "SELECT min(due) FROM outbox WHERE lane = ? AND due > ?"
    found = (cursor.execute(query, (lane, after)).fetchone()[0] for lane in _lanes(cursor))
    return min((earliest for earliest in found if earliest is not None), default=None)


def row(cursor: sqlite3.Cursor, key: str) -> OutboxRow | None:
    """Give one row."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM outbox WHERE key = ?",  # noqa: S608 - a constant
        (key,),
    )
    found = cursor.fetchone()
    return None if found is None else OutboxRow(*found)


def size(cursor: sqlite3.Cursor, kinds: Collection[str] = ()) -> int:
    """Count the rows, or those of some kinds."""
    if not kinds:
        return int(cursor.execute("SELECT count(*) FROM outbox").fetchone()[0])
    marks = ", ".join("?" * len(kinds))
    counted = cursor.execute(
        f"SELECT count(*) FROM outbox WHERE kind IN ({marks})",  # noqa: S608 - marks only
        tuple(kinds),
    )
    return int(counted.fetchone()[0])


def _columns(row: OutboxRow) -> tuple[str, str, int, float, bytes, int, str]:
    return (row.key, row.kind, row.callid, row.due, row.body, row.attempts, row.lane)


def _lanes(cursor: sqlite3.Cursor) -> list[str]:
    return [lane for (lane,) in cursor.execute(_LANES).fetchall()]


__all__ = ["check", "due", "next_due", "row", "size", "write"]
