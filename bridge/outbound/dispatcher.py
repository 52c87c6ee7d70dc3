"""Dials what is queued, in fair order and no faster than Plivo takes it.

The order of commits is the contract (docs/adr/0009): `sending` is stored before the request leaves,
and an intent in that phase is never dialled again, whatever happens to the process or the reply.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from bridge.outbound.intents import Intent, Phase, entry_url
from bridge.outbound.lost import watch_row
from bridge.outbound.queue import FairQueue, Pace
from bridge.plivo.rest_errors import PlivoRestError, PlivoThrottled, PlivoUnavailable
from bridge.store.protocol import Conflict, StoreError
from bridge.stored_apps import KIND as APP_RECORD
from bridge.tasks import spawn

if TYPE_CHECKING:
    from bridge.outbound.endings import Endings
    from bridge.outbound.ledger import Ledger
    from bridge.plivo.rest import PlivoRest
    from bridge.replicas import Replicas
    from bridge.runtime import Runtime

log = structlog.get_logger()

#: Requests in flight at once; each may take as long as Plivo's answer.
MOST_IN_FLIGHT: Final = 16
#: How often the store is asked for intents that nobody here knows, in s: of a process that died.
RESCAN_S: Final = 60.0
#: A replica keeps its part of the pace for so long after its last call, in s.
SHARED_FOR_S: Final = 5.0


class Dispatcher:
    """The queue of this process and the task that empties it."""

    def __init__(
        self,
        runtime: Runtime,
        rest: PlivoRest,
        ledger: Ledger,
        endings: Endings,
        replicas: Replicas,
    ) -> None:
        self._runtime = runtime
        self._rest = rest
        self._ledger = ledger
        self._endings = endings
        self._queue = FairQueue()
        self._pace = Pace(runtime.settings.plivo_calls_per_second)
        self._sharers = replicas.sharers
        self._left_at = -inf
        self._scan_at = -inf
        replicas.dials = self._dials
        replicas.when_one_goes = self.rescan
        self._wake = asyncio.Event()
        self._flying: set[str] = set()
        self.stopping = False

    def _dials(self) -> bool:
        """Tell whether this process takes part in the pace: it has calls to dial, or just had."""
        return len(self._queue) > 0 or self._runtime.clock.now() - self._left_at < SHARED_FOR_S

    def __len__(self) -> int:
        """Count the intents that wait to be dialled."""
        return len(self._queue)

    def add(self, intent: Intent, *, first: bool = False) -> None:
        """Let a stored intent wait for its turn."""
        if intent.hash not in self._flying:
            self._queue.add(intent.app, intent.hash, first=first)
            self._wake.set()

    def rescan(self) -> None:
        """Look for intents at once: another replica dials no more, and may have left some."""
        self._scan_at = -inf
        self._wake.set()

    def stop(self) -> None:
        """Dial nothing more; what waits is in the store for the next start, or another replica."""
        self.stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Dial until `stop`."""
        while not self.stopping:
            self._wake.clear()
            now = self._runtime.clock.now()
            if now >= self._scan_at:
                self._scan_at = now + RESCAN_S
                await self._scan()
            wait_s = self._pace.wait_s(now)
            if wait_s <= 0:
                if self._take(now):
                    continue
                wait_s = RESCAN_S
            await self._runtime.clock.wait(self._wake, min(wait_s, self._scan_at - now))

    def _take(self, now: float) -> bool:
        """Begin to dial the next one; False = nothing waits, or too much is in flight."""
        token = self._queue.take() if len(self._flying) < MOST_IN_FLIGHT else None
        if token is None:
            return False
        self._pace.left(now, self._sharers())
        self._left_at = now
        self._flying.add(token)
        spawn(self._dial(token), f"outbound:{token}")
        return True

    async def _scan(self) -> None:
        """Find intents that a process before this one, or beside it, has left."""
        try:
            async for intent in self._ledger.queued():
                self.add(intent)
        except StoreError as error:
            log.error("outbound.store", why=str(error))
        except Exception:
            log.exception("outbound.fault")

    async def _dial(self, token: str) -> None:
        try:
            intent = await self._claimed(token)
            if intent is not None:
                await self._send(intent)
        except Conflict:
            # Another process was faster, or a webhook: it is theirs.
            log.info("outbound.taken", intent=token)
        finally:
            self._flying.discard(token)
            self._wake.set()

    async def _claimed(self, token: str) -> Intent | None:
        """Commit that the request is about to be sent; None = it must not be."""
        runtime = self._runtime
        async with self._ledger.locks[token]:
            intent = await self._ledger.read(token)
            if intent is None or intent.phase is not Phase.QUEUED or self.stopping:
                return None
            now = runtime.clock.now()
            if now - intent.created_at > runtime.settings.outbound_queue_for_s:
                await self._endings.rejected(intent, "it waited too long in the queue")
                return None
            if not await self._has_app(intent.app):
                await self._endings.rejected(intent, "its app is gone")
                return None
            intent.phase, intent.sent_at = Phase.SENDING, now
            await self._ledger.commit(intent, watch_row(intent))
            return intent

    async def _has_app(self, app_hash: str) -> bool:
        """Tell whether there is such an app, be it one that another process has made just now."""
        if app_hash in self._runtime.apps:
            return True
        return await self._runtime.store.load_record(APP_RECORD, app_hash) is not None

    async def _send(self, intent: Intent) -> None:
        public_url = self._runtime.settings.public_url
        try:
            request_uuid = await self._rest.make_call(
                from_number=intent.caller_id,
                to_number=intent.number,
                answer_url=entry_url(public_url, intent, "answer"),
                ring_url=entry_url(public_url, intent, "ring"),
                hangup_url=entry_url(public_url, intent, "hangup"),
                fallback_url=entry_url(public_url, intent, "fallback"),
                ring_timeout_s=intent.timeout_s,
            )
        except PlivoRestError as error:
            await self._failed(intent.hash, error)
            return
        self._pace.go()
        await self._taken(intent.hash, request_uuid)

    async def _taken(self, token: str, request_uuid: str) -> None:
        """Commit Plivo's answer, unless a webhook of the call was faster."""
        async with self._ledger.locks[token]:
            intent = await self._ledger.read(token)
            if intent is None or intent.done:
                return
            intent.phase, intent.request_uuid = Phase.DIALLED, request_uuid
            await self._ledger.commit(intent)
        log.info("outbound.dialled", app=intent.app, intent=token, uuid=request_uuid)

    async def _failed(self, token: str, error: PlivoRestError) -> None:
        log.warning("outbound.failed", intent=token, why=str(error), unknown=error.maybe_done)
        async with self._ledger.locks[token]:
            intent = await self._ledger.read(token)
            if intent is None or intent.phase is not Phase.SENDING:
                return
            if error.maybe_done:
                # The phone may be ringing: a webhook tells, or `bridge.outbound.lost` finds out.
                self._runtime.metrics.outbound(intent.app, "unknown")
            elif isinstance(error, PlivoThrottled | PlivoUnavailable):
                # Known not to be dialled.
                intent.phase = Phase.QUEUED
                await self._ledger.commit(intent)
                held_s = self._pace.hold(self._runtime.clock.now())
                log.warning("outbound.held", seconds=held_s, waiting=len(self) + 1)
                self._flying.discard(token)
                self.add(intent, first=True)
            else:
                await self._endings.rejected(intent, str(error))


__all__ = ["MOST_IN_FLIGHT", "RESCAN_S", "Dispatcher"]
