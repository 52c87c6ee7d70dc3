"""Moving the write-ahead log into the database beside the writer, not in its way.

A checkpoint copies some thousand pages and flushes two files; on the writer's own connection every
commit would wait for it. Readers and one writer go on while another connection does it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from bridge.store._sqlite_file import PAGE, connect
from bridge.store._sqlite_jobs import Step
from bridge.store.protocol import Commit, HistoryRow, StoreUnavailable

# The second pass takes what was committed during the first: little, so that it often ends in a pause
# between two commits, and then the next one starts the log afresh.
_PASSES = 2
# Above this (32 MB) the log is long enough to let a commit wait for its last few pages.
_LOG_PAGES = 32_000

_NICENESS = 15
_CHECKPOINT, _END = True, False

#: A commit rewrites a page of calls, and every other one of history and of its index.
PAGES_PER_COMMIT: Final = 3


class Checkpointer:
    """A thread of its own that checkpoints whenever it is told to."""

    def __init__(self, path: Path, durability: str) -> None:
        self._path = path
        self._durability = durability
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="store-checkpoint", daemon=True)
        self._thread.start()
        self.overdue = False
        """Set here when the log is long, for the writer to copy the rest and take it back."""

    def wake(self) -> bool:
        """Ask for a checkpoint, without waiting; False = this thread has ended for a failure.

        While one is being made nothing is asked: the next one would keep the writer from finishing
        what is overdue, and the log would never start afresh.
        """
        if not self._busy:
            self._busy = True
            self._orders.put(_CHECKPOINT)
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish the checkpoints that were asked for, and end."""
        self._orders.put(_END)
        self._thread.join()

    def _run(self) -> None:
        _step_back()
        # Commits are durable without checkpoints, so nobody has to be told of a failure here: the
        # writer checkpoints instead.
        with contextlib.suppress(sqlite3.Error, StoreUnavailable):
            connection = connect(self._path, self._durability)
            with contextlib.closing(connection):
                while self._orders.get():
                    pages = [checkpoint(connection) for _ in range(_PASSES)]
                    self.overdue = pages[-1] > _LOG_PAGES
                    self._busy = False


def _step_back() -> None:
    """Let whoever has work go first: a checkpoint may take its time, a caller may not.

    On one core that callers keep busy, it still gets twice the time it needs: with the least of all,
    the log grew to more than a hundred megabytes.
    Where the system has no priorities per thread, the process would be meant: then leave it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def checkpoint(connection: sqlite3.Connection) -> int:
    """Copy what can be copied without waiting for a reader; give the pages of the log."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def pages_of(change: Commit) -> int:
    """Tell about how many pages a commit adds to the log."""
    contents = [None if change.call is None else change.call.blob]
    contents += _contents(change.history)
    contents += [file.content for file in change.media]
    contents += [record.blob for record in change.records]
    return _pages(1 + len(change.records), contents)


def pages_of_steps(steps: Sequence[Step]) -> int:
    """Tell about how many pages steps add to the log when they are written together."""
    states = {call.callid: call.blob for call, _ in steps}
    contents = [*states.values(), *(each for _, lines in steps for each in _contents(lines))]
    return _pages(len(steps), contents)


def _contents(lines: Sequence[HistoryRow]) -> Iterator[bytes | None]:
    for line in lines:
        yield line.body
        yield line.document


def _pages(commits: int, contents: Sequence[bytes | None]) -> int:
    return PAGES_PER_COMMIT * commits + sum(map(len, filter(None, contents))) // PAGE


__all__ = ["PAGES_PER_COMMIT", "Checkpointer", "checkpoint", "pages_of", "pages_of_steps"]
