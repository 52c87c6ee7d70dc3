"""Calls of which no webhook came: Plivo is asked, and in the end the app is told REJECTED.

When an intent is sent, a row of the outbox becomes due after its ringing must be over; by then a
webhook has nearly always adopted it, and the row does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.outbound.intents import Intent, Phase
from bridge.plivo.rest_errors import PlivoRestError
from bridge.store.protocol import OutboxRow
from mappings._plivo.hangup_causes import FinalStatus, final_status

if TYPE_CHECKING:
    from bridge.outbound.endings import Endings
    from bridge.outbound.ledger import Ledger
    from bridge.outbox import Outbox
    from bridge.plivo.rest import PlivoRest
    from bridge.runtime import Runtime

log = structlog.get_logger()

ROW: Final = "intent"
#: After its longest ringing: for the way of the webhooks, retries included (Plivo's page on
#: callback configuration: 55 s).
SLACK_S: Final = 60.0
#: A call that Plivo says is alive is looked at again after this time, in s.
AGAIN_S: Final = 30.0
#: Longer than this after it was sent, nothing is waited for any more, in s: Plivo may have queued
#: it behind the calls of others.
PATIENCE_S: Final = 3600.0


def watch_row(intent: Intent) -> OutboxRow:
    """Make the row that looks after an intent that is being sent."""
    due = intent.sent_at + intent.timeout_s + SLACK_S
    return OutboxRow(f"{ROW}:{intent.hash}", ROW, 0, due, lane="outbound")


class Lost:
    """Handles the rows of `watch_row`."""

    def __init__(
        self,
        runtime: Runtime,
        rest: PlivoRest,
        ledger: Ledger,
        endings: Endings,
        outbox: Outbox,
    ) -> None:
        self._runtime = runtime
        self._rest = rest
        self._ledger = ledger
        self._endings = endings
        self._outbox = outbox

    async def look(self, row: OutboxRow) -> bool:
        """Look at one intent; True when the row may go."""
        token = row.key.removeprefix(f"{ROW}:")
        seen = await self._ledger.read(token)
        if seen is None or seen.done or seen.phase is Phase.QUEUED:
            return True
        patient = self._runtime.clock.now() - seen.sent_at < PATIENCE_S
        status: FinalStatus | None = "REJECTED"
        try:
            status = await self._status(seen)
        except (PlivoRestError, ValueError) as error:
            log.warning("outbound.lookup", intent=token, why=str(error))
            if patient:
                return await self._outbox.later(row)
        if status is None and patient:
            return await self._outbox.later(row, AGAIN_S)
        async with self._ledger.locks[token]:
            intent = await self._ledger.read(token)
            if intent is None or intent.done or intent.phase is Phase.QUEUED:
                return True
            if status in {None, "REJECTED"}:
                await self._endings.rejected(intent, "no webhook of this call came")
            else:
                await self._endings.ended(intent, status, "told by Plivo's REST API")
        return True

    async def _status(self, intent: Intent) -> FinalStatus | None:
        """Ask Plivo how it ended; None = it may still live, REJECTED = Plivo knows nothing of it."""
        known = [uuid for uuid in (intent.uuid, intent.request_uuid) if uuid]
        for uuid in dict.fromkeys(known):
            if await self._rest.live_call(uuid) or await self._rest.queued_call(uuid):
                return None
            record = await self._rest.call_record(uuid)
            if record is not None:
                if record.answer_time:
                    return "HANGUP"
                return final_status("", record.cause_code, record.cause_name, record.source)
        return None if await self._some_call_is_like(intent) else "REJECTED"

    async def _some_call_is_like(self, intent: Intent) -> bool:
        """Tell whether a call between these numbers lives that no webhook told us of."""
        found = await self._rest.live_calls(from_number=intent.caller_id, to_number=intent.number)
        for uuid in found:
            if await self._runtime.store.find_call(intent.app, uuid) is None:
                return True
        return False


__all__ = ["AGAIN_S", "PATIENCE_S", "ROW", "SLACK_S", "Lost", "watch_row"]
