"""What a soak finds, on a small scale and without a clock: nothing of a call stays in the process."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from structlog.testing import capture_logs
from support_benchmarks import bridge_for, sqlite_in

from benchmarks import soak as soak_module
from benchmarks.callers import Caller, Count
from benchmarks.load import Load
from benchmarks.processes import Cores
from benchmarks.rig import Rig
from benchmarks.servers.scripted import DIALOGUES, Scripted
from benchmarks.soak import APP, Window, faults, soak
from bridge.state import Phase, load

if TYPE_CHECKING:
    from bridge.app import Bridge

#: Calls of one part of a run.
CALLS = 150
#: Long enough for final requests to be delivered, in s.
PATIENCE_S = 30.0
#: A container may breathe by so much; one entry for every call would be far more.
BREATH = 20


async def _place(bridge: Bridge, app: Scripted, load: Load, count: Count, calls: int) -> None:
    """Let callers call until so many more calls are over and the app was told of each."""
    upto = count.calls + calls
    while count.calls < upto:
        await load.run_once()
    async with asyncio.timeout(PATIENCE_S):
        while app.told < count.calls or await bridge.store.outbox_size(("final", "room_left")):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.02)


def _parts(thing: object) -> Iterator[tuple[str, object]]:
    if isinstance(thing, dict):
        yield from ((f"[{key!r:.30}]", value) for key, value in list(thing.items()))
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        yield from (("[]", value) for value in list(thing))
    elif type(thing).__module__.startswith("bridge."):
        yield from ((f".{name}", value) for name, value in getattr(thing, "__dict__", {}).items())
        for kind in type(thing).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if hasattr(thing, name):
                    yield f".{name}", getattr(thing, name)


def containers(root: object) -> dict[str, int]:
    """Give the sizes of all containers that are reached through objects of the bridge, by their path.

    The stores are left out: what they keep has its own retention.
    """
    seen: set[int] = set()
    sizes: dict[str, int] = {}
    waiting: deque[tuple[str, object]] = deque([("bridge", root)])
    while waiting:
        path, thing = waiting.popleft()
        if id(thing) in seen or type(thing).__module__.startswith("bridge.store"):
            continue
        seen.add(id(thing))
        if isinstance(thing, dict | list | set | deque):
            sizes[path] = len(thing)
        waiting.extend((path + name, part) for name, part in _parts(thing))
    return sizes


def test_containers_are_found() -> None:
    """A container is found wherever it hangs, and so is one that grows."""

    class Thing:
        def __init__(self) -> None:
            self.by_call: dict[int, str] = {}
            self.nested = {"a": [1, 2]}

    Thing.__module__ = "bridge.made_up"
    thing = Thing()
    thing.by_call.update(dict.fromkeys(range(50), ""))

    assert 50 == containers(thing)["bridge.by_call"]
    assert 2 == containers(thing)["bridge.nested['a']"]


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_calls_leave_nothing_behind(kind: str, tmp_path: Path) -> None:
    """After hundreds of calls of every kind no table has grown, no task runs, no file is open more."""
    app, count = Scripted(), Count()
    store = "memory:" if kind == "memory" else sqlite_in(tmp_path)
    with capture_logs() as logs:
        async with bridge_for(app, store) as bridge:
            load = Load(bridge.port, [Caller(n, count) for n in range(24)], connections=4)
            await _place(bridge, app, load, count, CALLS)
            before, files, tasks = containers(bridge), _open_files(), len(asyncio.all_tasks())
            await _place(bridge, app, load, count, 2 * CALLS)
            gc.collect()
            grown = {
                path: (before.get(path, 0), size)
                for path, size in containers(bridge).items()
                if size > before.get(path, 0) + BREATH
            }
            session = bridge.session

            assert {} == grown
            assert 0 == len(session._fresh) + len(session._overtaken_calls) + len(session._turns)
            assert 0 == len(session.locks)
            assert _open_files() <= files + BREATH
            assert len(asyncio.all_tasks()) <= tasks + BREATH
            await load.close()
            series = await _series(bridge)
            ended, ran = await _ended(bridge)

    assert series < 200
    assert count.calls <= ended
    # Otherwise the callers hang up before anything of interest happens.
    commands = {name for dialogue in DIALOGUES for name, _ in dialogue} - {"dance"}
    assert commands <= set(ran)
    assert {"UNKNOWN_COMMAND"} >= {line["code"] for line in logs if line["event"] == "command.note"}
    assert [] == [line for line in logs if line["event"].endswith((".fault", ".failed"))]


async def _series(bridge: Bridge) -> int:
    url = f"http://127.0.0.1:{bridge.admin_port}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return sum(not line.startswith("#") for line in (await answer.text()).splitlines())


async def _ended(bridge: Bridge) -> tuple[int, Counter[str]]:
    """Count the calls that ended, and the commands that their apps were told a result of."""
    ended, ran, callid = 0, Counter[str](), 1
    while (stored := await bridge.store.load_call(callid)) is not None:
        ended += load(stored.blob, stored.version).phase is Phase.ENDED
        for row in await bridge.store.history(callid):
            for name in (b"read", b"play", b"record", b"play_record", b"play_wav_data", b"wait"):
                ran[name.decode()] += b'"%s"' % name in row.body
            for name in (b"send_dtmf", b"simple_conference", b"dialout", b"wait_for_silence"):
                ran[name.decode()] += b'"%s"' % name in row.body
        callid += 1
    return ended, +ran


@pytest.mark.slow
def test_soak_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run places the calls it was asked for, and reads after each window what the bridge has."""
    monkeypatch.setattr(soak_module, "STINT_S", 0.1)
    with (
        Rig(tmp_path, Cores(None, None), APP) as rig,
        asyncio.Runner() as runner,
    ):
        windows = soak(rig, runner, store="sqlite", calls=300, warm=10, window=100, least_s=0.0)

    assert windows[0].calls > 10
    assert windows[-1].calls >= 300
    assert all(window.webhooks > 0 for window in windows)
    if sys.platform == "linux":
        assert all(window.rss > 2**20 for window in windows)
        assert all(window.files > 0 and window.series > 0 for window in windows)


def _window(calls: int, **figures: Any) -> Window:
    return Window(
        **{
            "calls": calls,
            "webhooks": 5,
            "cost": 3000.0,
            "direct": 100.0,
            "rss": 100 * 2**20,
            "files": 60,
            "series": 73,
            **figures,
        }
    )


def test_steady_windows() -> None:
    """A process that stays as it is has no faults, whatever single windows in the middle say."""
    windows = [_window(n) for n in range(8)]
    windows[4] = _window(4, cost=9000.0, rss=10**12, files=99)

    assert [] == faults(windows)


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"rss": 106 * 2**20}, "resident memory (MiB) grew from 100.00 to 106.00"),
        ({"cost": 3400.0}, "processor time of a call, over that of a direct answer grew"),
        ({"files": 63}, "There are 3 more open files"),
        ({"series": 74}, "There are 1 more series of metrics"),
    ],
)
def test_growth_is_told(figures: dict[str, Any], sentence: str) -> None:
    """Each limit that the last windows pass is a sentence."""
    windows = [_window(n) for n in range(6)] + [_window(n, **figures) for n in (6, 7)]
    (found,) = faults(windows)

    assert found.startswith(sentence)


def test_connections_of_a_moment_are_no_growth() -> None:
    """Files that a look finds open and the next one does not were closed."""
    windows = [_window(n) for n in range(7)] + [_window(7, files=72)]

    assert [] == faults(windows)


def test_slow_machine_is_no_growth() -> None:
    """When the yardstick takes as much longer as the bridge, nothing has grown."""
    windows = [_window(n) for n in range(4)]
    windows += [_window(n, cost=6000.0, direct=200.0) for n in range(4, 8)]

    assert [] == faults(windows)
