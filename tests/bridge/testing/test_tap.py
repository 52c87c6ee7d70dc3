"""The tap between bridge and app: it hears everything and changes nothing."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bridge.simulator.clock import VirtualClock
from bridge.testing import tap as module
from bridge.testing.app_under_test import running
from bridge.testing.tap import Tap
from bridge.testing.turns import Turn

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def tapped(
    handler: Handler, target: str | None = None
) -> AsyncIterator[tuple[str, list[Turn]]]:
    """Put a tap before a handler; gives its URL and the turns it hears."""
    app = web.Application()
    app.router.add_route("*", "/rt", handler)
    turns: list[Turn] = []

    async def heard(turn: Turn) -> None:
        turns.append(turn)

    async with running(app) as base:
        tap = Tap({"A": target or f"{base}/rt"}, lambda: 7.5, heard)
        await tap.start()
        try:
            yield tap.url("A"), turns
        finally:
            await tap.stop()


async def test_request_and_reply_pass_unchanged() -> None:
    """Body, credentials and content type reach the app, status, type and body come back."""
    seen = []

    async def serve(http: web.Request) -> web.Response:
        seen.append((await http.read(), http.headers["Authorization"], http.content_type))
        return web.Response(status=201, body=b"\xef\xbb\xbf{}", content_type="text/html")

    async with tapped(serve) as (url, turns), aiohttp.ClientSession() as session:
        headers = {"Authorization": "Basic eDp5", "Content-Type": "application/json"}
        async with session.post(url, data=b'{"callid":3}', headers=headers) as response:
            answer = (response.status, await response.read(), response.content_type)

    assert [(b'{"callid":3}', "Basic eDp5", "application/json")] == seen
    assert (201, b"\xef\xbb\xbf{}", "text/html") == answer
    turn = turns[0]
    assert (1, 7.5, 3, "A", 201, b"\xef\xbb\xbf{}", "") == (
        turn.number,
        turn.at,
        turn.call,
        turn.app,
        turn.status,
        turn.body,
        turn.failure,
    )


async def test_compressed_replies_stay_compressed() -> None:
    """What the app encodes reaches the bridge encoded."""
    body = gzip.compress(b"{}")

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with (
        tapped(serve) as (url, turns),
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.post(url, data=b"{}") as response,
    ):
        assert await response.read() == body
    assert turns[0].body == body


async def test_redirects_are_not_followed() -> None:
    """The bridge sees the redirect, as it would without the tap."""

    async def serve(_: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async with (
        tapped(serve) as (url, turns),
        aiohttp.ClientSession() as session,
        session.post(url, data=b"{}", allow_redirects=False) as response,
    ):
        assert (302, "/elsewhere") == (response.status, response.headers["Location"])
    assert turns[0].status == 302


async def test_an_app_that_is_down() -> None:
    """The bridge sees a broken connection, and the turn says why."""

    async def serve(_: web.Request) -> web.Response:
        raise AssertionError("unreachable")

    async with (
        tapped(serve, "http://127.0.0.1:9/rt") as (url, turns),
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url, data=b"{}")

    assert turns[0].status is None
    assert "the app cannot be reached: Connection refused" == turns[0].failure


async def test_an_app_that_dies() -> None:
    """A connection that breaks off is told from an app that is not there."""

    async def serve(http: web.Request) -> web.Response:
        assert http.transport is not None
        http.transport.abort()
        return web.Response()

    async with tapped(serve) as (url, turns), aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url, data=b"{}")

    assert "the app closed the connection before its reply was complete" == turns[0].failure


async def test_an_app_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn without an answer in time is heard as such."""
    monkeypatch.setattr(module, "BUDGET_S", 0.05)
    over = asyncio.Event()

    async def serve(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with tapped(serve) as (url, turns), aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url, data=b"{}")
        over.set()

    assert (None, "the app did not answer within 0.05 s") == (turns[0].status, turns[0].failure)


async def test_turn_that_the_bridge_gave_up_on_is_heard_before_time_goes_on() -> None:
    """Virtual time stands still until the app's late reply was heard."""
    clock, release, reached = VirtualClock(), asyncio.Event(), asyncio.Event()

    async def serve(_http: web.Request) -> web.Response:
        reached.set()
        await release.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/rt", serve)
    turns: list[Turn] = []

    async def heard(turn: Turn) -> None:
        turns.append(turn)

    async with running(app) as base, aiohttp.ClientSession() as session:
        tap = Tap({"A": f"{base}/rt"}, clock.now, heard, clock.busy)
        await tap.start()
        impatient = asyncio.get_running_loop().create_task(session.post(tap.url("A"), data=b"{}"))
        await reached.wait()
        impatient.cancel()
        pulled = asyncio.get_running_loop().create_task(clock.drive(lambda: False, clock.now() + 1))
        release.set()
        await pulled
        assert [200] == [turn.status for turn in turns]
        await tap.stop()
