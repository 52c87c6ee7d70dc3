"""What came back from a document: Plivo's request, read in the light of what the bridge did and knows.

Plivo gives no reason when a call leaves a room, and none when a transfer broke off an element. The
reason was stored in the call before Plivo was asked for either (docs/adr/0005, docs/adr/0012).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.rooms import left_row, read_room
from bridge.stays import stay_of
from mappings._kernel.events import Broken, ConferenceLeft, DocumentEnded
from mappings._kernel.room import knows
from mappings._plivo import callbacks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.runtime import Runtime
    from bridge.state import CallState
    from bridge.stays import Stay
    from bridge.store.protocol import OutboxRow
    from mappings._kernel.events import Event, LeaveReason
    from mappings._plivo.verbs import NextKind

#: What the inbox says of a break that Plivo has accepted; before that it says ASKED.
ASKED: Final = "asked"
ACCEPTED: Final = "accepted"


async def what_came(
    runtime: Runtime, state: CallState, kind: NextKind, form: Mapping[str, str]
) -> tuple[Event, list[OutboxRow]]:
    """Give the event that answers the open command, and what is to be put out with it."""
    now = runtime.clock.now()
    elapsed_ms = max(0, round((now - state.handed_at) * 1000))
    event = callbacks.continuation(kind, form, elapsed_ms)
    stay = stay_of(state)
    rows = [] if stay is None else [left_row(stay, now, form if kind == "conference" else None)]
    if kind == "break" or state.inbox.get("break") == ACCEPTED:
        # Plivo has the transfer: what the element reported in its last moment was its end already.
        return Broken(), rows
    reason = state.inbox.get("reason", "")
    if isinstance(event, ConferenceLeft | DocumentEnded) and reason:
        return ConferenceLeft(reason, elapsed_ms=elapsed_ms), rows
    if isinstance(event, DocumentEnded) and stay is not None and await _was_in(runtime, stay):
        # A room that is full lets nobody in: this one ended, and Plivo went on behind it.
        alone = runtime.rest is None and stay.leave_when_alone
        why: LeaveReason = "LAST_PARTICIPANT" if alone else "CONFERENCE_CLOSED"
        return ConferenceLeft(why, elapsed_ms=elapsed_ms), rows
    return event, rows


async def _was_in(runtime: Runtime, stay: Stay) -> bool:
    return knows(await read_room(runtime, stay.room), stay.callid, stay.step)


__all__ = ["ACCEPTED", "ASKED", "what_came"]
