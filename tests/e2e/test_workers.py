"""`rt-bridge serve --workers`: several processes that are one bridge to everybody outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support_e2e import RecordingApp, command, names, tts
from support_proxy import proxy
from support_serve import PATIENCE_S, SERVE, Serving, cli
from support_valkey import needs_valkey, shared_server, url_for

FORM = {"From": "33612345678", "To": "33187654321", "Direction": "inbound"}
TOKEN = "an-admin-token-of-some-length"


class Machine(Serving):
    """A supervisor with two workers."""

    def __init__(self, folder: Path, **settings: str) -> None:
        shared = {
            "BRIDGE_STORE": url_for(shared_server(), folder),
            "BRIDGE_ADMIN_TOKEN": TOKEN,
            "BRIDGE_VERIFY_SIGNATURES": "false",
        }
        super().__init__("-m", "bridge", "serve", "--workers", "2", **{**shared, **settings})

    async def all_ready(self) -> dict[str, Any]:
        """Read the log until both serve; give the line of the second."""
        await self.ready()
        return await self.ready()

    @property
    def pids(self) -> dict[int, int]:
        """Give the processes of the workers."""
        started = [line for line in self.lines if line["event"] == "worker.started"]
        return {line["worker"]: line["pid"] for line in started}

    @property
    def pid(self) -> int:
        """Give the process of the supervisor."""
        return self._running.pid

    def of(self, event: str) -> list[int]:
        """List the workers that logged something, in order."""
        return sorted(line["worker"] for line in self.lines if line["event"] == event)


def ask(address: str, path: str) -> tuple[int, bytes]:
    """Ask a listener; gives status and body."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def doors(pid: int) -> set[str]:
    """Name what a process on Linux listens at: ports of TCP in hex, and sockets in the file system."""
    opened = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {name[8:-1] for name in opened if name.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and words[3] == "0A":
                found.add(words[1].rpartition(":")[2])
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        # The flag 10000 says that somebody can connect.
        if words[6] in inodes and (int(words[3], 16) & 0x10000 or len(words) > 7):
            found.add(line)
    return found


@pytest.mark.slow
@needs_valkey
@pytest.mark.skipif(sys.platform != "linux", reason="what a process listens at is read from /proc")
async def test_workers_listen_nowhere_else(tmp_path: Path) -> None:
    """A worker can be reached at Plivo's address alone, and the supervisor at the admin address alone.

    Ctrl-C in a terminal, which reaches the group of the supervisor, stops all of them in good order.
    """
    async with Machine(tmp_path, BRIDGE_DRAIN_S="0") as machine:
        ready = await machine.all_ready()
        public, admin = (f"{int(ready[at].rpartition(':')[2]):04X}" for at in ("listen", "admin"))
        found = [doors(pid) for pid in (machine.pids[1], machine.pids[2], machine.pid)]
        groups = {os.getpgid(pid) for pid in machine.pids.values()}
        status = await machine.stop(signal.SIGINT)

    # What the supervisor keeps open is what the workers listen at.
    assert [{public}, {public}, {public, admin}] == found
    assert set(machine.pids.values()) == groups
    assert 0 == status
    assert [1, 2] == machine.of("bridge.stopped")


@pytest.mark.slow
@needs_valkey
async def test_one_bridge_to_everybody_outside(tmp_path: Path) -> None:
    """Calls, health, metrics and what operators do are those of one bridge; a stop ends both workers.

    The signal reaches supervisor and workers at once, as some service managers send it, and counts once.
    """
    app = RecordingApp([command("read", media_id=tts("Code?"), max_digits=4)] * 6)
    await app.start()
    async with (
        Machine(tmp_path, BRIDGE_APP_URL=app.url) as machine,
        aiohttp.ClientSession() as http,
    ):
        ready = await machine.all_ready()
        for number in range(6):
            form = {**FORM, "CallUUID": f"u{number}", "CallStatus": "in-progress"}
            url = f"http://{ready['listen']}/plivo/DEFAULT/answer"
            async with http.post(url, data=form, headers={"Connection": "close"}) as response:
                assert ["GetDigits", "Redirect"] == names(await response.read())
        admin = {**SERVE, "BRIDGE_ADMIN_LISTEN": ready["admin"], "BRIDGE_ADMIN_TOKEN": TOKEN}
        alive, calls, refused, (status, readyz), (_, metrics) = await asyncio.gather(
            asyncio.to_thread(cli, "healthcheck", env=admin),
            asyncio.to_thread(cli, "calls", "--format", "json", env=admin),
            asyncio.to_thread(cli, "hangup", "1", env={**admin, "BRIDGE_ADMIN_TOKEN": TOKEN[::-1]}),
            asyncio.to_thread(ask, ready["admin"], "/readyz"),
            asyncio.to_thread(ask, ready["admin"], "/metrics"),
        )
        for pid in (machine.pid, *machine.pids.values()):
            os.kill(pid, signal.SIGTERM)
        ended = await machine.ended()
    await app.stop()

    assert (0, 0) == (alive.returncode, calls.returncode)
    assert 6 == len(calls.stdout.splitlines())
    assert b"The token is missing" in refused.stderr
    workers = json.loads(readyz)["workers"]
    assert (200, machine.pids) == (status, {int(n): w["pid"] for n, w in workers.items()})
    shown = metrics.decode().splitlines()
    counted = 'rt_bridge_webhooks_total{app="DEFAULT",outcome="document",route="answer"} 6.0'
    assert {counted, "rt_bridge_calls_live 6.0", "rt_bridge_workers 2.0"} <= set(shown)
    assert {1, 2} >= {line["worker"] for line in machine.lines if "call" in line}
    (stranger,) = [line for line in machine.lines if line["event"] == "admin.refused"]
    assert "127.0.0.1" == stranger["peer"]
    assert (0, "") == (ended, machine.stderr)
    assert [1, 2] == machine.of("bridge.stopped")
    assert "bridge.forced" not in machine.events


@pytest.mark.slow
@needs_valkey
async def test_supervisor_is_killed(tmp_path: Path) -> None:
    """Workers whose supervisor is gone stop in good order, so that another can take the address."""
    async with Machine(tmp_path, BRIDGE_DRAIN_S="0") as machine:
        await machine.all_ready()
        os.kill(machine.pid, signal.SIGKILL)
        status = await machine.ended()

    assert -signal.SIGKILL == status
    assert [1, 2] == machine.of("worker.orphaned")
    assert [1, 2] == machine.of("bridge.stopped")


@pytest.mark.slow
@needs_valkey
async def test_store_that_cannot_be_reached(tmp_path: Path) -> None:
    """It is said once, by the first worker, and the status is 2 as without workers."""
    async with proxy(shared_server().port) as between:
        between.closed = True
        store = url_for(shared_server(), tmp_path)
        store = store.replace(str(shared_server().port), str(between.port))
        async with Machine(tmp_path, BRIDGE_STORE=store) as machine:
            async with asyncio.timeout(PATIENCE_S):
                assert 2 == await machine.ended()

    (sentence,) = machine.stderr.splitlines()
    assert sentence.startswith("BRIDGE_STORE: ")
    assert 1 == machine.events.count("worker.started")


@pytest.mark.slow
@needs_valkey
async def test_outage_of_the_store_is_told(tmp_path: Path) -> None:
    """While the store is out of reach nobody is ready, and what is said is why."""
    async with proxy(shared_server().port) as between:
        store = url_for(shared_server(), tmp_path)
        store = store.replace(str(shared_server().port), str(between.port))
        async with Machine(tmp_path, BRIDGE_STORE=store) as machine:
            admin = (await machine.all_ready())["admin"]
            between.closed = True
            between.cut()
            await machine.logged("store.lost", worker=1)
            await machine.logged("store.lost", worker=2)
            status, body = await asyncio.to_thread(ask, admin, "/readyz")
            between.closed = False
            async with asyncio.timeout(PATIENCE_S):
                while (await asyncio.to_thread(ask, admin, "/readyz"))[0] != 200:
                    pass

    told = json.loads(body)
    stores = [worker["checks"]["store"] for worker in told["workers"].values()]
    assert 503 == status
    assert ["The Redis store 127.0.0.1:"] * 2 == [why[:26] for why in stores]
    assert told["checks"]["store"] in stores


@pytest.mark.parametrize(
    ("arguments", "settings", "why"),
    [
        (
            ["--workers", "2"],
            {},
            "BRIDGE_WORKERS is 2, and BRIDGE_STORE (memory:) has room for one",
        ),
        ([], {"BRIDGE_WORKERS": "2"}, "BRIDGE_WORKERS is 2, and BRIDGE_STORE (memory:) has room"),
        (["--workers", "many"], {}, "BRIDGE_WORKERS is 'many', but must be a whole number."),
        (
            ["--workers", "0"],
            {"BRIDGE_WORKERS": "2"},
            "BRIDGE_WORKERS is '0', but must be at least",
        ),
    ],
)
def test_refusals(arguments: list[str], settings: dict[str, str], why: str) -> None:
    """What cannot work is refused with status 2 and a sentence; the argument wins over the setting."""
    done = cli("serve", *arguments, env=SERVE | settings)

    (sentence,) = done.stderr.decode().splitlines()
    assert 2 == done.returncode
    assert sentence.startswith(why)
    assert b"" == done.stdout
