"""The records in the SQLite file; runs in the store's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from bridge.store._rules import record_conflict
from bridge.store.protocol import RecordRow, RecordWrite

_PUT = """
    INSERT OR REPLACE INTO record (kind, key, version, blob, sort, scope, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM record WHERE kind = ? AND key = ?"
_COLUMNS = "kind, key, version, blob, sort, scope, expires_at"


@dataclass(frozen=True, slots=True)
class Page:
    """Which records to list, and from where on."""

    kind: str
    scope: str | None
    after: tuple[float, str] | None
    limit: int
    newest_first: bool


def check(cursor: sqlite3.Cursor, writes: Collection[RecordWrite]) -> None:
    """Raise Conflict unless every record has the version its write replaces."""
    query = "SELECT version FROM record WHERE kind = ? AND key = ?"
    for write in writes:
        found = cursor.execute(query, (write.kind, write.key)).fetchone()
        version = 0 if found is None else found[0]
        if version != write.base:
            raise record_conflict(write, version)


def write(cursor: sqlite3.Cursor, writes: Collection[RecordWrite]) -> None:
    """Write records that were checked."""
    for one in writes:
        if one.blob is None:
            cursor.execute(_DELETE, (one.kind, one.key))
        else:
            values = (one.base + 1, one.blob, one.sort, one.scope, one.expires_at)
            cursor.execute(_PUT, (one.kind, one.key, *values))


def load(cursor: sqlite3.Cursor, kind: str, key: str) -> RecordRow | None:
    """Give one record."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM record WHERE kind = ? AND key = ?",  # noqa: S608 - a constant
        (kind, key),
    )
    found = cursor.fetchone()
    return None if found is None else RecordRow(*found)


def listed(cursor: sqlite3.Cursor, page: Page) -> list[RecordRow]:
    """Give one page in the order of its index."""
    where, values = ["kind = ?"], [page.kind]
    direction, beyond = ("DESC", "<") if page.newest_first else ("ASC", ">")
    if page.scope is not None:
        where.append("scope = ?")
        values.append(page.scope)
    if page.after is not None:
        where.append(f"(sort, key) {beyond} (?, ?)")
    cursor.execute(
        f"SELECT {_COLUMNS} FROM record WHERE {' AND '.join(where)}"  # noqa: S608 - constants
        f" ORDER BY sort {direction}, key {direction} LIMIT ?",
        (*values, *(page.after or ()), page.limit),
    )
    return [RecordRow(*row) for row in cursor]


def counted(cursor: sqlite3.Cursor, kind: str, scope: str) -> int:
    """Count the records of one scope."""
    query = "SELECT count(*) FROM record WHERE kind = ? AND scope = ?"
    count: int = cursor.execute(query, (kind, scope)).fetchone()[0]
    return count


def purge(cursor: sqlite3.Cursor, now: float, limit: int) -> int:
    """Delete up to `limit` expired records and count them."""
    cursor.execute(
        "DELETE FROM record WHERE rowid IN"
        " (SELECT rowid FROM record WHERE expires_at <= ? LIMIT ?)",
        (now, limit),
    )
    return cursor.rowcount


__all__ = ["Page", "check", "counted", "listed", "load", "purge", "write"]
