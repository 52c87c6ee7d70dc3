"""Work that one replica does for all of them: dialling, keeping house.

A duty is a record that names its holder. It goes to another replica when the holder left, drains or
died, as far as the others can tell (bridge.replicas). Who was wrongly taken for dead may go on for a
moment; where that matters the work is committed together with the record of the duty, on the version
it was taken with, so that what a former holder wants to write is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge.store.protocol import Commit, Conflict, RecordWrite, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.replicas import Replicas
    from bridge.runtime import Runtime

log = structlog.get_logger()

#: The kind of the records that say who does what.
KIND: Final = "duty"
#: Longest something is waited for that another replica does, and how often it is looked at, in s.
PATIENCE_S: Final = 20.0
LOOK_S: Final = 0.1


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
        #: Whose turn it is within this process.
        self._turn = asyncio.Lock()

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

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Do it once and then let others do it; waits for whoever is at it. Raises StoreError."""
        async with self._turn:
            end = asyncio.get_running_loop().time() + PATIENCE_S
            while not await self.mine():
                if asyncio.get_running_loop().time() > end:
                    raise StoreUnavailable(
                        f"Another replica has been at it for {PATIENCE_S:g} s ({self._name}): ask again."
                    )
                await asyncio.sleep(LOOK_S)
            try:
                yield
            finally:
                await self._give_up()

    async def _give_up(self) -> None:
        if self._runtime.store.shared:
            gone = replace(self._write(), blob=None)
            # Or it is another's by now; what is not deleted ends with this replica.
            with suppress(StoreError):
                await self._runtime.store.commit(Commit(records=[gone]))

    def _write(self) -> RecordWrite:
        return RecordWrite(KIND, self._name, self._version, self._me)


__all__ = ["KIND", "Duty"]
