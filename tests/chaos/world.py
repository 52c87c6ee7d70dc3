"""A run: replicas, store, app and callers together, while things are killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp
from chaos.app import ChaosApp
from chaos.people import People
from chaos.record import Evidence, Outage
from chaos.replicas import Fleet, InTurn, Replica
from chaos.seen import calls_of
from chaos.talk import Talk
from support_valkey import Valkey, valkey

from bridge.addresses import RETRIES
from bridge.simulator.clock import RealTime
from bridge.simulator.faults import Faults
from bridge.simulator.inputs import HungUp
from bridge.simulator.platform import Application, Plivo
from bridge.store import open_store
from bridge.store.protocol import Store
from bridge.tasks import spawn

PUBLIC: Final = "https://chaos.example.com"
#: One app for each policy for failures.
POLICIES: Final = {"HANGUP": "hangup", "SAY": "say", "FALLBACK": "fallback_url"}
RPC_KEY: Final = "a-key-for-json-rpc-of-enough-characters"
#: What goes wrong on the way, besides what is killed.
FAULTS: Final = (
    "duplicate@0.08",
    "delay=2@0.03",
    "drop:action@0.02",
    "drop:redirect@0.02",
    "reorder=2@0.1",
    "hang_up@0.004",
)
#: Events of the log with which a replica says that it, and nobody else, did something wrong.
OWN_FAULTS: Final = (
    "webhook.fault",
    "json_rpc.fault",
    "outbox.fault",
    "outbox.failed",
    "outbound.fault",
    "task.failed",
    "store.fault",
    "command.bug",
    "command.diverged",
    "call.unknown",
    "call.step_unknown",
    "hangup.call_missing",
)
#: Longest until the last hangup is reported, and then until all is delivered, in s.
ENDING_S: Final = 60.0
SETTLING_S: Final = 100.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; times in s.

    `calls` are kept going at once for `seconds`, of which the first `ramp_s` bring them up; whoever
    still talks `ends_s` later hangs up. What people do takes `pace` times as long as it might.
    """

    calls: int = 500
    seconds: float = 75.0
    ramp_s: float = 25.0
    seed: int = 1
    replicas: int = 3
    kill_every_s: float = 1.0
    store_restarts: int = 2
    fail_share: float = 0.1
    outbound_share: float = 0.1
    app_timeout_s: float = 5.0
    ends_s: float = 60.0
    pace: float = 2.0


async def run(plan: Plan, folder: Path) -> Evidence:
    """Do everything; logs and settings of the replicas stay in the folder."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(valkey("--appendonly", "yes", "--appendfsync", "always"))
        plivo = Plivo(
            clock=RealTime(), seed=plan.seed, faults=Faults.parse(FAULTS, plan.seed), via={}
        )
        await stack.enter_async_context(plivo)
        chaos = Chaos(plan, plivo, server)
        talk = Talk(plan.seed, plan.pace)
        app = await stack.enter_async_context(ChaosApp(talk, plan.seed, plan.fail_share, chaos.now))
        fleet = await stack.enter_async_context(_fleet(chaos, app, folder))
        plivo.via = InTurn(PUBLIC, fleet)
        await chaos.live(fleet)
        evidence = await chaos.settle(fleet, app)
        evidence.faults = _own_faults(fleet)
        _write_down(evidence, plivo, folder)
        return evidence


@asynccontextmanager
async def _fleet(chaos: Chaos, app: ChaosApp, folder: Path) -> AsyncIterator[Fleet]:
    plan = chaos.plan
    names = [f"replica{number}" for number in range(1, plan.replicas + 1)]
    settings = partial(chaos.settings, app)
    replicas = [Replica(name, folder, settings, chaos.now) for name in names]
    fleet = Fleet(replicas, Random(f"{plan.seed}/kills"))
    try:
        await fleet.start()
        yield fleet
    finally:
        await fleet.abandon()


class Chaos:
    """What happens in a run, and what is noted of it."""

    def __init__(self, plan: Plan, plivo: Plivo, server: Valkey) -> None:
        self.plan = plan
        self._plivo = plivo
        self._server = server
        self._people = People(plivo, plan.seed, plan.pace)
        self._random = Random(f"{plan.seed}/calls")
        self._evidence = Evidence(in_time_s=0.6 * plan.app_timeout_s)
        self._called = 0
        self._over = asyncio.Event()
        for number, app_hash in enumerate(POLICIES):
            mine = Application.at(PUBLIC, app_hash)
            plivo.numbers[f"3318765432{number}"] = Application(
                mine.answer_url + RETRIES, mine.hangup_url + RETRIES, mine.fallback_url + RETRIES
            )
        plivo.departures.per_second = 20

    def now(self) -> float:
        """Give the time since the run began, in s."""
        return self._plivo.clock.now() - self._plivo.began

    def settings(self, app: ChaosApp, process: str) -> dict[str, Any]:
        """Give the settings of a process, which differ in the path by which the app knows it."""
        policies = {
            app_hash: {
                "url": f"{app.url}/rt/{process}",
                "on_failure": policy,
                "fallback_url": f"{app.url}/fallback",
                "numbers": [f"+3318765432{number}"],
            }
            for number, (app_hash, policy) in enumerate(POLICIES.items())
        }
        account = self._plivo.account
        return {
            "public_url": PUBLIC,
            "admin_listen": "127.0.0.1:0",
            "plivo_auth_id": account.auth_id,
            "plivo_auth_token": account.auth_token,
            "plivo_api_url": self._plivo.api_url,
            "plivo_calls_per_second": 20.0,
            "rpc_api_keys": [RPC_KEY],
            "store": self._server.url,
            "log_format": "json",
            "app_timeout_s": self.plan.app_timeout_s,
            "apps": policies,
        }

    async def live(self, fleet: Fleet) -> None:
        """Keep the calls going while replicas and store are killed, until all calls are over."""
        # A replica that does not start again ends the run.
        async with asyncio.TaskGroup() as disasters:
            disasters.create_task(self._kill(fleet, disasters))
            disasters.create_task(self._restart_store())
            disasters.create_task(self._watch())
            await self._keep_calling(fleet)
            await self._plivo.finish(self.plan.ends_s)
            for line in list(self._plivo.calls.values()):
                line.post(HungUp())
            await self._plivo.finish(ENDING_S)
            self._over.set()

    async def _keep_calling(self, fleet: Fleet) -> None:
        plan, began, found = self.plan, self.now(), self._evidence
        while (spent := self.now() - began) < plan.seconds:
            wanted = plan.calls * min(1.0, spent / plan.ramp_s) - len(self._plivo.calls)
            for _ in range(int(wanted)):
                self._call_or_be_called(fleet)
            found.most_at_once = max(found.most_at_once, len(self._plivo.calls))
            await asyncio.sleep(0.1)

    async def settle(self, fleet: Fleet, app: ChaosApp) -> Evidence:
        """Wait until everything is delivered that will be, stop the replicas, and gather evidence."""
        found = self._evidence
        store = open_store(self._server.url)
        await store.open()
        until = self.now() + SETTLING_S
        while self.now() < until and (await _work(store) or self._untold(app)):  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(0.2)
        # What was delivered last is deleted from the store after the app has answered.
        found.stopped = await fleet.stop()
        found.unfinished = await _work(store)
        await store.close()
        found.asks, found.calls = app.asks, calls_of(self._plivo)
        found.kills = [kill for replica in fleet.replicas for kill in replica.kills]
        found.dialled = [
            entry.data["body"]["to"]
            for entry in self._plivo.timeline.of("rest")
            if (entry.data["method"], entry.data["path"]) == ("POST", "Call/")
        ]
        found.seconds = self.now()
        return found

    def _untold(self, app: ChaosApp) -> set[str]:
        """Give the outbound calls of whose end the app has not heard."""
        told = {ask.request["request_hash"] for ask in app.asks if ask.final}
        return set(self._evidence.accepted) - told

    def _call_or_be_called(self, fleet: Fleet) -> None:
        self._called += 1
        person = f"336{self._called:08}"
        if self._random.random() < self.plan.outbound_share:
            # Whoever is called counts once the phone rings; until then somebody else may call.
            spawn(self._place(fleet.next_address(), person), f"outbound {person}")
            return
        number = self._random.choice(list(self._plivo.numbers))
        self._people.takes(self._plivo.call(person, number))

    async def _place(self, replica: str, person: str) -> None:
        """Ask a replica to call somebody; what broke off is not asked again."""
        app_hash = self._random.choice(list(POLICIES))
        params = [app_hash, {"number": f"+{person}", "timeout": 10}, {"cli": "BLOCKED"}]
        body = {"jsonrpc": "2.0", "id": 1, "method": "calls.realtime", "params": params}
        headers = {"Authorization": f"Api-Key {RPC_KEY}"}
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self._plivo.session.post(
                f"{replica}/json-rpc/v1.1/", json=body, headers=headers
            ) as response:
                reply = json.loads(await response.read())
            if "result" in reply:
                self._evidence.accepted.append(reply["result"])

    async def _kill(self, fleet: Fleet, restarts: asyncio.TaskGroup) -> None:
        while not await self._is_over_in(self.plan.kill_every_s):
            await fleet.kill_one(restarts, self._over)

    async def _restart_store(self) -> None:
        plan, began = self.plan, self.now()
        for number in range(1, plan.store_restarts + 1):
            due = began + plan.seconds * number / (plan.store_restarts + 1)
            if await self._is_over_in(due - self.now()):
                return
            begin = self.now()
            self._server.kill()
            await asyncio.sleep(self._random.uniform(0.3, 1.5))
            await asyncio.to_thread(self._server.start)
            self._evidence.outages.append(Outage("store", begin, self.now()))

    async def _watch(self) -> None:
        """Meet those who are called, and notice when this process has too much to do."""
        met = 0
        while not self._over.is_set():
            begun = self.now()
            await asyncio.sleep(0.05)
            self._evidence.late.append((begun, self.now() - begun - 0.05))
            lines, met = self._plivo.lines[met:], len(self._plivo.lines)
            for line in lines:
                if line.leg.direction == "outbound":
                    self._people.takes(line)

    async def _is_over_in(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._over.wait()
        return self._over.is_set()


def _write_down(found: Evidence, plivo: Plivo, folder: Path) -> None:
    """Keep what explains a violation: everything Plivo saw, and what the app was asked by whom."""
    with (folder / "timeline.txt").open("w") as lines:
        for entry in plivo.timeline.entries:
            attempt = f" attempt {entry.data['attempt']}" if "attempt" in entry.data else ""
            status = f" status {entry.data['status']}" if "status" in entry.data else ""
            detail = "".join(f"\n{'':30}{line}" for line in entry.detail.splitlines())
            lines.write(
                f"{entry.at:9.3f} call {entry.call:<5} leg {entry.leg} {entry.kind:8}"
                f"{entry.text}{attempt}{status} [{entry.ms or 0:.0f} ms]{detail}\n"
            )
    with (folder / "app.txt").open("w") as lines:
        for ask in found.asks:
            lines.write(
                f"{ask.at:9.3f} {ask.process} to {ask.answered:.3f} {ask.failure or 'answered':9}"
                f"{ask.body.decode()} -> {json.dumps(ask.reply)}\n"
            )
        for outage in sorted((*found.kills, *found.outages), key=lambda one: one.begin):
            lines.write(f"{outage.begin:9.3f} {outage.what} killed, to {outage.end:.3f}\n")


async def _work(store: Store) -> list[str]:
    """List what is still to be done: calls that have not ended, and final requests."""
    calls = [f"live:{callid}" for callid in await store.live_calls()]
    return calls + [row.key for row in await store.due(inf, 10_000) if row.kind == "final"]


def _own_faults(fleet: Fleet) -> list[str]:
    marks = [f'"event":"{event}"'.encode() for event in OWN_FAULTS]
    return [
        line.decode("utf-8", "replace")
        for replica in fleet.replicas
        for line in replica.log.read_bytes().splitlines()
        if any(mark in line for mark in marks) or b"Traceback" in line
    ]


__all__ = ["PUBLIC", "Plan", "run"]
