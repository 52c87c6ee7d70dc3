"""Looks after a worker: what it counted so far, and whether it answers at all."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from bridge.health import INSTANCE
from bridge.workers.totals import read
from bridge.workers.worker import Unanswered

if TYPE_CHECKING:
    from bridge.workers.worker import Worker

log = structlog.get_logger()

#: How often a worker is looked at, and how long it may take to answer, in s.
LOOK_S = 5.0
#: A worker that did not answer so many times in a row answers nobody: it is replaced.
MOST_MISSES: Final = 3


async def watch(worker: Worker) -> None:
    """Look after a worker from when it serves until cancelled."""
    await worker.serving.wait()
    now = asyncio.get_running_loop().time
    misses = 0
    while True:
        next_at = now() + LOOK_S
        try:
            alive = await worker.ask("GET", "/healthz", LOOK_S)
        except Unanswered as error:
            misses += 1
            if misses == MOST_MISSES:
                log.error("worker.killed", worker=worker.number, pid=worker.pid, why=str(error))
                worker.signal(signal.SIGKILL)
        else:
            misses = 0
            worker.instance = alive.headers.get(INSTANCE, "")
            with suppress(Unanswered):
                await count(worker, LOOK_S)
        await asyncio.sleep(max(0.0, next_at - now()))


async def count(worker: Worker, timeout_s: float) -> None:
    """Learn what a worker has counted. Raises Unanswered."""
    answer = await worker.ask("GET", "/metrics", timeout_s)
    try:
        worker.snapshot = read(answer.body.decode())
    except ValueError as error:
        raise Unanswered(f"Worker {worker.number} shows no metrics: {error}.") from None


__all__ = ["count", "watch"]
