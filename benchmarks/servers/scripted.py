"""An RT app with several dialogues: which one a call gets is told by its callid.

It remembers nothing itself: how far a call is stands in its variables. Every command that needs no
REST is in one of the dialogues, and so are a recording that is played again, a sound of which there
is no second one, rooms, a transfer, and a command that there is not.
Usage: `python -m benchmarks.servers.scripted <port>`.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from benchmarks.stub import Stub, serve
from benchmarks.wire import reply

__all__ = ["DIALOGUES", "ROOMS", "Scripted"]

ROOMS: Final = 20
"""Rooms that all calls share: a bridge keeps an empty one for an hour."""

Params = dict[str, Any]
#: The params of a command from the callid and the result of the command before.
Made = Callable[[int, Any], Params]


def _tts(text: str) -> str:
    return f"TTS|TTS_EN-GB_SERENA|{text}"


def _wav(callid: int) -> Params:
    """Make a sound of 50 ms of which there is no second one."""
    samples = struct.pack("<q", callid).ljust(800, b"\0")
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    chunks = b"WAVE" + head + struct.pack("<4sI", b"data", len(samples)) + samples
    content = struct.pack("<4sI", b"RIFF", len(chunks)) + chunks
    return {"audio_data": base64.b64encode(content).decode()}


def _read(callid: int, _: Any) -> Params:
    prompt = _tts(f"Caller {callid}, please enter four digits")
    return {"media_id": prompt, "max_digits": 4, "attempts": 3, "timeout_ms": 4000}


def _play(callid: int, result: Any) -> Params:
    return {"media_id": _tts(f"Caller {callid}, you entered {result}")}


def _dial(callid: int, _: Any) -> Params:
    targets = [{"number": f"+3361{callid % 10**7:08d}", "timeout": 20}]
    return {"targets": targets, "whisper": _tts(f"A call of {callid}"), "ringtone": "MUSIC"}


DIALOGUES: Final[tuple[tuple[tuple[str, Made], ...], ...]] = (
    (("read", _read), ("play", _play), ("read", _read)),
    (
        ("record", lambda *_: {"max_duration": 10, "silence": 3}),
        ("play_record", lambda _, result: {"media_file": result}),
    ),
    (
        ("play_wav_data", lambda callid, _: _wav(callid)),
        ("wait", lambda *_: {"wait": 2}),
        ("send_dtmf", lambda *_: {"digits": "12#"}),
    ),
    (("simple_conference", lambda callid, _: {"id": callid % ROOMS}), ("play", _play)),
    (("play", _play), ("dialout", _dial)),
    (("dance", lambda *_: {}), ("wait_for_silence", lambda *_: {"silence_ms": 1000})),
)
"""What the app tells its callers to hear and to do; after it, to hang up."""


class Scripted(Stub):
    """The app; a GET tells how many calls it was told the end of."""

    def __init__(self) -> None:
        super().__init__(reply(b"{}", "application/json"))
        self._ends: set[int] = set()

    @property
    def told(self) -> int:
        """Count the calls whose final request came."""
        return len(self._ends)

    def reply_to(self, body: bytes) -> bytes:
        """Give the next command of the call's dialogue."""
        request = json.loads(body)
        callid, at = request["callid"], request["variables"].get("at", 0)
        if request["call_status"] != "UP":
            self._ends.add(callid)
            return self.answer
        dialogue = DIALOGUES[callid % len(DIALOGUES)]
        name, params = "hangup", {}
        if at < len(dialogue):
            name, make = dialogue[at]
            params = make(callid, request["command_result"])
        command = {"command": name, "command_id": at, "params": params, "variables": {"at": at + 1}}
        return reply(json.dumps(command).encode(), "application/json")


if __name__ == "__main__":
    serve(int(sys.argv[1]), Scripted())
