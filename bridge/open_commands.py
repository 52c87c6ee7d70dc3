"""How many live calls run which version of which command: an old version can go after staying at 0.

A process alone on its store counts along with its commits. Where several share one, a command that
one of them starts is ended by another: whoever keeps house (bridge.reconcile) reads the live calls
now and then, and stores what it counted for all of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge.state import load, open_command
from bridge.store.protocol import Commit, Conflict, RecordWrite

if TYPE_CHECKING:
    from bridge.runtime import Runtime
    from bridge.store.protocol import Store

log = structlog.get_logger()

#: Kind and key of the record that holds the count.
KIND: Final = "tally"
KEY: Final = "open commands"
#: Calls read at once; over a network each would wait for the answer about the one before.
CALLS_AT_ONCE: Final = 100
#: Counting takes at most this part of the time.
_SHARE: Final = 0.01


async def open_commands(runtime: Runtime) -> Counter[tuple[str, int]]:
    """Give the commands of live calls by name and version. Raises StoreError.

    On a store that others share the count is some minutes old at most, of tens of thousands of
    calls; of a few thousand a minute.
    """
    if not runtime.store.shared:
        return runtime.open_commands
    row = await runtime.store.load_record(KIND, KEY)
    if row is None:
        return Counter()
    return Counter({(name, version): count for name, version, count in from_json(row.blob)})


async def counted(store: Store) -> Counter[tuple[str, int]]:
    """Read every live call and count what they run. Raises StoreError."""
    counts: Counter[tuple[str, int]] = Counter()
    live = await store.live_calls()
    for at in range(0, len(live), CALLS_AT_ONCE):
        chunk = live[at : at + CALLS_AT_ONCE]
        for callid, stored in zip(
            chunk, await asyncio.gather(*map(store.load_call, chunk)), strict=True
        ):
            if stored is None:
                continue
            try:
                command = open_command(load(stored.blob, stored.version))
            except (ValueError, TypeError, LookupError) as error:
                # Of another release perhaps; one call must not keep the others from being counted.
                log.error("call.unreadable", call=callid, why=type(error).__name__)
                continue
            if command is not None:
                counts[command] += 1
        # Callers wait for nothing here.
        await asyncio.sleep(0)
    return counts


class Tally:
    """Keeps the stored count new, for the one replica that does so."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._next = 0.0

    async def renew(self) -> None:
        """Count and store, unless that was done so recently that it would take too much time."""
        store = self._runtime.store
        begun = perf_counter()
        if not store.shared or begun < self._next:
            return
        counts = await counted(store)
        self._next = perf_counter() + (perf_counter() - begun) / _SHARE
        row = await store.load_record(KIND, KEY)
        blob = to_json([[name, version, count] for (name, version), count in counts.items()])
        write = RecordWrite(KIND, KEY, 0 if row is None else row.version, blob)
        with suppress(Conflict):
            # Whoever keeps house now has counted as well.
            await store.commit(Commit(records=[write]))


__all__ = ["Tally", "counted", "open_commands"]
