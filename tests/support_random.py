"""Random apps and random people for calls with faults; the seed decides about everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from aiohttp import web
from support_kit import HANGUP, Json, command, tts

from bridge.testing.explore.caller import OddCaller, Outcome

#: Stands in a reply for the last recording of the call.
RECORDED: Final = "{recorded}"
OUTCOMES: Final[tuple[Outcome, ...]] = ("answer", "busy", "reject", "no answer", "fail")
FAULTS: Final = (
    "duplicate@0.5",
    "delay=2@0.4",
    "delay=20@0.2",
    "drop@0.2",
    "reorder=4@0.4",
    "hang_up@0.05",
    "slow_media=5@0.5",
    "rest_500@0.3",
    "rest_lost@0.3",
    "rest_429@0.4",
)
_SOUNDS: Final = (tts("Hello."), tts("A story that takes a while to tell. " * 4), 0, "", 99)


def commands(random: Random, *, together: bool) -> list[Json]:
    """Choose what an app does in one call; `together` = all callers meet in a room first."""
    room = command("conference", id="lobby", auto_leave_when_alone=random.choice("01"))
    return [room] * together + [_command(random) for _ in range(random.randint(1, 7))]


def faults(random: Random) -> list[str]:
    """Choose what goes wrong."""
    return random.sample(FAULTS, random.randint(1, 3))


def _command(random: Random) -> Json:
    sound = random.choice(_SOUNDS)
    room: Json = {"id": random.choice(("1", "lobby")), "auto_leave_when_alone": random.choice("01")}
    pin: Json = {"pin_code": "12", "pin_prompt": tts("PIN?"), "pin_max_tries": 2, "pin_wait": 3}
    people = [
        {"number": f"+3319900000{number}", "timeout": random.randint(5, 30)}
        for number in range(random.randint(1, 3))
    ]
    choices: tuple[tuple[str, Json], ...] = (
        ("conference", {**room, "welcome": sound, **(pin if random.random() < 0.3 else {})}),
        (
            "dialout",
            {
                "targets": people,
                "ringtone": random.choice(("RING", "MUSIC")),
                "whisper": random.choice((0, tts("A call for you."))),
            },
        ),
        ("hangup_callid", {"callid": random.choice((1, 2, 77))}),
        ("play", {"media_id": sound}),
        ("play_record", {"media_file": random.choice((RECORDED, "unheard-of"))}),
        ("play_talk_detect", {"media_id": tts("Are you there? " * 5)}),
        ("play_wav_data", {"audio_data": "UklGRg=="}),
        (
            "read",
            {
                "media_id": sound,
                "max_digits": random.randint(1, 6),
                "attempts": random.randint(1, 3),
                "timeout_ms": random.choice((1000, 4500)),
            },
        ),
        ("record", {"max_duration": random.choice((0, 5, 60)), "silence": random.choice((0, 3))}),
        ("send_dtmf", {"digits": "1*#"}),
        ("simple_conference", room),
        ("start_call_recording", {"announce": sound}),
        ("stop_call_recording", {}),
        ("wait", {"wait": random.randint(1, 30)}),
        ("wait_for_silence", {"silence_ms": 1500, "iterations": 2, "timeout": 15}),
    )
    name, params = random.choice(choices)
    return command(name, **params)


class RandomApp:
    """Gives every call commands of its own, then hangs up."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._left: dict[int, Iterator[Json]] = {}
        self._recorded: dict[int, str] = {}

    async def _answer(self, http: web.Request) -> web.Response:
        request = await http.json()
        if request["call_status"] != "UP":
            return web.Response()
        callid = request["callid"]
        if request["command"] == "record":
            self._recorded[callid] = str(request["command_result"])
        if callid not in self._left:
            random = Random(f"{self._seed}/{callid}")
            self._left[callid] = iter(commands(random, together=self._seed % 4 == 0))
        text = json.dumps(next(self._left[callid], HANGUP))
        return web.Response(text=text.replace(RECORDED, self._recorded.get(callid, "")))

    def served(self) -> web.Application:
        """Give it as an application."""
        app = web.Application()
        app.router.add_post("/", self._answer)
        return app


async def behave(people: OddCaller, random: Random) -> None:
    """Let one or two people do a few odd things."""
    phones = ("first", "first", "second") if random.random() < 0.4 else ("first",)
    await people.dial("first")
    for _ in range(random.randint(2, 10)):
        phone = random.choice(phones)
        keys = "".join(random.choices("0123456789*#", k=random.choice((1, 1, 2, 5))))
        actions: tuple[Any, ...] = (
            lambda phone=phone, keys=keys: people.press(phone, keys),
            lambda phone=phone, keys=keys: people.press(phone, keys, at_once=True),
            lambda phone=phone: people.be_silent(random.choice((0.4, 3, 20, 90)), phone),
            lambda phone=phone: people.talk(phone, "hello"),
            lambda phone=phone: people.make_noise(phone, random.choice((0.5, 8.0))),
            lambda phone=phone: people.speak(phone, 3.0, random.choice(("#", ""))),
            lambda phone=phone: people.take(phone, random.choice(OUTCOMES)),
            lambda phone=phone: people.take(phone, "answer"),
            lambda phone=phone: people.party_hangs_up(phone),
            lambda phone=phone, keys=keys: people.party_presses(phone, keys[0]),
        )
        if people.is_over(phone):
            continue
        if random.random() < 0.04:
            await people.hang_up(phone)
        else:
            await random.choice(actions)()
