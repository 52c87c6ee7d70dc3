"""Assembly: from settings to a running bridge, and back down again in good order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import structlog
from aiohttp import web

from bridge.assets import asset
from bridge.breaks import Breaks
from bridge.clock import SystemClock
from bridge.door import IDLE_S, NEVER_S, Door, most_connections
from bridge.draining import Draining
from bridge.duties import Duty
from bridge.hangups import Hangups
from bridge.health import Health
from bridge.json_rpc.api import Api
from bridge.json_rpc.endpoint import Endpoint
from bridge.media import Library, MediaServer
from bridge.metrics import Metrics
from bridge.open_commands import counted
from bridge.operators.admin import Admin
from bridge.outbound.service import Outbound
from bridge.outbox import Outbox
from bridge.place import Listening, Place
from bridge.plivo.rest import PlivoRest
from bridge.plivo.rest_account import AccountRest
from bridge.plivo.rest_request import RestTransport
from bridge.reconcile import Reconciler
from bridge.recordings.transcripts import Transcripts
from bridge.rest_actions import RestActions
from bridge.room_looks import RoomLooks
from bridge.rooms import Rooms
from bridge.rt_client import AppTransport, RtApp
from bridge.runtime import App, Runtime
from bridge.session import Session
from bridge.store import open_store
from bridge.store.protocol import StoreError
from bridge.stored_apps import StoredApps
from bridge.tasks import background_tasks, drain, finished, spawn
from bridge.webhooks import Webhooks
from mappings.registry import COMMANDS

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.rt_client import RtTransport
    from bridge.settings import Settings
    from bridge.store.protocol import Store

RestT = TypeVar("RestT", bound=RestTransport)

log = structlog.get_logger()

#: Plivo closes idle connections early; one that may be dead makes a POST's outcome unknown.
REST_KEEPALIVE_S = 4.0
#: Longest a bridge that stops tries to tell the other replicas that it is gone, in s.
LEAVE_S = 2.0
#: What is cut off has so long to come to its end, in s; aiohttp takes 0 for no limit.
CUT_OFF_S = 0.05


class Bridge:
    """A bridge in this process: `start`, perhaps `drain`, then `stop`.

    Addresses are known after `start`.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, place: Place | None = None
    ) -> None:
        self.settings = settings
        self._place = place or Place(settings)
        self._clock = clock or SystemClock()
        self._runners: list[web.AppRunner] = []
        self._sessions: list[aiohttp.ClientSession] = []
        self._loops: list[asyncio.Task[None]] = []
        self._transport: AppTransport | None = None
        self._listener: Listening | None = None
        self.store = open_store(settings.store, durability=settings.store_durability)
        self.draining = Draining(settings.drain_s, settings.shutdown_grace_s, self._left)
        self.port = 0
        self.admin_port = 0

    async def start(self) -> None:
        """Open the store, start both listeners and the background work.

        Raises StoreUnavailable, or OSError when an address is taken.
        """
        settings = self.settings
        await self.store.open()
        transport = AppTransport.open(max_reply_bytes=settings.max_app_reply_bytes)
        self._transport = transport
        secret = await self.store.secret()
        self.runtime = runtime = make_runtime(
            settings, self.store, secret, self._clock, transport, self._rest(PlivoRest)
        )
        if not self.store.shared:
            runtime.open_commands.update(await counted(self.store))
        self.session = session = Session(runtime, RestActions(runtime))
        self.outbox = Outbox(runtime)
        self.hangups = Hangups(runtime, session, self.outbox)
        session.on_turn_end = self.hangups.turn_ended
        session.was_over = self.hangups.was_over
        self.outbound = Outbound(runtime, session, self.hangups, self.outbox)
        self.health = Health(runtime, self.outbound, self.draining)
        rooms = Rooms(runtime, session, self.outbox)
        self.breaks = Breaks(runtime, session, self.outbox)
        self.looks = RoomLooks(runtime, session, self.outbox, rooms)
        self.stored_apps = StoredApps(runtime)
        await self.stored_apps.load()
        transcripts = Transcripts(runtime, session, self.outbox, self._client())
        webhooks = Webhooks(
            runtime, session, self.hangups, rooms, self.stored_apps, transcripts=transcripts
        )
        asset("music")  # synthesised now rather than while a caller waits
        self.door = self.health.door = Door(
            most_connections(settings.each(settings.max_connections)), take=webhooks.take
        )
        public = web.Application(
            client_max_size=settings.max_webhook_bytes, middlewares=[self.door.middleware()]
        )
        public.add_routes(webhooks.routes())
        account = self._rest(AccountRest)
        numbers = Duty(runtime, session.replicas, "numbers")
        self.api = Api(
            runtime, self.stored_apps, self.outbound, account, self.breaks, self.hangups, numbers
        )
        public.add_routes(Endpoint(self.api).routes(webhooks.prefix))
        media = MediaServer(runtime, self._client())
        for prefix in {"", webhooks.prefix}:
            for method in ("GET", "POST"):
                public.router.add_route(method, prefix + "/media/{name}", media.serve)
        admin = web.Application(middlewares=self._place.admin_middlewares)
        admin.add_routes(self.health.routes())
        admin.add_routes(Admin(runtime, session, self.hangups, self.breaks, self.looks).routes())
        await session.replicas.join()
        self._listener = await self._place.open(self.door, await self._runner(public, NEVER_S))
        await self._place.open_admin(await self._runner(admin))
        self.port, self.admin_port = self._place.port, self._place.admin_port
        reconciler = Reconciler(runtime, self.hangups, Duty(runtime, session.replicas, "house"))
        self._loops = [
            spawn(self.outbox.run(), "outbox"),
            spawn(reconciler.run(), "reconciler"),
            spawn(self.outbound.run(), "outbound"),
            spawn(self.stored_apps.run(), "stored apps", daemon=self.store.shared),
        ]

    async def drain(self) -> None:
        """Be not ready, dial nobody, and answer on while somebody may need it (bridge.draining)."""
        self.draining.begin()
        self.outbound.stop()
        self.door.see_out()
        await self.session.replicas.drain()
        await self.draining.answer_on(self._needed)

    async def _needed(self) -> bool:
        """Tell whether webhooks may come that belong here, or what is due has not gone out.

        While others are there a load balancer has to notice first, whose calls they are or not.
        """
        if self.session.replicas.ready():
            return True
        try:
            now = self.runtime.clock.now()
            return await self.store.count_live() > 0 or bool(await self.store.due(now, 1))
        except StoreError:
            return True

    async def _left(self) -> dict[str, int | None]:
        """Count live calls in the store, requests that are being answered, and work behind them."""
        calls: int | None = None
        with suppress(StoreError):
            calls = await self.store.count_live()
        work = len(background_tasks().difference(self._loops))
        return {"calls": calls, "requests": self.door.answering, "work": work}

    async def stop(self) -> None:
        """Stop in good order: no new requests, finish those in flight, then the store."""
        await self.draining.finish()
        self.outbox.stop()
        self.outbound.stop()
        for task in self._loops[1:]:
            task.cancel()
        if self._listener is not None:
            self._listener.close()
            self.door.close()
            await self.draining.within(self.door.finish(), "answer")
        for runner in self._runners[:1]:
            await self._close(runner)
        await self.draining.within(finished(), "finish")
        await drain(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self.session.replicas.leave()
        for runner in self._runners[1:]:
            await self._close(runner)
        self.draining.gone()
        if self._transport is not None:
            await self._transport.close()
        for session in self._sessions:
            await session.close()
        await self.store.close()

    async def _close(self, runner: web.AppRunner) -> None:
        """Close a listener and its connections: idle ones now, others once they are answered."""
        for site in runner.sites:
            await site.stop()
        if (server := runner.server) is not None:
            # What has arrived is begun in the next turn of the loop, and counts as in flight.
            await asyncio.sleep(0)
            server.pre_shutdown()
            if not await self.draining.within(server.shutdown(None), "answer"):
                await server.shutdown(CUT_OFF_S)
        await runner.cleanup()

    async def _runner(self, app: web.Application, keepalive_s: float = IDLE_S) -> web.AppRunner:
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=keepalive_s,
            shutdown_timeout=CUT_OFF_S,
        )
        await runner.setup()
        self._runners.append(runner)
        return runner

    def _client(self, keepalive_s: float = 30.0) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        self._sessions.append(session)
        return session

    def _rest(self, kind: type[RestT]) -> RestT | None:
        settings = self.settings
        if not settings.plivo_rest or settings.plivo_auth_id is None:
            return None
        return kind(
            self._client(REST_KEEPALIVE_S),
            settings.plivo_api_url,
            settings.plivo_auth_id,
            settings.plivo_auth_tokens[0].get_secret_value(),
            timeout_s=4.0,
        )


def make_runtime(  # noqa: PLR0917 - the parts a runtime is made of
    settings: Settings,
    store: Store,
    secret: bytes,
    clock: Clock,
    transport: RtTransport,
    rest: PlivoRest | None,
) -> Runtime:
    """Put together what every part of the shell shares."""
    return Runtime(
        settings=settings,
        store=store,
        secret=secret,
        clock=clock,
        transport=transport,
        rest=rest,
        metrics=Metrics(settings.apps, [command.name for command in COMMANDS]),
        library=Library(settings, secret),
        apps={
            name: App(name, app, RtApp.from_settings(name, app))
            for name, app in settings.apps.items()
        },
    )


__all__ = ["Bridge", "make_runtime"]
