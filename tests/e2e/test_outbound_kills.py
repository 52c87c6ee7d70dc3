"""The bridge is killed around every outside effect of an outbound call: nobody is called twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from support_kit import Script, app_of, play

from bridge.simulator.callees import Answers, Busy, Callee
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.testing.hosts import OwnProcess
from bridge.testing.rig import CALLED, HASH, RPC_LOGIN, RPC_PASSWORD, Rig, rig

pytestmark = pytest.mark.slow

NUMBER = "+33699999999"
Moment = Literal["before", "after"]


@asynccontextmanager
async def mortal(folder: Path, callee: Callee, **settings: Any) -> AsyncIterator[Rig]:
    """Open a rig whose bridge can be killed, around an app that says hello."""
    store = {"store": f"sqlite:///{folder}/bridge.db", **settings}
    app = app_of(Script(play("hello")))
    async with rig(app, seed=5, own_process=True, settings=store) as it:
        for n in range(10):
            it.plivo.callees[f"{NUMBER.removeprefix('+')}"[:-1] + str(n)] = callee
        yield it


async def place(it: Rig, number: str = NUMBER) -> str:
    """Ask for a call; gives its request hash."""
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "calls.realtime",
        "params": [HASH, {"number": number, "timeout": 30}, {"cli": CALLED, "cdr_field": "42"}],
    }
    headers = {"Authorization": aiohttp.encode_basic_auth(RPC_LOGIN, RPC_PASSWORD)}
    async with it.plivo.session.post(it.rpc_url, json=request, headers=headers) as response:
        token: str = (await response.json(content_type=None))["result"]
    return token


def dialled(it: Rig) -> list[str]:
    """List whom Plivo called."""
    return sorted(entry.data["number"] for entry in it.timeline.of("dials"))


def told(it: Rig) -> list[tuple[str, str, str]]:
    """List what the app was asked."""
    return [
        (one.request["call_status"], one.request["request_hash"], one.request["cdr_field"])
        for one in it.turns
    ]


async def passes(it: Rig, seconds: float) -> None:
    """Let virtual time pass."""
    await it.clock.drive(lambda: False, it.clock.now() + seconds)


def kill_at_the_request(it: Rig, moment: Moment) -> Callable[[], bool]:
    """Kill the bridge while Plivo is asked to call: before it does, or when it did."""
    host, api = it.host, it.plivo.api
    assert isinstance(host, OwnProcess)
    do, killed = api._do, asyncio.Event()

    def doing(route: Route, asked: Asked) -> Reply:
        if killed.is_set() or (route.method, route.name) != ("POST", "Call"):
            return do(route, asked)
        killed.set()
        assert host._process is not None
        if moment == "before":
            host._process.kill()
            raise Refused(500, "nobody hears this")
        reply = do(route, asked)
        host._process.kill()
        return reply

    api._do = doing  # type: ignore[method-assign]
    return killed.is_set


@pytest.mark.parametrize("callee", [Answers(after=3, talks=20), Busy()], ids=["answers", "busy"])
async def test_killed_before_every_webhook(tmp_path: Path, callee: Callee) -> None:
    """Ring, answer, every step and the hangup reach a bridge that knows nothing but its store."""
    async with mortal(tmp_path, callee) as it:
        requests: list[str] = []

        async def before(name: str) -> None:
            requests.append(name)
            await it.restart_bridge()

        it.plivo.before_request = before
        token = await place(it)
        await passes(it, 300)

        ups = [] if callee == Busy() else [("UP", token, "42")] * 2
        status = "BUSY" if callee == Busy() else "HANGUP"
        assert [*ups, (status, token, "42")] == told(it)
        assert 1 == len(dialled(it))
        assert {"hangup url"} <= set(requests)


@pytest.mark.parametrize("callee", [Answers(after=3, talks=20), Busy()], ids=["answers", "busy"])
async def test_killed_after_plivo_dialled(tmp_path: Path, callee: Callee) -> None:
    """The reply is lost with the process: the webhooks are recognised, nobody is dialled again."""
    async with mortal(tmp_path, callee) as it:
        killed = kill_at_the_request(it, "after")
        token = await place(it)
        assert await it.clock.drive(killed, it.clock.now() + 5)
        await it.restart_bridge()
        await passes(it, 600)

        assert 1 == len(dialled(it))
        finals = [one for one in told(it) if one[0] != "UP"]
        assert [("BUSY" if callee == Busy() else "HANGUP", token, "42")] == finals


async def test_killed_before_plivo_dialled(tmp_path: Path) -> None:
    """Whether Plivo dialled nobody can know: it is not asked again, and the app hears REJECTED."""
    async with mortal(tmp_path, Answers(after=3, talks=20)) as it:
        killed = kill_at_the_request(it, "before")
        token = await place(it)
        assert await it.clock.drive(killed, it.clock.now() + 5)
        await it.restart_bridge()
        await passes(it, 60)
        assert [] == told(it)
        await passes(it, 600)

        assert [] == dialled(it)
        assert [("REJECTED", token, "42")] == told(it)


async def test_killed_while_calls_wait(tmp_path: Path) -> None:
    """What waited in the queue is dialled after the restart; what was dialled is not again."""
    async with mortal(tmp_path, Busy()) as it:
        numbers = [f"{NUMBER[:-1]}{n}" for n in range(6)]
        tokens = [await place(it, number) for number in numbers]
        await passes(it, 1.2)
        before = len(dialled(it))
        await it.restart_bridge()
        await passes(it, 600)

        assert 0 < before < len(numbers)
        assert [number.removeprefix("+") for number in numbers] == dialled(it)
        assert sorted(("BUSY", token, "42") for token in tokens) == sorted(told(it))


async def test_stopped_and_killed_again_and_again(tmp_path: Path) -> None:
    """However often the bridge is killed while it dials, each number is called once at most."""
    async with mortal(tmp_path, Answers(after=2, talks=5)) as it:
        numbers = [f"{NUMBER[:-1]}{n}" for n in range(8)]
        tokens = [await place(it, number) for number in numbers]
        for _ in range(8):
            await passes(it, 0.7)
            await it.restart_bridge()
        await passes(it, 900)

        assert len(set(dialled(it))) == len(dialled(it))
        finals = [one for one in told(it) if one[0] != "UP"]
        assert sorted(tokens) == sorted(token for _, token, _ in finals)
        assert {"HANGUP", "REJECTED"} >= {status for status, _, _ in finals}
