"""The commands for operators against a running bridge."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from structlog.testing import capture_logs
from support_e2e import Make, World, command, listening, tts

from bridge.__main__ import main

TOKEN = "an-admin-token-of-24-let"
WAIT = command("wait", wait=30)
PLAY = command("play", media_id=tts("hello"))


def environ(port: int, token: str = TOKEN, host: str = "127.0.0.1") -> dict[str, str]:
    """Give the settings of a bridge with this admin listener."""
    return {
        "BRIDGE_PUBLIC_URL": "https://bridge.example.com",
        "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
        "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
        "BRIDGE_PLIVO_AUTH_TOKEN": "hunter2",
        "BRIDGE_ADMIN_LISTEN": f"{host}:{port}",
        "BRIDGE_ADMIN_TOKEN": token,
        "BRIDGE_CONFIG": "",
    }


async def run(env: dict[str, str], *arguments: str) -> Result:
    """Run a command beside the bridge of this event loop."""
    with capture_logs():  # what the bridge logs would be printed by the command
        return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=env)


async def on(world: World, *arguments: str, host: str = "127.0.0.1") -> Result:
    """Run a command on the bridge of a world."""
    return await run(environ(world.bridge.admin_port, host=host), *arguments)


async def test_calls(make_world: Make) -> None:
    """Live calls are a table, or an object per line; a wildcard address is asked on loopback."""
    world = await make_world(WAIT, admin_token=TOKEN)
    assert 1 == len((await on(world, "calls")).stdout.splitlines())
    call = world.dial()
    await world.during(call, "Wait")
    result = await on(world, "calls", host="0.0.0.0")

    header, row = result.stdout.splitlines()
    assert (0, "") == (result.exit_code, result.stderr)
    assert [
        "CALL",
        "APP",
        "DIRECTION",
        "FROM",
        "TO",
        "SINCE",
        "SECONDS",
        "PHASE",
        "COMMAND",
    ] == header.split()
    assert [
        *("1", "DEFAULT", "inbound", "+336*****78", "+331*****21"),
        *("2026-01-05", "10:00:00", "0", "waiting", "wait"),
    ] == row.split()
    (line,) = (await on(world, "calls", "--format", "json", "--app", "DEFAULT")).stdout.splitlines()
    assert (1, "wait") == (json.loads(line)["callid"], json.loads(line)["command"])
    assert "" == (await on(world, "calls", "--format", "json", "--app", "NONE")).stdout


async def test_hangup(make_world: Make) -> None:
    """A call is ended once; the second time there is none to be ended."""
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")
    first = await on(world, "hangup", "1")
    await world.finish()
    second = await on(world, "hangup", "1")

    assert (0, "Plivo hangs up call 1.\n", "") == (first.exit_code, first.stdout, first.stderr)
    assert (1, "", "Call 1 has ended. (CALL_ENDED)\n") == (
        *(second.exit_code, second.stdout),
        second.stderr,
    )


async def test_close_room(make_world: Make) -> None:
    """Whoever is in the room is named; a second time there is nobody."""
    room = command("simple_conference", id="a & b", auto_leave_when_alone=False)
    world = await make_world(room, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await call.expect_room()
    first = await on(world, "close-room", "DEFAULT", "a & b")
    await call.expect_result("CONFERENCE_CLOSED")
    await world.finish()
    second = await on(world, "close-room", "DEFAULT", "a & b")

    assert (0, "Sent out of the room a & b of DEFAULT: 1.\n") == (first.exit_code, first.stdout)
    assert (1, "Nobody is in the room a & b of the app DEFAULT. (ROOM_EMPTY)\n") == (
        second.exit_code,
        second.stderr,
    )


async def test_break(make_world: Make) -> None:
    """A command is ended; a call that is not there cannot have any."""
    world = await make_world(WAIT, PLAY, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")
    await world.passes(1)
    done = await on(world, "break", "1")
    await world.finish()
    unknown = await on(world, "break", "7")
    huge = await on(world, "break", str(2**64))

    assert (0, "Wait of call 1 was broken.\n") == (done.exit_code, done.stdout)
    assert (1, "There is no call 7. (CALL_NOT_FOUND)\n") == (unknown.exit_code, unknown.stderr)
    assert (1, True) == (huge.exit_code, huge.stderr.endswith(" (CALL_NOT_FOUND)\n"))
    assert "BREAK" == world.app.asked[1]["command_error"].partition(":")[0]


@pytest.mark.parametrize("arguments", [("calls",), ("hangup", "1"), ("break", "1")])
async def test_token(make_world: Make, arguments: tuple[str, ...]) -> None:
    """A missing or wrong token, on either side, is a matter of the settings: exit status 2."""
    world = await make_world(admin_token=TOKEN)
    port = world.bridge.admin_port
    none = await run(environ(port, ""), *arguments)
    wrong = await run(environ(port, "x" * 24), *arguments)
    assert (2, 2) == (none.exit_code, wrong.exit_code)
    assert none.stderr.startswith("BRIDGE_ADMIN_TOKEN is not set: give the bridge and this")
    assert wrong.stderr.endswith("is not BRIDGE_ADMIN_TOKEN. (UNAUTHORIZED)\n")


async def test_bridge_without_a_token(make_world: Make) -> None:
    """A bridge where it is switched off says which setting it needs."""
    world = await make_world()
    result = await on(world, "calls")

    assert 2 == result.exit_code
    assert "set BRIDGE_ADMIN_TOKEN. (ADMIN_OFF)" in result.stderr


async def test_nobody_there() -> None:
    """Where nothing listens the exit status is 3, and the address is named."""
    result = await run(environ(1), "calls")

    assert 3 == result.exit_code
    assert result.stderr.startswith("No bridge answers on http://127.0.0.1:1: ")


@pytest.mark.parametrize("body", ["<html>", "[]", "7", '{"error": 1}', "", '{"error": {}}'])
@pytest.mark.parametrize("status", [200, 404, 500])
async def test_somebody_else_there(body: str, status: int) -> None:
    """What is no bridge is told from one: exit status 3."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/admin/calls", serve)
    async with listening(app) as url:
        result = await run(environ(int(url.rpartition(":")[2])), "calls")

    assert (3, "") == (result.exit_code, result.stdout)
    assert f"answered with status {status}, not as a bridge does." in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("hangup",), ("hangup", "0"), ("hangup", "x"), ("break", "-1"), ("calls", "--limit", "0")],
)
async def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """What is no callid is wrong usage, before anybody is asked."""
    assert 2 == (await run(environ(1), *arguments)).exit_code


def test_settings_are_needed() -> None:
    """Without settings the faults of them are listed."""
    result = CliRunner().invoke(main, ["calls"], env={"BRIDGE_CONFIG": "", "BRIDGE_PUBLIC_URL": ""})

    assert 2 == result.exit_code
    assert "BRIDGE_PUBLIC_URL is missing" in result.stderr


@pytest.mark.slow
def test_commands_do_not_import_the_server() -> None:
    """Asking a bridge takes no server, no client library and no store."""
    program = (
        "import sys\n"
        "from bridge.__main__ import main\n"
        "try:\n"
        "    main(['calls'])\n"
        "except SystemExit as end:\n"
        "    print(end.code, sorted({'aiohttp', 'lxml'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ(1), capture_output=True, text=True, check=True
    )

    assert "3 []\n" == done.stdout
