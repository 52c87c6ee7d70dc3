"""An RT app over HTTP that writes down everything it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

from aiohttp import web
from pydantic_core import from_json, to_json

Reply = dict[str, Any]


@dataclass(slots=True)
class Ask:
    """One RT.Request as it arrived, and what was answered; times by `time.monotonic`."""

    at: float
    body: bytes
    request: dict[str, Any]
    reply: Reply = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Tell whether it reports the end of the call."""
        return bool(self.request["call_status"] == "HANGUP")


class RtApp:
    """Answers with `decide`, once `think` is through; keeps `asks` by the caller's number."""

    def __init__(self, decide: Callable[[Ask], Reply]) -> None:
        self.decide = decide
        self.think: Callable[[Ask], Awaitable[None]] | None = None
        self.asks: dict[str, list[Ask]] = {}
        self._more = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address for the bridge's settings."""
        return f"http://127.0.0.1:{self.port}/rt"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen(self) -> None:
        """Start to answer; after `close` on the same port as before."""
        app = web.Application()
        app.router.add_post("/rt", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=512).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop answering: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, done: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until something is true that only another request can make true."""
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(done), timeout_s)

    def of(self, number: str) -> list[Ask]:
        """List what was asked about the calls of that caller."""
        return self.asks.get(number, [])

    def finals(self, number: str) -> list[Ask]:
        """List the final requests about the calls of that caller."""
        return [ask for ask in self.of(number) if ask.final]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        ask = Ask(monotonic(), body, from_json(body))
        self.asks.setdefault(ask.request["cli_number"], []).append(ask)
        ask.reply = {} if ask.final else self.decide(ask)
        async with self._more:
            self._more.notify_all()
        if self.think is not None:
            await self.think(ask)
        return web.Response(body=to_json(ask.reply), content_type="application/json")
