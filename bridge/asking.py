"""Put a question to an app: not more at once than it can take, and not for nothing while it is down.

Whoever is turned away has cost the app nothing, and the webhook is answered with a document at once
(docs/adr/0016). The time in the line counts towards the time the app has to answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal

import structlog

from bridge.admission import Admission
from bridge.breaker import Breaker, BreakerState
from bridge.rt.failures import (
    AppBusy,
    AppDisconnected,
    AppFailure,
    AppSuspended,
    AppTimeout,
    AppUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.rt.port import RtApp
    from bridge.runtime import App, Runtime

log = structlog.get_logger()

#: The part of its time to answer that a question may wait in the line: an app that is asked with
#: hardly any time left may move on without the bridge.
LINE_SHARE: Final = 0.5
#: Failures of an app that does not answer at all. Whatever else it answers, it is alive.
SILENCES: Final = (AppUnreachable, AppTimeout, AppDisconnected)
#: What becomes of questions that were not put.
NOT_ASKED: Final = (AppBusy, AppSuspended)


@dataclass(slots=True)
class Desk:
    """Where the questions to one app are put."""

    rt: RtApp
    line: Admission
    breaker: Breaker


class Desks:
    """The desks of this process, by the hash of the app; each is made with the first question."""

    def __init__(self) -> None:
        self._desks: dict[str, Desk] = {}

    def __iter__(self) -> Iterator[tuple[str, Desk]]:
        """Give the hash of every app that was asked, with its desk."""
        return iter(sorted(self._desks.items()))

    def of(self, runtime: Runtime, app: App) -> Desk:
        """Give the desk of an app; one that has moved begins with a closed breaker."""
        desk = self._desks.get(app.hash)
        if desk is not None and (desk.rt is app.rt or desk.rt == app.rt):
            return desk
        settings = app.settings
        places = runtime.settings.each(settings.max_questions)
        line = Admission(places) if desk is None else desk.line
        breaker = Breaker(settings.breaker_failures, settings.breaker_pause_s, runtime.clock.now)
        desk = self._desks[app.hash] = Desk(app.rt, line, breaker)
        return desk


#: What is asked: about a call that begins, about one the app knows, or the request that ends it.
Question = Literal["first", "later", "final"]


async def ask(runtime: Runtime, app: App, body: bytes, question: Question) -> bytes:
    """Post a request and give the body of the reply.

    Raises AppFailure: what `RtTransport.ask` raises, AppBusy and AppSuspended. A final request is
    put to an app that does not answer as well: when it is repeated is up to the outbox.
    """
    desk = runtime.desks.of(runtime, app)
    line, breaker = desk.line, desk.breaker
    budget_s = runtime.settings.app_timeout_s
    if breaker.is_shut and question != "final":
        raise AppSuspended.after(breaker.in_row)
    if line.asked < line.places:
        line.asked += 1
    else:
        begun = asyncio.get_running_loop().time()
        if not await line.enter(LINE_SHARE * budget_s, known=question != "first"):
            raise AppBusy.with_so_many(line.asked)
        budget_s -= asyncio.get_running_loop().time() - begun
    try:
        # It may have opened while this question waited.
        probe = breaker.begin() if question != "final" else False
        if probe is None:
            raise AppSuspended.after(breaker.in_row)
        return await _put(runtime, app, body, budget_s, breaker, probe=probe)
    finally:
        line.leave()


async def _put(
    runtime: Runtime, app: App, body: bytes, budget_s: float, breaker: Breaker, *, probe: bool
) -> bytes:
    begun = perf_counter()
    try:
        reply = await runtime.transport.ask(app.rt, body, budget_s)
    except SILENCES as failure:
        if breaker.failed(probe=probe):
            log.error("breaker.opened", app=app.hash, failures=breaker.in_row, why=str(failure))
        raise
    except AppFailure:
        _answered(app, breaker)
        raise
    except BaseException:
        breaker.abandoned(probe=probe)
        raise
    else:
        if breaker.state is not BreakerState.CLOSED or breaker.in_row:
            _answered(app, breaker)
        return reply
    finally:
        runtime.metrics.observe_app(app.hash, perf_counter() - begun)


def _answered(app: App, breaker: Breaker) -> None:
    if breaker.answered():
        log.warning("breaker.closed", app=app.hash, why="the app answers again")


__all__ = ["LINE_SHARE", "NOT_ASKED", "SILENCES", "Desk", "Desks", "Question", "ask"]
