"""Calls that the app's own code starts through the legacy JSON-RPC API, in tests of the kit."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from support_kit import play, read, simulated

from bridge.testing.rig import HASH, RPC_LOGIN, RPC_PASSWORD, Rig

ANN = "+33611111111"


async def realtime(it: Rig, number: str = ANN, **options: Any) -> str:
    """Start a call as legacy code does; give its request hash."""
    params = [HASH, {"number": number, "timeout": 20}, options or None]
    body = {"jsonrpc": "2.0", "id": 1, "method": "calls.realtime", "params": params}
    headers = {"Authorization": aiohttp.encode_basic_auth(RPC_LOGIN, RPC_PASSWORD)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(it.rpc_url, json=body) as response,
    ):
        reply = await response.json()
        assert "result" in reply, reply
        request_hash: str = reply["result"]
        return request_hash


async def test_an_answered_call() -> None:
    """The phone rings, its person picks up, and the app leads the call."""
    async with simulated(read("How old are you?"), play("You are 42.")) as it:
        request_hash = await realtime(it, cdr_field="campaign7")
        call = await it.phone(ANN).rings()
        await call.answer()
        await call.press("42#")
        await call.expect_prompt("You are 42.")
        await call.expect_rest("POST", "Call/")
        await call.expect_ended(by="app")

        assert await it.finish()
    assert {(request_hash, "campaign7")} == {
        (turn.request["request_hash"], turn.request["cdr_field"]) for turn in it.turns
    }
    assert [] == it.violations


@pytest.mark.parametrize(
    ("outcome", "status"), [("busy", "BUSY"), ("no_answer", "NOANSWER"), ("reject", "CONGESTION")]
)
async def test_a_call_that_never_got_up(outcome: str, status: str) -> None:
    """The app is told so by one single request."""
    async with simulated() as it:
        await realtime(it)
        call = await it.phone(ANN).rings()
        await getattr(call, outcome)()
        await call.expect_ended()

        assert await it.finish()
    assert [status] == [turn.request["call_status"] for turn in it.turns]


async def test_two_phones() -> None:
    """Several calls are queued at Plivo's pace, and each phone rings."""
    async with simulated(play("Hello.")) as it:
        numbers = [f"+3361111110{n}" for n in range(5)]
        for number in numbers:
            await realtime(it, number)
        for number in numbers:
            call = await it.phone(number).rings()
            await call.answer()
            await call.expect_prompt("Hello.")

        assert await it.finish()
