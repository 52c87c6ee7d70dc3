"""A store in dicts: for tests and trials, gone with the process."""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Collection
from math import inf

from bridge.store._rules import (
    call_conflict,
    outbox_conflict,
    record_conflict,
    room_conflict,
    still_good,
)
from bridge.store.protocol import (
    CallWrite,
    Commit,
    HistoryRow,
    MediaRow,
    OutboxRow,
    RecordingRow,
    RecordRow,
    RecordWrite,
    RoomWrite,
    StoreUnavailable,
    Versioned,
)


class MemoryStore:
    """The port `Store` without a disk; what it holds survives `close`, not the process."""

    shared = False
    losses = 0

    def __init__(self) -> None:
        self._open = False
        self._secret = secrets.token_bytes(32)
        self._callid = 0
        self._calls: dict[int, CallWrite] = {}
        self._uuids: dict[tuple[str, str], int] = {}
        self._live: set[int] = set()
        self._rooms: dict[str, Versioned] = {}
        self._history: dict[int, dict[int, HistoryRow]] = {}
        self._outbox: dict[str, OutboxRow] = {}
        self._media: dict[str, MediaRow] = {}
        self._recordings: dict[tuple[str, str], RecordingRow] = {}
        self._records: dict[str, dict[str, RecordRow]] = {}

    async def open(self) -> None:
        """Make it usable; what was there before `close` is there again."""
        self._open = True

    async def close(self) -> None:
        """Refuse everything until it is opened again."""
        self._open = False

    async def ping(self) -> None:
        """Raise StoreUnavailable when it is closed."""
        self._check()

    async def secret(self) -> bytes:
        """Give the 32 random bytes made with the store."""
        self._check()
        return self._secret

    async def allocate_callid(self) -> int:
        """Give the next callid."""
        self._check()
        self._callid += 1
        return self._callid

    async def commit(self, change: Commit) -> None:
        """Apply it whole, or raise Conflict."""
        self._check()
        self._check_versions(change)
        call, room = change.call, change.room
        if call is not None:
            self._write_call(call)
        if room is not None:
            self._write_room(room)
        for line in change.history:
            self._history.setdefault(line.callid, {})[line.seq] = line
        for row, successor in change.outbox_swap:
            self._swap(row, successor)
        self._outbox.update((row.key, row) for row in change.outbox)
        now = None if call is None else call.touched_at
        for file in change.media:
            held = self._media.get(file.name)
            if not still_good(None if held is None else held.expires_at, file, now):
                self._media[file.name] = file
        self._recordings.update(((row.name, row.app), row) for row in change.recordings)
        for record in change.records:
            self._write_record(record)

    async def find_call(self, app: str, uuid: str) -> int | None:
        """Give the callid of Plivo's CallUUID within an app."""
        self._check()
        return self._uuids.get((app, uuid))

    async def load_call(self, callid: int) -> Versioned | None:
        """Give the state of a call that was not purged."""
        self._check()
        call = self._calls.get(callid)
        return None if call is None else Versioned(call.base + 1, call.blob)

    async def load_room(self, key: str) -> Versioned | None:
        """Give the state of a room."""
        self._check()
        return self._rooms.get(key)

    async def history(self, callid: int) -> list[HistoryRow]:
        """Give the history of a call in order of `seq`."""
        self._check()
        rows = self._history.get(callid, {})
        return [rows[seq] for seq in sorted(rows)]

    async def document(self, callid: int, step: int) -> bytes | None:
        """Give the first document written with this number."""
        rows = await self.history(callid)
        documents = (row.document for row in rows if row.step == step)
        return next((document for document in documents if document is not None), None)

    async def due(self, now: float, limit: int, full: Collection[str] = ()) -> list[OutboxRow]:
        """Give what is due, earliest first."""
        self._check()
        rows = (row for row in self._outbox.values() if row.due <= now and row.lane not in full)
        return heapq.nsmallest(limit, rows, key=lambda row: (row.due, row.key))

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
        self._check()
        return min((row.due for row in self._outbox.values() if row.due > after), default=None)

    async def outbox_row(self, key: str) -> OutboxRow | None:
        """Give one row."""
        self._check()
        return self._outbox.get(key)

    async def outbox_size(self, kinds: Collection[str] = ()) -> int:
        """Count the rows, or those of some kinds."""
        self._check()
        return sum(not kinds or row.kind in kinds for row in self._outbox.values())

    async def media(self, name: str, now: float) -> MediaRow | None:
        """Give a file that has not expired."""
        self._check()
        row = self._media.get(name)
        return row if row is not None and row.expires_at > now else None

    async def recording(self, app: str, name: str, now: float) -> RecordingRow | None:
        """Give a recording of this app that has not expired."""
        self._check()
        row = self._recordings.get((name, app))
        return row if row is not None and row.expires_at > now else None

    async def recording_named(self, name: str, now: float) -> RecordingRow | None:
        """Give a recording that has not expired by its name alone."""
        self._check()
        rows = (
            row for row in self._recordings.values() if row.name == name and row.expires_at > now
        )
        return min(rows, key=lambda row: row.app, default=None)

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        """Give one record."""
        self._check()
        return self._records.get(kind, {}).get(key)

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
        self._check()
        rows = (row for row in self._records.get(kind, {}).values() if scope in {None, row.scope})
        if newest_first:
            rows = (row for row in rows if after is None or _order(row) < after)
            return heapq.nlargest(limit, rows, key=_order)
        rows = (row for row in rows if after is None or _order(row) > after)
        return heapq.nsmallest(limit, rows, key=_order)

    async def count_records(self, kind: str, scope: str) -> int:
        """Count the records of one scope of a kind."""
        self._check()
        return sum(row.scope == scope for row in self._records.get(kind, {}).values())

    async def live_calls(self) -> list[int]:
        """List the callids of live calls, ascending."""
        self._check()
        return sorted(self._live)

    async def count_live(self) -> int:
        """Count live calls."""
        self._check()
        return len(self._live)

    async def stale_calls(self, touched_before: float, limit: int) -> list[int]:
        """List live calls last touched before, oldest first."""
        self._check()
        touched = ((self._calls[callid].touched_at, callid) for callid in self._live)
        stale = (pair for pair in touched if pair[0] < touched_before)
        return [callid for _, callid in heapq.nsmallest(limit, stale)]

    async def purge(self, now: float, ended_before: float) -> int:
        """Delete what is over."""
        self._check()
        for name in [k for k, row in self._media.items() if row.expires_at <= now]:
            del self._media[name]
        for key in [k for k, row in self._recordings.items() if row.expires_at <= now]:
            del self._recordings[key]
        for records in self._records.values():
            for name in [k for k, record in records.items() if _expired(record, now)]:
                del records[name]
        over = [
            call
            for call in self._calls.values()
            if call.ended_at is not None and call.ended_at < ended_before
        ]
        for call in over:
            del self._calls[call.callid]
            self._uuids.pop((call.app, call.uuid), None)
            self._history.pop(call.callid, None)
        return len(over)

    def _check(self) -> None:
        if not self._open:
            raise StoreUnavailable("The store is not open.")

    def _check_versions(self, change: Commit) -> None:
        if change.call is not None:
            self._check_call(change.call)
        if change.room is not None:
            self._check_room(change.room)
        for record in change.records:
            self._check_record(record)
        if change.exact:
            for row, successor in change.outbox_swap:
                if self._outbox.get(row.key) not in {row, successor or row}:
                    raise outbox_conflict(row)

    def _check_call(self, write: CallWrite) -> None:
        held = self._calls.get(write.callid)
        found = 0 if held is None else held.base + 1
        if found != write.base:
            raise call_conflict(write, f"the store has {found}")
        owner = self._uuids.get((write.app, write.uuid), write.callid)
        if owner != write.callid:
            raise call_conflict(write, f"its CallUUID belongs to call {owner}")

    def _check_room(self, write: RoomWrite) -> None:
        held = self._rooms.get(write.key)
        found = 0 if held is None else held.version
        if found != write.base:
            raise room_conflict(write.key, write.base, found)

    def _check_record(self, write: RecordWrite) -> None:
        held = self._records.get(write.kind, {}).get(write.key)
        found = 0 if held is None else held.version
        if found != write.base:
            raise record_conflict(write, found)

    def _write_call(self, write: CallWrite) -> None:
        held = self._calls.get(write.callid)
        if held is not None:
            self._uuids.pop((held.app, held.uuid), None)
        self._calls[write.callid] = write
        if write.uuid:
            self._uuids[write.app, write.uuid] = write.callid
        if write.ended_at is None:
            self._live.add(write.callid)
        else:
            self._live.discard(write.callid)

    def _swap(self, row: OutboxRow, successor: OutboxRow | None) -> None:
        if self._outbox.get(row.key) == row:
            del self._outbox[row.key]
            if successor is not None:
                self._outbox[successor.key] = successor

    def _write_room(self, write: RoomWrite) -> None:
        if write.blob is None:
            self._rooms.pop(write.key, None)
        else:
            self._rooms[write.key] = Versioned(write.base + 1, write.blob)

    def _write_record(self, write: RecordWrite) -> None:
        records = self._records.setdefault(write.kind, {})
        if write.blob is None:
            records.pop(write.key, None)
        else:
            records[write.key] = RecordRow(
                write.kind,
                write.key,
                write.base + 1,
                write.blob,
                write.sort,
                write.scope,
                write.expires_at,
            )


def _order(row: RecordRow) -> tuple[float, str]:
    return row.sort, row.key


def _expired(row: RecordRow, now: float) -> bool:
    return row.expires_at is not None and row.expires_at <= now


__all__ = ["MemoryStore"]
