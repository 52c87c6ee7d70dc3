"""An RT app that writes down every request, and fails a part of its replies as apps do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final, Self

from aiohttp import web
from chaos.record import Ask, Json
from chaos.talk import Talk
from pydantic_core import to_json

#: How apps fail, and how often each way comes in a hundred failures. A late reply comes after the
#: time the app has, and keeps its caller for as long.
FAILURES: Final = {"500": 30, "503": 10, "reset": 30, "garbage": 25, "late": 5}
LATE_S: Final = 6.0
#: Longest the app thinks about a question, in s.
THINKS_S: Final = 0.2
#: What callers of an app with `on_failure = fallback_url` get.
FALLBACK: Final = b"<Response><Speak>Good-bye.</Speak><Hangup/></Response>"


class ChaosApp:
    """Serves `/rt/<process>`: by the path it knows who asks."""

    def __init__(self, talk: Talk, seed: int, share: float, now: Callable[[], float]) -> None:
        self.asks: list[Ask] = []
        self.failures: Counter[str] = Counter()
        self._random = Random(f"{seed}/failures")
        self._share = share
        self._now = now
        self._talk = talk
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/rt/{process}", self._serve)
        app.router.add_route("*", "/fallback", self._fallback)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, http: web.Request) -> web.Response:
        ask = Ask(self._now(), http.match_info["process"], await http.read())
        self.asks.append(ask)
        random = self._random
        reply: Json = {} if ask.final else self._talk.reply(ask.request)
        await asyncio.sleep(random.random() * THINKS_S)
        if random.random() < self._share:
            (ask.failure,) = random.choices(list(FAILURES), list(FAILURES.values()))
            self.failures[ask.failure] += 1
            response = await self._fail(http, ask.failure)
        else:
            ask.reply = None if ask.final else reply
            response = web.Response(body=to_json(reply), content_type="application/json")
        ask.answered = self._now()
        return response

    async def _fail(self, http: web.Request, failure: str) -> web.Response:
        match failure:
            case "reset":
                if http.transport is not None:
                    http.transport.abort()
            case "garbage":
                return web.Response(
                    text="<b>Warning</b>: mysql_connect()", content_type="text/html"
                )
            case "late":
                await asyncio.sleep(LATE_S)
            case _:
                return web.Response(status=int(failure))
        return web.Response()

    async def _fallback(self, _: web.Request) -> web.Response:
        return web.Response(body=FALLBACK, content_type="application/xml")


__all__ = ["FAILURES", "LATE_S", "ChaosApp"]
