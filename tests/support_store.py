"""The stores under test, and short spellings of their rows.

A new adapter joins the conformance suite by a row of `ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from support_valkey import NO_SERVER, shared_cluster, shared_server, url_for

from bridge.store.protocol import (
    CallWrite,
    HistoryRow,
    MediaRow,
    OutboxRow,
    RecordingRow,
    RecordWrite,
    RoomWrite,
    Store,
)

ADAPTERS: dict[str, Callable[[Path], str]] = {
    "memory": lambda _: "memory:",
    "sqlite": lambda folder: f"sqlite:///{folder}/bridge.db",
}
if not NO_SERVER:
    ADAPTERS["redis"] = lambda folder: url_for(shared_server(), folder)
    ADAPTERS["redis cluster"] = lambda folder: url_for(shared_cluster(), folder)
PERSISTENT = [name for name in ADAPTERS if name != "memory"]

Reopen = Callable[[], Awaitable[Store]]


def call(
    callid: int,
    base: int = 0,
    *,
    uuid: str | None = None,
    app: str = "APP",
    blob: bytes = b"{}",
    at: float = 100.0,
    ended: float | None = None,
) -> CallWrite:
    """Write a call, by default under the CallUUID `u<callid>`."""
    name = f"u{callid}" if uuid is None else uuid
    return CallWrite(callid, app, name, base, blob, touched_at=at, ended_at=ended)


def line(
    callid: int,
    seq: int,
    *,
    step: int | None = None,
    document: bytes | None = None,
    body: bytes = b"[]",
) -> HistoryRow:
    """Write a line of history."""
    return HistoryRow(callid, seq, 100.0 + seq, body, step, document)


def task(
    key: str, due: float = 0.0, *, body: bytes = b"body", attempts: int = 0, lane: str = ""
) -> OutboxRow:
    """Write a row of the outbox."""
    return OutboxRow(key, "final", 1, due, body, attempts, lane)


def file(name: str, expires_at: float, content: bytes = b"RIFF") -> MediaRow:
    """Write a hosted file."""
    return MediaRow(name, "audio/wav", content, expires_at)


def recording(
    name: str, expires_at: float = 1000.0, *, app: str = "APP", url: str = "", ready: bool = False
) -> RecordingRow:
    """Write a recording."""
    return RecordingRow(name, app, url, f"id-{name}", ready, expires_at)


def record(
    key: str,
    base: int = 0,
    *,
    kind: str = "cdr",
    blob: bytes | None = b"{}",
    sort: float = 0.0,
    scope: str = "",
    expires_at: float | None = None,
) -> RecordWrite:
    """Write a record."""
    return RecordWrite(kind, key, base, blob, sort, scope, expires_at)


def room(key: str, base: int, blob: bytes | None = b"[]") -> RoomWrite:
    """Write a room."""
    return RoomWrite(key, base, blob)
