from __future__ import annotations

from unittest.mock import call as called

from support_scenario import HEAD, FakeRig, scenario_of

from bridge.testing.scenario.files import read_scenario
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.overrides import select
from bridge.testing.scenario.results import ScenarioResult, StepResult
from bridge.testing.scenario.runner import play

THREE = """
  - expect prompt: a
  - name: second
    expect listening:
  - hang up
"""


async def played(rig: FakeRig, scenario: Scenario) -> ScenarioResult:
    """Play a scenario."""
    result = ScenarioResult(scenario, 7)
    await play(rig, result)
    return result


def statuses(result: ScenarioResult) -> list[str]:
    """Give the status of each step."""
    return [one.status for one in result.steps]


async def test_a_scenario_passes_when_every_step_does(rig: FakeRig) -> None:
    """The phone calls before its first step, and everybody hangs up after the last one."""
    result = await played(rig, scenario_of(THREE))

    assert ("passed", ["passed"] * 3, []) == (result.status, statuses(result), result.messages())
    assert [("+33612345678", "+33187654321", None, None)] == rig.dialled
    assert 1 == rig.hung_up


async def test_times_are_those_of_the_simulation(rig: FakeRig) -> None:
    """A step tells when it began and how long it took in virtual time."""
    result = await played(rig, scenario_of(THREE))

    assert [(0.0, 2.0), (2.0, 2.0), (4.0, 0.0)] == [(one.at, one.took) for one in result.steps]
    assert 4.0 == result.virtual_s
    assert [0, 1, 1] == [one.entry for one in result.steps]


async def test_a_failed_step_ends_the_scenario(rig: FakeRig) -> None:
    """What comes after it is not run, and the failure has file, line, step and the kit's words."""
    rig.failing["expect_listening"] = "nothing listens\nTimeline: …"

    result = await played(rig, scenario_of(THREE))

    assert "failed" == result.status
    assert ["passed", "failed", "not run"] == statuses(result)
    assert [
        ("x.yaml:7:5: step 2 “second” (expect listening)", "nothing listens\nTimeline: …")
    ] == result.messages()
    assert 0 == rig.hung_up


async def test_a_soft_step_fails_the_scenario_at_its_end(rig: FakeRig) -> None:
    """The steps after a soft expectation are played all the same."""
    rig.failing["expect_prompt"] = "no such prompt"

    result = await played(rig, scenario_of("  - {expect prompt: a, soft: yes}\n  - hang up\n"))

    assert ("failed", ["failed", "passed"]) == (result.status, statuses(result))
    assert 1 == rig.hung_up


async def test_a_failure_without_words_is_a_failure(rig: FakeRig) -> None:
    """An assertion that says nothing does not pass as a success."""
    rig.failing["expect_prompt"] = ""

    result = await played(rig, scenario_of("  - expect prompt: a\n"))

    assert [("x.yaml:4:5: step 1 (expect prompt: a)", "The step failed.")] == result.messages()


async def test_skipped_steps_are_not_played(rig: FakeRig) -> None:
    """A step left out by name is listed as skipped."""
    (scenario,) = select([scenario_of(THREE)], [], ["second"])

    result = await played(rig, scenario)

    assert ("passed", ["passed", "skipped", "passed"]) == (result.status, statuses(result))
    rig.calls[0].expect_listening.assert_not_awaited()


async def test_every_step_is_reported_while_it_is_played(rig: FakeRig) -> None:
    """Who watches hears of each step once."""
    seen: list[StepResult] = []
    result = ScenarioResult(scenario_of(THREE), 7)

    await play(rig, result, seen.append)

    assert result.steps == seen


async def test_phones_have_calls_of_their_own(rig: FakeRig) -> None:
    """Each phone calls before its own first step, with its own numbers and name."""
    scenario = read_scenario(
        "to: +33187654321\n"
        "phones:\n"
        "  ann: +33612345678\n"
        "  bob: {from: anonymous, to: +33187654322, caller name: Bob}\n"
        "steps:\n"
        "  - press: 1\n"
        "  - {phone: bob, press: 2}\n"
        "  - {phone: ann, press: 3}\n",
        "x.yaml",
    )

    await played(rig, scenario)

    assert [
        ("+33612345678", "+33187654321", None, None),
        ("anonymous", "+33187654322", None, "Bob"),
    ] == rig.dialled
    ann, bob = rig.calls
    assert [called.press("1"), called.press("3")] == ann.mock_calls
    assert [called.press("2")] == bob.mock_calls


async def test_dial_calls_when_it_says_so(rig: FakeRig) -> None:
    """`dial` places the call itself, and a second one places another call."""
    steps = "  - dial: {from: anonymous, caller name: Eve}\n  - press: 1\n  - dial: +33187654322\n  - press: 2\n"

    await played(rig, scenario_of(steps))

    assert [
        ("+33612345678", "+33187654321", "anonymous", "Eve"),
        ("+33612345678", "+33187654322", None, None),
    ] == rig.dialled
    first, second = rig.calls
    assert [called.press("1")] == first.mock_calls
    assert [called.press("2")] == second.mock_calls


async def test_numbers_behave_as_the_head_says(rig: FakeRig) -> None:
    """Every outcome of a dialled number is told to the simulation before the first call."""
    head = """
numbers:
  +33199000001: busy
  +33199000002: rejects
  +33199000003: no answer
  +33199000004: fails
  +33199000005: {fails: 3010}
  +33199000006: answers
  +33199000007: {answers: 5s, talks: 1m, presses: 1}
  +33199000008: rings
"""

    await played(rig, scenario_of("  - hang up\n", HEAD + head))

    assert {
        "+33199000001": [called.busy()],
        "+33199000002": [called.rejects()],
        "+33199000003": [called.no_answer()],
        "+33199000004": [called.fails(3050)],
        "+33199000005": [called.fails(3010)],
        "+33199000006": [called.answers(3.0, None, None)],
        "+33199000007": [called.answers(5.0, 60.0, "1")],
        "+33199000008": [],
    } == {number: callee.mock_calls for number, callee in rig.callees.items()}


async def test_calls_that_never_end_fail_the_scenario(rig: FakeRig) -> None:
    """A scenario whose calls go on although everybody hung up has failed."""
    rig.ends = False

    result = await played(rig, scenario_of(THREE))

    assert "failed" == result.status
    ((where, text),) = result.messages()
    assert "x.yaml: after the last step" == where
    assert text.startswith("A call never ended")


async def test_breaking_the_protocol_fails_the_scenario(rig: FakeRig) -> None:
    """What the app did against the protocol fails it, what is worth a note does not."""
    rig.broken, rig.noted = ["error NOT_200 in turn 1"], ["SLOW_REPLY"]

    result = await played(rig, scenario_of(THREE))

    assert "failed" == result.status
    assert [("x.yaml: after the last step", "error NOT_200 in turn 1")] == result.messages()
    assert ["SLOW_REPLY"] == result.warnings


async def test_notes_fail_nothing(rig: FakeRig) -> None:
    """Warnings alone leave a scenario passed."""
    rig.noted = ["SLOW_REPLY"]

    assert "passed" == (await played(rig, scenario_of(THREE))).status
