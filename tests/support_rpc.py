"""Clients of the JSON-RPC API: raw requests, and CALLR's official Python SDK."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

import callr
from support_e2e import Json, Make, Reply, World

LOGIN, PASSWORD, KEY = "legacy", "correct horse battery", "an-api-key-of-32-characters-long"
CREDENTIALS: Json = {"rpc_login": LOGIN, "rpc_password": PASSWORD, "rpc_api_keys": [KEY]}
PATH = "/json-rpc/v1.1/"
APP = "DEFAULT"
CALLEE = "+33699999999"
DID = "+33187654321"


def basic(login: str = LOGIN, password: str = PASSWORD) -> dict[str, str]:
    """Give the header of HTTP Basic."""
    pair = base64.b64encode(f"{login}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@dataclass
class Rpc:
    """One bridge whose API is asked."""

    world: World
    path: str = PATH
    sdk: Any = field(init=False)

    def __post_init__(self) -> None:
        """Make the official SDK ask this bridge; nothing else of it is changed."""
        self.sdk = callr.Api(LOGIN, PASSWORD)
        self.sdk.set_api_url(self.url)

    @property
    def url(self) -> str:
        """Give the address of the API."""
        return f"http://127.0.0.1:{self.world.bridge.port}{self.path}"

    async def call(self, method: str, *params: Any) -> Any:
        """Let the SDK call a method, in a thread, because it blocks."""
        return await asyncio.to_thread(self.sdk.call, method, *params)

    async def fails(self, method: str, *params: Any) -> tuple[int, str]:
        """Let the SDK call a method that fails; gives code and message as it surfaces them."""
        try:
            result = await self.call(method, *params)
        except callr.CallrException as error:
            return error.code, error.msg
        raise AssertionError(f"{method} gave {result!r}")

    async def post(
        self, body: Any, headers: dict[str, str] | None = None, *, method: str = "POST"
    ) -> tuple[int, Any]:
        """Send a body as it is; gives the status and the decoded reply, or its text."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        session = self.world.plivo.session
        async with session.request(
            method, self.url, data=data, headers=basic() if headers is None else headers
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else text

    async def error(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Send a body that is an error, which comes with status 200 and without a result."""
        status, reply = await self.post(body, headers)
        assert 200 == status
        assert "result" not in reply
        return reply["error"]["code"], reply["error"]["message"]


def request(method: str, *params: Any, **other: Any) -> Json:
    """Write a request."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params), **other}


async def make_rpc(make_world: Make, *replies: Reply, **options: Any) -> Rpc:
    """Start a bridge with credentials, and with Plivo's REST API."""
    options = {"plivo_rest": True, **CREDENTIALS, **options}
    return Rpc(await make_world(*replies, **options))
