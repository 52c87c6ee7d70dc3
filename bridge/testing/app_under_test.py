"""The RT app under test, in whatever form it comes, as a URL on loopback.

| form | what happens |
|---|---|
| `http://…` | it runs already and is used as it is |
| aiohttp `Application` | served in this event loop |
| ASGI application | served in this event loop by uvicorn |
| WSGI application | served by threads of the standard library |
| list of words, or a string that is no URL | a command, started in a process of its own |

A command gets the port in the environment variable PORT and in place of `{port}` in its words.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import shlex
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any, Final, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from aiohttp import web

AppUnderTest = str | Sequence[str] | web.Application | Callable[..., Any]

HOST: Final = "127.0.0.1"
#: Longest a command may take until it listens, in real s.
START_S: Final = 20.0
_ASGI_PARAMETERS: Final = 3
_SHOWN: Final = 2000


class AppStartError(Exception):
    """The app under test cannot be started or reached; the message says why."""


@dataclass(frozen=True, slots=True)
class Served:
    """An app that runs: its base URL, without a slash at the end, and what it has printed.

    `said` gives the last lines that a command wrote to its standard output and error; apps that
    are no command say nothing here.
    """

    url: str
    said: Callable[[], str] = str


@asynccontextmanager
async def running(
    app: AppUnderTest, *, start_s: float = START_S, port: int | None = None
) -> AsyncIterator[str]:
    """Run the app; gives its base URL, without a slash at the end. Raises AppStartError."""
    async with serving(app, start_s=start_s, port=port) as served:
        yield served.url


@asynccontextmanager
async def serving(
    app: AppUnderTest, *, start_s: float = START_S, port: int | None = None
) -> AsyncIterator[Served]:
    """Run the app. Raises AppStartError.

    `port` is where a command listens; None = it is told a free one.
    """
    if isinstance(app, str) and app.startswith(("http://", "https://")):
        yield Served(app)
    elif isinstance(app, str | list | tuple):
        words = shlex.split(app) if isinstance(app, str) else list(app)
        if port is not None:
            await _make_sure_is_free(port)
        async with _command(words, start_s, port or _free_port()) as served:
            yield served
    elif isinstance(app, web.Application):
        async with _aiohttp(app) as url:
            yield Served(url)
    elif callable(app) and _is_asgi(app):
        async with _asgi(app) as url:
            yield Served(url)
    elif callable(app):
        async with _wsgi(app) as url:
            yield Served(url)
    else:
        raise AppStartError(
            f"{app!r} is no RT app: give a URL, an aiohttp, ASGI or WSGI application, or a command."
        )


def _is_asgi(app: Callable[..., Any]) -> bool:
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else type(app).__call__
    if inspect.iscoroutinefunction(call):
        return True
    try:
        count = len(inspect.signature(app).parameters)
    except (TypeError, ValueError):
        return False
    return count == _ASGI_PARAMETERS


@asynccontextmanager
async def _aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _asgi(app: Callable[..., Any]) -> AsyncIterator[str]:
    try:
        import uvicorn  # noqa: PLC0415 -- part of the extra [pytest]
    except ImportError:
        raise AppStartError("An ASGI app needs uvicorn: install plivo-rt-bridge[pytest].") from None
    listener = socket.create_server((HOST, 0))
    config = uvicorn.Config(app, log_config=None, lifespan="auto", ws="none", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.get_running_loop().create_task(_served(server, listener), name="app under test")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn tells nobody
            await asyncio.sleep(0.005)
        if task.done():
            raise AppStartError("The ASGI app did not start; its own log says why.")
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def _served(server: Any, listener: socket.socket) -> None:
    # Signals stay with the program that runs the tests.
    server.capture_signals = contextlib.nullcontext
    await server.serve(sockets=[listener])


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
        """Say nothing: the timeline shows every request."""


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # A few hundred calls may begin at once; what is left to knock again takes a second each time.
    request_queue_size = 1024


@asynccontextmanager
async def _wsgi(app: Callable[..., Any]) -> AsyncIterator[str]:
    server = make_server(HOST, 0, cast("Any", app), server_class=_Threads, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        await asyncio.to_thread(server.shutdown)
        thread.join()
        server.server_close()


@asynccontextmanager
async def _command(words: list[str], start_s: float, port: int) -> AsyncIterator[Served]:
    words = [word.replace("{port}", str(port)) for word in words]
    with tempfile.TemporaryFile() as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                env={**os.environ, "PORT": str(port)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise AppStartError(f"“{shlex.join(words)}” cannot be started: {reason}.") from None
        try:
            try:
                async with asyncio.timeout(start_s):
                    await _listens(port, process)
            except TimeoutError:
                problem = f"did not listen on port {port} within {start_s:g} s"
                raise AppStartError(_failure(words, problem, output)) from None
            if process.returncode is not None:
                problem = f"ended with status {process.returncode} before it listened"
                raise AppStartError(_failure(words, problem, output))
            yield Served(f"http://{HOST}:{port}", lambda: _said(process, output))
        finally:
            await _stop(process)


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            # Nothing tells when a foreign program listens but trying.
            await asyncio.sleep(0.02)
        else:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return


async def _stop(process: asyncio.subprocess.Process) -> None:
    # The whole group: a shell or a supervisor may have started children.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 3)
            return


async def _make_sure_is_free(port: int) -> None:
    """Raise AppStartError when a stranger listens where a command shall; it would be tested instead."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    raise AppStartError(
        f"Something listens on port {port} already, so the app cannot be started there: stop it, "
        "or name no port and let the app take the one in $PORT."
    )


def _said(process: asyncio.subprocess.Process, output: Any) -> str:
    ended = process.returncode
    parts = [_end_of(output), f"(It ended with status {ended}.)" if ended is not None else ""]
    return "\n".join(filter(None, parts))


def _end_of(output: Any) -> str:
    # Read at a place of its own: the app writes on at the end.
    size = os.fstat(output.fileno()).st_size
    start = max(0, size - _SHOWN)
    return os.pread(output.fileno(), size - start, start).decode("utf-8", "replace").strip()


def _failure(words: list[str], problem: str, output: Any) -> str:
    said = _end_of(output)
    return f"“{shlex.join(words)}” {problem}." + (f" It said:\n{said}" if said else "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


__all__ = ["AppStartError", "AppUnderTest", "Served", "running", "serving"]
