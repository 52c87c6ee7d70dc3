"""A bridge and an app of the benchmarks in this process, at the other end of a load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from benchmarks.stub import Stub
from benchmarks.webhooks import AUTH_TOKEN, PUBLIC_URL
from bridge.app import Bridge
from bridge.settings import AppSettings, Listen, Settings


@asynccontextmanager
async def bridge_for(app: Stub, store: str) -> AsyncIterator[Bridge]:
    """Start a bridge whose app is this one."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(app.connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bridge = Bridge(
        Settings(
            public_url=PUBLIC_URL,
            listen=Listen("127.0.0.1", 0),
            admin_listen=Listen("127.0.0.1", 0),
            plivo_rest=False,
            plivo_auth_id="MABENCH",
            plivo_auth_tokens=(SecretStr(AUTH_TOKEN),),
            store=store,
            recording_grace_s=0.1,
            apps={"DEFAULT": AppSettings(url=f"http://127.0.0.1:{port}/")},
        )
    )
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()
        server.close()
        await server.wait_closed()


def sqlite_in(folder: Path) -> str:
    """Address a SQLite store in a folder."""
    return f"sqlite:///{folder / 'bridge.db'}"
