"""The store in one SQLite file: for one bridge process on one machine.

Commits are written by a thread of its own, grouped, into a write-ahead log. With durability
`normal` they survive a kill of the process; those that are plain steps of live calls wait for a
file beside the database only, and are in the database some 0.3 s later. With `full` they survive
also a power cut, at one flush of the disk per group. Live calls and rooms are answered from memory.
Other programs may read the file while it is in use, and must not write to it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

from bridge.store import _sqlite_outbox as outbox
from bridge.store import _sqlite_records as records
from bridge.store import _sqlite_rows as rows
from bridge.store._rules import CALLID_MAX
from bridge.store._sqlite_cache import Cache
from bridge.store._sqlite_file import claim, release
from bridge.store._sqlite_jobs import Write
from bridge.store._sqlite_thread import StoreThread
from bridge.store.protocol import (
    Commit,
    HistoryRow,
    MediaRow,
    OutboxRow,
    RecordingRow,
    RecordRow,
    StoreUnavailable,
    Versioned,
)

T = TypeVar("T")

# In place of the callid: the steps of every call.
_ALL = 0
# Callids reserved at a time: at most this many and a half are skipped after a kill.
_BLOCK = 32
# Live calls read at a time when the file is opened.
_AT_ONCE = 500
# Rows deleted in one transaction: about a millisecond in which commits wait.
_PURGE_ROWS = 200
_PURGE_PAGES = 300


@dataclass(slots=True)
class _Found:
    """What a freshly opened file holds."""

    secret: bytes
    last_callid: int
    rooms: dict[str, Versioned]


class SqliteStore:
    """The port `Store` on a file."""

    shared = False
    losses = 0

    def __init__(self, path: Path, durability: str = "normal") -> None:
        self._path = path
        self._durability = durability
        self._claim: int | None = None
        self._running: StoreThread | None = None
        self._cache = Cache()
        self._secret = b""
        self._given = 0
        self._reserved = 0
        self._reservation: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Claim the file, create or migrate it, and read live calls and rooms."""
        if self._running is not None:
            return
        self._claim = claim(self._path)
        self._cache = Cache()
        loop = asyncio.get_running_loop()
        thread = StoreThread(self._path, self._durability, loop, self._applied)
        try:
            found = await thread.start(_first_look)
            await self._read_live(thread)
        except BaseException:
            await thread.stop()
            self._release()
            raise
        self._secret = found.secret
        self._given = found.last_callid
        self._reserved = found.last_callid + _BLOCK
        self._reservation = None
        self._cache.fill_rooms(found.rooms)
        self._running = thread

    async def _read_live(self, thread: StoreThread) -> None:
        """Read the live calls, some at a time: all at once would take their memory twice."""
        last = 0
        while True:
            query = partial(rows.live_calls, after=last, limit=_AT_ONCE)
            calls = await thread.ask(query)
            self._cache.fill(calls)
            if len(calls) < _AT_ONCE:
                return
            last = calls[-1].callid

    async def close(self) -> None:
        """Finish what was begun, give unused callids back, and release the file."""
        if (thread := self._running) is None:
            return
        self._running = None
        given = self._given
        try:
            await thread.ask(lambda cursor: rows.reserve_callids(cursor, given))
        finally:
            await thread.stop()
            self._release()

    async def ping(self) -> None:
        """Write and commit something of no meaning."""
        await self._thread.ask(rows.ping, steps_of=_ALL)

    async def secret(self) -> bytes:
        """Give the 32 random bytes made with the file."""
        _ = self._thread
        return self._secret

    async def allocate_callid(self) -> int:
        """Give the next callid; it waits for the disk only when a whole block went at once."""
        while self._given >= self._reserved:
            reservation = self._reserve(self._thread)
            # A future that is done suspends nobody, so its callback could never run.
            await (asyncio.sleep(0) if reservation.done() else asyncio.shield(reservation))
        # Asked for again after every wait: a store closed meanwhile has given its callids back.
        thread = self._thread
        self._given += 1
        if self._reserved - self._given < _BLOCK // 2:
            self._reserve(thread)
        return self._given

    async def commit(self, change: Commit) -> None:
        """Apply it durably, or raise Conflict."""
        call = change.call
        replaces = None if call is None else self._cache.steady(call)
        await self._thread.write(change, replaces)

    async def find_call(self, app: str, uuid: str) -> int | None:
        """Give the callid of Plivo's CallUUID within an app."""
        thread = self._thread
        if (callid := self._cache.find(app, uuid)) is not None:
            return callid
        return await thread.ask(lambda cursor: rows.find_call(cursor, app, uuid))

    async def load_call(self, callid: int) -> Versioned | None:
        """Give the state of a call that was not purged."""
        thread = self._thread
        if (state := self._cache.call(callid)) is not None:
            return state
        if not _storable(callid):
            return None
        return await thread.ask(lambda cursor: rows.load_call(cursor, callid))

    async def load_room(self, key: str) -> Versioned | None:
        """Give the state of a room."""
        _ = self._thread
        return self._cache.room(key)

    async def history(self, callid: int) -> list[HistoryRow]:
        """Give the history of a call in order of `seq`."""
        if not _storable(callid):
            return []
        return await self._thread.ask(lambda cursor: rows.history(cursor, callid), steps_of=callid)

    async def document(self, callid: int, step: int) -> bytes | None:
        """Give the first document written with this number."""
        if not _storable(callid) or not _storable(step):
            return None
        return await self._thread.ask(
            lambda cursor: rows.document(cursor, callid, step), steps_of=callid
        )

    async def due(self, now: float, limit: int, full: Collection[str] = ()) -> list[OutboxRow]:
        """Give what is due, earliest first."""
        return await self._thread.ask(lambda cursor: outbox.due(cursor, now, limit, full))

    async def claim(
        self,
        now: float,
        until: float,  # noqa: ARG002 - nobody else could claim it
        limit: int,
        full: Collection[str] = (),
    ) -> list[OutboxRow]:
        """Give what is due."""
        return await self.due(now, limit, full)

    async def next_due(self, after: float = -inf) -> float | None:
        """Give the earliest `due` after that time."""
        return await self._thread.ask(lambda cursor: outbox.next_due(cursor, after))

    async def outbox_row(self, key: str) -> OutboxRow | None:
        """Give one row."""
        return await self._thread.ask(lambda cursor: outbox.row(cursor, key))

    async def outbox_size(self, kinds: Collection[str] = ()) -> int:
        """Count the rows, or those of some kinds."""
        return await self._thread.ask(lambda cursor: outbox.size(cursor, kinds))

    async def media(self, name: str, now: float) -> MediaRow | None:
        """Give a file that has not expired."""
        return await self._thread.ask(lambda cursor: rows.media(cursor, name, now))

    async def recording(self, app: str, name: str, now: float) -> RecordingRow | None:
        """Give a recording of this app that has not expired."""
        return await self._thread.ask(lambda cursor: rows.recording(cursor, app, name, now))

    async def recording_named(self, name: str, now: float) -> RecordingRow | None:
        """Give a recording that has not expired by its name alone."""
        return await self._thread.ask(lambda cursor: rows.recording_named(cursor, name, now))

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        """Give one record."""
        return await self._thread.ask(lambda cursor: records.load(cursor, kind, key))

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
        wanted = records.Page(kind, scope, after, limit, newest_first)
        return await self._thread.ask(lambda cursor: records.listed(cursor, wanted))

    async def count_records(self, kind: str, scope: str) -> int:
        """Count the records of one scope of a kind."""
        return await self._thread.ask(lambda cursor: records.counted(cursor, kind, scope))

    async def live_calls(self) -> list[int]:
        """List the callids of live calls, ascending."""
        _ = self._thread
        return self._cache.live()

    async def count_live(self) -> int:
        """Count live calls."""
        _ = self._thread
        return self._cache.count()

    async def stale_calls(self, touched_before: float, limit: int) -> list[int]:
        """List live calls last touched before, oldest first."""
        _ = self._thread
        return self._cache.stale(touched_before, limit)

    async def purge(self, now: float, ended_before: float) -> int:
        """Delete what is over, in transactions short enough for commits to go on between them."""
        while await self._delete(
            lambda cursor, thread: thread.purge_media(cursor, now, _PURGE_ROWS // 10)
        ):
            pass
        while await self._delete(
            lambda cursor, _: rows.purge_recordings(cursor, now, _PURGE_ROWS) == _PURGE_ROWS
        ):
            pass
        while await self._delete(
            lambda cursor, _: records.purge(cursor, now, _PURGE_ROWS) == _PURGE_ROWS
        ):
            pass
        count, more = 0, True
        while more:
            gone, more = await self._delete(
                lambda cursor, _: rows.purge_calls(cursor, ended_before, _PURGE_ROWS)
            )
            self._cache.forget(gone)
            count += len(gone)
        return count

    @property
    def _thread(self) -> StoreThread:
        if self._running is None:
            raise StoreUnavailable(f"The store {self._path} is not open.")
        return self._running

    def _applied(self, write: Write) -> None:
        self._cache.apply(write.change, steady=write.replaces is not None)

    async def _delete(self, query: Callable[[sqlite3.Cursor, StoreThread], T]) -> T:
        thread = self._thread

        def whole(cursor: sqlite3.Cursor) -> T:
            cursor.execute("BEGIN IMMEDIATE")
            answer = query(cursor, thread)
            cursor.execute("COMMIT")
            return answer

        return await thread.ask(whole, pages=_PURGE_PAGES)

    def _reserve(self, thread: StoreThread) -> asyncio.Future[None]:
        """Reserve another block, or give the reservation that is on its way."""
        if self._reservation is not None:
            return self._reservation
        upto = self._reserved + _BLOCK

        def reserved(future: asyncio.Future[None]) -> None:
            self._reservation = None
            # A failure is told to those who wait; the next call tries again.
            if not future.cancelled() and future.exception() is None:
                self._reserved = upto

        self._reservation = thread.ask(lambda cursor: rows.reserve_callids(cursor, upto))
        self._reservation.add_done_callback(reserved)
        return self._reservation

    def _release(self) -> None:
        if self._claim is not None:
            release(self._claim)
            self._claim = None


def _first_look(cursor: sqlite3.Cursor) -> _Found:
    last = rows.last_callid(cursor)
    rows.reserve_callids(cursor, last + _BLOCK)
    return _Found(rows.secret(cursor), last, rows.rooms(cursor))


def _storable(number: int) -> bool:
    """Tell whether it can be in the file at all: apps may ask for any callid JSON can spell."""
    return 0 <= number <= CALLID_MAX


__all__ = ["SqliteStore"]
