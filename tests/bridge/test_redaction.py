from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from bridge import redaction
from bridge.redaction import (
    mask_digits,
    mask_number,
    mask_url,
    redact_event,
    redact_excerpt,
    redact_text,
)


def redacted(**fields: Any) -> dict[str, Any]:
    """Pass one log line through the processor."""
    return dict(redact_event(None, "info", fields))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+33612345678", "+336*****78"),
        ("33612345678", "336*****78"),
        ("+1 (415) 555-2671", "+141*****71"),
        ("12345678", "123*****78"),
        ("1234567", "*****"),
        ("112", "*****"),
        ("", ""),
        ("anonymous", "anonymous"),
        ("BLOCKED", "BLOCKED"),
        ("user7", "*****"),
        ("sip:alice@phone.example.com", "sip:*****"),
        ("alice@phone.example.com", "*****"),
        ("12:34", "*****"),
    ],
)
def test_mask_number_keeps_prefix_and_end(number: str, expected: str) -> None:
    """A number keeps three digits and the last two; short ones and addresses are hidden whole."""
    assert expected == mask_number(number)


def test_mask_number_hides_the_length() -> None:
    """Numbers of different lengths get the same number of stars."""
    assert mask_number("+33612345678").count("*") == mask_number("+3361234567890").count("*")


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("1234", "<4 digits>"), ("7", "<1 digit>"), ("", "<0 digits>"), ("98537#", "<6 digits>")],
)
def test_mask_digits_tells_only_how_many(digits: str, expected: str) -> None:
    """Keys pressed become their count."""
    assert expected == mask_digits(digits)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/p", "https://h/p"),
        ("https://me:pw@h:8443/p?a=1&b=&c#frag", "https://h:8443/p?a=***&b=***&c=***#***"),
        ("https://h/calls/+33612345678", "https://h/calls/+336*****78"),
        ("redis://:pw@db/0", "redis://db/0"),
        ("http://[broken", "[hidden]"),
    ],
)
def test_mask_url_keeps_host_path_and_names(url: str, expected: str) -> None:
    """A URL loses userinfo, fragment and query values, and numbers in its path."""
    assert expected == mask_url(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call from +33612345678.", "call from +336*****78."),
        ("+33 6 12 34 56 78, +33612345679", "+33 *****78, +336*****79"),
        ("Invalid 'From': 33612345678", "Invalid 'From': 336*****78"),
        ("From=33612345678&To=%2B14155552671", "From=336*****78&To=%2B141*****71"),
        ("sip:33612345678@h", "sip:336*****78@h"),
        ("GET https://me:pw@h/x failed", "GET https://h/x failed"),
        ("9d1cfa0a-1c3a-4c0e-8d6a-123456789012", "9d1cfa0a-1c3a-4c0e-8d6a-123456789012"),
        ("at 2025-11-21T09:22:33.123456+01:00", "at 2025-11-21T09:22:33.123456+01:00"),
        ("0.12345678901 s", "0.12345678901 s"),
        ("1+1 = 2, a@b", "1+1 = 2, a@b"),
        ("nonce 05429567804466091622", "nonce 05429567804466091622"),
    ],
)
def test_redact_text_finds_numbers_and_spares_ids(text: str, expected: str) -> None:
    """Numbers with or without plus are masked in any text; ids, times and decimals are not."""
    assert expected == redact_text(text)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("cli_number", "+33612345678", "+336*****78"),
        ("from", 33612345678, "336*****78"),
        ("From", "33612345678", "336*****78"),
        ("to", ["+33612345678", "+33612345679"], ["+336*****78", "+336*****79"]),
        ("targets", [{"number": "+33612345678"}], [{"number": "+336*****78"}]),
        ("number", None, None),
        ("number", True, True),
        ("number", 1.5, "[hidden]"),
        ("digits", "1234", "<4 digits>"),
        ("Digits", 7, "<1 digit>"),
        ("digits", "", ""),
        ("sent_dtmf", ["1"], "[hidden]"),
        ("pin", None, None),
        ("has_pin", True, True),
        ("command_result", "1234", "<4 digits>"),
        ("command_result", "TIMEOUT", "TIMEOUT"),
        ("password", "hunter2", "[hidden]"),
        ("plivo_auth_token", "hunter2", "[hidden]"),
        ("Authorization", "Basic aHVudGVyMg==", "[hidden]"),
        ("authToken", "hunter2", "[hidden]"),
        ("api_key", "hunter2", "[hidden]"),
        ("variables", {"card": "4111"}, "[hidden]"),
        ("cli_name", "Ada", "[hidden]"),
        ("author", "Ada", "Ada"),
        ("message", "to +33612345678", "to +336*****78"),
        ("error", ValueError("to +33612345678"), "to +336*****78"),
        ("body", b"From=33612345678", "From=336*****78"),
        ("form", {"From": "33612345678", "x": "+33612345678"}, {"From": "336*****78", "x": "+336*****78"}),
        ("odd", {1: "hunter2"}, {"1": "[hidden]"}),
        ("notes", ("a", "+33612345678", 3), ["a", "+336*****78", 3]),
        ("secret_value", SecretStr("hunter2"), "[hidden]"),
        ("value", SecretStr("hunter2"), "**********"),
        ("amount", Decimal("1.5"), "1.5"),
        ("callid", 33612345678, 33612345678),
        ("ms", 3.5, 3.5),
    ],
)  # fmt: skip
def test_redact_event_masks_by_name_and_content(key: str, value: Any, expected: Any) -> None:
    """The processor masks fields known as sensitive, and numbers inside every other field."""
    assert {key: expected} == redacted(**{key: value})


def test_redact_event_stops_at_a_depth() -> None:
    """A structure that contains itself does not hang the log."""
    loop: list[Any] = ["+33612345678"]
    loop.append(loop)

    text = str(redacted(data=loop))

    assert "+336*****78" in text
    assert "612345" not in text


def test_rules_remembered_are_bounded() -> None:
    """Names that come from outside do not fill the memory."""
    redacted(data={f"name_{n}": n for n in range(3000)})

    assert len(redaction._rules) <= redaction._KEYS_REMEMBERED


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<b>Warning</b>: in /app.php on line 123", "<b>Warning</b>: in /app.php on line 123"),
        ("Undefined PIN 4711 of +33612345678", "Undefined PIN *** of +336*****78"),
        ('{"cli_name":"Rosalind","command_result":"42"}', '{"cli_name":***,"command_result":***}'),
        ("{'cli_name': 'Rosalind', 'n': 7}", "{'cli_name': ***, 'n': ***}"),
        ('{"name": "cut o', '{"name": ***'),
        ('{"name": "cut \\', '{"name": ***'),
        (
            '{"a": "with \\" and : in it", "b": [1, {"c": true}]}',
            '{"a": ***, "b": [1, {"c": ***}]}',
        ),
        (r"body={\"cli_name\":\"Rosalind\"}", r"body={\"cli_name\":***}"),
        ("", ""),
    ],
)
def test_redact_excerpt(written: str, shown: str) -> None:
    """What an app printed of its request is masked: the values of JSON, and digits anywhere."""
    assert shown == redact_excerpt(written)
    assert shown == redacted(excerpt=written)["excerpt"]


def test_excerpt_that_is_no_text() -> None:
    """An excerpt that is something else is hidden."""
    assert "[hidden]" == redacted(excerpt=["4711"])["excerpt"]
