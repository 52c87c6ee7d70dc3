"""What the app says: a few random commands for every call, and then it hangs up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from chaos.record import Json

#: Commands of a call at most; it ends earlier with this probability after each one.
LONGEST: Final = 9
ENDS: Final = 0.12
ROOMS: Final = 8
#: Numbers of parties that are dialled; what they do is up to their last digit.
PARTIES: Final = 40


class Talk:
    """Gives each question a command with an id of its own, by seed, number and count.

    Everything that takes time takes `pace` times as long.
    """

    def __init__(self, seed: int, pace: float) -> None:
        self._seed = seed
        self._pace = pace
        self._asked: Counter[int] = Counter()
        self._recorded: dict[int, list[str]] = {}

    def reply(self, request: Json) -> Json:
        """Choose the next command of a call."""
        callid = request["callid"]
        self._asked[callid] += 1
        count = self._asked[callid]
        names = self._recorded.setdefault(callid, [])
        if request["command"] == "record" and request["command_result"]:
            names.append(request["command_result"])
        random = Random(f"{self._seed}/{request['number']}/{request['cli_number']}/{count}")
        mark = f"{callid}-{count}"
        if not request["command"]:
            command = "read"
        elif count > LONGEST or random.random() < ENDS:
            command = "hangup"
        else:
            (command,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        return {
            "command": command,
            "command_id": mark,
            "params": PARAMS[command](random, mark, names) | self._slow(command, random),
            "variables": {"mark": mark},
        }

    def _slow(self, command: str, random: Random) -> Json:
        """Give the params of a command that say how long it takes."""
        match command:
            case "read":
                return {"timeout_ms": round(random.randint(2000, 6000) * self._pace)}
            case "record":
                return {"max_duration": round(random.randint(3, 8) * self._pace)}
            case "wait":
                return {"wait": round(random.randint(2, 8) * self._pace)}
            case _:
                return {}


def tts(text: str) -> str:
    """Give the media id of a text."""
    return f"TTS|TTS_EN-GB_SERENA|{text}"


def _dialout(random: Random, _: str, __: list[str]) -> Json:
    numbers = random.sample(range(PARTIES), random.randint(1, 2))
    return {
        "targets": [{"number": f"+442070000{number:03}", "timeout": 6} for number in numbers],
        "ringtone": random.choice(("MUSIC", "RING")),
    }


def _conference(random: Random, mark: str, _: list[str]) -> Json:
    return {
        "id": f"room {random.randrange(ROOMS)}",
        "welcome": tts(mark),
        "waiting": tts("wait"),
        "auto_leave_when_alone": random.choice((True, False)),
    }


def _read(random: Random, mark: str, _: list[str]) -> Json:
    return {
        "media_id": tts(mark),
        "max_digits": random.randint(1, 9),
        "attempts": random.randint(1, 2),
    }


#: How often each command comes, and its params: from a random source, a text that no other command
#: says, and the recordings of the call.
WEIGHTS: Final = {
    "read": 30,
    "play": 14,
    "record": 10,
    "wait": 10,
    "dialout": 8,
    "conference": 8,
    "play_record": 6,
    "send_dtmf": 5,
    "play_talk_detect": 3,
    "start_call_recording": 3,
    "teleport": 2,
}
PARAMS: Final[dict[str, Callable[[Random, str, list[str]], Json]]] = {
    "conference": _conference,
    "dialout": _dialout,
    "hangup": lambda _, __, ___: {},
    "play": lambda random, mark, _: {"media_id": random.choice([*[tts(mark)] * 8, 0, 999_999])},
    "play_record": lambda random, _, names: {"media_file": random.choice(names or ["unknown"])},
    "play_talk_detect": lambda _, mark, __: {"media_id": tts(mark)},
    "read": _read,
    "record": lambda _, __, ___: {"silence": 3},
    "send_dtmf": lambda random, _, __: {"digits": str(random.randrange(10**4)), "timeout_ms": 0},
    "start_call_recording": lambda _, __, ___: {},
    "teleport": lambda _, __, ___: {},
    "wait": lambda _, __, ___: {},
}

__all__ = ["PARTIES", "Talk", "tts"]
