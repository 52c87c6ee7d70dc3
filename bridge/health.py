"""The admin listener: alive, ready, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web
from pydantic_core import to_json

from bridge.breaker import BreakerState
from bridge.draining import Phase
from bridge.open_commands import open_commands
from bridge.store.protocol import StoreError

if TYPE_CHECKING:
    from bridge.door import Door
    from bridge.draining import Draining
    from bridge.outbound.service import Outbound
    from bridge.runtime import Runtime


#: The header that names this process: on the admin listener, and in answer to a signed request
#: about no call. By it `rt-bridge doctor` sees whether the public URL leads here.
INSTANCE: Final = "X-RT-Bridge-Instance"
#: Kinds of outbox rows that somebody waits for; the others are housekeeping of rooms.
DELIVERIES: Final = ("final", "kick", "transcript")


class Health:
    """Handlers of `/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, runtime: Runtime, outbound: Outbound, draining: Draining) -> None:
        self._runtime = runtime
        self._outbound = outbound
        self._draining = draining
        #: The door of the other listener, once it is open.
        self.door: Door | None = None

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        """Say that the process answers: shallow on purpose, so that a sick store restarts nothing."""
        headers = {INSTANCE: self._runtime.instance}
        return web.json_response({"status": "ok"}, headers=headers)

    async def _readyz(self, request: web.Request) -> web.Response:
        """Say whether calls should be sent here, with a reason for each check.

        `?verbose` adds every app that was asked so far; one that does not answer is no reason to
        send calls elsewhere, since it answers nobody else either. `?process` leaves the store out
        of account: it is everybody's, and somebody must tell callers to hold.
        """
        leaving = self._draining.phase is not Phase.SERVING
        checks = {"store": "ok", "process": "draining" if leaving else "ok"}
        waiting: dict[str, int | None] = {"outbound": None}
        try:
            await self._runtime.store.ping()
            waiting["outbound"] = await self._outbound.waiting()
        except StoreError as error:
            checks["store"] = str(error)
        counted = ("process",) if "process" in request.query else tuple(checks)
        ready = all(checks[check] == "ok" for check in counted)
        status = "ready" if ready else "not ready"
        told: dict[str, object] = {"status": status, "checks": checks, "waiting": waiting}
        if leaving:
            told["draining"] = await self._draining.told()
        if "verbose" in request.query:
            told["apps"] = {
                app: {
                    "asked": desk.line.asked,
                    "waiting": desk.line.waiting,
                    "breaker": desk.breaker.state,
                }
                for app, desk in self._runtime.desks
            }
        body = to_json(told)
        return web.Response(
            body=body, status=200 if ready else 503, content_type="application/json"
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        metrics = self._runtime.metrics
        leaving = self._draining.phase is not Phase.SERVING
        metrics.set_draining(self._draining.gone_within_s, is_leaving=leaving)
        for app, desk in self._runtime.desks:
            is_open = desk.breaker.state is not BreakerState.CLOSED
            metrics.set_desk(app, desk.line.asked, desk.line.waiting, is_open=is_open)
        if self.door is not None:
            metrics.set_connections(len(self.door), self.door.cut_off)
        store = self._runtime.store
        up = True
        try:
            metrics.set_calls_live(await store.count_live())
            metrics.set_outbox_pending(await store.outbox_size(DELIVERIES))
            metrics.set_outbound_waiting(await self._outbound.waiting())
            metrics.set_open_commands(await open_commands(self._runtime))
            # What is full can be read all the same.
            await store.ping()
        except StoreError:
            metrics.error("", "STORE_UNAVAILABLE")
            up = False
        metrics.set_store(store.losses, up=up)
        response = web.Response(body=metrics.render())
        response.headers["Content-Type"] = metrics.content_type
        return response


__all__ = ["INSTANCE", "Health"]
