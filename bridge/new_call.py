"""The state of a call as its first request tells it (Plivo XML reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.state import CallState
from mappings._plivo.numbers import to_e164

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.runtime import App, Runtime


async def new_call(runtime: Runtime, app: App, form: Mapping[str, str]) -> CallState:
    """Make the state of a call from its first request; it is not stored yet."""
    outbound = form.get("Direction", "").lower() == "outbound"
    caller, called = to_e164(form.get("From", "")), to_e164(form.get("To", ""))
    early = app.settings.send_incoming_call and form.get("CallStatus") == "ringing"
    name = form.get("CallerName", "")[:100]
    return CallState(
        callid=await runtime.store.allocate_callid(),
        app=app.hash,
        uuid=form["CallUUID"],
        started_at=runtime.clock.now(),
        number=called,
        cli_number=caller,
        cli_name="" if to_e164(name) else name,
        caller_id=caller if outbound else called,
        request_hash=(form.get("RequestUUID") or form["CallUUID"]) if outbound else None,
        answered=form.get("CallStatus") == "in-progress",
        call_status="INCOMING_CALL" if early and not outbound else "UP",
    )


__all__ = ["new_call"]
