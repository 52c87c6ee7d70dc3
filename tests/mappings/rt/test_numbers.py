"""Phone numbers in params: forgiving about spelling, strict about what is a number."""

from __future__ import annotations

import pytest

from mappings._rt.numbers import caller_id, phone_number


@pytest.mark.parametrize(
    "raw",
    ["+33612345678", "33612345678", "0033612345678", " +33 6 12 34 56 78 ", "+33-6.12.34.56.78"],
)
def test_number_is_read_in_any_spelling(raw: str) -> None:
    """The country code is required, everything else is spelling."""
    assert "+33612345678" == phone_number(raw)
    assert "+33612345678" == caller_id(raw)


@pytest.mark.parametrize("raw", [33612345678, 33612345678.0])
def test_json_number_is_its_digits(raw: float) -> None:
    """A JSON number is read by its value, however it is written: its point is no separator."""
    assert "+33612345678" == phone_number(raw)
    assert "+33612345678" == caller_id(raw)


@pytest.mark.parametrize(
    "raw",
    [-33612345678, -33612345678.0, 33612345678.5, 1e15, 1e300, float("inf"), float("nan"), 0, 12.0],
)
def test_json_number_that_is_no_phone_number(raw: float) -> None:
    """Negative numbers, fractions and numbers of more than 15 digits are no phone numbers."""
    for read in (phone_number, caller_id):
        with pytest.raises(ValueError, match="must be an international number"):
            read(raw)


@pytest.mark.parametrize("raw", [None, True, [], {}])
def test_no_text_and_no_number(raw: object) -> None:
    """What is neither text nor number is left to the params model, which says what it is."""
    assert raw is phone_number(raw)
    assert raw is caller_id(raw)


@pytest.mark.parametrize("raw", ["", "0612345678", "+", "12", "+336x", "anonymous", "sip:a@b"])
def test_what_is_no_number_is_refused(raw: str) -> None:
    """The sentence shows a good number and never the bad one."""
    with pytest.raises(ValueError, match="must be") as caught:
        phone_number(raw)

    sentence = 'must be an international number such as "+33612345678": 7 to 15 digits'
    assert sentence == str(caught.value)


@pytest.mark.parametrize("raw", ["BLOCKED", "blocked", " Blocked "])
def test_blocked_is_a_caller_id(raw: str) -> None:
    """BLOCKED may be written in any case, and is no number to dial."""
    assert "BLOCKED" == caller_id(raw)
    with pytest.raises(ValueError, match="must be an international number"):
        phone_number(raw)
