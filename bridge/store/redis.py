"""The store in Redis or Valkey: for any number of bridge processes on any number of machines.

Every commit is one script, so it is applied whole or not at all, and the version it was based on is
what keeps a replica that slept from overwriting a newer step (docs/adr/0013). All keys of a
deployment share one hash tag, so they live on one node of a cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha1
from math import inf
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final

from bridge.store import _redis_commit as commits
from bridge.store import _redis_rows as rows
from bridge.store._redis_dial import Dialler
from bridge.store._redis_link import Link, Word
from bridge.store._redis_server import inspect
from bridge.store._redis_url import RedisUrl
from bridge.store._rules import CALLID_MAX, still_good
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

#: What probes and scrapes wait for, in s: they want to hear of trouble, not to sit it out. A probe
#: of Kubernetes waits for 1 s, and the supervisor of workers, which it asks, for less.
GLANCE_S: Final = 0.5
#: Things deleted by one script: about a millisecond in which everybody waits.
_PURGE_ROWS: Final = 200
#: Hosted files remembered as stored, so that their content is not sent again.
_MOST_FILES: Final = 10_000

_SCRIPTS: Final = {
    path.stem: path.read_bytes()
    for path in sorted(Path(__file__).with_name("redis_scripts").glob("*.lua"))
}
_SHA: Final = {
    name: sha1(text, usedforsecurity=False).hexdigest().encode() for name, text in _SCRIPTS.items()
}


class RedisStore:
    """The port `Store` on a server; `url` says which."""

    shared = True

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        self._tag = f"{{{url.prefix}}}".encode()
        self._prefix = self._tag + b":"
        self._link = Link(url.name, Dialler(url), self._greeting, self._greeted)
        self._secret = b""
        self._callid = 0
        #: Until when the files are held that this process knows of.
        self._files: dict[str, float] = {}

    async def open(self) -> None:
        """Connect, and see whether the server will do."""
        self._secret = self._secret or token_bytes(32)
        await self._link.open()
        try:
            await inspect(self._link, self._url.name)
        except StoreUnavailable:
            await self._link.close()
            raise

    async def close(self) -> None:
        """Finish what was begun, and disconnect."""
        await self._link.close()

    @property
    def losses(self) -> int:
        """Count how often the server was lost."""
        return self._link.losses

    async def ping(self) -> None:
        """Write something of no meaning; fails within a second."""
        await self._link.ask("SET", self._key(b"ping"), b"", patience_s=GLANCE_S)

    async def secret(self) -> bytes:
        """Give the 32 random bytes that all replicas share."""
        self._link.check()
        return self._secret

    async def allocate_callid(self) -> int:
        """Give the next callid."""
        callid: int = await self._link.ask("INCR", self._key(b"callid"))
        self._callid = max(self._callid, callid)
        return callid

    async def commit(self, change: Commit) -> None:
        """Apply it durably, or raise Conflict."""
        now = None if change.call is None else change.call.touched_at
        media = [row for row in change.media if not still_good(self._files.get(row.name), row, now)]
        refusal = await self._run("commit", *commits.arguments(change, media))
        self._link.written()
        if refusal is not None:
            raise commits.conflict(change, refusal)
        for row in media:
            self._files[row.name] = max(row.expires_at, self._files.get(row.name, -inf))
        while len(self._files) > _MOST_FILES:
            del self._files[next(iter(self._files))]

    async def find_call(self, app: str, uuid: str) -> int | None:
        """Give the callid of Plivo's CallUUID within an app."""
        name = rows.uuid_name(app, uuid)
        found = await self._link.ask("HGET", self._key(b"uuids"), name) if name else None
        return None if found is None else int(found)

    async def load_call(self, callid: int) -> Versioned | None:
        """Give the state of a call that was not purged."""
        if not 0 <= callid <= CALLID_MAX:
            return None
        stored = await self._link.ask("GET", self._key(b"c:" + rows.callid_name(callid)))
        return None if stored is None else rows.call_state(stored)

    async def load_room(self, key: str) -> Versioned | None:
        """Give the state of a room."""
        stored = await self._link.ask("HGET", self._key(b"rooms"), rows.text(key))
        return None if stored is None else rows.room_state(stored)

    async def history(self, callid: int) -> list[HistoryRow]:
        """Give the history of a call in order of `seq`."""
        if not 0 <= callid <= CALLID_MAX:
            return []
        words = await self._link.ask("HGETALL", self._key(b"h:" + rows.callid_name(callid)))
        lines = [
            rows.history_row(callid, int(name), stored)
            for name, stored in zip(words[::2], words[1::2], strict=True)
            if not name.startswith(b"s")
        ]
        return sorted(lines, key=lambda line: line.seq)

    async def document(self, callid: int, step: int) -> bytes | None:
        """Give the first document written with this number."""
        if not 0 <= callid <= CALLID_MAX or not 0 <= step <= CALLID_MAX:
            return None
        stored = await self._run("document", rows.callid_name(callid), b"%d" % step)
        if stored is None:
            return None
        line = rows.history_row(callid, 0, stored)
        if line.step == step and line.document is not None:
            return line.document
        # The line was replaced by one without this document: look at all of them.
        lines = (line for line in await self.history(callid) if line.step == step)
        return next((line.document for line in lines if line.document is not None), None)

    async def due(self, now: float, limit: int, full: Collection[str] = ()) -> list[OutboxRow]:
        """Give what is due, earliest first."""
        return await self._due(now, limit, full, b"", b"")

    async def claim(
        self, now: float, until: float, limit: int, full: Collection[str] = ()
    ) -> list[OutboxRow]:
        """Give what is due, and make it due again at `until`, so that no other replica gets it."""
        return await self._due(now, limit, full, rows.number(until), rows.outbox_due(until))

    async def _due(
        self, now: float, limit: int, full: Collection[str], until: bytes, packed: bytes
    ) -> list[OutboxRow]:
        lanes = map(rows.text, full)
        words = await self._run("due", rows.number(now), b"%d" % limit, until, packed, *lanes)
        return [
            rows.outbox_row(key, stored)
            for key, stored in zip(words[::2], words[1::2], strict=True)
        ]

    async def next_due(self, after: float = -inf) -> float | None:
        """Give the earliest `due` after that time."""
        found = await self._run("next_due", rows.number(after))
        return None if found is None else float(found)

    async def outbox_row(self, key: str) -> OutboxRow | None:
        """Give one row."""
        name = rows.text(key)
        stored = await self._link.ask("HGET", self._key(b"out"), name)
        return None if stored is None else rows.outbox_row(name, stored)

    async def outbox_size(self, kinds: Collection[str] = ()) -> int:
        """Count the rows, or those of some kinds."""
        if not kinds:
            size: int = await self._link.ask("HLEN", self._key(b"out"), patience_s=GLANCE_S)
            return size
        names = map(rows.text, set(kinds))
        counts = await self._link.ask("HMGET", self._key(b"kinds"), *names, patience_s=GLANCE_S)
        return sum(int(count or 0) for count in counts)

    async def media(self, name: str, now: float) -> MediaRow | None:
        """Give a file that has not expired."""
        stored = await self._link.ask("GET", self._key(b"m:" + rows.text(name)))
        row = None if stored is None else rows.media_row(name, stored)
        return row if row is not None and row.expires_at > now else None

    async def recording(self, app: str, name: str, now: float) -> RecordingRow | None:
        """Give a recording of this app that has not expired."""
        key, field = self._key(b"r:" + rows.text(name)), rows.text(app)
        stored = await self._link.ask("HGET", key, field)
        row = None if stored is None else rows.recording_row(name, field, stored)
        return row if row is not None and row.expires_at > now else None

    async def recording_named(self, name: str, now: float) -> RecordingRow | None:
        """Give a recording that has not expired by its name alone."""
        words = await self._link.ask("HGETALL", self._key(b"r:" + rows.text(name)))
        found = (
            rows.recording_row(name, app, stored)
            for app, stored in zip(words[::2], words[1::2], strict=True)
        )
        return min((r for r in found if r.expires_at > now), key=lambda r: r.app, default=None)

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        """Give one record."""
        hash_key = self._key(b"rec:" + rows.text(kind))
        stored = await self._link.ask("HGET", hash_key, rows.text(key))
        return None if stored is None else rows.record_row(kind, key, stored)

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
        words: list[Word] = [rows.record_index(kind, scope), rows.text(kind), limit]
        words.append(b"1" if newest_first else b"0")
        if after is not None:
            words += (rows.number(after[0]), rows.text(after[1]))
        found = await self._run("list_records", *words)
        return [
            rows.record_row(kind, rows.name(key), stored)
            for key, stored in zip(found[::2], found[1::2], strict=True)
        ]

    async def count_records(self, kind: str, scope: str) -> int:
        """Count the records of one scope of a kind."""
        count: int = await self._link.ask("ZCARD", self._key(rows.record_index(kind, scope)))
        return count

    async def live_calls(self) -> list[int]:
        """List the callids of live calls, ascending."""
        names = await self._link.ask("ZRANGE", self._key(b"live"), 0, -1)
        return sorted(map(int, names))

    async def count_live(self) -> int:
        """Count live calls."""
        count: int = await self._link.ask("ZCARD", self._key(b"live"), patience_s=GLANCE_S)
        return count

    async def stale_calls(self, touched_before: float, limit: int) -> list[int]:
        """List live calls last touched before, oldest first."""
        latest = b"(" + rows.number(touched_before)
        names = await self._link.ask(
            "ZRANGEBYSCORE", self._key(b"live"), "-inf", latest, "LIMIT", 0, limit
        )
        return [int(name) for name in names]

    async def purge(self, now: float, ended_before: float) -> int:
        """Delete what is over, a little at a time; other replicas may do so as well."""
        for what in (b"media", b"recordings", b"records"):
            while await self._purge(what, now) == _PURGE_ROWS:
                pass
        self._files = {name: until for name, until in self._files.items() if until > now}
        count = 0
        while (gone := await self._purge(b"calls", ended_before)) == _PURGE_ROWS:
            count += gone
        return count + gone

    async def _purge(self, what: bytes, before: float) -> int:
        gone: int = await self._run("purge", what, rows.number(before), _PURGE_ROWS)
        return gone

    async def _run(self, script: str, *words: Word) -> Any:
        return await self._link.ask("EVALSHA", _SHA[script], 1, self._tag, *words)

    def _key(self, name: bytes) -> bytes:
        return self._prefix + name

    def _greeting(self) -> Sequence[tuple[Word, ...]]:
        """Teach the server the scripts, and tell it what it may have forgotten."""
        loads: list[tuple[Word, ...]] = [("SCRIPT", "LOAD", text) for text in _SCRIPTS.values()]
        greet = ("EVALSHA", _SHA["greet"], 1, self._tag, self._secret, self._callid)
        return [*loads, greet]

    def _greeted(self, answers: Sequence[Any]) -> None:
        self._secret = answers[-1]
        # Another server may be behind the same name, and not hold the same files.
        self._files.clear()


__all__ = ["RedisStore"]
