from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import structlog

from bridge import tasks
from bridge.tasks import drain, finished, spawn


async def test_a_task_has_its_name_and_result() -> None:
    """A spawned task carries the name given and returns what the coroutine returns."""

    async def answer() -> int:
        return 42

    task = spawn(answer(), "answer")

    assert "answer" == task.get_name()
    assert 42 == await task


async def test_a_failure_is_logged_with_its_name() -> None:
    """An exception nobody awaits is logged at once, with the name of the task."""
    error = ValueError("broken")

    async def fail() -> None:
        raise error

    with structlog.testing.capture_logs() as logs:
        spawn(fail(), "outbox")
        await drain(5)

    assert [
        {"event": "task.failed", "task": "outbox", "exc_info": error, "log_level": "error"}
    ] == logs


async def test_a_cancelled_task_is_not_a_failure() -> None:
    """Cancelling a task logs nothing."""
    with structlog.testing.capture_logs() as logs:
        task = spawn(asyncio.Event().wait(), "waits")
        task.cancel()
        await asyncio.wait([task])
        await drain(5)

    assert [] == logs
    assert task.cancelled()


async def test_drain_waits_for_tasks_started_meanwhile() -> None:
    """Work that starts more work is finished as a whole."""
    done: list[str] = []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        await asyncio.sleep(0)
        spawn(second(), "second")
        done.append("first")

    spawn(first(), "first")

    assert 0 == await drain(5)
    assert ["first", "second"] == done


async def test_drain_cancels_what_does_not_end() -> None:
    """After the time is over, what is left is cancelled, awaited, counted and named."""
    cleaned = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    task = spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)

    with structlog.testing.capture_logs() as logs:
        assert 1 == await drain(0)

    assert cleaned.is_set()
    assert task.cancelled()
    assert [{"event": "tasks.cancelled", "tasks": ["stubborn"], "log_level": "warning"}] == logs


async def test_drain_does_not_wait_for_itself() -> None:
    """A spawned task may drain the others."""

    async def stop() -> int:
        return await drain(5)

    assert 0 == await spawn(stop(), "stop")


async def test_nobody_waits_for_a_daemon() -> None:
    """A daemon goes on while the others are waited for; its failure is logged all the same."""
    end = asyncio.Event()
    error = ValueError("broken")

    async def fail() -> None:
        await end.wait()
        raise error

    with structlog.testing.capture_logs() as logs:
        daemon = spawn(fail(), "store:connect", daemon=True)
        assert 0 == await drain(5)
        assert not daemon.done()
        end.set()
        await asyncio.wait({daemon})

    assert [("task.failed", "store:connect")] == [(line["event"], line["task"]) for line in logs]


async def test_finished_waits_without_a_limit() -> None:
    """All spawned tasks are waited for, those started meanwhile included; daemons are not."""
    opened = asyncio.Event()
    done: list[str] = []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        await opened.wait()
        spawn(second(), "second")

    spawn(first(), "first")
    daemon = spawn(asyncio.Event().wait(), "daemon", daemon=True)
    waiting = asyncio.gather(finished())
    assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
    opened.set()
    await waiting

    assert ["second"] == done
    daemon.cancel()


async def test_task_that_does_not_mind_being_cancelled_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cancelled task that goes on is left behind after a while."""
    monkeypatch.setattr(tasks, "CANCELLED_FOR_S", 0.01)
    opened = asyncio.Event()

    async def deaf() -> None:
        while not opened.is_set():
            with suppress(asyncio.CancelledError):
                await opened.wait()

    task = spawn(deaf(), "deaf")
    await asyncio.sleep(0)

    assert 1 == await drain(0)
    assert not task.done()
    opened.set()
    await task
