from __future__ import annotations

import asyncio
import ssl
from typing import Any, NoReturn

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from support_rt import BODY, bound, http, url_of

from bridge.rt_client import AiohttpTransport, AppUnreachable, RtApp


async def test_tls_with_a_plain_server_is_unreachable_at_once() -> None:
    """An https URL that leads to a plain server is not tried again."""
    connections = 0

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(http(b"plain", status="400 Bad Request"))
        writer.close()

    with bound() as sock:
        server = await asyncio.start_server(plain, sock=sock)
        app = RtApp("X", url_of(sock).replace("http:", "https:"))
        async with AiohttpTransport.open() as transport:
            with pytest.raises(AppUnreachable, match="TLS cannot be agreed on"):
                await transport.ask(app, BODY, 5)
        server.close()
        await server.wait_closed()
    assert 1 == connections


async def test_a_bad_certificate_is_unreachable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that does not fit is named and not tried again."""
    key = ConnectionKey("app.example", 443, True, True, None, None, None)
    attempts = 0

    async def connect(*_args: Any, **_more: Any) -> NoReturn:
        nonlocal attempts
        attempts += 1
        raise aiohttp.ClientConnectorCertificateError(key, ssl.CertificateError(1, "expired"))

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    async with AiohttpTransport.open() as transport:
        with pytest.raises(AppUnreachable) as caught:
            await transport.ask(RtApp("X", "https://app.example/"), BODY, 5)
    assert (
        "The app at https://app.example/ cannot be reached: its certificate is not valid (expired)."
    ) == caught.value.sentence
    assert 1 == attempts
