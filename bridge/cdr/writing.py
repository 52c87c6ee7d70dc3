"""Writing call records: in the commit that ends a leg, and amended by what comes after it.

Plivo's callback about a dialled leg may come before the call goes on, after, twice or never; each
adds what it knows. A record that exists is never made again, so that nothing of it is lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bridge import steps
from bridge.cdr.commands_run import commands_run
from bridge.cdr.record import KIND, Cdr, key_of, load, written
from bridge.state import Phase
from bridge.store.protocol import Commit
from mappings._kernel.actions import Reply
from mappings._kernel.engine import Finished
from mappings._kernel.events import DialEnded
from mappings._plivo.callbacks import milliseconds as number
from mappings._plivo.hangup_causes import final_status
from mappings._plivo.numbers import to_e164
from mappings._plivo.verbs import Dial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.runtime import Runtime
    from bridge.state import CallState
    from bridge.store.protocol import RecordWrite
    from bridge.transaction import Transaction
    from mappings._kernel.events import Event

#: Far beyond what Plivo sends; keeps hostile forms out of the records.
LONGEST: Final = 128


async def call_over(transaction: Transaction, form: Mapping[str, str]) -> None:
    """Write the record of a call that has just ended, and that of the leg it was connected to.

    `form` is that of the hangup webhook, or what is known in its place; call it last of all before
    the commit. Reads the history of the call, once in its life.
    """
    runtime, state = transaction.runtime, transaction.state
    if not runtime.settings.cdr_retention_s:
        return
    history = await runtime.store.history(state.callid)
    ended_at = runtime.clock.now() if state.ended_at is None else state.ended_at
    duration = _seconds(form, "Duration")
    answered_at = _answered(state.answered_at, duration, form.get("AnswerTime"), ended_at)
    cdr = Cdr(
        state.callid,
        0,
        state.app,
        "inbound" if state.request_hash is None else "outbound",
        state.cli_number,
        state.number,
        state.started_at,
        ended_at,
        uuid=state.uuid,
        request_hash=state.request_hash,
        cdr_field=state.cdr_field,
        answered_at=answered_at,
        duration=_duration(duration, answered_at, ended_at),
        billed=_seconds(form, "BillDuration"),
        status=state.call_status,
        ended_by=text_of(form, "HangupSource"),
        cause_code=text_of(form, "HangupCauseCode"),
        cause=text_of(form, "HangupCauseName") or text_of(form, "HangupCause"),
        commands=commands_run((row.body for row in history), transaction.said),
    )
    transaction.change.records.append(write(runtime, cdr, 0))


async def call_told(runtime: Runtime, callid: int, form: Mapping[str, str]) -> None:
    """Add to the record of a call what a later request says of its end.

    An action may report the end first, and it does not say how long the call was or why it ended.
    """
    stored = await runtime.store.load_record(KIND, key_of(callid, 0))
    billed = _seconds(form, "BillDuration")
    if stored is None or billed is None:
        return
    cdr = load(stored)
    if cdr.billed is not None:
        return
    cdr.billed, duration = billed, _seconds(form, "Duration")
    cdr.answered_at = _answered(cdr.answered_at, duration, form.get("AnswerTime"), cdr.ended_at)
    cdr.duration = _duration(duration, cdr.answered_at, cdr.ended_at)
    cdr.ended_by = text_of(form, "HangupSource") or cdr.ended_by
    cdr.cause_code = text_of(form, "HangupCauseCode") or cdr.cause_code
    cdr.cause = text_of(form, "HangupCauseName") or cdr.cause
    await runtime.store.commit(Commit(records=[write(runtime, cdr, stored.version)]))


async def leg_over(transaction: Transaction, event: Event | None = None) -> None:
    """Write the record of the leg that the open `dialout` has dialled, if it waits for one.

    `event` is what the call continues with; None = the call itself has ended.
    """
    runtime, state = transaction.runtime, transaction.state
    dial = dialling(state) if runtime.settings.cdr_retention_s else None
    if dial is None:
        return
    stored = await runtime.store.load_record(KIND, key_of(state.callid, state.step))
    cdr = new_leg(state, dial, runtime.clock.now()) if stored is None else load(stored)
    if isinstance(event, DialEnded):
        cdr.dial_status, cdr.cause = event.status[:LONGEST], cdr.cause or event.cause[:LONGEST]
    _judge(cdr)
    transaction.change.records.append(write(runtime, cdr, 0 if stored is None else stored.version))


def dialling(state: CallState) -> Dial | None:
    """Give the Dial whose end the open command waits for."""
    if state.command != "dialout" or state.start is None or state.phase is not Phase.WAITING:
        return None
    pending = steps.feed(state)
    if isinstance(pending, Finished) or not isinstance(pending.action, Reply):
        return None
    return next((verb for verb in pending.action.verbs if isinstance(verb, Dial)), None)


def new_leg(state: CallState, dial: Dial, now: float) -> Cdr:
    """Make the record of a leg that was dialled by the newest document of its call."""
    answered_at, uuid = state.inbox.get("leg", (None, ""))
    params: Any = state.running.params
    return Cdr(
        state.callid,
        state.step,
        state.app,
        "dialled",
        to_e164(dial.caller_id or ""),
        to_e164(dial.number),
        state.handed_at,
        now,
        uuid=uuid,
        request_hash=state.request_hash,
        cdr_field=params.cdr_field or state.cdr_field,
        answered_at=answered_at,
        duration=None if answered_at is None else round(now - answered_at),
    )


def tell(cdr: Cdr, form: Mapping[str, str]) -> bool:
    """Add what a callback says; False = nothing new."""
    before = replace(cdr)
    cdr.uuid = text_of(form, "DialBLegUUID") or cdr.uuid
    if form.get("DialAction") == "hangup":
        duration, billed = (
            _seconds(form, "DialBLegDuration"),
            _seconds(form, "DialBLegBillDuration"),
        )
        cdr.duration = cdr.duration if duration is None else duration
        cdr.billed = cdr.billed if billed is None else billed
        cdr.cause_code = text_of(form, "DialBLegHangupCauseCode") or cdr.cause_code
        cdr.cause = text_of(form, "DialBLegHangupCauseName") or cdr.cause
        cdr.ended_by = text_of(form, "DialBLegHangupSource") or cdr.ended_by
    # What answered before the end, and was only heard of after it, has nothing better to go by.
    heard_late = cdr.answered_at in {None, cdr.ended_at}
    if heard_late and (cdr.duration or form.get("DialAction") in {"answer", "connected"}):
        cdr.answered_at = max(cdr.started_at, cdr.ended_at - (cdr.duration or 0))
    _judge(cdr)
    return before != cdr


def _judge(cdr: Cdr) -> None:
    """Say how the leg ended, from all that is known of it by now."""
    word = cdr.dial_status or ("completed" if cdr.answered_at is not None else "cancel")
    cdr.status = final_status(word, cdr.cause_code, cdr.cause, cdr.ended_by)
    if cdr.answered_at is None:
        cdr.duration = cdr.duration or 0


def _answered(
    seen_at: float | None, duration: int | None, answer_time: str | None, ended_at: float
) -> float | None:
    """Give when a call was answered; Plivo's word that it never was counts more than ours."""
    if duration == 0 and not answer_time:
        # A document that answers was handed out, and the caller was gone before it took effect.
        return None
    if seen_at is None and duration:
        return ended_at - duration
    return seen_at


def _duration(told: int | None, answered_at: float | None, ended_at: float) -> int:
    if told is not None:
        return told
    return 0 if answered_at is None else round(ended_at - answered_at)


def write(runtime: Runtime, cdr: Cdr, base: int) -> RecordWrite:
    """Give the write of a record as the settings want it kept."""
    settings = runtime.settings
    return written(cdr, base, keep_s=settings.cdr_retention_s, redact=settings.cdr_redact)


def _seconds(form: Mapping[str, str], name: str) -> int | None:
    found = number(form.get(name))
    return None if found < 0 else found


def text_of(form: Mapping[str, str], name: str) -> str:
    """Read a value of a form, cut to what Plivo could mean."""
    return form.get(name, "")[:LONGEST]


__all__ = ["call_over", "call_told", "dialling", "leg_over", "new_leg", "tell", "text_of", "write"]
