"""The intents in the store: every change is committed on the version it was read with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.locks import Locks
from bridge.outbound.intents import KIND, SCOPES, Intent, Phase, dump, load, new_hash
from bridge.store.protocol import Commit, Conflict, RecordWrite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bridge.runtime import Runtime
    from bridge.store.protocol import OutboxRow

log = structlog.get_logger()

#: Hashes made up for one intent before the store must be at fault.
_TRIES: Final = 8


class Ledger:
    """Reads and writes intents; hold `locks[hash]` from reading one to committing it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.locks = Locks()

    async def add(self, intent: Intent) -> None:
        """Store a new intent; it gets a hash that no other has."""
        for _ in range(_TRIES):
            intent.hash = new_hash()
            try:
                await self.commit(intent)
            except Conflict:
                # A commit whose answer was lost is repeated, and whoever dials may have been faster.
                if not _same(await self.read(intent.hash), intent):
                    continue
            return
        raise AssertionError(f"{_TRIES} hashes in a row were taken")

    async def read(self, token: str) -> Intent | None:
        """Read an intent by its hash."""
        row = await self._runtime.store.load_record(KIND, token)
        return None if row is None else load(row.blob, row.version)

    def written(self, intent: Intent) -> RecordWrite:
        """Give the write that stores an intent as it is now; add 1 to its version afterwards."""
        expires = self._runtime.clock.now() + self._runtime.settings.call_retention_s
        return RecordWrite(
            KIND,
            intent.hash,
            intent.version,
            dump(intent),
            sort=intent.created_at,
            scope=SCOPES[intent.phase],
            expires_at=expires if intent.done else None,
        )

    async def commit(
        self, intent: Intent, *rows: OutboxRow, fence: Sequence[RecordWrite] = ()
    ) -> None:
        """Store an intent, and rows of the outbox with it. Raises Conflict when another wrote it.

        `fence` are records that must not have changed either.
        """
        change = Commit(records=[self.written(intent), *fence], outbox=list(rows))
        await self._runtime.store.commit(change)
        intent.version += 1

    async def waiting(self) -> int:
        """Count the intents that wait to be dialled, whoever took them."""
        return await self._runtime.store.count_records(KIND, SCOPES[Phase.QUEUED])

    async def queued(self) -> AsyncIterator[Intent]:
        """Give the intents that wait to be dialled, newest first."""
        after: tuple[float, str] | None = None
        while rows := await self._runtime.store.list_records(
            KIND, scope=SCOPES[Phase.QUEUED], after=after, newest_first=True
        ):
            for row in rows:
                try:
                    intent = load(row.blob, row.version)
                except (ValueError, TypeError, LookupError) as error:
                    # Of another release perhaps; one intent must not keep the others waiting.
                    log.error("outbound.unreadable", intent=row.key, why=type(error).__name__)
                else:
                    yield intent
            after = rows[-1].sort, rows[-1].key


def _same(stored: Intent | None, made: Intent) -> bool:
    """Tell whether that is the intent just made, however far it may have got."""
    if stored is None:
        return False
    theirs = (stored.app, stored.number, stored.created_at)
    return theirs == (made.app, made.number, made.created_at)


__all__ = ["Ledger"]
