from __future__ import annotations

import json
from math import inf
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support_scenario import scenario_of

from bridge.simulator.timeline import Entry
from bridge.testing.scenario.report_data import to_json, to_junit
from bridge.testing.scenario.results import ScenarioResult, StepResult

NASTY = "\x00\x07\x1b[31m ]]> <b>&amp; 😀 \ud83d \ufffe é 日本"


def result_of(failure: str = "", error: str = "") -> ScenarioResult:
    """Give a scenario of two steps; with a failure, the first one failed."""
    scenario = scenario_of("  - {name: age, press: 1}\n  - hang up\n", 'to: "+33187654321"\n')
    first, second = scenario.steps
    result = ScenarioResult(scenario, 7, reproduce="rt-bridge simulate x.yaml", real_s=0.1234)
    result.error = error
    result.steps = [
        StepResult(first, "failed" if failure else "passed", failure, 1.0, 2.0, 3.04),
        StepResult(second, "not run" if failure else "passed"),
    ]
    result.virtual_s = 12.3456
    result.timeline.add(Entry(1.0, "hears", "hello", data={"seconds": inf, "nasty": NASTY}))
    result.warnings = ["SLOW_REPLY"]
    return result


def read(*results: ScenarioResult) -> Any:
    """Read the JSON report back."""
    return json.loads(to_json(results, 1).decode())


def test_json_holds_everything() -> None:
    """Scenarios, steps, failures and timeline are there, and the version of the format."""
    document = read(result_of())

    assert ("plivo-rt-bridge/scenarios", 1, 1) == (
        document["format"],
        document["version"],
        document["exit_status"],
    )
    assert {"passed": 1, "failed": 0, "error": 0} == document["counts"]
    (one,) = document["scenarios"]
    assert ("x", "x.yaml", "passed", 7, "normal") == tuple(
        one[name] for name in ("name", "file", "status", "seed", "profile")
    )
    assert (12.346, 0.123) == (one["virtual_s"], one["real_s"])
    assert {
        "number": 1,
        "name": "age",
        "title": "press: 1",
        "phone": "caller",
        "line": 3,
        "column": 17,
        "status": "passed",
        "soft": False,
        "at": 1.0,
        "took": 2.0,
        "ms": 3.0,
        "failure": "",
    } == one["steps"][0]
    assert ["SLOW_REPLY"] == one["warnings"]
    assert "hello" == one["timeline"][0]["text"]


def test_json_is_well_formed_whatever_was_said() -> None:
    """Halves of characters become replacement characters, infinite numbers text."""
    (one,) = read(result_of(failure=NASTY))["scenarios"]

    expected = NASTY.replace("\ud83d", "\ufffd")
    assert expected == one["steps"][0]["failure"] == one["failures"][0]["text"]
    assert {"seconds": "inf", "nasty": expected} == one["timeline"][0]["data"]


def suite(*results: ScenarioResult) -> ET.Element:
    """Read the JUnit report back; give its only suite."""
    root = ET.fromstring(to_junit(results))  # noqa: S314 -- our own output
    assert "testsuites" == root.tag
    (found,) = root
    return found


def test_junit_has_a_test_case_for_each_scenario() -> None:
    """The suite counts, and a case that passed has neither failure nor error."""
    found = suite(result_of(), result_of(failure="no"), result_of(error="broken"))

    assert ("3", "1", "1", "0") == tuple(
        found.attrib[name] for name in ("tests", "failures", "errors", "skipped")
    )
    assert [("x.yaml", "x", "0.123")] * 3 == [
        (case.attrib["classname"], case.attrib["name"], case.attrib["time"]) for case in found
    ]
    assert [[], ["failure"], ["error"]] == [
        [child.tag for child in case if child.tag in {"failure", "error"}] for case in found
    ]


def test_junit_names_place_and_first_line() -> None:
    """The message is what a list of failures shows, the text is the whole of it."""
    (case,) = suite(result_of(failure="nothing listens\nTimeline: …"))

    failure = case.find("failure")
    assert failure is not None
    assert "x.yaml:3:17: step 1 “age” (press: 1): nothing listens" == failure.attrib["message"]
    assert "x.yaml:3:17: step 1 “age” (press: 1)\nnothing listens\nTimeline: …" == failure.text


def test_junit_says_how_to_play_it_again() -> None:
    """Seed and command are properties of the case, steps and timeline its output."""
    (case,) = suite(result_of(failure="no"))

    properties = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
    output = case.findtext("system-out") or ""
    assert ("7", "rt-bridge simulate x.yaml") == (properties["seed"], properties["reproduce"])
    assert "failed   line    3  step 1 “age” (press: 1)\nnot run  line    4" in output
    assert "warning: SLOW_REPLY" in output
    assert "hello" in output


def test_junit_is_well_formed_whatever_was_said() -> None:
    """What XML cannot hold is shown as an escape, and all else arrives as it was."""
    (case,) = suite(result_of(failure=NASTY))

    failure = case.find("failure")
    assert failure is not None
    assert r"\u0000\u0007\u001b[31m ]]> <b>&amp; 😀 \ud83d \ufffe é 日本" in (failure.text or "")


@pytest.mark.parametrize("write", [to_junit, lambda results: to_json(results, 3)])
def test_reports_without_results_are_well_formed(write: Any) -> None:
    """Nothing was played before the app could not be reached: the report still is one."""
    assert write([]).strip()
