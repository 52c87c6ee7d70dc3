"""The app under test, in every form it can come in."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support_kit import HANGUP, Script, app_of, asgi_of, wsgi_of

from bridge.testing.app_under_test import AppStartError, AppUnderTest, running, serving

REQUEST = {"callid": 1, "call_status": "UP", "command": ""}
SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"command": "hangup", "port": os.environ["PORT"]}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


async def _ask(url: str) -> object:
    async with aiohttp.ClientSession() as session, session.post(url, json=REQUEST) as response:
        return await response.json(content_type=None)


@pytest.mark.parametrize("form", [app_of, asgi_of, wsgi_of])
async def test_an_application_is_served(form: Callable[[Script], AppUnderTest]) -> None:
    """aiohttp, ASGI and WSGI applications answer on a loopback URL."""
    script = Script()
    async with running(form(script)) as url:
        answer = await _ask(url)

    assert (HANGUP, [REQUEST]) == (answer, script.requests)


async def test_an_asgi_application_may_be_an_object() -> None:
    """An instance with an asynchronous __call__ is ASGI, as the usual frameworks have it."""
    inner = asgi_of(Script())

    class App:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await inner(scope, receive, send)

    async with running(App()) as url:
        assert await _ask(url) == HANGUP


async def test_a_url_is_used_as_it_is() -> None:
    """A running app is left alone."""
    async with running("https://app.example.com/rt?x=1") as url:
        assert url == "https://app.example.com/rt?x=1"


@pytest.mark.parametrize("as_text", [True, False])
async def test_a_command_gets_its_port(tmp_path: Path, as_text: bool) -> None:
    """A command finds the port in PORT and in place of {port}, and ends with the test."""
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    words = [sys.executable, str(script), "{port}"]
    async with running(" ".join(words) if as_text else words) as url:
        answer = await _ask(url)

    assert answer == {"command": "hangup", "port": url.rpartition(":")[2]}
    with pytest.raises(aiohttp.ClientConnectorError):
        await _ask(url)


async def test_a_command_that_does_not_exist() -> None:
    """The sentence names the command and the reason."""
    with pytest.raises(AppStartError) as caught:
        async with running(["/no/such/app", "serve"]):
            pass

    assert str(caught.value) == (
        "“/no/such/app serve” cannot be started: No such file or directory."
    )


async def test_a_command_that_ends_at_once() -> None:
    """The sentence has the status and what the command said."""
    words = [sys.executable, "-c", "import sys; print('no database'); sys.exit(3)"]
    with pytest.raises(AppStartError) as caught:
        async with running(words):
            pass

    assert "ended with status 3 before it listened. It said:\nno database" in str(caught.value)


async def test_a_command_that_never_listens() -> None:
    """The sentence has the port and the time, and the command is gone afterwards."""
    words = [sys.executable, "-c", "import sys; sys.stdin.read(); __import__('time').sleep(60)"]
    with pytest.raises(AppStartError) as caught:
        async with running(words, start_s=0.2):
            pass

    assert "did not listen on port" in str(caught.value)
    assert "within 0.2 s" in str(caught.value)


async def test_something_else() -> None:
    """What is no app at all is refused with the list of what is."""
    with pytest.raises(AppStartError) as caught:
        async with running(42):  # type: ignore[arg-type]
            pass

    assert str(caught.value) == (
        "42 is no RT app: give a URL, an aiohttp, ASGI or WSGI application, or a command."
    )


async def test_a_stranger_on_the_port_of_a_command() -> None:
    """It is not tested in the place of the app."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(AppStartError, match=f"Something listens on port {port} already"):
            async with running([sys.executable, "-c", "pass"], port=port):
                pass


async def test_what_a_command_prints_is_kept(tmp_path: Path) -> None:
    """Its last lines and its end are there for whoever looks for the reason of a failure."""
    code = "import sys\nprint('born', flush=True)" + SERVER.replace(
        "self.send_response(200)", "sys.stderr.write('Fatal: no such table\\n'); os._exit(7)"
    )
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    async with serving([sys.executable, str(tmp_path / "app.py"), "{port}"]) as served:
        assert "born" == served.said()
        with pytest.raises(aiohttp.ClientError):
            await _ask(served.url)
        async with asyncio.timeout(10):
            while "ended" not in served.said():  # noqa: ASYNC110 -- processes end by themselves
                await asyncio.sleep(0)

        assert "born\nFatal: no such table\n(It ended with status 7.)" == served.said()


async def test_hundreds_of_calls_may_begin_at_once() -> None:
    """A WSGI application is not slower than it is: connections wait for it and are not dropped."""
    async with (
        running(wsgi_of(Script())) as url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):

        async def ask(number: int) -> int:
            request = {**REQUEST, "callid": number}
            async with session.post(url, json=request) as response:
                return response.status

        assert {200} == set(await asyncio.gather(*map(ask, range(200))))
