"""The changes of one step of one call, gathered in memory and then committed as one.

Nothing in here reaches Plivo or the app: a transaction only decides and stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

import structlog
from pydantic_core import to_json

from bridge import steps
from bridge.addresses import RETRIES, SOUNDS_TYPE, DocumentAddresses
from bridge.assets import asset
from bridge.cdr.writing import leg_over
from bridge.recordings.index import CALL, CALLER, Seen, indexed
from bridge.state import Phase, dump, open_command
from bridge.store.protocol import (
    CallWrite,
    Commit,
    HistoryRow,
    OutboxRow,
    RecordingRow,
    RecordWrite,
)
from mappings._kernel.actions import (
    FindRecording,
    KeepRecording,
    Note,
    RememberCallRecording,
    Reply,
)
from mappings._kernel.engine import Finished, Outcome
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RecordingFound, RecordingMissing
from mappings._kernel.facts import EventReceived
from mappings._kernel.facts import dump as dump_fact
from mappings._plivo.render import render
from mappings._plivo.verbs import UNANSWERING, Hangup, Redirect, Speak
from mappings._plivo.voices import resolve_voice
from mappings._rt.media import clean_text, split_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.runtime import App, Runtime
    from bridge.state import CallState
    from mappings._kernel.actions import Effect
    from mappings._kernel.events import Event
    from mappings._plivo.verbs import Verb
    from mappings._rt.reader import RtResponse

log = structlog.get_logger()

#: "after 5 in a row the call ends" (docs/adr/0007).
MAX_ERRORS: Final = 5
#: More than so many commands in a row without a document end the call (docs/adr/0007).
MAX_WITHOUT_DOCUMENT: Final = 10
#: Plivo refuses documents over 100 KB (Plivo's page on XML requests).
MAX_DOCUMENT_BYTES: Final = 100_000


class Transaction:
    """One step. Use the methods in the order things happened, then `commit` once."""

    def __init__(self, runtime: Runtime, app: App, state: CallState) -> None:
        self.runtime = runtime
        self.app = app
        self.state = state
        self.change = Commit()
        self.document: bytes | None = None
        self._record: dict[str, Any] = {}
        self._recordings: list[Seen] = []
        #: What the open command was told last.
        self._heard: Event | None = None
        self._opened = open_command(state)

    def note(self, **fields: Any) -> None:
        """Add fields to the history row of this step."""
        self._record.update(fields)

    @property
    def said(self) -> list[dict[str, Any]]:
        """Give what will be in the next row of history."""
        return [*self.state.unwritten, self._record]

    def put_out(self, row: OutboxRow) -> None:
        """Add something to be delivered after the commit."""
        self.change.outbox.append(row)

    def keep(self, row: RecordingRow) -> None:
        """Bind a recording's name."""
        self.change.recordings.append(row)

    async def start(self, response: RtResponse) -> None:
        """Take the app's reply and start its command, as far as it goes without I/O."""
        state = self.state
        state.variables = response.variables
        state.call_status = "UP"
        state.without_document += 1
        try:
            outcome = steps.start(self.runtime, self.app, state, response)
        except CommandRefused as refused:
            self._close_command()
            self._finish("", str(refused))
            return
        self.note(start=state.start)
        await self._settle(outcome)

    async def take(self, event: Event) -> None:
        """Feed an event to the open command and settle what comes of it."""
        if self.state.command == "dialout":
            await leg_over(self, event)
        self._heard = event
        outcome = steps.feed(self.state, event)
        self._append(EventReceived(event))
        await self._settle(outcome)

    def close(self, event: Event) -> None:
        """Feed an event after which the command can only be over (the call has ended)."""
        self._heard = event
        outcome = steps.feed(self.state, event)
        self._append(EventReceived(event))
        if isinstance(outcome, Finished):
            self._effects(outcome.effects)
            self._facts(outcome)
            self.state.result = outcome.result
            self.state.error = outcome.error
        self._close_command()

    def _close_command(self) -> None:
        self.state.start = None
        self.state.running = None
        self.state.log = []

    async def _settle(self, outcome: Outcome) -> None:
        while True:
            self._effects(outcome.effects)
            self._facts(outcome)
            if isinstance(outcome, Finished):
                self._close_command()
                self._finish(outcome.result, outcome.error)
                return
            action = outcome.action
            if isinstance(action, Reply):
                try:
                    self.hand_out(action.verbs)
                except CommandRefused as refused:
                    self._close_command()
                    self._finish("", str(refused))
                return
            if not isinstance(action, FindRecording):
                self.state.phase = Phase.ACTING
                return
            event = await self._find(action)
            outcome = steps.feed(self.state, event)
            self._append(EventReceived(event))

    async def _find(self, action: FindRecording) -> Event:
        found = await self.runtime.store.recording(
            self.app.hash, action.name, self.runtime.clock.now()
        )
        return RecordingMissing() if found is None else RecordingFound(silent=not found.url)

    def _append(self, fact: EventReceived) -> None:
        stored = dump_fact(fact)
        self.state.log.append(stored)
        self._record.setdefault("facts", []).append(stored)

    def _facts(self, outcome: Outcome) -> None:
        stored = [dump_fact(fact) for fact in outcome.new]
        self.state.log.extend(stored)
        if stored:
            self._record.setdefault("facts", []).extend(stored)

    def _finish(self, result: str | int, error: str) -> None:
        """End the open command: the app is to be told, unless it keeps failing."""
        state = self.state
        state.result = result
        state.error = error
        state.phase = Phase.ASKING
        if error:
            code = error.partition(":")[0]
            self.runtime.metrics.error(self.app.hash, code)
            # Nobody failed where somebody asked for it.
            state.errors_in_row += code != "BREAK"
        else:
            state.errors_in_row = 0
        if state.without_document > MAX_WITHOUT_DOCUMENT:
            self.give_up(f"{state.without_document} commands in a row needed no document")
        elif state.errors_in_row >= MAX_ERRORS:
            self.give_up(f"{MAX_ERRORS} commands in a row failed, the last with {error}")

    def _effects(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Note():
                    self.runtime.metrics.error(self.app.hash, effect.code)
                    log.warning(
                        "command.note",
                        call=self.state.callid,
                        app=self.app.hash,
                        command=self.state.command,
                        code=effect.code,
                        why=effect.text,
                    )
                case KeepRecording():
                    ms = getattr(self._heard, "duration_ms", -1)
                    self.keep(self.recording(effect.name, effect.url, effect.recording_id, ms=ms))
                case RememberCallRecording():
                    self._remember(effect.recording_id)
                    self.state.call_recording = effect.recording_id
                    if not effect.recording_id:
                        self.state.recordings = []
                case _:
                    assert_never(effect)

    def recording(
        self, name: str, url: str, recording_id: str, *, ready: bool = False, ms: int = -1
    ) -> RecordingRow:
        """Make the row that binds a recording's name for as long as settings say.

        `ms` is its length, -1 when nobody told. It is indexed as well, see `indexed`.
        """
        if url or recording_id:
            self._recordings.append(Seen(name, recording_id, CALLER, url, ms))
        expires = self.runtime.clock.now() + self.runtime.settings.recording_ttl_s
        return RecordingRow(name, self.app.hash, url, recording_id, ready, expires)

    def _remember(self, recording_id: str) -> None:
        """Index the recording of the call that was just started; "" = it was stopped."""
        if recording_id:
            url = getattr(self._heard, "recording_url", "") or getattr(self._heard, "url", "")
            wanted = bool(getattr(self.state.running.params, "transcription", False))
            seen = Seen(recording_id, recording_id, CALL, url, transcribed=wanted)
            self._recordings.append(seen)

    async def indexed(self) -> list[RecordWrite]:
        """Give what the index of recordings learns of this step."""
        writes = [
            await indexed(self.runtime, self.app.hash, self.state.callid, seen)
            for seen in self._recordings
        ]
        return [write for write in writes if write is not None]

    def hand_out(self, verbs: Sequence[Verb]) -> None:
        """Make the next document of the call and wait for its continuation.

        Raises CommandRefused when it would be larger than Plivo takes.
        """
        state = self.state
        now = self.runtime.clock.now()
        addresses = DocumentAddresses(
            public_url=self.runtime.settings.public_url,
            app=self.app.hash,
            callid=state.callid,
            step=state.step + 1,
            name=state.running.context.name if state.running else "none",
            secret=self.runtime.secret,
            expires_at=now + self.runtime.settings.media_ttl_s,
            asset=asset,
        )
        document = render(verbs, addresses)
        sounds = [row.content for row in addresses.hosted if row.content_type == SOUNDS_TYPE]
        largest = max(map(len, (document, *sounds)))
        if largest > MAX_DOCUMENT_BYTES:
            raise CommandRefused(
                "INVALID_PARAMS",
                f"{state.command}: its texts make a document of {largest} bytes, Plivo takes "
                f"{MAX_DOCUMENT_BYTES}: say it in several commands",
            )
        self.change.media.extend(addresses.hosted)
        self.document = document
        state.step += 1
        state.phase = Phase.WAITING
        state.handed_at = now
        state.without_document = 0
        state.inbox = {}
        if any(not isinstance(verb, UNANSWERING) for verb in verbs):
            state.answered = True

    def give_up(self, why: str, *, busy: bool = False) -> None:
        """End the call's dialogue with the app as its `on_failure` says, or as one that is busy."""
        log.error("call.given_up", call=self.state.callid, app=self.app.hash, why=why)
        self.note(given_up=why)
        self._close_command()
        if busy:
            self.hand_out(turned_away(self.runtime, self.app, answered=self.state.answered))
        else:
            self.hand_out(farewell(self.runtime, self.app))

    async def commit(self) -> None:
        """Store everything; afterwards it survives a kill. Raises Conflict when another wrote."""
        state = self.state
        now = self.runtime.clock.now()
        version = state.version + 1
        if self.runtime.store.shared:
            between = state.phase in {Phase.ASKING, Phase.ACTING} and not state.deferred
            state.holder = self.runtime.instance if between else ""
        records = self.said
        if state.answered and state.answered_at is None:
            state.answered_at = now
        if self.document is None and state.phase is not Phase.ENDED:
            # They travel in the state until a document is due: one row per turn instead of two.
            state.unwritten = records
        else:
            state.unwritten = []
            step = None if self.document is None else state.step
            row = HistoryRow(state.callid, version, now, to_json(records), step, self.document)
            self.change.history.append(row)
        self.change.call = CallWrite(
            state.callid,
            state.app,
            state.uuid,
            state.version,
            dump(state),
            now,
            state.ended_at,
        )
        if self._recordings:
            self.change.records += await self.indexed()
        await self.runtime.store.commit(self.change)
        state.version = version
        if not self.runtime.store.shared:
            self._count(open_command(state))

    def _count(self, now: tuple[str, int] | None) -> None:
        counts = self.runtime.open_commands
        if self._opened != now:
            if self._opened is not None:
                counts[self._opened] -= 1
            if now is not None:
                counts[now] += 1
        self._opened = now


def farewell(runtime: Runtime, app: App) -> tuple[Verb, ...]:
    """Give the verbs of the app's `on_failure` policy."""
    settings = app.settings
    if settings.on_failure == "fallback_url" and settings.fallback_url:
        retries = "" if "#" in settings.fallback_url else RETRIES
        return (Redirect(settings.fallback_url + retries),)
    if settings.on_failure == "say":
        return (*spoken(runtime, app, settings.failure_message), Hangup())
    return (Hangup(),)


def turned_away(runtime: Runtime, app: App, *, answered: bool) -> tuple[Verb, ...]:
    """Give the verbs for a caller of an app that has enough to do."""
    if not answered:
        return (Hangup("busy"),)
    return (*spoken(runtime, app, app.settings.busy_message), Hangup())


def spoken(runtime: Runtime, app: App, message: str) -> list[Speak]:
    """Say a text of the settings in the voice the app has for it."""
    default = runtime.settings.default_voice
    chosen = app.settings.failure_voice or default
    voice = resolve_voice(chosen, runtime.settings.voices, default).voice
    return [Speak(part, voice.voice, voice.language) for part in split_text(clean_text(message))]


__all__ = [
    "MAX_DOCUMENT_BYTES",
    "MAX_ERRORS",
    "MAX_WITHOUT_DOCUMENT",
    "Transaction",
    "farewell",
    "spoken",
    "turned_away",
]
