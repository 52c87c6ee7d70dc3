"""hangup_callid: hang up another call of the app.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| callid | REST hang-up of that call | (required) | one's own callid = hangup; unknown → CALL_NOT_FOUND, over → CALL_ENDED, of another app → CALL_OF_ANOTHER_APP unless hangup_scope allows it |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mappings._kernel.actions import HangUpCall, Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import RestDone
from mappings._kernel.rest import require_rest, rest_failure
from mappings._plivo.verbs import Hangup
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class HangupCallidParams(Params):
    """Params of `hangup_callid`."""

    callid: int = Field(ge=0, lt=2**64)


@command("hangup_callid", HangupCallidParams)
def hangup_callid(p: HangupCallidParams, call: CallContext) -> Flow:
    """Hang it up; "" when it was done."""
    if p.callid == call.callid:
        yield Reply(Hangup())
        return ""
    require_rest(call, "hangup_callid")
    event = yield HangUpCall(p.callid)
    if not isinstance(event, RestDone):
        raise rest_failure(event)
    return ""
