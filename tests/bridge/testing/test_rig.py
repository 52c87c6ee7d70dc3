"""The rig: bridge and simulated Plivo around an app."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs
from support_kit import Reply, Script, app_of, command, play, read, simulated

from bridge.simulator.clock import RealTime
from bridge.simulator.faults import FaultError
from bridge.testing.app_under_test import AppStartError
from bridge.testing.rig import CALLED, CALLER, NEVER_ENDED, Rig, rig


async def test_one_call() -> None:
    """A call reaches the app with its numbers, and the app's commands reach the caller."""
    async with simulated(read("How old are you?"), play("You are 42.")) as it:
        call = await it.phone("+33611111111").dial("+33187654321", caller_name="Ann")
        await call.expect_prompt("How old are you?")
        await call.press("42#")
        await call.expect_result("42")
        await call.expect_prompt("You are 42.")
        await call.expect_ended(by="app")

        assert await it.finish()

    first = it.turns[0].request
    assert ("+33611111111", "+33187654321", "Ann") == (
        first["cli_number"],
        first["number"],
        first["cli_name"],
    )
    assert ["UP", "UP", "UP", "HANGUP"] == [turn.request["call_status"] for turn in it.turns]
    assert [] == it.violations


async def test_another_number_is_shown() -> None:
    """from_ is the number that the app sees."""
    async with simulated() as it:
        call = await it.phone().dial(from_="")
        await call.expect_ended(by="app")

    assert ("", CALLED) == (it.turns[0].request["cli_number"], it.turns[0].request["number"])


async def test_waiting_takes_no_time() -> None:
    """Ten minutes of silence pass on the virtual clock."""
    async with simulated(*[command("wait", wait=30)] * 20) as it:
        call = await it.phone().dial()
        await call.expect_ended(by="app", within=700)

        assert it.clock.now() - it.plivo.began == pytest.approx(600, abs=2)


async def test_calls_at_the_same_time() -> None:
    """Each call has its own conversation and its own entries in the timeline."""
    async with simulated(read("How old are you?"), play("Thanks.")) as it:
        first = await it.phone("+33611111111").dial()
        second = await it.phone("+33622222222").dial()
        await second.expect_prompt("How old")
        await first.expect_prompt("How old")
        await second.press("2#")
        await first.press("1#")
        await first.expect_result("1")
        await second.expect_result("2")
        await it.finish()

    results = {
        turn.request["cli_number"]: turn.request["command_result"]
        for turn in it.turns
        if turn.request["command"] == "read"
    }
    assert {"+33611111111": "1", "+33622222222": "2"} == results
    assert {1, 2} == {entry.call for entry in it.timeline.entries}


async def test_the_same_seed_gives_the_same_call() -> None:
    """Everything but real milliseconds repeats, ids and delays included."""

    async def once(seed: int) -> list[object]:
        async with simulated(
            read("Keys?"),
            seed=seed,
            profile="hostile",
            faults=["delay:action@0.5", "duplicate:redirect@0.5"],
        ) as it:
            call = await it.phone().dial()
            await call.press("1#")
            await it.finish()
        return [
            (entry.at, entry.kind, entry.text, entry.data.get("form"))
            for entry in it.timeline.entries
        ]

    assert await once(5) == await once(5)
    assert await once(5) != await once(6)


async def test_settings_reach_the_bridge() -> None:
    """Settings of the app and of the bridge are those of a deployment."""
    async with simulated(
        500, app_settings={"on_failure": "say", "failure_message": "Out of order."}
    ) as it:
        call = await it.phone().dial()
        await call.expect_prompt("Out of order.")


async def test_real_time() -> None:
    """With the machine's clock a call takes as long as it takes."""
    async with simulated(play("Hi."), clock=RealTime()) as it:
        call = await it.phone().dial()
        await call.expect_ended(by="app", within=5)


async def test_nobody_there() -> None:
    """An app that does not listen is a sentence, before anything is called."""
    with pytest.raises(
        AppStartError, match=r"The app at http://127\.0\.0\.1:9/rt cannot be reached: "
    ):
        async with rig("http://127.0.0.1:9/rt"):
            pass


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"faults": ["dublicate"]}, FaultError),
        ({"settings": {"no_such": 1}}, ValidationError),
        ({"profile": "mean"}, ValueError),
        ({"allow": ["NO_SUCH"]}, ValueError),
    ],
)
async def test_wrong_options(options, error) -> None:  # type: ignore[no-untyped-def]
    """Wrong options are errors at the start."""
    with pytest.raises(error):
        async with rig(app_of(Script()), **options):
            pass


async def test_violations_are_collected() -> None:
    """What the app does against the protocol is on record, with the turn; allowed codes are not."""
    async with simulated(command("plai", media_id=0), play("Hello")) as it:
        call = await it.phone().dial()
        await call.expect_error("UNKNOWN_COMMAND")
        await it.finish()

        assert [("UNKNOWN_COMMAND", 1)] == [(one.code, one.turn) for one in it.violations]
        assert "UNKNOWN_COMMAND in turn 1" in it.summary()
        it.contract.allow("UNKNOWN_COMMAND")
        assert "" == it.summary()


async def test_any_number_leads_to_the_app() -> None:
    """What is dialled is what the app is told; what is no number is an error of the test."""
    async with simulated(play("Hello.")) as it:
        call = await it.phone(CALLER).dial("+33199123456")
        await call.expect_prompt("Hello.")

        assert "+33199123456" == it.turns[0].request["number"]
        for text in ("0199123456", "+33 1 99 12 34 56", "sales"):
            with pytest.raises(ValueError, match=f"“{re.escape(text)}” cannot be called: write"):
                await it.phone(CALLER).dial(text)


async def test_one_fault_and_one_allowed_code_may_be_a_text() -> None:
    """A text is not taken for a list of letters."""
    options = {"faults": "duplicate:action", "allow": "UNKNOWN_COMMAND"}
    async with simulated(command("plai"), **options) as it:
        await it.phone().dial()
        await it.finish()

        assert ["duplicate:action"] == [str(rule) for rule in it.plivo.faults.rules]
        assert "" == it.summary()


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (404, "UP → status 404 (NOT_200)"),
        (b"<html>Fatal error</html>", "UP → no JSON object (NOT_JSON)"),
        (b" ", "UP → nothing (NOT_JSON)"),
        (command("plai"), "UP → plai (UNKNOWN_COMMAND)"),
        (play("Hello."), "UP → play"),
    ],
)
async def test_the_timeline_says_what_was_wrong_with_a_reply(reply: Reply, text: str) -> None:
    """A bad reply is one in the timeline too, with its status and the rule it broke."""
    async with simulated(reply) as it:
        await it.phone().dial()
        await it.finish()

        assert text == it.timeline.texts("app")[0]


async def test_calls_that_are_left_are_ended() -> None:
    """A caller whom a test forgot hangs up after a while, and the app is told."""
    async with simulated(*[read("Again?", timeout_ms=20_000)] * 99) as it:
        call = await it.phone().dial()

        assert (True, True) == (await it.wind_up(), call.is_over)
        assert "HANGUP" == it.turns[-1].request["call_status"]
        assert "hangs up, for the test is over" in it.timeline.texts("does")


async def test_a_call_that_cannot_be_ended_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails with a sentence, and is not waited for."""
    async with simulated(play("Hello.")) as it:
        await it.phone().dial()
        monkeypatch.setattr(Rig, "_finished", lambda _: False)

        assert await it.wind_up() is False
        assert NEVER_ENDED == it.summary()


async def test_logs_outlive_no_simulation() -> None:
    """What the bridge logs in a simulation goes where the program wants it the next time."""
    for _ in range(2):
        async with simulated(
            play("Hello"), command("play", media_id="TTS|TTS_XX-YY_NOBODY|?")
        ) as it:
            await it.phone().dial()
            await it.finish()

    with capture_logs() as logs:
        async with simulated(command("play", media_id="TTS|TTS_XX-YY_NOBODY|?")) as it:
            await it.phone().dial()
            await it.finish()

    assert "voice.replaced" in {line["event"] for line in logs}
