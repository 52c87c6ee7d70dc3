"""What webhooks tell of outbound calls: which intent became which call."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from bridge.outbound.intents import Phase
from bridge.outbound.ledger import Ledger
from bridge.store.protocol import Conflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bridge.outbound.intents import Intent
    from bridge.runtime import App, Runtime
    from bridge.state import CallState
    from bridge.transaction import Transaction

log = structlog.get_logger()


class Arrivals:
    """Ties webhooks to intents by the token in their URL."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store
        self.ledger = Ledger(runtime)

    @asynccontextmanager
    async def claim(
        self, token: str, transaction: Transaction, *, over: bool = False
    ) -> AsyncIterator[bool]:
        """Make a new call that of an intent, within the transaction that creates it.

        Gives False when it must not be served: its intent is done with, so the app was told
        already, or another call is that of the intent. Commit inside. `over` = it never got up.
        Raises Conflict when another replica was faster with this very call.
        """
        if not token:
            yield True
            return
        async with self.ledger.locks[token]:
            yield await self._claim(token, transaction, over=over)

    async def _claim(self, token: str, transaction: Transaction, *, over: bool) -> bool:
        state = transaction.state
        intent = await self.ledger.read(token)
        if intent is None:
            # The store was replaced meanwhile: the app knows the hash, so it is served as usual.
            log.warning("outbound.unknown", call=state.callid, app=state.app)
            state.request_hash = token
            return True
        if intent.done and await self._is_known(intent, state):
            raise Conflict(f"Another replica has just stored the call of the intent {token}.")
        if intent.app != state.app or intent.done or _is_another(intent, state.uuid):
            log.error(
                "outbound.not_adopted",
                app=state.app,
                uuid=state.uuid,
                phase=intent.phase,
                call=intent.callid,
                why="its intent is done with, or is that of another call",
            )
            return False
        describe(state, intent)
        intent.phase = Phase.OVER if over else Phase.ADOPTED
        intent.uuid, intent.callid = state.uuid, state.callid
        transaction.note(intent=intent.hash)
        transaction.change.records.append(self.ledger.written(intent))
        return True

    async def _is_known(self, intent: Intent, state: CallState) -> bool:
        same = (intent.app, intent.uuid) == (state.app, state.uuid)
        return same and await self._store.find_call(state.app, state.uuid) is not None

    async def rang(self, app: App, token: str, form: Mapping[str, str]) -> None:
        """Take note that Plivo dialled: what the phone does is not unknown any more."""
        async with self.ledger.locks[token]:
            intent = await self.ledger.read(token)
            if intent is None or intent.app != app.hash or intent.done or intent.uuid:
                return
            intent.phase, intent.uuid = Phase.DIALLED, form["CallUUID"]
            intent.request_uuid = intent.request_uuid or form.get("RequestUUID", "")
            await self.ledger.commit(intent)


def describe(state: CallState, intent: Intent) -> None:
    """Write into a call what the intent says; Plivo may spell numbers differently."""
    state.started_at = intent.created_at
    state.request_hash = intent.hash
    state.cdr_field = intent.cdr_field
    state.number = intent.number
    state.cli_number = state.caller_id = intent.caller_id


def _is_another(intent: Intent, uuid: str) -> bool:
    return bool(intent.uuid and uuid and intent.uuid != uuid)


__all__ = ["Arrivals", "describe"]
