"""calls.realtime_break: end the command a live call is at, so that its app hears BREAK (docs/adr/0012).

A command waits for the continuation of its document, so it is ended by a transfer: Plivo breaks off
the running element and asks for the document at `…/{step}/break`, which is one more continuation of
that step. The first to arrive counts, as ever: what the caller did before the transfer finishes the
command as if nothing had been asked, and once Plivo has accepted the transfer it is too late for that.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge import steps
from bridge.addresses import continuation_url
from bridge.continuations import ACCEPTED, ASKED
from bridge.live_calls import CallRefused, live_call, mark_hung_up
from bridge.plivo.rest_errors import PlivoNotFound, PlivoRefused, PlivoRestError, PlivoTimeout
from bridge.reconcile import removed_app
from bridge.replicas import LOOK_S, settled
from bridge.state import CallState, Phase
from bridge.store.protocol import OutboxRow
from bridge.transaction import Transaction
from mappings._plivo.verbs import Hangup

if TYPE_CHECKING:
    from bridge.outbox import Outbox
    from bridge.plivo.rest import PlivoRest
    from bridge.runtime import Runtime
    from bridge.session import Session

log = structlog.get_logger()

#: Transfers a call survives; one more and Plivo ends it (Plivo's page on transferring calls).
MOST_TRANSFERS: Final = 70
#: How often Plivo is asked while somebody waits for the outcome, and in all.
MOST_AT_ONCE: Final = 3
MOST_ATTEMPTS: Final = 6
#: After so long a break of which nothing more was heard is carried out again, in s.
AGAIN_AFTER_S: Final = 15.0
#: Longest a break that another replica carries out is waited for, in s: as long as it may ask Plivo.
ELSEWHERE_S: Final = 12.0
#: Lane of the outbox, as that of kicks.
PLIVO_LANE: Final = "plivo"

#: What comes of a break, by its code; the first four are answers, the others errors.
BREAK_CODES: Final[dict[str, str]] = {
    "BROKEN": "the app hears command_error BREAK",
    "NOTHING_RUNS": "no command was running: the app was being asked, or the call is being hung up",
    "FINISHED_FIRST": "the command ended by itself before Plivo could break it off",
    "CALL_ENDED": "the call has ended",
    "CALL_NOT_FOUND": "nobody knows a call with this callid",
    "CALL_OF_ANOTHER_APP": "the call is one of another app",
    "NOT_ANSWERED": "the call still rings, and Plivo transfers answered calls only",
    "TRANSFER_LIMIT": "the call was transferred as often as Plivo allows",
    "REST_UNAVAILABLE": "Plivo's REST API is switched off or did not answer",
    "REST_REFUSED": "Plivo refused the transfer",
    "REST_UNKNOWN": "nobody knows whether Plivo made the transfer; the bridge goes on trying",
}
_ANSWERS: Final = frozenset({"BROKEN", "NOTHING_RUNS", "FINISHED_FIRST", "CALL_ENDED"})


@dataclass(frozen=True, slots=True)
class BreakOutcome:
    """What came of a break: one of BREAK_CODES, and a sentence."""

    code: str
    sentence: str

    @property
    def broken(self) -> bool:
        """Say whether the app hears BREAK: the result of calls.realtime_break."""
        return self.code == "BROKEN"

    @property
    def is_error(self) -> bool:
        """Say whether it could not be done, rather than that there was nothing to do."""
        return self.code not in _ANSWERS


class Breaks:
    """Ends the commands of live calls."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        outbox.handlers["break"] = self._again

    async def break_command(self, callid: int, *, app: str | None = None) -> BreakOutcome:
        """End the command a call is at; `app` (a hash) restricts it to calls of that app.

        The app is not asked before this returns. Asked again for the same command, it is not
        carried out again. Raises StoreError.
        """
        # Before the lock of the call, which is taken inside: one transfer at a time.
        async with self._session.locks["break", callid]:
            try:
                await live_call(self._runtime, callid, app=app)
            except CallRefused as refused:
                return BreakOutcome(refused.code, str(refused))
            outcome = await self._break(callid)
        log.info("call.break", call=callid, outcome=outcome.code, why=outcome.sentence)
        return outcome

    async def mark_hung_up(self, callid: int) -> None:
        """Store that we are about to hang up a call (bridge.live_calls)."""
        await mark_hung_up(self._runtime, self._session.locks, callid)

    async def _break(self, callid: int) -> BreakOutcome:
        rest = self._runtime.rest
        if rest is None:
            return _outcome("REST_UNAVAILABLE", "BRIDGE_PLIVO_REST is false")
        step = -1
        for _ in range(MOST_AT_ONCE):
            begun = await self._begin(callid, step)
            if isinstance(begun, BreakOutcome):
                return begun
            step = begun.step
            try:
                await self._transfer(rest, begun)
            except PlivoTimeout:
                break
            except (PlivoRestError, ValueError) as error:
                if isinstance(error, PlivoRestError) and error.maybe_done:
                    continue
                await settled(partial(self._withdraw, callid, step))
                return _refusal(error, begun)
            return await settled(partial(self._accepted, callid, step))
        ended = await self._ended_meanwhile(callid, step)
        return ended or _outcome("REST_UNKNOWN", f"call {callid} may be transferred in a moment")

    async def _begin(self, callid: int, step: int) -> CallState | BreakOutcome:
        """Store the intent to break, unless another replica is at it: its outcome is ours too."""
        loop = asyncio.get_running_loop()
        end = loop.time() + ELSEWHERE_S
        while loop.time() < end:
            begun = await settled(partial(self._intend, callid, step))
            if not isinstance(begun, int):
                return begun
            step = begun
            await asyncio.sleep(LOOK_S)
        return _outcome("REST_UNKNOWN", f"another replica asks Plivo to transfer call {callid}")

    async def _intend(self, callid: int, step: int) -> CallState | BreakOutcome | int:
        """Store that the command is to be broken, before Plivo is told; -1 = whichever runs now.

        Gives the step when another replica has stored that and is still at it.
        """
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if step >= 0 and (ended := self._judge(state, callid, step)) is not None:
                return ended
            if state is None or not _runs_a_command(state):
                return _outcome("NOTHING_RUNS", f"call {callid} is between two commands")
            if self._is_accepted(state):
                return _outcome("BROKEN", f"{state.command} of call {callid} was broken already")
            if await self._is_elsewhere(state):
                return state.step
            return await self._count(state)

    async def _is_elsewhere(self, state: CallState) -> bool:
        by = state.inbox.get("break_by", self._runtime.instance)
        asked = state.inbox.get("break") == ASKED and by != self._runtime.instance
        return asked and await self._session.replicas.lives(by)

    async def _count(self, state: CallState) -> CallState | BreakOutcome:
        """Commit one more transfer of this call, under its lock."""
        if state.transfers >= MOST_TRANSFERS:
            return _outcome(
                "TRANSFER_LIMIT", f"call {state.callid} was transferred {MOST_TRANSFERS} times"
            )
        state.transfers += 1
        state.inbox["break"] = ASKED
        state.inbox["break_by"] = self._runtime.instance
        transaction = self._transaction(state)
        transaction.note(break_asked=state.step, transfers=state.transfers)
        transaction.put_out(self._row(state))
        await transaction.commit()
        return state

    async def _transfer(self, rest: PlivoRest, state: CallState) -> None:
        url = continuation_url(
            self._runtime.settings.public_url, state.app, state.callid, state.step, "break"
        )
        # Not repeated by the client: each transfer counts, and whether one more is due may have changed.
        await rest.transfer_call(state.uuid, url, repeat=False)

    async def _accepted(self, callid: int, step: int) -> BreakOutcome:
        """Store that Plivo has accepted the transfer: from here on nothing else ends the command."""
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            ended = self._judge(state, callid, step)
            if state is None or ended is not None:
                return ended or _outcome("CALL_ENDED", f"call {callid} has ended")
            state.inbox["break"] = ACCEPTED
            state.inbox["break_at"] = self._runtime.clock.now()
            await self._transaction(state).commit()
        return _outcome("BROKEN", f"{state.command} of call {callid} was broken")

    async def _withdraw(self, callid: int, step: int) -> None:
        """Take back what Plivo did not do."""
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if state is not None and _waits(state, step) and state.inbox.get("break") == ASKED:
                del state.inbox["break"]
                state.inbox.pop("break_by", None)
                await self._transaction(state).commit()

    async def _ended_meanwhile(self, callid: int, step: int) -> BreakOutcome | None:
        async with self._session.locks[callid]:
            return self._judge(await self._session.read(callid), callid, step)

    def _judge(self, state: CallState | None, callid: int, step: int) -> BreakOutcome | None:
        """Say how the command of this document ended; None = it has not."""
        if state is not None and _waits(state, step):
            return None
        if state is not None and state.broken == step:
            return _outcome("BROKEN", f"the command of call {callid} was broken")
        if state is None or state.phase is Phase.ENDED:
            return _outcome("CALL_ENDED", f"call {callid} has ended meanwhile")
        return _outcome(
            "FINISHED_FIRST", f"the command of call {callid} ended by itself just before"
        )

    async def _again(self, row: OutboxRow) -> bool:
        """Carry out a break that a restart or a lost answer interrupted, if it is still due."""
        step, rest = int(from_json(row.body)), self._runtime.rest
        async with self._session.locks["break", row.callid]:
            state = await self._counted_again(row, step)
            if state is None or rest is None:
                await settled(partial(self._withdraw, row.callid, step))
                return True
            try:
                await self._transfer(rest, state)
            except (PlivoRestError, ValueError) as error:
                log.warning("call.break_failed", call=row.callid, app=state.app, why=str(error))
                if isinstance(error, PlivoRestError) and not isinstance(error, PlivoNotFound):
                    return await self._outbox.later(row)
                await settled(partial(self._withdraw, row.callid, step))
                return True
            await settled(partial(self._accepted, row.callid, step))
            return True

    async def _counted_again(self, row: OutboxRow, step: int) -> CallState | None:
        """Count one more transfer of a command that still is to be broken; None = give it up."""
        async with self._session.locks[row.callid]:
            state = await self._session.read(row.callid)
            if state is None or not _waits(state, step) or state.inbox.get("break") != ASKED:
                return None
            if row.attempts >= MOST_ATTEMPTS or state.transfers >= MOST_TRANSFERS:
                log.warning("call.break_given_up", call=row.callid, app=state.app)
                return None
            state.transfers += 1
            state.inbox["break_by"] = self._runtime.instance
            await self._transaction(state).commit()
            return state

    def _is_accepted(self, state: CallState) -> bool:
        since = self._runtime.clock.now() - state.inbox.get("break_at", 0.0)
        return state.inbox.get("break") == ACCEPTED and since < AGAIN_AFTER_S

    def _transaction(self, state: CallState) -> Transaction:
        runtime = self._runtime
        return Transaction(runtime, runtime.apps.get(state.app) or removed_app(state.app), state)

    def _row(self, state: CallState) -> OutboxRow:
        due = self._runtime.clock.now() + AGAIN_AFTER_S
        key, body = f"break:{state.callid}:{state.step}", to_json(state.step)
        return OutboxRow(key, "break", state.callid, due, body, lane=PLIVO_LANE)


def _runs_a_command(state: CallState) -> bool:
    """Tell whether a document of a command is out that does not end the call."""
    if state.phase is not Phase.WAITING or state.start is None:
        return False
    return not any(isinstance(verb, Hangup) for verb in steps.awaited(state))


def _waits(state: CallState, step: int) -> bool:
    return state.phase is Phase.WAITING and state.step == step


def _outcome(code: str, sentence: str) -> BreakOutcome:
    return BreakOutcome(code, sentence)


def _refusal(error: PlivoRestError | ValueError, state: CallState) -> BreakOutcome:
    if isinstance(error, PlivoNotFound):
        if state.answered:
            return _outcome("CALL_ENDED", f"Plivo knows no live call {state.callid} any more")
        return _outcome("NOT_ANSWERED", f"call {state.callid} still rings")
    refused = isinstance(error, PlivoRefused | ValueError)
    return _outcome("REST_REFUSED" if refused else "REST_UNAVAILABLE", str(error))


__all__ = ["BREAK_CODES", "MOST_TRANSFERS", "BreakOutcome", "Breaks"]
