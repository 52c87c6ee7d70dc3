"""Which store a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_store import call

from bridge.store import open_store
from bridge.store.memory import MemoryStore
from bridge.store.protocol import Commit
from bridge.store.redis import RedisStore
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


@pytest.mark.parametrize("url", ["", "memory", "sqlite:a.db", "sqlite:///", "http://host", "a.db"])
def test_other_urls_are_refused(url: str) -> None:
    """What names no store is a ValueError that lists what does."""
    with pytest.raises(ValueError, match="sqlite:///file"):
        open_store(url, durability="normal")


def test_redis_url_names_a_redis_store() -> None:
    """A Redis URL gives a store that several processes may share; the others are for one."""
    urls = ("redis://db", "rediss://db", "redis+sentinel://s/primary", "memory:", "sqlite:///a.db")
    stores = [open_store(url) for url in urls]

    assert [RedisStore] * 3 == [type(store) for store in stores[:3]]
    assert [True, True, True, False, False] == [store.shared for store in stores]


def test_wrong_redis_url_is_refused() -> None:
    """A Redis URL that cannot be is a ValueError that says why."""
    with pytest.raises(ValueError, match="its options are prefix, password_file, ssl_ca_certs"):
        open_store("redis://db?prefixx=a")


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
