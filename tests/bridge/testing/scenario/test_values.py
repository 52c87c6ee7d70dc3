from __future__ import annotations

import re

import pytest

from bridge.testing.scenario import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", 10.0),
        ("10s", 10.0),
        ("1.5 s", 1.5),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("2 min", 120.0),
        ("1m30s", 90.0),
        ("1H", 3600.0),
        ("0", 0.0),
        ("24h", 86_400.0),
    ],
)
def test_durations_have_units_or_are_seconds(text: str, expected: float) -> None:
    """Bare digits are seconds, and units can be put one after the other."""
    assert expected == values.seconds(text)


@pytest.mark.parametrize("text", ["", "soon", "10x", "-1", "1,5s", "s", "10 20", "inf", "nan"])
def test_other_texts_are_no_durations(text: str) -> None:
    """What is no duration is refused with an example."""
    with pytest.raises(ValueError, match=r"^must be a duration such as 10s"):
        values.seconds(text)


def test_no_duration_is_longer_than_a_day() -> None:
    """Virtual time is not pulled without end."""
    with pytest.raises(ValueError, match="at most a day"):
        values.seconds("25h")


@pytest.mark.parametrize("text", ["+33612345678", "sip:ann@example.com", "SIPS:a@b"])
def test_numbers_are_e164_or_sip(text: str) -> None:
    """Numbers have a plus and a country code, or are SIP addresses."""
    assert text == values.number(text)


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("+33 6 12 34 56 79", "+33612345679"),
        ("0033612345679", "+33612345679"),
        ("+33(6)12-34.56.79", "+33612345679"),
        ("0612345678", "+33612345678"),
        ("33612345679", "+33612345678"),
        ("", "+33612345678"),
    ],
)
def test_a_wrong_number_is_answered_with_a_right_one(text: str, example: str) -> None:
    """The sentence has the number itself in its right form where that can be told."""
    with pytest.raises(ValueError, match="such as " + re.escape(example)):
        values.number(text)


def test_a_caller_may_hide_the_number() -> None:
    """`anonymous` is a caller, but nobody to be dialled."""
    assert "anonymous" == values.caller("Anonymous")
    with pytest.raises(ValueError, match="with \\+ and country code"):
        values.number("anonymous")


def test_keys_are_those_of_a_phone() -> None:
    """Spaces between keys are no keys."""
    assert "42#*" == values.keys("4 2 #*")


@pytest.mark.parametrize("text", ["", "4a", "1,2", "²"])
def test_other_characters_are_no_keys(text: str) -> None:
    """Nothing is pressed that a phone does not have."""
    with pytest.raises(ValueError, match="must be keys of a phone"):
        values.keys(text)


@pytest.mark.parametrize("text", ["How old", "/", "//", "/sounds/a.mp3", "a/b/"])
def test_texts_are_not_taken_for_patterns(text: str) -> None:
    """Only what stands between two slashes is a regular expression."""
    assert text == values.pattern(text)


def test_patterns_stand_between_slashes() -> None:
    """`i` after the second slash ignores case, and slashes may occur inside."""
    assert re.compile("a/b") == values.pattern("/a/b/")
    assert re.compile("a", re.IGNORECASE) == values.pattern("/a/i")


def test_a_broken_pattern_is_located() -> None:
    """The sentence says what is wrong with the expression, and where."""
    with pytest.raises(ValueError, match=r"between slashes: missing \), .* at its character 2"):
        values.pattern("/a(/")


@pytest.mark.parametrize("text", ["yes", "True", "on"])
def test_yes_is_true(text: str) -> None:
    """YAML's words for true are understood."""
    assert values.truth(text)


@pytest.mark.parametrize("text", ["no", "FALSE", "off"])
def test_no_is_false(text: str) -> None:
    """YAML's words for false are understood."""
    assert not values.truth(text)


def test_other_words_are_neither() -> None:
    """A misspelt word is not silently false."""
    with pytest.raises(ValueError, match="must be true or false"):
        values.truth("ture")
