"""How the event loop reaches the database: the thread that uses it, and the step log before it.

The loop puts jobs into a queue; the thread takes all that wait, writes the commits among them in
one transaction, and reports once per transaction. So the busier the loop, the larger the groups,
and a slow disk holds up those who wait for it and nobody else.

Without flushes to wait for (`normal`), most commits do not wait for the thread at all: plain steps
are acknowledged once they are in the step log, and written by the thread soon after.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import ChainMap
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bridge.store import _sqlite_rows as rows
from bridge.store._sqlite_checkpoint import Checkpointer, checkpoint, pages_of, pages_of_steps
from bridge.store._sqlite_file import connect, explain
from bridge.store._sqlite_jobs import Ask, Job, Steps, Write
from bridge.store._sqlite_schema import migrate
from bridge.store._sqlite_step_log import StepLog
from bridge.store._sqlite_steps import StepKeeper, recover
from bridge.store.protocol import Commit, Conflict, StoreUnavailable

T = TypeVar("T")

_GROUP = 256
# About 8 MB of log. While a checkpoint flushes, commits may wait for the file system: let that be
# seldom. But a log that is long before it starts afresh has left the system's cache by then, and
# each commit has to wait for the disk to read what it overwrites.
_CHECKPOINT_PAGES = 8_000
_WITHOUT_FLUSH = "normal"
_BAD_VALUE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


class StoreThread:
    """Owns the connection. `start` first, `stop` last; `applied` runs in the loop per commit."""

    def __init__(
        self,
        path: Path,
        durability: str,
        loop: asyncio.AbstractEventLoop,
        applied: Callable[[Write], None],
    ) -> None:
        self._path = path
        self._durability = durability
        self._loop = loop
        self._applied = applied
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._put: list[Job] = []
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._started: asyncio.Future[Any] = loop.create_future()
        self._stopped: asyncio.Future[Any] = loop.create_future()
        self._media: dict[str, float] = {}
        self._pages = 0
        #: Since when nothing could be written, in the loop's time; None = the last commit was.
        self._down_since: float | None = None
        #: None = every commit waits for the thread.
        self._keeper: StepKeeper | None = None
        #: Opened by the thread for it.
        self._log: StepLog | None = None
        #: How many commits of each call are not acknowledged; 0 = of no call.
        self._on_their_way: dict[int, int] = {}
        #: Steps that could not be written; the thread tries again before it writes anything else.
        self._behind: list[Steps] = []
        #: What the thread has taken and not reported yet; it may die of one of them.
        self._taken: list[Job] = []
        #: Why nothing can be asked any more.
        self._ended = ""

    async def start(self, query: Callable[[sqlite3.Cursor], T]) -> T:
        """Open the database and give the answer to a first query, or raise StoreUnavailable."""
        first = Ask(query, self._started)
        self._queue.put([first])
        self._thread.start()
        answer: T = await self._started
        if self._log is not None:
            self._keeper = StepKeeper(self._log, self._loop, self._hand_over, self._acknowledge)
        return answer

    async def stop(self) -> None:
        """Do everything that was put before, then close the database."""
        if self._keeper is not None:
            self._keeper.seal()
        self._hand_over(None)
        await self._stopped
        self._thread.join()
        if self._keeper is not None:
            self._keeper.close()
        elif self._log is not None:
            self._log.close()

    def write(self, change: Commit, replaces: bytes | None) -> asyncio.Future[None]:
        """Put a commit, and the state a steady one replaces; the future is done when it is durable.

        That may be at once.
        """
        write = Write(change, replaces, self._loop.create_future())
        keeper, callid = self._keeper, _callid(change)
        others = self._on_their_way.get(callid, 0)
        self._on_their_way[callid] = others + 1
        if keeper is None or self._ended:
            self._hand_over(write)
        # Of two commits on the same version, only the database can tell which one came too late.
        elif others or not keeper.keep(write):
            keeper.seal()
            self._hand_over(write)
        return write.done

    def ask(
        self,
        query: Callable[[sqlite3.Cursor], T],
        *,
        pages: int = 0,
        steps_of: int | None = None,
    ) -> asyncio.Future[T]:
        """Put a query; for `pages` and `steps_of` see `Ask`."""
        done: asyncio.Future[T] = self._loop.create_future()
        if steps_of is not None and self._keeper is not None:
            self._keeper.seal()
        self._hand_over(Ask(query, done, pages, steps_of))
        return done

    def _hand_over(self, job: Job) -> None:
        """Put a job; the thread is woken once for all that one turn of the loop put."""
        if self._ended:
            self._refuse([job])
            return
        if not self._put:
            self._loop.call_soon(self._flush)
        self._put.append(job)

    def _flush(self) -> None:
        jobs, self._put = self._put, []
        if self._ended:
            self._refuse(jobs)
            return
        self._queue.put(jobs)

    def purge_media(self, cursor: sqlite3.Cursor, now: float, limit: int) -> bool:
        """Delete expired files in the thread; True = there may be more."""
        names = rows.purge_media(cursor, now, limit)
        for name in names:
            self._media.pop(name, None)
        return len(names) == limit

    # --- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        why = f"The store {self._path} is closed."
        try:
            with contextlib.closing(connect(self._path, self._durability)) as connection:
                self._serve(connection.cursor())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for an answer
            self._report([Ask(_nothing, self._started, error=self._explain(error))])
            why = f"The store {self._path} ended by a fault ({error!r}): start the bridge again."
        finally:
            self._tell(self._end, why)

    def _serve(self, cursor: sqlite3.Cursor) -> None:
        migrate(cursor, self._path)
        self._media = rows.media_expiries(cursor)
        self._log = recover(cursor, self._path, stay_open=self._durability == _WITHOUT_FLUSH)
        helper = Checkpointer(self._path, self._durability)
        try:
            while self._turn(cursor, helper):
                pass
        finally:
            helper.stop()

    def _turn(self, cursor: sqlite3.Cursor, helper: Checkpointer) -> bool:
        """Do everything that waits; False = it was told to stop."""
        self._taken = waiting = self._queue.get()
        with contextlib.suppress(Empty):
            while len(waiting) < _GROUP:
                waiting += self._queue.get_nowait()
        trouble = self._write_steps(cursor, helper, [job for job in waiting if type(job) is Steps])
        writes = [job for job in waiting if type(job) is Write]
        if writes and trouble is None:
            self._write(cursor, writes)
        for write in writes:
            write.error = write.error if trouble is None else self._explain(trouble)
        if writes:
            self._report(writes)
            pages = sum(pages_of(write.change) for write in writes)
            self._checkpoint(cursor.connection, helper, pages)
        asks = [job for job in waiting if type(job) is Ask]
        for ask in asks:
            if trouble is not None and self._misses_steps(ask):
                ask.error = self._explain(trouble)
                continue
            try:
                ask.answer = ask.query(cursor)
            except Exception as error:  # noqa: BLE001 - told to whoever asked
                self._roll_back(cursor)
                ask.error = self._explain(error)
        if asks:
            self._checkpoint(cursor.connection, helper, sum(ask.pages for ask in asks))
            self._report(asks)
        self._taken = []
        return None not in waiting

    def _write_steps(
        self, cursor: sqlite3.Cursor, helper: Checkpointer, new: list[Steps]
    ) -> Exception | None:
        """Write what is in the step log; give why it cannot be, and keep it for the next time."""
        waiting = [*self._behind, *new]
        if not waiting:
            return None
        steps = [step for each in waiting for step in each.steps]
        trouble: Exception | None = None
        others: set[int] = set()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            others = rows.write_steps(cursor, steps)
            cursor.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - told to whoever commits next
            self._roll_back(cursor)
            trouble = error
        self._behind = [] if trouble is None else waiting
        if trouble is None:
            self._tell(self._steps_written, (waiting, others))
        else:
            self._tell(self._steps_refused, self._explain(trouble))
        self._checkpoint(cursor.connection, helper, pages_of_steps(steps))
        return trouble

    def _misses_steps(self, ask: Ask) -> bool:
        """Tell whether it has to see steps that could not be written."""
        return ask.steps_of == 0 or any(
            call.callid == ask.steps_of for each in self._behind for call, _ in each.steps
        )

    def _checkpoint(self, connection: sqlite3.Connection, helper: Checkpointer, pages: int) -> None:
        self._pages += pages
        due = self._pages > _CHECKPOINT_PAGES
        if due:
            self._pages = 0
        if helper.overdue or (due and not helper.wake()):
            helper.overdue = False
            with contextlib.suppress(sqlite3.Error):
                checkpoint(connection)

    def _write(self, cursor: sqlite3.Cursor, writes: list[Write]) -> None:
        """Apply all in one transaction; a Conflict concerns its own commit only."""
        staged = ChainMap({}, self._media)
        culprit = False
        try:
            cursor.execute("BEGIN IMMEDIATE")
            culprit = True
            for write in writes:
                try:
                    rows.apply(cursor, write.change, staged, steady=write.replaces is not None)
                except Conflict as conflict:
                    write.error = conflict
            culprit = False
            cursor.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - told to whoever committed
            self._roll_back(cursor)
            for write in writes:
                write.error = self._explain(error)
            if culprit and len(writes) > 1:
                # One of them cannot be written, for instance a number too large for SQLite: alone,
                # each has its own fate.
                for write in writes:
                    write.error = None
                    self._write(cursor, [write])
            return
        self._media.update(staged.maps[0])

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        with contextlib.suppress(sqlite3.Error):
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")

    def _explain(self, error: BaseException) -> BaseException:
        """Turn what the file or the disk did into StoreUnavailable; bad values stay as they are."""
        if isinstance(error, _BAD_VALUE):
            return error
        if isinstance(error, sqlite3.Error | OSError):
            explained = explain(self._path, error)
            explained.__cause__ = error
            return explained
        return error

    def _report(self, jobs: Sequence[Write | Ask]) -> None:
        self._tell(self._settle, jobs)

    def _tell(self, callback: Callable[[T], None], value: T) -> None:
        # The loop may be closed already when the process ends without closing the store.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, value)

    # --- in the loop --------------------------------------------------------------------------

    def _end(self, why: str) -> None:
        """Refuse what the thread has left undone, and all that comes."""
        self._ended = why
        self._refuse(self._taken)
        with contextlib.suppress(Empty):
            while True:
                self._refuse(self._queue.get_nowait())
        self._settle([Ask(_nothing, self._stopped)])

    def _refuse(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            # Steps are in their log still.
            if isinstance(job, Write | Ask) and not job.done.done():
                job.done.set_exception(StoreUnavailable(self._ended))

    def _settle(self, jobs: Sequence[Write | Ask]) -> None:
        """Take the thread's answers."""
        for job in jobs:
            done = job.done
            if job.error is None:
                if type(job) is Write:
                    self._down_since = None
                    self._acknowledge([job])
                elif not done.done():
                    done.set_result(job.answer)
                continue
            if type(job) is Write:
                self._arrived(job.change)
            self._note(job.error)
            if not done.done():
                done.set_exception(job.error)

    def _acknowledge(self, writes: Sequence[Write]) -> None:
        """Tell who committed that it is durable."""
        for write in writes:
            self._arrived(write.change)
            self._applied(write)
            if not write.done.done():
                write.done.set_result(None)

    def _arrived(self, change: Commit) -> None:
        callid = _callid(change)
        left = self._on_their_way.pop(callid) - 1
        if left:
            self._on_their_way[callid] = left

    def _steps_written(self, told: tuple[list[Steps], set[int]]) -> None:
        """Take back the halves of the log whose steps are in the database."""
        written, others = told
        self._down_since = None
        for callid in others:
            # For good: from here on the database refuses what comes, because it knows better.
            self._on_their_way[callid] = self._on_their_way.get(callid, 0) + 1
        if self._keeper is not None:
            self._keeper.written(written)

    def _steps_refused(self, error: BaseException) -> None:
        """Acknowledge no more steps until those before them are written."""
        self._note(error)
        if self._keeper is not None:
            self._keeper.pause()

    def _note(self, error: BaseException) -> None:
        """Remember since when nothing can be written, and tell it."""
        if isinstance(error, StoreUnavailable) and error.down_s:
            now = self._loop.time()
            self._down_since = now if self._down_since is None else self._down_since
            error.down_s = max(error.down_s, now - self._down_since)


def _callid(change: Commit) -> int:
    """Give the callid of a commit, 0 = it is of no call."""
    return 0 if change.call is None else change.call.callid


def _nothing(_cursor: sqlite3.Cursor) -> None:
    pass


__all__ = ["StoreThread"]
