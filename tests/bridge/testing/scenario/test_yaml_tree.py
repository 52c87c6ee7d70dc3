from __future__ import annotations

import pytest

from bridge.testing.scenario.problems import Problem, ScenarioError
from bridge.testing.scenario.yaml_tree import Table, json_value, parse_tree, place_of, plain


def refused(text: str) -> Problem:
    """Give the only thing that is wrong with a text."""
    with pytest.raises(ScenarioError) as caught:
        parse_tree(text, "x.yaml")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "text",
    ["no", "yes", "0123", "1e3", "+33612345678", "2020-01-01", "~", "null", "0x1f", "1_000", ".5"],
)
def test_everything_stays_the_text_that_was_typed(text: str) -> None:
    """What other loaders turn into numbers, dates and booleans is text here."""
    assert {"press": text} == plain(parse_tree(f"press: {text}", "x.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ('"42"', "42"),
        ("'true'", "true"),
        ("0123", "0123"),
        ("9" * 5000, "9" * 5000),
        ("+33612345678", "+33612345678"),
        ("no", "no"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_json_values_are_told_from_text_by_their_quotes(text: str, value: object) -> None:
    """Where JSON is compared, an unquoted number, true, false or null is one, and all else text."""
    assert value == json_value(parse_tree(text, "x.yaml"))


def test_every_value_and_key_knows_its_place() -> None:
    """Lines and columns count from 1, and a path that leads nowhere ends at its last known part."""
    tree = parse_tree("a:\n  - b: c\n", "x.yaml")

    assert isinstance(tree, Table)
    assert "x.yaml:1:1" == str(tree.keys["a"])
    assert "x.yaml:2:8" == str(place_of(tree, ("a", 0, "b")))
    assert "x.yaml:2:5" == str(place_of(tree, ("a", 0, "nothing")))
    assert "x.yaml:2:3" == str(place_of(tree, ("a", 7)))


def test_halves_of_a_character_are_joined() -> None:
    """JSON-like escapes of an emoji give the emoji."""
    assert "😀" == plain(parse_tree(r'"\ud83d\ude00"', "x.yaml"))


@pytest.mark.parametrize(
    ("text", "place", "what", "fix"),
    [
        ("press: *", "1:8", "no text begins with *", 'quotes, for example "*1"'),
        ("press: *1", "1:8", "`*1` is an alias in YAML", 'quotes, for example "*1"'),
        ("press: *#", "1:8", "no text begins with *", "quotes"),
        ("a: &b c", "1:4", "`&b` is an anchor in YAML", "quotes"),
        ("a: &", "1:4", "no text begins with &", "quotes"),
        ("a: !b", "1:4", "`!b` is a tag in YAML", "quotes"),
        ("a: @b", "1:4", "no text begins with @", "quotes"),
        ("a: `b", "1:4", "no text begins with `", "quotes"),
        ("a: %b", "1:4", "no text begins with %", "quotes"),
        ("a: |b", "1:4", "begins with | or >", "quotes"),
        ("a: > b", "1:4", "begins with | or >", "quotes"),
        ("a: ? b", "1:4", "question mark", "quotes"),
        ("a: , b", "1:4", "this character", "quotes"),
        ("a: - b", "1:4", "A list must begin in a line of its own", "dash belongs to it"),
        ("a:\n\t- b", "2:1", "There is a tab", "Indent with spaces"),
        ("\ta: b", "1:1", "There is a tab", "Indent with spaces"),
        ("a: Press 1: sales", "1:11", "make a key of what stands before", "in quotes when"),
        ("a: 1\n b: 2", "2:3", "make a key of what stands before", "correct the indentation"),
        ("a: [1, 2", "1:4", "is not closed", "Close it"),
        ("a: {b: 1", "1:4", "is not closed", "Close it"),
        ('a: "b', "1:4", "quotation mark is not closed", "closing one"),
        ("a: 'it's'", "1:8", "does not fit to the lines above", "closing quotation mark"),
        ("- a: 1\n b: 2", "2:2", "does not fit to the lines above", "indentation"),
        ('a: "\\d"', "1:6", "a backslash begins an escape", r"\\ for a backslash"),
        ('a: "\\ud83d"', "1:4", "half a character", "the character itself"),
        ("a: 1\na: 2", "2:1", "`a` was given before, in line 1", "silently take the last"),
        ("a: 1\n---\nb: 2", "2:1", "A second document begins", "one scenario per file"),
        ("{a: 1}}", "1:7", "cannot stand outside of a key", "`steps:`"),
        ("? [a]\n: b", "1:3", "A key must be a word", ""),
        ("a: é \x07", "1:6", "U+0007 cannot stand in YAML", "escape in double quotes"),
    ],
)
def test_traps_of_yaml_are_explained(text: str, place: str, what: str, fix: str) -> None:
    """Whatever YAML stumbles over is said in plain words, with place and fix."""
    problem = refused(text)

    assert f"x.yaml:{place}" == str(problem.place)
    assert what in problem.what
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "The file is empty"),
        ("# nothing\n", "The file is empty"),
        ("a: " + "[" * 30 + "]" * 30, "nested too deeply"),
        ("a: " + "[" * 9_000, "nested too deeply"),
        ("a" * 1_000_001, "more than 1,000,000 characters"),
    ],
    ids=["nothing", "comments", "deep", "bottomless", "huge"],
)
def test_what_is_no_scenario_at_all_is_refused(text: str, what: str) -> None:
    """An empty, endless or bottomless file gives a sentence and no crash."""
    assert what in refused(text).what


def test_a_problem_shows_the_line_and_marks_the_column() -> None:
    """The mark stands below the character that is wrong, and control characters are not printed."""
    problem = refused("steps:\n  - press: *1 \t\n")

    assert [
        'x.yaml:2:12: `*1` is an alias in YAML, not text that begins with *. Put it in quotes, for example "*1".',
        "     2 |   - press: *1  ",
        "       |            ^",
    ] == str(problem).splitlines()
