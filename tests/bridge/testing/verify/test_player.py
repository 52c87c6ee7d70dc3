from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.rt_client import AppStatus, AppTimeout, AppUnreachable, RtApp
from bridge.testing.recording import Header, Level, RecordedTurn, Recording
from bridge.testing.verify import JsonPath, Player, Verification

APP = RtApp("verify", "http://app.example.com/")
REQUEST: dict[str, Any] = {
    "app": "DEFAULT",
    "callid": 7,
    "request_hash": None,
    "cli_name": "",
    "cli_number": "+33612345678",
    "date_started": "2025-11-21 09:22:33",
    "number": "+33187654321",
    "command": "",
    "command_id": 0,
    "command_result": "",
    "command_error": "",
    "call_status": "UP",
    "cdr_field": "",
    "variables": {},
}


class ScriptedApp:
    """Answers one reply after the other, whoever asks, and keeps the requests."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.bodies: list[str] = []
        self.budgets: list[float] = []

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """Answer the next reply; raise it when it is an exception."""
        assert app is APP
        self.bodies.append(body.decode())
        self.budgets.append(budget_s)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, bytes) else json.dumps(reply).encode()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Give the requests, parsed."""
        return [json.loads(body) for body in self.bodies]


def turn(
    number: int,
    reply: Any = None,
    *,
    call: int = 1,
    at: float = 0,
    failure: str = "",
    **request: Any,
) -> RecordedTurn:
    """Make a recorded turn."""
    return RecordedTurn(
        call=call,
        number=number,
        at=at or number,
        request=REQUEST | request,
        status=200,
        reply=reply,
        failure=failure,
    )


MENU = {"command": "read", "command_id": "ask", "params": {"max_digits": 1}, "variables": {"a": 1}}
BYE = {"command": "hangup", "command_id": "bye", "params": [], "variables": {"a": 2}}
CALL = (
    turn(1, MENU),
    turn(2, BYE, command="read", command_id="ask", command_result="9", variables={"a": 1}),
    turn(3, command="hangup", command_id="bye", call_status="HANGUP", variables={"a": 2}),
)


async def play(
    app: ScriptedApp, *turns: RecordedTurn, redact: Level = "none", **options: Any
) -> Verification:
    """Play turns against an app."""
    player = Player(app, APP, first_callid=1000, **options)
    return await player.play(Recording(Header(redact=redact), turns))


def verdicts(result: Verification) -> list[str]:
    """List the verdicts."""
    return [turn.verdict for turn in result.turns]


async def test_an_app_that_answers_as_recorded_is_the_same() -> None:
    """Every turn is asked, the final request too, each within 5 s."""
    app = ScriptedApp(MENU, BYE, b"")

    result = await play(app, *CALL)

    assert ["same", "same", "ignored"] == verdicts(result)
    assert ["the call begins", 'read → "9"', 'hangup → "", HANGUP'] == [
        t.asked for t in result.turns
    ]
    assert result.same
    assert [5.0, 5.0, 5.0] == app.budgets


async def test_requests_are_the_recorded_ones_with_what_this_app_sent_last() -> None:
    """Callid is new; command_id and variables are the app's own text, whatever it is."""
    mine = b'{"command":"read","command_id":12345678901234567890,"params":{"max_digits":1},"variables":{"a":1, "x":1e400}}'
    app = ScriptedApp(mine, {**BYE, "command_id": None, "variables": []}, b"")

    await play(app, *CALL)

    assert list(REQUEST) == list(app.requests[0])
    assert REQUEST | {"callid": 1000} == app.requests[0]
    assert '"command_id":12345678901234567890,' in app.bodies[1]
    assert '"variables":{"a":1, "x":1e400}' in app.bodies[1]
    assert (1000, "read", "9") == (
        app.requests[1]["callid"],
        app.requests[1]["command"],
        app.requests[1]["command_result"],
    )
    assert (0, {}, "HANGUP") == (
        app.requests[2]["command_id"],
        app.requests[2]["variables"],
        app.requests[2]["call_status"],
    )


async def test_other_params_differ_and_the_call_goes_on() -> None:
    """A changed param leaves the rest of the call comparable."""
    app = ScriptedApp({**MENU, "params": {"max_digits": 2}}, BYE, b"")

    result = await play(app, *CALL)

    assert ["differs", "same", "ignored"] == verdicts(result)
    (difference,) = result.turns[0].differences
    assert ("params.max_digits", 1, 2) == (difference.path, difference.recorded, difference.actual)
    assert not result.same


async def test_another_command_ends_the_comparison_of_the_call() -> None:
    """What was recorded next was asked after another command; only the end is still told."""
    other = {"command": "play", "command_id": "sorry", "variables": {"s": 1}}
    app = ScriptedApp(other, b"")

    result = await play(app, *CALL)

    assert ["differs", "not compared", "ignored"] == verdicts(result)
    assert "the rest of this call cannot be compared" == result.turns[0].note
    assert "the app went another way at turn 1" == result.turns[1].note
    final = app.requests[1]
    assert ("play", "sorry", "", {"s": 1}, "HANGUP") == tuple(
        final[name]
        for name in ("command", "command_id", "command_result", "variables", "call_status")
    )


async def test_keep_going_compares_the_rest_all_the_same() -> None:
    """The recorded results are sent on, with what this app sent."""
    other = {"command": "play", "command_id": "sorry", "variables": {"a": 1}}
    app = ScriptedApp(other, BYE, b"")

    result = await play(app, *CALL, keep_going=True)

    assert ["differs", "same", "ignored"] == verdicts(result)
    assert ("read", "sorry") == (app.requests[1]["command"], app.requests[1]["command_id"])


@pytest.mark.parametrize(
    "failure",
    [AppTimeout("No answer within 5 s."), AppStatus(500, "It answered 500."), b"<b>Warning</b>{}"],
)
async def test_an_app_that_fails_differs(failure: Any) -> None:
    """No usable reply is a difference, and the rest of the call is not asked."""
    app = ScriptedApp(failure, b"")

    result = await play(app, *CALL)

    assert ["differs", "not compared", "ignored"] == verdicts(result)
    (difference,) = result.turns[0].differences
    assert "read" == difference.recorded
    assert difference.actual.startswith("(")


async def test_failing_as_recorded_is_the_same() -> None:
    """A recorded failure is expected again; an app that answers now differs."""
    failing = turn(1, failure="It answered 500.")

    again = await play(ScriptedApp(AppStatus(500, "Five hundred.")), failing)
    mended = await play(ScriptedApp(MENU), failing)

    assert ("same", "failed then as now: Five hundred.") == (
        again.turns[0].verdict,
        again.turns[0].note,
    )
    (difference,) = mended.turns[0].differences
    assert ("(It answered 500.)", "read") == (difference.recorded, difference.actual)


async def test_the_final_request_must_be_answered() -> None:
    """Its reply means nothing, but an app that fails on it has changed."""
    app = ScriptedApp(MENU, BYE, AppStatus(500, "Five hundred."))

    result = await play(app, *CALL)
    final = await play(
        ScriptedApp(AppStatus(500, "Five hundred.")), turn(1, failure="x", call_status="BUSY")
    )

    assert ["same", "same", "differs"] == verdicts(result)
    assert ["ignored"] == verdicts(final)
    assert "failed then as now" == final.turns[0].note


async def test_an_app_that_is_gone_ends_the_run() -> None:
    """Without a connection nothing more can be asked, and that is no difference."""
    app = ScriptedApp(MENU, AppUnreachable("Nobody is there."))

    result = await play(app, *CALL)

    assert (["same"], "Nobody is there.", False) == (
        verdicts(result),
        result.unreachable,
        result.same,
    )


async def test_calls_at_once_are_played_as_they_happened() -> None:
    """Turns of two calls alternate as recorded, and each callid stands for its recorded one."""
    first = (turn(1, MENU, at=1), turn(2, call_status="HANGUP", at=4))
    second = (
        turn(1, {"command": "hangup_callid", "params": {"callid": 7}}, call=2, callid=9, at=2),
        turn(2, call=2, callid=9, call_status="HANGUP", at=3),
    )
    app = ScriptedApp(MENU, {"command": "hangup_callid", "params": {"callid": "1000"}}, b"", b"")

    result = await play(app, *first, *second)

    assert [1000, 1001, 1001, 1000] == [request["callid"] for request in app.requests]
    assert ["same", "same", "ignored", "ignored"] == verdicts(result)


async def test_ignored_paths_are_counted_when_they_ignore_something() -> None:
    """A path that hid no difference is reported, for it is probably misspelt."""
    app = ScriptedApp({**MENU, "variables": {"a": 5}}, BYE, b"")

    result = await play(
        app, *CALL, ignored=[JsonPath.parse("variables.a"), JsonPath.parse("params.x")]
    )

    assert ["same", "same", "ignored"] == verdicts(result)
    assert ("params.x",) == result.unused


async def test_fields_replace_recorded_ones_and_are_known() -> None:
    """A masked number can be replaced by the real one, which then stands for the mask."""
    recorded = {"command": "dialout", "params": {"targets": [{"number": "+33187654321"}]}}
    app = ScriptedApp({"command": "dialout", "params": {"targets": [{"number": "+33144444444"}]}})

    result = await play(app, turn(1, recorded), redact="numbers", fields={"number": "+33144444444"})

    assert "+33144444444" == app.requests[0]["number"]
    assert (["same"], 1) == (verdicts(result), result.by_shape)


async def test_headings_show_errors_and_no_control_characters() -> None:
    """What the app was told is one line, whatever a recording holds."""
    told = turn(2, MENU, command="play\n", command_error="BREAK: \x1b[31m")

    result = await play(ScriptedApp(MENU, MENU), turn(1, MENU), told)

    assert "play\\n → BREAK: \\u001b[31m" == result.turns[1].asked
