"""A proxy before the simulated REST API, for what goes wrong on the way and as nobody can say why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from support_e2e import listening


@dataclass
class FailingRest:
    """Passes requests on to `target`; `seen` lists their methods and paths.

    `failing` maps "METHOD path-part" to statuses used up before the real answer; 0 = none comes
    until `over` is set, and nothing was done.
    """

    url: str = ""
    target: str = ""
    failing: dict[str, list[int]] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, method: str, part: str) -> int:
        """Count the requests with this method whose path contains this."""
        return len([path for verb, path in self.seen if verb == method and part in path])

    async def serve(self, http: web.Request) -> web.Response:
        """Fail as told, or pass it on."""
        self.seen.append((http.method, http.path))
        for key, statuses in self.failing.items():
            method, _, part = key.partition(" ")
            if method == http.method and part in http.path and statuses:
                status = statuses.pop(0)
                if status == 0:
                    await self.over.wait()
                return web.json_response({"error": "made to fail"}, status=status or 500)
        headers = {
            name: http.headers[name]
            for name in ("Authorization", "Content-Type")
            if name in http.headers
        }
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                http.method, self.target + http.path_qs, data=await http.read(), headers=headers
            ) as answer,
        ):
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                content_type=answer.content_type,
            )


@asynccontextmanager
async def failing_rest() -> AsyncIterator[FailingRest]:
    """Run one; requests it does not answer are let go at the end."""
    proxy = FailingRest()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.serve)
    async with listening(app) as proxy.url:
        try:
            yield proxy
        finally:
            proxy.over.set()
