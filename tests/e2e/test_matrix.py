"""Every command with every documented result, called through the kit under both profiles."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiohttp import web
from support_kit import HANGUP, Json, command, tts

from bridge.testing.call import Call
from bridge.testing.rig import Rig, rig
from mappings._fidelity import MATRIX
from mappings.registry import COMMANDS

ANN: Final = "+33611111111"
BOB: Final = "+33622222222"
PEER: Final = "+33199000001"
#: Stands in a reply for the result of the command before.
RESULT: Final = "{result}"
Act = Callable[[Rig, Call], Awaitable[None]]


def wav(rate: int) -> str:
    """Give half a second of silence as base64 of a WAV file."""
    sound = bytes(rate)
    parts = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    data = parts + struct.pack("<4sI", b"data", len(sound)) + sound
    return base64.b64encode(struct.pack("<4sI4s", b"RIFF", 4 + len(data), b"WAVE") + data).decode()


async def nothing(_rig: Rig, _call: Call) -> None:
    """Let the call take its course."""


def presses(*inputs: str) -> Act:
    """Press keys, each as soon as keys are accepted after the one before was taken."""

    async def act(_rig: Rig, call: Call) -> None:
        for keys in inputs:
            await call.expect_listening()
            await call.press(keys)

    return act


async def leaves_room(_rig: Rig, call: Call) -> None:
    """Press star in the room."""
    await call.expect_room()
    await call.press("*")


async def is_left_alone(rig: Rig, call: Call) -> None:
    """Meet somebody in the room, who leaves it."""
    await call.expect_room(members=1)
    bob = await rig.phone(BOB).dial()
    await bob.expect_room(members=2)
    await bob.wait(10)
    await bob.hang_up()
    await call.expect_result("LAST_PARTICIPANT")


async def stays_in_room(_rig: Rig, call: Call) -> None:
    """Stay as long as the room lasts, which is longer than calls last."""
    call.line.longest_s = 200_000
    await call.expect_room()
    await call.wait(90_000)


async def talks(_rig: Rig, call: Call) -> None:
    """Talk over the sound."""
    await call.say("hello there")


async def makes_noise(_rig: Rig, call: Call) -> None:
    """Be loud for half a minute."""
    await call.make_noise(30)


async def speaks(_rig: Rig, call: Call) -> None:
    """Leave a message."""
    await call.expect_recording()
    await call.speak(4)


async def ends_the_other(rig: Rig, call: Call) -> None:
    """Be the first call, which waits until a second one ends it."""
    await call.expect_listening()
    bob = await rig.phone(BOB).dial()
    await bob.expect_command("hangup_callid")
    await call.expect_ended(by="api")


@dataclass(frozen=True)
class Case:
    """A way to a result.

    `replies` are those of the app to the first call, `second` to a second one; `result` is what
    the app is told in the end of the command, "*" for some text that is not empty.
    """

    command: str
    result: str
    replies: tuple[Json, ...]
    act: Act = nothing
    row: str = ""
    second: tuple[Json, ...] = ()
    settings: Json = field(default_factory=dict)
    allow: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name it as the matrix does."""
        return f"{self.command}-{self.row or self.result}"


def case(result: str, *replies: Json, act: Act = nothing, **options: Any) -> Case:
    """Make a case about the last command of the replies."""
    return Case(replies[-1]["command"], result, replies, act, **options)


PIN: Final[Json] = {
    "pin_code": "1234",
    "pin_prompt": tts("PIN?"),
    "pin_max_tries": 2,
    "pin_wait": 5,
}
TALK: Final = command("play_talk_detect", media_id=tts("A long story. " * 20))
READ: Final = command("read", media_id=tts("Code?"), max_digits=4, attempts=2, timeout_ms=5000)
RECORD: Final = command("record", max_duration=30, silence=5)
ROOM: Final = command("simple_conference", id=7, auto_leave_when_alone=False)
SILENCE: Final = command("wait_for_silence", silence_ms=2000, iterations=2, timeout=20)
START: Final = command("start_call_recording")
DIALOUT: Final = command(
    "dialout", targets=[{"number": PEER, "timeout": 10}], cli="BLOCKED", ringtone="MUSIC"
)

CASES: Final = (
    case(
        "CONFERENCE_CLOSED",
        command("conference", id="a"),
        act=stays_in_room,
        settings={"stale_call_after_s": 172_800.0},
    ),
    case(
        "LAST_PARTICIPANT",
        command("conference", id="a", auto_leave_when_alone=True),
        act=is_left_alone,
        second=(command("conference", id="a"),),
    ),
    case("LEFT_CONFERENCE", command("conference", id="a", **PIN), act=presses("1234#", "*")),
    case("PIN_ERROR", command("conference", id="a", **PIN), act=presses("1#", "2#")),
    case("PIN_TIMEOUT", command("conference", id="a", **PIN)),
    case("NOANSWER", DIALOUT),
    case("0", command("play", media_id=tts("Hello"))),
    case("1", command("play", media_id=99)),
    case("0", RECORD, command("play_record", media_file=RESULT), act=speaks),
    case("1", command("play_record", media_file="unheard-of")),
    case("0", TALK),
    case("TALK", TALK, act=talks),
    case("0", command("play_wav_data", audio_data=wav(8000))),
    case(
        "1",
        command("play_wav_data", audio_data=wav(16_000)),
        allow=("INVALID_PARAMETER",),
    ),
    case("42", READ, act=presses("42#"), row="(KEYS)"),
    case("TIMEOUT", READ),
    case("*", RECORD, act=speaks, row="media_file"),
    case("0", command("send_dtmf", digits="12#")),
    case("*", START, row="recording_hash"),
    case("*", START, command("wait", wait=3), command("stop_call_recording"), row="recording_hash"),
    case("0", command("wait", wait=3)),
    case("SILENCE", SILENCE),
    case("TIMEOUT", SILENCE, act=makes_noise),
    # These have no documented result: what they bring about is looked at.
    case("LEFT_CONFERENCE", ROOM, act=leaves_room, row="nothing"),
    case("", command("hangup"), row="nothing"),
    Case(
        "hangup_callid",
        "",
        (READ,),
        ends_the_other,
        row="nothing",
        second=(command("hangup_callid", callid=1),),
    ),
)


def serve(replies: dict[int, list[Json]]) -> web.Application:
    """Serve an app with replies for each callid, and hangup after them."""

    async def answer(http: web.Request) -> web.Response:
        request = await http.json()
        if request["call_status"] != "UP":
            return web.Response()
        left = replies.get(request["callid"], [])
        text = json.dumps(left.pop(0) if left else HANGUP)
        return web.Response(text=text.replace(RESULT, str(request["command_result"])))

    app = web.Application()
    app.router.add_post("/", answer)
    return app


def told(it: Rig, name: str) -> list[Any]:
    """List what the app was told of a command: its error, or its result."""
    callid = 2 if name == "hangup_callid" else 1
    requests = [turn.request for turn in it.turns if turn.request["callid"] == callid]
    return [
        request["command_error"] or request["command_result"]
        for request in requests
        if request["command"] == name
    ]


@pytest.mark.parametrize("profile", ["normal", "hostile"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_result(case: Case, profile: str) -> None:
    """The command ends with its documented result, the call ends, and nothing is out of order."""
    app = serve({1: list(case.replies), 2: list(case.second)})
    async with rig(app, seed=3, profile=profile, settings=case.settings, allow=case.allow) as it:
        call = await it.phone(ANN).dial()
        await case.act(it, call)
        if case.command not in {"hangup", "hangup_callid"}:
            await call.expect_ended(by="app", within=600)
        assert await it.finish()
        assert [] == it.timeline.texts("problem")
        assert "" == it.summary()
        results = told(it, case.command)
    finals = [
        turn.request["call_status"] for turn in it.turns if turn.request["call_status"] != "UP"
    ]
    assert ["HANGUP"] * len(it.plivo.lines) == finals
    if case.result == "*":
        assert [str] == [type(result) for result in results]
        assert results[0]
    else:
        assert case.result == str(results[0])


def test_every_documented_result_has_a_case() -> None:
    """The matrix of the documentation and the cases of this file name the same results."""
    documented = {(f.command, row.name) for f in MATRIX for row in f.rows if row.kind == "result"}
    assert documented == {
        (one.command, one.row or one.result) for one in CASES if one.row != "nothing"
    }
    assert {command.name for command in COMMANDS} == {one.command for one in CASES}
