from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.testing.codegen import Chapter, Step, Story, scenario_file
from bridge.testing.scenario.files import read_scenario
from bridge.testing.scenario.model import Scenario


def story(*steps: Step, **fields: str) -> Story:
    """Make a story of one chapter."""
    known = {"called": "+33187654321", "caller": "+33612345678", "caller_name": ""} | fields
    return Story(**known, chapters=(Chapter("play", steps),))


def read(text: str) -> Scenario:
    """Read a scenario file that must be sound."""
    return read_scenario(text, "generated.yaml")


def test_scenario_is_written_for_people() -> None:
    """The head says who calls whom, every step has a name, short forms are used."""
    text = scenario_file(
        story(
            Step("expect_prompt", ("Your age?",)),
            Step("press", ("42#",)),
            Step("press", ("1",), leg=1),
            Step("expect_prompt", ("Hi",), {"within": 70}),
            Step("hang_up"),
            caller_name="Jean",
        ),
        "call 1 of ivr",
        "all",
    )

    assert (
        "name: call 1 of ivr\n"
        "description: Numbers, names and keys are masks (redact = all), not those of real calls. "
        "Where the app compares them with its own, put the real ones.\n"
        "from: '+33612345678'\n"
        "to: '+33187654321'\n"
        "caller name: Jean\n"
        "\n"
        "steps:\n"
        "  - name: the phone calls\n"
        "    dial:\n"
        "  - name: 'play: expect prompt'\n"
        "    expect prompt: Your age?\n"
        "  - name: 'play: press'\n"
        "    press: 42#\n"
        "  - name: 'play: press 2'\n"
        "    press:\n"
        "      keys: '1'\n"
        "      leg: 1\n"
        "  - name: 'play: expect prompt 2'\n"
        "    expect prompt: Hi\n"
        "    within: 70s\n"
        "  - name: 'play: hang up'\n"
        "    hang up:\n"
    ) == text


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Step("expect_prompt", ("no",)), {"text": "no"}),
        (Step("expect_prompt", ("~",)), {"text": "~"}),
        (Step("expect_prompt", ("0123: #x",)), {"text": "0123: #x"}),
        (Step("expect_prompt", ("- é 🙂 {a} 'b' \"c\"",)), {"text": "- é 🙂 {a} 'b' \"c\""}),
        (Step("expect_prompt", ("a\x00\u202eb\x85",)), {"text": "a  b "}),
        (Step("expect_played", ("https://h/12.wav",)), {"url": "https://h/12.wav"}),
        (Step("expect_tones", ("0123#",)), {"digits": "0123#"}),
        (
            Step("expect_dialled", (("+33199000001",),), {"caller_id": "+33187654321"}),
            {"numbers": ("+33199000001",), "caller_id": "+33187654321"},
        ),
        (
            Step("expect_dialled", (("+33199000001", "sip:a@b"),)),
            {"numbers": ("+33199000001", "sip:a@b"), "caller_id": None},
        ),
        (Step("expect_leg", (2, "no-answer")), {"leg": 2, "state": "no-answer"}),
        (Step("expect_room", (), {"members": 2}), {"members": 2}),
        (Step("expect_room"), {"members": None}),
        (Step("expect_recording"), {}),
        (Step("expect_result", ("0123",)), {"value": "0123"}),
        (Step("expect_error", ("INVALID_PARAMS",)), {"code": "INVALID_PARAMS"}),
        (Step("expect_ended", (), {"by": "caller", "code": 4000}), {"by": "caller", "code": 4000}),
        (Step("expect_ended"), {"by": None, "code": None}),
        (Step("say", ("yes",)), {"text": "yes"}),
        (Step("speak", (4.5,), {"key": "#"}), {"for_": 4.5, "key": "#"}),
        (Step("make_noise", (1,)), {"for_": 1.0}),
        (Step("wait", (2.5,)), {"for_": 2.5}),
        (Step("answer", (), {"leg": 2}), {"leg": 2}),
        (Step("busy", (), {"leg": 1}), {"leg": 1}),
        (Step("reject", (), {"leg": 1}), {"leg": 1}),
        (Step("fail", (), {"leg": 1}), {"leg": 1, "code": 3050}),
        (Step("fail", (), {"leg": 2, "code": 3030}), {"leg": 2, "code": 3030}),
        (Step("no_answer", (), {"leg": 1}), {"leg": 1}),
        (Step("hang_up", leg=1), {"leg": 1}),
    ],
)
def test_every_step_is_read_back_as_it_was_meant(step: Step, expected: dict[str, Any]) -> None:
    """Quoting, durations and options survive the way through the file."""
    scenario = read(scenario_file(story(step), "t", "none"))

    action = scenario.steps[1].action
    assert step.method.removeprefix("expect_").replace("_", " ") == action.verb
    assert expected == {
        name: value for name, value in action.__dict__.items() if name in type(action).model_fields
    }


def test_texts_like_patterns_stay_texts() -> None:
    """A prompt between slashes is not taken for a regular expression."""
    scenario = read(scenario_file(story(Step("expect_prompt", ("/a.c/",))), "t", "none"))

    pattern = scenario.steps[1].action.model_dump()["text"]
    assert isinstance(pattern, re.Pattern)
    assert pattern.search("x /a.c/ y")
    assert not pattern.search("/abc/")


def test_speaking_without_a_key_is_read_back() -> None:
    """A caller who falls silent presses nothing."""
    scenario = read(scenario_file(story(Step("speak", (2,), {"key": ""})), "t", "none"))

    assert {"for_": 2.0, "key": ""} == scenario.steps[1].action.model_dump()


def test_hidden_callers_and_odd_names_are_read_back() -> None:
    """An anonymous caller and a name full of YAML are what they were."""
    scenario = read(
        scenario_file(story(caller="", caller_name="no: [\x07"), "call 1 of a: b # c", "none")
    )

    phone = next(iter(scenario.phones.values()))
    assert ("call 1 of a: b # c", "anonymous", "no: [") == (
        scenario.name,
        phone.from_,
        phone.caller_name,
    )
