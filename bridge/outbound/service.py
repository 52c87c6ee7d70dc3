"""What the rest of the bridge uses to call somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.errors import BridgeError
from bridge.outbound.dispatcher import Dispatcher
from bridge.outbound.endings import Endings
from bridge.outbound.intents import Intent
from bridge.outbound.lost import ROW, Lost

if TYPE_CHECKING:
    from bridge.hangups import Hangups
    from bridge.outbox import Outbox
    from bridge.runtime import App, Runtime
    from bridge.session import Session

log = structlog.get_logger()

#: Longest a phone rings, in s (Plivo's hangup causes).
LONGEST_RING_S: Final = 120


class NotQueued(BridgeError):  # noqa: N818 - named for what happened
    """The call was not accepted; `code` is stable, the message a sentence. Nothing was stored."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Outbound:
    """Outbound calls of this process. Without Plivo's REST API there are none."""

    def __init__(
        self, runtime: Runtime, session: Session, hangups: Hangups, outbox: Outbox
    ) -> None:
        self._runtime = runtime
        self._ledger = session.arrivals.ledger
        self._dispatcher: Dispatcher | None = None
        self._stopping = False
        #: Calls that are counted and stored at this moment.
        self._placing = 0
        if runtime.rest is not None:
            endings = Endings(runtime, self._ledger, hangups)
            self._dispatcher = Dispatcher(
                runtime, runtime.rest, self._ledger, endings, session.replicas
            )
            lost = Lost(runtime, runtime.rest, self._ledger, endings, outbox)
            outbox.handlers[ROW] = lost.look

    async def waiting(self) -> int:
        """Count the calls that wait to be dialled, by this or any other replica. Raises StoreError."""
        return 0 if self._dispatcher is None else await self._ledger.waiting()

    async def place(
        self, app: App, number: str, *, timeout_s: int, caller_id: str, cdr_field: str = ""
    ) -> str:
        """Store the intent to call a number and give its request hash; numbers in E.164.

        The phone rings for `timeout_s`, at most as long as Plivo lets it. Raises NotQueued.
        """
        dispatcher = self._dispatcher
        if dispatcher is None:
            raise NotQueued(
                "REST_UNAVAILABLE", "outbound calls need Plivo's REST API: set BRIDGE_PLIVO_REST"
            )
        if self._stopping:
            raise NotQueued("DRAINING", "the bridge is being stopped: ask again in a moment")
        most = self._runtime.settings.outbound_queue_limit
        intent = Intent(
            hash="",
            app=app.hash,
            number=number,
            caller_id=caller_id,
            timeout_s=min(timeout_s, LONGEST_RING_S),
            created_at=self._runtime.clock.now(),
            cdr_field=cdr_field,
        )
        self._placing += 1
        try:
            # Those that are being stored just now may be counted twice, but are never left out.
            waiting = await self.waiting() + self._placing
            if waiting > most:
                raise NotQueued("QUEUE_FULL", f"{most} calls wait to be dialled: ask again later")
            await self._ledger.add(intent)
        finally:
            self._placing -= 1
        self._runtime.metrics.outbound(app.hash, "queued")
        log.info("outbound.queued", app=app.hash, intent=intent.hash, waiting=waiting)
        dispatcher.add(intent)
        return intent.hash

    async def run(self) -> None:
        """Dial what waits, until `stop`."""
        if self._dispatcher is not None:
            await self._dispatcher.run()

    def stop(self) -> None:
        """Accept and dial nothing more; what waits is dialled after the next start."""
        self._stopping = True
        if self._dispatcher is not None:
            self._dispatcher.stop()


__all__ = ["LONGEST_RING_S", "NotQueued", "Outbound"]
