"""The test kit: simulated calls a second, virtual against real time, cost of a step as a call grows.

Bridge, simulated Plivo and app share one process and one core, as in a test.
The baseline of the calls is plain HTTP: the same number of requests from an aiohttp client to an
aiohttp server in one process, in the same round.
"""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from typing import Any, Final

import aiohttp
from aiohttp import web

from benchmarks.figures import Spread, ratios
from benchmarks.report import Report, judge
from bridge.simulator.timeline import Entry
from bridge.testing.app_under_test import running
from bridge.testing.rig import Rig, rig

__all__ = ["exchanges", "measure_simulation", "steps", "waiting"]

#: A scenario waits so long in all; aim: less than a second of real time.
_WAIT_S: Final = 600.0
_LONGEST_WAIT_S: Final = 30
#: Turns of a long call; the first ones warm up.
_TURNS: Final = 1_000
_WARM: Final = 100


async def measure_simulation(*, rounds: int, quick: bool) -> Report:
    """Measure all three, `rounds` times alternated."""
    calls = 5 if quick else 50
    turns = 100 if quick else _TURNS
    report = Report(f"Simulated calls, bridge and simulator in one process, {rounds} rounds")
    rates, costs, bare, real, slopes = [], [], [], [], []
    for seed in range(rounds):
        requests, seconds = await _calls(calls, seed)
        plain = await exchanges(requests)
        rates.append(calls / seconds)
        costs.append(seconds / requests)
        bare.append(plain / requests)
        real.append(await waiting(seed))
        slopes.append(await steps(turns, seed))
    report.add("calls of 4 turns a second", Spread.of(rates).text(0), Spread.of(rates).median)
    over = ratios(costs, bare)
    report.add("CPU per HTTP request / plain aiohttp request", over.text(1), over.median)
    waited = Spread.of(real)
    report.rows.append(
        judge("10 minutes of waiting, real s", waited.text(3), waited.median, most=1.0, aim="< 1 s")
    )
    slope = Spread.of(slopes)
    report.rows.append(
        judge(
            f"cost of a step at turn {turns:,} / at turn {min(_WARM, turns // 4)}",
            slope.text(2),
            slope.median,
            most=1.1,
            aim="<= 1.10 (flat)",
        )
    )
    report.samples = {
        "calls_per_s": rates,
        "cost": costs,
        "bare": bare,
        "wait_s": real,
        "slope": slopes,
    }
    return report


async def _calls(count: int, seed: int) -> tuple[int, float]:
    """Place calls one after the other; give the HTTP requests they took, and the CPU seconds."""
    app = _app([_read("Keys?"), _play("Thanks."), _play("Bye.")])
    async with rig(app, seed=seed) as it:
        await _one(it)
        before, begun = _requests(it), time.process_time()
        for _ in range(count):
            await _one(it)
        return _requests(it) - before, time.process_time() - begun


async def _one(it: Rig) -> None:
    call = await it.phone().dial()
    await call.press("1#")
    await call.expect_ended(by="app")
    await it.finish()


def _requests(it: Rig) -> int:
    # The tap between bridge and app adds one for each turn.
    return len(it.timeline.of("asks", "tells")) + 2 * len(it.turns)


async def waiting(seed: int) -> float:
    """Let an app wait ten minutes; give the real s of the call."""
    wait = {"command": "wait", "command_id": 1, "params": {"wait": _LONGEST_WAIT_S}}
    async with rig(_app([wait] * int(_WAIT_S / _LONGEST_WAIT_S)), seed=seed) as it:
        begun = time.perf_counter()
        call = await it.phone().dial()
        await call.expect_ended(by="app", within=2 * _WAIT_S)
        passed = it.clock.now() - it.plivo.began
        if passed < _WAIT_S:
            raise RuntimeError(f"the call lasted {passed:g} s of virtual time, not {_WAIT_S:g} s")
        return time.perf_counter() - begun


async def steps(turns: int, seed: int) -> float:
    """Give the cost of the last turns of a long call as a ratio to that of the first ones."""
    stamps: list[float] = []

    def note(entry: Entry) -> None:
        if entry.kind == "app":
            stamps.append(time.process_time())

    async with rig(_app([_play("Again.")] * turns), seed=seed) as it:
        it.timeline.listeners.append(note)
        call = await it.phone().dial()
        await call.expect_ended(by="app", within=turns * 10)
    part = min(_WARM, turns // 4)
    costs = [later - earlier for earlier, later in pairwise(stamps)]
    return statistics.median(costs[-part:]) / statistics.median(costs[part : 2 * part])


async def exchanges(count: int) -> float:
    """Make plain HTTP requests; give the CPU seconds."""

    async def serve(http: web.Request) -> web.Response:
        await http.read()
        return web.Response(body=b"ok")

    app = web.Application()
    app.router.add_post("/", serve)
    async with running(app) as url, aiohttp.ClientSession() as session:
        begun = time.process_time()
        for _ in range(count):
            async with session.post(url, data=b"CallUUID=1&Event=StartApp") as response:
                await response.read()
        return time.process_time() - begun


def _app(replies: list[dict[str, Any]]) -> web.Application:
    left: dict[int, int] = {}

    async def serve(http: web.Request) -> web.Response:
        request = await http.json()
        if request["call_status"] != "UP":
            return web.Response()
        number = left.get(request["callid"], 0)
        left[request["callid"]] = number + 1
        hangup = {"command": "hangup", "command_id": 0}
        return web.json_response(replies[number] if number < len(replies) else hangup)

    app = web.Application()
    app.router.add_post("/", serve)
    return app


def _play(text: str) -> dict[str, Any]:
    return {
        "command": "play",
        "command_id": 1,
        "params": {"media_id": f"TTS|TTS_EN-GB_SERENA|{text}"},
    }


def _read(text: str) -> dict[str, Any]:
    media = f"TTS|TTS_EN-GB_SERENA|{text}"
    params = {"media_id": media, "max_digits": 4, "attempts": 1, "timeout_ms": 5000}
    return {"command": "read", "command_id": 1, "params": params}
