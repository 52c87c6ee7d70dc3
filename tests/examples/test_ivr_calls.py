"""Calls to the example app, as a test of an app is written with the kit.

The app runs behind the real bridge, and a simulated Plivo calls it: no phone, no account, no
waiting. `phone` and `rt_rig` come from the pytest plugin of plivo-rt-bridge; a test of your own
app needs nothing but the fixture `rt_app`. Every reply of the app is checked against the protocol
meanwhile, and a call that breaks it fails its test.
"""

from __future__ import annotations

import pytest
from aiohttp import web

from bridge.testing.call import Call
from bridge.testing.rig import Phone, Rig
from examples.ivr import make_app

FIRST_AGENT = "+442079460101"
SECOND_AGENT = "+442079460102"


@pytest.fixture
def rt_app() -> web.Application:
    """Say which app is tested; a URL or a command would do as well."""
    return make_app()


@pytest.fixture
async def call(phone: Phone) -> Call:
    """Call the app and answer its first question, as most tests below begin."""
    call = await phone.dial("+33187654321", from_="+33612345678")
    await call.expect_prompt("Welcome.")
    await call.expect_prompt("Please enter your age")
    await call.press("42#")
    await call.expect_prompt("You are 42.")
    await call.expect_prompt("Press 0 to leave a message")
    return call


async def test_caller_says_goodbye(call: Call) -> None:
    """The key 9 ends the call, and it is the app that hangs up."""
    await call.press("9")
    await call.expect_result("9")
    await call.expect_prompt("Goodbye.")
    await call.expect_ended(by="app")


async def test_age_is_remembered(call: Call) -> None:
    """What the app learned comes back to it with every request."""
    await call.expect_variables({"age": "42"})
    await call.press("7")
    await call.expect_prompt("That is not a choice.")
    await call.expect_variables({"age": "42"})
    await call.hang_up()
    await call.expect_ended(by="caller")


async def test_silent_caller_is_asked_three_times(phone: Phone) -> None:
    """A caller who presses nothing hears the question again, and then goodbye."""
    call = await phone.dial()
    for _ in range(3):
        await call.expect_prompt("Please enter your age")
    await call.expect_result("TIMEOUT")
    await call.expect_prompt("Goodbye.")
    await call.expect_no_dialled(FIRST_AGENT)
    await call.expect_ended(by="app")


async def test_caller_leaves_a_message_and_hears_it(call: Call) -> None:
    """What was said for six seconds is recorded, and played back."""
    await call.press("0")
    await call.expect_prompt("Speak after the beep")
    await call.expect_recording()
    await call.speak(6)
    await call.expect_command("play_record")
    await call.expect_played(".mp3")
    await call.expect_prompt("Press 0 to leave a message")
    await call.hang_up()


async def test_second_agent_answers(call: Call, rt_rig: Rig) -> None:
    """The agents are called one after the other, and hear who is calling; then both talk."""
    rt_rig.callee(FIRST_AGENT).no_answer()
    await call.press("1")
    await call.expect_dialled([FIRST_AGENT, SECOND_AGENT], caller_id="+33187654321")
    await call.answer(leg=2)
    await call.expect_leg(1, "no-answer")
    await call.expect_leg(2, "connected")
    await call.wait(30)
    await call.leg(2).hang_up()
    await call.expect_ended(by="app")


@pytest.mark.parametrize("outcome", ["busy", "rejects", "no_answer", "fails"])
async def test_nobody_can_talk(call: Call, rt_rig: Rig, outcome: str) -> None:
    """However the agents are not reached, the caller is told, and may choose again."""
    for agent in (FIRST_AGENT, SECOND_AGENT):
        getattr(rt_rig.callee(agent), outcome)()
    await call.press("1")
    await call.expect_result("NOANSWER")
    await call.expect_prompt("Nobody can talk to you now.")
    await call.expect_prompt("Press 0 to leave a message")
    await call.hang_up()


async def test_two_callers_meet(call: Call, rt_rig: Rig) -> None:
    """Both are in one room; a star takes the first one back to the menu."""
    await call.press("2")
    await call.expect_room(members=1)
    other = await rt_rig.phone("+33622222222").dial()
    await other.press("30#")
    await other.expect_prompt("Press 0 to leave a message")
    await other.press("2")
    await other.expect_room(members=2)
    await call.press("*")
    await call.expect_result("LEFT_CONFERENCE")
    await call.expect_prompt("Press 0 to leave a message")
    await other.hang_up()
    await other.expect_ended(by="caller")


@pytest.mark.rt(profile="hostile", faults=["duplicate", "delay=2@0.3"])
async def test_bad_day(call: Call) -> None:
    """The app does not notice when Plivo repeats and delays what it sends."""
    await call.press("9")
    await call.expect_ended(by="app")
