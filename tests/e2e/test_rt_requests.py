"""What an RT app receives, field by field (RT page, RT.Request)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support_e2e import HANGUP, PUBLIC, Make, command, tts

FIELDS = [
    "app",
    "callid",
    "request_hash",
    "cli_name",
    "cli_number",
    "date_started",
    "number",
    "command",
    "command_id",
    "command_result",
    "command_error",
    "call_status",
    "cdr_field",
    "variables",
]


async def test_first_request(make_world: Make, store: str) -> None:
    """The first request of an inbound call has all 14 fields, in order, and nothing else."""
    world = await make_world(HANGUP, store=store)
    world.dial(caller_name="Ada L.")
    await world.finish()

    assert (
        b'{"app":"DEFAULT","callid":1,"request_hash":null,"cli_name":"Ada L.",'
        b'"cli_number":"+33612345678","date_started":"2026-01-05 10:00:00",'
        b'"number":"+33187654321","command":"","command_id":0,"command_result":"",'
        b'"command_error":"","call_status":"UP","cdr_field":"","variables":{}}'
    ) == world.app.bodies[0]
    assert all(FIELDS == list(request) for request in world.app.requests)


async def test_second_request(make_world: Make) -> None:
    """A later request names the command that ended, its label, its result and the variables."""
    world = await make_world(
        command("read", "ask_age", {"turn": 1}, media_id=tts("Age?"), max_digits=3), HANGUP
    )
    call = world.dial()
    await call.press("42#")
    await world.finish()

    request = world.app.requests[1]
    assert ("read", "ask_age", "42", "", "UP", {"turn": 1}) == tuple(
        request[name]
        for name in (
            "command",
            "command_id",
            "command_result",
            "command_error",
            "call_status",
            "variables",
        )
    )


async def test_headers(make_world: Make) -> None:
    """Requests are JSON, and carry HTTP Basic when the app has a login."""
    world = await make_world(HANGUP, app={"login": "ivr", "password": "pässword"})
    world.dial()
    await world.finish()

    login = base64.b64encode("ivr:pässword".encode()).decode()
    for headers in world.app.headers:
        assert "application/json" == headers["Content-Type"]
        assert f"Basic {login}" == headers["Authorization"]


async def test_no_login(make_world: Make) -> None:
    """Without a login there is no Authorization header."""
    world = await make_world(HANGUP)
    world.dial()
    await world.finish()

    assert all("Authorization" not in headers for headers in world.app.headers)


async def test_callids(make_world: Make, store: str) -> None:
    """Calls are numbered 1, 2, 3 …, so that no app loses a digit."""
    world = await make_world(store=store)
    for _ in range(3):
        world.dial()
        await world.finish()

    assert [1, 1, 2, 2, 3, 3] == [request["callid"] for request in world.app.requests]


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "0",
        "-1",
        "9223372036854775808",
        "1.10",
        "1e3",
        '"ask_age"',
        '""',
        '"\\u00e9\\ud83d\\ude00"',
        "true",
        "false",
        '"7"',
    ],
)
async def test_command_id(make_world: Make, text: str) -> None:
    """Whatever JSON scalar the app sends as command_id comes back as it was, byte for byte."""
    reply = f'{{"command":"wait","command_id":{text},"params":{{"wait":1}}}}'
    world = await make_world(reply.encode(), HANGUP)
    world.dial()
    await world.finish()

    assert f'"command":"wait","command_id":{text},'.encode() in world.app.bodies[1]


@pytest.mark.parametrize("field", ["", '"command_id":null,'])
async def test_no_command_id(make_world: Make, field: str) -> None:
    """A command_id that is missing or null comes back as 0."""
    world = await make_world(f'{{{field}"command":"wait"}}'.encode(), HANGUP)
    world.dial()
    await world.finish()

    assert 0 == world.app.requests[1]["command_id"]


async def test_variables(make_world: Make, store: str) -> None:
    """Variables come back with every digit, level, letter and null they had."""
    text = (
        '{"big":9223372036854775808,"huge":123456789012345678901234567890,"price":1.10,'
        '"deep":{"a":[1,[2,{"b":null}]]},"name":"Zoë 😀","empty":{},"none":null,"no":false}'
    )
    first = f'{{"command":"wait","command_id":1,"variables":{text}}}'
    world = await make_world(first.encode(), HANGUP, store=store)
    world.dial()
    await world.finish()

    assert json.loads(text) == world.app.requests[1]["variables"]
    assert b'"price":1.10,' in world.app.bodies[1]
    assert b'"big":9223372036854775808,' in world.app.bodies[1]


@pytest.mark.parametrize("variables", ["[]", "null", "{}", None])
async def test_empty_variables(make_world: Make, variables: str | None) -> None:
    """Missing, null and PHP's empty array all come back as an empty object."""
    field = "" if variables is None else f'"variables":{variables},'
    world = await make_world(f'{{{field}"command":"wait"}}'.encode(), HANGUP)
    world.dial()
    await world.finish()

    assert b'"variables":{}}' in world.app.bodies[1]


async def test_variables_last(make_world: Make) -> None:
    """Only the variables of the latest reply come back: a reply without any empties them."""
    world = await make_world(command("wait", variables={"a": 1}), {"command": "wait"}, HANGUP)
    world.dial()
    await world.finish()

    assert [{}, {"a": 1}, {}, {}] == [request["variables"] for request in world.app.requests]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("33612345678", "+33612345678"),
        ("+33612345678", "+33612345678"),
        ("sip:alice@phone.plivo.com", "sip:alice@phone.plivo.com"),
        ("sip:+33612345678@carrier.example", "+33612345678"),
        ("anonymous", ""),
        ("undefined", ""),
        ("", ""),
    ],
)
async def test_caller_numbers(make_world: Make, given: str, expected: str) -> None:
    """Numbers are E.164 with "+", SIP callers keep their address, unknown ones are ""."""
    world = await make_world(HANGUP)
    leg = world.leg(caller=given, called="+33187654321")
    await leg.request(world.application.answer_url)

    assert (expected, "+33187654321") == (
        world.app.requests[0]["cli_number"],
        world.app.requests[0]["number"],
    )


async def test_no_from(make_world: Make) -> None:
    """A request that lacks every optional parameter still makes a call."""
    world = await make_world(HANGUP)
    leg = world.leg()
    answer = await leg.request(world.application.answer_url, {"CallUUID": leg.uuid}, bare=True)

    assert 200 == answer.status
    assert ("", "", "") == tuple(
        world.app.requests[0][name] for name in ("cli_number", "cli_name", "number")
    )


async def test_outbound(make_world: Make) -> None:
    """An outbound call has a request_hash, the same in all of its requests."""
    world = await make_world(command("wait"), HANGUP)
    world.rig.callee("+33612345678").answers()
    call = world.make_call("+33187654321", "+33612345678")
    await world.finish()

    assert [call.line.leg.request_uuid] * 3 == [r["request_hash"] for r in world.app.requests]
    assert ("+33187654321", "+33612345678") == (
        world.app.requests[0]["cli_number"],
        world.app.requests[0]["number"],
    )


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ({}, ["UP", "UP", "HANGUP"]),
        ({"send_incoming_call": True}, ["INCOMING_CALL", "UP", "HANGUP"]),
    ],
)
async def test_incoming_call(make_world: Make, app: Any, expected: list[str]) -> None:
    """The first request says INCOMING_CALL only when the app's settings ask for it."""
    world = await make_world(command("wait"), HANGUP, app=app)
    world.dial()
    await world.finish()

    assert expected == [request["call_status"] for request in world.app.requests]


async def test_several_apps(make_world: Make) -> None:
    """Each app gets its own calls, under its own hash."""
    world = await make_world(more_apps=["SHOP"])
    for name in ("SHOP", "DEFAULT"):
        await world.leg().request(f"{PUBLIC}/plivo/{name}/answer")

    assert ["SHOP", "DEFAULT"] == [request["app"] for request in world.app.requests]


async def test_results(make_world: Make) -> None:
    """Results are strings, but that of send_dtmf is the integer 0 (RT page, send_dtmf)."""
    world = await make_world(
        command("play", media_id=tts("Hello")),
        command("play", media_id=4711),
        command("send_dtmf", digits="12"),
        command("wait", wait=3),
        command("play_record", media_file="nobody-knows"),
        command("wait_for_silence", wait=10, length=1, iterations=1, timeout=10),
        HANGUP,
    )
    world.dial()
    await world.finish()

    assert ["", "0", "1", 0, "0", "1"] == world.app.results()[:6]
