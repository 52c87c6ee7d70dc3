"""The one way to start background tasks: named, referenced until done, and never silent.

asyncio keeps only weak references to tasks and reports a lost exception when the task is
collected, if ever. Here a failure is logged at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

__all__ = ["background_tasks", "drain", "finished", "spawn"]

#: Longest a cancelled task is waited for, in s.
CANCELLED_FOR_S = 2.0

_T = TypeVar("_T")
_log = structlog.get_logger("bridge.tasks")
_live: set[asyncio.Task[Any]] = set()
_daemons: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, _T], name: str, *, daemon: bool = False) -> asyncio.Task[_T]:
    """Start `coro` as a task of the running loop; an exception is logged as `task.failed`.

    Nobody waits for the end of a daemon: whoever started it has to cancel it.
    """
    task = asyncio.get_running_loop().create_task(coro, name=name)
    (_daemons if daemon else _live).add(task)
    task.add_done_callback(_done)
    return task


def _done(task: asyncio.Task[Any]) -> None:
    _live.discard(task)
    _daemons.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        _log.error("task.failed", task=task.get_name(), exc_info=error)


def background_tasks() -> set[asyncio.Task[Any]]:
    """Give the spawned tasks of the running loop that are not done, the calling one left out."""
    loop, current = asyncio.get_running_loop(), asyncio.current_task()
    return {task for task in _live if task.get_loop() is loop and task is not current}


async def finished() -> None:
    """Wait until every spawned task of this loop is done, and those started meanwhile."""
    while tasks := background_tasks():
        await asyncio.wait(tasks)


async def drain(timeout_s: float) -> int:
    """Wait until every spawned task of this loop is done, at most `timeout_s` seconds.

    Tasks started meanwhile are waited for too; then what is left is cancelled and awaited.
    Returns how many had to be cancelled.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while tasks := background_tasks():
        left = deadline - loop.time()
        if left <= 0:
            break
        await asyncio.wait(tasks, timeout=left)
    late = background_tasks()
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=CANCELLED_FOR_S)
        names = sorted(task.get_name() for task in late)
        _log.warning("tasks.cancelled", tasks=names)
    return len(late)
