"""A bridge in a process of its own whose time a simulation in this process owns."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support_e2e import PUBLIC, Json, RecordingApp, command, tts
from support_plivo import ACCOUNT
from support_serve import SERVE, Serving, cli

from bridge.settings import Listen, load_settings, warnings
from bridge.simulator.clock import MONDAY, VirtualClock
from bridge.simulator.clock_server import ClockServer
from bridge.simulator.inputs import HungUp
from bridge.simulator.line import Line
from bridge.simulator.platform import Application, Plivo
from bridge.tasks import spawn
from bridge.test_clock import ClockError, SharedClock

# --- with a bridge --------------------------------------------------------------------------------


@dataclass
class Apart:
    """A simulation, an app, and the settings of bridges that share its time."""

    plivo: Plivo
    app: RecordingApp
    settings: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def bridge(self) -> AsyncIterator[Serving]:
        """Run a bridge; the platform reaches it from now on."""
        async with Serving(**self.settings) as served:
            ready = await served.ready()
            self.plivo.via[PUBLIC] = f"http://{ready['listen']}"
            yield served

    def call(self) -> Line:
        """Let somebody call."""
        return self.plivo.call("33612345678", "33187654321", application=Application.at(PUBLIC))

    async def passes(self, seconds: float) -> None:
        """Let virtual time pass."""
        clock = self.plivo.clock
        await clock.drive(lambda: False, clock.now() + seconds)


@asynccontextmanager
async def apart(folder: Path, *replies: Json) -> AsyncIterator[Apart]:
    """Start a platform, an app with these replies, and a server of their time."""
    app = RecordingApp(list(replies))
    await app.start()
    clock = VirtualClock()
    async with Plivo(clock=clock, account=ACCOUNT) as plivo, ClockServer(clock) as server:
        settings = {
            "BRIDGE_TEST_CLOCK": server.address,
            "BRIDGE_PUBLIC_URL": PUBLIC,
            "BRIDGE_PLIVO_AUTH_ID": ACCOUNT.auth_id,
            "BRIDGE_PLIVO_AUTH_TOKEN": ACCOUNT.auth_token,
            "BRIDGE_PLIVO_API_URL": plivo.api_url,
            "BRIDGE_PLIVO_REST": "true",
            "BRIDGE_APP_URL": app.url,
            "BRIDGE_STORE": f"sqlite:///{folder}/bridge.db",
        }
        yield Apart(plivo, app, settings)
    await app.stop()


@pytest.mark.slow
async def test_a_call_outlives_a_killed_bridge(tmp_path: Path) -> None:
    """Ten virtual minutes pass at once; a kill in the middle stops nothing, a restart goes on."""
    waits = [command("wait", label=n, wait=30) for n in range(1, 21)]
    async with apart(tmp_path, *waits, command("play", media_id=tts("You waited"))) as it:
        async with it.bridge() as first:
            line = it.call()
            await it.passes(315)
            before = line.element, len(it.app.requests)
            await first.stop(signal.SIGKILL)
        await it.passes(5)
        alone = it.plivo.clock.now() - MONDAY
        async with it.bridge() as second:
            assert await it.plivo.finish(700)
            assert await it.plivo.clock.drive(lambda: bool(it.app.finals), MONDAY + 1000)
            status = await second.stop()

    spoken = [e for e in it.plivo.timeline.of("hears") if e.data.get("text") == "You waited"]
    assert (("Wait", 11), 320) == (before, alone)
    assert [600] == [round(entry.at, -1) for entry in spoken]
    assert ["UP"] * 22 == [one["call_status"] for one in it.app.asked]
    assert 1 == len(it.app.finals)
    assert (0, []) == (status, it.plivo.timeline.texts("problem"))


@pytest.mark.slow
async def test_what_the_bridge_waits_for_drives_time(tmp_path: Path) -> None:
    """With every call over, time goes on to when the bridge wants to wake: to repeat a delivery."""
    async with apart(tmp_path) as it:
        it.app.to_final = [503, 503, 503]
        async with it.bridge() as served:
            it.call()
            assert await it.plivo.finish()
            over = it.plivo.clock.now()
            assert await it.plivo.clock.drive(lambda: len(it.app.finals) == 4, over + 60)
            waited = it.plivo.clock.now() - over
            await served.stop()

    # The pauses of 1, 2 and 4 s after a failure, without the real time the app took.
    assert 7 == pytest.approx(waited, abs=0.5)
    assert 1 == len(set(it.app.bodies[-4:]))


@pytest.mark.slow
async def test_a_bridge_acts_on_the_platform_on_its_way_to_rest(tmp_path: Path) -> None:
    """Time stands still until a REST request of the bridge, and what it causes, is over."""
    lonely = command("conference", id="1", auto_leave_when_alone=True)
    async with apart(tmp_path, lonely, lonely) as it, it.bridge() as served:
        first, second = it.call(), it.call()
        await it.passes(10)
        second.post(HungUp())
        await it.passes(10)
        kicks = [e for e in it.plivo.timeline.of("rest") if "/Kick/" in e.data["path"]]
        exits = [e.at for e in it.plivo.timeline.of("room") if e.data["action"] == "exit"]
        await served.stop()

    assert ([202], True) == ([entry.data["status"] for entry in kicks], first.over.is_set())
    assert 10 == pytest.approx(exits[0], abs=0.01)
    assert exits[1] - exits[0] < 1


@pytest.mark.slow
async def test_a_bridge_ends_when_its_time_is_gone(tmp_path: Path) -> None:
    """Without a simulation nothing can ever happen, so it stops with status 1 and says why."""
    async with ClockServer(VirtualClock()) as server:
        served = Serving(BRIDGE_TEST_CLOCK=server.address)
        await served.__aenter__()
        await served.ready()
    status = await served.ended()

    assert 1 == status
    assert ["test_clock.lost", "bridge.stopping", "bridge.stopped"] == served.events[-3:]
    assert any("BRIDGE_TEST_CLOCK is set" in line.get("why", "") for line in served.lines)


@pytest.mark.slow
def test_nobody_gives_the_time() -> None:
    """An address where nobody listens is status 1 and a sentence, before anything is served."""
    done = cli("serve", env=SERVE | {"BRIDGE_TEST_CLOCK": f"127.0.0.1:{free_port()}"})

    (sentence,) = done.stderr.decode().splitlines()
    assert 1 == done.returncode
    assert sentence.startswith("BRIDGE_TEST_CLOCK: nobody gives virtual time at 127.0.0.1:")
    assert b"bridge.ready" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed", [{"BRIDGE_LISTEN": "0.0.0.0:0"}, {"BRIDGE_TEST_CLOCK": "192.0.2.1:7000"}]
)
def test_time_is_for_loopback_only(changed: dict[str, str]) -> None:
    """A bridge that others can reach, or a clock elsewhere, is refused with status 2."""
    done = cli("serve", env=SERVE | {"BRIDGE_TEST_CLOCK": "127.0.0.1:7000"} | changed)

    (sentence,) = done.stderr.decode().splitlines()
    assert 2 == done.returncode
    assert "on loopback" in sentence
    assert set(changed) <= set(re.findall("BRIDGE_[A-Z_]+", sentence))


def test_the_setting_is_warned_about() -> None:
    """Whoever starts the bridge hears that time is not the machine's."""
    loaded = load_settings({**SERVE, "BRIDGE_TEST_CLOCK": "127.0.0.1:7000"})

    assert Listen("127.0.0.1", 7000) == loaded.settings.test_clock
    assert 1 == sum("BRIDGE_TEST_CLOCK is set" in why for why in warnings(loaded.settings))


# --- the clock alone ------------------------------------------------------------------------------


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Peer:
    """Speaks for a simulation, line by line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, **message: Any) -> Any:
        """Send a message; gives the answer."""
        self.tell(message)
        return json.loads(await self.reader.readline())

    def tell(self, message: Json) -> None:
        """Send a message."""
        self.writer.write(json.dumps(message).encode() + b"\n")


@asynccontextmanager
async def shared(hello: bytes) -> AsyncIterator[tuple[SharedClock, Peer]]:
    """Connect a clock to a peer that greets so."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello)
        await peers.put(Peer(reader, writer))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        clock = await SharedClock.connect(Listen("127.0.0.1", server.sockets[0].getsockname()[1]))
        peer = await peers.get()
        yield clock, peer
        await clock.close()
    finally:
        while not peers.empty():
            peers.get_nowait().writer.close()
        server.close()


HELLO = b'{"virtual_time": 1, "now": 1000.5, "patience_s": 0.05}\n'


async def test_time_is_told() -> None:
    """It is what the simulation says, and wakes who has slept long enough, at the exact instant."""
    async with shared(HELLO) as (clock, peer):
        begin = clock.now()
        sleeping = spawn(clock.sleep(0.3), "sleeper")
        first = await peer.ask(rest=True, now=1000.5)
        heard = await peer.ask(now=first["alarm"])
        await sleeping
        last = await peer.ask(rest=True, now=1001.0)
        peer.writer.close()

    assert 1000.5 == begin
    assert ({"alarm": 1000.8}, {"heard": 1000.8}) == (first, heard)
    assert ({"alarm": None}, 1001.0) == (last, clock.now())


async def test_rest_is_answered_once_it_is_true() -> None:
    """A task at work delays the answer; one that waits for an event and for time does not."""
    async with shared(HELLO) as (clock, peer):
        work, event = asyncio.Event(), asyncio.Event()

        async def worker() -> None:
            await work.wait()
            await clock.wait(event, 60)

        task = spawn(worker(), "worker")
        asking = asyncio.gather(peer.ask(rest=True, now=1000.5))
        work.set()
        (answer,) = await asking
        event.set()
        await task
        peer.writer.close()

    assert {"alarm": 1060.5} == answer


async def test_work_without_end_is_reported() -> None:
    """After the patience of the simulation the answer says which task is not at rest."""
    async with shared(HELLO) as (_, peer):
        work = asyncio.Event()
        task = spawn(work.wait(), "endless")
        answer = await peer.ask(rest=True, now=1000.5)
        work.set()
        await task
        peer.writer.close()

    assert "awake: endless" in answer["stuck"]


async def test_the_loss_is_told_once() -> None:
    """To whoever asked to be told, also when it happened before."""
    told: list[str] = []
    async with shared(HELLO) as (clock, peer):
        lost = asyncio.Event()
        clock.when_lost(lost.set)
        peer.writer.close()
        await lost.wait()
        clock.when_lost(lambda: told.append("again"))

        assert clock.lost
    assert ["again"] == told


@pytest.mark.parametrize(
    "hello", [b"", b"\n", b"[]\n", b'{"virtual_time": 2}\n', b"HTTP/1.1 400\n"]
)
async def test_others_are_not_understood(hello: bytes) -> None:
    """Whoever greets otherwise is no clock of this release."""
    with pytest.raises(ClockError, match="does not give virtual time as this version knows it"):
        async with shared(hello + (b"" if hello else b"x\n")):
            pass


async def test_silence_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that says nothing is given up."""
    monkeypatch.setattr("bridge.test_clock.CONNECT_S", 0.05)
    with pytest.raises(ClockError, match=r"nobody gives virtual time at .*: no answer; start"):
        async with shared(b""):
            pass
