"""The stores that the conformance suite runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support_store import ADAPTERS, PERSISTENT, Reopen

from bridge.store import open_store
from bridge.store.protocol import Store


@pytest.fixture(params=ADAPTERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty store of each kind."""
    store = open_store(ADAPTERS[request.param](tmp_path), durability="normal")
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=PERSISTENT)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Give a function that closes what it opened before and opens the same data afresh."""
    opened: list[Store] = []

    async def again() -> Store:
        for store in opened:
            await store.close()
        store = open_store(ADAPTERS[request.param](tmp_path), durability="full")
        await store.open()
        opened.append(store)
        return store

    yield again
    for store in opened:
        await store.close()
