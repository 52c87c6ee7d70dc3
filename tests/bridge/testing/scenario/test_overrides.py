from __future__ import annotations

from pathlib import Path

import pytest
from support_scenario import HEAD

from bridge.testing.scenario.expectations import Command, Variables
from bridge.testing.scenario.files import load, read_scenario
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.overrides import Override, select
from bridge.testing.scenario.problems import ScenarioError
from bridge.testing.scenario.steps import Answer, Press

STEPS = """
steps:
  - name: age
    press: 42#
  - name: take.it
    answer:
  - name: asked
    expect command: {name: read, params: {max_digits: 3}}
  - name: kept
    expect variables: {age: 1}
  - hang up
"""


def read(*sets: str) -> Scenario:
    """Read the scenario with changes."""
    return read_scenario(HEAD + STEPS, "x.yaml", [Override.parse(text) for text in sets])


def refused(*sets: str, tmp_path: Path) -> str:
    """Say what is wrong with a change."""
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + STEPS)
    with pytest.raises(ScenarioError) as caught:
        load([path], [Override.parse(text) for text in sets])
    return str(caught.value)


@pytest.mark.parametrize("change", ["age.press=43#", "age.keys=43#"])
def test_a_value_is_set_by_the_name_of_action_or_option(change: str) -> None:
    """Both names mean the same value, and a # from the command line is no comment."""
    assert Press(keys="43#") == read(change).steps[0].action


def test_options_are_added_beside_a_value() -> None:
    """A step that was written with its value alone gets options too."""
    changed = read("age.leg=2", "age.at once=yes").steps[0].action

    assert Press.model_validate({"keys": "42#", "leg": 2, "at once": True}) == changed


def test_options_are_added_to_an_action_without_value() -> None:
    """A name with a dot in it is found as well."""
    assert Answer(leg=2) == read("take.it.leg=2").steps[1].action


def test_values_inside_of_values_are_set() -> None:
    """A path leads into tables, and numbers stay JSON where JSON is compared."""
    steps = read("asked.params.max_digits=5", "kept.variables={age: 2, name: Ann}").steps

    assert Command(name="read", params={"max_digits": 5}) == steps[2].action
    assert Variables(variables={"age": 2, "name": "Ann"}) == steps[3].action


def test_modifiers_are_set() -> None:
    """`within`, `soft` and `phone` are fields of every step that may have them."""
    step = read("asked.within=90s", "asked.soft=yes").steps[2]

    assert (90.0, True) == (step.within, step.soft)


def test_the_head_is_set_without_a_step() -> None:
    """Keys of the head have no step before them."""
    scenario = read("from=anonymous", "settings.partial_read=exact", "numbers.+33199000001=busy")

    assert "anonymous" == scenario.phones["caller"].from_
    assert {"partial_read": "exact"} == scenario.settings
    assert scenario.numbers["+33199000001"].busy


def test_changes_are_kept_for_the_command_that_plays_it_again() -> None:
    """A scenario remembers the options that changed it, and no others."""
    other = Override.parse("nobody.press=1")

    scenario = read_scenario(HEAD + STEPS, "x.yaml", [other, Override.parse("age.press=1")])

    assert ("--set", "age.press=1") == scenario.arguments


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("agee.press=1", "--set agee.press=1: No step has the name `agee`. Did you mean `age`?"),
        ("age.pres=1", "--set age.pres=1: The step has no field `pres`. Did you mean `press`?"),
        (
            "age.press=4x",
            "--set age.press=4x: step “age”: `press` must be keys of a phone: 0 to 9, * and #, but is “4x”.",
        ),
        (
            "age.press=",
            "--set age.press=: step “age”: `press` needs `keys`. Write press: …",
        ),
        (
            "fron=1",
            (
                "--set fron=1: No step has the name `fron`, and the head of no scenario has such a field. "
                "Did you mean `from`?"
            ),
        ),
        (
            "asked.params=[1",
            "--set asked.params=[1:1:1: This [ or { is not closed, or a comma is missing in it.",
        ),
    ],
)
def test_changes_of_what_is_not_there_are_errors(
    change: str, sentence: str, tmp_path: Path
) -> None:
    """An unknown step or field is never ignored, and the nearest name is suggested."""
    assert refused(change, tmp_path=tmp_path).startswith(sentence)


@pytest.mark.parametrize("text", ["age.press", "=1", ""])
def test_a_change_needs_a_name_and_a_value(text: str) -> None:
    """What sets nothing is an error with an example."""
    with pytest.raises(ScenarioError, match=r"This sets nothing\. Write --set STEP\.FIELD=VALUE"):
        Override.parse(text)


# --- only and skip ----------------------------------------------------------------------------


def played(scenarios: list[Scenario]) -> dict[str, list[int]]:
    """Give the numbers of the steps that are not left out."""
    return {
        one.name: [step.number for step in one.steps if step.number not in one.skipped]
        for one in scenarios
    }


def two() -> list[Scenario]:
    """Give two scenarios: x with the steps above, y without names."""
    return [read(), read_scenario(f"{HEAD}steps: [hang up]", "y.yaml")]


def test_all_is_played_by_default() -> None:
    """Without options nothing is left out."""
    assert {"x": [1, 2, 3, 4, 5], "y": [1]} == played(select(two(), [], []))


def test_only_chooses_scenarios_by_their_name() -> None:
    """A named scenario is played whole."""
    assert {"y": [1]} == played(select(two(), ["y"], []))


def test_only_chooses_steps_by_their_name() -> None:
    """Of a scenario with named steps only those are played; scenarios without them are not."""
    chosen = select(two(), ["age", "kept"], [])

    assert {"x": [1, 4]} == played(chosen)
    assert ("--only", "age", "--only", "kept") == chosen[0].arguments


def test_skip_leaves_out_scenarios_and_steps() -> None:
    """A skipped scenario is not played, a skipped step is left out."""
    chosen = select(two(), [], ["y", "age"])

    assert {"x": [2, 3, 4, 5]} == played(chosen)
    assert ("--skip", "age") == chosen[0].arguments


def test_names_nobody_has_are_errors() -> None:
    """An unknown name is answered with the nearest one, or with all of them."""
    with pytest.raises(ScenarioError) as caught:
        select(two(), ["agee"], ["zzz"])

    assert [
        "--only agee: No scenario and no step has the name `agee`. Did you mean `age`?",
        (
            "--skip zzz: No scenario and no step has the name `zzz`. "
            "Names are `age`, `asked`, `kept`, `take.it`, `x`, `y`."
        ),
    ] == [str(problem) for problem in caught.value.problems]
