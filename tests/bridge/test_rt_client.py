from __future__ import annotations

import sys

import pytest
from support_rt import BODY, PLAY, WireApp, http

from bridge.rt import plain
from bridge.rt_client import AppTransport, AppUnreachable, RtApp


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the URLs that the lean way is asked for."""
    urls: list[str] = []
    ask = plain.PlainTransport.ask

    async def watched(
        self: plain.PlainTransport, app: RtApp, body: bytes, budget_s: float
    ) -> bytes:
        urls.append(app.url)
        return await ask(self, app, body, budget_s)

    monkeypatch.setattr(plain.PlainTransport, "ask", watched)
    return urls


async def test_plain_http_takes_the_lean_way(asked: list[str]) -> None:
    """An http:// app is asked without aiohttp when httptools is installed."""
    async with WireApp(http(PLAY)).serving() as app, AppTransport.open() as transport:
        assert PLAY == await transport.ask(app.rt, BODY, 5)
    assert [app.url] == asked


@pytest.mark.parametrize("scheme", ["https", "HTTP"])
async def test_everything_else_goes_through_aiohttp(asked: list[str], scheme: str) -> None:
    """TLS, and a scheme nobody writes like that, are aiohttp's."""
    async with AppTransport.open() as transport:
        with pytest.raises(AppUnreachable):
            await transport.ask(RtApp("X", f"{scheme}://127.0.0.1:9/"), BODY, 0.1)
    assert [] == asked


async def test_without_httptools_everything_goes_through_aiohttp(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """The lean way is an extra: without httptools apps are asked all the same."""
    monkeypatch.delitem(sys.modules, "bridge.rt.plain")
    monkeypatch.delitem(sys.modules, "bridge.rt.connection")
    monkeypatch.setitem(sys.modules, "httptools", None)
    async with WireApp(http(PLAY)).serving() as app, AppTransport.open() as transport:
        assert PLAY == await transport.ask(app.rt, BODY, 5)
    assert [] == asked


async def test_an_old_httptools_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """Before 0.6.2 httptools could not be as lenient as legacy apps need."""

    class Old:
        HttpResponseParser = object
        HttpParserError = HttpParserUpgrade = ValueError

    monkeypatch.delitem(sys.modules, "bridge.rt.plain")
    monkeypatch.delitem(sys.modules, "bridge.rt.connection")
    monkeypatch.setitem(sys.modules, "httptools", Old)
    async with WireApp(http(PLAY)).serving() as app, AppTransport.open() as transport:
        assert PLAY == await transport.ask(app.rt, BODY, 5)
    assert [] == asked


async def test_another_missing_module_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only httptools may be missing; anything else is an incomplete installation."""
    monkeypatch.delitem(sys.modules, "bridge.rt.plain")
    monkeypatch.setitem(sys.modules, "bridge.rt.dialling", None)
    with pytest.raises(ModuleNotFoundError, match=r"bridge\.rt\.dialling"):
        AppTransport.open()
