"""Calls go on through kills at any moment: nothing is lost, nothing is asked twice without need."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from math import inf
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from crash.caller import Caller
from crash.commands import random_command
from crash.evidence import check_call, check_callids
from crash.plivo import Leg, Plivo, session
from crash.processes import BridgeProcess
from crash.rt_app import Ask, Reply, RtApp

from bridge.store import open_store

#: Decides everything but the moments at which the machine gets round to it.
SEED = int(os.environ.get("RT_BRIDGE_CRASH_SEED", "20240607"))
CALLS = int(os.environ.get("RT_BRIDGE_CRASH_CALLS", "200"))
KILLS = max(25, CALLS // 8)
AT_ONCE = 20
#: Questions after which the app hangs up.
LONGEST_TALK = 9


class Script:
    """The app's replies: random commands by seed, caller and number of the question."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asked: Counter[str] = Counter()
        self._names: dict[str, list[str]] = {}

    def decide(self, ask: Ask) -> Reply:
        """Choose the next command; every reply has an id of its own."""
        number = ask.request["cli_number"]
        self._asked[number] += 1
        count = self._asked[number]
        rng = Random(f"{self._seed}/{number}/{count}")
        names = self._names.setdefault(number, [])
        if ask.request["command"] == "record" and ask.request["command_result"] not in names:
            names.append(ask.request["command_result"])
        mark = f"{number[1:]}-{count}"
        command, params = random_command(
            rng, mark, names, careful=bool(ask.request["command_error"])
        )
        if count > LONGEST_TALK or (count > 3 and rng.random() < 0.15):
            command, params = "hangup", {}
        return {
            "command": command,
            "command_id": rng.choice([int(number[-5:]) * 100 + count, mark]),
            "params": params,
            "variables": {"mark": mark, "text": 'é\u2028"<&>'},
        }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [SEED])
async def test_kills(tmp_path: Path, seed: int) -> None:
    """Two hundred calls survive kills at random moments: each result and hangup arrives, in order."""
    rng = Random(seed)
    callers: list[Caller] = []
    over = asyncio.Event()

    async def think(_: Ask) -> None:
        await asyncio.sleep(rng.random() * 0.03)

    async with (
        RtApp(Script(seed).decide) as app,
        BridgeProcess(tmp_path, app.url) as bridge,
        session() as http,
    ):
        app.think = think
        plivo = Plivo(bridge, http, rng)

        async def place_calls() -> None:
            while len(callers) < CALLS or len(bridge.kills) < KILLS:
                index = len(callers)
                own = Random(f"{seed}/call/{index}")
                uuid = UUID(int=own.getrandbits(128), version=4)
                callers.append(caller := Caller(plivo, Leg(str(uuid), f"3361{index:07}"), own))
                await caller.run()

        async def kill() -> None:
            while not over.is_set():
                plivo.progress.clear()
                await asyncio.sleep(rng.uniform(0.1, 0.4))
                # On a machine so slow that nothing was answered yet, calls would never end.
                await asyncio.wait_for(plivo.progress.wait(), 30)
                await bridge.restart()

        async with asyncio.timeout(300), asyncio.TaskGroup() as group:
            killing = group.create_task(kill())
            await asyncio.gather(*(place_calls() for _ in range(AT_ONCE)))
            over.set()
            plivo.progress.set()
            await killing
        heard = [caller for caller in callers if caller.steps or app.of(_number(caller))]
        await app.until(lambda: all(app.finals(_number(caller)) for caller in heard))
        await _ask_old_steps_again(plivo, callers, rng)
        bridge.ask_to_stop()
        assert 0 == await bridge.stopped()

    for caller in heard:
        check_call(caller, app.of(_number(caller)), bridge.kills)
    check_callids(callers)
    assert ([], []) == await _left_over(bridge)
    assert [] == bridge.lines("webhook.fault") + bridge.lines("task.failed")
    repeats = sum(len(asks) - len({ask.body for ask in asks}) for asks in app.asks.values())
    # Otherwise the kills missed every turn and every webhook, and nothing was shown.
    assert repeats > 0
    assert plivo.broken_off > KILLS


async def _left_over(bridge: BridgeProcess) -> tuple[list[int], list[str]]:
    """List what the store still has to do: live calls, and final requests."""
    store = open_store(f"sqlite:///{bridge.store}")
    await store.open()
    waiting = [row.key for row in await store.due(inf, 10_000) if row.kind == "final"]
    left = await store.live_calls(), waiting
    await store.close()
    return left


async def _ask_old_steps_again(plivo: Plivo, callers: list[Caller], rng: Random) -> None:
    answered = [
        (caller.leg, delivery)
        for caller in callers
        for delivery in caller.leg.deliveries
        if delivery.answer
    ]
    for leg, delivery in rng.sample(answered, min(200, len(answered))):
        again = await plivo.send(urlsplit(delivery.url).path, delivery.form)
        assert delivery.answer == again, (leg, delivery.url)


def _number(caller: Caller) -> str:
    return f"+{caller.leg.number}"
