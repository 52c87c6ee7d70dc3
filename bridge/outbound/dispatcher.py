"""Dials what is queued, in fair order and no faster than Plivo takes it.

The order of commits is the contract (docs/adr/0009): `sending` is stored before the request leaves,
and an intent in that phase is never dialled again, whatever happens to the process or the reply.

Of several replicas one dials (bridge.duties), so that the order is fair and the pace is kept for all
of them together: every dial is committed together with the duty, and refused to whoever lost it.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from bridge.duties import Duty
from bridge.outbound.intents import Intent, Phase, entry_url
from bridge.outbound.lost import watch_row
from bridge.outbound.queue import FairQueue, Pace
from bridge.plivo.rest_errors import PlivoRestError, PlivoThrottled, PlivoUnavailable
from bridge.store.protocol import Conflict, StoreError
from bridge.stored_apps import KIND as APP_RECORD
from bridge.stored_apps import loaded
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
#: How often the store is asked for intents that nobody here knows, in s, and who dials.
RESCAN_S: Final = 60.0
#: How often whoever dials for others looks for intents they have stored, in s.
LOOK_S: Final = 0.5
#: Calls of which a process remembers that it dialled them.
MOST_REMEMBERED: Final = 10_000
#: After a fault of the store it is asked again, in s.
AGAIN_S: Final = 1.0


class Dispatcher:
    """The queue of all replicas, where this one dials, and the task that empties it."""

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
        self._duty = Duty(runtime, replicas, "dial")
        self._dials = False
        self._replicas = replicas
        self._scan_at = -inf
        #: Intents in the store that no scan finds: of another release.
        self._odd = 0
        replicas.when_one_goes = self.rescan
        self._wake = asyncio.Event()
        self._flying: set[str] = set()
        #: What this process has asked Plivo for, and did not hear that it was in vain.
        self._asked: dict[str, None] = {}
        self.stopping = False

    def add(self, intent: Intent, *, first: bool = False) -> None:
        """Let a stored intent wait for its turn; where another replica dials it is found by that."""
        if self._dials and intent.hash not in self._flying:
            self._queue.add(intent.app, intent.hash, first=first)
            self._wake.set()

    def rescan(self) -> None:
        """Look at once who dials and what waits: another replica left, drains, or died."""
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
            wait_s = AGAIN_S
            try:
                wait_s = await self._dial_next()
            except StoreError as error:
                log.error("outbound.store", why=str(error))
            except Exception:
                log.exception("outbound.fault")
            if wait_s > 0:
                await self._runtime.clock.wait(self._wake, wait_s)

    async def _dial_next(self) -> float:
        """Dial the next one if it is time and ours to do; give the time until the next look, in s."""
        now = self._runtime.clock.now()
        before, self._dials = self._dials, await self._duty.mine()
        if not self._dials:
            self._queue = FairQueue()
            return RESCAN_S
        if not before:
            self._scan_at = -inf
            if self._duty.inherited:
                # Whoever dialled before may have done so just now.
                self._pace.left(now)
        await self._look(now)
        wait_s = self._pace.wait_s(now)
        if wait_s <= 0 and len(self._flying) < MOST_IN_FLIGHT:
            token = self._queue.take()
            if token is not None:
                await self._dial(token)
                return 0.0
        longest_s = LOOK_S if self._replicas.ready() else RESCAN_S
        return min(wait_s or longest_s, longest_s, self._scan_at - now)

    async def _look(self, now: float) -> None:
        """Find what others have stored and, once a minute, whatever there is.

        A failing look ends nothing: what is known already can be dialled.
        """
        everything = now >= self._scan_at
        if not everything and not self._replicas.ready():
            return
        if everything:
            self._scan_at = now + RESCAN_S
        try:
            await self._find(everything=everything)
        except StoreError as error:
            self._scan_at = now + AGAIN_S
            log.error("outbound.store", why=str(error))
        except Exception:
            log.exception("outbound.fault")

    async def _find(self, *, everything: bool) -> None:
        waiting = await self._ledger.waiting()
        missing = waiting - self._odd - len(self._queue)
        if missing <= 0 and not (everything and self._odd):
            # Those of another release may be gone by now; then as many others would be missed.
            return
        found: list[Intent] = []
        known = 0
        async for intent in self._ledger.queued():
            if intent.hash in self._queue or intent.hash in self._flying:
                known += 1
                continue
            found.append(intent)
            if len(found) == missing and not everything:
                break
        else:
            self._odd = max(0, waiting - known - len(found))
        # They came newest first, since those are what others have just stored.
        for intent in reversed(found):
            self.add(intent)

    async def _dial(self, token: str) -> None:
        """Commit that an intent is dialled, and dial it."""
        try:
            intent = await self._claimed(token)
        except Conflict:
            # Another process was faster, or a webhook: it is theirs.
            log.info("outbound.taken", intent=token)
            if self._runtime.store.shared:
                # Or the duty is, and was lost with the server's memory: then this one still waits.
                self._scan_at = min(self._scan_at, self._runtime.clock.now() + AGAIN_S)
            return
        except StoreError:
            # What was not stored is found again.
            self._scan_at = -inf
            raise
        if intent is not None and token in self._asked:
            # A server that forgot its last moments says that it waits: it has been dialled for all
            # that, and `bridge.outbound.lost` finds out what became of it.
            log.warning("outbound.asked_already", intent=token)
        elif intent is not None:
            self._pace.left(self._runtime.clock.now())
            self._flying.add(token)
            self._asked[token] = None
            if len(self._asked) > MOST_REMEMBERED:
                del self._asked[next(iter(self._asked))]
            spawn(self._sent(intent), f"outbound:{token}")

    async def _sent(self, intent: Intent) -> None:
        try:
            await self._send(intent)
        except Conflict:
            # A webhook of the call was faster.
            log.info("outbound.taken", intent=intent.hash)
        finally:
            self._flying.discard(intent.hash)
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
            async with self._duty.fence() as fence:
                await self._ledger.commit(intent, watch_row(intent), fence=fence)
            return intent

    async def _has_app(self, app_hash: str) -> bool:
        """Tell whether there is such an app: another process may have made or deleted it just now."""
        app = self._runtime.apps.get(app_hash)
        if app is not None and not app.stored:
            return True
        row = await self._runtime.store.load_record(APP_RECORD, app_hash)
        return row is not None and not loaded(row).deleted

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
                self._asked.pop(token, None)
                intent.phase = Phase.QUEUED
                await self._ledger.commit(intent)
                held_s = self._pace.hold(self._runtime.clock.now())
                log.warning("outbound.held", seconds=held_s, waiting=len(self._queue) + 1)
                self._flying.discard(token)
                self.add(intent, first=True)
            else:
                await self._endings.rejected(intent, str(error))


__all__ = ["MOST_IN_FLIGHT", "RESCAN_S", "Dispatcher"]
