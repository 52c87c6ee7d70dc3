"""The JSON-RPC API with CALLR's npm SDK, unmodified, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support_e2e import Json, Make, command
from support_outbound import does, told
from support_rpc import APP, CALLEE, DID, LOGIN, PASSWORD, Rpc, make_rpc

from bridge.json_rpc.errors import Code
from bridge.simulator.callees import Answers

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parents[1] / "npm"
# Its one dependency is pinned and has none itself, so that no lock, which may name hosts, is needed.
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the pinned SDK into a folder of its own; gives the client beside it."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "client.js"):
        shutil.copy(SOURCES / name, folder / name)
    done = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm install failed: {(done.stderr or done.stdout).strip()[-200:]}")
    return folder / "client.js"


async def ask(rpc: Rpc, sdk: Path, *calls: Any, **changes: Any) -> list[Json]:
    """Let the SDK make these calls; gives what it says of each."""
    given = {"port": rpc.world.bridge.port, "login": LOGIN, "password": PASSWORD, **changes}
    process = await asyncio.create_subprocess_exec(
        "node",
        str(sdk),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Newer versions of node warn of what the SDK, which is old, uses.
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    given["calls"] = calls
    async with asyncio.timeout(30):
        out, errors = await process.communicate(json.dumps(given).encode())
    assert 0 == process.returncode, errors
    lines = [line for line in out.decode().splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def test_sdk_is_pinned() -> None:
    """One version of the SDK is installed, and nothing else."""
    dependencies = json.loads((SOURCES / "package.json").read_text())["dependencies"]

    assert {"callr": "1.2.0"} == dependencies


async def test_apps_and_numbers(make_world: Make, sdk: Path) -> None:
    """An app is made, given a number, listed, changed and deleted, each as the README does it."""
    rpc = await make_rpc(make_world)
    url = {"url": "http://yourdomain.com/realtime_callback_url"}
    (made,) = await ask(rpc, sdk, ["apps.create", "REALTIME10", "Your app name", url])
    token = made["result"]["hash"]
    assigned, got, listed, edited, unassigned, deleted, gone = await ask(
        rpc,
        sdk,
        ["apps.assign_did", token, DID],
        ["apps.get", token],
        ["apps.get_list", True],
        ["apps.edit", token, "Other name", None],
        ["apps.unassign_did", token, DID],
        ["apps.delete", token],
        ["apps.get", token],
    )

    assert [{"result": True}] * 3 == [assigned, unassigned, deleted]
    assert [DID] == [one["intl_number"] for one in got["result"]["did"]]
    assert [APP, token] == [one["hash"] for one in listed["result"]]
    assert ("Other name", url["url"]) == (edited["result"]["name"], edited["result"]["p"]["url"])
    assert Code.APP_NOT_FOUND == gone["code"]


async def test_calls(make_world: Make, sdk: Path) -> None:
    """A call is made, and hung up; the hash is that of its requests."""
    rpc = await make_rpc(make_world, *[command("wait", wait=30)] * 3)
    does(rpc.world, Answers(after=2))
    target = {"number": CALLEE, "timeout": 30}
    options = {"cdr_field": "42", "cli": DID}
    first, second = await ask(
        rpc,
        sdk,
        ["calls.realtime", APP, target, options],
        ["dialr/call.realtime", APP, {**target, "number": "+33699999998"}, options],
    )
    await rpc.world.passes(5)
    broken, hung_up = await ask(rpc, sdk, ["calls.realtime_break", 1], ["calls.hangup", 1, None])
    await rpc.world.delivered()

    assert [{"result": True}] * 2 == [broken, hung_up]
    assert first["result"] != second["result"]
    assert ("HANGUP", "wait", first["result"], "42") == told(rpc.world)[-1]


async def test_errors_and_time(make_world: Make, sdk: Path) -> None:
    """The SDK surfaces code and message of errors, and the result of the simplest method."""
    rpc = await make_rpc(make_world)
    unknown, missing, time = await ask(
        rpc,
        sdk,
        ["sms.send", "CALLR", "+33123456789", "Hello, world", {"flash_message": False}],
        ["calls.realtime_break", 99],
        ["system.get_timestamp"],
        loginAs="somebody",
    )

    assert Code.METHOD_NOT_FOUND == unknown["code"]
    assert "there is no method 'sms.send'" in unknown["message"]
    assert Code.CALL_NOT_FOUND == missing["code"]
    assert {"result": int(rpc.world.clock.now())} == time


async def test_wrong_password(make_world: Make, sdk: Path) -> None:
    """The SDK says what is wrong instead of a status."""
    rpc = await make_rpc(make_world)
    (refused,) = await ask(rpc, sdk, ["system.get_timestamp"], password="wrong")

    assert Code.UNAUTHORIZED == refused["code"]
