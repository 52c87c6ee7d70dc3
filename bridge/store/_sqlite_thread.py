"""How the event loop reaches the database: the thread that uses it, and the short way past it.

The loop puts jobs into a queue; the thread takes all that wait, writes the commits among them in
one transaction, and reports once per transaction. So the busier the loop, the larger the groups,
and a slow disk holds up those who wait for it and nobody else.

Without flushes to wait for (`normal`), the loop writes the small commits of each of its turns
itself, as one group: handing them over and being woken again takes several times as long.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, TypeVar

from bridge.store import _sqlite_rows as rows
from bridge.store._sqlite_checkpoint import PAGES_PER_COMMIT, Checkpointer, checkpoint, pages_of
from bridge.store._sqlite_file import connect, explain
from bridge.store._sqlite_schema import migrate
from bridge.store.protocol import Commit, Conflict, StoreUnavailable

T = TypeVar("T")

_GROUP = 256
# About 8 MB of log. While a checkpoint flushes, commits may wait for the file system: let that be
# seldom. But a log that is long before it starts afresh has left the system's cache by then, and
# each commit has to wait for the disk to read what it overwrites.
_CHECKPOINT_PAGES = 8_000
_WITHOUT_FLUSH = "normal"
# Commits with more than about 256 KB would hold up the loop.
_INLINE_PAGES = 256
_INLINE_PATIENCE_MS = 5
# A commit that comes so long (s) after the last one is not likely to be one of many.
_ALONE_S = 0.0003
_BAD_VALUE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


@dataclass(slots=True, eq=False)
class Write:
    """A commit on its way; `steady` as in `rows.apply`."""

    change: Commit
    steady: bool
    done: asyncio.Future[None]
    answer: None = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Ask:
    """Anything else to be done in the thread, outside of a transaction; `pages` it may change."""

    query: Callable[[sqlite3.Cursor], Any]
    done: asyncio.Future[Any]
    pages: int = 0
    answer: Any = None
    error: BaseException | None = None


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
        self._queue: SimpleQueue[list[Write | Ask | None]] = SimpleQueue()
        self._put: list[Write | Ask | None] = []
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._started: asyncio.Future[Any] = loop.create_future()
        self._stopped: asyncio.Future[Any] = loop.create_future()
        self._media: dict[str, float] = {}
        self._pages = 0
        #: The loop's own connection for small groups of commits; None = the thread writes them all.
        self._inline: sqlite3.Connection | None = None
        #: Since when nothing could be written, in the loop's time; None = the last commit was.
        self._down_since: float | None = None
        #: When the loop wrote last, by `perf_counter`.
        self._wrote_at = 0.0
        self._helper: Checkpointer | None = None
        #: Jobs the thread was given and has not answered.
        self._out = 0
        #: Questions whose answer has not reached who asked.
        self._unheard = 0
        #: What the thread has taken and not reported yet; it may die of one of them.
        self._taken: list[Write | Ask | None] = []
        #: Why nothing can be asked any more.
        self._ended = ""

    async def start(self, query: Callable[[sqlite3.Cursor], T]) -> T:
        """Open the database and give the answer to a first query, or raise StoreUnavailable."""
        first = Ask(query, self._started)
        self._pass_on([first])
        self._thread.start()
        answer: T = await self._started
        if self._durability == _WITHOUT_FLUSH:
            self._inline = connect(self._path, self._durability)
            self._inline.execute(f"PRAGMA busy_timeout = {_INLINE_PATIENCE_MS}")
        return answer

    async def stop(self) -> None:
        """Do everything that was put before, then close the database."""
        self._hand_over(None)
        await self._stopped
        self._thread.join()
        if self._inline is not None:
            self._inline.close()
            self._inline = None

    def write(self, change: Commit, *, steady: bool) -> asyncio.Future[None]:
        """Put a commit; the future is done when it is durable, which it may be already."""
        write = Write(change, steady, self._loop.create_future())
        if not self._write_alone(write):
            self._hand_over(write)
        return write.done

    def ask(self, query: Callable[[sqlite3.Cursor], T], *, pages: int = 0) -> asyncio.Future[T]:
        """Put a query; one that changes much says about how many pages."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._unheard += 1
        # The first of its callbacks: the loop runs it, and then at once whoever waits for it.
        done.add_done_callback(self._heard)
        self._hand_over(Ask(query, done, pages))
        return done

    def _heard(self, _: asyncio.Future[Any]) -> None:
        self._unheard -= 1

    def _hand_over(self, job: Write | Ask | None) -> None:
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
        # Nothing may overtake what the thread has not answered yet: who reads and then writes must
        # hear of both in that order.
        if self._inline is not None and not self._out:
            jobs = self._write_inline(self._inline.cursor(), jobs)
        self._pass_on(jobs)

    def _write_alone(self, write: Write) -> bool:
        """Write a commit here and now if none came shortly before; False = it is left to a group.

        Whoever goes on without waiting may overtake those who have their answer and not their turn.
        """
        if (
            self._inline is None
            or self._out
            or self._unheard
            or self._put
            or self._ended
            or perf_counter() - self._wrote_at < _ALONE_S
        ):
            return False
        return not self._write_inline(self._inline.cursor(), [write])

    def _pass_on(self, jobs: list[Write | Ask | None]) -> None:
        if jobs:
            self._out += len(jobs)
            self._queue.put(jobs)

    def _write_inline(
        self, cursor: sqlite3.Cursor, jobs: list[Write | Ask | None]
    ) -> list[Write | Ask | None]:
        """Write the commits of this turn of the loop here and now; give what is for the thread.

        Without a flush a group takes some tens of microseconds, less than waking a thread for it.
        What is large, or finds the file taken by another writer, is left to the thread.
        """
        writes = [job for job in jobs if type(job) is Write]
        pages = sum(pages_of(write.change) for write in writes)
        if not writes or pages > _INLINE_PAGES + PAGES_PER_COMMIT * len(writes):
            return jobs
        self._write(cursor, writes)
        if any(_is_busy(write.error) for write in writes):
            for write in writes:
                write.error = None
            return jobs
        self._wrote_at = perf_counter()
        self._resolve(writes)
        self._pages += pages
        helper = self._helper
        if helper is not None and (helper.overdue or self._pages > _CHECKPOINT_PAGES):
            # Copying is the helper's work; only a log that grew too long is the thread's.
            self._pass_on([Ask(_nothing, self._loop.create_future(), self._pages)])
            self._pages = 0
        return [job for job in jobs if type(job) is not Write]

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
        self._helper = helper = Checkpointer(self._path, self._durability)
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
        writes = [job for job in waiting if type(job) is Write]
        if writes:
            self._write(cursor, writes)
            # Before the loop hears of it, and writes: a log starts afresh when all of it was copied.
            pages = sum(pages_of(write.change) for write in writes)
            self._checkpoint(cursor.connection, helper, pages)
            self._report(writes)
        asks = [job for job in waiting if type(job) is Ask]
        for ask in asks:
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
        if len(writes) == 1 and rows.is_one_statement(writes[0].change, steady=writes[0].steady):
            self._write_statement(cursor, writes[0])
            return
        staged = ChainMap({}, self._media)
        culprit = False
        try:
            cursor.execute("BEGIN IMMEDIATE")
            culprit = True
            for write in writes:
                try:
                    rows.apply(cursor, write.change, staged, steady=write.steady)
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

    def _write_statement(self, cursor: sqlite3.Cursor, write: Write) -> None:
        """Apply a commit that is a transaction by itself."""
        try:
            rows.apply(cursor, write.change, {}, steady=write.steady)
        except Exception as error:  # noqa: BLE001 - told to whoever committed
            write.error = self._explain(error)

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

    def _refuse(self, jobs: Sequence[Write | Ask | None]) -> None:
        for job in jobs:
            if job is not None and not job.done.done():
                job.done.set_exception(StoreUnavailable(self._ended))

    def _settle(self, jobs: Sequence[Write | Ask]) -> None:
        """Take the thread's answers."""
        self._out -= len(jobs)
        self._resolve(jobs)

    def _resolve(self, jobs: Sequence[Write | Ask]) -> None:
        for job in jobs:
            done = job.done
            if job.error is None:
                if type(job) is Write:
                    self._down_since = None
                    self._applied(job)
                if not done.done():
                    done.set_result(job.answer)
                continue
            if isinstance(job.error, StoreUnavailable) and job.error.down_s:
                now = self._loop.time()
                self._down_since = now if self._down_since is None else self._down_since
                job.error.down_s = max(job.error.down_s, now - self._down_since)
            if not done.done():
                done.set_exception(job.error)


def _is_busy(error: BaseException | None) -> bool:
    """Tell whether another connection held the file, so that nothing was written."""
    cause = error.__cause__ if error is not None else None
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorname.startswith("SQLITE_BUSY")


def _nothing(_cursor: sqlite3.Cursor) -> None:
    pass


__all__ = ["StoreThread", "Write"]
