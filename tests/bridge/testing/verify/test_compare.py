from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.testing.verify.compare import ABSENT, Pairs, compare_replies
from bridge.testing.verify.paths import JsonPath


def reply(command: str = "read", variables: Any = None, **params: Any) -> dict[str, Any]:
    """Write an RT.Response."""
    return {"command": command, "params": params, "variables": variables or {}}


def found(recorded: Any, actual: Any, pairs: Pairs | None = None, *ignored: str) -> dict[str, Any]:
    """Give recorded and actual value of every path that differs."""
    raw = [
        one if isinstance(one, bytes) else json.dumps(one).encode() for one in (recorded, actual)
    ]
    paths = [JsonPath.parse(text) for text in ignored]
    return {
        difference.path: (difference.recorded, difference.actual)
        for difference in compare_replies(raw[0], raw[1], pairs or Pairs(), paths)
    }


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        (reply(max_digits="3"), reply(max_digits=3)),
        (reply(), reply(max_digits=20, attempts="10", timeout_ms=30_000, media_id=0)),
        (reply(media_id=""), reply(media_id=None)),
        ({"command": "hangup"}, {"command": " hangup ", "params": [], "variables": []}),
        (reply("wait", wait=2), reply("wait", seconds="2")),
        (
            reply("simple_conference", id=42, auto_leave_when_alone="true"),
            reply("simple_conference", id="42", auto_leave_when_alone=1),
        ),
        (
            reply("dialout", targets=[{"number": "+33 6 12 34 56 78"}]),
            reply("dialout", targets=[{"number": "33612345678", "timeout": "30"}], cli="blocked"),
        ),
        (reply("read", unknown=1), reply("read", unknown=2)),
        (reply("unheard_of", a="1", b=[], c=None), reply("unheard_of", a=1, b={}, d="")),
        (reply("play", {"a": [], "b": "1", "c": 1.0}), reply("play", {"a": {}, "b": 1, "c": 1})),
        (reply("play", {"yes": True}), reply("play", {"yes": "1"})),
        (reply("play") | {"command_id": 1}, reply("play") | {"command_id": "other"}),
        (b'\xef\xbb\xbf {"command":"play"}\r\n', reply("play")),
        (b'{"variables":{"n":' + b"9" * 5000 + b"}}", b'{"variables":{"n":' + b"9" * 5000 + b"}}"),
    ],
)
def test_dialects_of_one_meaning_are_equal(recorded: Any, actual: Any) -> None:
    """Numbers as text, PHP's empty arrays, aliases and defaults left out make no difference."""
    assert {} == found(recorded, actual)


@pytest.mark.parametrize(
    ("recorded", "actual", "expected"),
    [
        (reply(max_digits=3), reply(max_digits=4), {"params.max_digits": (3, 4)}),
        (reply(), reply(attempts=3), {"params.attempts": (10, 3)}),
        (
            reply("play", media_id="TTS|V|a"),
            reply("play", media_id="7"),
            {"params.media_id": ("TTS|V|a", "7")},
        ),
        (reply("play"), reply("hangup"), {"command": ("play", "hangup")}),
        (
            reply("play", {"x": 1}),
            reply("hangup", {"x": 2}),
            {"command": ("play", "hangup"), "variables.x": (1, 2)},
        ),
        (
            reply("dialout", targets=[{"number": "+33612345678"}]),
            reply("dialout", targets=[{"number": "+33612345678"}, {"number": "+33612345679"}]),
            {"params.targets[1]": (ABSENT, {"number": "+33612345679", "timeout": 30})},
        ),
        (reply("read", max_digits=99), reply("read"), {"params.max_digits": (99, ABSENT)}),
        (
            reply("play", {"a": {"b": 1}, "c": None, "d": "01", "e": True}),
            reply("play", {"a": [1], "d": "1", "e": 2}),
            {
                "variables.a": ({"b": 1}, [1]),
                "variables.c": (None, ABSENT),
                "variables.d": ("01", "1"),
                "variables.e": (True, 2),
            },
        ),
        (reply("play", {"a": []}), reply("play", {"a": ""}), {"variables.a": ([], "")}),
        (reply("play", {"a": [1]}), reply("play"), {"variables.a": ([1], ABSENT)}),
        (reply("play", {"a": 1}), reply("play", {"a": None}), {"variables.a": (1, None)}),
        (b'{"variables":{"n":1}}', b'{"variables":{"n":1e999}}', {"variables.n": (1, "1e999")}),
    ],
)
def test_other_meanings_differ(recorded: Any, actual: Any, expected: dict[str, Any]) -> None:
    """What the bridge or the app would take differently is a difference, with both values."""
    assert expected == found(recorded, actual)


def test_ignored_paths_are_left_out() -> None:
    """A path to ignore hides what it names and nothing else."""
    recorded = reply("play", {"at": 1, "x": 1}, media_id=1)
    actual = reply("play", {"at": 2, "x": 2}, media_id=2)

    assert {"variables.x": (1, 2)} == found(recorded, actual, None, "variables.at", "params.*")


def test_callids_of_this_run_stand_for_the_recorded_ones() -> None:
    """An app that uses its callid for rooms or files is the same app under another callid."""
    pairs = Pairs(callids={"7": "1007"})
    recorded = reply("conference", {"id": 7, "file": "call-7.wav", "x": "a7"}, id="7")
    actual = reply("conference", {"id": 1007, "file": "call-1007.wav", "x": "a1007"}, id="1007")

    assert {"variables.x": ("a7", "a1007")} == found(recorded, actual, pairs)


def test_masked_numbers_are_compared_by_shape() -> None:
    """The app's own numbers cannot be known from a masked recording; their shape can."""
    recorded = reply("dialout", {"pin": "4821"}, targets=[{"number": "+442071112222"}])
    actual = reply("dialout", {"pin": "1234"}, targets=[{"number": "+442079460101"}])
    pairs = Pairs("all")

    assert {} == found(recorded, actual, pairs)
    assert 2 == pairs.by_shape
    assert ["params.targets[0].number", "variables.pin"] == list(found(recorded, actual))


@pytest.mark.parametrize(
    "actual",
    [
        "Call +442079460101 or +442079460102",
        "Call +442079460101 and 2079460101",
        "Dial +442079460101 or +442079460101",
        "Call +4420794601 or +4420794601",
        "Call me",
        7,
        None,
    ],
)
def test_masked_values_stay_the_same_value(actual: Any) -> None:
    """One mask is one value of the app, and the text around it is compared as it is."""
    recorded = reply("play", {"t": "Call +442071112222 or +442071112222"})

    assert {} == found(
        recorded, reply("play", {"t": "Call +442079460101 or +442079460101"}), Pairs("numbers")
    )
    assert ["variables.t"] == list(found(recorded, reply("play", {"t": actual}), Pairs("numbers")))


def test_numbers_sent_to_the_app_are_known() -> None:
    """What the request held is expected back, and no other number in its place."""
    pairs = Pairs("all")
    pairs.sent("+33611111111", "+33611111111")
    pairs.sent("+33122222222", "+33187654321")
    recorded = reply("play", {"from": "+33611111111", "to": "tel. +33122222222"})

    assert {} == found(
        recorded, reply("play", {"from": "+33611111111", "to": "tel. +33187654321"}), pairs
    )
    other = {"from": "+33699999999", "to": "tel. +33188888888"}
    assert ["variables.from", "variables.to"] == list(found(recorded, reply("play", other), pairs))


def test_hidden_secrets_match_anything() -> None:
    """A token is hidden in the recording, so that any token is as good."""
    recorded, actual = reply("play", {"token": "[hidden]"}), reply("play", {"token": "x"})

    assert {} == found(recorded, actual, Pairs("numbers"))
    assert ["variables.token"] == list(found(recorded, actual, Pairs("none")))
