"""`rt-bridge serve --workers N`: start the workers, replace those that end, pass signals on.

The supervisor owns the addresses and holds no state of any call: killed, it takes nothing along, and
the workers notice and stop. What it knows of them it asks them (bridge.workers.front).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from bridge.place import Place, naming
from bridge.settings import Listen
from bridge.stopping import FORCED, Stopping
from bridge.tasks import spawn
from bridge.workers.front import Front
from bridge.workers.line import Word
from bridge.workers.restarts import MOST_STARTS, Restarts
from bridge.workers.slots import SPREADS, Slot, close_slots, open_slots, port_of
from bridge.workers.totals import Totals
from bridge.workers.watch import watch
from bridge.workers.worker import PROGRAM, Worker

if TYPE_CHECKING:
    from bridge.settings import Settings

log = structlog.get_logger()

FAILURE: Final = 1
#: Workers must hear of the second signal this much later (s), or it might count as the first.
MARGIN_S: Final = 0.2
#: How long (s) workers that were forced may take before they are killed.
FORCED_S: Final = 5.0


def run(settings: Settings) -> int:
    """Serve with `settings.workers` processes; give the exit status.

    0 stopped, 1 no address, 143 stopped by force, otherwise that of workers that could not start.
    """
    with asyncio.Runner() as runner:
        return runner.run(Supervisor(settings).run())


class Supervisor:
    """The supervisor of one machine. `workers` are those that run, by their number from 1 on."""

    def __init__(self, settings: Settings, program: Sequence[str] = PROGRAM) -> None:
        self._settings = settings
        self._program = program
        self._slots: list[Slot] = []
        #: Slots that were listened to at some time, and who listens to one that is not its own.
        self._opened: set[int] = set()
        self._helpers: dict[int, Worker] = {}
        self._restarts = {number: Restarts() for number in range(1, settings.workers + 1)}
        self._first_serves = asyncio.Event()
        self._given_up: int | None = None
        self.workers: dict[int, Worker] = {}
        self.totals = Totals()
        #: How often a worker was replaced.
        self.replaced = 0

    @property
    def size(self) -> int:
        """How many workers there should be."""
        return self._settings.workers

    async def run(self) -> int:
        """Serve until told to stop, or until it is no use; give the exit status."""
        place = Place(self._settings)
        self._stopping = stopping = Stopping(self._force)
        place.when_told_to_stop(stopping.hear)
        front = Front(self)
        try:
            with naming("BRIDGE_LISTEN", self._settings.listen):
                self._slots = open_slots(self._settings.listen, self._settings.workers)
            await front.open(place)
        except OSError as error:
            sys.stderr.write(f"{error.strerror or error}\n")
            close_slots(self._slots)
            await front.close()
            return FAILURE
        self._settings = _bound(self._settings, port_of(self._slots), place.admin_port)
        log.info(
            "supervisor.started",
            listen=str(self._settings.listen),
            admin=str(self._settings.admin_listen),
            workers=self._settings.workers,
        )
        statuses = await self._keep_all()
        await front.close()
        log.info("supervisor.stopped")
        if self._given_up is not None:
            return self._given_up
        return FORCED if stopping.forced else max(statuses)

    async def _keep_all(self) -> list[int]:
        numbers = list(self._restarts)
        # One alone first: what is wrong for all is then said once.
        keepers = [spawn(self._keep(numbers[0]), "worker 1", daemon=True)]
        serves = spawn(self._first_serves.wait(), "first worker", daemon=True)
        asked = spawn(self._stopping.asked.wait(), "told to stop", daemon=True)
        await asyncio.wait({keepers[0], serves, asked}, return_when=asyncio.FIRST_COMPLETED)
        if self._first_serves.is_set():
            more = (spawn(self._keep(n), f"worker {n}", daemon=True) for n in numbers[1:])
            keepers += more
        passing_on = spawn(self._pass_on(), "signals", daemon=True)
        statuses = await asyncio.gather(*keepers)
        for task in (serves, asked, passing_on):
            task.cancel()
        return list(statuses)

    async def _pass_on(self) -> None:
        """When told to stop, tell the workers; from then on their sockets are theirs alone."""
        await self._stopping.asked.wait()
        log.info("supervisor.stopping")
        close_slots(self._slots)
        self._tell()

    def _tell(self) -> None:
        for worker in self.workers.values():
            worker.signal(signal.SIGTERM)

    def _force(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(MARGIN_S, self._tell)
        loop.call_later(MARGIN_S + FORCED_S, self._kill)

    def _kill(self) -> None:
        for worker in self.workers.values():
            log.warning(
                "worker.killed", worker=worker.number, why="it was forced, and is still here"
            )
            worker.signal(signal.SIGKILL)

    def _give_up(self, status: int) -> None:
        self._given_up = status
        self._stopping.asked.set()

    async def _keep(self, number: int) -> int:
        """Keep a worker with that number running; give the exit status of who ran to the end."""
        loop, restarts = asyncio.get_running_loop(), self._restarts[number]
        while not self._stopping.asked.is_set():
            worker = Worker(number, self._settings, self._settle, self._program)
            since = loop.time()
            status = await self._live(worker)
            if self._stopping.asked.is_set():
                return status
            log.warning(
                "worker.ended",
                worker=number,
                pid=worker.pid,
                status=status,
                seconds=round(loop.time() - since, 1),
            )
            pause_s = restarts.ended(loop.time() - since, served=worker.served)
            if not self._worth_it(restarts):
                self._give_up(status or FAILURE)
                return status
            self.replaced += 1
            if pause_s:
                log.warning("worker.waits", worker=number, seconds=pause_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.asked.wait()
        return 0

    def _worth_it(self, restarts: Restarts) -> bool:
        """Tell whether another start may help, after one that came to an end."""
        if any(worker.able for worker in self.workers.values()):
            return True
        if not self._first_serves.is_set():
            return False
        return restarts.in_vain < MOST_STARTS

    async def _live(self, worker: Worker) -> int:
        """Start a worker and wait for its end; gives its exit status as a shell would."""
        try:
            await worker.start()
        except OSError as error:
            log.error("worker.not_started", worker=worker.number, why=str(error))
            return FAILURE
        self.workers[worker.number] = worker
        log.info("worker.started", worker=worker.number, pid=worker.pid)
        slot = self._slots[worker.number - 1]
        worker.say(Word.LISTEN, worker.number, slot)
        if self._stopping.asked.is_set():
            worker.signal(signal.SIGTERM)
        watching = spawn(watch(worker), f"watch worker {worker.number}", daemon=True)
        status = await worker.ended()
        watching.cancel()
        del self.workers[worker.number]
        self.totals.bury(worker.snapshot)
        self._settle()
        if status == -signal.SIGTERM and self._stopping.asked.is_set():
            # Told to stop before it could listen to that.
            return 0
        return status if status >= 0 else 128 - status

    def _settle(self) -> None:
        """See that somebody listens to every slot whose own worker does not."""
        able = {n: worker for n, worker in self.workers.items() if worker.able}
        self._opened.update(able)
        if able:
            self._first_serves.set()
        if not SPREADS or self._stopping.asked.is_set():
            return
        for number in sorted(self._opened):
            helper = self._helpers.get(number)
            if number in able:
                if helper is not None:
                    helper.say(Word.YIELD, number)
                    del self._helpers[number]
            elif able and (helper is None or not helper.able):
                self._helpers[number] = helper = self._freest(able.values())
                helper.say(Word.LISTEN, number, self._slots[number - 1])

    def _freest(self, able: Collection[Worker]) -> Worker:
        helpers = list(self._helpers.values())
        return min(able, key=helpers.count)


def _bound(settings: Settings, port: int, admin_port: int) -> Settings:
    """Give settings that name the ports which were found."""
    listen, admin = settings.listen, settings.admin_listen
    return settings.model_copy(
        update={
            "listen": Listen(listen.host, port),
            "admin_listen": Listen(admin.host, admin_port),
        }
    )


__all__ = ["Supervisor", "run"]
