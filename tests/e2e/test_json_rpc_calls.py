"""Calls through the JSON-RPC API, with CALLR's official Python SDK on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support_e2e import Make, command, tts
from support_outbound import asked, dialled, does, told
from support_rpc import APP, CALLEE, DID, make_rpc

from bridge.json_rpc.errors import Code
from bridge.simulator.callees import Answers, Busy

TARGET = {"number": CALLEE, "timeout": 30}
OPTIONS = {"cdr_field": "42", "cli": DID}
WAIT = command("wait", wait=30)


@pytest.mark.parametrize("method", ["calls.realtime", "dialr/call.realtime"])
async def test_outbound_call_of_the_sdks_readme(make_world: Make, method: str) -> None:
    """The call of the SDK's README returns the hash that every request of the call carries."""
    rpc = await make_rpc(make_world, command("play", media_id=tts("hello")))
    does(rpc.world, Answers(after=3, talks=60))
    token = await rpc.call(method, APP, TARGET, OPTIONS)
    await rpc.world.delivered()

    assert [
        ("UP", "", token, "42"),
        ("UP", "play", token, "42"),
        ("HANGUP", "hangup", token, "42"),
    ] == told(rpc.world)
    assert [DID.removeprefix("+")] == [body["from"] for body in asked(rpc.world)]


async def test_call_that_is_not_answered(make_world: Make) -> None:
    """A busy phone is told in one request under the hash that was returned."""
    rpc = await make_rpc(make_world)
    does(rpc.world, Busy())
    token = await rpc.call("calls.realtime", APP, TARGET, OPTIONS)
    await rpc.world.delivered()

    assert [("BUSY", "", token, "42")] == told(rpc.world)


async def test_blocked_shows_a_number_of_the_app(make_world: Make) -> None:
    """Plivo must show a number: the configured one, else one of the app's."""
    rpc = await make_rpc(make_world, app={"blocked_caller_id": "+33155555555"})
    await rpc.call("calls.realtime", APP, TARGET, {"cli": "blocked"})
    await rpc.world.passes(1)

    assert ["33155555555"] == [body["from"] for body in asked(rpc.world)]


@pytest.mark.parametrize("options", [None, {}, {"cli": "BLOCKED"}])
async def test_blocked_shows_an_assigned_number(make_world: Make, options: Any) -> None:
    """Without a configured number, one that was assigned to the app stands in."""
    rpc = await make_rpc(make_world)
    await rpc.call("apps.assign_did", APP, DID)
    await rpc.call("calls.realtime", APP, TARGET, options)
    await rpc.world.passes(1)

    assert [DID.removeprefix("+")] == [body["from"] for body in asked(rpc.world)]


async def test_blocked_without_any_number(make_world: Make) -> None:
    """When there is nothing to show, nobody is called, and the error says what to do."""
    rpc = await make_rpc(make_world)

    code, message = await rpc.fails("calls.realtime", APP, TARGET, {"cli": "BLOCKED"})
    assert Code.CLI_MISSING == code
    assert message.startswith("CLI_MISSING: options.cli is BLOCKED")
    assert [] == await rpc.world.bridge.store.list_records("intent")


@pytest.mark.parametrize(
    ("params", "code", "sentence"),
    [
        (("NOSUCH", TARGET, OPTIONS), Code.APP_NOT_FOUND, "there is no app NOSUCH"),
        ((None, TARGET, OPTIONS), Code.INVALID_PARAMS, "app is missing"),
        ((APP, {"number": "hello"}, OPTIONS), Code.INVALID_NUMBER, "target.number: must be an int"),
        ((APP, {"number": "123"}, OPTIONS), Code.INVALID_NUMBER, "target.number"),
        ((APP, {}, OPTIONS), Code.INVALID_NUMBER, "target.number: Field required"),
        ((APP, CALLEE, OPTIONS), Code.INVALID_PARAMS, "target must be an object"),
        ((APP, {**TARGET, "timeout": 4}, OPTIONS), Code.INVALID_PARAMS, "target.timeout"),
        ((APP, {**TARGET, "timeout": 301}, OPTIONS), Code.INVALID_PARAMS, "target.timeout"),
        ((APP, TARGET, {"cli": "me"}), Code.INVALID_CLI, "options.cli"),
        ((APP, TARGET, {"cdr_field": "a b", "cli": DID}), Code.INVALID_PARAMS, "options.cdr_field"),
        ((APP, TARGET, {"cdr_field": "x" * 33}), Code.INVALID_PARAMS, "options.cdr_field"),
        ((APP, TARGET, "42"), Code.INVALID_PARAMS, "options must be an object"),
        ((APP, TARGET, OPTIONS, 1), Code.INVALID_PARAMS, "too many parameters"),
        ((), Code.INVALID_PARAMS, "app is missing: calls.realtime(app hash, {number, timeout}"),
    ],
)
async def test_bad_calls(make_world: Make, params: Any, code: Code, sentence: str) -> None:
    """Each fault has its code and names the parameter; the store stays as it was."""
    rpc = await make_rpc(make_world)

    found, message = await rpc.fails("calls.realtime", *params)
    assert (code, True) == (found, sentence in message), message
    assert [] == await rpc.world.bridge.store.list_records("intent")
    await rpc.world.passes(5)
    assert [] == dialled(rpc.world)


async def test_calls_without_rest(make_world: Make) -> None:
    """With webhooks alone, calls are refused with a code of their own."""
    rpc = await make_rpc(make_world, plivo_rest=False)

    code, message = await rpc.fails("calls.realtime", APP, TARGET, OPTIONS)
    assert (Code.REST_UNAVAILABLE, True) == (code, "BRIDGE_PLIVO_REST" in message)


async def test_stopping_bridge_refuses_calls(make_world: Make) -> None:
    """While it is being stopped, the bridge says so and stores nothing."""
    rpc = await make_rpc(make_world)
    rpc.world.bridge.outbound.stop()

    assert Code.DRAINING == (await rpc.fails("calls.realtime", APP, TARGET, OPTIONS))[0]
    assert [] == await rpc.world.bridge.store.list_records("intent")


async def test_many_at_once(make_world: Make) -> None:
    """Calls asked for at the same time get hashes of their own, and are all made."""
    rpc = await make_rpc(make_world)
    targets = [{"number": f"+3369999000{n}"} for n in range(6)]
    tokens = await asyncio.gather(
        *(rpc.call("calls.realtime", APP, target, OPTIONS) for target in targets)
    )
    await rpc.world.passes(10)

    assert 6 == len(set(tokens))
    assert {f"3369999000{n}" for n in range(6)} == {number for _, number in dialled(rpc.world)}


# --- hangup and break ---------------------------------------------------------------------------


@pytest.mark.parametrize("callid", [1, "1"])
async def test_hangup_ends_a_call(make_world: Make, callid: Any) -> None:
    """A live call is hung up, and its app hears so; a second time there is nothing to hang up."""
    rpc = await make_rpc(make_world, WAIT)
    rpc.world.dial()
    await rpc.world.passes(3)
    assert True is await rpc.call("calls.hangup", callid, None)
    await rpc.world.delivered()

    assert [("HANGUP", "wait")] == [
        (one["call_status"], one["command"]) for one in rpc.world.app.finals
    ]
    assert False is await rpc.call("calls.hangup", callid)


async def test_hangup_of_a_call_that_plivo_knows_no_more(make_world: Make) -> None:
    """When Plivo says that there is no such call, it is over in the bridge too, and its app is told."""
    rpc = await make_rpc(make_world, WAIT, faults=["drop:hangup url"])
    call = rpc.world.dial()
    await rpc.world.passes(3)
    await call.hang_up()
    await rpc.world.passes(3)
    assert [] == rpc.world.app.finals

    assert False is await rpc.call("calls.hangup", 1)
    await rpc.world.delivered()
    assert ["HANGUP"] == [final["call_status"] for final in rpc.world.app.finals]
    assert [] == await rpc.world.bridge.store.live_calls()


@pytest.mark.parametrize(
    ("callid", "code"),
    [
        (99, Code.CALL_NOT_FOUND),
        (2**63, Code.CALL_NOT_FOUND),
        (None, Code.INVALID_PARAMS),
        ("x", Code.INVALID_PARAMS),
        (-1, Code.INVALID_PARAMS),
        (1.5, Code.INVALID_PARAMS),
        (True, Code.INVALID_PARAMS),
        pytest.param(10**400, Code.INVALID_PARAMS, id="huge"),
    ],
)
@pytest.mark.parametrize("method", ["calls.hangup", "calls.realtime_break"])
async def test_callids_that_are_none(
    make_world: Make, method: str, callid: Any, code: Code
) -> None:
    """An unknown callid and no callid at all are told apart."""
    rpc = await make_rpc(make_world)

    assert code == (await rpc.fails(method, callid))[0]


async def test_hangup_when_plivo_fails(make_world: Make) -> None:
    """An outcome nobody knows is said to be unknown."""
    rpc = await make_rpc(make_world, WAIT, faults=["rest_500:Call"])
    rpc.world.dial()
    await rpc.world.passes(3)

    assert Code.REST_UNKNOWN == (await rpc.fails("calls.hangup", 1))[0]


async def test_break_ends_the_command(make_world: Make) -> None:
    """The app hears BREAK, and gives the next command; a call that is over has none to end."""
    rpc = await make_rpc(make_world, WAIT, WAIT)
    rpc.world.dial()
    await rpc.world.passes(3)
    assert True is await rpc.call("calls.realtime_break", 1)
    await rpc.world.passes(1)
    (first, second) = rpc.world.app.requests
    assert ("", "") == (first["command"], first["command_error"])
    assert ("wait", True) == (second["command"], second["command_error"].startswith("BREAK"))

    await rpc.call("calls.hangup", 1)
    await rpc.world.delivered()
    assert False is await rpc.call("calls.realtime_break", 1, None)
