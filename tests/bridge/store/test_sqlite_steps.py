"""The step log of the SQLite store: what is acknowledged there outlives the process and the disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_store import call, line, task

from bridge.store import _sqlite_rows as rows
from bridge.store import _sqlite_step_log, _sqlite_steps
from bridge.store._sqlite_jobs import Step
from bridge.store._sqlite_step_log import StepLog, checksum
from bridge.store.protocol import (
    CallWrite,
    Commit,
    Conflict,
    HistoryRow,
    StoreUnavailable,
    Versioned,
)
from bridge.store.sqlite import SqliteStore
from bridge.tasks import spawn

_NEVER_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "bridge.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """Open a store with one live call, whose steps stay in the log until something else comes."""
    monkeypatch.setattr(_sqlite_steps, "_DELAY_S", _NEVER_S)
    store = SqliteStore(path)
    await store.open()
    await store.commit(Commit(call(1)))
    yield store
    await store.close()


def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sqlite_steps, "_ALONE_S", 0.0)


def _eager(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Let so many steps go to the thread in the next turn of the loop."""
    _alone(monkeypatch)
    monkeypatch.setattr(_sqlite_steps, "_MANY", many)
    monkeypatch.setattr(_sqlite_steps, "_SOON_S", 0.0)


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as reader:
        return reader.execute(query).fetchall()


def _remove(path: Path) -> None:
    path.unlink()


def _copy(path: Path, folder: Path) -> None:
    folder.mkdir()
    for companion in path.parent.glob(f"{path.name}*"):
        shutil.copy(companion, folder)


@contextlib.asynccontextmanager
async def _killed(
    path: Path, folder: Path, durability: str = "normal"
) -> AsyncIterator[SqliteStore]:
    """Open what a process killed at this moment would leave."""
    _copy(path, folder)
    left = SqliteStore(folder / path.name, durability)
    await left.open()
    yield left
    await left.close()


def _step(base: int, blob: bytes = b"", callid: int = 1) -> Commit:
    return Commit(
        call(callid, base, blob=blob or b"v%d" % (base + 1)), history=[line(callid, base + 1)]
    )


async def _limit(store: SqliteStore, pages: int) -> None:
    """Let the file have so many pages, or as many as it has."""
    sentence = f"PRAGMA max_page_count = {pages}"
    await store._thread.ask(lambda cursor: cursor.execute(sentence).fetchall())


# --- acknowledged at once -----------------------------------------------------------------------


async def test_lone_step_waits_for_nobody(
    store: SqliteStore, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is durable and known before anybody else gets a turn, and before the database has it."""
    _alone(monkeypatch)

    with pytest.raises(StopIteration):
        store.commit(_step(1)).send(None)

    assert Versioned(2, b"v2") == await store.load_call(1)
    assert [(1,)] == _rows(path, "SELECT version FROM call")
    async with _killed(path, tmp_path / "left") as left:
        assert Versioned(2, b"v2") == await left.load_call(1)
        assert [line(1, 2)] == await left.history(1)


async def test_steps_of_one_turn_are_acknowledged_together(store: SqliteStore) -> None:
    """Of many callers, all those of a turn of the loop go on in the next one, in their order."""
    order: list[int] = []
    await asyncio.gather(*(store.commit(Commit(call(n))) for n in range(2, 6)))

    async def commit(callid: int) -> None:
        await store.commit(_step(1, callid=callid))
        order.append(callid)

    await store.commit(_step(1))
    steps = [spawn(commit(callid), "step") for callid in range(2, 6)]
    await asyncio.sleep(0)
    assert [] == order
    await asyncio.sleep(0)
    await asyncio.gather(*steps)

    assert [2, 3, 4, 5] == order


async def test_steps_reach_the_database_by_themselves(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else has to happen: after a while the file has what was acknowledged."""
    monkeypatch.setattr(_sqlite_steps, "_DELAY_S", 0.001)
    written = asyncio.Event()
    steps_written = store._thread._steps_written

    def tell(told: Any) -> None:
        steps_written(told)
        written.set()

    monkeypatch.setattr(store._thread, "_steps_written", tell)
    await store.commit(_step(1))
    await store.commit(_step(2))
    async with asyncio.timeout(10):
        await written.wait()

    assert [(3,)] == _rows(path, "SELECT version FROM call")
    assert [(1, 2), (1, 3)] == _rows(path, "SELECT callid, seq FROM history ORDER BY seq")


async def test_questions_about_steps_see_them(store: SqliteStore) -> None:
    """History and documents are read from the database, after what the log has."""
    await store.commit(_step(1))
    await store.commit(Commit(call(1, 2), history=[line(1, 3, step=7, document=b"<r/>")]))

    assert b"<r/>" == await store.document(1, 7)
    await store.commit(_step(3))
    assert [2, 3, 4] == [row.seq for row in await store.history(1)]


async def test_other_commits_come_after_the_steps_before_them(
    store: SqliteStore, path: Path
) -> None:
    """What the database has to check is checked against the last step."""
    await store.commit(_step(1))
    await store.commit(Commit(call(1, 2, ended=200.0), outbox=[task("final")]))

    assert [(3, 200.0)] == _rows(path, "SELECT version, ended_at FROM call")
    assert task("final") == await store.outbox_row("final")


@pytest.mark.parametrize("others", [[], [task("a")]])
async def test_only_one_of_two_commits_on_a_version(
    store: SqliteStore, others: list[object]
) -> None:
    """Neither the log nor a commit on its way lets a second one pass, whichever was first."""
    first = Commit(call(1, 1, blob=b"first"), outbox=others)  # type: ignore[arg-type]
    for number, changes in enumerate(([first, _step(1)], [_step(2), _step(2)])):
        answers = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)
        assert None is answers[0]
        assert isinstance(answers[1], Conflict)
        assert number + 2 == (await store.load_call(1) or Versioned(0, b"")).version
    await store.history(1)

    assert Versioned(3, b"v3") == await store.load_call(1)


async def test_step_of_another_version_is_refused_at_once(store: SqliteStore) -> None:
    """A step on a version that is gone never gets into the log."""
    await store.commit(_step(1))

    with pytest.raises(Conflict, match="the store has 2"):
        await store.commit(_step(1, b"late"))
    assert Versioned(2, b"v2") == await store.load_call(1)


async def test_full_log_makes_steps_wait_for_the_database(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More steps than both halves hold are all written; none is lost and none overtakes another."""
    monkeypatch.setattr(_sqlite_step_log, "HALF", 4096)
    monkeypatch.setattr(_sqlite_steps, "_DELAY_S", _NEVER_S)
    store = SqliteStore(path)
    await store.open()
    await asyncio.gather(*(store.commit(Commit(call(n))) for n in range(1, 41)))
    for base in range(1, 6):
        blob = b"%d" % base * 900
        await asyncio.gather(*(store.commit(_step(base, blob, callid)) for callid in range(1, 41)))
    async with _killed(path, tmp_path / "left") as left:
        assert [Versioned(6, b"5" * 900)] * 40 == [await left.load_call(n) for n in range(1, 41)]
        assert [[2, 3, 4, 5, 6]] * 40 == [
            [row.seq for row in await left.history(n)] for n in range(1, 41)
        ]
    await store.close()


async def test_second_half_takes_what_the_first_cannot(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half that is full is sent on its way, and nobody has to wait for that."""
    _alone(monkeypatch)
    monkeypatch.setattr(_sqlite_step_log, "HALF", 4096)
    store = SqliteStore(path)
    await store.open()
    await store.commit(Commit(call(1)))
    for base in (1, 2, 3):
        with pytest.raises(StopIteration):
            store.commit(_step(base, bytes(1900))).send(None)
    await store.close()

    assert [(4,)] == _rows(path, "SELECT version FROM call")


@pytest.mark.parametrize("many", [3, 4])
async def test_many_steps_are_given_to_the_thread_soon(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """As many as make a group do not wait for the timer, but for the end of the turn."""
    _eager(monkeypatch, many)
    for base in (1, 2, 3):
        with pytest.raises(StopIteration):
            store.commit(_step(base)).send(None)
    assert [(1,)] == _rows(path, "SELECT version FROM call")
    # The first question may be put before the turn is over, the second one is put after it.
    for _ in range(2):
        await store._thread.ask(lambda _: None)

    assert [(4 if many == 3 else 1,)] == _rows(path, "SELECT version FROM call")
    assert Versioned(4, b"v4") == await store.load_call(1)


async def test_many_steps_wait_for_the_thread(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a group is on its way, the next one grows; a step after that takes it along."""
    _eager(monkeypatch, 2)
    going_on = threading.Event()
    held = store._thread.ask(lambda _: going_on.wait(60))
    try:
        for base in range(1, 6):
            with pytest.raises(StopIteration):
                store.commit(_step(base)).send(None)
            for _ in range(2):
                await asyncio.sleep(0)
    finally:
        going_on.set()
    assert await held
    await store._thread.ask(lambda _: None)
    assert [(3,)] == _rows(path, "SELECT version FROM call")
    await store.commit(_step(6))
    for _ in range(2):
        await store._thread.ask(lambda _: None)

    assert [(7,)] == _rows(path, "SELECT version FROM call")


async def test_group_that_went_with_something_else_is_not_followed_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps that came since keep their half of the log, so that there is room for more."""
    _eager(monkeypatch, 2)
    going_on = threading.Event()
    held = store._thread.ask(lambda _: going_on.wait(60))
    try:
        for base in (1, 2):
            with pytest.raises(StopIteration):
                store.commit(_step(base)).send(None)
        asked = store._thread.ask(lambda _: None, steps_of=1)
        with pytest.raises(StopIteration):
            store.commit(_step(3)).send(None)
        for _ in range(2):
            await asyncio.sleep(0)
        with pytest.raises(StopIteration):
            store.commit(_step(4)).send(None)
    finally:
        going_on.set()
    assert await held
    await asked


async def test_large_step_goes_to_the_database(store: SqliteStore, path: Path) -> None:
    """A state that would fill the log is written by the thread, after what was logged before."""
    large = bytes(_sqlite_step_log.LARGEST)
    await store.commit(_step(1))
    await store.commit(_step(2, large))

    assert [(3, len(large))] == _rows(path, "SELECT version, length(blob) FROM call")


@pytest.mark.parametrize(
    "bad",
    [
        Commit(call(1, 1, at=float("nan"))),
        Commit(call(1, 1, at=10**400)),
        Commit(call(1, 1, blob="x")),  # type: ignore[arg-type]
        Commit(call(1, 1), history=[line(1, 2**70)]),
        Commit(call(1, 1), history=[HistoryRow(1, 2, float("nan"), b"[]")]),
        Commit(call(1, 1), history=[HistoryRow(1, 2, 1.0, None)]),  # type: ignore[arg-type]
    ],
)
async def test_step_that_cannot_be_stored_is_not_acknowledged(
    store: SqliteStore, bad: Commit
) -> None:
    """A value SQLite refuses fails the commit that has it, and the next one succeeds."""
    with pytest.raises((sqlite3.IntegrityError, OverflowError, TypeError)):
        await store.commit(bad)
    await store.commit(_step(1))

    assert [line(1, 2)] == await store.history(1)


async def test_history_of_another_call_is_no_plain_step(store: SqliteStore, path: Path) -> None:
    """A step that adds to the history of another call goes to the database itself."""
    await store.commit(Commit(call(1, 1), history=[line(7, 1)]))

    assert [(7, 1)] == _rows(path, "SELECT callid, seq FROM history")


async def test_commit_may_be_used_again(store: SqliteStore) -> None:
    """What is acknowledged is what the commit was then, whatever becomes of it."""
    change = _step(1)
    await store.commit(change)
    change.call, change.history = call(1, 2, blob=b"v3"), [line(1, 3)]
    await store.commit(change)
    change.history.clear()

    assert [line(1, 2), line(1, 3)] == await store.history(1)
    assert Versioned(3, b"v3") == await store._thread.ask(lambda c: rows.load_call(c, 1))


async def test_call_that_another_program_has_changed(store: SqliteStore, path: Path) -> None:
    """Its steps are not written over what is there; once that is known, commits are refused."""
    await store.commit(Commit(call(2)))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE call SET version = 7 WHERE callid = 1")
    await store.commit(_step(1))
    await store.commit(_step(1, callid=2))
    seen = [await store.history(1), await store.history(2)]
    with pytest.raises(Conflict, match="the store has 7"):
        await store.commit(_step(2))
    await store.commit(_step(2, callid=2))

    assert [[], [line(2, 2)]] == seen
    assert [(7,), (2,)] == _rows(path, "SELECT version FROM call ORDER BY callid")


# --- a disk that cannot be written --------------------------------------------------------------


async def test_full_disk_keeps_what_was_acknowledged(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """Steps wait in the log for room, nothing more is taken, and then all is written in order."""
    await _limit(store, 1)
    big = bytes(30_000)
    await store.commit(_step(1, big))
    with pytest.raises(StoreUnavailable, match="the disk is full; free some space") as asked:
        await store.history(1)
    with pytest.raises(StoreUnavailable, match="the disk is full") as refused:
        await store.commit(_step(2, big))
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await store.commit(Commit(outbox=[task("a")]))
    async with _killed(path, tmp_path / "left") as left:
        assert Versioned(2, big) == await left.load_call(1)
    assert 0 < asked.value.down_s <= refused.value.down_s
    assert None is await store.outbox_row("a")

    await _limit(store, 1_000_000)
    await store.commit(_step(2))
    await store.commit(_step(3))

    assert None is store._thread._down_since
    assert Versioned(4, b"v4") == await store.load_call(1)
    assert [2, 3, 4] == [row.seq for row in await store.history(1)]


async def test_what_a_full_disk_has_can_be_read(store: SqliteStore) -> None:
    """Only who needs the steps that wait is refused; and the store says that it is not ready."""
    document = HistoryRow(2, 1, 1.0, b"[]", 1, b"<r/>")
    await store.commit(Commit(call(2), history=[document]))
    await _limit(store, 1)
    await store.commit(_step(1, bytes(30_000)))

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await store.ping()
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await store.document(1, 1)
    assert b"<r/>" == await store.document(2, 1)
    down = [store._thread._down_since]
    await _limit(store, 1_000_000)
    await store.ping()
    down.append(store._thread._down_since)
    await store.commit(_step(2))

    assert [True, False] == [since is not None for since in down]
    assert [2, 3] == [row.seq for row in await store.history(1)]


async def test_fault_in_the_thread_keeps_what_was_acknowledged(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that meets a fault of another kind stays in the log, and is written the next time."""
    write_steps = rows.write_steps
    faults = [MemoryError()]

    def fails_once(cursor: sqlite3.Cursor, steps: Sequence[Step]) -> set[int]:
        if faults:
            raise faults.pop()
        return write_steps(cursor, steps)

    monkeypatch.setattr(rows, "write_steps", fails_once)
    await store.commit(_step(1))
    with pytest.raises(MemoryError):
        await store.history(1)
    await store.commit(_step(2))

    assert [2, 3] == [row.seq for row in await store.history(1)]


async def test_thread_that_dies_leaves_steps_to_the_next_start(store: SqliteStore) -> None:
    """What was acknowledged is in the log, also when nobody is left to write it."""

    class Death(BaseException):
        """What no handler of the store's thread expects."""

    def dies(_: sqlite3.Cursor) -> None:
        raise Death

    await store.commit(_step(1))
    with pytest.raises(StoreUnavailable, match="start the bridge again"):
        await store._thread.ask(dies)
    with pytest.raises(StoreUnavailable, match="start the bridge again"):
        await store.commit(_step(2))
    with pytest.raises(StoreUnavailable):
        await store.close()
    await store.open()

    assert Versioned(2, b"v2") == await store.load_call(1)
    assert [line(1, 2)] == await store.history(1)


async def test_store_closed_on_a_full_disk_finds_its_steps_again(
    store: SqliteStore, path: Path
) -> None:
    """What could not be written to the end is there at the next start."""
    await _limit(store, 1)
    await store.commit(_step(1, bytes(30_000)))
    with contextlib.suppress(StoreUnavailable):
        await store.close()
    assert [(1,)] == _rows(path, "SELECT version FROM call")
    await store.open()

    assert Versioned(2, bytes(30_000)) == await store.load_call(1)
    assert [line(1, 2)] == await store.history(1)


# --- the next start -----------------------------------------------------------------------------


async def test_closed_store_leaves_no_log(store: SqliteStore, path: Path) -> None:
    """Everything is in the database, so that the file alone is the whole store."""
    await store.commit(_step(1))
    held = StepLog.path(path).exists()
    await store.close()

    assert held
    assert not StepLog.path(path).exists()
    assert [(2,)] == _rows(path, "SELECT version FROM call")
    await store.open()


async def test_log_is_read_with_full_durability_too(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """A bridge whose setting was changed after a kill loses nothing, and has no log of its own."""
    await store.commit(_step(1))
    async with _killed(path, tmp_path / "left", "full") as left:
        assert Versioned(2, b"v2") == await left.load_call(1)
        assert not StepLog.path(tmp_path / "left" / path.name).exists()


async def test_steps_the_database_has_are_not_written_again(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """A kill between the database and the log leaves steps in both; the later state stays."""
    await store.commit(_step(1))
    before = StepLog.path(path).read_bytes()
    await store.commit(_step(2))
    await store.commit(Commit(call(1, 3, ended=9.0)))
    after = StepLog.path(path)
    after_bytes = after.read_bytes()
    after.write_bytes(before)
    async with _killed(path, tmp_path / "left") as left:
        assert Versioned(4, b"{}") == await left.load_call(1)
        assert [] == await left.live_calls()
        assert [2, 3] == [row.seq for row in await left.history(1)]
    after.write_bytes(after_bytes)


async def test_steps_fit_only_on_the_state_they_replaced(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """Where an older release, which does not know the log, went on with a call, its state stays."""
    await store.commit(_step(1))
    await store.commit(_step(2))
    folder = tmp_path / "left"
    _copy(path, folder)
    with contextlib.closing(sqlite3.connect(folder / path.name, isolation_level=None)) as older:
        older.execute("UPDATE call SET version = 2, blob = ?", (b"another",))
    left = SqliteStore(folder / path.name)
    await left.open()

    assert Versioned(2, b"another") == await left.load_call(1)
    assert [] == await left.history(1)
    await left.close()


async def test_log_lies_beside_the_file_a_link_names(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """As the companions that SQLite makes do."""
    _copy(path, tmp_path / "disk")
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "disk" / path.name)
    StepLog.path(link).unlink()
    linked = SqliteStore(link)
    await linked.open()
    beside = {each.name for each in (tmp_path / "disk").iterdir()}
    await linked.close()

    assert {"bridge.db", "bridge.db-wal", "bridge.db-steps"} <= beside


async def test_log_of_another_database_is_left_alone(store: SqliteStore, path: Path) -> None:
    """Steps of a database that was deleted do not get into the calls of its successor."""
    await store.commit(_step(1))
    left = StepLog.path(path).read_bytes()
    await store.close()
    _remove(path)
    await store.open()
    await store.commit(Commit(call(1, uuid="another")))
    await store.close()
    StepLog.path(path).write_bytes(left)
    await store.open()

    assert Versioned(1, b"{}") == await store.load_call(1)
    assert [] == await store.history(1)


async def test_log_of_another_release_is_not_lost(store: SqliteStore, path: Path) -> None:
    """A log this release cannot read is not overwritten, and the sentence says what to do."""
    await store.close()
    StepLog.path(path).write_bytes(b"rt-bridge steps2" + bytes(100))

    with pytest.raises(
        StoreUnavailable, match=r"-steps was left by another release .* start and stop"
    ):
        await store.open()
    assert b"rt-bridge steps2" + bytes(100) == StepLog.path(path).read_bytes()
    StepLog.path(path).unlink()
    await store.open()


async def test_log_of_another_size_is_of_another_release(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that would be looked for at another place are not thrown away."""
    await store.commit(_step(1))
    left = StepLog.path(path).read_bytes()
    await store.close()
    StepLog.path(path).write_bytes(left)
    with monkeypatch.context() as older:
        older.setattr(_sqlite_step_log, "HALF", 4096)
        with pytest.raises(StoreUnavailable, match="was left by another release"):
            await store.open()
    assert left == StepLog.path(path).read_bytes()
    await store.open()


async def test_log_that_cannot_be_made_is_explained(store: SqliteStore, path: Path) -> None:
    """A directory in its place ends in a sentence."""
    await store.close()
    StepLog.path(path).mkdir()

    with pytest.raises(StoreUnavailable, match=r"cannot be used: Is a directory"):
        await store.open()
    StepLog.path(path).rmdir()
    await store.open()


# --- the file -----------------------------------------------------------------------------------

_SECRET = bytes(32)


@pytest.fixture
def log(path: Path) -> Iterator[StepLog]:
    """Begin a log."""
    log = StepLog.open(path, _SECRET)
    log.begin()
    yield log
    log.close()


def _left(path: Path) -> list[Step]:
    """Read what a kill at this moment would leave."""
    log = StepLog.open(path, _SECRET)
    found = log.found()
    # Nothing was begun, so the file stays.
    log.close()
    assert [checksum(b"v%d" % step[0].base) for _, step in found] == [each for each, _ in found]
    return [step for _, step in found]


def _plain(base: int) -> Step:
    """Write a step of call 1 as the log knows it."""
    blob = b"v%d" % (base + 1)
    return CallWrite(1, "", "", base, blob, 100.0), (line(1, base + 1),)


def _add(log: StepLog, base: int) -> bool:
    return log.add(_plain(base), b"v%d" % base)


_INT = st.integers(0, 2**63 - 1)
_REAL = st.floats(allow_nan=False)


@given(
    st.lists(
        st.builds(
            lambda base, blob, at, lines: (
                CallWrite(5, "", "", base, blob, at),
                tuple(HistoryRow(5, *row) for row in lines),
            ),
            _INT,
            st.binary(max_size=300),
            _REAL,
            st.lists(
                st.tuples(
                    _INT, _REAL, st.binary(max_size=50), st.none() | _INT, st.none() | st.binary()
                ),
                max_size=3,
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=60)
def test_log_gives_back_what_was_added(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Every number, byte string and gap comes back as it was, in the order of the versions."""
    path = tmp_path_factory.mktemp("log") / "a.db"
    log = StepLog.open(path, _SECRET)
    log.begin()
    for step in steps:
        assert log.add(step, b"v%d" % step[0].base)
    expected = sorted(steps, key=lambda step: step[0].base)

    assert expected == _left(path)
    log.close()


def test_halves_take_turns(log: StepLog, path: Path) -> None:
    """A half is used again once its steps are written; until then both are found."""
    _add(log, 1)
    first = log.seal()
    _add(log, 2)
    second = log.seal()
    refused = _add(log, 3)
    both = _left(path)
    log.release(first)
    _add(log, 3)
    log.release(second)

    assert {0, 1} == {first, second}
    assert not refused
    assert [_plain(1), _plain(2)] == both
    assert [_plain(3)] == _left(path)


@pytest.mark.parametrize("place", [-1, -30, -36, -41])
def test_unfinished_record_does_not_count(log: StepLog, path: Path, place: int) -> None:
    """Of a record that was not written to its end, or is damaged, nothing is taken."""
    _add(log, 1)
    _add(log, 2)
    content = bytearray(StepLog.path(path).read_bytes())
    end = content.index(b"v3") + len(b"v3")
    content[end + place] ^= 1
    StepLog.path(path).write_bytes(content)

    assert [_plain(1)] == _left(path)


def test_record_of_an_earlier_use_does_not_count(log: StepLog, path: Path) -> None:
    """What lies behind the last record of a half, whole as it may be, is of an earlier use."""
    for base in (1, 2, 3):
        _add(log, base)
    log.release(log.seal())
    # The other half first: it comes back to the first one after that.
    log.release(log.seal())
    _add(log, 4)

    assert [_plain(4)] == _left(path)


@pytest.mark.parametrize("size", [0, 20, 5000])
def test_log_that_was_not_made_to_its_end_is_made_anew(path: Path, size: int) -> None:
    """A kill while the file gets its bytes leaves one that the next start can use."""
    StepLog.path(path).write_bytes(bytes(size))
    log = StepLog.open(path, _SECRET)
    found = log.found()
    log.begin()
    _add(log, 1)

    assert [] == found
    assert [_plain(1)] == _left(path)
    assert 4096 + 2 * _sqlite_step_log.HALF == StepLog.path(path).stat().st_size
    log.close()


def test_nothing_is_sealed_twice(log: StepLog) -> None:
    """A half that is on its way cannot be sent again."""
    log.seal()
    log.seal()

    with pytest.raises(ValueError, match="no half"):
        log.seal()
