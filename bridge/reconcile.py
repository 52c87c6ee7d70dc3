"""Housekeeping: calls whose hangup webhook never came, and what has outlived its retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.plivo.rest_errors import PlivoRestError
from bridge.state import load
from bridge.store.protocol import StoreError

if TYPE_CHECKING:
    from bridge.hangups import Hangups
    from bridge.runtime import Runtime

log = structlog.get_logger()

#: How often stale calls are looked for, in s.
INTERVAL_S: Final = 60.0
#: Stale calls looked up at Plivo per round: far below its 300 requests per 5 s.
MOST_PER_ROUND: Final = 50
#: Without a word from Plivo's REST API a call counts as over after its longest life, in s.
LONGEST_CALL_S: Final = 86_400.0


class Reconciler:
    """Ends calls that Plivo no longer knows, and purges old ones."""

    def __init__(self, runtime: Runtime, hangups: Hangups) -> None:
        self._runtime = runtime
        self._hangups = hangups
        self._checked: dict[int, float] = {}

    async def run(self) -> None:
        """Keep house for ever."""
        while True:
            try:
                await self.round()
            except StoreError as error:
                log.error("reconcile.store", why=str(error))
            await self._runtime.clock.sleep(INTERVAL_S)

    async def round(self) -> None:
        """Look once: end stale calls that are gone, then purge what is past its retention."""
        runtime = self._runtime
        now = runtime.clock.now()
        settings = runtime.settings
        stale = await runtime.store.stale_calls(now - settings.stale_call_after_s, MOST_PER_ROUND)
        self._checked = {callid: at for callid, at in self._checked.items() if callid in stale}
        for callid in stale:
            if now - self._checked.get(callid, 0.0) >= settings.stale_call_after_s / 10:
                self._checked[callid] = now
                await self._look(callid, now)
        purged = await runtime.store.purge(now, now - settings.call_retention_s)
        if purged:
            log.info("store.purged", calls=purged)

    async def _look(self, callid: int, now: float) -> None:
        stored = await self._runtime.store.load_call(callid)
        if stored is None:
            return
        state = load(stored.blob, stored.version)
        app = self._runtime.apps.get(state.app)
        if app is None:
            return
        rest = self._runtime.rest
        if rest is not None:
            try:
                if await rest.live_call(state.uuid) is not None:
                    return
            except PlivoRestError as error:
                log.warning("reconcile.unknown", call=callid, why=str(error))
                return
        elif now - state.started_at < min(
            LONGEST_CALL_S, self._runtime.settings.stale_call_after_s
        ):
            return
        log.warning("call.reconciled", call=callid, app=app.hash)
        await self._hangups.end_call(app, callid, {"HangupSource": "Unknown"})


__all__ = ["Reconciler"]
