"""What the SQLite store promises beyond the port: its file, its errors, its threads."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support_store import call, file, line, task

from bridge.store import _sqlite_checkpoint, _sqlite_file, _sqlite_thread, sqlite
from bridge.store._sqlite_checkpoint import Checkpointer
from bridge.store._sqlite_file import connect
from bridge.store._sqlite_schema import MIGRATIONS, migrate
from bridge.store.protocol import Commit, Conflict, OutboxRow, StoreUnavailable, Versioned
from bridge.store.sqlite import SqliteStore
from bridge.tasks import spawn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "bridge.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """Open an empty store."""
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _make_directory(path: Path) -> None:
    path.mkdir()


async def _refusal(path: Path) -> str:
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable) as caught:
        await store.open()
    return str(caught.value)


# --- one process, many readers ----------------------------------------------------------------


async def test_file_is_claimed_by_one_store(store: SqliteStore, path: Path) -> None:
    """A second store on the same file is refused with the process that has it, and later not."""
    refusal = await _refusal(path)
    await store.close()
    await store.open()

    assert f"{path} is in use by another bridge (process {os.getpid()}): stop that one" in refusal


async def test_open_store_may_be_opened_again(store: SqliteStore) -> None:
    """Opening what is open changes nothing."""
    await store.commit(Commit(call(1)))
    await store.open()

    assert [1] == await store.live_calls()


async def test_refused_store_can_be_opened_once_the_reason_is_gone(path: Path) -> None:
    """A failed `open` keeps neither the claim nor a thread."""
    before = set(threading.enumerate())
    _overwrite(path, b"no database at all" * 100)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable):
        await store.open()
    _overwrite(path, b"")
    await store.open()
    await store.close()

    assert set() == set(threading.enumerate()) - before


async def test_other_programs_may_read(store: SqliteStore, path: Path) -> None:
    """A reader sees what was committed and holds up nobody, even in the middle of reading."""
    await store.commit(Commit(call(1), history=[line(1, 1)]))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    seen = reader.execute("SELECT callid, seq FROM history").fetchall()
    await store.commit(Commit(call(1, 1)))
    reader.close()

    assert [(1, 1)] == seen
    assert Versioned(2, b"{}") == await store.load_call(1)


async def test_writer_beside_the_store_is_reported(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that another program keeps from being written fails; the next one succeeds."""
    await store.close()
    monkeypatch.setattr(_sqlite_file, "_BUSY_SECONDS", 0.01)
    await store.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    changes = [Commit(call(n)) for n in (1, 2)]

    answers = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)
    with pytest.raises(StoreUnavailable, match="another program is writing"):
        await store.ping()
    other.execute("ROLLBACK")
    other.close()
    await store.commit(changes[0])

    assert [StoreUnavailable] * 2 == [type(answer) for answer in answers]
    assert "another program is writing to it; close that program" in str(answers[0])
    assert [1] == await store.live_calls()


async def test_file_is_private(store: SqliteStore, path: Path) -> None:
    """Database, log and claim can be read by their owner alone."""
    await store.commit(Commit(call(1)))

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert dict.fromkeys(modes, 0o600) == modes
    assert {"bridge.db", "bridge.db-wal", "bridge.db.lock"} <= set(modes)


# --- files that cannot be used ----------------------------------------------------------------


async def test_missing_directory_is_named(tmp_path: Path) -> None:
    """The sentence names the directory to create."""
    refusal = await _refusal(tmp_path / "no" / "a.db")

    assert f"The directory {tmp_path}/no does not exist: create it" in refusal


async def test_directory_is_no_file(tmp_path: Path) -> None:
    """A directory in the place of the file is called one."""
    assert f"{tmp_path} is a directory: name a file" in await _refusal(tmp_path)


async def test_unwritable_directory_is_named() -> None:
    """Where nothing can be created, the sentence says why."""
    refusal = await _refusal(Path("/proc/bridge.db"))

    assert "The store /proc/bridge.db cannot be used: " in refusal


async def test_disk_without_locks_is_explained(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked, the store is not opened without a claim."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    assert f"The store {path} cannot be used: No locks available." == await _refusal(path)


def test_disk_without_a_write_ahead_log_is_refused() -> None:
    """SQLite in any other mode would be slower and unsafe beside readers, so it is not used."""
    with pytest.raises(StoreUnavailable, match="use a local disk"):
        connect(Path(":memory:"), "normal")


async def test_unreadable_claim_is_explained(path: Path) -> None:
    """A directory in the place of the lock file does not end in a traceback."""
    _make_directory(Path(f"{path}.lock"))

    assert f"The store {path} cannot be used: Is a directory." == await _refusal(path)


async def test_file_of_another_kind_is_refused(path: Path) -> None:
    """A file that is no database is left as it is."""
    content = b"-- notes, not a database --" * 100
    _overwrite(path, content)

    assert "it is not a database; restore a backup" in await _refusal(path)
    assert content == _content(path)


async def test_database_of_another_program_is_refused(path: Path) -> None:
    """A database with tables of somebody else is not migrated."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (name)")
    other.close()

    assert "is a database of another program" in await _refusal(path)


async def test_file_of_a_newer_release_is_refused(store: SqliteStore, path: Path) -> None:
    """A schema number this release does not know is named together with the one it knows."""
    await store.close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    expected = f"written by a newer release (schema 99, this release knows {len(MIGRATIONS)})"
    assert expected in await _refusal(path)


async def test_damaged_file_is_reported(store: SqliteStore, path: Path) -> None:
    """Pages that make no sense end in a sentence, at the latest when they are read."""
    await store.commit(Commit(call(1), history=[line(1, 1, body=b"x" * 50_000)]))
    await store.close()
    content = _content(path)
    _overwrite(path, content[:4096] + os.urandom(len(content) - 4096))

    assert "it is damaged; restore a backup" in await _refusal(path)


async def _tell(store: SqliteStore, tell: Callable[[sqlite3.Connection], object]) -> None:
    """Tell the connection of the store's thread."""
    await store._thread.ask(lambda cursor: tell(cursor.connection) and None)


@pytest.fixture(params=["normal", "full"])
async def either(path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SqliteStore]:
    """Give a store with a step log, and one without."""
    store = SqliteStore(path, request.param)
    await store.open()
    yield store
    await store.close()


async def test_full_disk_is_reported_and_changes_nothing(either: SqliteStore) -> None:
    """Commits that do not fit fail with the reason; what was there is there, and goes on."""
    await either.commit(Commit(call(1)))
    pages = await either._thread.ask(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await _tell(either, lambda c: c.execute(f"PRAGMA max_page_count = {pages}"))
    huge = [line(1, 2, body=b"x" * 100_000)]

    down_s = [0.0]
    for base in (1, 1):
        with pytest.raises(StoreUnavailable, match="the disk is full; free some space") as full:
            await either.commit(Commit(call(1, base, blob=b"lost"), history=huge))
        down_s.append(full.value.down_s)
    await _tell(either, lambda c: c.execute("PRAGMA max_page_count = 100000"))

    assert Versioned(1, b"{}") == await either.load_call(1)
    await either.commit(Commit(call(1, 1, blob=b"kept"), history=huge))
    assert Versioned(2, b"kept") == await either.load_call(1)
    assert down_s[0] < down_s[1] <= down_s[2]
    assert None is either._thread._down_since


class _Death(BaseException):
    """What no handler of the store's thread expects."""


async def test_thread_that_dies_leaves_nobody_waiting(path: Path) -> None:
    """A fault in the store's thread refuses what waits and what comes, and says what to do."""
    store = SqliteStore(path, "full")
    await store.open()
    begun, gate = threading.Event(), threading.Event()

    def dies(_: sqlite3.Cursor) -> None:
        begun.set()
        gate.wait(5)
        raise _Death

    await store.commit(Commit(call(1)))
    beside = [spawn(_asked(store, dies), "dies"), spawn(store.outbox_size(), "beside")]
    assert await asyncio.to_thread(begun.wait, 5)
    behind = [spawn(store.commit(Commit(call(2))), "behind"), spawn(store.ping(), "behind")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(5):
        answers: list[object] = await asyncio.gather(*beside, *behind, return_exceptions=True)
        late = [store.ping(), store.commit(Commit(call(4)))]
        answers += await asyncio.gather(*late, return_exceptions=True)

    sentence = r"bridge\.db ended by a fault \(_Death\(\)\): start the bridge again"
    for answer in answers:
        assert isinstance(answer, StoreUnavailable)
        assert re.search(sentence, str(answer))
    assert 6 == len(answers)
    with pytest.raises(StoreUnavailable):
        await store.close()
    await store.open()
    assert [1] == await store.live_calls()
    await store.close()


async def _asked(store: SqliteStore, query: Callable[[sqlite3.Cursor], None]) -> None:
    await store._thread.ask(query)


async def test_job_put_while_the_thread_dies(store: SqliteStore) -> None:
    """What is put in the very turn in which the end becomes known is refused too."""
    thread = store._thread
    asked = spawn(store.outbox_size(), "asked")
    await asyncio.sleep(0)
    thread._end("The store is gone.")
    with pytest.raises(StoreUnavailable, match=r"The store is gone\."):
        await asked
    # The thread lives on, to be stopped like any other.
    thread._ended, thread._stopped = "", asyncio.get_running_loop().create_future()


# --- groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Commit(call(2), history=[line(2**70, 1)]), OverflowError),
        (Commit(call(2), outbox=[task("\ud800")]), UnicodeEncodeError),
        (Commit(call(2, blob=None), media=[file("m", 9.0)]), sqlite3.IntegrityError),  # type: ignore[arg-type]
        (Commit(call(2, blob=[])), sqlite3.ProgrammingError | sqlite3.InterfaceError),  # type: ignore[arg-type]
    ],
)
async def test_value_that_cannot_be_stored_concerns_its_own_commit(
    store: SqliteStore, bad: Commit, error: type[Exception]
) -> None:
    """Of commits made at the same moment, one that cannot be written at all fails alone."""
    changes = [Commit(call(1)), bad, Commit(call(3)), Commit(call(1)), Commit(call(4))]

    answers = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)

    assert [True, False, True] == [answers[n] is None for n in (0, 1, 2)]
    assert isinstance(answers[1], error)
    assert isinstance(answers[3], Conflict)
    assert [1, 3, 4] == await store.live_calls()
    assert None is await store.load_call(2)
    assert None is await store.media("m", 0.0)


async def test_pages_of_a_file(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """A new file has small pages, and one that has larger ones already is used as it is."""
    older = tmp_path / "older.db"
    with contextlib.closing(sqlite3.connect(older, isolation_level=None)) as made:
        made.execute("PRAGMA page_size = 4096")
        migrate(made.cursor(), older)
    kept = SqliteStore(older)
    await kept.open()
    await kept.commit(Commit(call(1)))
    await kept.close()

    sizes = []
    for file_path in (path, older):
        with contextlib.closing(connect(file_path, "normal")) as connection:
            sizes += connection.execute("PRAGMA page_size").fetchone()
    assert [1024, 4096] == sizes


async def test_waiting_commits_share_a_transaction(either: SqliteStore) -> None:
    """A hundred commits made at once take far fewer transactions than commits."""
    await either.commit(Commit(call(1)))
    statements: list[str] = []
    await _tell(either, lambda c: c.set_trace_callback(statements.append))
    await asyncio.gather(*(either.commit(Commit(call(n))) for n in range(2, 102)))
    await _tell(either, lambda c: c.set_trace_callback(None))

    assert 100 == sum("INSERT INTO call" in statement for statement in statements)
    assert 10 >= statements.count("COMMIT")


async def test_no_commit_overtakes_an_answer(store: SqliteStore) -> None:
    """While an answer is out a commit waits: a row that was seen as due cannot be gone already."""
    row = OutboxRow("a", "kind", 1, 1.0)
    await store.commit(Commit(outbox=[row]))
    begun, gate = threading.Event(), threading.Event()
    order: list[str] = []

    def looks(_: sqlite3.Cursor) -> None:
        begun.set()
        gate.wait(5)

    async def look() -> None:
        await _asked(store, looks)
        order.append("looked")

    async def deliver() -> None:
        await store.commit(Commit(outbox_swap=[(row, None)]))
        order.append("deleted")

    looking = spawn(look(), "looking")
    assert await asyncio.to_thread(begun.wait, 5)
    delivering = spawn(deliver(), "delivering")
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(looking, delivering)

    assert ["looked", "deleted"] == order


async def test_step_of_a_live_call_rewrites_no_index(either: SqliteStore) -> None:
    """The usual step sets no indexed column and reads nothing beforehand."""
    await either.commit(Commit(call(1)))
    statements: list[str] = []
    await _tell(either, lambda c: c.set_trace_callback(statements.append))
    await either.commit(Commit(call(1, 1), history=[line(1, 2)]))
    assert [line(1, 2)] == await either.history(1)
    await _tell(either, lambda c: c.set_trace_callback(None))

    words = [statement.split()[0] for statement in statements]
    assert ["BEGIN", "UPDATE", "INSERT", "COMMIT", "SELECT"] == words
    assert "uuid" not in statements[1]


@pytest.mark.parametrize(("durability", "expected"), [("normal", 1), ("full", 2)])
async def test_durability_is_what_was_asked_for(path: Path, durability: str, expected: int) -> None:
    """`normal` leaves flushing to the system, `full` flushes with every group."""
    store = SqliteStore(path, durability)
    await store.open()
    level = await store._thread.ask(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
    await store.close()

    assert expected == level


async def test_callids_wait_for_a_reservation_only_when_a_block_is_used_up(
    store: SqliteStore,
) -> None:
    """The callids of a block are given at once; a store closed meanwhile gives none twice."""
    given = [await store.allocate_callid() for _ in range(16)]
    burst = asyncio.gather(*(store.allocate_callid() for _ in range(100)), return_exceptions=True)
    await asyncio.sleep(0)
    await store.close()
    answers = await burst
    await store.open()
    next_one = await store.allocate_callid()

    told = given + [answer for answer in answers if isinstance(answer, int)]
    assert list(range(1, len(told) + 1)) == told
    assert len(told) + 1 == next_one


async def test_callids_are_refused_when_none_can_be_reserved(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A used-up block that cannot be renewed is an error, and the count goes on afterwards."""
    await store.close()
    monkeypatch.setattr(_sqlite_file, "_BUSY_SECONDS", 0.01)
    await store.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    given: list[int] = []

    async def take_all() -> None:
        while len(given) < 1000:
            given.append(await store.allocate_callid())

    with pytest.raises(StoreUnavailable, match="another program is writing"):
        await take_all()
    other.execute("ROLLBACK")
    other.close()
    given += [await store.allocate_callid() for _ in range(50)]

    assert list(range(1, len(given) + 1)) == given


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5])
async def test_restart_finds_every_live_call(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many are read at a time, with the state and the version they had; ended ones are not."""
    for callid in (1, 2, 3, 5, 9):
        await store.commit(Commit(call(callid)))
    await store.commit(Commit(call(5, 1, blob=b"five")))
    await store.commit(Commit(call(2, 1, ended=9.0)))
    await store.close()
    monkeypatch.setattr(sqlite, "_AT_ONCE", at_once)
    await store.open()

    assert [1, 3, 5, 9] == await store.live_calls()
    assert Versioned(2, b"five") == await store.load_call(5)
    assert 9 == await store.find_call("APP", "u9")


# --- checkpoints ------------------------------------------------------------------------------


def _log_generation(path: Path) -> bytes:
    """Read the checkpoint sequence number in the header of the write-ahead log."""
    return Path(f"{path}-wal").read_bytes()[12:16]


async def test_log_starts_afresh_while_commits_go_on(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write-ahead log does not grow for ever: now and then it is emptied into the database."""
    monkeypatch.setattr(_sqlite_thread, "_CHECKPOINT_PAGES", 50)
    monkeypatch.setattr(_sqlite_checkpoint, "_LOG_PAGES", 200)
    await store.commit(Commit(call(1)))
    before = _log_generation(path)

    for base in range(1, 20_000):
        await store.commit(Commit(call(1, base), history=[line(1, base)]))
        if before != _log_generation(path):
            break

    assert before != _log_generation(path)


async def test_large_files_count_for_the_log(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hosted file of a megabyte brings the next checkpoint as near as hundreds of steps do."""
    woken: list[int] = []
    number = 0

    def wake(_: Checkpointer) -> bool:
        woken.append(number)
        return True

    monkeypatch.setattr(_sqlite_thread, "_CHECKPOINT_PAGES", 8000)
    monkeypatch.setattr(Checkpointer, "wake", wake)
    for number in range(20):
        await store.commit(Commit(media=[file(f"m{number}", 1.0, bytes(1_000_000))]))
        await store.ping()

    assert [8, 17] == woken


@pytest.mark.parametrize(("limit", "expected"), [(0, True), (1000, False)])
def test_long_log_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, expected: bool
) -> None:
    """The helper asks the writer to finish only when the log is long."""
    monkeypatch.setattr(_sqlite_checkpoint, "_LOG_PAGES", limit)
    writer = connect(path, "normal")
    writer.execute("CREATE TABLE t (x)")
    helper = Checkpointer(path, "normal")
    helper.wake()
    helper.stop()
    writer.close()

    assert expected == helper.overdue


def test_orders_do_not_pile_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked during a checkpoint is not done behind it: the writer may have to finish it."""
    made: list[int] = []
    begun, going_on = threading.Event(), threading.Event()

    def slow(_: sqlite3.Connection) -> int:
        made.append(threading.get_native_id())
        begun.set()
        going_on.wait(60)
        return 0

    monkeypatch.setattr(_sqlite_checkpoint, "checkpoint", slow)
    helper = Checkpointer(path, "normal")
    helper.wake()
    begun.wait(60)
    answers = [helper.wake() for _ in range(3)]
    going_on.set()
    helper.stop()

    assert [True] * 3 == answers
    assert _sqlite_checkpoint._PASSES == len(made)


def test_helper_can_be_asked_again_and_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a checkpoint is made, the next order is taken."""
    made: list[int] = []
    enough = threading.Event()

    def quick(_: sqlite3.Connection) -> int:
        made.append(0)
        if len(made) >= 3 * _sqlite_checkpoint._PASSES:
            enough.set()
        return 0

    monkeypatch.setattr(_sqlite_checkpoint, "checkpoint", quick)
    helper = Checkpointer(path, "normal")
    until = time.monotonic() + 60
    while not enough.is_set() and time.monotonic() < until:
        helper.wake()
    helper.stop()

    assert enough.is_set()


def test_checkpointer_that_cannot_open_the_file_ends(tmp_path: Path) -> None:
    """Without a database to work on the helper ends, and says so when it is woken."""
    helper = Checkpointer(tmp_path / "no" / "a.db", "normal")
    helper.stop()

    assert False is helper.wake()


async def test_writer_takes_the_place_of_a_helper_that_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a helper the log is still emptied."""
    monkeypatch.setattr(Checkpointer, "_run", lambda self: None)
    monkeypatch.setattr(_sqlite_thread, "_CHECKPOINT_PAGES", 10)
    store = SqliteStore(path)
    await store.open()
    for thread in threading.enumerate():
        if thread.name == "store-checkpoint":
            thread.join(30)
    await store.commit(Commit(call(1)))
    before = _log_generation(path)
    for base in range(1, 60):
        await store.commit(Commit(call(1, base)))
        await store.history(1)
    after = _log_generation(path)
    await store.close()

    assert before != after


# --- migrations -------------------------------------------------------------------------------

_SECOND = ("ALTER TABLE call ADD COLUMN extra", "CREATE TABLE more (x)")


async def test_older_file_is_migrated_and_keeps_its_rows(store: SqliteStore, path: Path) -> None:
    """Only the migrations a file has not had are run."""
    await store.commit(Commit(call(1)))
    await store.close()

    connection = connect(path, "normal")
    migrate(connection.cursor(), path, (*MIGRATIONS, _SECOND))
    rows = connection.execute("SELECT callid, extra FROM call").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()

    assert [(1, None)] == rows
    assert len(MIGRATIONS) + 1 == version


async def test_outbox_of_the_first_schema_is_kept(path: Path) -> None:
    """What was still to be delivered by a release without lanes is delivered by this one."""
    connection = connect(path, "normal")
    migrate(connection.cursor(), path, MIGRATIONS[:1])
    connection.execute(
        "INSERT INTO outbox (key, kind, callid, due, attempts, body) VALUES (?, ?, ?, ?, ?, ?)",
        ("a", "final", 1, 2.0, 3, b"body"),
    )
    connection.close()
    store = SqliteStore(path)
    await store.open()

    assert [task("a", 2.0, attempts=3)] == await store.due(2.0, 9)
    await store.close()


async def test_failed_migration_leaves_the_file_as_it_was(store: SqliteStore, path: Path) -> None:
    """A migration that fails in the middle is undone whole."""
    await store.commit(Commit(call(1)))
    await store.close()

    connection = connect(path, "normal")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection.cursor(), path, (*MIGRATIONS, (*_SECOND, "CREATE TABLE call (x)")))
    connection.close()
    await store.open()

    assert [1] == await store.live_calls()
