"""What a person on a call can do, and what a test may expect of the call."""

from __future__ import annotations

import re

import pytest
from support_kit import Json, command, play, read, simulated, tts

from bridge.simulator.platform import Application
from bridge.testing.failures import ExpectationError
from bridge.testing.rig import PUBLIC_URL

SALES, SUPPORT = "+33199000001", "+33199000002"


def dialout(*numbers: str) -> Json:
    """Write a dialout to these numbers."""
    targets = [{"number": number, "timeout": 20} for number in numbers]
    return command("dialout", targets=targets, cli="BLOCKED", ringtone="RING", whisper=0)


async def test_keys_interrupt_a_prompt() -> None:
    """Press waits until keys are accepted, and no longer."""
    async with simulated(play("Welcome to us."), read("A very long prompt. " * 20)) as it:
        call = await it.phone().dial()
        await call.press("7#")
        await call.expect_result("7")

        assert it.clock.now() - it.plivo.began < 5


@pytest.mark.parametrize("keys", ["4x", "4 2", "e\u0301", "+"])
async def test_what_is_no_key_cannot_be_pressed(keys: str) -> None:
    """It is an error of the test, not a key that nobody hears."""
    async with simulated(read("How old?")) as it:
        call = await it.phone().dial()
        for press in (call.press, call.press_now):
            with pytest.raises(ValueError, match="cannot be pressed: keys are a text of 0 to 9"):
                await press(keys)


async def test_press_when_nothing_listens() -> None:
    """A call that never asks for keys fails the test with the reason."""
    async with simulated(play("Hello.")) as it:
        call = await it.phone().dial()
        with pytest.raises(
            ExpectationError, match="Cannot press 1: nothing accepts keys; the call is over"
        ):
            await call.press("1")


async def test_keys_nobody_listens_to_are_lost() -> None:
    """press_now types anyway, and the timeline says that nobody listened."""
    async with simulated(play("Hello, this takes a while to say."), read("Keys?")) as it:
        call = await it.phone().dial()
        await call.expect_prompt("Hello")
        await call.press_now("9")
        await call.press("1#")
        await call.expect_result("1")

    lost = [
        entry.data["keys"] for entry in it.timeline.of("does") if entry.data["action"] == "lost"
    ]
    assert ["9"] == lost


async def test_recording() -> None:
    """Speak talks into a recording and ends it with a key."""
    async with simulated(command("record", max_duration=60, silence=5)) as it:
        call = await it.phone().dial()
        await call.expect_recording()
        await call.speak(4)
        await call.expect_ended(by="app")

    assert it.turns[1].request["command_result"]
    lengths = [entry.data["seconds"] for entry in it.timeline.of("records")]
    assert [-1, pytest.approx(4, abs=0.5)] == lengths


async def test_silence_and_noise() -> None:
    """make_noise is what wait_for_silence hears."""
    quiet = command("wait_for_silence", silence_ms=2000, iterations=1, timeout=20)
    async with simulated(quiet) as it:
        call = await it.phone().dial()
        await call.make_noise(8)
        await call.expect_result("SILENCE")

        assert it.clock.now() - it.plivo.began == pytest.approx(10, abs=2)


async def test_speech() -> None:
    """Say is heard by play_talk_detect."""
    async with simulated(command("play_talk_detect", media_id=tts("Anybody there?"))) as it:
        call = await it.phone().dial()
        await call.say("Yes, hello")
        await call.expect_result("TALK")


async def test_tones() -> None:
    """Tones are expected as they are heard: the pauses the bridge puts between them do not count."""
    async with simulated(command("send_dtmf", digits="12#")) as it:
        call = await it.phone().dial()
        await call.expect_tones("12#")
        await call.expect_no_tones("3")

    assert ["1w2w#"] == [e.data["tones"] for e in it.timeline.of("hears")]


async def test_parties_in_turn() -> None:
    """The first target rings in vain, the second one answers, and the caller hangs up."""
    async with simulated(dialout(SALES, SUPPORT)) as it:
        call = await it.phone().dial()
        await call.expect_dialled([SALES, SUPPORT], caller_id="+33187654321")
        await call.answer(leg=2)
        await call.expect_leg(1, "no-answer")
        await call.expect_leg(2, "connected")
        await call.hang_up()
        await call.expect_ended(by="caller")


@pytest.mark.parametrize("outcome", ["busy", "reject", "fail", "no_answer"])
async def test_every_way_not_to_answer(outcome: str) -> None:
    """A test decides how a party that rings takes the call."""
    async with simulated(dialout(SALES), play("Nobody is there.")) as it:
        call = await it.phone().dial()
        await getattr(call, outcome)(leg=1)
        await call.expect_result("NOANSWER")
        await call.expect_prompt("Nobody is there.")


@pytest.mark.parametrize("outcome", ["busy", "rejects", "no_answer", "fails"])
async def test_what_numbers_do(outcome: str) -> None:
    """A number can be told beforehand what it does when it is dialled."""
    async with simulated(dialout(SALES, SUPPORT)) as it:
        getattr(it.callee(SALES), outcome)()
        it.callee(SUPPORT).answers(after=2, seconds=30)
        call = await it.phone().dial()
        await call.expect_leg(2, "connected")
        await call.expect_ended()


async def test_the_other_party_hangs_up() -> None:
    """A leg is a person too."""
    async with simulated(dialout(SALES)) as it:
        call = await it.phone().dial()
        await call.answer()
        await call.expect_leg(1, "connected")
        await call.leg(1).hang_up()
        await call.expect_leg(1, "ended")
        await call.expect_ended(by="app")


async def test_taking_a_call_that_does_not_ring() -> None:
    """Acting for a party that was not dialled, or rings no more, fails the test."""
    async with simulated(dialout(SALES), read("Keys?")) as it:
        it.callee(SALES).busy()
        call = await it.phone().dial()
        await call.expect_result("NOANSWER")
        with pytest.raises(ExpectationError, match="Party 1 does not ring any more"):
            await call.answer(leg=1)
        with pytest.raises(ExpectationError, match="There is no party 2: 1 were dialled"):
            call.leg(2)


async def test_a_room_with_two() -> None:
    """Several phones meet in one room."""
    room = command("simple_conference", id="1", auto_leave_when_alone=False)
    async with simulated(room) as it:
        first = await it.phone("+33611111111").dial()
        await first.expect_room(members=1)
        second = await it.phone("+33622222222").dial()
        await second.expect_room(members=2)
        await second.press("*")
        await second.expect_result("LEFT_CONFERENCE")
        await first.hang_up()


async def test_what_the_app_sends() -> None:
    """Commands, params in either spelling, variables and errors can be expected."""
    async with simulated(
        read("Keys?", max_digits="4"), command("play", {"age": 42}, media_id="nothing|here")
    ) as it:
        call = await it.phone().dial()
        await call.expect_command("read", max_digits=4, media_id=re.compile("Keys"))
        await call.expect_no_command("dialout")
        await call.press("1#")
        await call.expect_variables({"age": 42})
        await call.expect_no_error("UNKNOWN_COMMAND")
        await call.expect_ended()


async def test_a_phone_that_is_called() -> None:
    """A phone rings for a call the account makes, and its person decides."""
    async with simulated(play("You are called.")) as it:
        mine = Application.at(PUBLIC_URL)
        it.plivo.make_call("+33187654321", "+33611111111", mine)
        call = await it.phone("+33611111111").rings()
        await call.answer()
        await call.expect_prompt("You are called.")
        await call.expect_ended(by="app")


async def test_a_phone_that_declines() -> None:
    """The app is told that the call never got up."""
    async with simulated() as it:
        it.plivo.make_call("+33187654321", "+33611111111", Application.at(PUBLIC_URL))
        call = await it.phone("+33611111111").rings()
        await call.reject()
        await call.expect_ended(by="carrier", code=3020)


async def test_a_phone_nobody_calls() -> None:
    """Waiting for a call that does not come fails the test with the timeline."""
    async with simulated() as it:
        with pytest.raises(ExpectationError, match=r"Expected the phone \+33611111111 to ring"):
            await it.phone("+33611111111").rings(within=5)

        assert 5 == pytest.approx(it.clock.now() - it.plivo.began)
