"""Whatever a form of Plivo's holds, it becomes one of our events and never an exception."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mappings._kernel.events import (
    ConferenceLeft,
    DialEnded,
    DigitsReceived,
    DocumentEnded,
    Event,
    RecordingReceived,
    SpeechReceived,
)
from mappings._plivo.callbacks import (
    LONGEST_DIGITS,
    LONGEST_TEXT,
    continuation,
    milliseconds,
    recording,
)
from mappings._plivo.verbs import NextKind

KINDS: tuple[NextKind, ...] = get_args(NextKind)
URL = "https://media.plivo.com/v1/Account/MA/Recording/8a3b.mp3"
LONG = "x" * 10 * LONGEST_TEXT


@pytest.mark.parametrize(
    ("kind", "form", "expected"),
    [
        ("next", {}, DocumentEnded(70)),
        ("next", {"Digits": "42", "Speech": "hello"}, DocumentEnded(70)),
        ("digits", {"Digits": "42"}, DigitsReceived("42", 70)),
        ("digits", {"Digits": "*0"}, DigitsReceived("*0", 70)),
        ("digits", {"Digits": ""}, DigitsReceived("", 70)),
        ("digits", {}, DigitsReceived("", 70)),
        ("speech", {"Speech": "bonjour à tous"}, SpeechReceived("bonjour à tous", 70)),
        ("speech", {"Speech": ""}, DocumentEnded(70)),
        ("speech", {}, DocumentEnded(70)),
        ("dial", {"DialStatus": "completed"}, DialEnded("completed", "", 70)),
        (
            "dial",
            {"DialStatus": " No-Answer ", "DialHangupCause": "NO_ANSWER"},
            DialEnded("no-answer", "NO_ANSWER", 70),
        ),
        ("dial", {}, DialEnded("", "", 70)),
        ("conference", {"ConferenceUUID": "c-1"}, ConferenceLeft("", "c-1", 70)),
        ("conference", {"ConferenceUUID": ""}, DocumentEnded(70)),
        ("conference", {}, DocumentEnded(70)),
        (
            "recording",
            {"RecordUrl": URL, "RecordingID": "8a3b", "RecordingDurationMs": "2500"},
            RecordingReceived(URL, "8a3b", 2500, "", 70),
        ),
        ("recording", {"RecordUrl": "", "RecordingID": ""}, DocumentEnded(70)),
        ("recording", {}, DocumentEnded(70)),
    ],
)
def test_continuation(kind: NextKind, form: dict[str, str], expected: Event) -> None:
    """Each kind reads what it is about; a result that is missing is the end of the document."""
    assert expected == continuation(kind, form, 70)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["", " ", "\0", "\ud800", "-1", "NaN", "[]", "😀", LONG])
def test_hostile_values(kind: NextKind, value: str) -> None:
    """No value of any field raises, and none is kept longer than a phone could make it."""
    names = [
        "ConferenceUUID",
        "DialHangupCause",
        "DialStatus",
        "Digits",
        "RecordUrl",
        "RecordingDuration",
        "RecordingDurationMs",
        "RecordingID",
        "Speech",
    ]
    found: Any = continuation(kind, dict.fromkeys(names, value), 1)

    texts = [text for name in found.__slots__ if isinstance(text := getattr(found, name), str)]
    assert isinstance(found, Event)
    assert all(len(text) <= LONGEST_TEXT for text in texts)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1234567890*#", "1234567890*#"),
        ("4 2", "42"),
        ("42;drop table", "42"),
        ("abc", ""),
        ("٤٢", ""),
        ("4\n2\0", "42"),
        ("1" * 10_000, "1" * LONGEST_DIGITS),
    ],
)
def test_only_keys_of_a_phone_are_digits(given: str, expected: str) -> None:
    """Whatever is no key is dropped, and so is what no caller can type."""
    assert DigitsReceived(expected) == continuation("digits", {"Digits": given}, 0)
    found = recording({"RecordingID": "a", "Digits": given})
    assert found is not None
    assert expected == found.digits


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("12", 12),
        ("12.0", 12),
        ("12.9", 12),
        (" 12 ", 12),
        ("0", 0),
        ("-0", 0),
        ("1e3", 1000),
        ("999999999999", 999_999_999_999),
        ("1e12", -1),
        ("1" * 400, -1),
        ("-1", -1),
        ("-0.5", -1),
        ("NaN", -1),
        ("inf", -1),
        ("-inf", -1),
        ("Infinity", -1),
        ("twelve", -1),
        ("12,5", -1),
        ("0x10", -1),
        ("", -1),
        (None, -1),
    ],
)
def test_number_of_plivo(given: str | None, expected: int) -> None:
    """Whole and decimal spellings are read; what no duration can be is no number."""
    assert expected == milliseconds(given)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"RecordingDurationMs": "2500", "RecordingDuration": "9"}, 2500),
        ({"RecordingDurationMs": "0", "RecordingDuration": "9"}, 0),
        ({"RecordingDurationMs": "-1", "RecordingDuration": "9"}, 9000),
        ({"RecordingDurationMs": "NaN", "RecordingDuration": "12.0"}, 12_000),
        ({"RecordingDuration": "3"}, 3000),
        ({"RecordingDuration": "-1"}, -1),
        ({"RecordingDuration": "inf"}, -1),
        ({"RecordingDuration": "1e300"}, -1),
        ({}, -1),
    ],
)
def test_duration_of_a_recording(form: dict[str, str], expected: int) -> None:
    """Milliseconds count, else whole seconds; -1 is unknown (Plivo sends it while it records)."""
    found = recording({"RecordUrl": URL, **form})

    assert found == RecordingReceived(URL, "", expected)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"RecordUrl": f" {URL} "}, (URL, "")),
        ({"RecordingID": " 8a3b "}, ("", "8a3b")),
        ({"RecordUrl": LONG, "RecordingID": LONG}, ("x" * LONGEST_TEXT, "x" * LONGEST_TEXT)),
    ],
)
def test_recording_is_known_by_url_or_id(form: dict[str, str], expected: tuple[str, str]) -> None:
    """Either name is enough, margins are dropped and lengths are bounded."""
    found = recording(form)

    assert found is not None
    assert expected == (found.url, found.recording_id)


@pytest.mark.parametrize("form", [{}, {"RecordUrl": " ", "RecordingID": "\t"}, {"Digits": "#"}])
def test_recording_without_a_name_is_none(form: dict[str, str]) -> None:
    """A form that names no recording reports none."""
    assert None is recording(form)
