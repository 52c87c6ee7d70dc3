"""A deployment for the doctor: an app, the simulated Plivo, a proxy, and a bridge when it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from support_e2e import RecordingApp, listening
from support_plivo import ACCOUNT
from support_provision import SHOP, add

from bridge.app import Bridge
from bridge.doctor.examination import examine
from bridge.doctor.findings import Finding
from bridge.provision.wanted import wanted
from bridge.settings import Settings
from bridge.simulator.clock import VirtualClock
from bridge.simulator.platform import Application, Plivo

Json = dict[str, Any]
Pass = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Proxy:
    """What stands before the bridge under the public URL; `change` answers in its place."""

    url: str = ""
    upstream: str = ""
    strip: str = ""
    change: Pass | None = None
    session: aiohttp.ClientSession | None = None

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Pass a request on as it is, but for a prefix that is taken away."""
        if self.change is not None:
            return await self.change(http)
        assert self.session is not None
        try:
            async with self.session.request(
                http.method,
                self.upstream + http.raw_path.removeprefix(self.strip),
                data=await http.read(),
                headers={name: text for name, text in http.headers.items() if name != "Host"},
                allow_redirects=False,
            ) as response:
                return web.Response(
                    status=response.status,
                    body=await response.read(),
                    headers={
                        name: response.headers[name]
                        for name in response.headers
                        if name in {"Content-Type", "Location", "X-RT-Bridge-Instance"}
                    },
                )
        except aiohttp.ClientConnectorError:
            return web.Response(status=502, text="Bad gateway")


@dataclass
class Clinic:
    """Everything that is examined; `more` and `apps` change settings, None = as by default."""

    plivo: Plivo
    app: RecordingApp
    proxy: Proxy
    folder: Path
    more: Json = field(default_factory=dict)
    apps: Json = field(default_factory=dict)
    ports: tuple[int, int] = (0, 0)

    @property
    def settings(self) -> Settings:
        """Make the settings of the deployment."""
        values = {
            "public_url": self.proxy.url + self.proxy.strip,
            "listen": f"127.0.0.1:{self.ports[0]}",
            "admin_listen": f"127.0.0.1:{self.ports[1]}",
            "plivo_auth_id": ACCOUNT.auth_id,
            "plivo_auth_tokens": [ACCOUNT.auth_token],
            "plivo_api_url": self.plivo.api_url,
            "store": f"sqlite:///{self.folder}/bridge.db",
            "apps": {"SHOP": {"url": self.app.url, "numbers": [f"+{SHOP}"]}, **self.apps},
            **self.more,
        }
        given = {name: value for name, value in values.items() if value is not None}
        return Settings.model_validate(given)

    def provision(self, **changes: Any) -> None:
        """Let Plivo know the bridge, as rt-bridge provision would; `changes` are not as wanted."""
        for one in wanted(self.settings):
            fields = {
                "answer_url": one.fields["answer_url"],
                "hangup_url": one.fields["hangup_url"],
                "fallback_url": one.fields["fallback_answer_url"],
                **changes,
            }
            app_id = add(self.plivo, one.name, Application(**fields))
            registry = self.plivo.api.registry
            for number in one.numbers:
                self.plivo.numbers[number] = Application("")
                registry.assign(number, registry.applications()[app_id])

    @asynccontextmanager
    async def running(self, **changes: Any) -> AsyncIterator[Bridge]:
        """Let a bridge run with these settings, and the proxy lead to it."""
        bridge = Bridge(self.settings.model_copy(update=changes))
        await bridge.start()
        self.ports = (bridge.port, bridge.admin_port)
        self.proxy.upstream = f"http://127.0.0.1:{bridge.port}"
        try:
            yield bridge
        finally:
            await bridge.stop()

    async def examine(self, *checks: str, **options: Any) -> list[Finding]:
        """Examine; gives what these checks found, all of them when none is named."""
        found = await examine(self.settings, **options)
        return [finding for finding in found if not checks or finding.check in checks]

    async def one(self, check: str, **options: Any) -> Finding:
        """Examine; gives the one thing a check found."""
        (finding,) = await self.examine(check, **options)
        return finding


@asynccontextmanager
async def clinic(folder: Path) -> AsyncIterator[Clinic]:
    """Start everything but the bridge; nobody listens on its ports."""
    app = RecordingApp()
    app.to_final = [b""] * 100
    await app.start()
    proxy = Proxy()
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", proxy.serve)
    try:
        async with (
            Plivo(clock=VirtualClock(), account=ACCOUNT, seed=1) as plivo,
            listening(served) as proxy.url,
            aiohttp.ClientSession() as proxy.session,
        ):
            yield Clinic(plivo, app, proxy, folder)
    finally:
        await app.stop()
