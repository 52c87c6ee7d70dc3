"""RT apps for tests of the test kit: scripted, in every form an app can come in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bridge.testing.rig import Rig, rig

Json = dict[str, Any]
Reply = Json | bytes | int
HANGUP: Json = {"command": "hangup", "command_id": 1, "params": {}, "variables": {}}


def tts(text: str) -> str:
    """Give the media id of a text."""
    return f"TTS|TTS_EN-GB_SERENA|{text}"


def command(name: str, variables: Json | None = None, **params: Any) -> Json:
    """Write an RT.Response."""
    return {"command": name, "command_id": name, "params": params, "variables": variables or {}}


def play(text: str) -> Json:
    """Write the command to speak a text."""
    return command("play", media_id=tts(text))


def read(text: str, **params: Any) -> Json:
    """Write the command to ask for keys."""
    options = {"max_digits": 20, "attempts": 3, "timeout_ms": 5000, **params}
    return command("read", media_id=tts(text), **options)


class Script:
    """Hands out replies in order, every call from the beginning; then it hangs up."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = replies
        self._left: dict[int, list[Reply]] = {}
        self.requests: list[Json] = []

    def reply(self, request: Json) -> Reply:
        """Give the reply to a request; the final one of a call gets an empty 200."""
        self.requests.append(request)
        if request["call_status"] != "UP":
            return b""
        left = self._left.setdefault(request["callid"], list(self._replies))
        return left.pop(0) if left else HANGUP


def status_and_body(reply: Reply) -> tuple[int, bytes]:
    """Give what goes over the wire."""
    if isinstance(reply, int):
        return reply, b""
    return 200, reply if isinstance(reply, bytes) else json.dumps(reply).encode()


def app_of(script: Script, path: str = "/") -> web.Application:
    """Serve a script with aiohttp."""

    async def serve(http: web.Request) -> web.Response:
        status, body = status_and_body(script.reply(await http.json()))
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post(path, serve)
    return app


def wsgi_of(script: Script) -> Callable[..., Iterable[bytes]]:
    """Serve a script as a WSGI application."""

    def app(environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        raw = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        status, body = status_and_body(script.reply(json.loads(raw)))
        start_response(f"{status} OK", [("Content-Type", "application/json")])
        return [body]

    return app


def asgi_of(script: Script) -> Callable[..., Awaitable[None]]:
    """Serve a script as an ASGI application."""

    async def app(scope: Json, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        raw, more = b"", True
        while more:
            message = await receive()
            raw, more = raw + message["body"], message.get("more_body", False)
        status, body = status_and_body(script.reply(json.loads(raw)))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


@asynccontextmanager
async def simulated(*replies: Reply, **options: Any) -> AsyncIterator[Rig]:
    """Open a rig around a script."""
    options.setdefault("seed", 1)
    async with rig(app_of(Script(*replies)), **options) as made:
        yield made
