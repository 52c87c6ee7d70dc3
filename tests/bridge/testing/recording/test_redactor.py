from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from bridge.testing.recording import (
    Header,
    RecordedTurn,
    Recording,
    Redactor,
    redact_recording,
)
from bridge.testing.recording.redactor import is_named_number, number_spans

Make = Callable[..., RecordedTurn]
KEY = b"a key of these tests"


def redacted(*turns: RecordedTurn, level: Any = "all", **options: Any) -> list[RecordedTurn]:
    """Mask turns with masks that are the same in every run."""
    return Redactor(level, key=KEY, **options).turns(turns)


def reply(command: str = "play", variables: Any = None, **params: Any) -> dict[str, Any]:
    """Write an RT.Response."""
    return {"command": command, "command_id": 1, "params": params, "variables": variables or {}}


def test_level_none_masks_nothing(recorded: Make) -> None:
    """Recordings of made-up calls may stay as they are."""
    turn = recorded(reply("dialout", targets=[{"number": "+442079460101"}]), command_result="1234")

    assert [turn] == redacted(turn, level="none")


def test_numbers_of_the_request_are_masked_alike_everywhere(recorded: Make) -> None:
    """The caller's number is the same mask in field, text, param, variable and on the phone."""
    (turn,) = redacted(
        recorded(
            reply(
                "dialout",
                {"back": "33612345678", "said": "call 06 12 34 56 78", "n": 33612345678},
                targets=[{"number": "+33612345678", "timeout": 15}],
                cli="+33187654321",
                whisper="TTS|V|From +33612345678.",
            ),
            caller=(
                {"kind": "dials", "leg": 1, "number": "+33612345678", "caller_id": "+33187654321"},
            ),
        ),
        level="numbers",
    )
    mask = turn.request["cli_number"]
    own = turn.request["number"]
    national = " ".join(re.findall("..", f"0{mask[3:]}"))

    assert "+33612345678" != mask
    assert {
        "command": "dialout",
        "command_id": 1,
        "params": {
            "targets": [{"number": mask, "timeout": 15}],
            "cli": own,
            "whisper": f"TTS|V|From {mask}.",
        },
        "variables": {
            "back": mask[1:],
            "said": f"call {national}",
            "n": int(mask[1:]),
        },
    } == turn.reply
    assert ({"kind": "dials", "leg": 1, "number": mask, "caller_id": own},) == turn.caller


def test_keys_are_masked_wherever_the_app_repeats_them(recorded: Make) -> None:
    """What the caller typed is another number in result, text, variables and keys, and fits."""
    asked, told = redacted(
        recorded(reply("read", media_id="TTS|V|Your age?", max_digits="3")),
        recorded(
            reply(
                "play", {"age": 42, "text": "42", "list": ["4, 2"]}, media_id="TTS|V|You are 42."
            ),
            turn=2,
            command="read",
            command_result="42",
            caller=(
                {"kind": "hears", "leg": 0, "text": "Your age?"},
                {"kind": "does", "leg": 0, "action": "press", "keys": "42#"},
            ),
        ),
    )
    mask = told.request["command_result"]

    assert re.fullmatch("[1-9][0-9]", mask)
    assert "42" != mask
    assert reply("read", media_id="TTS|V|Your age?", max_digits="3") == asked.reply
    assert (
        reply(
            "play",
            {"age": int(mask), "text": mask, "list": [f"{mask[0]}, {mask[1]}"]},
            media_id=f"TTS|V|You are {mask}.",
        )
        == told.reply
    )
    assert f"{mask}#" == told.caller[1]["keys"]


def test_numbers_level_keeps_keys(recorded: Make) -> None:
    """An app that decides on what callers type is recorded with its keys."""
    (turn,) = redacted(
        recorded(
            reply("conference", id="7", pin_code="4821"),
            command="read",
            command_result="4821",
            caller=({"kind": "does", "leg": 0, "action": "press", "keys": "4821#"},),
        ),
        level="numbers",
    )

    assert "4821" == turn.request["command_result"]
    assert "4821#" == turn.caller[0]["keys"]
    assert reply("conference", id="7", pin_code="4821") == turn.reply


def test_a_single_key_stays(recorded: Make) -> None:
    """The choice of a menu says nothing without the menu, and a test needs it."""
    turn = recorded(
        reply("play", media_id="TTS|V|You chose 1."),
        command="read",
        command_result="1",
        caller=({"kind": "does", "leg": 0, "action": "press", "keys": "1#"},),
    )

    (masked,) = redacted(turn)

    assert turn.caller == masked.caller
    assert turn.reply == masked.reply
    assert "1" == masked.request["command_result"]


def test_keys_pressed_one_by_one_are_one_input(recorded: Make) -> None:
    """Single keys that make a PIN are masked as the PIN is, each at its place."""
    press = [{"kind": "does", "leg": 0, "action": "press", "keys": key} for key in "4821#"]

    (turn,) = redacted(recorded(command="read", command_result="4821", caller=tuple(press)))

    pressed = "".join(entry["keys"] for entry in turn.caller)
    assert f"{turn.request['command_result']}#" == pressed
    assert "4821#" != pressed


def test_inputs_end_with_hash_and_prompts(recorded: Make) -> None:
    """Two attempts at one PIN are masked alike; another party's key is its own input."""
    events = (
        {"kind": "does", "leg": 0, "action": "press", "keys": "48"},
        {"kind": "hears", "leg": 0, "text": "Again."},
        {"kind": "does", "leg": 0, "action": "press", "keys": "48#"},
        {"kind": "does", "leg": 1, "action": "press", "keys": "5"},
        {"kind": "does", "leg": 0, "action": "press", "keys": "7"},
    )

    (turn,) = redacted(recorded(caller=events))

    first, again, other, last = (entry["keys"] for entry in turn.caller if "keys" in entry)
    assert f"{first}#" == again
    assert "48" != first
    assert "5" == other
    assert "7" != last


def test_pins_and_tones_are_masked(recorded: Make) -> None:
    """A PIN of any length, the keys that enter it, and tones sent on are secrets."""
    (room, tones) = redacted(
        recorded(
            reply("conference", id="42", pin_code="5", pin_max_tries="3"),
            caller=({"kind": "does", "leg": 0, "action": "press", "keys": "5#"},),
        ),
        recorded(
            reply("send_dtmf", digits="4111#", duration_ms=500),
            turn=2,
            caller=({"kind": "hears", "leg": 0, "element": "DTMF", "tones": "4111#"},),
        ),
    )
    assert room.reply is not None
    assert tones.reply is not None
    pin, digits = room.reply["params"]["pin_code"], tones.reply["params"]["digits"]

    assert "5" != pin
    assert f"{pin}#" == room.caller[0]["keys"]
    assert {"id": "42", "pin_code": pin, "pin_max_tries": "3"} == room.reply["params"]
    assert re.fullmatch("[1-9][0-9]{3}#", digits)
    assert "4111#" != digits
    assert digits == tones.caller[0]["tones"]


def test_settings_and_ids_stay(recorded: Make) -> None:
    """Digits that are a param by themselves are a setting or an id, whatever was typed."""
    params = {"media_id": "10", "max_digits": "10", "timeout_ms": 10, "attempts": 10.0, "x": None}
    audio = {"audio_data": "+33612345678 and 10"}

    masked = redacted(
        recorded(reply("read", **params), command="read", command_result="10"),
        recorded(reply("play_wav_data", **audio), turn=2),
    )

    assert [reply("read", **params), reply("play_wav_data", **audio)] == [t.reply for t in masked]


def test_caller_name_is_another_name_everywhere(recorded: Make) -> None:
    """The name is masked in its field, in texts and in variables."""
    (turn,) = redacted(
        recorded(
            reply(
                "play",
                {"cli_name": "Jean Dupont", "flag": True},
                media_id="TTS|V|Hello Jean Dupont",
            ),
            cli_name="Jean Dupont",
        ),
        level="numbers",
    )
    mask = turn.request["cli_name"]

    assert re.fullmatch("Caller [a-z]{4}", mask)
    assert (
        reply("play", {"cli_name": mask, "flag": True}, media_id=f"TTS|V|Hello {mask}")
        == turn.reply
    )


def test_secrets_by_name_are_hidden(recorded: Make) -> None:
    """Tokens and passwords an app keeps in its variables are hidden, logins in URLs left out."""
    variables = {
        "accessToken": "abc",
        "api": "https://me:pw@crm.example.com/x",
        "password": "",
        "userPin": 12,
        "mobile": 612345678,
        "digits": True,
    }

    (turn,) = redacted(recorded(reply("play", variables)))
    assert turn.reply is not None
    masked = turn.reply["variables"]

    assert ["[hidden]", "https://crm.example.com/x", ""] == [
        masked["accessToken"],
        masked["api"],
        masked["password"],
    ]
    assert masked["userPin"] in set(range(10, 100)) - {12}
    assert 612345678 != masked["mobile"]
    assert masked["digits"] is True


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-21 09:22:33",
        "21.11.2025",
        "9d1cfa0a-1c3a-4c0e-8d6a-123456789012",
        "0.12345678901",
        "order 123456",
        "3 x 99.90",
    ],
)
def test_dates_ids_and_amounts_stay(recorded: Make, text: str) -> None:
    """What only resembles a number is kept, so that a diff shows it."""
    turn = recorded(reply("play", {"v": text}))

    assert [turn.reply] == [masked.reply for masked in redacted(turn)]


def test_many_digits_are_masked_by_the_strongest_level_only(recorded: Make) -> None:
    """An account or card number is masked at `all` although nobody says what it is."""
    turn = recorded(reply("play", {"account": "1234567", "card": "4111 1111 1111 1111"}))

    assert [turn.reply] == [masked.reply for masked in redacted(turn, level="numbers")]
    written = str(redacted(turn)[0].reply)
    assert "1234567" not in written
    assert "4111 1111 1111 1111" not in written


def test_what_the_caller_said_is_hidden(recorded: Make) -> None:
    """Speech of the caller is no text of the app."""
    said = {"kind": "does", "leg": 0, "action": "say", "text": "I am Jean"}

    assert "[speech]" == redacted(recorded(caller=(said,)))[0].caller[0]["text"]
    assert "I am Jean" == redacted(recorded(caller=(said,)), level="numbers")[0].caller[0]["text"]


def test_urls_lose_logins_and_queries(recorded: Make) -> None:
    """The URL of a sound or a recording keeps host and path."""
    heard = {"kind": "hears", "leg": 0, "url": "https://me:pw@h.example.com/12.wav?sig=abc"}

    (turn,) = redacted(recorded(caller=(heard,)), level="numbers")

    assert "https://h.example.com/12.wav?sig=***" == turn.caller[0]["url"]


def test_bodies_and_failures_are_masked(recorded: Make) -> None:
    """A reply that is none, and the sentence about it, are masked as texts."""
    (turn,) = redacted(
        recorded(
            body="Warning: +33612345678", failure="No answer from http://a:b@h/ for 33612345678"
        )
    )
    mask = turn.request["cli_number"]

    assert f"Warning: {mask}" == turn.body
    assert f"No answer from http://h/ for {mask[1:]}" == turn.failure


def test_kept_numbers_are_not_masked(recorded: Make) -> None:
    """The app's own number can stay, for apps that decide on it."""
    (turn,) = redacted(recorded(reply("dialout", cli="0187654321")), keep=["+33187654321"])

    assert "+33187654321" == turn.request["number"]
    assert reply("dialout", cli="0187654321") == turn.reply
    assert "+33612345678" != turn.request["cli_number"]


def test_old_recordings_are_masked_more_never_less(recorded: Make) -> None:
    """`redact` strengthens a file: its header says the stronger of both levels."""
    turn = recorded(command="read", command_result="4821")
    plain = Recording(Header(redact="none"), (turn,))

    numbers = redact_recording(plain, Redactor("numbers", key=KEY))
    everything = redact_recording(numbers, Redactor("all", key=KEY))

    assert ("numbers", "4821") == (
        numbers.header.redact,
        numbers.turns[0].request["command_result"],
    )
    assert "all" == everything.header.redact
    assert "4821" != everything.turns[0].request["command_result"]
    assert everything == redact_recording(everything, Redactor("none"))
    assert "all" == redact_recording(everything, Redactor("numbers")).header.redact


def test_places_of_numbers_are_found_as_the_level_says() -> None:
    """`verify` compares these places by shape."""
    text = "from +33612345678 to 1234567"

    assert [] == number_spans(text, "none")
    assert ["+33612345678"] == [text[a:b] for a, b in number_spans(text, "numbers")]
    assert ["+33612345678", "1234567"] == [text[a:b] for a, b in number_spans(text, "all")]
    assert is_named_number("pin_code")
    assert is_named_number("cli")
    assert not is_named_number("media_id")


def test_turns_never_show_their_secrets(recorded: Make) -> None:
    """Whatever place of a turn a number or a PIN is put into, the recording does not show it."""
    number, pin = "+33698765432", "8273"
    texts = [
        number,
        number[1:],
        f"call {number}!",
        f"pin {pin}",
        pin,
        f"{pin[0]} {pin[1]} {pin[2]} {pin[3]}",
    ]
    for text in texts:
        turn = recorded(
            {
                "command": "play",
                "command_id": text,
                "params": {"media_id": f"TTS|V|{text}", "deep": [{"text": f"x {text}"}]},
                "variables": {"a": text, "b": [text], "c": {text: {"pin": pin}}},
                "extra": f"x {text}",
            },
            cli_number=number,
            cli_name=number,
            number=number,
            command="read",
            command_id=text,
            command_result=pin,
            command_error=f"INVALID_PARAMS: {text}",
            variables={"a": text},
            cdr_field=number[1:],
            caller=(
                {"kind": "hears", "leg": 0, "text": text},
                {"kind": "does", "leg": 0, "action": "press", "keys": f"{pin}#"},
                {"kind": "dials", "leg": 1, "number": number, "caller_id": number},
                {"kind": "room", "leg": 0, "room": f"room {text}", "member": "1"},
            ),
            body=text,
            failure=text,
        )

        written = json.dumps([t.model_dump() for t in redacted(turn)])

        assert number[1:] not in written
        assert pin not in written
        assert "8 2 7 3" not in written
