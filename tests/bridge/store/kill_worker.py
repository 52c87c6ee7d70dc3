"""Commits as fast as it can and says after each commit what is safe now, until it is killed.

Run by `test_sqlite_kill.py` with the path of a database.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from bridge.store.protocol import CallWrite, Commit, HistoryRow, OutboxRow, RoomWrite, Store
from bridge.store.sqlite import SqliteStore

CALLERS = 8
STEPS = 12


def tell(*words: object) -> None:
    """Print a line with one system call, so that a kill cannot leave it in a buffer."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def plain(callid: int, version: int) -> bool:
    """Tell whether this commit is a plain step: every other call has some in the middle."""
    return callid % 2 == 0 and version % 4 != 1 and version != STEPS


def step(callid: int, base: int) -> Commit:
    """Build a commit whose parts all carry the new version.

    A plain step leaves room and outbox as they are; the state says how many commits wrote those, and
    which was the last.
    """
    version = base + 1
    ended = 1.0 if version == STEPS else None
    whole = [each for each in range(1, version + 1) if not plain(callid, each)]
    blob = b"%d %d %d" % (version, len(whole), whole[-1])
    change = Commit(
        CallWrite(callid, "APP", f"u{callid}", base, blob, 1.0, ended),
        history=[HistoryRow(callid, version, 1.0, b"[]", version, bytes(2000))],
    )
    if whole[-1] == version:
        change.room = RoomWrite(f"r{callid}", len(whole) - 1, b"%d" % version)
        change.outbox = [OutboxRow(f"k{callid}", "final", callid, 1.0, b"", version)]
    return change


async def caller(store: Store) -> None:
    """Make one call after another."""
    while True:
        callid = await store.allocate_callid()
        tell("id", callid)
        for base in range(STEPS):
            await store.commit(step(callid, base))
            tell("ok", callid, base + 1)


async def main() -> None:
    """Open the store and never stop."""
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    await asyncio.gather(*(caller(store) for _ in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main())
