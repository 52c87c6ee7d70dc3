"""The port to durable state. Adapters: `memory`, `sqlite`, `redis`.

Everything a step changes is one `Commit`, applied whole or not at all; when `commit` returns, it
survives a kill of the process. A store knows nothing of calls beyond what it must index: the state
of a call, a room or a record is an opaque blob with a version that grows by one with each commit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from bridge.errors import BridgeError
from mappings._kernel.values import value_class


class StoreError(BridgeError):
    """Base of the store's errors; the message says what to do."""


class Conflict(StoreError):  # noqa: N818 - named for what happened
    """The stored version is not the one the commit was based on; nothing was changed."""


class StoreUnavailable(StoreError):  # noqa: N818 - named for what happened
    """The store cannot be opened, read or written.

    What was being written may be stored or not: whoever cares reads again.
    """

    #: For how long the store has been out of reach, in s; 0 = it is another trouble.
    down_s: float = 0.0


@value_class
class Versioned:
    """A stored blob and its version (1 = just created)."""

    version: int
    blob: bytes


@value_class
class CallWrite:
    """The new state of one call. `base` is the version it replaces, 0 = it must not exist yet.

    `ended_at` is None while the call lives; `touched_at` is the wall time of this step in s.
    `uuid` is "" as long as Plivo has not named the call; otherwise no two calls of an app share it,
    and a second one is a Conflict. `callid` >= 1 comes from `allocate_callid`.
    The blob is kept in memory as it is given: give exact bytes, not a view of a larger buffer.
    """

    callid: int
    app: str
    uuid: str
    base: int
    blob: bytes
    touched_at: float
    ended_at: float | None = None


@value_class
class HistoryRow:
    """One line of a call's append-only history, never read while the call goes well.

    `seq` is the version of the call the row was written with; `step` the number of the document in
    `document`, when there is one; `body` is JSON.
    """

    callid: int
    seq: int
    at: float
    body: bytes
    step: int | None = None
    document: bytes | None = None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Something still to be delivered, due at wall time `due` (s). `key` is unique and idempotent.

    `lane` names whom it is delivered to: rows of one lane wait for each other, and for no other's.
    """

    key: str
    kind: str
    callid: int
    due: float
    body: bytes = b""
    attempts: int = 0
    lane: str = ""


@dataclass(frozen=True, slots=True)
class MediaRow:
    """A hosted file under an unguessable name, until `expires_at` (wall time, s).

    The name stands for the content: a row whose name is held already may be skipped. It is skipped
    when the held one expires later, or when, at the commit's `touched_at`, it has more than half of
    the newly asked time left; so a file lives at least half as long as its last commit asked.
    """

    name: str
    content_type: str
    content: bytes
    expires_at: float


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A recording by the name its app knows it by; `url` "" = silence; `ready` = file is there.

    App and name together are the key, so that no app can replace the recording of another.
    """

    name: str
    app: str
    url: str
    recording_id: str
    ready: bool
    expires_at: float


@dataclass(frozen=True, slots=True)
class RoomWrite:
    """The new state of one room; `blob` None deletes it. `base` 0 = it must not exist yet."""

    key: str
    base: int
    blob: bytes | None


@dataclass(frozen=True, slots=True)
class RecordWrite:
    """The new state of one record: a small document that is neither a call nor a room.

    `kind` and `key` name it; `base` is the version it replaces, 0 = it must not exist yet; `blob`
    None deletes it, and the next one of this name begins at version 1 again. `sort` (a finite
    number, often a wall time in s) and `scope` (often the hash of an app) are what lists go by.
    From `expires_at` on (wall time, s; None = never) `purge` may delete it. A commit writes a
    record once.
    """

    kind: str
    key: str
    base: int
    blob: bytes | None
    sort: float = 0.0
    scope: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record as it is stored; `version` is the `base` of the next write."""

    kind: str
    key: str
    version: int
    blob: bytes
    sort: float = 0.0
    scope: str = ""
    expires_at: float | None = None


@dataclass(slots=True)
class Commit:
    """What one step changes: applied in one transaction. Rows with a known key are replaced.

    Each pair in `outbox_swap` is a row and its successor, None = it is done: where the row is still
    stored exactly as given, it is replaced or deleted; where it changed meanwhile, nothing happens.
    They are applied before `outbox`, whose rows are written whatever is there. With `exact`, a row
    that is neither as given nor its successor is a Conflict instead.
    """

    call: CallWrite | None = None
    room: RoomWrite | None = None
    history: list[HistoryRow] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    outbox_swap: list[tuple[OutboxRow, OutboxRow | None]] = field(default_factory=list)
    media: list[MediaRow] = field(default_factory=list)
    recordings: list[RecordingRow] = field(default_factory=list)
    records: list[RecordWrite] = field(default_factory=list)
    exact: bool = False


class Store(Protocol):
    """What the shell needs of a store. Every method raises StoreUnavailable when it cannot work."""

    @property
    def shared(self) -> bool:
        """Tell whether several processes may use it at once."""

    @property
    def losses(self) -> int:
        """Count how often it was out of reach since it was opened."""

    async def open(self) -> None:
        """Open or create it; claims it for this process where the store allows only one."""

    async def close(self) -> None:
        """Finish every commit that was begun, then release it."""

    async def ping(self) -> None:
        """Prove that it can be written."""

    async def secret(self) -> bytes:
        """Give the 32 random bytes made when the store was created."""

    async def allocate_callid(self) -> int:
        """Give the next callid: 1, 2, 3 …, never the same twice, even after a restart."""

    async def commit(self, change: Commit) -> None:
        """Apply it durably. Raises Conflict (and changes nothing) on a version mismatch."""

    async def find_call(self, app: str, uuid: str) -> int | None:
        """Give the callid of Plivo's CallUUID within an app."""

    async def load_call(self, callid: int) -> Versioned | None:
        """Give the state of a call, live or ended, until it is purged."""

    async def load_room(self, key: str) -> Versioned | None:
        """Give the state of a room."""

    async def history(self, callid: int) -> list[HistoryRow]:
        """Give the history of a call in order of `seq`."""

    async def document(self, callid: int, step: int) -> bytes | None:
        """Give the first document written with this number, if it was ever handed out."""

    async def due(self, now: float, limit: int, full: Collection[str] = ()) -> list[OutboxRow]:
        """Give up to `limit` outbox rows with `due` <= now, earliest first, then by key.

        Rows in one of the lanes `full` are left out, however many they are.
        """

    async def claim(
        self, now: float, until: float, limit: int, full: Collection[str] = ()
    ) -> list[OutboxRow]:
        """Give what `due` gives, to one process alone: to no other one before `until` (wall time).

        A shared store makes them due at `until`, and gives them so. Where there is only one
        process, they stay as they are, and the next claim gives them again.
        """

    async def next_due(self, after: float = -inf) -> float | None:
        """Give the wall time later than `after` at which the next row is due; None = there is none."""

    async def outbox_row(self, key: str) -> OutboxRow | None:
        """Give one row."""

    async def outbox_size(self, kinds: Collection[str] = ()) -> int:
        """Count the rows, or those of some kinds."""

    async def media(self, name: str, now: float) -> MediaRow | None:
        """Give a hosted file that has not expired."""

    async def recording(self, app: str, name: str, now: float) -> RecordingRow | None:
        """Give a recording of this app that has not expired."""

    async def recording_named(self, name: str, now: float) -> RecordingRow | None:
        """Give a recording that has not expired by its unguessable name alone."""

    async def load_record(self, kind: str, key: str) -> RecordRow | None:
        """Give one record, expired or not, until it is deleted or purged."""

    async def list_records(
        self,
        kind: str,
        *,
        scope: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[RecordRow]:
        """List up to `limit` records of a kind, or of one scope of it, by (`sort`, `key`).

        `newest_first` turns the order round. `after` is the (`sort`, `key`) of the last record of
        the page before: the list goes on behind it, in its order.
        """

    async def count_records(self, kind: str, scope: str) -> int:
        """Count the records of one scope of a kind, as many as `list_records` would list."""

    async def live_calls(self) -> list[int]:
        """List the callids of calls that have not ended, ascending."""

    async def count_live(self) -> int:
        """Count the calls that have not ended; cheap enough for every scrape."""

    async def stale_calls(self, touched_before: float, limit: int) -> list[int]:
        """List up to `limit` live calls whose `touched_at` is before, oldest first."""

    async def purge(self, now: float, ended_before: float) -> int:
        """Delete what expired by `now`, and calls (with history) ended before; count the calls."""


__all__ = [
    "CallWrite",
    "Commit",
    "Conflict",
    "HistoryRow",
    "MediaRow",
    "OutboxRow",
    "RecordRow",
    "RecordWrite",
    "RecordingRow",
    "RoomWrite",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Versioned",
]
