"""What each command may answer the app, from the RT page and the fidelity notes of the mappings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_LEFT: Final = ("LEFT_CONFERENCE", "LAST_PARTICIPANT", "CONFERENCE_CLOSED")


def _words(*words: str) -> Callable[[str | int], bool]:
    return lambda result: result in words and isinstance(result, str)


def _matches(pattern: str) -> Callable[[str | int], bool]:
    compiled = re.compile(pattern)
    return lambda result: isinstance(result, str) and compiled.fullmatch(result) is not None


#: Tells whether a result is one the command can have.
DOCUMENTED: Final[dict[str, Callable[[str | int], bool]]] = {
    "conference": _words(*_LEFT, "PIN_ERROR", "PIN_TIMEOUT"),
    "dialout": _words("NOANSWER", ""),
    "hangup": _words(""),
    "hangup_callid": _words(""),
    "play": _words("0", "1"),
    "play_record": _words("0", "1"),
    "play_talk_detect": _words("0", "TALK"),
    "play_wav_data": _words("0", "1"),
    "read": _matches(r"[0-9*]{0,20}|TIMEOUT"),
    "record": _matches(r"m[a-z0-9]{20,40}"),
    "send_dtmf": lambda result: type(result) is int and result == 0,
    "simple_conference": _words(*_LEFT),
    "start_call_recording": _matches(r"(?s).{1,2048}"),
    "stop_call_recording": _matches(r"(?s).{1,2048}"),
    "wait": _words("0"),
    "wait_for_silence": _words("SILENCE", "TIMEOUT"),
}
