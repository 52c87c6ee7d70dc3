"""The bare two-hop proxy: a form in, a fixed question to the app, a fixed document out.

What any bridge on aiohttp must at least do, so its throughput is the measure for the real one.
Usage: `python -m benchmarks.servers.bare <port> <app port>`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from benchmarks.documents import PLIVO_XML, RT_REQUEST
from benchmarks.loops import new_loop

__all__ = ["application"]

_HEADERS = {"Content-Type": "application/json"}


def application(app_port: int) -> web.Application:
    """Build the proxy in front of the app on loopback `app_port`."""
    key = web.AppKey("session", ClientSession)
    url = f"http://127.0.0.1:{app_port}/"

    async def client(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as session:
            app[key] = session
            yield

    async def turn(request: web.Request) -> web.Response:
        await request.read()
        async with request.app[key].post(url, data=RT_REQUEST, headers=_HEADERS) as answer:
            await answer.read()
        return web.Response(body=PLIVO_XML, content_type="application/xml")

    app = web.Application()
    app.cleanup_ctx.append(client)
    app.router.add_post("/plivo/DEFAULT/turn", turn)
    return app


if __name__ == "__main__":
    web.run_app(
        application(int(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=new_loop(),
    )
