"""calls.*: start a call, hang one up, end the command one is at.

| method | result |
|---|---|
| calls.realtime, dialr/call.realtime | the request hash that every RT.Request of the call carries |
| calls.hangup | true, or false when the call is over already |
| calls.realtime_break | true, or false when no command was running |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field

from bridge.json_rpc.api import told_by_plivo
from bridge.json_rpc.errors import Code, RpcError
from bridge.json_rpc.methods.apps import assigned
from bridge.json_rpc.methods.method import Method
from bridge.outbound.service import NotQueued
from bridge.plivo.rest_errors import PlivoNotFound
from bridge.reconcile import removed_app
from bridge.state import CallState, Phase, load
from bridge.store._rules import CALLID_MAX
from mappings._rt.numbers import caller_id
from mappings._rt.params import Params
from mappings.dialout import Target

if TYPE_CHECKING:
    from bridge.json_rpc.api import Api
    from bridge.json_rpc.args import Args
    from bridge.runtime import App


class CallOptions(Params):
    """The options of an outbound call; more of them are ignored."""

    cdr_field: str = Field("", pattern=r"^[A-Za-z0-9]{0,32}$")
    cli: Annotated[str, BeforeValidator(caller_id)] = "BLOCKED"


async def realtime(api: Api, args: Args) -> str:
    """Call a number and let the app talk to whoever answers."""
    app_hash = args.text("app")
    target = args.model("target", Target, {"number": Code.INVALID_NUMBER})
    options = args.model("options", CallOptions, {"cli": Code.INVALID_CLI})
    args.end()
    app = await api.app(app_hash)
    shown = await _shown(api, app) if options.cli == "BLOCKED" else options.cli
    try:
        return await api.outbound.place(
            app,
            target.number,
            timeout_s=target.timeout,
            caller_id=shown,
            cdr_field=options.cdr_field,
        )
    except NotQueued as refused:
        raise RpcError(Code[refused.code], str(refused)) from None


async def _shown(api: Api, app: App) -> str:
    """Give the number that stands in for a withheld one: Plivo cannot withhold any."""
    numbers = [*app.settings.numbers, *await assigned(api, app.hash)]
    known = [app.settings.blocked_caller_id, *numbers]
    shown = next((number for number in known if number), None)
    if shown is None:
        raise RpcError(
            Code.CLI_MISSING,
            "options.cli is BLOCKED, and Plivo must show a number: give cli, assign a number to "
            "the app, or set its blocked_caller_id",
        )
    return shown


async def hangup(api: Api, args: Args) -> bool:
    """End a call, whatever it is doing."""
    callid = args.whole("callid")
    args.mapping("options")
    args.end()
    rest = api.rest()
    state = await _call(api, callid)
    if state.phase is Phase.ENDED or not state.uuid:
        return False
    await api.breaks.mark_hung_up(callid)
    with told_by_plivo():
        try:
            await rest.hang_up_call(state.uuid)
        except PlivoNotFound:
            if state.answered:
                # Its hangup webhook is lost or late: whoever asks for its end shall get it.
                app = api.runtime.apps.get(state.app) or removed_app(state.app)
                await api.hangups.end_call(app, callid, {"HangupSource": "Unknown"})
            return False
    return True


async def realtime_break(api: Api, args: Args) -> bool:
    """End the command a call is at; the app hears command_error BREAK and gives the next."""
    callid = args.whole("callid")
    args.mapping("options")
    args.end()
    if callid > CALLID_MAX:
        raise _unknown(callid)
    outcome = await api.breaks.break_command(callid)
    if outcome.is_error:
        raise RpcError(Code[outcome.code], outcome.sentence)
    return outcome.broken


async def _call(api: Api, callid: int) -> CallState:
    stored = await api.runtime.store.load_call(callid) if callid <= CALLID_MAX else None
    if stored is None:
        raise _unknown(callid)
    return load(stored.blob, stored.version)


def _unknown(callid: int) -> RpcError:
    return RpcError(Code.CALL_NOT_FOUND, f"there is no call {callid}")


METHODS: Final = (
    Method(
        "calls.realtime",
        "app hash, {number, timeout}, {cdr_field, cli} or null",
        realtime,
        ("dialr/call.realtime",),
    ),
    Method("calls.hangup", "callid, options or null", hangup),
    Method("calls.realtime_break", "callid, options or null", realtime_break),
)

__all__ = ["METHODS"]
