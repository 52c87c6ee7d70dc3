"""Ending the command of a call, with something that can."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from support_shell import Shell, shell

from bridge.breaks import BREAK_CODES, BreakOutcome, Breaks
from bridge.duties import Duty
from bridge.json_rpc.api import Api
from bridge.json_rpc.args import Args
from bridge.json_rpc.errors import Code, RpcError
from bridge.json_rpc.methods import METHODS
from bridge.outbound.service import Outbound
from bridge.stored_apps import StoredApps

WAIT = {"command": "wait", "command_id": 1, "params": {"wait": 30}}


@dataclass
class _Breaks:
    """Ends commands with one outcome."""

    code: str = "BROKEN"
    asked: list[int] = field(default_factory=list)

    async def break_command(self, callid: int) -> BreakOutcome:
        """Take note."""
        self.asked.append(callid)
        return BreakOutcome(self.code, f"a sentence about {callid}")


@asynccontextmanager
async def _api(breaks: _Breaks) -> AsyncIterator[tuple[Shell, Api]]:
    async with shell(WAIT) as it:
        outbound = Outbound(it.runtime, it.session, it.hangups, it.outbox)
        ends = cast("Breaks", breaks)
        numbers = Duty(it.runtime, it.session.replicas, "numbers")
        apps = StoredApps(it.runtime)
        yield it, Api(it.runtime, apps, outbound, None, ends, it.hangups, numbers)


async def _break(api: Api, *params: Any) -> bool:
    method = METHODS["calls.realtime_break"]
    return cast("bool", await method.run(api, Args(method.signature(), list(params))))


@pytest.mark.parametrize("code", BREAK_CODES)
async def test_every_outcome_of_a_break_is_a_result_or_a_code(code: str) -> None:
    """A break that was not possible has its code; where there was nothing to end, it is false."""
    breaks = _Breaks(code)
    async with _api(breaks) as (_, api):
        if BreakOutcome(code, "").is_error and code != "CALL_OF_ANOTHER_APP":
            with pytest.raises(RpcError, match=f"^{code}: a sentence about 7") as caught:
                await _break(api, "7", None)
            assert code == caught.value.code.name
        elif code != "CALL_OF_ANOTHER_APP":
            assert (code == "BROKEN") is await _break(api, 7)

    assert breaks.asked == [7] or code == "CALL_OF_ANOTHER_APP"


async def test_break_of_what_cannot_be_a_callid() -> None:
    """A number no call can have is an unknown call, and nobody is asked."""
    breaks = _Breaks()
    async with _api(breaks) as (_, api):
        with pytest.raises(RpcError, match="there is no call") as caught:
            await _break(api, 2**63)

    assert (Code.CALL_NOT_FOUND, []) == (caught.value.code, breaks.asked)


@pytest.mark.parametrize("value", ["true", 1, [], {}])
async def test_flags_are_booleans(value: Any) -> None:
    """Where true or false is expected, nothing else will do."""
    async with _api(_Breaks()) as (_, api):
        method = METHODS["apps.get_list"]
        with pytest.raises(RpcError, match="must be true or false"):
            await method.run(api, Args(method.signature(), [value]))


async def test_hangup_without_rest() -> None:
    """Calls are hung up by Plivo's REST API, so without it they are not."""
    async with _api(_Breaks()) as (it, api):
        callid = await it.answer("u1")
        method = METHODS["calls.hangup"]
        with pytest.raises(RpcError, match="BRIDGE_PLIVO_REST") as caught:
            await method.run(api, Args(method.signature(), [callid]))

    assert Code.REST_UNAVAILABLE is caught.value.code
