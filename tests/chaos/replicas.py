"""Replicas of the bridge as processes that are killed, and the load balancer in front of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, ItemsView, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from chaos.record import Outage
from support_ports import free_port

from bridge.testing.hosts import toml

ROOT = Path(__file__).resolve().parents[2]
#: Longest a replica may take until it serves, or until it has stopped, in s.
START_S = 60.0
#: Exit status of a bridge that cannot reach its store at the start.
NO_STORE = 2


class Replica:
    """`rt-bridge serve`, started anew after every kill, on the same port.

    `settings` are made for each process, by its name: that of the replica and a number.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: Callable[[str], Mapping[str, Any]],
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self.kills: list[Outage] = []
        self.starts = 0
        self.is_up = False
        self._now = now
        self._settings = settings
        self._config = folder / f"{name}.toml"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """Give where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> str:
        """Name the process that runs, or ran last."""
        return f"{self.name}.{self.starts}"

    async def start(self) -> None:
        """Start it, again and again while the store is away, and wait until it listens."""
        async with asyncio.timeout(START_S):
            while not await self._started():  # noqa: ASYNC110 - the store tells nobody here
                await asyncio.sleep(0.2)
        self.is_up = True

    async def _started(self) -> bool:
        self.starts += 1
        settings = {**self._settings(self.process), "listen": f"127.0.0.1:{self.port}"}
        self._config.write_text(toml(settings))
        with self.log.open("ab") as log:
            # A little behind those who call and answer: they stand for other machines.
            process = self._process = await asyncio.create_subprocess_exec(
                *("nice", "-n", "3", sys.executable),
                *("-m", "bridge", "serve"),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "BRIDGE_CONFIG": str(self._config)},
                stdout=log,
                stderr=log,
            )
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return True
            await asyncio.sleep(0.03)
        if process.returncode != NO_STORE:
            said = self.log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{self.name} ended with {process.returncode}:\n{said}")
        return False

    async def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        begin, self.is_up = self._now(), False
        await self._end(signal.SIGKILL)
        self.kills.append(Outage(self.process, begin, self._now()))

    async def stop(self) -> int:
        """Let it stop in good order; give its exit status."""
        self.is_up = False
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        with suppress(ProcessLookupError):
            process.send_signal(number)
        async with asyncio.timeout(START_S):
            return await process.wait()


class Fleet:
    """Some replicas, of which one is killed at a time, and never the last one that listens."""

    def __init__(self, replicas: list[Replica], random: Random) -> None:
        self.replicas = replicas
        self._random = random
        self._turn = 0

    async def start(self) -> None:
        """Start all of them."""
        await asyncio.gather(*(replica.start() for replica in self.replicas))

    def next_address(self) -> str:
        """Give the one whose turn it is, as a balancer that passes over those that refuse."""
        ready = [replica for replica in self.replicas if replica.is_up] or self.replicas
        self._turn += 1
        return ready[self._turn % len(ready)].address

    async def kill_one(self, restarts: asyncio.TaskGroup, over: asyncio.Event) -> None:
        """Kill one as soon as another listens, and start it again; nothing once it is over."""
        while len(up := [replica for replica in self.replicas if replica.is_up]) < 2:
            if over.is_set():
                return
            await asyncio.sleep(0.02)
        replica = self._random.choice(up)
        await replica.kill()
        restarts.create_task(replica.start())

    async def stop(self) -> list[int]:
        """Stop all of them in good order; give their exit statuses."""
        return await asyncio.gather(*(replica.stop() for replica in self.replicas))

    async def abandon(self) -> None:
        """Make an end of all of them, whatever went wrong."""
        await asyncio.gather(*(replica.kill() for replica in self.replicas))


class InTurn(dict[str, str]):
    """Where a public URL is served: `Plivo.via` whose every look-up gives the next replica."""

    def __init__(self, public_url: str, fleet: Fleet) -> None:
        super().__init__({public_url: ""})
        self._public_url = public_url
        self._fleet = fleet

    def items(self) -> ItemsView[str, str]:  # type: ignore[override]
        """Give the public URL and the address of the replica whose turn it is."""
        return {self._public_url: self._fleet.next_address()}.items()


__all__ = ["Fleet", "InTurn", "Replica"]
