"""What the SQLite store answers without asking its thread.

Every live call and every room is here, exactly as it was last committed; of ended calls the most
recent ones are, because Plivo's late and repeated callbacks concern those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import nsmallest

from bridge.store.protocol import CallWrite, Commit, RoomWrite, Versioned

_ENDED = 1000


@dataclass(slots=True)
class _Entry:
    """One call; what changes with every step is not made of more objects than must be.

    A freed object leaves a gap somewhere among those of thousands of calls, and the next one of its
    size, of whatever turn, is put into that cold memory.
    """

    app: str
    uuid: str
    touched_at: float
    version: int
    blob: bytes


class Cache:
    """The durable state of calls and rooms; changed by `apply` alone, in the event loop."""

    def __init__(self, ended: int = _ENDED) -> None:
        self._bound = ended
        self._live: dict[int, _Entry] = {}
        self._ended: OrderedDict[int, _Entry] = OrderedDict()
        # By app, then CallUUID: half the memory of one dict keyed by pairs.
        self._uuids: dict[str, dict[str, int]] = {}
        self._rooms: dict[str, Versioned] = {}

    def fill(self, calls: Iterable[CallWrite]) -> None:
        """Take over live calls that a restart finds."""
        for call in calls:
            # The blobs come from the store's thread, and so does their memory: the system's allocator
            # keeps that apart, and would have no use for it once the calls have moved on.
            self._put(replace(call, blob=bytes(memoryview(call.blob))))

    def fill_rooms(self, rooms: dict[str, Versioned]) -> None:
        """Take over the rooms that a restart finds."""
        self._rooms.update(rooms)

    def steady(self, write: CallWrite) -> bytes | None:
        """Give the state a write replaces if it leaves app, uuid and `ended_at` of a live call."""
        held = self._live.get(write.callid)
        if (
            held is not None
            and held.version == write.base
            and write.ended_at is None
            and held.uuid == write.uuid
            and held.app == write.app
        ):
            return held.blob
        return None

    def apply(self, change: Commit, *, steady: bool) -> None:
        """Take over what a commit made durable."""
        call = change.call
        if call is not None:
            if steady:
                held = self._live[call.callid]
                held.touched_at = call.touched_at
                held.version = call.base + 1
                held.blob = call.blob
            else:
                self._put(call)
        if change.room is not None:
            self._put_room(change.room)

    def forget(self, callids: Iterable[int]) -> None:
        """Drop ended calls."""
        for callid in callids:
            held = self._ended.pop(callid, None)
            if held is not None:
                self._unlink(held)

    def find(self, app: str, uuid: str) -> int | None:
        """Give the callid of a CallUUID; None = not here, perhaps in the file."""
        return self._uuids.get(app, {}).get(uuid)

    def call(self, callid: int) -> Versioned | None:
        """Give the state of a call; None = not here, perhaps in the file."""
        held = self._live.get(callid) or self._ended.get(callid)
        return None if held is None else Versioned(held.version, held.blob)

    def room(self, key: str) -> Versioned | None:
        """Give the state of a room; None = there is no such room."""
        return self._rooms.get(key)

    def live(self) -> list[int]:
        """List the live calls, ascending."""
        return sorted(self._live)

    def count(self) -> int:
        """Count the live calls."""
        return len(self._live)

    def stale(self, touched_before: float, limit: int) -> list[int]:
        """List live calls last touched before, oldest first."""
        stale = (
            (held.touched_at, callid)
            for callid, held in self._live.items()
            if held.touched_at < touched_before
        )
        return [callid for _, callid in nsmallest(limit, stale)]

    def _put(self, call: CallWrite) -> None:
        held = self._live.pop(call.callid, None) or self._ended.pop(call.callid, None)
        if held is not None:
            self._unlink(held)
        entry = _Entry(call.app, call.uuid, call.touched_at, call.base + 1, call.blob)
        if call.uuid:
            self._uuids.setdefault(call.app, {})[call.uuid] = call.callid
        if call.ended_at is None:
            self._live[call.callid] = entry
            return
        self._ended[call.callid] = entry
        if len(self._ended) > self._bound:
            _, oldest = self._ended.popitem(last=False)
            self._unlink(oldest)

    def _put_room(self, room: RoomWrite) -> None:
        if room.blob is None:
            self._rooms.pop(room.key, None)
        else:
            self._rooms[room.key] = Versioned(room.base + 1, room.blob)

    def _unlink(self, held: _Entry) -> None:
        self._uuids.get(held.app, {}).pop(held.uuid, None)


__all__ = ["Cache"]
