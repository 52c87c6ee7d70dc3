from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support_store import ADAPTERS, Reopen, record

from bridge.store import open_store
from bridge.store.protocol import Commit, RecordRow, RecordWrite, Store, StoreUnavailable
from bridge.store.reading import reading


def _listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def _put(store: Store, *writes: RecordWrite) -> None:
    await store.commit(Commit(records=list(writes)))


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """Give a store that was written and closed."""
    address = f"sqlite:///{tmp_path}/bridge.db"
    store = open_store(address)
    await store.open()
    await _put(store, record("a", sort=1.0), record("b", sort=2.0, scope="APP"))
    await store.close()
    return address


async def test_records_are_read_while_the_store_is_written(tmp_path: Path) -> None:
    """A reader beside the writer sees each commit from then on, and keeps nobody from writing."""
    address = f"sqlite:///{tmp_path}/bridge.db"
    store = open_store(address)
    await store.open()
    async with reading(address) as found:
        assert [] == await found.list_records("cdr")
        await _put(store, record("a", blob=b"1", sort=1.0))
        assert RecordRow("cdr", "a", 1, b"1", 1.0) == await found.load_record("cdr", "a")
        await _put(store, record("b", sort=2.0, scope="APP"))
        assert ["b", "a"] == [r.key for r in await found.list_records("cdr", newest_first=True)]
        assert ["b"] == [r.key for r in await found.list_records("cdr", scope="APP")]
        assert ["b"] == [r.key for r in await found.list_records("cdr", after=(1.0, "a"), limit=5)]
    await store.close()


async def test_every_persistent_store_can_be_read(
    reopen: Reopen, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What one process has committed another one reads, whatever the kind of store."""
    store = await reopen()
    await _put(store, record("a", blob=b"1"))
    kind = request.node.callspec.params["reopen"]
    async with reading(ADAPTERS[kind](tmp_path)) as found:
        assert ["a"] == [row.key for row in await found.list_records("cdr")]
        assert None is await found.load_record("cdr", "b")


async def test_nothing_is_written(url: str, tmp_path: Path) -> None:
    """A reader changes no byte of the file, and leaves nothing beside it."""
    before = (tmp_path / "bridge.db").read_bytes()
    listed = _listed(tmp_path)
    async with reading(url) as found:
        assert 2 == len(await found.list_records("cdr"))

    assert before == (tmp_path / "bridge.db").read_bytes()
    assert listed == _listed(tmp_path)


async def test_directory_that_cannot_be_written(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who may only read gets at the records of a bridge that does not run."""
    opened: list[str] = []
    connect = sqlite3.connect

    def noted(address: str, **options: Any) -> sqlite3.Connection:
        opened.append(address)
        connection: sqlite3.Connection = connect(address, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", noted)
    async with reading(url) as found:
        assert 2 == len(await found.list_records("cdr"))
    # The superuser, as whom tests may run, may write everywhere: so the way it is opened counts.
    assert [f"file:{tmp_path}/bridge.db?mode=ro&immutable=1"] == opened


async def _why(url: str) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        async with reading(url):
            raise AssertionError
    return str(caught.value)


async def test_memory_has_nothing_to_read() -> None:
    """The store in memory is refused with a sentence that says why."""
    assert (await _why("memory:")).startswith("BRIDGE_STORE is memory: what it holds is in")


async def test_missing_file_is_not_made(tmp_path: Path) -> None:
    """A file that is not there is named, and not made."""
    assert f"There is no store {tmp_path}/no.db" in await _why(f"sqlite:///{tmp_path}/no.db")
    assert [] == _listed(tmp_path)


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["PRAGMA application_id = 7"], "is no store of a bridge"),
        (["PRAGMA user_version = 2"], "was written by an older release that kept no records"),
        (["PRAGMA user_version = 99"], "was written by a newer release (schema 99"),
    ],
)
async def test_files_of_others_and_of_other_releases(
    url: str, tmp_path: Path, statements: list[str], why: str
) -> None:
    """What is not ours, too old or too new is refused by name."""
    with sqlite3.connect(tmp_path / "bridge.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()

    assert why in await _why(url)


@pytest.mark.parametrize("content", [b"", b"no database at all " * 100])
async def test_no_database(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused with what to do."""
    (tmp_path / "bridge.db").write_bytes(content)

    assert f"{tmp_path}/bridge.db" in await _why(f"sqlite:///{tmp_path}/bridge.db")


async def test_damage_found_while_reading(url: str, tmp_path: Path) -> None:
    """A file that breaks in the middle of a list is named as damaged."""
    async with reading(url) as found:
        with sqlite3.connect(tmp_path / "bridge.db") as connection:
            connection.execute("DROP TABLE record")
        connection.close()
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await found.list_records("cdr")
