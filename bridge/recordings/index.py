"""The index of recordings: one record for each, kept as long as its name can be used.

A recording is heard of several times: when its command ends, in Plivo's callback, with its
transcript; in any order, and more than once. Each adds what it knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json, to_json

from bridge.store.protocol import RecordWrite

if TYPE_CHECKING:
    from bridge.runtime import Runtime
    from bridge.store.protocol import RecordRow

KIND: Final = "recording"
#: What was recorded: the caller, by `record`, or the whole call, by `start_call_recording`.
CALLER: Final = "caller"
CALL: Final = "call"


@dataclass(slots=True)
class Recording:
    """One recording. `name` is what its app knows it by, `begun_at` wall time in s.

    `seconds` is None while it runs, or when nobody told. `transcribed` = Plivo was asked to.
    """

    name: str
    app: str
    callid: int
    recording_id: str
    of: str
    begun_at: float
    url: str = ""
    seconds: float | None = None
    transcribed: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was just heard of a recording; what is empty adds nothing."""

    name: str
    recording_id: str
    of: str
    url: str = ""
    ms: int = -1
    transcribed: bool = False


_STORED: Final = tuple(one.name for one in fields(Recording))


def load(row: RecordRow) -> Recording:
    """Read a stored entry; fields of a newer release are ignored."""
    stored = from_json(row.blob)
    return Recording(**{name: stored[name] for name in _STORED if name in stored})


async def indexed(runtime: Runtime, app: str, callid: int, seen: Seen) -> RecordWrite | None:
    """Give the write that adds what was heard; None = another app's recording has that name.

    Hold the lock of the call from here to the commit.
    """
    now = runtime.clock.now()
    stored = await runtime.store.load_record(KIND, seen.name)
    if stored is None:
        known = Recording(seen.name, app, callid, seen.recording_id, seen.of, now)
    else:
        known = load(stored)
        if (known.app, known.callid) != (app, callid):
            return None
    known.recording_id = seen.recording_id or known.recording_id
    known.url = seen.url or known.url
    known.seconds = seen.ms / 1000 if seen.ms >= 0 else known.seconds
    known.transcribed = known.transcribed or seen.transcribed
    return RecordWrite(
        KIND,
        known.name,
        0 if stored is None else stored.version,
        to_json(asdict(known)),
        sort=known.begun_at,
        scope=app,
        expires_at=now + runtime.settings.recording_ttl_s,
    )


__all__ = ["CALL", "CALLER", "KIND", "Recording", "Seen", "indexed", "load"]
