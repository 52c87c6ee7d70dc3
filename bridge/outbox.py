"""Durable deliveries: the final HANGUP request of every call, and what rooms have to do.

A row is claimed by one process, handled, and deleted in a commit; when that process dies, another
one claims it after a while. A failed one comes back later, further apart each time. The body of a
final request is frozen in the store before it is first sent, so that every repetition is byte for
byte the same.

Rows wait in lanes, one per app and one per kind of other work: an app that is down delays nobody
but itself (docs/adr/0004).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from bridge import steps
from bridge.asking import ask
from bridge.replicas import settled
from bridge.rt_client import AppFailure
from bridge.state import CallState, Phase, load
from bridge.store.patience import deadline
from bridge.store.protocol import Commit, Conflict, OutboxRow, StoreError
from bridge.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bridge.runtime import Runtime

log = structlog.get_logger()

#: Deliveries at once in one lane.
MOST_PER_LANE: Final = 16
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 60.0
#: Looked at least this often, whatever the store said was due next.
LONGEST_SLEEP_S: Final = 30.0
#: The same where other replicas may put rows out and die before they deliver them.
SHARED_SLEEP_S: Final = 2.0
#: A claim of a row lasts so long (s), and as long as an app may take; then its replica is dead.
LEASE_S: Final = 10.0
#: Answers of a gateway in front of an app that is down: the app itself has not answered.
GATEWAY_STATUSES: Final = frozenset({502, 503, 504})
#: A final request the app may have got is repeated after these times, in s, and then no more.
UNCONFIRMED_DELAYS_S: Final = (1.0, 10.0, 60.0)
#: What each of those adds to `attempts` besides the one: so every replica knows of them, and the
#: next process does.
UNCONFIRMED: Final = 1 << 20


class Outbox:
    """Delivers what is due. `handlers` add kinds of rows besides "final".

    A handler gives True when the row may go, and False when it has put it back with `later`. One
    that raises is tried again by this process, without a change in the store.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._wake = asyncio.Event()
        self._stopping = False
        self._flying: set[str] = set()
        self._in_lane: Counter[str] = Counter()
        #: Lanes and keys whose rows were passed over: the end of a delivery there is news.
        self._full: set[str] = set()
        self._blocked: set[str] = set()
        #: Rows that were handled and could not be deleted: they must not be handled again.
        self._handled: dict[str, OutboxRow] = {}
        #: Keys whose delivery raised: not before this time, and the pause until then.
        self._held: dict[str, tuple[float, float]] = {}
        #: For how long a row is this process's alone: more than any delivery takes.
        self._lease_s = runtime.settings.app_timeout_s + LEASE_S
        self.handlers: dict[str, Callable[[OutboxRow], Coroutine[None, None, bool]]] = {
            "final": self._final
        }

    def wake(self) -> None:
        """Look at the store again: a row was added or became due."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        while not self._stopping:
            self._wake.clear()
            sleep_s = FIRST_DELAY_S
            try:
                sleep_s = await self._deliver_due()
            except StoreError as error:
                log.error("outbox.store", why=str(error))
            except Exception:
                log.exception("outbox.fault")
            await self._runtime.clock.wait(self._wake, sleep_s)

    def stop(self) -> None:
        """Begin nothing new; what is being delivered is finished by `bridge.tasks.drain`."""
        self._stopping = True
        self._wake.set()

    async def later(self, row: OutboxRow, delay_s: float | None = None, *, more: int = 0) -> bool:
        """Put a row back for another attempt, by default after 1, 2, 4 … 60 s; gives False.

        A row of the same key that was written meanwhile is left alone.
        """
        if delay_s is None:
            delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(_attempts(row), 10))
        due = self._runtime.clock.now() + delay_s
        again = replace(row, due=due, attempts=row.attempts + 1 + more)
        await self._runtime.store.commit(Commit(outbox_swap=[(row, again)]))
        return False

    async def _deliver_due(self) -> float:
        """Start what is due; give the time until the next look, in s."""
        store = self._runtime.store
        while True:
            now = self._runtime.clock.now()
            self._full = {lane for lane, n in self._in_lane.items() if n >= MOST_PER_LANE}
            limit = self._limit()
            rows = await store.claim(now, now + self._lease_s, limit, self._full)
            # What is claimed is nobody else's for a while, so it is begun even if we were told to stop.
            if (self._start(rows, now) and len(rows) < limit) or self._stopping:
                break
        self._forget(now)
        times = [until for until, _ in self._held.values() if until > now]
        upcoming = await store.next_due(now)
        if upcoming is not None:
            times.append(upcoming)
        longest_s = SHARED_SLEEP_S if store.shared else LONGEST_SLEEP_S
        return min(longest_s, min(times, default=inf) - now)

    def _forget(self, now: float) -> None:
        """Forget rows that other replicas have dealt with meanwhile, once nobody sends them again."""
        self._held = {
            key: held for key, held in self._held.items() if now - held[0] < 2 * LONGEST_DELAY_S
        }
        self._handled = {
            key: row
            for key, row in self._handled.items()
            if key in self._held or key in self._flying
        }

    def _limit(self) -> int:
        """Tell how many rows to claim at once."""
        if not self._runtime.store.shared:
            # Those in flight and those held back are still due, and must not fill the answer.
            return MOST_PER_LANE + len(self._flying) + len(self._held)
        # What is claimed and cannot be started would be nobody's until the claim is over.
        busiest = (n for lane, n in self._in_lane.items() if lane not in self._full)
        return MOST_PER_LANE - max(busiest, default=0)

    def _start(self, rows: Sequence[OutboxRow], now: float) -> bool:
        """Start every row that may go; False = one that could has to wait for a free place."""
        whole = True
        for row in rows:
            if row.key in self._flying:
                self._blocked.add(row.key)
            elif self._held.get(row.key, (now, 0.0))[0] > now:
                continue
            elif self._in_lane[row.lane] >= MOST_PER_LANE:
                whole = False
            else:
                self._flying.add(row.key)
                self._in_lane[row.lane] += 1
                spawn(self._deliver(row), f"outbox:{row.key}")
        return whole

    async def _deliver(self, row: OutboxRow) -> None:
        key = row.key
        # Whatever becomes of the store meanwhile, nobody else delivers the row before that.
        deadline.set(asyncio.get_running_loop().time() + self._lease_s)
        try:
            if self._handled.get(key) != row:
                frozen = await self._frozen(row)
                if frozen is None:
                    self.wake()
                    return
                row = frozen
                if not await settled(partial(self._handle, row)):
                    self._held.pop(key, None)
                    self.wake()
                    return
                self._handled[key] = row
            await self._runtime.store.commit(Commit(outbox_swap=[(row, None)]))
            self._handled.pop(key, None)
            self._held.pop(key, None)
        except Exception:
            log.exception("outbox.failed", key=key, kind=row.kind, call=row.callid)
            self._hold_back(key)
        finally:
            self._land(row)

    async def _handle(self, row: OutboxRow) -> bool:
        handler = self.handlers.get(row.kind)
        if handler is None:
            # Perhaps of a newer release, which may come back and must find it.
            raise LookupError(f"this release knows no outbox rows of the kind {row.kind!r}")
        return await handler(row)

    def _hold_back(self, key: str) -> None:
        """Try a row again later although the store says it is due: it may be the store that fails."""
        pause = min(LONGEST_DELAY_S, 2 * self._held.get(key, (0.0, FIRST_DELAY_S / 2))[1])
        self._held[key] = (self._runtime.clock.now() + pause, pause)
        self.wake()

    def _land(self, row: OutboxRow) -> None:
        self._flying.discard(row.key)
        self._in_lane[row.lane] -= 1
        if not self._in_lane[row.lane]:
            del self._in_lane[row.lane]
        if row.lane in self._full or row.key in self._blocked:
            self._blocked.discard(row.key)
            self.wake()

    async def _frozen(self, row: OutboxRow) -> OutboxRow | None:
        """Give a final request its body, stored before it is first sent; other rows as they are.

        None = the row became due at another time, or another replica's: it is not ours to send.
        """
        if row.kind != "final" or row.body:
            return row
        state = await self._ended(row.callid)
        if state is None or state.untold:
            return row
        frozen = replace(row, body=final_body(state))
        try:
            await self._runtime.store.commit(Commit(outbox_swap=[(row, frozen)], exact=True))
        except Conflict as conflict:
            log.info("outbox.overtaken", key=row.key, why=str(conflict))
            return None
        return frozen

    async def _ended(self, callid: int) -> CallState | None:
        stored = await self._runtime.store.load_call(callid)
        state = None if stored is None else load(stored.blob, stored.version)
        return None if state is None or state.phase is not Phase.ENDED else state

    async def _final(self, row: OutboxRow) -> bool:
        """Deliver the final request of a call; True when the row may go."""
        if not row.body:
            if await self._ended(row.callid) is None:
                log.error("hangup.call_missing", call=row.callid)
            else:
                log.info("hangup.untold", call=row.callid)
            return True
        # The call itself may have outlived its retention: the body is all that is needed.
        app_hash = _app_of(row.body)
        app = self._runtime.apps.get(app_hash)
        if app is None:
            log.error("hangup.app_missing", call=row.callid, app=app_hash)
            why = "the app is no longer in the settings"
            return await self._again_or_drop(row, app_hash, why)
        try:
            await ask(self._runtime, app, row.body, "final")
        except AppFailure as failure:
            if failure.delivered is None:
                return await self._repeat_or_drop(row, app_hash, str(failure))
            if not _delivered(failure):
                return await self._again_or_drop(row, app_hash, str(failure))
        log.info("hangup.delivered", call=row.callid, app=app_hash, attempts=_attempts(row) + 1)
        return True

    async def _repeat_or_drop(self, row: OutboxRow, app_hash: str, why: str) -> bool:
        """Repeat what the app may have got a few times only: a slow app gets it every time."""
        sent = row.attempts // UNCONFIRMED + 1
        if sent > len(UNCONFIRMED_DELAYS_S):
            log.error("hangup.unconfirmed", call=row.callid, app=app_hash, why=why, sent=sent)
            return True
        delay_s = UNCONFIRMED_DELAYS_S[sent - 1]
        return await self._again_or_drop(row, app_hash, why, delay_s, more=UNCONFIRMED)

    async def _again_or_drop(
        self,
        row: OutboxRow,
        app_hash: str,
        why: str,
        delay_s: float | None = None,
        *,
        more: int = 0,
    ) -> bool:
        state = await self._ended(row.callid)
        # A call past its retention is past the time for repetitions as well (bridge.settings).
        ended_at = (state and state.ended_at) or 0.0
        line = {"call": row.callid, "app": app_hash, "why": why, "attempts": _attempts(row) + 1}
        if self._runtime.clock.now() - ended_at > self._runtime.settings.hangup_retry_for_s:
            log.error("hangup.dropped", **line)
            return True
        log.warning("hangup.postponed", **line)
        return await self.later(row, delay_s, more=more)


def final_body(state: CallState) -> bytes:
    """Write the final request: the command that was running, and its result when there is one."""
    return steps.request_body(state)


def _attempts(row: OutboxRow) -> int:
    """Tell how often a row was handled, whatever came of it."""
    return row.attempts % UNCONFIRMED


def _app_of(body: bytes) -> str:
    """Read the app's hash, with which every request opens.

    The rest is not read: an app may put into its variables what not every JSON reader takes.
    """
    return body.removeprefix(b'{"app":"').partition(b'"')[0].decode()


def _delivered(failure: AppFailure) -> bool:
    """Tell whether the app itself answered; what it answered does not matter."""
    status = getattr(failure, "status", None)
    return failure.delivered is True and status not in GATEWAY_STATUSES


__all__ = ["Outbox", "final_body"]
