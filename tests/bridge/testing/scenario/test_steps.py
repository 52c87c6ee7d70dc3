from __future__ import annotations

import inspect
import re
from typing import Any
from unittest.mock import call as called

import pytest
from support_scenario import FakeRig, scenario_of

from bridge.testing.call import Call
from bridge.testing.expectations import Expectations
from bridge.testing.scenario.expectations import EXPECTATIONS, Source
from bridge.testing.scenario.model import verbs
from bridge.testing.scenario.results import ScenarioResult
from bridge.testing.scenario.runner import play
from bridge.testing.scenario.steps import ACTIONS
from bridge.testing.wants import SOURCES

#: Every way to write a step, and what the kit is then asked for.
CASES: list[tuple[str, Any]] = [
    ('press: "42#"', called.press("42#")),
    ('press: "4 2 #"', called.press("42#")),
    ("press: {keys: 1, leg: 2}", called.leg(2).press("1")),
    ("{press: 1, within: 5s}", called.press("1", within=5.0)),
    ("press: {keys: 1, at once: yes}", called.press_now("1")),
    ("press: {keys: 1, at once: true, leg: 1}", called.leg(1).press_now("1")),
    ("say: I want sales", called.say("I want sales")),
    ("{say: sales, within: 90}", called.say("sales", within=90.0)),
    ("make noise: 2s", called.make_noise(2.0)),
    ("speak: 1m30s", called.speak(90.0, "#")),
    ('speak: {for: 500ms, key: "1"}', called.speak(0.5, "1")),
    ('{speak: {for: 4s, key: ""}, within: 1m}', called.speak(4.0, "", within=60.0)),
    ("wait: 10", called.wait(10.0)),
    ("hang up", called.hang_up()),
    ("hang up:", called.hang_up()),
    ("hang up: 2", called.leg(2).hang_up()),
    ("hang up: {leg: 2}", called.leg(2).hang_up()),
    ("answer", called.answer(None)),
    ("answer: 2", called.answer(2)),
    ("answer: {leg: 2}", called.answer(2)),
    ("busy: 1", called.busy(1)),
    ("reject: 1", called.reject(1)),
    ("fail: {leg: 1, code: 3010}", called.fail(1, 3010)),
    ("fail", called.fail(None, 3050)),
    ("no answer: 3", called.no_answer(3)),
    ("expect prompt: How old are you", called.expect_prompt("How old are you")),
    ("expect prompt: /\\d+ years/", called.expect_prompt(re.compile(r"\d+ years"))),
    ("expect prompt: /hello/i", called.expect_prompt(re.compile("hello", re.IGNORECASE))),
    ("{expect prompt: a, within: 10s}", called.expect_prompt("a", within=10.0)),
    ("expect no prompt: a", called.expect_no_prompt("a")),
    ("{expect no prompt: a, within: 10s}", called.expect_no_prompt("a", within=10.0)),
    ("expect played: /1.mp3", called.expect_played("/1.mp3")),
    ("expect no played: a", called.expect_no_played("a")),
    ("expect tones: 12#", called.expect_tones("12#")),
    ("expect no tones: 1", called.expect_no_tones("1")),
    ("expect listening", called.expect_listening()),
    ("expect no listening", called.expect_no_listening()),
    ("expect recording:", called.expect_recording()),
    ("expect no recording", called.expect_no_recording()),
    ("expect dialled: +33199000001", called.expect_dialled(("+33199000001",))),
    (
        "expect dialled: {numbers: [+33199000001, +33199000002], caller id: +33187654321}",
        called.expect_dialled(("+33199000001", "+33199000002"), caller_id="+33187654321"),
    ),
    ("expect no dialled: +33199000001", called.expect_no_dialled("+33199000001")),
    (
        "{expect no dialled: {numbers: +33199000001, caller id: +33187654321}, within: 3s}",
        called.expect_no_dialled("+33199000001", caller_id="+33187654321", within=3.0),
    ),
    ("expect leg: {leg: 2, state: answered}", called.expect_leg(2, "answered")),
    ("expect no leg: {leg: 1, state: no-answer}", called.expect_no_leg(1, "no-answer")),
    ("expect room", called.expect_room()),
    ("expect room: 2", called.expect_room(members=2)),
    ("expect no room: {members: 3}", called.expect_no_room(members=3)),
    ("expect command: read", called.expect_command("read")),
    (
        'expect command: {name: read, params: {max_digits: 3, media_id: "7"}}',
        called.expect_command("read", max_digits=3, media_id="7"),
    ),
    ("expect no command: play", called.expect_no_command("play")),
    ("expect result: TIMEOUT", called.expect_result("TIMEOUT")),
    ('expect result: ""', called.expect_result("")),
    ("expect no result: 42", called.expect_no_result("42")),
    ("expect error: ROOM_FULL", called.expect_error("ROOM_FULL")),
    ("expect no error: ROOM_FULL", called.expect_no_error("ROOM_FULL")),
    (
        'expect variables: {age: "42", n: 42, ok: true, none: null, name: no}',
        called.expect_variables({"age": "42", "n": 42, "ok": True, "none": None, "name": "no"}),
    ),
    ("expect no variables: {a: {b: [1]}}", called.expect_no_variables({"a": {"b": [1]}})),
    ("expect rest: {method: POST, path: /Record/}", called.expect_rest("POST", "/Record/")),
    ("expect no rest: {method: DELETE, path: /Call/}", called.expect_no_rest("DELETE", "/Call/")),
    ("expect ended", called.expect_ended()),
    ("expect ended: {by: caller, code: 4000}", called.expect_ended(by="caller", code=4000)),
    ("expect no ended: {by: app}", called.expect_no_ended(by="app")),
]


@pytest.mark.parametrize(("step", "wanted"), CASES, ids=[step for step, _ in CASES])
async def test_a_step_is_one_call_of_the_kit(step: str, wanted: Any, rig: FakeRig) -> None:
    """Each way to write an action or an expectation asks the kit for exactly that."""
    result = ScenarioResult(scenario_of(f"  - {step}\n"), 1)

    await play(rig, result)

    (made,) = rig.calls
    assert [("passed", "")] == [(one.status, one.failure) for one in result.steps]
    assert wanted == made.mock_calls[-1]


def test_every_action_and_expectation_is_tried_above() -> None:
    """No word of the format is left without a case."""
    written = {
        verb for step, _ in CASES for verb in verbs() if re.match(rf"\{{?{verb}(?=[:,}}]|$)", step)
    }

    assert verbs().keys() - {"dial"} == written


def test_every_expectation_of_the_kit_can_be_written() -> None:
    """The format has each expectation that tests in Python have, and none besides."""
    of_kit = {name for name in dir(Expectations) if name.startswith("expect_")}

    assert of_kit == {f"expect_{one.method}" for one in EXPECTATIONS} | {
        f"expect_no_{one.method}" for one in EXPECTATIONS
    }


def test_every_action_of_the_kit_can_be_written() -> None:
    """The format has each action that tests in Python have, and none besides."""
    of_kit = {
        name
        for name in dir(Call)
        if inspect.iscoroutinefunction(getattr(Call, name)) and not name.startswith(("expect", "_"))
    }

    assert of_kit - {"press_now"} == {action.verb.replace(" ", "_") for action in ACTIONS}


def test_whoever_can_end_a_call_can_be_named() -> None:
    """`expect ended: {by: …}` takes the words of the kit."""
    assert set(SOURCES) == set(Source.__args__)  # type: ignore[attr-defined]
