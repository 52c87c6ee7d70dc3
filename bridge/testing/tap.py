"""A reverse proxy between bridge and app that hears every RT turn and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any, Final

import aiohttp
from aiohttp import web

from bridge.testing.turns import Turn

#: The protocol's budget for a reply, in real s; a little more, so that the bridge gives up first.
BUDGET_S: Final = 5.5
_MOST_BYTES: Final = 64 * 1_048_576
_OF_THE_CONNECTION: Final = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

Heard = Callable[[Turn], Awaitable[None]]


class Tap:
    """Listens at the doors of the apps.

    `targets` maps the hash of an app to its URL; `url(hash)` is where the bridge posts to instead.
    A turn happens inside of `busy`: virtual time stands still until it was heard, also when the
    bridge gave up before.
    """

    def __init__(
        self,
        targets: Mapping[str, str],
        now: Callable[[], float],
        heard: Heard,
        busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._targets = dict(targets)
        self._now = now
        self._heard = heard
        self._busy = busy
        self._count = 0
        self._base = ""
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    def url(self, app_hash: str) -> str:
        """Give the URL that stands for an app."""
        return f"{self._base}/{app_hash}"

    async def start(self) -> None:
        """Begin to listen on a free port."""
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_route("*", "/{hash}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        with self._busy():
            return await self._turn(http)

    async def _turn(self, http: web.Request) -> web.StreamResponse:
        app_hash = http.match_info["hash"]
        raw = await http.read()
        self._count += 1
        number, at, begun = self._count, self._now(), perf_counter()
        status: int | None = None
        body, failure = b"", ""
        headers: dict[str, str] = {}
        try:
            status, headers, body = await self._forward(http, self._targets[app_hash], raw)
        except TimeoutError:
            failure = f"the app did not answer within {BUDGET_S:g} s"
        except aiohttp.ClientConnectorError as error:
            reason = os.strerror(error.os_error.errno) if error.os_error.errno else str(error)
            failure = f"the app cannot be reached: {reason}"
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError):
            failure = "the app closed the connection before its reply was complete"
        except (aiohttp.ClientError, OSError) as error:
            failure = f"the app's reply cannot be read: {str(error) or type(error).__name__}"
        request: dict[str, Any] = json.loads(raw)
        await self._heard(
            Turn(
                number=number,
                at=at,
                call=request.get("callid", 0),
                app=app_hash,
                request=request,
                raw_request=raw,
                status=status,
                body=body,
                content_type=headers.get("Content-Type", ""),
                failure=failure,
                ms=(perf_counter() - begun) * 1000,
            )
        )
        if status is None:
            # What the app did not do is not done for it: the bridge sees a broken connection.
            if http.transport is not None:
                http.transport.abort()
            return web.Response(status=502)
        return web.Response(status=status, body=body, headers=headers)

    async def _forward(
        self, http: web.Request, target: str, raw: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        assert self._session is not None  # noqa: S101 -- started before it listens
        headers = {
            name: value
            for name, value in http.headers.items()
            if name.lower() not in _OF_THE_CONNECTION
        }
        async with self._session.request(
            http.method,
            target,
            data=raw,
            headers=headers,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Content-Type"),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=BUDGET_S),
        ) as response:
            answered = {
                name: value
                for name, value in response.headers.items()
                if name.lower() not in _OF_THE_CONNECTION
            }
            return response.status, answered, await response.read()


__all__ = ["BUDGET_S", "Tap"]
