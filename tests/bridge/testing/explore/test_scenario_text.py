"""Calls that were found, written as scenario files."""

from __future__ import annotations

from dataclasses import replace

from bridge.testing.explore.caller import Step
from bridge.testing.explore.repeating import shorter
from bridge.testing.explore.scenario_text import scenario_text
from bridge.testing.explore.watch import Finding
from bridge.testing.scenario.files import read_scenario

DIAL = Step("dial", "first")
PRESS = Step("press", "first", {"keys": "0#"})
WAIT = Step("wait", "first", {"for": "2.5s"})


def test_scenario_has_what_is_needed_to_repeat_the_call() -> None:
    """Phones, seed, profile, faults and every step are in the file, and it can be read."""
    steps = (
        DIAL,
        PRESS,
        Step("dial", "second"),
        Step("make noise", "second", {"for": "1s"}),
        Step("fail", "first", {"leg": 2}),
        Step("press", "first", {"keys": "1", "leg": 2, "at once": True}),
        Step("say", "first", {"text": 'no: "ça"'}),
        Step("speak", "first", {"for": "3s", "key": ""}),
        WAIT,
        Step("hang up", "first"),
    )
    text = scenario_text(
        Finding("NOT_200", "It said: no.", 3),
        steps,
        seed=7,
        profile="hostile",
        faults=("duplicate:answer",),
        allow=("UNKNOWN_PARAMETER",),
    )
    scenario = read_scenario(text, "x.yaml")
    assert ("NOT_200", 7, "hostile", ("duplicate:answer",), ("UNKNOWN_PARAMETER",)) == (
        scenario.name,
        scenario.seed,
        scenario.profile,
        scenario.faults,
        scenario.allow,
    )
    assert {"first": "+33612345678", "second": "+33612345679"} == {
        name: phone.from_ for name, phone in scenario.phones.items()
    }
    assert [(step.verb, step.phone) for step in steps] == [
        (step.action.verb, step.phone) for step in scenario.steps
    ]


def test_scenario_of_a_loop_expects_an_end() -> None:
    """A loop breaks no rule of the protocol, so its scenario fails because the call goes on."""
    text = scenario_text(Finding("LOOP", "It loops.", 3), (DIAL,), seed=1, profile="normal")
    last = read_scenario(text, "x.yaml").steps[-1]
    assert ("ended", 300.0, False) == (last.action.verb, last.within, last.negative)


def test_shorter_calls_are_the_last_call_alone_and_all_but_one_step() -> None:
    """A call that is used later is still dialled."""
    other = Step("dial", "second")
    again = (DIAL, PRESS, other, DIAL, PRESS, WAIT)
    assert [
        (DIAL, PRESS, WAIT),
        (DIAL, other, DIAL, PRESS, WAIT),
        (DIAL, PRESS, DIAL, PRESS, WAIT),
        (DIAL, PRESS, other, DIAL, WAIT),
        (DIAL, PRESS, other, DIAL, PRESS),
    ] == list(shorter(again))


def test_shorter_calls_use_the_first_phones() -> None:
    """A call of the third phone alone is tried as one of the first."""
    assert (DIAL, PRESS) == next(shorter((Step("dial", "third"), replace(PRESS, phone="third"))))


def test_steps_are_readable() -> None:
    """A step reads as one line."""
    taken = Step("reject", "first", {"leg": 2})
    assert ["first: dial", "first: press keys 0#", "first: wait 2.5s", "first: reject leg 2"] == [
        str(step) for step in (DIAL, PRESS, WAIT, taken)
    ]
