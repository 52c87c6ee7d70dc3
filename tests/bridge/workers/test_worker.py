from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support_serve import PATIENCE_S, ROOT, SERVE
from support_worker import FOLDER

from bridge.settings import load_settings
from bridge.workers import watch
from bridge.workers.line import Word
from bridge.workers.slots import Slot, close_slots, open_slots
from bridge.workers.watch import count
from bridge.workers.worker import Unanswered, Worker, _safe_path

SETTINGS = load_settings(SERVE).settings
PROGRAM = (str(ROOT / "tests" / "support_worker.py"),)


@pytest.fixture
def slot() -> Iterator[Slot]:
    """Give somewhere to listen."""
    slots = open_slots(SETTINGS.listen, 1)
    yield slots[0]
    close_slots(slots)


@pytest.fixture
async def worker(
    slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    """Give a worker that serves."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    one = Worker(1, SETTINGS, lambda: None, PROGRAM)
    await one.start()
    one.say(Word.LISTEN, 1, slot)
    async with asyncio.timeout(PATIENCE_S):
        await one.serving.wait()
    yield one
    one.signal(signal.SIGKILL)
    await one.ended()


async def test_worker_answers(worker: Worker) -> None:
    """It answers as its admin listener would, and what it counts is kept."""
    answer = await worker.ask("GET", "/healthz", PATIENCE_S, headers={"X-Any": "\udce9"})
    await count(worker, PATIENCE_S)

    head = await worker.ask("HEAD", "/healthz", PATIENCE_S)

    assert (200, "i1") == (answer.status, answer.headers["X-RT-Bridge-Instance"])
    assert (200, b"") == (head.status, head.body)
    assert ["rt_seen"] == [*worker.snapshot]


async def test_worker_that_takes_its_time(worker: Worker) -> None:
    """One that is stopped does not answer, is named in the sentence, and answers again afterwards."""
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(Unanswered, match=r"^Worker 1 did not answer within 0\.05 s\.$"):
        await worker.ask("GET", "/healthz", 0.05)
    os.kill(worker.pid, signal.SIGCONT)

    assert 200 == (await worker.ask("GET", "/healthz", PATIENCE_S)).status


async def test_worker_that_goes_away(worker: Worker) -> None:
    """Who is asked and dies, or is dead, does not answer; that it is dead is seen without asking."""
    os.kill(worker.pid, signal.SIGSTOP)
    asked = asyncio.gather(worker.ask("GET", "/healthz", PATIENCE_S), return_exceptions=True)
    await asyncio.sleep(0)
    worker.signal(signal.SIGKILL)
    (answer,) = await asked
    status = await worker.ended()
    with pytest.raises(Unanswered, match="its line is broken"):
        await worker.ask("GET", "/healthz", PATIENCE_S)
    worker.signal(signal.SIGTERM)

    assert isinstance(answer, Unanswered)
    assert (-signal.SIGKILL, False, True) == (status, worker.able, worker.served)
    assert not worker.say(Word.YIELD, 1)


async def test_worker_that_shows_nonsense(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics that cannot be read leave those that were seen before."""
    await count(worker, PATIENCE_S)
    before = worker.snapshot
    monkeypatch.setattr(watch, "read", _unreadable)
    with pytest.raises(Unanswered, match="Worker 1 shows no metrics: what is that"):
        await count(worker, PATIENCE_S)

    assert before is worker.snapshot


def _unreadable(_: str) -> None:
    raise ValueError("what is that")


async def test_worker_that_was_never_started() -> None:
    """It has no process, and ended as if it had been killed."""
    worker = Worker(1, SETTINGS, lambda: None)

    assert (0, -signal.SIGKILL) == (worker.pid, await worker.ended())


def test_working_directory_is_no_place_for_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker does not look for modules where it runs, unless its supervisor does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/opt/rt-bridge/bin"])
    assert ("-P",) == _safe_path()
    for here in ("", str(tmp_path)):
        monkeypatch.setattr("sys.path", [here])
        assert () == _safe_path()
