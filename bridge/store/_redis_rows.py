"""How rows are written into Redis: packed, so that equal rows are equal bytes.

The scripts in `redis_scripts` read the first fields of these; change both together.
"""

from __future__ import annotations

from math import isnan, nan
from struct import Struct

from bridge.store.protocol import (
    CallWrite,
    HistoryRow,
    MediaRow,
    OutboxRow,
    RecordingRow,
    RecordRow,
    RecordWrite,
    Versioned,
)

TOKEN_BYTES = 8

_NAMES = Struct(">IHH")
_HISTORY = Struct(">dii")
_OUTBOX = Struct(">dHH")
_OUTBOX_REST = Struct(">qI")
_MEDIA = Struct(">dH")
_RECORDING = Struct(">d?HH")
_RECORD = Struct(">dd")
_SCOPE = Struct(">H")
_VERSION = Struct(">I")
_TIME = Struct(">d")


def text(value: str) -> bytes:
    """Encode a name."""
    return value.encode("utf-8", "surrogatepass")


def name(value: bytes) -> str:
    """Decode a name."""
    return value.decode("utf-8", "surrogatepass")


def number(value: float) -> bytes:
    """Write a number so that the server reads the same one."""
    return repr(value).encode()


def callid_name(callid: int) -> bytes:
    """Write a callid so that the order of the texts is that of the numbers."""
    return b"%019d" % callid


def uuid_name(app: str, uuid: str) -> bytes:
    """Name a CallUUID of an app, b"" for the empty one."""
    if not uuid:
        return b""
    encoded = text(app)
    return b"%d:%s%s" % (len(encoded), encoded, text(uuid))


def call_names(write: CallWrite, version: int) -> bytes:
    """Write what a stored call of this version begins with."""
    app, uuid = text(write.app), text(write.uuid)
    return _NAMES.pack(version, len(app), len(uuid)) + app + uuid


def call_state(stored: bytes) -> Versioned:
    """Read version and blob of a stored call."""
    version, app, uuid = _NAMES.unpack_from(stored)
    return Versioned(version, stored[_NAMES.size + app + uuid + TOKEN_BYTES :])


def room_value(version: int, token: bytes, blob: bytes) -> bytes:
    """Write a room."""
    return _VERSION.pack(version) + token + blob


def room_state(stored: bytes) -> Versioned:
    """Read a room."""
    (version,) = _VERSION.unpack_from(stored)
    return Versioned(version, stored[_VERSION.size + TOKEN_BYTES :])


def history_value(row: HistoryRow) -> bytes:
    """Write a line of history; -1 = without step, without document."""
    step = -1 if row.step is None else row.step
    document = b"" if row.document is None else row.document
    length = -1 if row.document is None else len(document)
    return _HISTORY.pack(row.at, step, length) + document + row.body


def history_row(callid: int, seq: int, stored: bytes) -> HistoryRow:
    """Read a line of history."""
    at, step, length = _HISTORY.unpack_from(stored)
    rest = stored[_HISTORY.size :]
    document = None if length < 0 else rest[:length]
    return HistoryRow(callid, seq, at, rest[max(0, length) :], None if step < 0 else step, document)


def outbox_value(row: OutboxRow) -> bytes:
    """Write a row of the outbox."""
    kind, lane = text(row.kind), text(row.lane)
    rest = _OUTBOX_REST.pack(row.callid, row.attempts)
    return b"".join((_OUTBOX.pack(row.due, len(kind), len(lane)), kind, lane, rest, row.body))


def outbox_due(due: float) -> bytes:
    """Write what a row due at this time begins with."""
    return _TIME.pack(due)


def outbox_row(key: bytes, stored: bytes) -> OutboxRow:
    """Read a row of the outbox."""
    due, kind_size, lane_size = _OUTBOX.unpack_from(stored)
    lane_at = _OUTBOX.size + kind_size
    rest_at = lane_at + lane_size
    callid, attempts = _OUTBOX_REST.unpack_from(stored, rest_at)
    kind, lane = name(stored[_OUTBOX.size : lane_at]), name(stored[lane_at:rest_at])
    body = stored[rest_at + _OUTBOX_REST.size :]
    return OutboxRow(name(key), kind, callid, due, body, attempts, lane)


def media_value(row: MediaRow) -> bytes:
    """Write a hosted file."""
    kind = text(row.content_type)
    return _MEDIA.pack(row.expires_at, len(kind)) + kind + row.content


def media_row(file: str, stored: bytes) -> MediaRow:
    """Read a hosted file."""
    expires_at, size = _MEDIA.unpack_from(stored)
    content_at = _MEDIA.size + size
    return MediaRow(file, name(stored[_MEDIA.size : content_at]), stored[content_at:], expires_at)


def recording_value(row: RecordingRow) -> bytes:
    """Write a recording."""
    url, recording_id = text(row.url), text(row.recording_id)
    head = _RECORDING.pack(row.expires_at, row.ready, len(url), len(recording_id))
    return head + url + recording_id


def recording_row(recording: str, app: bytes, stored: bytes) -> RecordingRow:
    """Read a recording."""
    expires_at, ready, url_size, _ = _RECORDING.unpack_from(stored)
    id_at = _RECORDING.size + url_size
    url, recording_id = name(stored[_RECORDING.size : id_at]), name(stored[id_at:])
    return RecordingRow(recording, name(app), url, recording_id, ready, expires_at)


def record_value(write: RecordWrite, token: bytes) -> bytes:
    """Write a record, b"" for one to be deleted."""
    if write.blob is None:
        return b""
    scope = text(write.scope)
    expires = nan if write.expires_at is None else write.expires_at
    head = _VERSION.pack(write.base + 1) + token + _RECORD.pack(write.sort, expires)
    return head + _SCOPE.pack(len(scope)) + scope + write.blob


def record_row(kind: str, key: str, stored: bytes) -> RecordRow:
    """Read a record."""
    (version,) = _VERSION.unpack_from(stored)
    sort, expires = _RECORD.unpack_from(stored, _VERSION.size + TOKEN_BYTES)
    size_at = _VERSION.size + TOKEN_BYTES + _RECORD.size
    (size,) = _SCOPE.unpack_from(stored, size_at)
    blob_at = size_at + _SCOPE.size + size
    return RecordRow(
        kind,
        key,
        version,
        stored[blob_at:],
        sort,
        name(stored[size_at + _SCOPE.size : blob_at]),
        None if isnan(expires) else expires,
    )


def record_index(kind: str, scope: str | None) -> bytes:
    """Name the index that lists a kind, or one scope of it."""
    encoded = text(kind)
    if scope is None:
        return b"ri:" + encoded
    return b"rs:%d:%s:%s" % (len(encoded), encoded, text(scope))
