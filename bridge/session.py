"""One webhook, start to end: lock the call, take the step, ask the app, hand out a document.

The order of commits is the contract (docs/adr/0002): event, result and the intent to ask are stored
before the app is asked; its reply, the first action and the document before Plivo gets them. So a
killed process resumes where it was, and the same (call, step) always gets the same document.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Final

import structlog

from bridge import steps
from bridge.addresses import NOWHERE, continuation_url
from bridge.asking import NOT_ASKED, Question, ask
from bridge.continuations import what_came
from bridge.new_call import new_call
from bridge.outbound.arrivals import Arrivals
from bridge.replicas import Replicas, create
from bridge.rest_actions import BUDGET_S
from bridge.rt_client import AppBusy, AppFailure, AppInterrupted, AppReplyInvalid
from bridge.state import CallState, Phase, load
from bridge.store.protocol import Conflict
from bridge.telemetry import log_line
from bridge.transaction import Transaction, farewell
from bridge.turns import Turn, UnknownCall, result_class, same_call, turn_line
from mappings._kernel.actions import REPEATABLE, FindRecording, Reply
from mappings._kernel.engine import Finished
from mappings._kernel.events import Broken, RestDone, RestUnknown
from mappings._plivo.render import render
from mappings._plivo.verbs import Hangup, Redirect, Wait
from mappings._rt.reader import ReplyError, RtResponse, read_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.rest_actions import RestActions
    from bridge.runtime import App, Runtime
    from bridge.turns import Line
    from mappings._kernel.actions import RestAction
    from mappings._kernel.events import Event
    from mappings._plivo.verbs import NextKind

log = structlog.get_logger()

#: Kept free at the end of a webhook's budget for commits and rendering, in s.
RESERVE_S: Final = 0.5


class Session:
    """The live calls of this process."""

    def __init__(self, runtime: Runtime, actions: RestActions) -> None:
        self.runtime = runtime
        self._actions = actions
        #: Which intents to call somebody became which calls.
        self.arrivals = Arrivals(runtime)
        #: The lock of a call is under its callid, that of one being created under app and CallUUID.
        self.locks = actions.locks
        self._turns: dict[int, Turn] = {}
        self.replicas = Replicas(runtime)
        #: Told when a turn of this process is over, whatever became of it.
        self.on_turn_end: Callable[[int], Awaitable[None]] | None = None
        #: Whether a call ended before the app heard of it; asked under the lock of its creation.
        self.was_over: Callable[[str, str], bool] = lambda _app, _uuid: False
        #: Calls that were just created, whose first question has not been put.
        self._fresh: set[int] = set()
        #: Calls that ended while a turn of theirs was in progress.
        self._overtaken_calls: set[int] = set()

    def in_turn(self, callid: int) -> bool:
        """Tell whether this process is in the middle of a turn of that call."""
        return callid in self._turns

    async def answer(self, app: App, form: Mapping[str, str], line: Line, token: str = "") -> bytes:
        """Answer the first request of a call, or a repetition of it, with its first document.

        `line` is the webhook's canonical log line; the call and its command are noted there.
        `token` is that of the URL, if it is one of an outbound call (bridge.outbound).
        """
        callid = await self._callid(app, form, token)
        if callid is None:
            line["outcome"] = "over"
            return HANGUP
        return await self.resume(app, callid, 0, "next", form, line)

    async def fallback(
        self, app: App, form: Mapping[str, str], line: Line, token: str = ""
    ) -> bytes:
        """Answer the fallback URL: the newest document of the call, or its first."""
        callid = await self._callid(app, form, token)
        if callid is None:
            line["outcome"] = "over"
            return HANGUP
        state = await self.read(callid)
        if state is not None and state.phase is Phase.WAITING:
            line.update(call=callid, command=state.command, step=state.step)
            document = await self.runtime.store.document(callid, state.step)
            if document is not None:
                return document
        return await self.resume(app, callid, state.step if state else 0, "next", form, line)

    def forget(self, callid: int) -> None:
        """Drop what this process remembers of a call that ended."""
        self._fresh.discard(callid)
        if callid in self._turns:
            self._overtaken_calls.add(callid)

    async def read(self, callid: int) -> CallState | None:
        """Read the stored state of a call."""
        stored = await self.runtime.store.load_call(callid)
        return None if stored is None else load(stored.blob, stored.version)

    async def _callid(self, app: App, form: Mapping[str, str], token: str) -> int | None:
        """Find or create the call; None when it ended before the app ever heard of it."""
        uuid = form["CallUUID"]
        async with self.locks[app.hash, uuid]:
            callid = await self.runtime.store.find_call(app.hash, uuid)
            if callid is None and not self.was_over(app.hash, uuid):
                transaction = Transaction(
                    self.runtime, app, await new_call(self.runtime, app, form)
                )
                transaction.note(call=form.get("Direction", ""))
                async with self.arrivals.claim(token, transaction) as mine:
                    if not mine:
                        return None
                    if overtaken := await create(transaction):
                        return overtaken[0]
                callid = transaction.state.callid
                self._fresh.add(callid)
        return callid

    async def resume(  # noqa: PLR0917 - what the route holds, and the log line
        self,
        app: App,
        callid: int,
        step: int,
        kind: NextKind,
        form: Mapping[str, str],
        line: Line,
    ) -> bytes:
        """Answer the continuation of a document. Raises UnknownCall."""
        begun = asyncio.get_running_loop().time()
        async with self.locks[callid]:
            state = await self.read(callid)
            if state is None or not same_call(state, app, form):
                raise UnknownCall(f"call {callid} of app {app.hash} is not in the store")
            line.update(call=callid, command=state.command, step=step)
            if kind == "break" and step < state.step:
                # Plivo broke off a later document than was meant: that one is to begin anew.
                step = state.step - (state.phase is Phase.WAITING)
            if state.phase is Phase.ENDED or step != state.step:
                line["outcome"] = "duplicate"
                return await self._old_document(state, step)
            turn = self._turns.get(callid) or await self.replicas.turn_of(state)
            if turn is None:
                interrupted = not (
                    state.phase is Phase.WAITING or state.deferred or callid in self._fresh
                )
                if state.phase is Phase.WAITING:
                    document = await self._take(app, state, kind, form)
                    line["result"] = result_class(state)
                    if document is not None:
                        return document
                self._turns[callid] = mine = Turn()
        if turn is not None:
            line["outcome"] = "duplicate"
            budget = self.runtime.settings.webhook_budget_s
            await turn.wait(begun + budget - asyncio.get_running_loop().time())
            return await self._old_document(await self.read(callid) or state, step)
        try:
            return await self._advance(app, state, begun, interrupted=interrupted)
        finally:
            del self._turns[callid]
            mine.end()
            if self._overtaken_calls and callid in self._overtaken_calls:
                self._overtaken_calls.discard(callid)
                if self.on_turn_end is not None:
                    await self.on_turn_end(callid)

    async def _take(
        self, app: App, state: CallState, kind: NextKind, form: Mapping[str, str]
    ) -> bytes | None:
        """Consume the continuation of the newest document; give the next one if it needs no app."""
        if form.get("CallStatus") == "in-progress":
            state.answered = True
        event, rows = await what_came(self.runtime, state, kind, form)
        if isinstance(event, Broken):
            state.broken = state.step
        transaction = Transaction(self.runtime, app, state)
        if state.start is None:
            # A farewell was handed out and Plivo still came back: say it again.
            transaction.hand_out(farewell(self.runtime, app))
        else:
            await transaction.take(event)
        transaction.change.outbox += rows
        await transaction.commit()
        return transaction.document

    async def _advance(
        self, app: App, state: CallState, begun: float, *, interrupted: bool
    ) -> bytes:
        """Ask the app and act for it until a document is due; the caller owns the turn."""
        settings = self.runtime.settings
        longest_s = max(settings.app_timeout_s, BUDGET_S) + RESERVE_S
        last_begin = begun + settings.webhook_budget_s - longest_s
        callid = state.callid
        first = True
        if interrupted and state.holder:
            # Of the replicas that find the turn of a dead one, one goes on with it.
            await Transaction(self.runtime, app, state).commit()
        while True:
            if state.phase is Phase.ENDED:
                return HANGUP
            if state.phase is Phase.WAITING:
                return await self._old_document(state, state.step - 1)
            if not first and asyncio.get_running_loop().time() > last_begin:
                return await self._defer(app, state)
            self._fresh.discard(callid)
            if state.deferred:
                state = await self._undefer(app, state)
                continue
            first = False
            outcome: RtResponse | AppFailure | Event
            if state.phase is Phase.ASKING:
                outcome = await self._ask(app, state, interrupted=interrupted)
            else:
                outcome = await self._act(app, state, interrupted=interrupted)
            interrupted = False
            state, document = await self._settle(app, state, outcome)
            if document is not None:
                return document

    async def _settle(
        self, app: App, state: CallState, outcome: RtResponse | AppFailure | Event
    ) -> tuple[CallState, bytes | None]:
        """Commit what came of asking or acting; of a call that moved on meanwhile, read the state.

        Over a network the commit is the look as well: it says when somebody else came before.
        """
        async with self.locks[state.callid]:
            if self.runtime.store.shared or not await self._moved_on(state):
                transaction = Transaction(self.runtime, app, state)
                await self._apply(transaction, outcome)
                try:
                    await transaction.commit()
                except Conflict:
                    if not await self._moved_on(state):
                        raise
                    document = await self.runtime.store.document(state.callid, state.step)
                    if document is None or document != transaction.document:
                        return await self._overtaken(app, state, outcome), None
                    # Ours was applied, its answer was lost, and somebody went on from there.
                return state, transaction.document
            return await self._overtaken(app, state, outcome), None

    async def _moved_on(self, state: CallState) -> bool:
        """Tell whether somebody else wrote the call since we did."""
        stored = await self.runtime.store.load_call(state.callid)
        return stored is None or stored.version != state.version

    async def _defer(self, app: App, state: CallState) -> bytes:
        """Tell Plivo to come back, and remember that this turn has not begun."""
        async with self.locks[state.callid]:
            if not await self._moved_on(state):
                state.deferred = True
                await Transaction(self.runtime, app, state).commit()
        return self._later(state)

    async def _undefer(self, app: App, state: CallState) -> CallState:
        """Note that the turn begins now; from here on a restart may have interrupted it."""
        async with self.locks[state.callid]:
            if await self._moved_on(state):
                return await self._reread(app, state.callid)
            state.deferred = False
            await Transaction(self.runtime, app, state).commit()
            return state

    async def _reread(self, app: App, callid: int) -> CallState:
        if (state := await self.read(callid)) is None:
            raise UnknownCall(f"call {callid} of app {app.hash} is not in the store")
        return state

    async def _ask(
        self, app: App, state: CallState, *, interrupted: bool
    ) -> RtResponse | AppFailure:
        """Post the RT.Request of this turn; one canonical log line each."""
        if interrupted and app.settings.after_crash == "fail":
            return AppInterrupted(
                "a restart interrupted the question to the app (after_crash = fail)"
            )
        body = steps.request_body(state)
        known = bool(state.command or state.error or state.request_hash)
        question: Question = "later" if known else "first"
        begun = perf_counter()
        answer: RtResponse | AppFailure
        try:
            answer = read_response(await ask(self.runtime, app, body, question))
        except AppFailure as failure:
            answer = failure
        except ReplyError as error:
            answer = AppReplyInvalid.of(error)
        seconds = perf_counter() - begun
        result = result_class(state)
        if state.command:
            self.runtime.metrics.turn(app.hash, state.command, result)
        line = turn_line(state, answer, result, seconds, again=interrupted)
        if isinstance(answer, AppFailure):
            state.untold = answer.delivered is False and not (known or interrupted)
            self.runtime.metrics.error(app.hash, answer.code)
            tell = log.info if isinstance(answer, NOT_ASKED) else log.error
            tell("rt.turn", **line, why=str(answer), excerpt=answer.excerpt)
        else:
            log_line("rt.turn", line)
        return answer

    async def _act(self, app: App, state: CallState, *, interrupted: bool) -> Event:
        """Perform the REST action the open command waits for."""
        pending = steps.feed(state)
        if isinstance(pending, Finished) or isinstance(pending.action, Reply | FindRecording):
            return RestUnknown("the command no longer waits for Plivo's REST API")
        action: RestAction = pending.action
        if interrupted and not isinstance(action, REPEATABLE):
            return RestUnknown("a restart interrupted the request to Plivo")
        return await self._actions.perform(app, state, action, again=interrupted)

    async def _apply(
        self, transaction: Transaction, outcome: RtResponse | AppFailure | Event
    ) -> None:
        state = transaction.state
        if isinstance(outcome, AppFailure):
            transaction.note(failure=outcome.code)
            transaction.give_up(str(outcome), busy=isinstance(outcome, AppBusy))
        elif isinstance(outcome, RtResponse):
            transaction.note(
                asked=[
                    state.command,
                    state.command_id,
                    state.result,
                    state.error,
                    state.call_status,
                ],
                reply=[outcome.command, outcome.command_id, outcome.variables],
            )
            await transaction.start(outcome)
        else:
            if isinstance(outcome, RestDone) and (url := outcome.recording_url):
                state.recordings.append([outcome.recording_id, url])
            await transaction.take(outcome)

    async def _overtaken(
        self, app: App, asked: CallState, outcome: RtResponse | AppFailure | Event
    ) -> CallState:
        """Read the call again, which ended while we were out: what came back has no effect on it.

        The app did answer, so its new command is what the final request will name.
        """
        state = await self._reread(app, asked.callid)
        self.replicas.check(state)
        if state.phase is Phase.ENDED:
            self._overtaken_calls.add(state.callid)
        if isinstance(outcome, RtResponse) and state.phase is Phase.ENDED:
            state.command, state.command_id = outcome.command, outcome.command_id
            state.variables, state.result, state.error = outcome.variables, "", ""
            transaction = Transaction(self.runtime, app, state)
            transaction.note(reply=[outcome.command, outcome.command_id, outcome.variables])
            await transaction.commit()
        elif asked.untold and state.phase is Phase.ENDED:
            state.untold = True
            await Transaction(self.runtime, app, state).commit()
        return state

    async def _old_document(self, state: CallState, step: int) -> bytes:
        """Answer a request for a step that was taken before, or one that cannot be taken."""
        document = await self.runtime.store.document(state.callid, step + 1)
        if document is not None:
            return document
        if state.phase is Phase.ENDED:
            return HANGUP
        if step > state.step:
            log.error(
                "call.step_unknown", call=state.callid, app=state.app, step=step, at=state.step
            )
        return self._later(state)

    def _later(self, state: CallState) -> bytes:
        """Tell Plivo to come back to the newest step in a second."""
        url = continuation_url(
            self.runtime.settings.public_url, state.app, state.callid, state.step, "next"
        )
        return render((Wait(1), Redirect(url)), NOWHERE)


HANGUP: Final = render((Hangup(),), NOWHERE)

__all__ = ["HANGUP", "Session"]
