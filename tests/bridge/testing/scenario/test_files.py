from __future__ import annotations

from pathlib import Path

import pytest
from support_scenario import HEAD, scenario_of

from bridge.testing.scenario.files import load, read_scenario
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.problems import ScenarioError
from bridge.testing.scenario.steps import Dial

WHOLE = """
name: caller asks for sales
description: what it is about
app: http://127.0.0.1:8000/rt
from: +33612345678
to: +33187654321
caller name: Ann
numbers:
  +33199000001: busy
  +33199000002: {answers: 3, talks: 30s, presses: 1}
  +33199000003: {fails: 3010}
settings: {partial_read: exact, default_voice: en-GB}
seed: 7
profile: hostile
faults: [duplicate:recording, hang_up#7]
allow: UNKNOWN_PARAMETER
steps:
  - expect prompt: How old are you
  - name: age
    press: 42#  # with two spaces this is a comment
  - expect prompt: /You are \\d+/
    within: 10s
    soft: yes
  - hang up
"""


def wrong(text: str) -> list[str]:
    """List what is wrong with a file: line, column and sentence."""
    with pytest.raises(ScenarioError) as caught:
        read_scenario(text, "x.yaml")
    return [str(one).partition("\n")[0].removeprefix("x.yaml:") for one in caught.value.problems]


def wrong_step(step: str) -> str:
    """Say what is wrong with a scenario of one step, without its place."""
    (sentence,) = wrong(f"{HEAD}steps:\n  - {step}\n")
    return sentence.partition(": ")[2]


def test_a_whole_file_is_read() -> None:
    """Every key of the head and every modifier of a step arrives."""
    scenario = read_scenario(WHOLE, "folder/x.yaml")

    assert ("caller asks for sales", "folder/x.yaml") == (scenario.name, scenario.file)
    assert "http://127.0.0.1:8000/rt" == scenario.app
    (phone,) = scenario.phones.values()
    assert ("+33612345678", "+33187654321", "Ann") == (phone.from_, phone.to, phone.caller_name)
    assert {"partial_read": "exact", "default_voice": "en-GB"} == scenario.settings
    assert (7, "hostile") == (scenario.seed, scenario.profile)
    assert ("duplicate:recording", "hang_up#7") == scenario.faults
    assert ("UNKNOWN_PARAMETER",) == scenario.allow
    assert ["", "age", "", ""] == [step.name for step in scenario.steps]
    assert [18, 20, 21, 24] == [step.place.line for step in scenario.steps]
    assert (10.0, True) == (scenario.steps[2].within, scenario.steps[2].soft)
    assert ["step 1 (expect prompt: How old are you)", "step 2 “age” (press: 42#)"] == [
        step.label for step in scenario.steps[:2]
    ]


def test_a_file_without_a_name_is_called_after_itself() -> None:
    """The name of the file stands for the scenario."""
    assert "sales" == read_scenario(f"{HEAD}steps: [hang up]", "folder/sales.yaml").name


def test_nothing_but_number_and_steps_is_needed() -> None:
    """A caller is made up when the file names none."""
    scenario = read_scenario("to: +33187654321\nsteps: [hang up]", "x.yaml")

    assert ["+33612345678"] == [phone.from_ for phone in scenario.phones.values()]


def test_several_phones_have_names() -> None:
    """A step without a phone belongs to the first one."""
    scenario = read_scenario(
        "to: +33187654321\n"
        "phones:\n"
        "  ann: +33612345678\n"
        "  bob: {from: anonymous, to: +33187654322, caller name: Bob}\n"
        "steps:\n"
        "  - hang up\n"
        "  - {phone: bob, hang up: }\n",
        "x.yaml",
    )

    assert ["ann", "bob"] == [step.phone for step in scenario.steps]
    assert ["+33187654321", "+33187654322"] == [phone.to for phone in scenario.phones.values()]
    assert ["+33612345678", "anonymous"] == [phone.from_ for phone in scenario.phones.values()]


def test_dial_may_differ_from_the_head() -> None:
    """`dial` takes another number, caller and name."""
    (step, plain) = scenario_of(
        "  - dial: {to: +33187654322, from: anonymous, caller name: Eve}\n  - dial\n"
    ).steps

    assert Dial(**{"to": "+33187654322", "from": "anonymous", "caller name": "Eve"}) == step.action
    assert Dial() == plain.action


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("pres: 1", "step 1: `pres` is not an action. Did you mean `press`?"),
        ("hang_up", "step 1: `hang_up` is not an action. Did you mean `hang up`?"),
        (
            "expect_prompt: a",
            "step 1: `expect_prompt` is not an action. Did you mean `expect prompt`?",
        ),
        (
            "expect promt: a",
            "step 1: `expect promt` is not an action. Did you mean `expect prompt`?",
        ),
        ("press 42", 'step 1: `press 42` is not an action. Write a colon and a space: press: "42"'),
        ("press:42", 'step 1: `press:42` is not an action. Write a colon and a space: press: "42"'),
        ("press", "step 1: `press` needs `keys`. Write press: …"),
        ("press:", "step 1: `press` has no value. Write it after the colon."),
        (
            "press: #1",
            'step 1: `press` has no value. A # after a space begins a comment; in quotes it does not: press: "#1"',
        ),
        (
            "{press: 1, name: }",
            "step 1: `name` has no value. Write it after the colon.",
        ),
        (
            "press: 42 #",
            (
                "step 1: “#” is a comment in YAML, so the value is only “42”. "
                "Put the value in quotes if the # belongs to it, else two spaces before the #."
            ),
        ),
        (
            "expect prompt: Press the # key",
            (
                "step 1: “# key” is a comment in YAML, so the value is only “Press the”. "
                "Put the value in quotes if the # belongs to it, else two spaces before the #."
            ),
        ),
        ("press: 4x", "step 1: `press` must be keys of a phone: 0 to 9, * and #, but is “4x”."),
        ("press: [1]", "step 1: `press` must be one text, not a list or a table."),
        (
            "{press: 1, say: a}",
            "step 1: `say` is a second action in this step, after `press`. Begin a new step with a dash.",
        ),
        (
            "{answer: , leg: 2}",
            "step 1: `leg` is not known here. Options stand under the action: answer: {leg: …}",
        ),
        ("answer: {lag: 2}", "step 1: `lag` is not known here. Did you mean `leg`?"),
        ("answer: {leg: }", "step 1: `leg` has no value. Write it after the colon."),
        ("answer: 0", "step 1: `answer` must be at least 1, but is “0”."),
        ("answer: two", "step 1: `answer` must be a whole number, but is “two”."),
        (
            "wait: 10x",
            "step 1: `wait` must be a duration such as 10s, 1.5s, 500ms or 2m, but is “10x”.",
        ),
        ("wait: {for: [1]}", "step 1: `for` must be a duration such as 10s."),
        ("say: ''", "step 1: `say` must not be empty, but is “”."),
        ("expect prompt: ''", "step 1: `expect prompt` must not be empty, but is “”."),
        (
            "expect listening: 1",
            "step 1: `expect listening` takes no value of its own.",
        ),
        (
            "expect leg: 2",
            (
                "step 1: `expect leg` takes no value of its own. "
                "Its options are `leg`, `state`: expect leg: {leg: …, state: …}"
            ),
        ),
        (
            "expect leg",
            "step 1: `expect leg` needs `leg`, `state`. Write expect leg: {leg: …, state: …}",
        ),
        ("expect leg: {leg: 2}", "step 1: `state` is missing."),
        (
            "expect leg: {leg: 1, state: anwered}",
            (
                "step 1: `state` must be 'ringing', 'answered', 'connected', 'busy', 'no-answer', "
                "'rejected', 'failed', 'cancelled' or 'ended', but is “anwered”."
            ),
        ),
        (
            "expect ended: {by: me}",
            (
                "step 1: `by` must be 'caller', 'callee', 'app', 'api', 'plivo', 'carrier' or 'error', "
                "but is “me”."
            ),
        ),
        (
            "expect rest: {method: post, path: /a}",
            "step 1: `method` must be 'GET', 'POST' or 'DELETE', but is “post”.",
        ),
        ("expect dialled: []", "step 1: `expect dialled` must not be empty."),
        (
            "expect dialled: [+33199000001, 0199000002]",
            (
                "step 1: `expect dialled` must be a number with + and country code and nothing "
                "between, such as +33612345678, but is “0199000002”."
            ),
        ),
        ("expect variables: 42", "step 1: `expect variables` must be a table."),
        (
            "expect command: dialoot",
            "step 1: `expect command` must be an RT command (Did you mean `dialout`?), but is “dialoot”.",
        ),
        ("expect command: {name: read, params: 3}", "step 1: `params` must be a table."),
        (
            "expect prompt: /a(/",
            (
                "step 1: `expect prompt` must be a regular expression, as it is between slashes: "
                "missing ), unterminated subpattern at its character 2, but is “/a(/”."
            ),
        ),
        ("{press: 1, soft: yes}", "step 1: `soft` belongs to expectations only."),
        (
            "{wait: 1, within: 3s}",
            (
                "step 1: `within` belongs to expectations and to `press`, `say`, `speak`. "
                "This action does not wait for anything."
            ),
        ),
        (
            "{expect prompt: a, soft: ture}",
            "step 1: `soft` must be true or false, but is “ture”.",
        ),
        (
            "{hang up: , phone: bob}",
            "step 1: There is no phone `bob`. The scenario has `caller`.",
        ),
        ("[hang up]", "step 1: A step is an action, not a list. Write one dash for each step."),
        ("", "step 1: The step is empty. Write an action, or no dash."),
        ("{}", "step 1: The step has no action. Add one, for example `hang up:`."),
        ("name: age", "step “age”: The step has no action. Add one, for example `hang up:`."),
        ("{name: age, pres: 1}", "step “age”: `pres` is not an action. Did you mean `press`?"),
    ],
)
def test_faults_of_steps_are_explained(step: str, sentence: str) -> None:
    """Each fault of a step names the step, says what is wrong, and how to mend it."""
    assert sentence == wrong_step(step)


def test_what_is_like_nothing_is_answered_with_the_whole_list() -> None:
    """Where no name is near, all of them are listed."""
    sentence = wrong_step("zzz: 1")

    assert sentence.startswith("step 1: `zzz` is not an action. There are `answer`, `busy`, `dial`")
    assert "`expect prompt`" in sentence


def test_settings_that_are_like_none_are_answered_with_all() -> None:
    """Settings of the bridge and of an app may be given; addresses and stores may not."""
    (sentence,) = wrong(f"{HEAD}settings: {{store: 'memory:'}}\nsteps: [hang up]")

    assert sentence.startswith("3:12: `store` is not known here. There are `after_crash`, `app_")
    assert "`partial_read`" in sentence


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("- a", ["1:1: A scenario must be a table: keys with a colon and a space after them."]),
        (
            "to: +33187654321",
            ["1:1: `steps` is missing. List what happens, one dash for each step."],
        ),
        ("to: +33187654321\nsteps: []", ["2:1: `steps` must be a list of at least one step."]),
        ("to: +33187654321\nsteps: hang up", ["2:1: `steps` must be a list of at least one step."]),
        ("to: +33187654321\nsteps:", ["2:1: `steps` has no value. Write it after the colon."]),
        ("steps: [hang up]", ["1:1: `to` is missing. Say which number is called."]),
        (
            f"{HEAD}stepps: []\nsteps: [hang up]",
            ["3:1: `stepps` is not known here. Did you mean `steps`?"],
        ),
        (
            f"{HEAD}seed: x\nprofile: hostil\nsteps: [hang up]",
            [
                "3:7: `seed` must be a whole number, but is “x”.",
                "4:10: `profile` must be 'normal' or 'hostile', but is “hostil”.",
            ],
        ),
        (
            f"{HEAD}faults: [duplicat]\nsteps: [hang up]",
            [
                (
                    "3:10: `faults` must be a fault (“duplicat” is no fault: write "
                    "what[:name][=seconds][@share][#nth]; did you mean duplicate?), but is “duplicat”."
                )
            ],
        ),
        (
            f"{HEAD}allow: [UNKNOWN_PARAMETR]\nsteps: [hang up]",
            [
                (
                    "3:9: `allow` must be a rule of the protocol. Did you mean `UNKNOWN_PARAMETER`?, "
                    "but is “UNKNOWN_PARAMETR”."
                )
            ],
        ),
        (
            f"{HEAD}phones: {{ann: +33612345678}}\nsteps: [hang up]",
            ["1:1: `from` and `phones` exclude each other. Use `phones`."],
        ),
        (
            "phones:\n  ann: +33612345678\nsteps: [hang up]",
            ["2:8: `to` is missing. Say which number is called."],
        ),
        (
            "to: +33187654321\nphones: {ann: {from: 3}}\nsteps: [hang up]",
            [
                (
                    "2:22: `phones.ann.from` must be a number with + and country code and nothing "
                    "between, such as +33612345678, but is “3”."
                )
            ],
        ),
        ("to: +33187654321\nphones: {}\nsteps: [hang up]", ["2:9: `phones` must not be empty."]),
        (
            f"{HEAD}numbers: {{12: busy}}\nsteps: [hang up]",
            [
                (
                    "3:11: `numbers.12` must be a number with + and country code and nothing between, "
                    "such as +33612345678, but is “12”."
                )
            ],
        ),
        (
            f"{HEAD}numbers: {{+33199000001: buzy}}\nsteps: [hang up]",
            [
                (
                    "3:25: `numbers.+33199000001` must be one of answers, busy, rejects, no answer, "
                    "rings, fails, or a table such as {answers: 3s, talks: 30s} or {fails: 3050}, "
                    "but is “buzy”."
                )
            ],
        ),
        (
            f"{HEAD}numbers: {{+33199000001: {{talks: 3}}}}\nsteps: [hang up]",
            [
                (
                    "3:25: `numbers.+33199000001` must say one of answers, busy, rejects, no answer, "
                    "rings, fails."
                )
            ],
        ),
        (
            f"{HEAD}numbers: {{+33199000001: {{fails: 1, talks: 3}}}}\nsteps: [hang up]",
            ["3:25: `numbers.+33199000001` must say `answers` when it says `talks` or `presses`."],
        ),
        (f"{HEAD}settings: 3\nsteps: [hang up]", ["3:11: `settings` must be a table, but is “3”."]),
        (
            f"{HEAD}settings: {{partial_red: x}}\nsteps: [hang up]",
            ["3:12: `partial_red` is not known here. Did you mean `partial_read`?"],
        ),
        (
            f"{HEAD}settings: {{on_failure: fallback_url}}\nsteps: [hang up]",
            ["3:11: `settings` must have a fallback_url, because on_failure is fallback_url."],
        ),
        (
            f"{HEAD}settings: {{app_timeout_s: 99}}\nsteps: [hang up]",
            ["3:27: `app_timeout_s` must be at most 5."],
        ),
        (
            f"{HEAD}steps:\n  - {{name: a, wait: 1}}\n  - {{name: a, wait: 1}}",
            ["5:12: step “a”: The step in line 4 has the name `a` too. Give each step its own."],
        ),
        (
            f"{HEAD}steps:\n  - {{name: a=b, wait: 1}}",
            ["4:12: step “a=b”: The name `a=b` has a = in it. Leave it out, for --set."],
        ),
        (
            "to: 3\nsteps:\n  - pres: 1\n  - press: x\n",
            [
                (
                    "1:5: `to` must be a number with + and country code and nothing between, such as "
                    "+33612345678, but is “3”."
                ),
                "3:5: step 1: `pres` is not an action. Did you mean `press`?",
                "4:12: step 2: `press` must be keys of a phone: 0 to 9, * and #, but is “x”.",
            ],
        ),
    ],
)
def test_faults_of_files_are_explained(text: str, sentences: list[str]) -> None:
    """Every fault of a file is reported at once, with line and column, in the order of the lines."""
    assert sentences == wrong(text)


# --- files and folders ------------------------------------------------------------------------


def names(scenarios: list[Scenario]) -> list[str]:
    """Name the scenarios."""
    return [scenario.name for scenario in scenarios]


def test_a_folder_stands_for_its_scenarios(tmp_path: Path) -> None:
    """All files that end in .yaml or .yml are read in the order of their names."""
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_text(f"{HEAD}steps: [hang up]\n")

    assert ["a", "b"] == names(load([tmp_path]))


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    """Files saved by editors that put a mark first are read."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEAD}steps: [hang up]\n".encode())

    assert ["a"] == names(load([path]))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing file, an empty folder and another encoding are said together, each with its path."""
    latin, empty = tmp_path / "latin.yaml", tmp_path / "empty"
    latin.write_bytes(b"to: x\nname: caf\xe9\n")
    empty.mkdir()

    with pytest.raises(ScenarioError) as caught:
        load([tmp_path / "none.yaml", empty, latin])

    assert [
        f"{tmp_path}/none.yaml: The file cannot be read: No such file or directory.",
        f"{empty}: The folder has no file that ends in .yaml or .yml.",
        f"{latin}: Line 2 is not UTF-8. Save the file as UTF-8.",
    ] == [str(problem) for problem in caught.value.problems]
