"""The simulation's side of virtual time that is shared with another process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest

from bridge.simulator.clock import StuckError, VirtualClock
from bridge.simulator.clock_server import ClockServer
from bridge.tasks import spawn

BEGIN = 1000.0


@dataclass
class Remote:
    """A bridge of a few lines: at rest always, woken at its alarms."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    alarms: list[float] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    told: list[float] = field(default_factory=list)

    async def live(self) -> None:
        """Answer until nobody asks any more."""
        while line := await self.reader.readline():
            self.answer(json.loads(line))

    def answer(self, message: dict[str, Any]) -> None:
        """Answer one message."""
        self.heard.append(message)
        if "rest" in message:
            waiting = [alarm for alarm in self.alarms if alarm > message["now"]]
            self.say({"alarm": min(waiting, default=None)})
        else:
            self.told.append(message["now"])
            self.say({"heard": message["now"]})

    def say(self, message: Any) -> None:
        """Send a line."""
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def next(self) -> Any:
        """Hear one line, without an answer."""
        return json.loads(await self.reader.readline())


@pytest.fixture
def clock() -> VirtualClock:
    """Make a clock that is not patient."""
    return VirtualClock(BEGIN, patience_s=0.2)


@pytest.fixture
async def server(clock: VirtualClock) -> AsyncIterator[ClockServer]:
    """Serve the clock."""
    async with ClockServer(clock) as server:
        yield server


@asynccontextmanager
async def joined(server: ClockServer, *alarms: float) -> AsyncIterator[Remote]:
    """Connect a remote, which has heard the greeting."""
    host, _, port = server.address.rpartition(":")
    remote = Remote(*await asyncio.open_connection(host, int(port)), list(alarms))
    remote.heard.append(await remote.next())
    try:
        yield remote
    finally:
        remote.writer.close()


@asynccontextmanager
async def living(server: ClockServer, *alarms: float) -> AsyncIterator[Remote]:
    """Connect a remote that answers by itself."""
    async with joined(server, *alarms) as remote:
        # Not spawned: it is not of this process, and waits for no time of it.
        task = asyncio.get_running_loop().create_task(remote.live())
        yield remote
        remote.writer.close()
        await task


async def test_who_joins_hears_the_time(server: ClockServer, clock: VirtualClock) -> None:
    """The greeting has version, time and patience; from then on it takes part."""
    await clock.drive(lambda: False, BEGIN + 5)
    async with joined(server) as remote:
        await server.connected(1)

        assert [{"virtual_time": 1, "now": BEGIN + 5, "patience_s": 0.2}] == remote.heard
        assert 1 == len(clock.participants)
    await server.connected(0)
    assert [] == clock.participants


async def test_alarms_of_both_sides_are_kept_in_order(
    server: ClockServer, clock: VirtualClock
) -> None:
    """Time stops at each instant at which anybody wants to wake, and everybody is told."""
    stops: list[float] = []

    async def sleeper() -> None:
        for _ in range(2):
            await clock.sleep(10)
            stops.append(clock.now())

    async with living(server, BEGIN + 5, BEGIN + 15.1) as remote:
        task = spawn(sleeper(), "sleeper")
        assert await clock.drive(lambda: len(stops) == 2)
        await task

    assert [BEGIN + 5, BEGIN + 10, BEGIN + 15.1, BEGIN + 20] == remote.told
    assert [BEGIN + 10, BEGIN + 20] == stops


async def test_nothing_left_to_happen(server: ClockServer, clock: VirtualClock) -> None:
    """When nobody wants to wake, time stands still instead of running on for ever."""
    async with living(server) as remote:
        assert not await clock.drive(lambda: False)

    assert ([], BEGIN) == (remote.told, clock.now())


async def test_time_stands_still_while_it_is_not_at_rest(
    server: ClockServer, clock: VirtualClock
) -> None:
    """The answer to the question for rest is waited for in real time."""
    async with joined(server) as remote:
        driving = spawn(clock.drive(lambda: False, BEGIN + 9), "driving")
        question = await remote.next()
        before = clock.now()
        remote.answer(question)
        remote.answer(await remote.next())
        await driving

    assert ({"rest": True, "now": BEGIN}, BEGIN, BEGIN + 9) == (question, before, clock.now())


@pytest.mark.parametrize("question", ["rest", "now"])
async def test_a_killed_bridge_hangs_nothing(
    server: ClockServer, clock: VirtualClock, question: str
) -> None:
    """Gone with a question unanswered, it is left out, and time goes on."""
    async with joined(server, BEGIN + 1) as remote:
        driving = spawn(clock.drive(lambda: False, BEGIN + 9), "driving")
        while question != ("rest" if "rest" in (asked := await remote.next()) else "now"):
            remote.answer(asked)
        remote.writer.transport.abort()
        await driving

    assert BEGIN + 9 == clock.now()
    assert [] == clock.participants


async def test_a_new_bridge_joins_in_the_middle(server: ClockServer, clock: VirtualClock) -> None:
    """After a kill and a restart the new one is told and asked as the old one was."""
    async with living(server) as first:
        await clock.drive(lambda: False, BEGIN + 5)
    await server.connected(0)
    await clock.drive(lambda: False, BEGIN + 10)
    async with living(server, BEGIN + 12) as second:
        await clock.drive(lambda: False, BEGIN + 15)

    assert ([BEGIN + 5], [BEGIN + 12, BEGIN + 15]) == (first.told, second.told)
    assert BEGIN + 10 == second.heard[0]["now"]


async def test_a_stuck_bridge_says_so(server: ClockServer, clock: VirtualClock) -> None:
    """What it says is in the error."""
    async with joined(server) as remote:
        driving = spawn(raised(clock), "driving")
        await remote.next()
        remote.say({"stuck": "Awake: outbox."})

        assert "A bridge in another process is stuck. Awake: outbox." == await driving


async def test_a_stopped_bridge_is_not_waited_for(
    server: ClockServer, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lives and says nothing is an error once patience is over."""
    monkeypatch.setattr("bridge.simulator.clock_server._GRACE_S", 0.05)
    async with joined(server):
        assert "said nothing for 0.25 s of real time" in await raised(clock)


async def raised(clock: VirtualClock) -> str:
    """Let time pass, which must be an error; gives its text."""
    with pytest.raises(StuckError) as info:
        await clock.drive(lambda: False, BEGIN + 1)
    return str(info.value)


@pytest.mark.parametrize("line", [b"nonsense\n", b"{\n", b"[" * 100_000])
async def test_nonsense_is_sent_away(server: ClockServer, clock: VirtualClock, line: bytes) -> None:
    """Whoever does not speak the protocol takes part no more."""
    async with joined(server) as remote:
        remote.writer.write(line)
        await server.connected(0)
        rest = await remote.reader.read()

    assert (b"", []) == (rest, clock.participants)


async def test_the_end_of_the_simulation_is_the_end_for_all(clock: VirtualClock) -> None:
    """Connections are closed with the server, so a bridge notices."""
    async with ClockServer(clock) as server:
        reader, writer = await asyncio.open_connection(*server.address.split(":"))
        await server.connected(1)
    rest = await reader.read()
    writer.close()

    assert rest.endswith(b"}\n")
    assert [] == clock.participants


@dataclass
class Busy:
    """A participant that makes this process do something on its way to rest, once."""

    clock: VirtualClock
    asked: int = 0

    async def rest(self) -> float:
        """Let a task of this process begin."""
        self.asked += 1
        if self.asked == 1:
            spawn(self.clock.sleep(3), "what it caused")
        return inf

    async def tell(self, now: float) -> None:
        """Hear the time."""
        assert self.asked
        assert now >= BEGIN


async def test_rest_of_all_is_at_one_time(clock: VirtualClock) -> None:
    """What a participant caused here is waited for, and its alarm counts, before time passes."""
    busy = Busy(clock)
    clock.participants.append(busy)
    stops: list[float] = []

    def look() -> bool:
        stops.append(clock.now())
        return False

    await clock.drive(look, BEGIN + 5)

    assert 3 <= busy.asked
    assert BEGIN + 3 in stops
