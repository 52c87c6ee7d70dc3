"""Work that one replica does for all of them: dialling, keeping house.

A duty is a record that names its holder. It goes to another replica when the holder left, drains or
died, as far as the others can tell (bridge.replicas). Who was wrongly taken for dead may go on for a
moment; where that matters the work is committed together with the record of the duty, on the version
it was taken with, so that what a former holder wants to write is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from bridge.store.protocol import Commit, Conflict, RecordWrite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.replicas import Replicas
    from bridge.runtime import Runtime

log = structlog.get_logger()

#: The kind of the records that say who does what.
KIND: Final = "duty"


class Duty:
    """One kind of work; on a store of one process it is always this one's."""

    def __init__(self, runtime: Runtime, replicas: Replicas, name: str) -> None:
        self._runtime = runtime
        self._replicas = replicas
        self._name = name
        self._me = runtime.instance.encode()
        #: The version of its record when it was last seen as ours.
        self._version = 0
        #: Whether another replica had it when it was taken.
        self.inherited = False
        #: Nobody reads the record while it is written here.
        self._lock = asyncio.Lock()

    async def mine(self) -> bool:
        """Tell whether it is ours; takes it when nobody else can have it. Raises StoreError."""
        store = self._runtime.store
        if not store.shared:
            return True
        async with self._lock:
            row = await store.load_record(KIND, self._name)
            if row is not None and row.blob == self._me:
                self._version = row.version
                return True
            if row is not None and await self._replicas.serves(row.blob.decode()):
                return False
            self._version = 0 if row is None else row.version
            try:
                await store.commit(Commit(records=[self._write()]))
            except Conflict:
                return False
            self._version += 1
            self.inherited = row is not None
        log.info("duty.taken", duty=self._name, before="" if row is None else row.blob.decode())
        return True

    @asynccontextmanager
    async def fence(self) -> AsyncIterator[list[RecordWrite]]:
        """Give what belongs into a commit that only the holder may make; make it inside.

        It is refused with Conflict when the duty went to another replica since `mine`.
        """
        if not self._runtime.store.shared:
            yield []
            return
        async with self._lock:
            yield [self._write()]
            self._version += 1

    def _write(self) -> RecordWrite:
        return RecordWrite(KIND, self._name, self._version, self._me)


__all__ = ["KIND", "Duty"]
