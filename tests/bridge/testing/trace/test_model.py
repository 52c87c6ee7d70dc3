from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support_trace import HOSTILE, conference, hostile, long_call, menu_call

from bridge.simulator.timeline import Entry
from bridge.testing.contract import Violation
from bridge.testing.trace import FORMAT, VERSION, Trace, as_document, to_json
from bridge.testing.trace.model import plain
from bridge.testing.turns import Turn

MOMENT = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def trace(**fields: object) -> Trace:
    """Give a trace with little in it."""
    small = Trace(title="small", entries=[], started=MOMENT, ended=MOMENT)
    return replace(small, **fields)  # type: ignore[arg-type]


def test_the_document_has_the_keys_that_are_documented_in_that_order() -> None:
    """Readers of the JSON find the keys of the module's table, in its order."""
    expected = (
        "format version title outcome seed command started ended versions failure marker counts"
        " violations turns entries"
    )

    assert expected.split() == list(json.loads(to_json(menu_call())))


def test_an_entry_keeps_every_field_of_the_timeline() -> None:
    """What the timeline knew of an entry stands in the JSON under the same names."""
    entry = Entry(1.5, "gets", "3 bytes", "<a/>", 2.25, 2, 1, {"xml": "<a/>"})

    assert [
        {
            "at": 1.5,
            "kind": "gets",
            "text": "3 bytes",
            "detail": "<a/>",
            "ms": 2.25,
            "call": 2,
            "leg": 1,
            "data": {"xml": "<a/>"},
        }
    ] == json.loads(to_json(trace(entries=[entry])))["entries"]


def test_the_head_of_a_trace() -> None:
    """Format, version, outcome, times and versions are written as documented."""
    document = json.loads(to_json(trace(seed=7, command="make", versions={"b": "2", "a": "1"})))

    assert (FORMAT, VERSION) == (document["format"], document["version"])
    assert ("small", "passed", 7, "make") == tuple(
        document[key] for key in ("title", "outcome", "seed", "command")
    )
    assert "2026-01-05T10:00:00+00:00" == document["started"] == document["ended"]
    assert [("a", "1"), ("b", "2")] == list(document["versions"].items())
    assert (None, "") == (document["marker"], document["failure"])


def test_times_that_are_not_known_are_null() -> None:
    """A trace made from a timeline alone has no real times."""
    document = as_document(Trace(title="small", entries=[]))

    assert (None, None) == (document["started"], document["ended"])


def test_the_same_trace_gives_the_same_bytes() -> None:
    """A trace of one seed can be compared byte by byte."""
    assert to_json(menu_call()) == to_json(menu_call())


def test_objects_from_the_wire_keep_their_order() -> None:
    """The order of a form's or a reply's fields is a fact and is not sorted away."""
    entry = Entry(0, "app", "", data={"reply": {"z": 1, "a": {"y": 2, "b": 3}}})

    reply = json.loads(to_json(trace(entries=[entry])))["entries"][0]["data"]["reply"]
    assert (["z", "a"], ["y", "b"]) == (list(reply), list(reply["a"]))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "passed"),
        ({"failure": "it failed"}, "failed"),
        ({"marker": 0}, "failed"),
        ({"violations": [{"code": "NOT_JSON", "severity": "error"}]}, "passed"),
    ],
)
def test_a_test_failed_when_it_says_so(fields: dict[str, object], expected: str) -> None:
    """A failure text or a marker makes the outcome; a violation alone may have been expected."""
    assert expected == trace(**fields).outcome


@pytest.mark.parametrize(
    ("marker", "count", "expected"),
    [(None, 3, None), (0, 3, 0), (2, 3, 2), (3, 3, 2), (-1, 3, 0), (0, 0, None)],
)
def test_a_marker_lies_on_an_entry(marker: int | None, count: int, expected: int | None) -> None:
    """A marker past the end is the last entry; without entries there is none."""
    entries = [Entry(0, "hears", "a")] * count

    assert expected == trace(entries=entries, marker=marker).marked


def test_counts_of_a_call() -> None:
    """The counts are those of the timeline, the turns and the violations."""
    assert {
        "calls": 1,
        "entries": 32,
        "turns": 6,
        "requests": 6,
        "rest": 1,
        "passed": 3,
        "failed": 1,
        "errors": 1,
        "warnings": 1,
        "virtual_seconds": 79.6,
    } == menu_call().counts()


def test_counts_of_several_calls() -> None:
    """Calls are counted by their number, and what belongs to no call is none."""
    several = conference()
    outside = Entry(9.0, "fault", "something broke", call=0)

    assert 3 == replace(several, entries=[*several.entries, outside]).counts()["calls"]


def test_turns_without_a_list_of_turns_are_counted_in_the_timeline() -> None:
    """A trace made from a timeline alone still knows how many turns it had."""
    assert 4 == long_call(4).counts()["turns"]


def test_turns_and_violations_of_the_kit_are_taken_as_they_are() -> None:
    """Dataclasses of the kit need no conversion; bodies become text."""
    turn = Turn(
        1, 0.0, 1, "DEFAULT", {"callid": 1}, b'{"callid":1}', 200, b"\xff{", "text/html", "", 3.0
    )
    violation = Violation("NOT_JSON", 1, 1, "$", "The reply is no JSON.", "error", "an object")

    document = as_document(trace(turns=[turn], violations=[violation]))

    assert ("\ufffd{", '{"callid":1}') == (
        document["turns"][0]["body"],
        document["turns"][0]["raw_request"],
    )
    assert {
        "code": "NOT_JSON",
        "sentence": "The reply is no JSON.",
        "turn": 1,
        "severity": "error",
        "call": 1,
        "path": "$",
        "expected": "an object",
    } == document["violations"][0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), None),
        (float("nan"), None),
        (1.5, 1.5),
        (True, True),
        (b"\xff", "\ufffd"),
        ("\ud800x", "\ufffdx"),
        ({"b", "a"}, ["a", "b"]),
        ((1, [2]), [1, [2]]),
        ({1: MOMENT}, {"1": "2026-01-05 10:00:00+00:00"}),
        ("see http://joe:secret@app.test/rt?a=b@c", "see http://[hidden]@app.test/rt?a=b@c"),
        ("<a>mail joe@app.test</a>", "<a>mail joe@app.test</a>"),
    ],
)
def test_any_value_becomes_json(value: object, expected: object) -> None:
    """Whatever a timeline carries is written as JSON that every reader takes, without logins."""
    assert expected == plain(value)


def test_hostile_text_survives_unchanged() -> None:
    """Quotes, markup, controls, emoji and right-to-left text come back as they went in."""
    document = json.loads(to_json(hostile()))

    assert HOSTILE == document["title"]
    assert HOSTILE == document["entries"][0]["data"]["form"][HOSTILE]
    assert b"secret" not in to_json(hostile())
