from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support_serve import PATIENCE_S, ROOT, SERVE
from support_worker import DEAF, FAIL, FOLDER, LATE, MUTE
from support_worker import SERVE as WELL

from bridge import stopping
from bridge.settings import Settings, load_settings
from bridge.tasks import spawn
from bridge.workers import restarts, slots, supervisor, watch
from bridge.workers.supervisor import Supervisor

#: Of starts in vain.
MOST_STARTS = 2
PROGRAM = (str(ROOT / "tests" / "support_worker.py"),)


def settings_of(workers: int = 2, **values: str) -> Settings:
    """Make settings of several workers, on a store that none of these workers asks for anything."""
    shared = {"BRIDGE_WORKERS": str(workers), "BRIDGE_STORE": "redis://127.0.0.1:1/0"}
    return load_settings({**SERVE, **shared, **values}).settings


class Watched:
    """A supervisor in this process, whose workers are small programs; `status` once it ended."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self.supervisor = Supervisor(settings, PROGRAM)
        self.running = spawn(self.supervisor.run(), "supervisor", daemon=True)

    @property
    def log(self) -> list[tuple[int, int, str]]:
        """List what the workers noted: number, process, what."""
        log = self._folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [
            (int(number), int(pid), what)
            for number, pid, what in (line.split(" ", 2) for line in lines)
        ]

    def noted(self, what: str) -> list[int]:
        """List the numbers of the workers that noted that, in order."""
        return [number for number, _, noted in self.log if noted == what]

    def pids(self) -> dict[int, int]:
        """Give the processes of those that serve now, by their number."""
        return {n: w.pid for n, w in self.supervisor.workers.items() if w.able}

    async def until(self, so: Callable[[], Any]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                assert not self.running.done() or so(), "the supervisor has ended"
                await asyncio.sleep(0.005)

    async def serves(self) -> dict[int, int]:
        """Wait until all workers serve; give their processes."""
        await self.until(lambda: len(self.pids()) == self.supervisor.size)
        return self.pids()

    async def greeted_by(self, times: int = 40) -> set[int]:
        """Connect so often; give the processes that took the connections."""
        port = self.supervisor._settings.listen.port
        found = set()
        for _ in range(times):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                found.add(int(await reader.read()))
                writer.close()
        return found

    async def ended(self) -> int:
        """Wait for the end; give the exit status."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.running


Begin = Callable[..., Any]


@pytest.fixture
async def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    """Give the way to start a supervisor whose workers behave in given ways, by their number."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(stopping, "TOGETHER_S", 0.0)
    monkeypatch.setattr(supervisor, "MARGIN_S", 0.0)
    monkeypatch.setattr(supervisor, "MOST_STARTS", MOST_STARTS)
    monkeypatch.setattr(restarts, "FIRST_PAUSE_S", 0.0)
    started: list[Watched] = []

    def start(settings: Settings | None = None, **ways: str) -> Watched:
        for number, way in ways.items():
            (tmp_path / number.removeprefix("w")).write_text(way)
        started.append(Watched(tmp_path, settings or settings_of()))
        return started[-1]

    yield start
    for one in started:
        for worker in one.supervisor.workers.values():
            worker.signal(signal.SIGKILL)
        if not one.running.done():
            one.supervisor._stopping.asked.set()
        await asyncio.wait({one.running})


async def test_workers_serve_together_and_stop_together(begin: Begin, tmp_path: Path) -> None:
    """Connections go to both; a signal to the supervisor reaches both, and it ends with 0 after them."""
    world = begin()
    pids = await world.serves()
    assert set(pids.values()) == await world.greeted_by()
    os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == await world.ended()
    assert [1, 2] == sorted(world.noted("SIGTERM"))
    assert {} == world.supervisor.workers


@pytest.mark.skipif(not slots.SPREADS, reason="other systems do not spread connections")
async def test_dead_worker_is_replaced_and_its_connections_are_answered_meanwhile(
    begin: Begin, tmp_path: Path
) -> None:
    """The other worker takes what comes to the place of one that is gone, until there is a new one."""
    world = begin()
    pids = await world.serves()
    (tmp_path / "1").write_text(LATE)
    os.kill(pids[1], signal.SIGKILL)
    await world.until(lambda: (2, pids[2], "listens 1") in world.log)
    assert {pids[2]} == await world.greeted_by()

    await world.until(lambda: world.noted("late"))
    (tmp_path / "1").write_text(WELL)
    os.kill(world.supervisor.workers[1].pid, signal.SIGKILL)
    after = await world.serves()
    await world.until(lambda: (2, pids[2], "yields 1") in world.log)

    assert after[1] != pids[1]
    assert after[2] == pids[2]
    assert set(after.values()) == await world.greeted_by()
    assert 2 == world.supervisor.replaced


async def test_counts_of_a_dead_worker_are_kept(begin: Begin) -> None:
    """What a worker counted before it was killed stays in the sum, beside its successor's."""
    world = begin()
    pids = await world.serves()
    url = f"http://{world.supervisor._settings.admin_listen}/metrics"
    async with aiohttp.ClientSession() as client:

        async def seen() -> list[str]:
            async with client.get(url) as response:
                lines = (await response.text()).splitlines()
            return [line for line in lines if line.startswith("rt_seen_total ")]

        assert ["rt_seen_total 3.0"] == await seen()
        os.kill(pids[1], signal.SIGKILL)
        await world.until(lambda: world.supervisor.replaced)
        await world.serves()
        assert ["rt_seen_total 4.0"] == await seen()


@pytest.mark.skipif(not slots.SPREADS, reason="other systems do not spread connections")
async def test_helper_that_dies_has_a_helper(begin: Begin, tmp_path: Path) -> None:
    """The places of two workers that are gone are looked after by the third."""
    world = begin(settings_of(3))
    pids = await world.serves()
    for number in (1, 2):
        (tmp_path / str(number)).write_text(LATE)
        os.kill(pids[number], signal.SIGKILL)
    await world.until(
        lambda: {(3, pids[3], "listens 1"), (3, pids[3], "listens 2")} <= set(world.log)
    )

    assert {pids[3]} == await world.greeted_by()


@pytest.mark.skipif(not slots.SPREADS, reason="other systems do not spread connections")
async def test_worker_that_closes_is_helped_before_it_ends(begin: Begin) -> None:
    """What comes to the place of a worker that takes no more is taken by the other at once."""
    world = begin()
    pids = await world.serves()
    os.kill(pids[1], signal.SIGUSR2)
    await world.until(lambda: (2, pids[2], "listens 1") in world.log)

    assert {pids[2]} == await world.greeted_by()
    assert 1 in world.supervisor.workers


async def test_first_worker_that_cannot_start(begin: Begin) -> None:
    """What keeps the first one from serving keeps all: it is tried once, and its status is the end."""
    world = begin(w1=FAIL)

    assert 3 == await world.ended()
    assert [1] == world.noted("start")


async def test_starts_in_vain_come_to_an_end(begin: Begin, tmp_path: Path) -> None:
    """Once nobody serves any more and no start succeeds, the supervisor ends with their status."""
    world = begin()
    pids = await world.serves()
    for number, pid in pids.items():
        (tmp_path / str(number)).write_text(FAIL)
        os.kill(pid, signal.SIGKILL)

    assert 3 == await world.ended()
    starts = world.noted("start")
    assert MOST_STARTS + 1 == max(starts.count(1), starts.count(2))


async def test_worker_that_cannot_start_beside_one_that_serves(
    begin: Begin, tmp_path: Path
) -> None:
    """As long as one serves the other is tried again, however often it fails."""
    world = begin(w2=FAIL)
    await world.until(lambda: world.noted("start").count(2) > MOST_STARTS + 1)
    (tmp_path / "2").write_text(WELL)

    assert {1, 2} == set(await world.serves())


async def test_worker_that_answers_nobody_is_replaced(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not answer the supervisor for some time is killed; its successor serves."""
    monkeypatch.setattr(watch, "LOOK_S", 0.02)
    world = begin(w2=MUTE)
    pids = await world.serves()
    (tmp_path / "2").write_text(WELL)
    await world.until(lambda: world.pids().get(2, pids[2]) != pids[2])

    assert pids[1] == world.pids()[1]
    assert 1 == world.supervisor.replaced


async def test_second_signal_is_passed_on_and_then_nobody_is_waited_for(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers hear of both signals; one that stays all the same is killed, and the status is 143."""
    monkeypatch.setattr(supervisor, "FORCED_S", 0.3)
    world = begin(w1=DEAF, w2=DEAF)
    await world.serves()
    os.kill(os.getpid(), signal.SIGINT)
    await world.until(lambda: len(world.noted("SIGTERM")) == 2)
    os.kill(os.getpid(), signal.SIGINT)

    assert stopping.FORCED == await world.ended()
    assert [1, 1, 2, 2] == sorted(world.noted("SIGTERM"))


async def test_signal_while_a_worker_starts(begin: Begin) -> None:
    """Told to stop before anybody serves, it stops with 0."""
    world = begin(w1=LATE)
    await world.until(lambda: world.noted("late"))
    os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == await world.ended()
    assert [1] == world.noted("start")


async def test_signal_while_a_start_is_put_off(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to stop, nobody waits for the next start of a worker that keeps ending, and the status is 0."""
    monkeypatch.setattr(restarts, "FIRST_PAUSE_S", 1000.0)
    world = begin(w2=FAIL)
    await world.until(lambda: world.noted("start").count(2) == 2 and len(world.noted("start")) == 3)
    await world.until(lambda: 2 not in world.supervisor.workers)
    os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == await world.ended()
    assert [1, 2, 2] == sorted(world.noted("start"))


async def test_admin_listener_is_one_for_all(begin: Begin) -> None:
    """It says who the workers are, what they are doing, and what they count together."""
    world = begin(w2=LATE)
    await world.until(lambda: world.noted("late"))
    await world.until(lambda: world.supervisor.workers[1].instance)
    admin = world.supervisor._settings.admin_listen
    async with aiohttp.ClientSession(f"http://{admin}") as client:
        async with client.get("/healthz") as alive:
            assert (200, "i1") == (alive.status, alive.headers["X-RT-Bridge-Instance"])
        async with client.get("/readyz") as ready:
            told = await ready.json()
        async with client.get("/metrics") as metrics:
            shown = (await metrics.text()).splitlines()

    checks = {"store": "ok"}
    workers = {
        "1": {"pid": world.pids()[1], "status": "ready", "checks": checks},
        "2": {"pid": world.supervisor.workers[2].pid, "status": "starting"},
    }
    assert {"status": "ready", "checks": checks, "waiting": {}, "workers": workers} == told
    assert {"rt_bridge_workers 1.0", "rt_seen_total 1.0"} <= set(shown)


@asynccontextmanager
async def taken() -> AsyncIterator[str]:
    """Give the address of somebody else."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


@pytest.mark.parametrize("listener", ["BRIDGE_LISTEN", "BRIDGE_ADMIN_LISTEN"])
async def test_taken_address(
    begin: Begin, capsys: pytest.CaptureFixture[str], listener: str
) -> None:
    """An address that somebody has is status 1 and one sentence; no worker is started."""
    async with taken() as address:
        world = begin(settings_of(2, **{listener: address}))

        assert 1 == await world.ended()
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{listener} {address} cannot be used: address already in use; ")
    assert [] == world.log


def test_run_in_a_loop_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """`run` gives the exit status of all."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"

        assert 1 == supervisor.run(settings_of(2, BRIDGE_LISTEN=address))
    assert address in capsys.readouterr().err


async def test_program_that_cannot_be_run(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the system refuses counts as a start in vain."""
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    world = begin()

    assert 1 == await world.ended()
