"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from support_plivo import XmlApp, xml_app
from support_xml_server import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Run the server for one test."""
    served = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        served.session = session
        yield served
    await runner.cleanup()


@pytest.fixture
async def app() -> AsyncIterator[XmlApp]:
    """Run a server of scripted Plivo XML for one test."""
    async with xml_app() as served:
        yield served
