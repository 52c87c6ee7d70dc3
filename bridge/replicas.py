"""Which other processes share the store, whether they live, and the turns they are in the middle of.

Every replica renews a record of its own twice a second, and looks at those of the others. Clocks of
machines are never compared: a replica counts as dead when its record did not change between so many
looks in a row, which are counted across those who look. That only decides who goes on with a turn; what keeps a replica that was taken for
dead from overwriting anything is the version of the call (docs/adr/0013).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from bridge.draining import GLANCE_S
from bridge.standing import Standing, dump_standing, load_standing
from bridge.state import Phase, load
from bridge.store.patience import deadline
from bridge.store.protocol import Commit, Conflict, RecordRow, RecordWrite, StoreError
from bridge.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.runtime import Runtime
    from bridge.state import CallState
    from bridge.transaction import Transaction

log = structlog.get_logger()

#: The kind of the records that say who lives.
KIND: Final = "replica"
#: The kind of the records of calls that ended before their app heard of them.
OVER: Final = "over"
#: How often a replica says so, and looks at the others, in s.
BEAT_S: Final = 0.5
#: So many looks in a row without a change, and it is dead.
MOST_MISSES: Final = 4
#: After so many its record is deleted: every replica that lives tells the others of it.
MOST_LOOKS: Final = 20
#: After so long (s) the record of a dead replica may be purged; far more than clocks differ.
KEPT_S: Final = 3600.0
#: How often a turn of another replica is looked at by who waits for it, in s.
LOOK_S: Final = 0.1
#: How often a webhook begins anew because another replica was faster.
MOST_AGAIN: Final = 5

_T = TypeVar("_T")


class Replicas:
    """The processes on a shared store; on any other there is only this one."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._me = runtime.instance
        self._version = 0
        self._running: asyncio.Task[None] | None = None
        #: The version last seen of each replica's record, and for how many looks it has not changed.
        self._seen: dict[str, tuple[int, int]] = {}
        #: What each of the others said of itself when it was last seen alive.
        self._others: dict[str, Standing] = {}
        #: Nobody reads the record while it is written: two writes at once would be a conflict.
        self._beating = asyncio.Lock()
        self._drains = False
        #: Told when another one drains, left or died: its duties are anybody's (bridge.duties).
        self.when_one_goes: Callable[[], None] = lambda: None

    async def join(self) -> None:
        """Say that we live, before the first turn of ours, and go on saying so until `leave`."""
        if self._runtime.store.shared:
            await self._look_and_beat()
            self._running = spawn(self._run(), "replicas", daemon=True)

    async def drain(self) -> None:
        """Say at once that we are about to leave: our duties are anybody's, our turns go on being ours."""
        self._drains = True
        if self._running is not None:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(GLANCE_S):
                    await self._beat()

    async def leave(self) -> None:
        """Say that we are gone: our turns are anybody's."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
            with suppress(StoreError):
                # The last beat may have been cut off after it was stored.
                await self._reread()
                await self._write(None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._look_and_beat()
            except StoreError as error:
                # Nobody can say that he lives: those who were seen last keep their places.
                log.warning("replicas.store", why=str(error))

    async def _look_and_beat(self) -> None:
        # In this order: what we see is told with it.
        await self._look()
        await self._beat()

    async def lives(self, instance: str) -> bool:
        """Tell whether another replica lives, as far as this one can know."""
        if instance not in self._seen:
            row = await self._runtime.store.load_record(KIND, instance)
            if row is None:
                return False
            self._seen[instance] = (row.version, 0)
        return self._seen[instance][1] < MOST_MISSES

    async def serves(self, instance: str) -> bool:
        """Tell whether another replica lives and does not drain, so that its duties are its."""
        other = self._others.get(instance)
        return not (other is not None and other.drains) and await self.lives(instance)

    def ready(self) -> int:
        """Count the others that live and do not drain."""
        return sum(not other.drains for other in self._others.values())

    def check(self, state: CallState) -> None:
        """Raise Conflict when another replica went on with a turn of ours: it took us for dead."""
        if state.holder not in {"", self._me}:
            raise Conflict(f"Another replica went on with the turn of call {state.callid}.")

    async def turn_of(self, state: CallState) -> Elsewhere | None:
        """Give the turn of that call that another replica is in the middle of."""
        if not state.holder or state.holder == self._me or not await self.lives(state.holder):
            return None
        return Elsewhere(self, self._runtime, state)

    async def _beat(self) -> None:
        async with self._beating:
            try:
                missed = {name: seen for name, seen in self._seen.items() if seen[1]}
                await self._write(dump_standing(Standing(self._drains, missed=missed)))
            except Conflict:
                # Purged, or lost with the server's memory.
                await self._reread()

    async def _reread(self) -> None:
        row = await self._runtime.store.load_record(KIND, self._me)
        self._version = 0 if row is None else row.version

    async def _write(self, blob: bytes | None) -> None:
        expires_at = self._runtime.clock.now() + KEPT_S
        write = RecordWrite(KIND, self._me, self._version, blob, expires_at=expires_at)
        await self._runtime.store.commit(Commit(records=[write]))
        self._version += 1

    async def _look(self) -> None:
        rows = await self._runtime.store.list_records(KIND, limit=10_000)
        standings = {row.key: load_standing(row.blob) for row in rows}
        self._seen = seen = {row.key: (row.version, self._misses(row, standings)) for row in rows}
        others = {
            name: standing
            for name, standing in standings.items()
            if name != self._me and seen[name][1] < MOST_MISSES
        }
        went = [
            name
            for name, before in self._others.items()
            if not before.drains and (name not in others or others[name].drains)
        ]
        for name, (version, misses) in seen.items():
            if misses >= MOST_LOOKS and name != self._me:
                await self._forget(name, version)
        self._others = others
        self._runtime.lacking.clear()
        self._runtime.lacking.update(*(other.lacks for other in others.values()))
        if went:
            self.when_one_goes()

    def _misses(self, row: RecordRow, standings: Mapping[str, Standing]) -> int:
        """Count the looks between which a record did not change: our own, or those of others.

        Who was just started takes over what others have counted: where replicas die one after the
        other, none may live long enough to see for itself that another one is dead.
        """
        version, misses = self._seen.get(row.key, (row.version, -1))
        counts = [misses + 1 if version == row.version else 0]
        for standing in standings.values():
            counted, looks = standing.missed.get(row.key, (0, 0))
            if counted == row.version:
                counts.append(looks)
        return min(max(counts), MOST_LOOKS)

    async def _forget(self, name: str, version: int) -> None:
        """Delete the record of somebody long dead; one that returns writes another."""
        with suppress(Conflict):
            await self._runtime.store.commit(
                Commit(records=[RecordWrite(KIND, name, version, None)])
            )


class Elsewhere:
    """A turn in progress in another replica; like `bridge.turns.Turn` for those who wait."""

    def __init__(self, replicas: Replicas, runtime: Runtime, state: CallState) -> None:
        self._replicas = replicas
        self._store = runtime.store
        self._state = state

    async def wait(self, seconds: float) -> None:
        """Wait until it ended or its replica died, but no longer than that."""
        loop = asyncio.get_running_loop()
        end = min(loop.time() + seconds, deadline.get() or loop.time() + seconds)
        while loop.time() < end and await self._goes_on():  # noqa: ASYNC110 - nobody would tell
            await asyncio.sleep(min(LOOK_S, max(0.0, end - loop.time())))

    async def _goes_on(self) -> bool:
        stored = await self._store.load_call(self._state.callid)
        if stored is None:
            return False
        state = load(stored.blob, stored.version)
        same = state.step == self._state.step and state.phase is not Phase.ENDED
        return (
            same and state.holder == self._state.holder and await self._replicas.lives(state.holder)
        )


def over(app: str, uuid: str, until: float) -> RecordWrite:
    """Note for every replica that a call ended before its app heard of it."""
    return RecordWrite(OVER, f"{app}:{uuid}", 0, b"", expires_at=until)


async def create(transaction: Transaction) -> tuple[int | None, ...]:
    """Commit a new call; gives nothing, unless another replica knew of it first.

    Then it gives the callid it has there, or None when it ended before its app heard of it.
    """
    store, state = transaction.runtime.store, transaction.state
    note = over(state.app, state.uuid, 0.0)
    if store.shared:
        # Deleting what must not be there says just that, within the commit.
        transaction.change.records.append(replace(note, blob=None))
    try:
        await transaction.commit()
    except Conflict:
        callid = await store.find_call(state.app, state.uuid)
        if callid is None and await store.load_record(OVER, note.key) is None:
            raise
        return (callid,)
    return ()


async def settled(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Do anew what the commit of another replica came before: it reads again, and decides again.

    Only for what may be repeated at any point, as every webhook may.
    """
    for _ in range(MOST_AGAIN):
        try:
            return await attempt()
        except Conflict as conflict:
            log.info("replicas.overtaken", why=str(conflict))
    return await attempt()


__all__ = ["Elsewhere", "Replicas", "create", "over", "settled"]
