"""The host of recordings on the simulated platform: every recording is a short WAV file."""

from __future__ import annotations

from aiohttp import web

from bridge.assets import asset


def recordings_app() -> web.Application:
    """Give a server of `/v1/Account/{auth_id}/Recording/{name}`."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=asset("silence"), content_type="audio/wav")

    app = web.Application()
    app.router.add_get("/v1/Account/{auth_id}/Recording/{name}", serve)
    return app


__all__ = ["recordings_app"]
