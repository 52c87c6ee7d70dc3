"""Random calls through random apps while requests are lost, late, repeated or out of order.

Whatever happens, the bridge keeps what it promises: one document a step, one final request a call,
documented results, and no fault of its own.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from random import Random
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from support_random import RandomApp, behave, faults

from bridge.simulator.leg import Answer, Leg
from bridge.testing.explore.caller import OddCaller
from bridge.testing.rig import Rig, rig

CALLS: Final = 300
BATCH: Final = 10
#: Longest virtual s until a call is over whose hangup request was lost: the bridge asks Plivo then.
PATIENCE_S: Final = 100_000.0
_KEYS: Final = re.compile("[0-9*]*")
_NAME: Final = re.compile("[A-Za-z0-9_-]{6,}")
_ROOM: Final = ("LEFT_CONFERENCE", "LAST_PARTICIPANT", "CONFERENCE_CLOSED")
RESULTS: Final[dict[str, tuple[str | re.Pattern[str], ...]]] = {
    "conference": (*_ROOM, "PIN_ERROR", "PIN_TIMEOUT"),
    "dialout": ("NOANSWER",),
    "hangup_callid": ("",),
    "play": ("0", "1"),
    "play_record": ("0", "1"),
    "play_talk_detect": ("0", "TALK"),
    "play_wav_data": ("0", "1"),
    "read": (_KEYS, "TIMEOUT"),
    "record": ("", _NAME),
    "send_dtmf": ("0",),
    "simple_conference": _ROOM,
    "start_call_recording": (_NAME,),
    "stop_call_recording": (_NAME,),
    "wait": ("0",),
    "wait_for_silence": ("SILENCE", "TIMEOUT"),
}
#: What a command may fail with although app and bridge do everything right.
ERRORS: Final = {
    "conference": {"MEDIA_NOT_FOUND"},
    "hangup_callid": {"CALL_NOT_FOUND", "REST_REFUSED", "REST_UNKNOWN", "REST_UNAVAILABLE"},
    "read": {"MEDIA_NOT_FOUND"},
    "start_call_recording": {"MEDIA_NOT_FOUND", "REST_REFUSED", "REST_UNKNOWN", "REST_UNAVAILABLE"},
    "stop_call_recording": {"NOT_RECORDING", "REST_REFUSED", "REST_UNKNOWN", "REST_UNAVAILABLE"},
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], set[bytes]]:
    """Collect every document that came, by call and by URL."""
    seen: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    request = Leg.request

    async def noted(leg: Leg, url: str, *args: Any, **options: Any) -> Answer:
        answer = await request(leg, url, *args, **options)
        if answer.status == 200 and answer.body:
            seen[leg.uuid, url.partition("#")[0]].add(answer.body)
        return answer

    monkeypatch.setattr(Leg, "request", noted)
    return seen


async def play(seed: int, profile: str) -> Rig:
    """Play the calls of one seed to their end."""
    random = Random(seed)
    async with rig(
        RandomApp(seed).served(),
        seed=seed,
        profile=profile,
        faults=faults(random),
        # A damaged sound and an unknown one are legal, and among what random apps play.
        allow=("INVALID_PARAMETER",),
    ) as it:
        people = OddCaller(it, lambda: False)
        await behave(people, random)
        await people.all_hang_up()
        assert await it.finish(PATIENCE_S), "a call never ended, or the app was not told"
    return it


def check_results(it: Rig) -> None:
    """Make sure that results are documented ones, and that errors are not the bridge's."""
    for turn in it.turns:
        request = turn.request
        name, result = request["command"], request["command_result"]
        error = request["command_error"].partition(":")[0]
        if name == "" or request["call_status"] != "UP":
            continue
        if error:
            assert error in ERRORS.get(name, set()), f"{name} failed: {request['command_error']}"
            continue
        assert any(
            known == str(result) if isinstance(known, str) else known.fullmatch(str(result))
            for known in RESULTS[name]
        ), f"{name} gave {result!r}"


def check_finals(it: Rig) -> None:
    """Make sure that the app is told once that a call is over, and not asked afterwards."""
    finals: dict[int, list[bytes]] = defaultdict(list)
    for turn in it.turns:
        if turn.request["call_status"] != "UP":
            assert "HANGUP" == turn.request["call_status"]
            finals[turn.call].append(turn.raw_request)
        else:
            assert turn.call not in finals, "the app was asked after the end"
    assert {turn.call for turn in it.turns} == set(finals)
    for bodies in finals.values():
        assert 1 == len(bodies)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["normal", "hostile"])
@pytest.mark.parametrize("batch", range(CALLS // BATCH // 2))
async def test_random_calls(
    batch: int,
    profile: str,
    answers: dict[tuple[str, str], set[bytes]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every call keeps every promise; a failure names its seed."""
    for seed in range(batch * BATCH + 1, (batch + 1) * BATCH + 1):
        answers.clear()
        with capture_logs() as logs:
            it = await play(seed, profile)
        where = (
            f"seed {seed}, profile {profile}, faults {' '.join(map(str, it.plivo.faults.rules))}"
        )
        try:
            assert [] == it.timeline.texts("problem")
            assert "" == it.summary()
            check_results(it)
            check_finals(it)
            assert [] == [url for url, bodies in answers.items() if len(bodies) > 1]
            assert [] == [log for log in logs if log["log_level"] in {"error", "critical"}]
            assert [] == [log for log in logs if log.get("exc_info")]
            assert [] == [one for one in caplog.records if one.levelno >= logging.ERROR]
        except AssertionError as error:
            error.add_note(f"{where}\n{it.timeline}"[:20_000])
            raise
