"""How expectations wait, fail, and explain themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support_kit import HANGUP, command, play, read, simulated

from bridge.testing.call import Call
from bridge.testing.failures import LINES, ExpectationError
from bridge.testing.wants import SOURCES, includes

MENU = (play("Welcome."), read("How old are you?", attempts=1), play("You are 42."))


async def test_the_whole_text_of_a_failure() -> None:
    """It has the sentence, the nearest candidate, the timeline with a marker, and the command."""
    async with simulated(*MENU) as it:
        it.reproduce = "pytest test_menu.py::test_menu --rt-seed=1"
        call = await it.phone().dial()
        with pytest.raises(ExpectationError) as caught:
            await call.expect_prompt("How old are they?", within=3)

        assert caught.value.index == len(it.timeline.entries) - 1
    lines = str(caught.value).splitlines()
    assert [
        "Expected a prompt with “How old are they?”, and it did not come within 3 s.",
        "",
        "Nearest, at 0.5 s (- expected, + there):",
        "    - How old are they?",
    ] == lines[:4]
    assert "    + How old are you?" in lines
    assert "Timeline up to here (call 1, seed 1, profile normal):" in lines
    assert "        0.5 s  hears   “How old are you?” (WOMAN en-GB)" in lines
    assert (
        " ▶      3.0 s  expects ✗ Expected a prompt with “How old are they?”, and it did not come "
        "within 3 s. (waited 3.0 s)" in lines
    )
    assert ["The same again:", "    pytest test_menu.py::test_menu --rt-seed=1"] == lines[-2:]


async def test_a_long_timeline_is_cut() -> None:
    """Only the last entries are shown, and how many there were before."""
    async with simulated(*[play("Again.")] * 30) as it:
        call = await it.phone().dial()
        await call.wait(60)
        with pytest.raises(ExpectationError) as caught:
            await call.expect_prompt("Never")

        left_out = len(it.timeline.entries) - LINES
        assert f"   … {left_out} entries before" in str(caught.value)


async def test_a_call_that_is_over_is_not_waited_for() -> None:
    """What can only happen during a call fails as soon as the call is over."""
    async with simulated(play("Bye.")) as it:
        call = await it.phone().dial()
        with pytest.raises(ExpectationError, match="did not come before the call was over"):
            await call.expect_prompt("Never", within=3600)

        assert it.clock.now() - it.plivo.began < 5
        assert call.is_over


async def test_what_was_matched_is_not_matched_again() -> None:
    """Each kind of expectation has its own place in the timeline."""
    async with simulated(play("One."), play("Two."), read("One.", attempts=1)) as it:
        call = await it.phone().dial()
        await call.expect_prompt("One.")
        await call.expect_prompt("One.")
        await call.expect_command("play", media_id=re.compile("Two"))
        with pytest.raises(ExpectationError):
            await call.expect_prompt("Two.", within=0)


async def test_soft_expectations_are_collected() -> None:
    """They let the test go on and are in the summary of the rig."""
    async with simulated(*MENU) as it:
        call = await it.phone().dial()
        await call.soft.expect_prompt("Hello.", within=0)
        await call.soft.expect_no_prompt("Welcome.", within=1)
        await call.expect_prompt("Welcome.")

        assert 2 == len(it.soft_failures)
        assert "Expected a prompt with “Hello.”" in it.summary()
        assert "Did not expect a prompt with “Welcome.”, and it came at 0.0 s" in it.summary()


async def test_nothing_expected_waits_as_long_as_it_is_told() -> None:
    """A negative twin fails for what comes within its time, and passes when nothing comes."""
    async with simulated(*MENU) as it:
        call = await it.phone().dial()
        await call.expect_no_prompt("How old", within=0.1)
        with pytest.raises(ExpectationError, match="Did not expect a prompt with “How old”"):
            await call.expect_no_prompt("How old", within=2)


async def test_expectations_are_in_the_timeline() -> None:
    """Passed or failed, with how long they waited in virtual time."""
    async with simulated(*MENU) as it:
        call = await it.phone().dial()
        await call.expect_prompt("How old")
        await call.soft.expect_prompt("Never", within=1)

        noted = [(entry.data["ok"], entry.data["waited"]) for entry in it.timeline.of("expects")]
    assert [True, False] == [ok for ok, _ in noted]
    assert pytest.approx(0.53, abs=0.05) == noted[0][1]
    assert pytest.approx(1) == noted[1][1]


#: Every expectation with arguments that do not come true in MENU.
NEVER: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "prompt": (("Never",), {}),
    "played": (("https://x/y.mp3",), {}),
    "tones": (("123",), {}),
    "recording": ((), {}),
    "dialled": (("+33199000001",), {"caller_id": "+33187654321"}),
    "leg": ((1, "connected"), {}),
    "room": ((2,), {}),
    "command": (("dialout",), {"cli": "BLOCKED"}),
    "result": (("43",), {}),
    "error": (("NO_SUCH",), {}),
    "variables": (({"age": 43},), {}),
    "rest": (("DELETE", "Call/"), {}),
    "ended": ((), {"by": "api", "code": 4000}),
}


@pytest.mark.parametrize("name", NEVER)
async def test_each_expectation_can_fail(name: str) -> None:
    """It fails for a call in which it does not come true, and its twin passes."""
    positional, named = NEVER[name]
    async with simulated(*MENU) as it:
        call = await it.phone().dial()
        await call.press("42#")
        await it.finish()
        await getattr(call, f"expect_no_{name}")(*positional, **named)
        with pytest.raises(ExpectationError, match="Expected "):
            await getattr(call, f"expect_{name}")(*positional, within=1, **named)


async def test_listening_can_fail() -> None:
    """A call that only speaks does not listen."""
    async with simulated(play("Hello.")) as it:
        call = await it.phone().dial()
        await call.expect_no_listening(within=1)
        with pytest.raises(ExpectationError, match="Expected the call to wait for keys or speech"):
            await call.expect_listening()


async def test_rest_requests_about_no_call() -> None:
    """What is asked of a conference is about no single call, and every call may expect it."""
    room = command("simple_conference", id="1")
    async with simulated(room) as it:
        first = await it.phone("+33611111111").dial()
        await first.expect_room(members=1)
        second = await it.phone("+33622222222").dial()
        await second.expect_room(members=2)
        await second.wait(1)
        await second.press("*")
        await first.expect_rest("POST", "/Kick/")
        await second.expect_rest("POST", "/Kick/")


async def test_every_expectation_has_its_twin() -> None:
    """expect_x and expect_no_x come in pairs."""
    positive = {
        name.removeprefix("expect_")
        for name in dir(Call)
        if name.startswith("expect_") and not name.startswith("expect_no_")
    }
    negative = {
        name.removeprefix("expect_no_") for name in dir(Call) if name.startswith("expect_no_")
    }

    assert positive == negative
    assert {*NEVER, "listening"} == positive


async def test_an_order_of_numbers() -> None:
    """expect_dialled wants the numbers in this order."""
    both = command(
        "dialout",
        targets=[{"number": n, "timeout": 5} for n in ("+33199000001", "+33199000002")],
        cli="BLOCKED",
        ringtone="RING",
        whisper=0,
    )
    async with simulated(both) as it:
        call = await it.phone().dial()
        with pytest.raises(ExpectationError, match=r"Expected \+33199000001 to be dialled"):
            await call.expect_dialled(["+33199000002", "+33199000001"])


@pytest.mark.parametrize(
    ("replies", "keys", "by"),
    [([HANGUP], "", "app"), ([read("Keys?")], "hang up", "caller"), ([500], "", "app")],
)
async def test_who_ended_a_call(replies: list[Any], keys: str, by: str) -> None:
    """Caller and app are told apart."""
    async with simulated(*replies) as it:
        call = await it.phone().dial()
        if keys:
            await call.expect_listening()
            await call.hang_up()
        await call.expect_ended(by=by)


async def test_an_unknown_end() -> None:
    """By takes the words it documents."""
    async with simulated() as it:
        call = await it.phone().dial()
        with pytest.raises(ValueError, match=f"one of {', '.join(SOURCES)}, not by nobody"):
            await call.expect_ended(by="nobody")


@pytest.mark.parametrize(
    ("found", "wanted", "exact", "expected"),
    [
        ({"a": "3", "b": 1}, {"a": 3}, False, True),
        ({"a": "3"}, {"a": 3}, True, False),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": ["1", {"c": 2}]}}, False, True),
        ({"a": [1, 2]}, {"a": [1]}, False, False),
        ({"a": 1}, {"b": None}, False, False),
        ({"a": "TTS|X|Hello"}, {"a": re.compile("Hel+o")}, False, True),
        ("text", {"a": 1}, False, False),
    ],
)
def test_includes(found: Any, wanted: Any, exact: bool, expected: bool) -> None:
    """Part of a structure is compared, in the app's spelling unless exact."""
    assert expected is includes(found, wanted, exact=exact)


async def test_what_was_matched_before_is_told() -> None:
    """A prompt that an earlier expectation has matched is not shown as something unlike."""
    async with simulated(play("Hello."), play("Bye.")) as it:
        call = await it.phone().dial()
        await call.expect_prompt("Hello")
        with pytest.raises(ExpectationError) as caught:
            await call.expect_prompt("Hello")

    lines = str(caught.value).splitlines()
    assert "It came at 0.0 s, and an earlier expectation took it: Hello." == lines[2]


async def test_a_state_that_there_is_not() -> None:
    """A party that can never be so is an error of the test, with all that it can be."""
    async with simulated(play("Hello.")) as it:
        call = await it.phone().dial()
        with pytest.raises(ValueError, match=r"A party is ringing, .*; it is never conected\."):
            await call.expect_leg(1, "conected")
