"""Callids under bursts of new calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.store.sqlite import SqliteStore


async def test_bursts_beyond_a_reserved_block_get_their_callids(tmp_path: Path) -> None:
    """Many calls that begin in the same turns of the loop all get a callid, none of them twice."""
    store = SqliteStore(tmp_path / "bridge.db")
    await store.open()

    async def begin(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await store.allocate_callid()

    given: list[int] = []
    async with asyncio.timeout(30):
        for _ in range(20):
            given += await asyncio.gather(*(begin(call % 7) for call in range(300)))
    await store.close()

    assert list(range(1, 6001)) == sorted(given)
