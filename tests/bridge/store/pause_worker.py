"""Reads a call, says so, waits for a word, and commits on what it read before.

Run by `test_redis_replicas.py` with the URL of a store; stopped and continued in between.
"""

from __future__ import annotations

import asyncio
import os
import sys

from bridge.store import open_store
from bridge.store.protocol import CallWrite, Commit, Conflict, HistoryRow


def tell(word: str) -> None:
    """Print a line with one system call."""
    os.write(1, (word + "\n").encode())


async def main() -> None:
    """Do it."""
    store = open_store(sys.argv[1])
    await store.open()
    found = await store.load_call(1)
    assert found is not None
    tell("read")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    write = CallWrite(1, "APP", "u1", found.version, b"stale", 1.0)
    try:
        await store.commit(Commit(write, history=[HistoryRow(1, 99, 1.0, b"stale")]))
    except Conflict as conflict:
        tell(str(conflict))
    else:
        tell("overwritten")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
