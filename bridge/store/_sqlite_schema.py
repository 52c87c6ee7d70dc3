"""The tables of the SQLite store, and how a file of an older release becomes one of this.

`PRAGMA user_version` counts the migrations a file has had; each runs in its own transaction with
the new number, so a killed migration starts afresh. A release never changes an entry of
`MIGRATIONS` that was published: it adds one.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from bridge.store.protocol import StoreUnavailable

# Marks the file as ours ("RTBG"), so that a path to some other program's database is refused.
APPLICATION_ID = 0x52544247

_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """
    CREATE TABLE call (
        callid INTEGER PRIMARY KEY, version INTEGER NOT NULL, touched_at REAL NOT NULL,
        ended_at REAL, app TEXT NOT NULL, uuid TEXT NOT NULL, blob BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX call_uuid ON call (app, uuid) WHERE uuid <> ''",
    "CREATE INDEX call_ended ON call (ended_at)",
    # Append-only with an index, not WITHOUT ROWID: rows above 1 KB then take an overflow page each,
    # which trebles the file and doubles the time of a commit.
    """
    CREATE TABLE history (
        callid INTEGER NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, step INTEGER,
        body BLOB NOT NULL, document BLOB
    )
    """,
    "CREATE UNIQUE INDEX history_call ON history (callid, seq)",
    "CREATE TABLE room (key TEXT PRIMARY KEY, version INTEGER NOT NULL, blob BLOB NOT NULL)",
    """
    CREATE TABLE outbox (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, callid INTEGER NOT NULL, due REAL NOT NULL,
        attempts INTEGER NOT NULL, body BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX outbox_due ON outbox (due, key)",
    """
    CREATE TABLE media (
        name TEXT PRIMARY KEY, content_type TEXT NOT NULL, expires_at REAL NOT NULL,
        content BLOB NOT NULL
    )
    """,
    "CREATE INDEX media_expiry ON media (expires_at)",
    """
    CREATE TABLE recording (
        name TEXT NOT NULL, app TEXT NOT NULL, url TEXT NOT NULL, recording_id TEXT NOT NULL,
        ready INTEGER NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (name, app)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX recording_expiry ON recording (expires_at)",
    "INSERT INTO meta (key, value) VALUES ('callid', 0)",
)

_LANES = (
    "ALTER TABLE outbox ADD COLUMN lane TEXT NOT NULL DEFAULT ''",
    # In front of the time, so that the many rows of one lane never lie before those of another.
    "CREATE INDEX outbox_lane ON outbox (lane, due, key)",
    "DROP INDEX outbox_due",
)

_RECORDS = (
    """
    CREATE TABLE record (
        kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, sort REAL NOT NULL,
        scope TEXT NOT NULL, expires_at REAL, blob BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX record_key ON record (kind, key)",
    "CREATE INDEX record_order ON record (kind, sort, key)",
    "CREATE INDEX record_scope ON record (kind, scope, sort, key)",
    "CREATE INDEX record_expiry ON record (expires_at) WHERE expires_at IS NOT NULL",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST, _LANES, _RECORDS)


def migrate(
    cursor: sqlite3.Cursor, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring the file to the newest schema; raises StoreUnavailable when it is not ours to change."""
    version = _pragma(cursor, "user_version")
    if version > len(migrations):
        raise StoreUnavailable(
            f"{path} was written by a newer release (schema {version}, this release knows "
            f"{len(migrations)}): start that release, or restore a copy made before the upgrade."
        )
    tables = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and _pragma(cursor, "application_id") != APPLICATION_ID:
        raise StoreUnavailable(
            f"{path} is a database of another program: choose another file for BRIDGE_STORE."
        )
    for number, statements in enumerate(migrations[version:], version + 1):
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                cursor.execute(statement)
            if number == 1:
                cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                secret = secrets.token_bytes(32)
                cursor.execute("INSERT INTO meta (key, value) VALUES ('secret', ?)", (secret,))
            cursor.execute(f"PRAGMA user_version = {number}")
            cursor.execute("COMMIT")
        except BaseException:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise


def _pragma(cursor: sqlite3.Cursor, name: str) -> int:
    return int(cursor.execute(f"PRAGMA {name}").fetchone()[0])


__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate"]
