"""When a worker that does not answer is killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bridge.tasks import spawn
from bridge.workers import watch
from bridge.workers.worker import Answer, Unanswered

if TYPE_CHECKING:
    from bridge.workers.worker import Worker


async def _signals(
    monkeypatch: pytest.MonkeyPatch, answers: Iterable[bool]
) -> list[signal.Signals]:
    """Look after a worker that answers, or does not, as told; give the signals it was sent."""
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    left, over, sent = iter(answers), asyncio.Event(), list[signal.Signals]()

    async def ask(_: str, target: str, __: float) -> Answer:
        if target != "/healthz":
            return Answer(200, {}, b"")
        answer = next(left, None)
        if answer is None:
            over.set()
            return await asyncio.Future()
        if not answer:
            raise Unanswered("It did not.")
        return Answer(200, {}, b"")

    serving = asyncio.Event()
    serving.set()
    worker = SimpleNamespace(
        serving=serving, ask=ask, signal=sent.append, number=1, pid=1, instance="", snapshot={}
    )
    watching = spawn(watch.watch(cast("Worker", worker)), "watch", daemon=True)
    async with asyncio.timeout(10):
        await over.wait()
    watching.cancel()
    return sent


async def test_worker_that_answers_now_and_then_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only looks in a row count: one that is slow at times is not killed."""
    assert [] == await _signals(monkeypatch, [False, False, True] * 4)


async def test_worker_that_answers_no_more_is_killed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third look in a row without an answer is the last one it gets."""
    assert [signal.SIGKILL] == await _signals(monkeypatch, [True, False, False, False, False])
