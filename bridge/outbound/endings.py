"""The end of intents that never became a call: the app gets its one request, as of any call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bridge.outbound.arrivals import describe
from bridge.outbound.intents import Phase
from bridge.reconcile import removed_app
from bridge.state import CallState

if TYPE_CHECKING:
    from bridge.hangups import Hangups
    from bridge.outbound.intents import Intent
    from bridge.outbound.ledger import Ledger
    from bridge.runtime import Runtime
    from mappings._plivo.hangup_causes import FinalStatus

log = structlog.get_logger()


class Endings:
    """Ends intents; the caller holds the lock of the intent, which is as it was read."""

    def __init__(self, runtime: Runtime, ledger: Ledger, hangups: Hangups) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._hangups = hangups

    async def rejected(self, intent: Intent, why: str) -> None:
        """End an intent that Plivo refused, or of which nobody ever heard."""
        self._runtime.metrics.outbound(intent.app, "rejected")
        log.error("outbound.rejected", app=intent.app, intent=intent.hash, why=why)
        await self.ended(intent, "REJECTED", why)

    async def ended(self, intent: Intent, status: FinalStatus, cause: str) -> None:
        """End an intent: one commit of the intent, its call, and the only request about it."""
        runtime = self._runtime
        state = CallState(
            callid=await runtime.store.allocate_callid(),
            app=intent.app,
            uuid=intent.uuid,
            started_at=intent.created_at,
            call_status=status,
            cause=cause,
        )
        describe(state, intent)
        intent.phase, intent.callid = Phase.OVER, state.callid
        app = runtime.apps.get(intent.app) or removed_app(intent.app)
        form = {"HangupCauseName": cause, "HangupSource": "Unknown"}
        await self._hangups.never_up(app, state, form, [self._ledger.written(intent)])


__all__ = ["Endings"]
