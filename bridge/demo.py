"""`rt-bridge demo`: the bridge, an example RT app, and one simulated call through both.

Everything is real except the phone: signed webhooks over loopback, the embedded store, the app
over HTTP. The conversation is printed, and then the bridge serves on.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from aiohttp import web
from rich.console import Console
from rich.markup import escape

from bridge.plivo.signature import sign
from bridge.simulator.clock import ReleasedClock
from bridge.simulator.platform import digits
from bridge.simulator.report import print_timeline
from bridge.telemetry import configure_logging
from bridge.testing.call import Call
from bridge.testing.failures import ExpectationError
from bridge.testing.rig import ACCOUNT, CALLED, CALLER, Rig, rig

HOST: Final = "127.0.0.1"
#: What BRIDGE_LISTEN and BRIDGE_ADMIN_LISTEN are by default.
PORT, ADMIN_PORT = 8080, 8081
FAILURE: Final = 1
ATTEMPTS: Final = 3


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


async def conversation(call: Call) -> None:
    """Leave a message, ask for somebody who is not there, visit the conference, hang up."""
    await call.press("42#")
    await call.expect_prompt("You are 42.")
    await call.press("0")
    await call.speak(4)
    await call.press("1")
    await call.busy(leg=1)
    await call.no_answer(leg=2)
    await call.expect_result("NOANSWER")
    await call.press("2")
    await call.expect_room(members=1)
    await call.wait(10)
    await call.press("*")
    await call.expect_result("LEFT_CONFERENCE")
    await call.press("9")
    await call.expect_ended(by="app", code=4000)


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
    for attempt in range(ATTEMPTS):
        clock = ReleasedClock()
        try:
            async with rig(make_app(), clock=clock, settings=_settings(folder)) as it:
                return await _shown(it, clock, folder, console, serve_on=not exit_after_call)
        except OSError:
            # Somebody else may take a port between looking and listening.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def _shown(
    it: Rig, clock: ReleasedClock, folder: Path, console: Console, *, serve_on: bool
) -> int:
    settings = it.bridge.settings
    console.print(f"RT app     {it.app_url}/ (examples/ivr.py)", soft_wrap=True)
    console.print(f"Bridge     {settings.public_url}, store {settings.store}", soft_wrap=True)
    console.print(f"Its log    {folder}/bridge.log", soft_wrap=True)
    console.print("Caller     a simulated Plivo, signing its webhooks")
    problems = await _call(it)
    print_timeline(it.timeline, console)
    console.print()
    if problems:
        for problem in problems:
            console.print(f"[bold red]PROBLEM[/]  {escape(problem)}", soft_wrap=True)
        return FAILURE
    console.print(f"The call went as scripted: {len(it.timeline.of('gets'))} documents.")
    if serve_on:
        clock.release()
        await _serve_on(it, console)
    return 0


async def _call(it: Rig) -> list[str]:
    """Live through the call; list what was not as scripted."""
    problems = []
    try:
        await conversation(await it.phone().dial())
    except ExpectationError as error:
        problems.append(str(error).partition("\n")[0])
    if not await it.finish():
        problems.append("the app was not told that the call is over")
    problems += it.timeline.texts("problem")
    return problems + [str(violation) for violation in it.violations]


async def _serve_on(it: Rig, console: Console) -> None:
    """Serve until Ctrl-C, after showing how to talk to the bridge by hand."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    settings = it.bridge.settings
    url = f"{settings.public_url}/plivo/DEFAULT/answer"
    fields = {
        "CallUUID": str(uuid4()),
        "From": digits(CALLER),
        "To": digits(CALLED),
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


def _settings(folder: Path) -> dict[str, Any]:
    port, admin = _free_ports(PORT, ADMIN_PORT)
    return {
        "public_url": f"http://{HOST}:{port}",
        "listen": f"{HOST}:{port}",
        "admin_listen": f"{HOST}:{admin}",
        "store": f"sqlite:///{folder}/demo.db",
    }


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


__all__ = ["conversation", "run_demo"]
