"""Calls of which no webhook comes: what Plivo is asked, and what the app is told."""

from __future__ import annotations

from typing import Any

import pytest
from support_dispatch import NUMBER, SHOWN, dialling

from bridge.outbound.intents import Phase
from bridge.outbound.lost import AGAIN_S, PATIENCE_S, SLACK_S
from bridge.plivo.rest import CallRecord
from bridge.plivo.rest_errors import PlivoTimeout, PlivoUnavailable

UNKNOWN = PlivoTimeout("make call", "no answer in 4 s")
#: After it the row of a call that rings for 30 s is due.
DUE = int(30 + SLACK_S)


def record(**values: Any) -> CallRecord:
    """Write what Plivo has of a call that is over."""
    return CallRecord.model_validate(values)


async def test_plivo_is_not_asked_before_the_ringing_is_over() -> None:
    """As long as a webhook may still come, nothing is asked."""
    async with dialling() as it:
        await it.place()
        await it.shell.after(DUE - 1)
        assert [] == it.rest.looks
        await it.shell.after(2)

        assert it.rest.looks[0] == "request-1"


async def test_call_nobody_knows_is_rejected() -> None:
    """Neither by its uuid nor by its numbers is there any call: REJECTED, once."""
    async with dialling() as it:
        token = await it.place()
        await it.shell.after(3 * DUE)

        assert [("REJECTED", token)] == it.told()
        assert f"{SHOWN}>{NUMBER}" == it.rest.looks[-1]
        assert Phase.OVER is (await it.intent(token)).phase


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (record(hangup_cause_code=3010, hangup_cause_name="Busy Line"), "BUSY"),
        (record(hangup_cause_code="3000"), "NOANSWER"),
        (record(hangup_cause_code=None, hangup_source="Carrier"), "CONGESTION"),
        (record(hangup_cause_code=1010), "REJECTED"),
        (record(answer_time="2026-01-05 10:00:10+00:00", hangup_cause_code=4000), "HANGUP"),
    ],
)
async def test_record_of_plivo_says_how_it_ended(found: CallRecord, status: str) -> None:
    """Where Plivo has a record of the call, its cause is what the app hears."""
    async with dialling() as it:
        it.rest.records["request-1"] = found
        token = await it.place()
        await it.shell.after(DUE + 5)

        assert [(status, token)] == it.told()


@pytest.mark.parametrize("where", ["live", "queued"])
async def test_call_that_lives_is_waited_for(where: str) -> None:
    """A call that Plivo still has is looked at again, until it is over."""
    async with dialling() as it:
        getattr(it.rest, where).add("request-1")
        token = await it.place()
        await it.shell.after(DUE + 2 * int(AGAIN_S))
        assert [] == it.told()
        getattr(it.rest, where).clear()
        it.rest.records["request-1"] = record(hangup_cause_code=3010)
        await it.shell.after(int(AGAIN_S) + 2)

        assert [("BUSY", token)] == it.told()


async def test_unknown_call_between_the_numbers_is_waited_for() -> None:
    """After a lost reply, a live call between the two numbers may be ours."""
    async with dialling(UNKNOWN) as it:
        it.rest.between = ["call-7"]
        token = await it.place()
        await it.shell.after(DUE + 5)
        assert [] == it.told()
        form = it.shell.form("call-7", Direction="outbound", CallStatus="busy", Event="Hangup")
        form["HangupCauseCode"] = "3010"
        await it.shell.hangups.end(it.shell.app, form, {}, token)
        await it.shell.after(2 * int(AGAIN_S))

        assert [("BUSY", token)] == it.told()


async def test_call_of_another_intent_is_not_ours() -> None:
    """A live call that is known as a call already stands for nothing else."""
    async with dialling("request-1", UNKNOWN) as it:
        first = await it.place()
        form = it.shell.form("call-1", Direction="outbound")
        await it.shell.session.answer(it.shell.app, form, {}, first)
        it.rest.between = ["call-1"]
        await it.shell.after(1)
        second = await it.place()
        await it.shell.after(DUE + 5)

        assert ("REJECTED", second) in it.told()


async def test_rest_that_fails_is_asked_again() -> None:
    """While Plivo cannot be asked, the app is not told anything that may be wrong."""
    async with dialling() as it:
        it.rest.broken = PlivoUnavailable("get live call", "internal", 500, sent=True)
        it.rest.records["request-1"] = record(hangup_cause_code=3010)
        token = await it.place()
        await it.shell.after(DUE + 10)
        assert [] == it.told()
        it.rest.broken = None
        await it.shell.after(70)

        assert [("BUSY", token)] == it.told()


@pytest.mark.parametrize("broken", [True, False])
async def test_patience_ends(broken: bool) -> None:
    """After an hour the app is told REJECTED, though Plivo fails or says that the call lives."""
    async with dialling() as it:
        if broken:
            it.rest.broken = PlivoUnavailable("get live call", "internal", 500, sent=True)
        it.rest.live.add("request-1")
        token = await it.place()
        await it.shell.after(int(PATIENCE_S) + 100)

        assert [("REJECTED", token)] == it.told()


async def test_webhook_while_plivo_is_asked() -> None:
    """A call that is answered during the look is a call, and not rejected."""
    async with dialling() as it:
        token = await it.place()
        look = it.rest.live_calls

        async def answered(**between: str) -> list[str]:
            form = it.shell.form("call-1", Direction="outbound")
            await it.shell.session.answer(it.shell.app, form, {}, token)
            return await look(**between)

        it.rest.live_calls = answered  # type: ignore[method-assign]
        await it.shell.after(DUE + 5)

        assert Phase.ADOPTED is (await it.intent(token)).phase
        assert {("UP", token)} == set(it.told())
