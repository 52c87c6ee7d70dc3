"""Apps with a fault each, and one without, for tests of the explorer; served in a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from support_kit import HANGUP, Json, command, play, read

from bridge.testing.app_under_test import running
from bridge.testing.portal import portal

Answer = Json | int
MENU = read("Press one or two.", max_digits=1, attempts=1)
CODE = read("Your code, please.", max_digits=4, attempts=1)


def result_of(request: Json) -> tuple[Any, str]:
    """Give the name of the command that ended, and its result."""
    return request["command_id"], str(request["command_result"])


async def sound(request: Json) -> Answer:
    """Ask for a code once, and say goodbye."""
    return CODE if request["command"] == "" else HANGUP


async def loops_on_nothing(request: Json) -> Answer:
    """Ask again and again as long as nothing is pressed."""
    name, keys = result_of(request)
    if name == "read" and keys not in {"", "TIMEOUT"}:
        return HANGUP
    return CODE


async def unknown_command_on_star(request: Json) -> Answer:
    """Answer a star with a command that does not exist."""
    name, keys = result_of(request)
    if name == "read":
        return command("goto", label="operator") if keys == "*" else HANGUP
    return MENU if request["command"] == "" else HANGUP


async def fails_on_second_refusal(request: Json) -> Answer:
    """Call one party after the other, and break when the second cannot be reached either."""
    name, keys = result_of(request)
    if request["command"] == "":
        return MENU
    if name == "read":
        return party("+33199000001", "one") if keys == "1" else HANGUP
    if name == "one":
        return party("+33199000002", "two")
    return 500 if keys == "NOANSWER" else HANGUP


async def sleeps_on_seven(request: Json) -> Answer:
    """Take longer than an app may, after a certain key."""
    name, keys = result_of(request)
    if name == "read" and keys == "7":
        await asyncio.sleep(6)
    return MENU if request["command"] == "" else HANGUP


async def counts_for_ever(request: Json) -> Answer:
    """Say something new each time, and never come to an end."""
    count = request["variables"].get("count", 0) if request["variables"] else 0
    return play(f"Number {count}.") | {"variables": {"count": count + 1}}


def party(number: str, label: str) -> Json:
    """Write the command to call somebody."""
    targets = [{"number": number, "timeout": 10}]
    return command("dialout", targets=targets, cli="BLOCKED") | {"command_id": label}


@contextmanager
def served(answer: Callable[[Json], Awaitable[Answer]]) -> Iterator[str]:
    """Serve an app; gives its URL."""

    async def serve(http: web.Request) -> web.Response:
        request = await http.json()
        if request["call_status"] != "UP":
            return web.Response()
        reply = await answer(request)
        return web.Response(status=reply) if isinstance(reply, int) else web.json_response(reply)

    app = web.Application()
    app.router.add_post("/", serve)
    with portal() as thread:
        context = running(app)
        try:
            yield thread.run(context.__aenter__())
        finally:
            thread.run(context.__aexit__(None, None, None))
