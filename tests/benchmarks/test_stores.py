"""Turns on each store are compared with the bare proxy of the same round."""

from __future__ import annotations

import os

import pytest
from support_valkey import needs_valkey

from benchmarks import stores
from benchmarks.processes import Cores, worker_cores
from benchmarks.servers import valkey
from benchmarks.stores import SIDES


def test_ratios() -> None:
    """Each store is given as a part of what the bare proxy manages, one worker on Valkey is judged."""
    rates = dict(zip(SIDES, ([100.0], [98.0], [50.0], [45.0], [42.0], [80.0]), strict=True))
    costs = dict(zip(SIDES, ([1.0], [1.0], [2.0], [2.0], [2.2], [2.2]), strict=True))
    behind = {name: [0.0] for name in SIDES} | {"valkey": [0.5]}
    report = stores._report({"rps": rates, "cpu_us": costs, "server_us": behind})
    figures = {row.figure: (round(row.value, 2), row.verdict) for row in report.rows}

    assert (0.42, "met") == figures["valkey / bare two-hop proxy"]
    assert (0.45, "") == figures["valkey / bare, by processor time"]
    assert (0.8, "") == figures["valkey, 2 workers / bare two-hop proxy"]
    assert (1.9, "") == figures["turns/s, 2 workers / 1 worker"]
    assert (1.1, "") == figures["CPU of a turn, valkey / sqlite"]
    assert (0.5, "") == figures["valkey: CPU us/turn behind"]
    assert "memory: CPU us/turn behind" not in figures


def test_cores_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers have two cores besides that of the load, or share what there is."""
    cores = Cores(0, 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3}, raising=False)
    assert frozenset({0, 2}) == worker_cores(cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    assert frozenset({0, 1}) == worker_cores(cores)
    assert worker_cores(Cores(None, None)) is None


@needs_valkey
def test_valkey_of_the_benchmarks() -> None:
    """The server listens on loopback alone and writes nothing to a disk."""
    command = valkey.command(1234)

    assert os.access(command[0], os.X_OK)
    assert ["--port", "1234", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"] == (
        command[1:]
    )
