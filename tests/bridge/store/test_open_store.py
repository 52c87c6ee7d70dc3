"""Which store a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_store import call

from bridge.store import open_store
from bridge.store.memory import MemoryStore
from bridge.store.protocol import Commit
from bridge.store.sqlite import SqliteStore


def test_memory_url_names_a_memory_store() -> None:
    """`memory:` gives a new store in memory each time."""
    first, second = open_store("memory:"), open_store("memory:")

    assert (MemoryStore, MemoryStore) == (type(first), type(second))
    assert first is not second


async def test_three_slashes_name_a_file_beside_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqlite:///a.db` is a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///a.db", durability="full")
    await store.open()
    await store.close()

    assert SqliteStore is type(store)
    assert (tmp_path / "a.db").is_file()


async def test_four_slashes_name_an_absolute_file(tmp_path: Path) -> None:
    """`sqlite:////directory/a.db` is that file."""
    store = open_store(f"sqlite:///{tmp_path}/a.db", durability="normal")
    await store.open()
    await store.close()

    assert (tmp_path / "a.db").is_file()


@pytest.mark.parametrize("url", ["", "memory", "sqlite:a.db", "sqlite:///", "redis://host", "a.db"])
def test_other_urls_are_refused(url: str) -> None:
    """What names no store is a ValueError that lists what does."""
    with pytest.raises(ValueError, match="sqlite:///file"):
        open_store(url, durability="normal")


def test_unknown_durability_is_refused() -> None:
    """Only `normal` and `full` exist."""
    with pytest.raises(ValueError, match="normal or full, not 'some'"):
        open_store("memory:", durability="some")


async def test_memory_store_keeps_its_rows_when_it_is_opened_again() -> None:
    """Closing a memory store is a pause, not an end."""
    store = open_store("memory:")
    await store.open()
    await store.commit(Commit(call(1)))
    await store.close()
    await store.open()

    assert [1] == await store.live_calls()
