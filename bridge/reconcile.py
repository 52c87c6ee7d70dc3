"""Housekeeping: calls whose hangup webhook never came, and what has outlived its retention.

Of several replicas one keeps house (bridge.duties), so that Plivo is asked once about each call.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from bridge.open_commands import Tally
from bridge.plivo.rest_errors import PlivoRestError
from bridge.replicas import settled
from bridge.rt_client import RtApp
from bridge.runtime import App
from bridge.settings_model import AppSettings
from bridge.state import CallState, load
from bridge.store.protocol import StoreError

if TYPE_CHECKING:
    from bridge.duties import Duty
    from bridge.hangups import Hangups
    from bridge.runtime import Runtime

log = structlog.get_logger()

#: How often stale calls are looked for, in s.
INTERVAL_S: Final = 60.0
#: Stale calls looked up at Plivo per round: far below its 300 requests per 5 s.
MOST_PER_ROUND: Final = 50
#: Without a word from Plivo's REST API a call counts as over after its longest life, in s.
LONGEST_CALL_S: Final = 86_400.0
#: A stale call is looked up again after this part of `stale_call_after_s`.
AGAIN_AFTER: Final = 0.1


class Reconciler:
    """Ends calls that Plivo no longer knows, and purges old ones."""

    def __init__(self, runtime: Runtime, hangups: Hangups, duty: Duty) -> None:
        self._runtime = runtime
        self._hangups = hangups
        self._duty = duty
        self._tally = Tally(runtime)
        #: Stale calls that were looked up, and when.
        self._checked: dict[int, float] = {}

    async def run(self) -> None:
        """Keep house for ever."""
        first = True
        while True:
            try:
                if await self._duty.mine():
                    await self.round()
                    if not first:
                        # Whoever has just started has the callers of a while to answer.
                        await self._tally.renew()
            except StoreError as error:
                log.error("reconcile.store", why=str(error))
            except Exception:
                log.exception("reconcile.fault")
            first = False
            await self._runtime.clock.sleep(INTERVAL_S)

    async def round(self) -> None:
        """Look once: end stale calls that are gone, then purge what is past its retention."""
        runtime = self._runtime
        now = runtime.clock.now()
        settings = runtime.settings
        for callid in await self._to_check(now):
            self._checked[callid] = now
            try:
                await self._look(callid, now)
            except Exception:
                # One call that cannot be read or written must not keep the rest from being looked at.
                log.exception("reconcile.failed", call=callid)
        purged = await runtime.store.purge(now, now - settings.call_retention_s)
        if purged:
            log.info("store.purged", calls=purged)

    async def _to_check(self, now: float) -> list[int]:
        """Choose the stale calls of this round: those never looked up, then the longest ago."""
        after = self._runtime.settings.stale_call_after_s
        # Those looked up before stay the oldest ones, so they must not use up the limit.
        limit = MOST_PER_ROUND + len(self._checked)
        stale = await self._runtime.store.stale_calls(now - after, limit)
        self._checked = {
            callid: self._checked[callid] for callid in stale if callid in self._checked
        }
        due = [
            callid
            for callid in stale
            if callid not in self._checked or now - self._checked[callid] >= after * AGAIN_AFTER
        ]
        return sorted(due, key=lambda callid: self._checked.get(callid, 0.0))[:MOST_PER_ROUND]

    async def _look(self, callid: int, now: float) -> None:
        stored = await self._runtime.store.load_call(callid)
        if stored is None:
            return
        state = load(stored.blob, stored.version)
        if await self._lives(state, now):
            return
        log.warning("call.reconciled", call=callid, app=state.app)
        app = self._runtime.apps.get(state.app) or removed_app(state.app)
        form = {"HangupSource": "Unknown"}
        await settled(partial(self._hangups.end_call, app, callid, form))

    async def _lives(self, state: CallState, now: float) -> bool:
        """Tell whether Plivo knows the call; as long as it does not say so, by the call's age."""
        rest = self._runtime.rest
        if rest is not None and state.uuid:
            try:
                return await rest.live_call(state.uuid) is not None
            except (PlivoRestError, ValueError) as error:
                log.warning("reconcile.unknown", call=state.callid, why=str(error))
        longest = max(LONGEST_CALL_S, self._runtime.settings.stale_call_after_s)
        return now - state.started_at < longest


def removed_app(app_hash: str) -> App:
    """Stand in for an app that was taken out of the settings: enough to end its calls."""
    settings = AppSettings(url="http://removed.invalid/")
    return App(app_hash, settings, RtApp.from_settings(app_hash, settings))


__all__ = ["Reconciler", "removed_app"]
