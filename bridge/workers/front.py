"""The admin listener of several workers: one address for all of them.

Health is the supervisor's own, readiness and metrics are gathered from the workers, and what
operators want is passed on to one of them, which checks their token as if it had been asked itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count as counting
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from pydantic_core import from_json, to_json

from bridge.health import INSTANCE
from bridge.workers.seat import PEER
from bridge.workers.totals import Totals, render
from bridge.workers.watch import count
from bridge.workers.worker import Answer, Unanswered, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.place import Place

#: How long (s) a worker may take to say how it is: less than a probe of Kubernetes waits.
READY_S = 0.8
#: How long (s) it may take to count.
COUNT_S = 2.0
#: How long (s) it may take to do what an operator wants, and then Plivo: as long as operators wait.
ACT_S: Final = 30.0
#: Named where a bridge names its process, while no worker is known.
NOBODY: Final = "starting"
#: What a worker must know of the request of an operator.
_PASSED_ON: Final = ("Authorization", "Content-Type")
_READY: Final = "ready"


class Crew(Protocol):
    """The workers and what is known of those that were."""

    totals: Totals
    replaced: int

    @property
    def workers(self) -> Mapping[int, Worker]:
        """Those that run, by their number."""

    @property
    def size(self) -> int:
        """How many there should be."""


class Front:
    """Handlers of `/healthz`, `/readyz`, `/metrics` and `/admin/`."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._turn = counting()
        self._runner: web.AppRunner | None = None

    async def open(self, place: Place) -> None:
        """Listen at the admin address of the settings. Raises OSError."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.route("*", "/admin/{rest:.*}", self._pass_on),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        await place.open_admin(self._runner)

    async def close(self) -> None:
        """Answer nobody any longer."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _able(self) -> list[Worker]:
        return [worker for _, worker in sorted(self._crew.workers.items()) if worker.served]

    async def _healthz(self, _: web.Request) -> web.Response:
        """Say that the supervisor answers; it replaces workers that do not, so none is asked."""
        names = [worker.instance for worker in self._able() if worker.instance]
        headers = {INSTANCE: ", ".join(names) or NOBODY}
        return web.json_response({"status": "ok"}, headers=headers)

    async def _readyz(self, request: web.Request) -> web.Response:
        """Say ready when one worker is, with the checks of one that is, and what each says."""
        workers = self._able()
        target = f"/readyz?{request.query_string}"
        told = dict(
            zip(
                (worker.number for worker in workers),
                await asyncio.gather(*(_report(worker, target) for worker in workers)),
                strict=True,
            )
        )
        reports = {
            number: {"pid": worker.pid, **told.get(number, {"status": "starting"})}
            if (worker := self._crew.workers.get(number))
            else {"status": "restarting"}
            for number in range(1, self._crew.size + 1)
        }
        ready = [report for report in reports.values() if report["status"] == _READY]
        told_by = next((one for one in (*ready, *reports.values()) if "checks" in one), {})
        body = {
            "status": _READY if ready else "not ready",
            "checks": told_by.get("checks", {"workers": "none serves"}),
            "waiting": told_by.get("waiting", {}),
            "workers": {str(number): report for number, report in reports.items()},
        }
        return _json(200 if ready else 503, body)

    async def _metrics(self, _: web.Request) -> web.Response:
        # Who does not answer in time is shown as last seen.
        await asyncio.gather(*(count(w, COUNT_S) for w in self._able()), return_exceptions=True)
        # Who is gone by now has been added to those of the past.
        workers = self._able()
        total = self._crew.totals.of({w.number: w.snapshot for w in workers})
        serving = sum(worker.able for worker in workers)
        replaced = CounterMetricFamily(
            "rt_bridge_workers_replaced", "How often a worker had to be replaced."
        )
        replaced.add_metric([], self._crew.replaced)
        workers_serving = GaugeMetricFamily(
            "rt_bridge_workers", "Workers that serve.", value=serving
        )
        body = render(total, (workers_serving, replaced))
        response = web.Response(body=body)
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
        return response

    async def _pass_on(self, request: web.Request) -> web.Response:
        able = [worker for worker in self._able() if worker.able] or self._able()
        if not able:
            return _refused(503, "NO_WORKER", "No worker serves at this moment; ask again.")
        worker = able[next(self._turn) % len(able)]
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        try:
            answer = await worker.ask(
                request.method,
                request.rel_url.raw_path_qs,
                ACT_S,
                headers={**headers, PEER: request.remote or ""},
                body=await request.read(),
            )
        except Unanswered as error:
            why = f"{error} Whether it did anything is unknown."
            return _refused(502, "WORKER_LOST", why)
        return _passed_back(answer)


async def _report(worker: Worker, target: str) -> dict[str, Any]:
    try:
        answer = await worker.ask("GET", target, READY_S)
    except Unanswered as error:
        return {"status": "not ready", "checks": {"process": str(error)}}
    with suppress(ValueError):
        report = from_json(answer.body)
        if isinstance(report, dict) and "status" in report:
            return report
    return {"status": "not ready", "checks": {"process": f"It answered {answer.status}."}}


def _passed_back(answer: Answer) -> web.Response:
    kept = ("Content-Type", "Cache-Control", "WWW-Authenticate", "Allow")
    headers = {name: answer.headers[name] for name in kept if name in answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _refused(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"error": {"code": code, "message": message}})


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=to_json(body), content_type="application/json")


__all__ = ["Crew", "Front"]
