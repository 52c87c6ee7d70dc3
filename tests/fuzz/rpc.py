"""Random JSON-RPC requests: to the endpoint itself, and what surrounds them over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, cast

from aiohttp import web
from fuzz import hostile
from support_shell import HASH, shell

from bridge.breaks import Breaks
from bridge.duties import Duty
from bridge.json_rpc.api import Api
from bridge.json_rpc.endpoint import Endpoint
from bridge.json_rpc.errors import Code
from bridge.json_rpc.methods import METHODS
from bridge.outbound.service import Outbound
from bridge.stored_apps import StoredApps

LOGIN: Final = "legacy"
PASSWORD: Final = "fuzz-password-of-rpc"
KEY: Final = "fuzz-api-key-of-32-characters-ok"
APP_PASSWORD: Final = "fuzz-password-of-an-app"
#: What no log may ever show.
SECRETS: Final = (PASSWORD, KEY, APP_PASSWORD)
NAMES: Final = (*METHODS, *METHODS, "system.listMethods", "calls", "", "__class__")
#: Parameters that make sense somewhere, so that methods are reached and not only refused.
SENSIBLE: Final[tuple[Any, ...]] = (
    *(HASH, "1", 1, 2**63, "+33612345678", 33612345678.0, "SHOP", None, [], {}, True),
    {"number": "+33612345678", "timeout": 20},
    {"cdr_field": "x", "cli": "BLOCKED"},
    {"url": "http://127.0.0.1:9/", "login": "user", "password": APP_PASSWORD},
    *("an app", "REALTIME10", "http://127.0.0.1:9/rt", APP_PASSWORD),
)


def credentials(rng: Random) -> str:
    """Make up an Authorization header: mostly right, else of hostile kinds."""

    def basic(pair: str) -> str:
        return "Basic " + base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode()

    right = (basic(f"{LOGIN}:{PASSWORD}"), f"Api-Key {KEY}", f"api-key  {KEY} ")
    wrong = (
        *("", "Basic", "Basic ====", "Basic \x00", f"Bearer {KEY}", KEY, f"Api-Key {KEY}x"),
        basic(f"{PASSWORD}:{LOGIN}"),
        basic(hostile.text(rng)),
        basic(f"{LOGIN}:{PASSWORD}")[:-3],
        "Api-Key " + hostile.text(rng),
    )
    return rng.choice(right) if rng.random() < 0.95 else rng.choice(wrong)


def body(rng: Random) -> bytes:
    """Make up a body: mostly a request whose parts may be out of place."""
    params: Any = [
        rng.choice(SENSIBLE) if rng.random() < 0.7 else hostile.value(rng, 2)
        for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 5)))
    ]
    request: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": rng.choice((1, "x", None, 1.5, -1)),
        "method": rng.choice(NAMES),
        "params": params,
    }
    whim = rng.random()
    if whim < 0.1:
        request[rng.choice(("jsonrpc", "id", "method", "params"))] = hostile.value(rng, 2)
    elif whim < 0.15:
        del request[rng.choice(("jsonrpc", "id", "method", "params"))]
    elif whim < 0.18:
        return hostile.to_text([request] * rng.randrange(3), rng).encode("utf-8", "replace")
    elif whim < 0.2:
        return hostile.deep(rng.choice((10, 300, 5000))).encode()
    written = bytearray(hostile.to_text(request, rng).encode("utf-8", "surrogatepass"))
    if rng.random() < 0.1:
        at = rng.randrange(len(written))
        written[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(written)


def check(status: int, content: bytes) -> str:
    """Check an answer: status 200, either a result or an error with a known code; names it."""
    assert 200 == status, (status, content)
    answer = json.loads(content)
    assert "2.0" == answer["jsonrpc"]
    assert {"jsonrpc", "id", "result"} == set(answer) or {"jsonrpc", "id", "error"} == set(answer)
    if "result" in answer:
        return "result"
    code = Code(answer["error"]["code"])
    assert Code.INTERNAL_ERROR is not code, content
    assert answer["error"]["message"].startswith(f"{code.name}: "), content
    return code.name


class _Request:
    """As much of a request of aiohttp's as the endpoint uses."""

    def __init__(self, rng: Random, content: bytes) -> None:
        # Addresses try in turns, so that wrong logins do not shut out all that follow.
        self.remote = f"192.0.2.{rng.randrange(250)}"
        self.headers = {"Authorization": credentials(rng), "CALLR-Login-As": hostile.text(rng)}
        self._content = content

    async def read(self) -> bytes:
        """Give the body."""
        return self._content


class RpcEdge:
    """The endpoint of a bridge without listeners."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, rng: Random) -> str:
        """Feed one request, and check the answer."""
        content = body(rng)
        request = _Request(rng, content)
        response = await self._endpoint._serve(cast("web.Request", request))
        assert isinstance(response.body, bytes)
        try:
            return check(response.status, response.body)
        except AssertionError as fault:
            fault.add_note(repr(content))
            raise


@asynccontextmanager
async def rpc_edge() -> AsyncIterator[RpcEdge]:
    """Give the edge, on a store in memory and without Plivo's REST API."""
    settings: Any = {"rpc_login": LOGIN, "rpc_password": PASSWORD, "rpc_api_keys": [KEY]}
    async with shell({}, None, **settings) as it:
        outbound = Outbound(it.runtime, it.session, it.hangups, it.outbox)
        breaks = Breaks(it.runtime, it.session, it.outbox)
        numbers = Duty(it.runtime, it.session.replicas, "numbers")
        api = Api(it.runtime, StoredApps(it.runtime), outbound, None, breaks, it.hangups, numbers)
        yield RpcEdge(Endpoint(api))
