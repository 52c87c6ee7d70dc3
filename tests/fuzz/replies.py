"""Random RT.Response bodies: mostly commands that make sense, with hostile values in between."""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random
from typing import Any, Final

from fuzz import hostile

from bridge.assets import asset
from mappings.registry import COMMANDS

#: Ids the media library of these tests knows.
LIBRARY: Final = {"1": "https://media.example.com/1.mp3", "42": "https://media.example.com/a?b=1&c"}
VOICES: Final = ("TTS_EN-GB_SERENA", "TTS_FR-FR_AUDREY", "NUANCE_FR_AUDREY", "TTS_XX-YY_Z", "own")
WAV: Final = base64.b64encode(asset("silence")).decode()

Make = Callable[[Random], Any]


def _media(rng: Random) -> Any:
    spoken = rng.choice(("Hello.", "Déjà vu & <b>co</b>", "Well… " * 700, hostile.text(rng)))
    spelled = f"TTS|{rng.choice(VOICES)}|{spoken}"
    return rng.choice((spelled,) * 12 + (1, "42", 42, "0042", 1, "1", 43, 0, "0", "", None, False))


def _number(low: int, high: int) -> Make:
    """Make numbers in and around a range, in the spellings PHP and others give them."""

    def make(rng: Random) -> Any:
        chosen = rng.choice((low, high, rng.randint(low, high), rng.randint(low, high)))
        if rng.random() < 0.02:
            chosen = rng.choice((low - 1, high + 1))
        return rng.choice((chosen, chosen, chosen, str(chosen), f" {chosen} ", float(chosen)))

    return make


def _wav(rng: Random) -> Any:
    if rng.random() < 0.8:
        return WAV
    content = bytearray(base64.b64decode(WAV)[: rng.randint(0, 60)])
    if content:
        content[rng.randrange(len(content))] = rng.randrange(256)
    return rng.choice(("data:audio/wav;base64,", "", "\n")) + base64.b64encode(content).decode()


def _targets(rng: Random) -> Any:
    def target() -> Any:
        number = rng.choice(
            ("+33123456789", "0033123456789", "33 1 23 45 67 89", "+1-202-555-0123")
        )
        whole = {"number": number, "timeout": _number(5, 300)(rng)}
        if rng.random() < 0.1:
            whole[rng.choice(("number", "timeout", "x"))] = hostile.value(rng)
        return whole if rng.random() < 0.97 else hostile.value(rng)

    count = rng.choice((0, 1, 1, 2, 3, 100, 101) if rng.random() < 0.1 else (1, 1, 2, 3))
    return [target() for _ in range(count)]


def _one_of(good: tuple[Any, ...], *others: Any) -> Make:
    """Make one of the good values, rarely one of the others."""
    return lambda rng: rng.choice(others if others and rng.random() < 0.1 else good)


_flag = _one_of((True, False, "true", "false", 1, 0, "1", "0", "", None), "yes", 2, "2", " TRUE ")
_room = _one_of(("room", 7, "7", "Salle d'été", "a" * 200), "a" * 201, "", " ", 1.5, True)

#: What makes sense for each param, of every command or of the one named before it.
MAKERS: Final[dict[str, Make]] = {
    "analysistime_ms": _number(1, 60_000),
    "announce": _media,
    "attempts": _number(1, 10),
    "audio_data": _wav,
    "auto_leave_announce": _media,
    "auto_leave_when_alone": _flag,
    "callid": _one_of((1, 1, "1", 2, 2**63, 2**64 - 1), 2**64, -1, "x", 0),
    "cdr_field": _one_of(("", "abc123", "a" * 32, 7), "a" * 33, "a b"),
    "cli": _one_of(("BLOCKED", "blocked", "+33123456789", "33123456789", ""), "x", "0"),
    "digit": _one_of(("1", "#", "1234567890*#", 5)),
    "digits": _one_of(("1", "#", "1234567890*#", 5, "1" * 100), "1" * 101, "12a", ""),
    "duration_ms": _number(1, 5000),
    "feeds": _one_of(("all", "both", "leg_a", "leg_b", ""), "ALL"),
    "id": _room,
    "iterations": _number(1, 10),
    "locale": _one_of(("en-US", "fr", "")),
    "max_digits": _number(1, 20),
    "max_duration": _number(0, 300),
    "max_ms": _number(1, 60_000),
    "media_file": _one_of(("known", "silent", "unknown", "", "0", 0, " known "), "a/../b", "<x>"),
    "media_id": _media,
    "min_ms": _number(1, 60_000),
    "ner": _flag,
    "pii": _flag,
    "pin_code": _one_of(("", "1234", 1234, "0000000000"), "12345678901", "12a4", "#"),
    "pin_error": _media,
    "pin_max_tries": _number(0, 5),
    "pin_prompt": _media,
    "pin_valid": _media,
    "pin_wait": _number(0, 60),
    "ringtone": _one_of(("MUSIC", "RING", ""), "music"),
    "seconds": _number(1, 30),
    "sentiment": _flag,
    "silence": _number(0, 20),
    "silence_ms": _number(1, 5000),
    "targets": _targets,
    "timeout": _number(0, 300),
    "read.timeout_ms": _number(100, 30_000),
    "send_dtmf.timeout_ms": _number(0, 10_000),
    "wait_for_silence.timeout_ms": _number(0, 300),
    "transcription": _flag,
    "user_join": _media,
    "user_leave": _media,
    "wait": _number(1, 30),
    "waiting": _media,
    "welcome": _media,
    "whisper": _media,
}


def _names() -> dict[str, tuple[str, ...]]:
    found = {}
    for command in COMMANDS:
        names: list[str] = []
        for name, info in command.params.model_fields.items():
            names += getattr(info.validation_alias, "choices", None) or [name]
        found[command.name] = tuple(dict.fromkeys(names))
    return found


#: Every param of every command, aliases included.
PARAMS: Final = _names()


def random_reply(rng: Random) -> bytes:
    """Make up the body of a reply; about one in a hundred is not an RT.Response at all."""
    command = rng.choice(COMMANDS).name
    reply: dict[str, Any] = {
        "command": command,
        "command_id": rng.randrange(10**6),
        "params": _params(rng, command),
        "variables": rng.choice(({}, [], None, {"a": hostile.value(rng), "b": hostile.text(rng)})),
    }
    whim = rng.random()
    if whim < 0.02:
        reply[rng.choice(list(reply))] = hostile.value(rng)
    elif whim < 0.04:
        del reply[rng.choice(list(reply))]
    elif whim < 0.05:
        reply["extra"] = hostile.value(rng)
    body = hostile.to_text(reply, rng)
    if whim > 0.995:
        body = body.replace(
            '"params":{', f'"params":{{"deep":{hostile.deep(rng.randint(40, 400))},'
        )
    encoded = body.encode("utf-8", "surrogatepass")
    if rng.random() < 0.005:
        at = rng.randrange(len(encoded))
        encoded = encoded[:at] + bytes([rng.randrange(256)]) + encoded[at + 1 :]
    return encoded


def _params(rng: Random, command: str) -> Any:
    params: dict[str, Any] = {}
    # A command of many params would never get through if every one of them could be wrong.
    sabotaged = rng.choice(PARAMS[command]) if PARAMS[command] and rng.random() < 0.25 else ""
    for name in PARAMS[command]:
        if name == sabotaged:
            params[name] = hostile.value(rng)
        elif rng.random() < 0.8 or name in {"targets", "digits", "id"}:
            make = MAKERS.get(name) or MAKERS[f"{command}.{name}"]
            params[name] = make(rng)
    if rng.random() < 0.1:
        params[hostile.text(rng, 10)] = hostile.value(rng)
    nothing: tuple[Any, ...] = ({}, [], None)
    return params or rng.choice(nothing)
