"""`rt-bridge demo`: the bridge, an example RT app, and one simulated call through both.

Everything is real except the phone: signed webhooks over loopback, the embedded store, the app
over HTTP. The conversation is printed, and then the bridge serves on.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiohttp import web
from rich.console import Console
from rich.markup import escape

from bridge.app import Bridge
from bridge.plivo.signature import sign
from bridge.settings import Settings
from bridge.simulator.caller import Application, ScriptedCaller
from bridge.simulator.clock import SkippingClock
from bridge.simulator.leg import Account, Leg
from bridge.simulator.recordings import recordings_app
from bridge.simulator.report import print_timeline
from bridge.simulator.script import LeaveRoom, LegBusy, LegNoAnswer, Press, RecordFor, Step
from bridge.telemetry import configure_logging

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from bridge.clock import Clock

HOST: Final = "127.0.0.1"
#: What BRIDGE_LISTEN and BRIDGE_ADMIN_LISTEN are by default.
PORT, ADMIN_PORT = 8080, 8081
ACCOUNT: Final = Account("MADEMO00000000000000", "made-up-token-of-the-demo")
#: Longest the app's last request may take to arrive, in s.
PATIENCE_S: Final = 10.0
FAILURE: Final = 1
ATTEMPTS: Final = 3

#: Leaves a message, asks for somebody who is not there, visits the conference, hangs up.
SCRIPT: Final[tuple[Step, ...]] = (
    Press("42#"),
    Press("0"),
    RecordFor(4),
    Press("1"),
    LegBusy(),
    LegNoAnswer(),
    Press("2"),
    LeaveRoom("*"),
    Press("9"),
)
EXPECTED_END: Final = "Normal Hangup (4000), by Answer XML"
#: RT.Request fields that stay the same for a whole call.
CONSTANT: Final = 7

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Tap:
    """Listens at the app's door and writes what it hears into the timeline of a call."""

    caller: ScriptedCaller | None = None
    over: asyncio.Event | None = None

    async def listen(self, http: web.Request, handler: Handler) -> web.StreamResponse:
        """Note one RT.Request and the reply to it."""
        begun = perf_counter()
        response = await handler(http)
        if self.caller is None or not isinstance(response, web.Response):
            return response
        request = json.loads(await http.read())
        reply = bytes(response.body).decode() if isinstance(response.body, bytes) else ""
        reply = reply or f"(status {response.status}, nothing)"
        told = (
            _shortened(request) if request["command"] else json.dumps(request, ensure_ascii=False)
        )
        ms = (perf_counter() - begun) * 1000
        self.caller.add("app", reply, f"{told}\n{reply}", ms)
        if request["call_status"] != "UP" and self.over is not None:
            self.over.set()
        return response


def run_demo(*, exit_after_call: bool) -> int:
    """Run it; give the exit status: 0 when the call went as scripted, 1 when not."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a quotation mark must not end the demo.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    try:
        make_app = _example()
    except ImportError as error:
        sys.stderr.write(
            f"The example app cannot be imported ({error}): run the demo from a checkout of the "
            "repository, where examples/ivr.py is; it is not part of the installed package.\n"
        )
        return FAILURE
    folder = Path(tempfile.mkdtemp(prefix="rt-bridge-demo-"))
    status = FAILURE
    try:
        with (folder / "bridge.log").open("wb") as log:
            configure_logging("json", "info", stream=log)
            status = asyncio.run(_demo(make_app, folder, console, exit_after_call=exit_after_call))
    except OSError as error:
        sys.stderr.write(f"The demo cannot listen on {HOST}: {error}\n")
    finally:
        if status == 0:
            shutil.rmtree(folder)
        else:
            sys.stderr.write(f"The bridge's log is {folder}/bridge.log\n")
    return status


def _example() -> Callable[[], web.Application]:
    """Import the example app, from the working directory if need be. Raises ImportError."""
    if importlib.util.find_spec("examples") is None:
        sys.path.insert(0, str(Path.cwd()))
    make_app: Callable[[], web.Application] = importlib.import_module("examples.ivr").make_app
    return make_app


async def _demo(
    make_app: Callable[[], web.Application],
    folder: Path,
    console: Console,
    *,
    exit_after_call: bool,
) -> int:
    tap = Tap(over=asyncio.Event())
    app = make_app()

    @web.middleware
    async def listen(http: web.Request, handler: Handler) -> web.StreamResponse:
        return await tap.listen(http, handler)

    app.middlewares.append(cast("Middleware", listen))
    clock = SkippingClock()
    async with _listening(app) as app_url, _listening(recordings_app()) as files_url:
        bridge = await _started(f"{app_url}/", files_url, folder, clock)
        settings = bridge.settings
        try:
            console.print(f"RT app     {app_url}/ (examples/ivr.py)", soft_wrap=True)
            console.print(
                f"Bridge     {settings.public_url}, store {settings.store}", soft_wrap=True
            )
            console.print(f"Its log    {folder}/bridge.log", soft_wrap=True)
            console.print("Caller     a simulated Plivo, signing its webhooks")
            async with aiohttp.ClientSession() as session:
                random = Random()  # noqa: S311 -- made-up identities, no secrets
                via = {settings.public_url: settings.public_url}
                leg = Leg(session, ACCOUNT, random, via=via)
                application = Application.at(settings.public_url)
                tap.caller = caller = ScriptedCaller(
                    leg, application, SCRIPT, clock=clock, recordings_url=f"{files_url}/v1/Account"
                )
                problems = await _conversation(caller, tap.over)
                tap.caller = None
                print_timeline(caller.timeline, console)
            console.print()
            if problems:
                for problem in problems:
                    console.print(f"[bold red]PROBLEM[/]  {escape(problem)}", soft_wrap=True)
                return FAILURE
            console.print(f"The call went as scripted: {len(caller.documents)} documents.")
            if not exit_after_call:
                await _serve_on(settings, leg, console)
            return 0
        finally:
            await bridge.stop()


async def _started(app_url: str, files_url: str, folder: Path, clock: Clock) -> Bridge:
    """Start the bridge; somebody else may take a port between looking and listening."""
    for attempt in range(ATTEMPTS):
        bridge = Bridge(_settings(app_url, files_url, folder), clock)
        try:
            await bridge.start()
        except OSError:
            await bridge.stop()
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return bridge
    raise AssertionError("unreachable")


async def _conversation(caller: ScriptedCaller, told_end: asyncio.Event | None) -> list[str]:
    """Live through the call; list what was not as scripted."""
    await caller.run()
    problems = caller.problems()
    endings = caller.timeline.texts("ends")
    if endings != [EXPECTED_END]:
        problems.append(f"the call ended with {endings}, not with {EXPECTED_END}")
    if told_end is not None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await told_end.wait()
        except TimeoutError:
            problems.append("the app was not told that the call is over")
    return problems


async def _serve_on(settings: Settings, leg: Leg, console: Console) -> None:
    """Serve until Ctrl-C, after showing how to talk to the bridge by hand."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    url = f"{settings.public_url}/plivo/DEFAULT/answer"
    fields = {
        "CallUUID": leg.new_uuid(),
        "From": leg.caller,
        "To": leg.called,
        "Direction": "inbound",
        "CallStatus": "ringing",
        "Event": "StartApp",
    }
    nonce = "12345678901234567890"
    signature = sign("POST", url, list(fields.items()), nonce, ACCOUNT.auth_token)
    command = [
        "curl",
        url,
        "-H",
        f"X-Plivo-Signature-V3: {signature}",
        "-H",
        f"X-Plivo-Signature-V3-Nonce: {nonce}",
    ]
    for name, value in fields.items():
        command += ["-d", f"{name}={value}"]
    console.print("The bridge keeps serving until Ctrl-C. Another call, answered by hand:")
    console.print(f"\n  {shlex.join(command)}\n", soft_wrap=True, markup=False)
    admin = f"http://{settings.admin_listen}"
    console.print(
        f"Health and metrics:  curl {admin}/readyz   curl {admin}/metrics", soft_wrap=True
    )
    await stop.wait()
    console.print("Stopping.")


def _settings(app_url: str, files_url: str, folder: Path) -> Settings:
    port, admin = _free_ports(PORT, ADMIN_PORT)
    return Settings.model_validate(
        {
            "public_url": f"http://{HOST}:{port}",
            "listen": f"{HOST}:{port}",
            "admin_listen": f"{HOST}:{admin}",
            "plivo_auth_id": ACCOUNT.auth_id,
            "plivo_auth_tokens": [ACCOUNT.auth_token],
            "plivo_api_url": files_url,
            "plivo_rest": False,
            "store": f"sqlite:///{folder}/demo.db",
            "apps": {"DEFAULT": {"url": app_url}},
        }
    )


def _free_ports(*wanted: int) -> list[int]:
    """Give these ports, or others where they are taken: the public URL must be known in advance."""
    found = []
    with contextlib.ExitStack() as probes:
        for port in wanted:
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                probe.bind((HOST, 0))
            found.append(probe.getsockname()[1])
    return found


@asynccontextmanager
async def _listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _shortened(request: dict[str, Any]) -> str:
    """Leave out what stays the same for the whole call and was shown in its first request."""
    changing = dict(list(request.items())[CONSTANT:])
    return "{… " + json.dumps(changing, ensure_ascii=False)[1:]


__all__ = ["run_demo"]
