"""Outbound calls of several processes on one Valkey, one of which is killed."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from support_e2e import listening
from support_serve import Serving
from support_valkey import needs_valkey, shared_server, url_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_valkey

KEY = "an-api-key-of-32-characters-long"
CALLS = 8
PATIENCE_S = 30.0


class Account:
    """Plivo's API, as far as making calls goes: it takes note of whom it should call."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.changed = asyncio.Condition()

    async def make_call(self, request: web.Request) -> web.Response:
        """Take a call."""
        self.called.append((await request.json())["to"])
        async with self.changed:
            self.changed.notify_all()
        uuid = f"request-{len(self.called)}"
        return web.json_response({"message": "call fired", "request_uuid": uuid}, status=201)

    async def until(self, count: int) -> None:
        """Wait until so many calls were asked for."""
        async with self.changed, asyncio.timeout(PATIENCE_S):
            await self.changed.wait_for(lambda: len(self.called) >= count)


@pytest.mark.slow
async def test_queue_outlives_the_process_that_dials(tmp_path: Path) -> None:
    """When the one that dials is killed another goes on; nobody is called twice or left out."""
    account = Account()
    plivo = web.Application()
    plivo.router.add_post("/v1/Account/{account}/Call/", account.make_call)
    async with AsyncExitStack() as stack:
        options = {
            "BRIDGE_STORE": url_for(shared_server(), tmp_path),
            "BRIDGE_PLIVO_REST": "true",
            "BRIDGE_PLIVO_API_URL": await stack.enter_async_context(listening(plivo)),
            "BRIDGE_PLIVO_CALLS_PER_SECOND": "2",
            "BRIDGE_RPC_API_KEYS": KEY,
        }
        one = await stack.enter_async_context(Serving(**options))
        ports = [(await one.ready())["listen"].rpartition(":")[2]]
        await one.logged("duty.taken", duty="dial")
        others = [await stack.enter_async_context(Serving(**options)) for _ in range(2)]
        ports += [(await it.ready())["listen"].rpartition(":")[2] for it in others]
        client = await stack.enter_async_context(aiohttp.ClientSession())
        numbers = [f"3369999990{n}" for n in range(CALLS)]
        for n, number in enumerate(numbers):
            params = ["DEFAULT", {"number": f"+{number}"}, {"cli": "+33187654321"}]
            body = {"jsonrpc": "2.0", "id": n, "method": "calls.realtime", "params": params}
            async with client.post(
                f"http://127.0.0.1:{ports[n % 3]}/json-rpc/v1.1/",
                json=body,
                headers={"Authorization": f"Api-Key {KEY}"},
            ) as response:
                assert "result" in await response.json()
        await account.until(3)
        await one.stop(signal.SIGKILL)
        assert len(account.called) < CALLS - 1
        # The one it was at may be lost: nobody knows whether Plivo has it.
        await account.until(CALLS - 1)

    called = [number.removeprefix("+") for number in account.called]
    assert sorted(set(called)) == sorted(called)
    assert set(called) <= set(numbers)
