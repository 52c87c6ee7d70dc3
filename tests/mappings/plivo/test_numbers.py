"""Numbers cross between RT's spelling and Plivo's without changing who is meant."""

from __future__ import annotations

import pytest

from mappings._plivo.numbers import is_e164, normalize_e164, to_e164, to_plivo


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("33612345678", "+33612345678"),
        ("+33612345678", "+33612345678"),
        (" 33612345678 ", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("611", "+611"),
    ],
)
def test_digits_with_or_without_plus_become_e164(raw: str, expected: str) -> None:
    """Plivo writes the same number with and without "+", and RT sees one spelling."""
    assert expected == to_e164(raw)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "   ",
        "anonymous",
        "undefined",
        "Restricted",
        "+",
        "++33612345678",
        "0000000",
        "+00",
        "33612345678\n+1",
        "٣٣٦١٢٣٤٥٦٧٨",
        "sip:",
        "sip:nobody",
        "sip:anonymous@anonymous.invalid",
        "sip:someone@anonymous.invalid",
        "sip:Unavailable@carrier.example",
        "tel:+33612345678",
    ],
)
def test_anything_else_is_an_unknown_caller(raw: str | None) -> None:
    """What is neither digits nor a SIP address of somebody becomes the empty caller number."""
    assert to_e164(raw) == ""


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("sip:alice@phone.plivo.com", "sip:alice@phone.plivo.com"),
        ("SIPS:alice@phone.plivo.com", "sips:alice@phone.plivo.com"),
        ("sip:1001@pbx.example:5070", "sip:1001@pbx.example:5070"),
        ("<sip:alice@52.9.11.55;transport=udp>;tag=1", "sip:alice@52.9.11.55"),
        ("sip:alice:secret@pbx.example?x=1", "sip:alice@pbx.example"),
        ("sip:+33612345678@carrier.example;user=phone", "+33612345678"),
        ("sip:+33612345678;npdi@carrier.example", "+33612345678"),
    ],
)
def test_a_sip_uri_keeps_user_and_host_or_becomes_its_number(raw: str, expected: str) -> None:
    """A SIP leg is named by user and host, or by number when the user is one in full."""
    assert expected == to_e164(raw)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+33612345678", "33612345678"),
        ("33612345678", "33612345678"),
        ("sip:alice@phone.plivo.com", "sip:alice@phone.plivo.com"),
        ("", ""),
    ],
)
def test_plivo_gets_the_digits_without_plus(number: str, expected: str) -> None:
    """XML and REST take the digits alone, and SIP URIs as they are."""
    assert expected == to_plivo(number)


@pytest.mark.parametrize(
    "written",
    [
        "+33612345678",
        "33612345678",
        "0033612345678",
        "+33 6 12 34 56 78",
        "+33.6.12.34.56.78",
        "33-6-12-34-56-78",
        "+33\u00a0612\u2011345\u2011678",
        "  +33612345678\t",
    ],
)
def test_the_ways_people_write_a_number_are_forgiven(written: str) -> None:
    """Separators, a missing "+" and the 00 prefix do not change which number is dialled."""
    assert normalize_e164(written) == "+33612345678"
    assert is_e164(written) is True
    assert to_e164(written) == "+33612345678"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "0612345678",
        "+0612345678",
        "+0033612345678",
        "112",
        "+1234567890123456",
        "+33612345678;ext=2",
        "+33 (0)6 12 34 56 78",
        "BLOCKED",
        "sip:alice@phone.plivo.com",
        "+٣٣٦١٢٣٤٥٦٧٨",
        "33612345678<33612345679",
        "33612345678,33612345679",
    ],
)
def test_what_is_not_one_international_number_is_refused(written: str) -> None:
    """National, short, overlong, or several numbers are refused."""
    assert is_e164(written) is False


def test_the_refusal_does_not_repeat_the_number() -> None:
    """The error names the rule and leaves the digits out, since it may be logged."""
    with pytest.raises(ValueError, match="international number") as caught:
        normalize_e164("0612340000")
    assert "0612340000" not in str(caught.value)
