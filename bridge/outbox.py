"""Durable deliveries: the final HANGUP request of every call, and kicks out of rooms.

A row is claimed by this process, sent, and deleted in a commit. A failed one comes back later,
further apart each time. The body of a final request is frozen in the store before it is first
sent, so that every repetition is byte for byte the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge import steps
from bridge.rt_client import AppFailure
from bridge.state import CallState, Phase, load
from bridge.store.protocol import Commit, OutboxRow, StoreError
from bridge.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.runtime import Runtime

log = structlog.get_logger()

#: Deliveries at once; a slow app must not keep the others waiting.
MOST_AT_ONCE: Final = 64
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 60.0
#: Looked at least this often, whatever the store said was due next.
LONGEST_SLEEP_S: Final = 30.0
#: Answers of a gateway in front of an app that is down: the app itself has not answered.
GATEWAY_STATUSES: Final = frozenset({502, 503, 504})


class Outbox:
    """Delivers what is due. `handlers` add kinds of rows besides "final"."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._wake = asyncio.Event()
        self._flying: set[str] = set()
        self._stopping = False
        self.handlers: dict[str, Callable[[OutboxRow], Coroutine[None, None, bool]]] = {
            "final": self._final
        }

    def wake(self) -> None:
        """Look at the store again: a row was added or became due."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        while not self._stopping:
            self._wake.clear()
            sleep_s = LONGEST_SLEEP_S
            try:
                sleep_s = await self._deliver_due()
            except StoreError as error:
                log.error("outbox.store", why=str(error))
                sleep_s = FIRST_DELAY_S
            await self._runtime.clock.wait(self._wake, sleep_s)

    def stop(self) -> None:
        """Begin nothing new; what is being delivered is finished by `bridge.tasks.drain`."""
        self._stopping = True
        self._wake.set()

    async def _deliver_due(self) -> float:
        """Start what is due; give the time until the next look, in s."""
        store = self._runtime.store
        now = self._runtime.clock.now()
        rows = await store.due(now, MOST_AT_ONCE * 2)
        for row in rows:
            if len(self._flying) >= MOST_AT_ONCE:
                return LONGEST_SLEEP_S
            if row.key not in self._flying:
                self._flying.add(row.key)
                spawn(self._deliver(row), f"outbox:{row.key}")
        upcoming = await store.next_due()
        if upcoming is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.0, upcoming - now) if not rows else FIRST_DELAY_S)

    async def _deliver(self, row: OutboxRow) -> None:
        try:
            handler = self.handlers.get(row.kind)
            if handler is None:
                log.error("outbox.kind_unknown", key=row.key, kind=row.kind)
                return
            if await handler(row):
                await self._runtime.store.commit(Commit(outbox_done=[row.key]))
        finally:
            self._flying.discard(row.key)
            self.wake()

    async def later(self, row: OutboxRow) -> bool:
        """Put a row back for another attempt; give True when its time is used up."""
        now = self._runtime.clock.now()
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(row.attempts, 10))
        again = replace(row, due=now + delay, attempts=row.attempts + 1)
        await self._runtime.store.commit(Commit(outbox=[again]))
        return False

    async def _final(self, row: OutboxRow) -> bool:
        """Deliver the final request of a call; True when the row may go."""
        runtime = self._runtime
        stored = await runtime.store.load_call(row.callid)
        if stored is None:
            log.error("hangup.call_missing", call=row.callid)
            return True
        state = load(stored.blob, stored.version)
        app = runtime.apps.get(state.app)
        if state.phase is not Phase.ENDED:
            return True
        if not row.body:
            row = replace(row, body=final_body(state))
            await runtime.store.commit(Commit(outbox=[row]))
        if app is None:
            log.error("hangup.app_missing", call=row.callid, app=state.app)
            return await self._again_or_drop(row, state, "the app is no longer in the settings")
        try:
            await runtime.transport.ask(app.rt, row.body, runtime.settings.app_timeout_s)
        except AppFailure as failure:
            if not _delivered(failure):
                return await self._again_or_drop(row, state, str(failure))
        log.info("hangup.delivered", call=row.callid, app=state.app, attempts=row.attempts + 1)
        return True

    async def _again_or_drop(self, row: OutboxRow, state: CallState, why: str) -> bool:
        waited = self._runtime.clock.now() - (state.ended_at or 0)
        if waited > self._runtime.settings.hangup_retry_for_s:
            log.error(
                "hangup.dropped", call=row.callid, app=state.app, why=why, attempts=row.attempts
            )
            return True
        log.warning(
            "hangup.postponed", call=row.callid, app=state.app, why=why, attempts=row.attempts
        )
        return await self.later(row)


def final_body(state: CallState) -> bytes:
    """Write the final request: the command that was running, and its result when there is one."""
    return steps.request_body(state)


def _delivered(failure: AppFailure) -> bool:
    """Tell whether the app itself answered; what it answered does not matter."""
    status = getattr(failure, "status", None)
    return failure.delivered is True and status not in GATEWAY_STATUSES


__all__ = ["Outbox", "final_body"]
