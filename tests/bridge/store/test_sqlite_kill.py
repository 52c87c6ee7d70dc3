"""A killed process loses no commit that it was told is safe, and none is there by half."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.store.protocol import Versioned
from bridge.store.sqlite import SqliteStore

_WORKER = Path(__file__).with_name("kill_worker.py")
_ROOT = _WORKER.parents[3]
_ROUNDS = 20
# A block and a half of callids, and one for each of the eight callers of the worker.
_GAP = 48 + 8


def _run_and_kill(path: Path, lines: int) -> tuple[list[int], dict[int, int]]:
    """Kill a worker once it has printed so many lines; give its callids and safe versions."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(
        [sys.executable, str(_WORKER), str(path)], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        printed = [worker.stdout.readline() for _ in range(lines)]
        worker.kill()
        printed += worker.stdout.readlines()
    words = [line.decode().split() for line in printed if line.endswith(b"\n")]
    ids = [int(numbers[0]) for kind, *numbers in words if kind == "id"]
    safe = {int(numbers[0]): int(numbers[1]) for kind, *numbers in words if kind == "ok"}
    return ids, safe


async def _versions(store: SqliteStore, callid: int) -> tuple[list[int], list[int]]:
    """List the versions that the parts of a call carry, and those that its state says they have."""
    state = await store.load_call(callid) or Versioned(0, b"0 0 0")
    room = await store.load_room(f"r{callid}") or Versioned(0, b"0")
    task = await store.outbox_row(f"k{callid}")
    history = await store.history(callid)
    assert list(range(1, len(history) + 1)) == [row.seq for row in history]
    version, count, last = map(int, state.blob.split())
    found = [
        state.version,
        len(history),
        room.version,
        int(room.blob),
        0 if task is None else task.attempts,
    ]
    return found, [version, version, count, last, last]


@pytest.mark.slow
async def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After kills at random moments every acknowledged commit is there whole, callids go on."""
    chance = random.Random(20)
    path = tmp_path / "bridge.db"
    given: list[int] = []
    safe: dict[int, int] = {}

    for _ in range(_ROUNDS):
        last = max(given, default=0)
        ids, acknowledged = _run_and_kill(path, chance.randint(1, 400))
        given += ids
        safe |= acknowledged
        assert len(set(given)) == len(given)
        assert last < min(ids, default=last + 1) <= last + _GAP

        store = SqliteStore(path)
        await store.open()
        for callid in ids:
            found, expected = await _versions(store, callid)
            assert expected == found
            assert found[0] >= safe.get(callid, 0)
        live = await store.live_calls()
        # Leaves as a killed process would: the next worker must cope with what it finds.
        await store.close()
        assert set(live) <= set(given)

    assert 500 < len(safe) + sum(safe.values())
