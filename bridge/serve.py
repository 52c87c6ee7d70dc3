"""`rt-bridge serve`: run until a signal, then stop in good order."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING

import structlog

from bridge.app import Bridge
from bridge.place import Place
from bridge.settings import warnings
from bridge.stopping import FORCED, Stopping
from bridge.store.protocol import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.settings import Settings
    from bridge.test_clock import SharedClock

log = structlog.get_logger()

USAGE_ERROR = 2
GC_THRESHOLDS = (50_000, 50, 100)
FAILURE = 1


def run(settings: Settings, place: Place | None = None) -> int:
    """Run the bridge; give the exit status: 0 stopped, 1 no address or no time, 2 no store.

    It is 143 when the bridge was stopped by force (bridge.stopping).
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, place or Place(settings)))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - the optional extra `speed`
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, place: Place) -> int:
    for sentence in warnings(settings):
        log.warning("settings.warning", why=sentence)
    if settings.test_clock is None:
        return await _run(settings, place)
    from bridge.test_clock import ClockError, SharedClock  # noqa: PLC0415 - for tests alone

    try:
        clock = await SharedClock.connect(settings.test_clock)
    except ClockError as error:
        sys.stderr.write(f"BRIDGE_TEST_CLOCK: {error}\n")
        return FAILURE
    try:
        return await _run(settings, place, clock)
    finally:
        await clock.close()


async def _run(settings: Settings, place: Place, clock: SharedClock | None = None) -> int:
    bridge = Bridge(settings, clock, place)
    try:
        await bridge.start()
    except StoreUnavailable as error:
        sys.stderr.write(f"BRIDGE_STORE: {error}\n")
        return USAGE_ERROR
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        await bridge.stop()
        return FAILURE
    stopping = Stopping(bridge.draining.force)
    loop = asyncio.get_running_loop()
    place.when_told_to_stop(stopping.hear)
    if clock is not None:
        clock.when_lost(lambda: _without_time(bridge, stopping))
    # What start-up made lives for ever, and a turn makes hardly a cycle: keep the collector from
    # walking everything again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log.info(
        "bridge.ready",
        listen=f"{settings.listen.host}:{bridge.port}",
        admin=f"{settings.admin_listen.host}:{bridge.admin_port}",
        public_url=settings.public_url,
        apps=sorted(settings.apps),
        store=settings.store.partition(":")[0],
        rest=settings.plivo_rest,
        loop=type(loop).__module__.partition(".")[0],
    )
    place.serves()
    await stopping.asked.wait()
    log.info("bridge.stopping")
    await bridge.drain()
    await bridge.stop()
    log.info("bridge.stopped")
    if clock is not None and clock.lost:
        return FAILURE
    return FORCED if stopping.forced else 0


def _without_time(bridge: Bridge, stopping: Stopping) -> None:
    """Stop now: without time nothing happens any more that could be answered."""
    log.error("test_clock.lost", why="the simulation that gave the time is gone")
    bridge.draining.no_longer()
    stopping.asked.set()


__all__ = ["run"]
