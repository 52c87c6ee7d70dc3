"""Calls go on while workers of one machine are killed and replaced."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest
from crash.caller import Caller
from crash.evidence import check_call, check_callids
from crash.plivo import Form, Leg, Plivo, session
from crash.processes import BridgeProcess
from crash.rt_app import Ask, RtApp
from crash.test_kills import SEED, Script
from pydantic_core import from_json
from support_ports import free_port
from support_valkey import needs_valkey, shared_server, url_for

#: All of a document that says no more than "come back".
COME_BACK = re.compile(rb'<Wait length="1"/><Redirect>([^<]*)</Redirect></Response>')
KILLS = 2
AT_ONCE = 6
PATIENCE_S = 60.0


class Machine(BridgeProcess):
    """A supervisor and two workers, in processes of their own, on a Valkey server."""

    def __init__(self, folder: Path, app_url: str) -> None:
        super().__init__(folder, app_url)
        self.admin = f"http://127.0.0.1:{free_port()}"
        text = self._config.read_text()
        for old, new in (
            (f"sqlite:///{folder}/bridge.db", url_for(shared_server(), folder)),
            ("admin_listen = ", f'workers = 2\nadmin_listen = "{self.admin[7:]}" # '),
        ):
            text = text.replace(old, new)
        self._config.write_text(text)

    async def ready(self, http: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
        """Wait until every worker is ready; give what they say."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with http.get(f"{self.admin}/readyz") as response:
                    workers: dict[str, dict[str, Any]] = (await response.json())["workers"]
                if all(worker["status"] == "ready" for worker in workers.values()):
                    return workers
                await asyncio.sleep(0.05)

    async def kill_worker(self, http: aiohttp.ClientSession, rng: Random) -> None:
        """Kill one of them and wait for its successor."""
        workers = await self.ready(http)
        begun = monotonic()
        os.kill(workers[rng.choice(sorted(workers))]["pid"], signal.SIGKILL)
        async with http.get(f"{self.admin}/healthz"):
            # What the worker had sent may reach the app only meanwhile.
            self.kills.append((begun, monotonic()))
        while await self.ready(http) == workers:
            pass


class PatientPlivo(Plivo):
    """Comes back as often as it is told to: a turn of a worker that was killed may take its time."""

    async def deliver(self, leg: Leg, url: str, form: Form) -> bytes:
        """Send one webhook; give the first document that is not about coming back."""
        answer = await super().deliver(leg, url, form)
        while (again := comes_back(answer)) and _step(again) == _step(url):
            answer = await super().deliver(leg, again, leg.form(Event="Redirect"))
        return answer


def comes_back(document: bytes) -> str:
    """Give where a document leads that does nothing but wait, "" when it does more."""
    found = COME_BACK.fullmatch(document.partition(b"<Response>")[2])
    return "" if found is None else urlsplit(found[1].decode()).path


def _step(path: str) -> str:
    parts = urlsplit(path).path.split("/")
    return parts[4] if len(parts) > 4 else "0"


@pytest.mark.slow
@needs_valkey
async def test_workers_are_killed(tmp_path: Path) -> None:
    """Calls outlive their workers: each result and hangup arrives once, in order, with its document."""
    rng = Random(SEED)
    callers: list[Caller] = []
    over = asyncio.Event()

    async def think(_: Ask) -> None:
        await asyncio.sleep(rng.random() * 0.05)

    async with (
        RtApp(Script(SEED).decide) as app,
        Machine(tmp_path, app.url) as machine,
        session() as http,
    ):
        app.think = think
        plivo = PatientPlivo(machine, http, rng)
        await machine.ready(http)

        async def place_calls() -> None:
            while not over.is_set():
                index = len(callers)
                own = Random(f"{SEED}/call/{index}")
                uuid = UUID(int=own.getrandbits(128), version=4)
                callers.append(caller := Caller(plivo, Leg(str(uuid), f"3361{index:07}"), own))
                await caller.run()

        async with asyncio.timeout(PATIENCE_S * 3), asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(place_calls())
            for _ in range(KILLS):
                plivo.progress.clear()
                await asyncio.sleep(rng.uniform(0.1, 0.4))
                # On a machine so slow that nothing was answered yet, the kill would meet nobody.
                await asyncio.wait_for(plivo.progress.wait(), PATIENCE_S)
                await machine.kill_worker(http, rng)
            over.set()
        heard = [caller for caller in callers if app.of(f"+{caller.leg.number}")]
        await app.until(
            lambda: all(app.finals(f"+{caller.leg.number}") for caller in heard), PATIENCE_S
        )
        machine.ask_to_stop()
        assert 0 == await machine.stopped()

    assert not [caller for caller in callers if caller.gave_up]
    assert len(callers) > AT_ONCE
    for caller in heard:
        check_call(caller, app.of(f"+{caller.leg.number}"), machine.kills)
    check_callids(callers)
    assert KILLS == len(machine.lines("worker.ended"))
    assert [] == machine.lines("webhook.fault") + machine.lines("task.failed")
    # Three processes write to one pipe, and none in the middle of another one's line.
    assert all("event" in from_json(line) for line in bytes(machine._log).splitlines())
    by = {line.rpartition(b'"worker":')[2] for line in machine.lines("webhook.answered")}
    assert {b"1}", b"2}"} == by
