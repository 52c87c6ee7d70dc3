"""Random commands of an app, and what their results must be, given what Plivo reported.

The expectations are written from the RT page, command by command, and know nothing of how the
bridge works: they read the documents and the continuations of one call in order.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bridge.assets import asset

Params = dict[str, Any]
#: command_result and the code of command_error.
Result = tuple[str | int, str]

WAV = base64.b64encode(asset("silence")).decode()
NAME = re.compile(rb"/notice/recording/([a-z0-9]{20,})")


class Ended(Exception):  # noqa: N818 - named for what happened
    """The call was over before the command was."""


@dataclass(slots=True)
class Step:
    """One document and how it was continued: `kind` "" when it never was.

    `sure` is False when the continuation got no answer, or the call ended at the same time.
    """

    document: bytes
    kind: str = ""
    form: dict[str, str] = field(default_factory=dict)
    sure: bool = True
    #: A callback said that something was recorded.
    recorded: bool = False


class Steps:
    """The steps of one call, taken one after the other."""

    def __init__(self, steps: list[Step]) -> None:
        self._left: Iterator[Step] = iter(steps)
        self.sure = True
        #: media_file names and whether anything was recorded under them.
        self.recordings: dict[str, bool] = {}
        #: The whole call is being recorded in the background.
        self.call_recorded = False
        self.last: Step | None = None

    def next(self, *marks: str) -> Step:
        """Take the next document, which must show these marks, and how it was continued."""
        step = next(self._left, None)
        if step is None:
            raise Ended
        for mark in marks:
            assert mark.encode() in step.document, (mark, step.document)
        self.last = step
        if not step.kind:
            raise Ended
        self.sure = self.sure and step.sure
        return step

    def rest(self) -> list[Step]:
        """List the steps nobody took."""
        return list(self._left)


def _read(p: Params, steps: Steps) -> Result:
    for _ in range(p["attempts"]):
        step = steps.next(_said(p), "<GetDigits ", f'numDigits="{p["max_digits"]}"')
        if step.kind == "digits":
            return step.form["Digits"], ""
    return "TIMEOUT", ""


def _play(p: Params, steps: Steps) -> Result:
    if isinstance(p["media_id"], str):
        steps.next(_said(p), "<Speak ")
        return "0", ""
    return ("1" if p["media_id"] else "0"), ""


def _play_record(p: Params, steps: Steps) -> Result:
    name = p["media_file"]
    if name not in steps.recordings:
        return "1", ""
    if steps.recordings[name]:
        steps.next(f"/media/{name}.mp3</Play>")
    return "0", ""


def _play_wav_data(p: Params, steps: Steps) -> Result:
    steps.next("/media/", ".wav</Play>")
    return "0", ""


def _record(p: Params, steps: Steps) -> Result:
    step = steps.next("<Record ", 'finishOnKey="#"')
    name = recording_name(step.document)
    steps.recordings[name] = step.kind == "recording" or step.recorded
    return name, ""


def _wait(p: Params, steps: Steps) -> Result:
    steps.next(f'<Wait length="{p["wait"]}"/>')
    return "0", ""


def _wait_for_silence(p: Params, steps: Steps) -> Result:
    for _ in range(p["iterations"]):
        steps.next("<Wait ", 'silence="true"')
    return "SILENCE", ""


def _send_dtmf(p: Params, steps: Steps) -> Result:
    steps.next("<DTMF ", p["digits"])
    return 0, ""


def _dialout(p: Params, steps: Steps) -> Result:
    for target in p["targets"]:
        step = steps.next(f"<Number>{target['number'][1:]}</Number>")
        if step.form.get("DialStatus") == "completed":
            steps.next("<Hangup/>")
    return "NOANSWER", ""


def _conference(p: Params, steps: Steps) -> Result:
    step = steps.next(_said(p), "<Conference ")
    return ("LEFT_CONFERENCE", "") if step.kind == "conference" else ("", "ROOM_FULL")


def _play_talk_detect(p: Params, steps: Steps) -> Result:
    step = steps.next(_said(p), "<GetInput ")
    return ("TALK" if step.kind == "speech" else "0"), ""


def _start_call_recording(p: Params, steps: Steps) -> Result:
    recording: str = steps.next('recordSession="true"').form["RecordingID"]
    steps.call_recorded = True
    return recording, ""


def _stop_call_recording(_: Params, steps: Steps) -> Result:
    return "", "REST_UNAVAILABLE" if steps.call_recorded else "NOT_RECORDING"


def _hangup(p: Params, steps: Steps) -> Result:
    steps.next("<Hangup/>")
    raise AssertionError("something continued a Hangup")


def recording_name(document: bytes) -> str:
    """Find the name under which a document's Record is kept."""
    found = NAME.search(document)
    assert found is not None, document
    return found[1].decode()


def _said(p: Params) -> str:
    text: str = (p.get("media_id") or p["welcome"]).rpartition("|")[2]
    return f">{text}</Speak>"


def _tts(rng: Random, mark: str) -> str:
    return f"TTS|TTS_{rng.choice(['EN-GB_SERENA', 'FR-FR_AUDREY', 'X'])}|say {mark}"


#: How to expect the result of every command used here.
EXPECT: dict[str, Callable[[Params, Steps], Result]] = {
    "conference": _conference,
    "dialout": _dialout,
    "hangup": _hangup,
    "hangup_callid": lambda _, __: ("", "REST_UNAVAILABLE"),
    "play": _play,
    "play_record": _play_record,
    "play_talk_detect": _play_talk_detect,
    "play_wav_data": _play_wav_data,
    "read": _read,
    "record": _record,
    "send_dtmf": _send_dtmf,
    "start_call_recording": _start_call_recording,
    "stop_call_recording": _stop_call_recording,
    "teleport": lambda _, __: ("", "UNKNOWN_COMMAND"),
    "wait": _wait,
    "wait_for_silence": _wait_for_silence,
}
#: Commands that may end in a command_error.
RISKY = frozenset({"conference", "hangup_callid", "stop_call_recording", "teleport"})


def random_command(
    rng: Random, mark: str, names: list[str], *, careful: bool
) -> tuple[str, Params]:
    """Choose a command; `names` are media_file names the app was given, `careful` avoids errors."""
    known = ["read", *PARAMS] if not careful else ["read", *(n for n in PARAMS if n not in RISKY)]
    command = rng.choice(known)
    return command, PARAMS[command](rng, mark, names)


def _dialout_params(rng: Random, _: str, __: list[str]) -> Params:
    numbers = [f"+4420{rng.randrange(10**8):08}" for _ in range(rng.randint(1, 3))]
    return {"targets": [{"number": n, "timeout": 20} for n in numbers], "ringtone": "MUSIC"}


#: How to make up params: from a random source, a text unique to the command, and media_file names.
PARAMS: dict[str, Callable[[Random, str, list[str]], Params]] = {
    "conference": lambda rng, mark, _: {
        "id": mark,
        "welcome": _tts(rng, mark),
        "waiting": _tts(rng, "wait"),
    },
    "dialout": _dialout_params,
    "hangup_callid": lambda _, __, ___: {"callid": 2**40},
    "play": lambda rng, mark, _: {"media_id": rng.choice([*[_tts(rng, mark)] * 8, 0, 999_999])},
    "play_record": lambda rng, _, names: {"media_file": rng.choice(names or ["unknown"])},
    "play_talk_detect": lambda rng, mark, _: {"media_id": _tts(rng, mark)},
    "play_wav_data": lambda _, __, ___: {"audio_data": WAV},
    "read": lambda rng, mark, _: {
        "media_id": _tts(rng, mark),
        "max_digits": rng.randint(1, 9),
        "attempts": rng.randint(1, 3),
        "timeout_ms": rng.randint(100, 9000),
    },
    "record": lambda rng, _, __: {
        "max_duration": rng.randint(0, 300),
        "silence": rng.randint(0, 20),
    },
    "send_dtmf": lambda rng, _, __: {"digits": str(rng.randrange(10**6)), "timeout_ms": 0},
    "start_call_recording": lambda _, __, ___: {},
    "stop_call_recording": lambda _, __, ___: {},
    "teleport": lambda _, __, ___: {},
    "wait": lambda rng, _, __: {"wait": rng.randint(1, 30)},
    "wait_for_silence": lambda rng, _, __: {"iterations": rng.randint(1, 3), "silence_ms": 1000},
}
