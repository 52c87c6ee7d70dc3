"""The database file: claiming it, connecting to it, and saying what is wrong with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path

from bridge.store.protocol import StoreUnavailable

_BUSY_SECONDS = 2.0
# Bytes, for a new file; others keep theirs. Each commit writes every page it touches to the log in
# whole, and a state or a line of history has about 1 KB.
PAGE = 1024
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program is writing to it; close that program",
    sqlite3.SQLITE_LOCKED: "another program is writing to it; close that program",
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written; check it and its free space",
    sqlite3.SQLITE_READONLY: "it cannot be written; make it and its directory writable for this user",
    sqlite3.SQLITE_PERM: "it cannot be accessed; make it and its directory writable for this user",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; make it and its directory writable for this user",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup, or move it away to start empty",
    sqlite3.SQLITE_NOTADB: "it is not a database; restore a backup, or move it away to start empty",
}
# What somebody can mend while the bridge runs.
_PASSING = frozenset(_ADVICE) - {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# The least that an outage is said to have lasted, in s: 0 would be none.
_MOMENT_S = 0.001


def explain(path: Path, error: sqlite3.Error | OSError) -> StoreUnavailable:
    """Turn an error of SQLite or the system into a sentence that says what to do.

    One that may pass says that the store is out of reach since this moment.
    """
    # The low byte is the primary code; the rest tells variants apart that need the same advice.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    advice = _ADVICE.get(code)
    detail = getattr(error, "strerror", None) or str(error)
    reason = detail if advice is None else f"{advice} ({detail})"
    explained = StoreUnavailable(f"The store {path} cannot be used: {reason}.")
    if code in _PASSING:
        explained.down_s = _MOMENT_S
    return explained


def claim(path: Path) -> int:
    """Claim the file for this process until `release`; gives what to release.

    The lock lies beside the database, because closing any descriptor of the database itself would
    drop the locks SQLite holds on it.
    """
    if not path.parent.is_dir():
        raise StoreUnavailable(
            f"The directory {path.parent.absolute()} does not exist: create it, or name another "
            "file in BRIDGE_STORE."
        )
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a directory: name a file in BRIDGE_STORE.")
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise explain(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except OSError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace")
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise StoreUnavailable(
                f"{path} is in use by another bridge (process {owner}): stop that one, or give "
                "this one its own file in BRIDGE_STORE."
            ) from None
        raise explain(path, error) from error
    # Numbers and texts of calls are in it: readable for its owner alone unless they decide otherwise.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return descriptor


def release(descriptor: int) -> None:
    """Let another process claim the file."""
    os.close(descriptor)


def connect(path: Path, durability: str) -> sqlite3.Connection:
    """Connect in the calling thread; `durability` is `normal` or `full`."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cache_size = -6000")
    except BaseException:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        raise StoreUnavailable(
            f"{path} cannot keep a write-ahead log there: use a local disk for BRIDGE_STORE."
        )
    return connection


__all__ = ["PAGE", "claim", "connect", "explain", "release"]
