"""Transcripts: received from Plivo, kept with their recording, and passed on to the app's webhook.

Plivo posts one some minutes after the end of a recording (its XML reference, Record), perhaps twice,
perhaps after the call is long over. It is stored with the row that delivers it in one commit, and
delivered from the outbox, in a lane of its own: no call ever waits for it.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import structlog
from pydantic_core import from_json, to_json

from bridge.operators.moments import written
from bridge.recordings.index import CALL, Seen, indexed
from bridge.recordings.index import KIND as RECORDING
from bridge.recordings.index import load as load_recording
from bridge.store.protocol import Commit, OutboxRow, RecordWrite
from mappings._plivo.callbacks import milliseconds as number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.outbox import Outbox
    from bridge.recordings.index import Recording
    from bridge.runtime import App, Runtime
    from bridge.session import Session
    from bridge.store.protocol import RecordRow

log = structlog.get_logger()

KIND: Final = "transcript"
#: Kind of the outbox rows.
ROW: Final = "transcript"
#: Four hours, the longest Plivo transcribes, are a third of this when spoken fast.
MOST_BYTES: Final = 1_048_576
_LONGEST: Final = 256
#: Longest an app's webhook may take, in s of real time.
PATIENCE_S: Final = 10.0
TIMESTAMP: Final = "X-RT-Bridge-Timestamp"
SIGNATURE: Final = "X-RT-Bridge-Signature"
_REFUSED: Final = range(400, 500)
#: Of these it is worth trying again.
_BUSY: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said on a recording, or why nobody can say; `received_at` is wall time in s."""

    name: str
    text: str
    error: str
    received_at: float


_STORED: Final = tuple(one.name for one in fields(Transcript))


def load(row: RecordRow) -> Transcript:
    """Read a stored transcript; fields of a newer release are ignored."""
    stored = from_json(row.blob)
    return Transcript(**{name: stored[name] for name in _STORED})


class Transcripts:
    """Takes transcripts from Plivo, and hands them to apps that want them."""

    def __init__(
        self, runtime: Runtime, session: Session, outbox: Outbox, client: aiohttp.ClientSession
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        self._client = client
        outbox.handlers[ROW] = self._deliver

    async def recorded(self, app: App, callid: int, form: Mapping[str, str]) -> None:
        """Take note of the callback of a recording of a call: REST and XML spell it differently."""
        told = {name.replace("_", "").lower(): value for name, value in form.items()}
        recording_id = told.get("recordingid", "").strip()[:_LONGEST]
        if not recording_id:
            return
        ms = number(told.get("recordingdurationms"))
        if ms < 0 <= (seconds := number(told.get("recordingduration"))):
            ms = 1000 * seconds
        seen = Seen(recording_id, recording_id, CALL, told.get("recordurl", "")[:2048], ms)
        async with self._session.locks[callid]:
            if not await self._is_of(app, callid):
                return
            write = await indexed(self._runtime, app.hash, callid, seen)
            if write is not None:
                await self._runtime.store.commit(Commit(records=[write]))

    async def transcribed(self, app: App, callid: int, name: str, form: Mapping[str, str]) -> None:
        """Take note of a transcript; `name` is that of the command that made the recording."""
        recording_id = form.get("recording_id", "").strip()[:_LONGEST]
        text, error = form.get("transcription", ""), form.get("error", "")[:_LONGEST]
        if not ({"transcription", "error"} & form.keys() and recording_id):
            return
        async with self._session.locks[callid]:
            if not await self._is_of(app, callid):
                return
            found = await self._recording(app, callid, (recording_id, name))
            seen = Seen(found.name if found else recording_id, recording_id, CALL)
            ms = number(form.get("duration")) * 1000
            seen = replace(seen, ms=ms if found is None or found.seconds is None else -1)
            entry = await indexed(self._runtime, app.hash, callid, replace(seen, transcribed=True))
            if entry is None:
                return
            stored = await self._runtime.store.load_record(KIND, seen.name)
            now = self._runtime.clock.now()
            if stored is not None and _same(load(stored), text, error):
                return
            transcript = Transcript(seen.name, text, error, now)
            await self._runtime.store.commit(
                Commit(
                    records=[entry, _write(transcript, stored, entry)],
                    outbox=await self._rows(app, callid, entry, transcript, stored),
                )
            )
        self._outbox.wake()
        log.info(
            "transcript.received",
            call=callid,
            app=app.hash,
            recording=seen.name,
            characters=len(text),
            why=error,
        )

    async def _is_of(self, app: App, callid: int) -> bool:
        """Tell whether the call is one of this app: a URL of one says nothing about another's."""
        state = await self._session.read(callid)
        return state is not None and state.app == app.hash

    async def _recording(self, app: App, callid: int, names: tuple[str, str]) -> Recording | None:
        for name in names:
            row = await self._runtime.store.load_record(RECORDING, name)
            if row is not None:
                found = load_recording(row)
                if (found.app, found.callid) == (app.hash, callid):
                    return found
        return None

    async def _rows(
        self,
        app: App,
        callid: int,
        entry: RecordWrite,
        transcript: Transcript,
        stored: RecordRow | None,
    ) -> list[OutboxRow]:
        """Give the row that passes it on, with its body frozen, if the app wants it."""
        if app.settings.transcript_url is None or entry.blob is None:
            return []
        state = await self._session.read(callid)
        recording = from_json(entry.blob)
        body = {
            "event": "transcript",
            "app": app.hash,
            "callid": callid,
            "request_hash": None if state is None else state.request_hash,
            "recording": transcript.name,
            "recording_id": recording["recording_id"],
            "url": recording["url"],
            "seconds": recording["seconds"],
            "transcript": transcript.text,
            "error": transcript.error,
            "received": written(transcript.received_at),
        }
        version = 1 if stored is None else stored.version + 1
        key = f"transcript:{app.hash}:{transcript.name}:{version}"
        lane = f"transcript:{app.hash}"
        return [OutboxRow(key, ROW, callid, transcript.received_at, to_json(body), lane=lane)]

    async def _deliver(self, row: OutboxRow) -> bool:
        """Post one transcript to its app; True when the row may go."""
        body: dict[str, Any] = from_json(row.body)
        app = self._runtime.apps.get(body["app"])
        line = {"call": row.callid, "app": body["app"], "recording": body["recording"]}
        if app is None or app.settings.transcript_url is None:
            log.error("transcript.dropped", **line, why="its app has no transcript_url any more")
            return True
        why, again = await self._post(app, app.settings.transcript_url, row.body)
        if not why:
            log.info("transcript.delivered", **line, attempts=row.attempts + 1)
            return True
        age_s = self._runtime.clock.now() - datetime.fromisoformat(body["received"]).timestamp()
        if not again or age_s > self._runtime.settings.hangup_retry_for_s:
            log.error("transcript.dropped", **line, why=why, attempts=row.attempts + 1)
            return True
        log.warning("transcript.postponed", **line, why=why, attempts=row.attempts + 1)
        return await self._outbox.later(row)

    async def _post(self, app: App, url: str, body: bytes) -> tuple[str, bool]:
        """Post it; gives why it was not taken, "" = it was, and whether to try again."""
        try:
            async with self._client.post(
                url,
                data=body,
                headers=self._headers(app, body),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__, True
        if status // 100 == 2:  # noqa: PLR2004 - the class of success
            return "", False
        return f"status {status}", status not in _REFUSED or status in _BUSY

    def _headers(self, app: App, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if app.settings.transcript_secret is not None:
            at = str(round(self._runtime.clock.now()))
            key = app.settings.transcript_secret.get_secret_value().encode()
            headers[TIMESTAMP] = at
            headers[SIGNATURE] = signature(key, at, body)
        return headers


def signature(key: bytes, at: str, body: bytes) -> str:
    """Sign what is posted: hex HMAC-SHA256 over the time in s since 1970, a dot, and the body."""
    return hmac.new(key, at.encode() + b"." + body, sha256).hexdigest()


def _same(known: Transcript, text: str, error: str) -> bool:
    return (known.text, known.error) == (text, error)


def _write(transcript: Transcript, stored: RecordRow | None, entry: RecordWrite) -> RecordWrite:
    """Give the write of a transcript, which expires with its recording."""
    base = 0 if stored is None else stored.version
    return replace(entry, kind=KIND, base=base, blob=to_json(asdict(transcript)))


__all__ = [
    "KIND",
    "MOST_BYTES",
    "ROW",
    "SIGNATURE",
    "TIMESTAMP",
    "Transcript",
    "Transcripts",
    "load",
    "signature",
]
