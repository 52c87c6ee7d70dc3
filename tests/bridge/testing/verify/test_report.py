from __future__ import annotations

import json

from lxml import etree

from bridge.testing.verify import ABSENT, Difference, PlayedTurn, Verification
from bridge.testing.verify.report import as_json, as_junit, as_text

RESULT = Verification(
    [
        PlayedTurn(1, 1, 1000, "the call begins", "same"),
        PlayedTurn(2, 1, 1001, "the call begins", "same", note="failed then as now: no reply"),
        PlayedTurn(
            1,
            2,
            1000,
            'read → "9"',
            "differs",
            (
                Difference(("params", "targets", 0, "number"), "+331", "+332"),
                Difference(("params", "targets", 0, "timeout"), 30, ABSENT),
                Difference(("variables", "a b"), ABSENT, "x\u202e\x00\ud800" + "y" * 600),
            ),
            "note",
        ),
        PlayedTurn(1, 3, 1000, "play → 0", "not compared", note="the app went another way"),
        PlayedTurn(1, 4, 1000, "HANGUP", "differs", (Difference((), "(answered)", "It failed."),)),
        PlayedTurn(2, 2, 1001, "HANGUP", "ignored"),
    ],
    by_shape=2,
    unused=("params.x",),
)


def test_text_shows_a_tree_of_what_differs() -> None:
    """Each call with its turns; below a turn the members that differ, then and now."""
    long = json.dumps("y" * 600)[1:]

    assert (
        "call 1 of calls.jsonl, played as callid 1000\n"
        "  = turn 1  the call begins\n"
        '  ≠ turn 2  read → "9"  (note)\n'
        "      params\n"
        "        targets\n"
        "          [0]\n"
        "            number\n"
        '              recorded  "+331"\n'
        '              now       "+332"\n'
        "            timeout\n"
        "              recorded  30\n"
        "              now       (absent)\n"
        "      variables\n"
        '        ["a b"]\n'
        "          recorded  (absent)\n"
        '          now       "x\\u202e\\u0000\\ud800' + long[:480] + "… (621 characters)\n"
        "  ? turn 3  play → 0  (the app went another way)\n"
        "  ≠ turn 4  HANGUP\n"
        "      reply\n"
        '        recorded  "(answered)"\n'
        '        now       "It failed."\n'
        "call 2 of calls.jsonl, played as callid 1001\n"
        "  = turn 1  the call begins  (failed then as now: no reply)\n"
        "  · turn 2  HANGUP\n"
        "2 calls: 2 of 4 compared turns are as recorded, 2 differ, 1 could not be compared.\n"
        "Note: 2 values that the recording has masked were compared by shape.\n"
        "Note: --ignore params.x matched no difference.\n"
    ) == as_text("calls.jsonl", RESULT)


def test_text_of_a_run_that_ended_early_says_why() -> None:
    """The sentence about the app stands before the summary."""
    result = Verification(
        [PlayedTurn(1, 1, 5, "the call begins", "same")], unreachable="Nobody is there."
    )

    assert (
        "call 1 of x, played as callid 5\n"
        "  = turn 1  the call begins\n"
        "Nobody is there.\n"
        "1 call: 1 of 1 compared turns are as recorded.\n"
    ) == as_text("x", result)


def test_app_that_was_never_reached() -> None:
    """Nothing is counted where nothing was played."""
    result = Verification([], unreachable="Nobody is there.")

    assert "Nobody is there.\nNo call was played.\n" == as_text("menu.jsonl", result)


def test_json_holds_everything() -> None:
    """A member that one side lacks is a key that is not there."""
    report = json.loads(as_json("calls.jsonl", RESULT))

    assert {
        "recording": "calls.jsonl",
        "same": False,
        "counts": {"same": 2, "differs": 2, "ignored": 1, "not compared": 1},
        "unreachable": "",
        "compared_by_shape": 2,
        "unused_ignores": ["params.x"],
    } == {name: value for name, value in report.items() if name != "turns"}
    assert {
        "call": 1,
        "turn": 2,
        "callid": 1000,
        "asked": 'read → "9"',
        "verdict": "differs",
        "differences": [
            {"path": "params.targets[0].number", "recorded": "+331", "actual": "+332"},
            {"path": "params.targets[0].timeout", "recorded": 30},
            {"path": 'variables["a b"]', "actual": "x\u202e\x00\ud800" + "y" * 600},
        ],
        "note": "note",
    } == report["turns"][2]


def test_junit_has_a_case_for_every_turn() -> None:
    """Differences are failures, turns that could not be compared are skipped."""
    (suite,) = etree.fromstring(as_junit("calls.jsonl", RESULT).encode())
    cases = list(suite)

    assert ("6", "2", "0", "1") == tuple(
        str(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")
    )
    assert [
        ("calls.jsonl.call 1", "turn 1: the call begins", []),
        ("calls.jsonl.call 2", "turn 1: the call begins", []),
        ("calls.jsonl.call 1", 'turn 2: read → "9"', ["failure"]),
        ("calls.jsonl.call 1", "turn 3: play → 0", ["skipped"]),
        ("calls.jsonl.call 1", "turn 4: HANGUP", ["failure"]),
        ("calls.jsonl.call 2", "turn 2: HANGUP", []),
    ] == [
        (case.get("classname"), case.get("name"), [child.tag for child in case]) for case in cases
    ]
    assert (
        'differs in params.targets[0].number, params.targets[0].timeout, variables["a b"]'
        == cases[2][0].get("message")
    )
    assert '"+332"' in str(cases[2][0].text)


def test_junit_names_an_app_that_is_gone() -> None:
    """An unreachable app is an error of its own, and control characters do not break the file."""
    result = Verification([], unreachable="Nobody\x00 is there.")

    (suite,) = etree.fromstring(as_junit("a\x1bb", result).encode())

    assert ("1", "1") == (suite.get("tests"), suite.get("errors"))
    assert "Nobody\ufffd is there." == suite[0][0].get("message")
