"""Reading the records of a store beside the bridge that writes it, for commands of operators.

The SQLite file is opened read-only and without the lock of the one bridge that may write it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from bridge.store import _sqlite_records as records
from bridge.store import open_store
from bridge.store._sqlite_file import explain
from bridge.store._sqlite_schema import APPLICATION_ID, MIGRATIONS
from bridge.store.protocol import RecordRow, StoreUnavailable

_BUSY_S = 5.0
_SQLITE = "sqlite:///"
#: The first schema that has records.
_WITH_RECORDS = 3


class Records(Protocol):
    """The records of a store, see `bridge.store.protocol.Store`."""

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        """Give one record."""

    async def list_records(
        self,
        kind: str,
        *,
        scope: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[RecordRow]:
        """List records by (`sort`, `key`), or the other way round."""


@contextlib.asynccontextmanager
async def reading(url: str) -> AsyncIterator[Records]:
    """Open the store a setting names, to read its records. Raises StoreUnavailable."""
    if url == "memory:":
        raise StoreUnavailable(
            "BRIDGE_STORE is memory: what it holds is in the process of the bridge alone, and gone "
            "when that stops; use sqlite:///file to read it from here."
        )
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        with contextlib.closing(_connect(path)) as connection:
            yield _SqliteRecords(path, connection)
        return
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


class _SqliteRecords:
    """The records of a file; there is nobody else to wait, so each query is run at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        with self._explained():
            return records.load(self._connection.cursor(), kind, key)

    async def list_records(
        self,
        kind: str,
        *,
        scope: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[RecordRow]:
        with self._explained():
            page = records.Page(kind, scope, after, limit, newest_first)
            return records.listed(self._connection.cursor(), page)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(self._path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreUnavailable(
            f"There is no store {path.absolute()}: give the settings of the bridge, and run this "
            "where it runs."
        )
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not Path(f"{path}-wal").exists():
        # Nobody has it open. SQLite would make companions of it that belong to this user, and the
        # bridge may be another one; or fail, where this user may make none.
        address += "&immutable=1"
    try:
        return _opened(path, address)
    except sqlite3.Error as error:
        raise explain(path, error) from error


def _opened(path: Path, address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        _check(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreUnavailable unless the file is ours and has records as this release knows them."""
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not ours:
        raise StoreUnavailable(f"{path} is no store of a bridge: check BRIDGE_STORE.")
    if version < _WITH_RECORDS:
        raise StoreUnavailable(
            f"{path} was written by an older release that kept no records: start this release on "
            "it once."
        )
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            f"{path} was written by a newer release (schema {version}, this release knows "
            f"{len(MIGRATIONS)}): use that release."
        )


__all__ = ["Records", "reading"]
