"""The bridge is killed before every single request of a call, and nobody notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support_kit import Json, Script, app_of, command, play, tts

from bridge.demo import conversation
from bridge.testing.call import Call
from bridge.testing.rig import Rig, rig
from examples.ivr import make_app

pytestmark = pytest.mark.slow

Talk = Callable[[Call], Awaitable[None]]


@asynccontextmanager
async def mortal(folder: Path, app: object, *, kill: bool) -> AsyncIterator[tuple[Rig, list[str]]]:
    """Open a rig whose bridge is killed and started again before each request."""
    store = f"sqlite:///{folder}/{'killed' if kill else 'whole'}.db"
    async with rig(app, seed=3, own_process=True, settings={"store": store}) as it:  # type: ignore[arg-type]
        requests: list[str] = []

        async def before(name: str) -> None:
            requests.append(name)
            if kill:
                await it.restart_bridge()

        it.plivo.before_request = before
        yield it, requests


async def told(
    folder: Path, app: object, talk: Talk, *, kill: bool
) -> tuple[list[Json], list[str]]:
    """Live through a call; give what the app was told, and the requests of Plivo."""
    async with mortal(folder, app, kill=kill) as (it, requests):
        call = await it.phone().dial()
        await talk(call)

        assert await it.finish()
        assert [] == it.timeline.texts("problem")
        assert "" == it.summary()
        return [turn.request for turn in it.turns], requests


async def test_the_whole_example(tmp_path: Path) -> None:
    """Menu, recording, two parties and the conference: the app is told the same, and once."""
    whole, plain = await told(tmp_path, make_app(), conversation, kill=False)
    killed, requests = await told(tmp_path, make_app(), conversation, kill=True)

    def essence(requests: list[Json]) -> list[tuple[str, ...]]:
        fields = ("command", "command_id", "command_error", "call_status")
        return [tuple(str(request[field]) for field in fields) for request in requests]

    assert essence(whole) == essence(killed)
    assert Counter(plain) == Counter(requests)
    assert len(requests) > 20


async def test_commands_with_callbacks_and_rest(tmp_path: Path) -> None:
    """Recordings of the call, silence and tones survive as well, through REST."""
    script = [
        command("start_call_recording", announce=tts("You are recorded.")),
        command("wait_for_silence", silence_ms=1000, iterations=2, timeout=20),
        command("send_dtmf", digits="12#"),
        command("stop_call_recording"),
        play("Goodbye."),
    ]

    async def talk(call: Call) -> None:
        await call.expect_prompt("You are recorded.")
        await call.expect_result("SILENCE")
        await call.expect_tones("1w2w#")
        await call.expect_prompt("Goodbye.")
        await call.expect_ended(by="app")

    killed, requests = await told(tmp_path, app_of(Script(*script)), talk, kill=True)

    names = [one["command"] for one in script]
    assert ["", *names, "hangup"] == [request["command"] for request in killed]
    assert ["UP"] * 6 + ["HANGUP"] == [request["call_status"] for request in killed]
    assert len(requests) >= 7
