"""JSON-RPC 2.0 over HTTP: who may ask, and what is no request."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import callr
import pytest
from structlog.testing import capture_logs
from support_e2e import Make
from support_rpc import KEY, LOGIN, PASSWORD, PATH, Rpc, basic, make_rpc, request

from bridge.json_rpc.auth import TRIES
from bridge.json_rpc.errors import Code
from bridge.json_rpc.methods import METHODS
from bridge.store.protocol import StoreUnavailable

TIME = request("system.get_timestamp")


async def test_timestamp(make_world: Make) -> None:
    """The official SDK gets the time of the bridge in whole seconds."""
    rpc = await make_rpc(make_world)

    assert int(rpc.world.clock.now()) == await rpc.call("system.get_timestamp")


async def test_reply(make_world: Make) -> None:
    """A reply has version, the id of the request and its result, as application/json-rpc."""
    rpc = await make_rpc(make_world)
    session = rpc.world.plivo.session
    async with session.post(rpc.url, json=TIME, headers=basic()) as response:
        reply = await response.json(content_type=None)

    assert {"jsonrpc": "2.0", "id": 7, "result": int(rpc.world.clock.now())} == reply
    assert "application/json-rpc; charset=utf-8" == response.headers["Content-Type"]
    assert not {name for name in response.headers if name.startswith("Access-Control")}


@pytest.mark.parametrize("given", [0, "abc", -1, 1.5, None])
async def test_id_comes_back(make_world: Make, given: Any) -> None:
    """Whatever the id is, the reply has the same."""
    rpc = await make_rpc(make_world)
    _, reply = await rpc.post({**TIME, "id": given})

    assert (given, True) == (reply["id"], "result" in reply)


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        basic()["Authorization"],
        basic()["Authorization"].replace("Basic", "basic"),
        f"Api-Key {KEY}",
        f"api-key  {KEY} ",
    ],
    ids=["Basic", "basic", "Api-Key", "api-key"],
)
async def test_credentials_that_open(make_world: Make, header: str) -> None:
    """HTTP Basic and API keys both open the API."""
    rpc = await make_rpc(make_world)

    assert "result" in (await rpc.post(TIME, {"Authorization": header}))[1]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ???"},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "Api-Key "},
        {"Authorization": f"Api-Key {KEY}x"},
        {"Authorization": f"Api-Key {PASSWORD}"},
        basic(password="wrong"),
        basic(login="wrong"),
        basic(login="", password=""),
        basic(login=f"{LOGIN}:x"),
        basic(password="pässwörd"),
    ],
)
async def test_credentials_that_do_not(make_world: Make, headers: dict[str, str]) -> None:
    """Anything else is refused with status 200, an error, and no effect."""
    rpc = await make_rpc(make_world)

    assert Code.UNAUTHORIZED == (await rpc.error(TIME, headers))[0]


async def test_the_sdk_hears_of_wrong_credentials(make_world: Make) -> None:
    """The official SDK surfaces code and sentence, because the status is 200."""
    rpc = await make_rpc(make_world)
    rpc.sdk = callr.Api(LOGIN, "wrong")
    rpc.sdk.set_api_url(rpc.url)

    code, message = await rpc.fails("system.get_timestamp")
    assert (Code.UNAUTHORIZED, True) == (code, message.startswith("UNAUTHORIZED: "))


async def test_only_keys(make_world: Make) -> None:
    """With API keys alone, no login opens, not even an empty one."""
    rpc = await make_rpc(make_world, rpc_login=None, rpc_password=None)

    assert "result" in (await rpc.post(TIME, {"Authorization": f"Api-Key {KEY}"}))[1]
    assert Code.UNAUTHORIZED == (await rpc.error(TIME, basic("", "")))[0]


async def test_off_without_credentials(make_world: Make) -> None:
    """Without credentials there is no such address."""
    rpc = Rpc(await make_world(rpc_login=None, rpc_password=None))

    assert 404 == (await rpc.post(TIME))[0]


async def test_guessing_is_slowed_down(make_world: Make) -> None:
    """After many wrong logins the address has one try a second, right ones included."""
    rpc = await make_rpc(make_world)
    codes = [(await rpc.error(TIME, basic("x", str(n))))[0] for n in range(TRIES + 2)]

    assert [Code.UNAUTHORIZED] * TRIES + [Code.RATE_LIMITED] * 2 == codes
    assert Code.RATE_LIMITED == (await rpc.error(TIME))[0]
    await rpc.world.passes(1)
    assert "result" in (await rpc.post(TIME))[1]


async def test_nothing_secret_is_logged(make_world: Make) -> None:
    """A wrong login is logged with its address, without what was given."""
    rpc = await make_rpc(make_world)
    with capture_logs() as logs:
        await rpc.error(TIME, basic("somebody", "their-password"))

    assert ["json_rpc.unauthorized"] == [line["event"] for line in logs]
    assert "127.0.0.1" == logs[0]["address"]
    assert "somebody" not in str(logs)
    assert "their-password" not in str(logs)


async def test_login_as_is_accepted(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The npm SDK's header to act for another user is noted, cut, and changes nothing."""
    rpc = await make_rpc(make_world)
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr("bridge.json_rpc.endpoint.log_line", lambda _, line: lines.append(line))
    _, reply = await rpc.post(TIME, {**basic(), "CALLR-Login-As": "user.login " + "x" * 100})

    assert "result" in reply
    ((method, shown),) = [(line["method"], line["login_as"]) for line in lines]
    assert ("system.get_timestamp", "user.login " + "x" * 53) == (method, shown)


# --- what is no request -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (b"", Code.PARSE_ERROR, "not JSON"),
        (b"{", Code.PARSE_ERROR, "not JSON"),
        (b"\xff", Code.PARSE_ERROR, "not JSON"),
        ([TIME], Code.NOT_SUPPORTED, "batches are not supported"),
        ([], Code.NOT_SUPPORTED, "batches are not supported"),
        (5, Code.INVALID_REQUEST, "a request is an object"),
        ({}, Code.INVALID_REQUEST, 'jsonrpc must be "2.0"'),
        ({**TIME, "jsonrpc": "1.0"}, Code.INVALID_REQUEST, 'jsonrpc must be "2.0"'),
        ({**TIME, "method": 5}, Code.INVALID_REQUEST, "method a name"),
        ({**TIME, "id": [1]}, Code.INVALID_REQUEST, "id must be"),
        ({**TIME, "id": True}, Code.INVALID_REQUEST, "id must be"),
        (b'{"jsonrpc":"2.0","id":1e400,"method":"x"}', Code.INVALID_REQUEST, "id must be"),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"x"}', Code.PARSE_ERROR, "not JSON"),
        ({**TIME, "params": {"a": 1}}, Code.NOT_SUPPORTED, "params must be an array"),
        ({**TIME, "params": "x"}, Code.INVALID_REQUEST, "params must be an array"),
        ({k: v for k, v in TIME.items() if k != "id"}, Code.NOT_SUPPORTED, "notifications"),
        (request("system.get_timestamp", 5), Code.INVALID_PARAMS, "too many parameters"),
        (b'{"jsonrpc":"2.0","id":' + b"[" * 100_000, Code.PARSE_ERROR, "not JSON"),
    ],
)
async def test_what_is_no_request(make_world: Make, body: Any, code: Code, sentence: str) -> None:
    """Every fault has its code and a sentence."""
    rpc = await make_rpc(make_world)

    found, message = await rpc.error(body)
    assert (code, True) == (found, sentence in message), message


async def test_params_may_be_left_out(make_world: Make) -> None:
    """A method without parameters needs no array, null will do."""
    rpc = await make_rpc(make_world)
    for body in ({k: v for k, v in TIME.items() if k != "params"}, {**TIME, "params": None}):
        assert "result" in (await rpc.post(body))[1]


async def test_unknown_method_lists_the_others(make_world: Make) -> None:
    """Whoever asks for what is not there learns what is."""
    rpc = await make_rpc(make_world)
    code, message = await rpc.fails("sms.send", "CALLR", "+33612345678", "Hello", None)

    assert Code.METHOD_NOT_FOUND == code
    assert "there is no method 'sms.send'" in message
    assert all(name in message for name in METHODS)


async def test_too_large_body(make_world: Make) -> None:
    """A body beyond the limit is refused, with the status that lets an SDK read why."""
    rpc = await make_rpc(make_world, max_webhook_bytes=20_000)

    code, message = await rpc.error(request("apps.get", "x" * 30_000))
    assert (Code.TOO_LARGE, True) == (code, "too large" in message)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_only_post(make_world: Make, method: str) -> None:
    """Nothing but POST is answered; browsers of other sites get no permission."""
    rpc = await make_rpc(make_world)
    session = rpc.world.plivo.session
    async with session.request(method, rpc.url, headers=basic()) as response:
        assert 405 == response.status
        assert not {name for name in response.headers if name.startswith("Access-Control")}


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/"), f"/rt{PATH}"])
async def test_addresses(make_world: Make, path: str) -> None:
    """The API is found with and without the last slash, and below the path of the public URL."""
    rpc = await make_rpc(make_world, public_url="https://bridge.example.com/rt")

    assert "result" in (await Rpc(rpc.world, path).post(TIME))[1]


async def test_sick_store(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails is told with a code of its own."""
    rpc = await make_rpc(make_world)

    async def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(rpc.world.bridge.store, "load_record", fail)
    code, message = await rpc.fails("apps.get", "X")

    assert (Code.STORE_UNAVAILABLE, True) == (code, "the disk is full" in message)


async def test_fault_of_ours(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is an error with a code, whose details are in the log alone."""
    rpc = await make_rpc(make_world)
    monkeypatch.setattr(rpc.world.bridge.store, "load_record", None)
    with capture_logs() as logs:
        code, message = await rpc.fails("apps.get", "X")

    assert (Code.INTERNAL_ERROR, False) == (code, "NoneType" in message)
    assert "json_rpc.fault" in [line["event"] for line in logs]


async def test_requests_are_counted(make_world: Make) -> None:
    """The metrics say what became of requests."""
    rpc = await make_rpc(make_world)
    await rpc.post(TIME)
    await rpc.error(TIME, {})
    _, metrics = await rpc.world.admin("/metrics")

    for outcome in ("result", "UNAUTHORIZED"):
        labels = f'{{app="other",outcome="{outcome}",route="json-rpc"}}'
        assert f"rt_bridge_webhooks_total{labels} 1.0" in metrics


async def test_broken_off_body(make_world: Make) -> None:
    """A client that goes away in the middle of its request harms nobody."""
    rpc = await make_rpc(make_world)
    reader, writer = await asyncio.open_connection("127.0.0.1", rpc.world.bridge.port)
    body = json.dumps(TIME).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{'Authorization: ' + basic()['Authorization']}\r\n"
    writer.write(f"{head}Content-Length: {len(body) + 9}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert b"" == await reader.read()
    assert "result" in (await rpc.post(TIME))[1]
