"""Plain steps of live calls: acknowledged once they are in the step log, written soon after.

Most commits are such steps. The database takes some tenths of a millisecond for one when little is
going on, and much longer while the file system is busy; nobody has to wait for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bridge.store import _sqlite_rows as rows
from bridge.store._sqlite_jobs import Step, Steps, Write
from bridge.store._sqlite_step_log import StepLog, checksum
from bridge.store.protocol import Commit, Conflict

# For so long (s) steps are collected before the thread is given them: one group of many takes less
# than many groups, and gets seldom into the way of a caller.
_DELAY_S = 0.25
# When more than so many have come, the thread is given them soon if it keeps up: with too many, it
# would share the interpreter with the loop for a few milliseconds.
_MANY = 32
# Soon is when the turn of the last one is likely to be over (s): of an app that answers at once, the
# thread would take the core just when the answer comes.
_SOON_S = 0.0025
# A step that comes so long (s) after the last one is not likely to be one of many. Of many, those
# of one turn of the loop go on together: many callers served in the same phase cost a quarter less.
_ALONE_S = 0.0003


class StepKeeper:
    """Keeps the steps of an open database in its log; for the event loop.

    `hand_over` gives a job to the thread, `acknowledge` tells who committed that it is durable.
    """

    def __init__(
        self,
        log: StepLog,
        loop: asyncio.AbstractEventLoop,
        hand_over: Callable[[Steps], None],
        acknowledge: Callable[[list[Write]], None],
    ) -> None:
        self._log = log
        self._loop = loop
        self._hand_over = hand_over
        self._acknowledge = acknowledge
        #: What the thread was not given yet.
        self._kept: list[Step] = []
        #: When the thread is given them at the latest, and when because they are many.
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None
        #: What is durable and not acknowledged; when the last ones were.
        self._waiting: list[Write] = []
        self._told_at = 0.0
        #: The database cannot be written: nothing more is taken.
        self._stuck = False

    def keep(self, write: Write) -> bool:
        """Make a commit durable and see that it is acknowledged; False = it is not for the log."""
        if self._stuck or write.replaces is None or not self._add(write.change, write.replaces):
            return False
        if self._waiting:
            self._waiting.append(write)
        elif perf_counter() - self._told_at < _ALONE_S:
            self._waiting = [write]
            self._loop.call_soon(self._acknowledge_waiting)
        else:
            self._acknowledge([write])
            self._told_at = perf_counter()
        return True

    def seal(self) -> None:
        """Give the thread what was kept, so that it does what it is asked next after it."""
        if self._kept:
            kept, self._kept = self._kept, []
            self._hand_over(Steps(kept, self._log.seal()))

    def written(self, written: list[Steps]) -> None:
        """Learn what the database has."""
        self._stuck = False
        for each in written:
            self._log.release(each.half)

    def pause(self) -> None:
        """Learn that steps cannot be written: take no more until they are."""
        self._stuck = True

    def close(self) -> None:
        """Let go of the log; what the database does not have stays in it for the next start."""
        for timer in (self._timer, self._soon):
            if timer is not None:
                timer.cancel()
        self._log.close()

    def _add(self, change: Commit, replaces: bytes) -> bool:
        if (step := _step_of(change)) is None:
            return False
        if not self._log.add(step, replaces):
            self.seal()
            if not self._log.add(step, replaces):
                return False
        self._kept.append(step)
        if self._soon is None and len(self._kept) >= _MANY and self._log.has_spare:
            self._soon = self._loop.call_later(_SOON_S, self._enough)
        if self._timer is None:
            self._timer = self._loop.call_later(_DELAY_S, self._collected)
        return True

    def _collected(self) -> None:
        self._timer = None
        self.seal()

    def _enough(self) -> None:
        self._soon = None
        # They may have gone with something else meanwhile; those that came since can wait for more.
        if self._log.has_spare:
            self.seal()

    def _acknowledge_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._acknowledge(waiting)
        self._told_at = perf_counter()


def recover(cursor: sqlite3.Cursor, path: Path, *, stay_open: bool) -> StepLog | None:
    """Write to the database what a killed process has left in the log, and perhaps give the log."""
    if not stay_open and not StepLog.path(path).exists():
        return None
    log = StepLog.open(path, rows.secret(cursor))
    try:
        cursor.execute("BEGIN IMMEDIATE")
        for replaced, (call, lines) in log.found():
            state = rows.load_call(cursor, call.callid)
            # It may be there already, or another release may have gone on from what it replaced.
            if state is not None and checksum(state.blob) == replaced:
                with contextlib.suppress(Conflict):
                    rows.apply(cursor, Commit(call, history=[*lines]), {}, steady=True)
        cursor.execute("COMMIT")
    except BaseException:
        log.close()
        raise
    log.begin()
    if stay_open:
        return log
    log.close()
    return None


def _step_of(change: Commit) -> Step | None:
    """Give the step that a commit is, unless it changes anything else."""
    if change.call is None or (
        change.outbox
        or change.outbox_swap
        or change.media
        or change.recordings
        or change.records
        or change.room
    ):
        return None
    return change.call, tuple(change.history)


__all__ = ["StepKeeper", "recover"]
