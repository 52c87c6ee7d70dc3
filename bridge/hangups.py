"""The end of a call: stored at once, and told to the app exactly once by the final HANGUP request.

The hangup webhook only commits `ended` and one outbox row; the outbox delivers it (docs/adr/0004).
It is due at once, except when the caller ended a foreground recording whose callback is missing
(that callback makes it due), or while the app is being asked (the end of that turn makes it due).
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge import steps
from bridge.cdr import writing as cdr
from bridge.new_call import new_call
from bridge.replicas import over
from bridge.rooms import left_row
from bridge.state import CallState, Phase
from bridge.stays import stay_of
from bridge.store.protocol import Commit, Conflict, OutboxRow, RecordWrite
from bridge.transaction import Transaction
from mappings._kernel.context import restore
from mappings._kernel.events import ConferenceLeft, HungUp
from mappings._kernel.facts import dump_event, load_event, load_start
from mappings._plivo import callbacks
from mappings._plivo.hangup_causes import final_status
from mappings._plivo.verbs import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.outbox import Outbox
    from bridge.runtime import App, Runtime
    from bridge.session import Session
    from bridge.stays import Stay
    from bridge.turns import Line
    from mappings._kernel.events import Event, LeaveReason
    from mappings._plivo.verbs import Verb

log = structlog.get_logger()

#: Statuses of calls that are over; without a hangup URL they come on the answer URL (Plivo's page
#: on applications).
OVER = frozenset({"completed", "busy", "failed", "timeout", "no-answer", "cancel"})
#: Calls that ended before the app heard of them are remembered for so long (s), and so many at most:
#: Plivo repeats a request for 55 s (its callback configuration page), and a proxy may hold it up.
OVER_FOR_S: Final = 300.0
MOST_OVER: Final = 10_000
#: A call may end in a room by a request that does not say who ended it: so long the one is waited for
#: that does, in s.
REASON_GRACE_S: Final = 5.0
#: "Normal Hangup" (Plivo's hangup causes); its time limits and failures have causes of their own.
NORMAL_HANGUP: Final = "4000"


def is_hangup(form: Mapping[str, str]) -> bool:
    """Tell whether a request, on whatever URL, reports the end of the call."""
    event = form.get("Event", "").lower()
    status = form.get("CallStatus", "").lower()
    return event == "hangup" or (status in OVER and event in {"", "startapp"})


class Hangups:
    """What happens when a call is over."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        self._over: OrderedDict[tuple[str, str], float] = OrderedDict()

    def was_over(self, app_hash: str, uuid: str) -> bool:
        """Tell whether a call the app never heard of has ended within the last few minutes.

        Its answer request may still be on its way, or be repeated: it is to be answered with Hangup.
        """
        ended_at = self._over.get((app_hash, uuid))
        return ended_at is not None and self._runtime.clock.now() - ended_at <= OVER_FOR_S

    def _note_over(self, app_hash: str, uuid: str) -> None:
        self._over[app_hash, uuid] = self._runtime.clock.now()
        self._over.move_to_end((app_hash, uuid))
        if len(self._over) > MOST_OVER:
            self._over.popitem(last=False)

    async def _tell_replicas(self, app_hash: str, uuid: str) -> int | None:
        """Keep other replicas from creating a call that is over; gives its callid if one just did."""
        store = self._runtime.store
        if not store.shared:
            return None
        note = over(app_hash, uuid, self._runtime.clock.now() + OVER_FOR_S)
        with suppress(Conflict):
            await store.commit(Commit(records=[note]))
        return await store.find_call(app_hash, uuid)

    async def end(self, app: App, form: Mapping[str, str], line: Line, token: str = "") -> None:
        """Take note of a hangup webhook; a repetition does nothing.

        The call and the command it was at are noted in `line`, the webhook's canonical log line.
        `token` is that of the URL, if it is one of an outbound call (bridge.outbound).
        """
        uuid = form["CallUUID"]
        store = self._runtime.store
        async with self._session.locks[app.hash, uuid]:
            callid = await store.find_call(app.hash, uuid)
            unheard_of = not token and form.get("Direction", "").lower() != "outbound"
            if callid is None and unheard_of:
                # The caller gave up before the app ever heard of the call.
                log.info("call.never_asked", app=app.hash, uuid=uuid)
                self._note_over(app.hash, uuid)
                callid = await self._tell_replicas(app.hash, uuid)
                if callid is None:
                    return
            if callid is None:
                state = await new_call(self._runtime, app, form)
                state.call_status = _status_of_unknown(form)
                line["call"] = state.callid
                await self._close(app, state, form, token)
                return
        line["call"] = callid
        line["command"] = await self.end_call(app, callid, form)

    async def end_call(self, app: App, callid: int, form: Mapping[str, str]) -> str:
        """End a known call: the hangup webhook came, or reconciliation found it gone.

        Gives the name of its last command, "" when there was none or the call is not stored.
        """
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if state is None:
                return ""
            if state.phase is Phase.ENDED:
                await self._told_why(app, state, form)
                await cdr.call_told(self._runtime, callid, form)
                return state.command
            state.call_status = "HANGUP"
            await self._close(app, state, form)
            return state.command

    async def never_up(
        self,
        app: App,
        state: CallState,
        form: Mapping[str, str],
        records: Sequence[RecordWrite],
    ) -> None:
        """Store a call that is over already, with the records that go with it, to tell its app."""
        transaction = Transaction(self._runtime, app, state)
        transaction.change.records.extend(records)
        await self._finish(transaction, form)

    async def _close(
        self, app: App, state: CallState, form: Mapping[str, str], token: str = ""
    ) -> None:
        transaction = Transaction(self._runtime, app, state)
        async with self._session.arrivals.claim(token, transaction, over=True) as mine:
            if mine:
                await self._finish(transaction, form)

    async def _finish(self, transaction: Transaction, form: Mapping[str, str]) -> None:
        runtime, app, state = self._runtime, transaction.app, transaction.state
        now = runtime.clock.now()
        due = now
        waiting = state.phase is Phase.WAITING and state.start is not None
        stay = stay_of(state)
        if stay is not None:
            # The callback that reports its leaving may be lost, and others may wait for it.
            transaction.put_out(left_row(stay, now))
        await cdr.leg_over(transaction)
        if waiting and "recording" in state.inbox:
            transaction.close(load_event(state.inbox["recording"]))
        elif waiting and any(map(_records, steps.awaited(state))):
            due = now + runtime.settings.recording_grace_s
        elif stay is not None and not _says_why(form):
            due = now + REASON_GRACE_S
        elif state.start is not None:
            transaction.close(self._end_of(state, form, stay))
        elif self._session.in_turn(state.callid) or await self._session.replicas.turn_of(state):
            due = now + runtime.settings.app_timeout_s + 1
        state.phase = Phase.ENDED
        state.ended_at = now
        state.cause = form.get("HangupCauseName") or form.get("HangupCause", "")
        transaction.note(
            ended=state.call_status, cause=state.cause, source=form.get("HangupSource", "")
        )
        transaction.put_out(final_row(state.callid, due, app.hash))
        await cdr.call_over(transaction, form)
        await transaction.commit()
        self._session.forget(state.callid)
        self._outbox.wake()
        log.info(
            "call.ended",
            call=state.callid,
            app=app.hash,
            status=state.call_status,
            cause=state.cause,
            by=form.get("HangupSource", ""),
            seconds=round(now - state.started_at, 3),
        )

    def _end_of(self, state: CallState, form: Mapping[str, str], stay: Stay | None) -> Event:
        """Give the event that closes the open command: a room that ends takes its members with it.

        Plivo hangs up the members of a conference that is ended through its API, and perhaps of one
        that ends by itself (its page on conferences); a call that we hung up ourselves is marked.
        """
        source, code = form.get("HangupSource", ""), form.get("HangupCauseCode", "")
        ended_itself = source == "Plivo" and code == NORMAL_HANGUP
        if stay is None or not (ended_itself or source == "API Request"):
            return HungUp()
        if "hung_up" in state.inbox:
            return HungUp()
        alone = ended_itself and self._runtime.rest is None and stay.leave_when_alone
        why: LeaveReason = "LAST_PARTICIPANT" if alone else "CONFERENCE_CLOSED"
        return ConferenceLeft(state.inbox.get("reason", why))

    async def _told_why(self, app: App, state: CallState, form: Mapping[str, str]) -> None:
        """Hear how a call ended in a room whose end another request had reported first."""
        stay = stay_of(state, ended=True)
        if stay is None or not _says_why(form):
            return
        transaction = Transaction(self._runtime, app, state)
        transaction.close(self._end_of(state, form, stay))
        await self._due_at_once(transaction)
        await transaction.commit()
        self._outbox.wake()

    async def recorded(
        self, app: App, callid: int, step: int, name: str, form: Mapping[str, str]
    ) -> None:
        """Take note of a Record callback: the file is ready, whatever became of the call."""
        event = callbacks.recording(form)
        if event is None:
            return
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if state is None or state.app != app.hash:
                return
            transaction = Transaction(self._runtime, app, state)
            transaction.note(recorded=name)
            row = transaction.recording(
                name, event.url, event.recording_id, ready=True, ms=event.duration_ms
            )
            open_here = step == state.step and any(map(_records, steps.awaited(state)))
            if not open_here:
                # The command went on: only the file matters, and a turn may be in progress.
                change = Commit(recordings=[row], records=await transaction.indexed())
                await self._runtime.store.commit(change)
                return
            transaction.keep(row)
            if state.phase is Phase.ENDED:
                transaction.close(event)
                await self._due_at_once(transaction)
            else:
                state.inbox["recording"] = dump_event(event)
            await transaction.commit()
        self._outbox.wake()

    async def recorded_late(
        self, app: App, callid: int, step: int, form: Mapping[str, str]
    ) -> None:
        """Take note of a Record action that came after the call had ended, if it is still awaited."""
        state = await self._session.read(callid)
        if state is not None and state.phase is Phase.ENDED and state.start is not None:
            name = restore(load_start(state.start).inputs).name
            await self.recorded(app, callid, step, name, form)

    async def turn_ended(self, callid: int) -> None:
        """Make the final request due when a turn ends after its call did."""
        row = await self._runtime.store.outbox_row(final_key(callid))
        if row is not None and not row.body:
            # Swapped: a row that was sent meanwhile, with its frozen body, stays as it is.
            change = Commit(outbox_swap=[(row, self._due_now(row))])
            await self._runtime.store.commit(change)
            self._outbox.wake()

    async def _due_at_once(self, transaction: Transaction) -> None:
        """Let the final request go out with this commit, unless it was sent already."""
        final = await self._runtime.store.outbox_row(final_key(transaction.state.callid))
        if final is not None and not final.body:
            transaction.change.outbox_swap.append((final, self._due_now(final)))

    def _due_now(self, row: OutboxRow) -> OutboxRow:
        return replace(row, due=self._runtime.clock.now())


def _status_of_unknown(form: Mapping[str, str]) -> str:
    """Say how an outbound call ended of which nothing else was ever heard."""
    if form.get("AnswerTime") or callbacks.milliseconds(form.get("Duration")) > 0:
        return "HANGUP"
    return final_status(
        form.get("CallStatus", ""),
        form.get("HangupCauseCode"),
        form.get("HangupCause"),
        form.get("HangupSource"),
    )


def final_key(callid: int) -> str:
    """Give the outbox key of a call's final request: there can be only one."""
    return f"final:{callid}"


def final_row(callid: int, due: float, app: str) -> OutboxRow:
    """Make the outbox row of a call's final request to its app (a hash)."""
    return OutboxRow(final_key(callid), "final", callid, due, lane=f"app:{app}")


def _says_why(form: Mapping[str, str]) -> bool:
    """Tell whether a request is the one that says who ended a call, and not just that it is over."""
    return "HangupSource" in form or form.get("Event", "").lower() == "hangup"


def _records(verb: Verb) -> bool:
    return isinstance(verb, Record) and not verb.record_session


__all__ = ["Hangups", "final_key", "final_row", "is_hangup"]
