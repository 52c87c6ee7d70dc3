"""The host of recordings on the simulated platform: every recording is a short WAV file."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from bridge.assets import asset


@dataclass(slots=True)
class Recording:
    """A recording of the account: its file can be fetched from `ready_at` on.

    `began` is wall time in s, `seconds` its length; less than 0 = it still runs.
    """

    recording_id: str
    url: str
    file_format: str
    call_uuid: str
    began: float
    seconds: float = -1.0
    ready_at: float = 0.0
    conference_name: str = ""


def recordings_app() -> web.Application:
    """Give a server of `/v1/Account/{auth_id}/Recording/{name}`."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=asset("silence"), content_type="audio/wav")

    app = web.Application()
    app.router.add_get("/v1/Account/{auth_id}/Recording/{name}", serve)
    return app


__all__ = ["Recording", "recordings_app"]
