from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import socket
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from bridge.rt_client import AiohttpTransport, RtApp
from examples.ivr import make_app, next_command
from mappings._rt.reader import read_response
from mappings._rt.request import RtRequest, write_request
from mappings.registry import newest

ROOT = Path(__file__).parents[2]
MENU = "Press 0 to leave a message, 1 to talk to somebody, 2 for the conference, 9 to hang up."

Client = TestClient[Request, Application]


class Call:
    """A call as the bridge conducts it: every reply is read and every request written by it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.command, self.command_id, self.variables = "", "0", "{}"
        self.params: dict[str, Any] = {}

    async def post(self, result: str, error: str, status: str) -> bytes:
        """Post how the running command ended."""
        request = RtRequest(
            app="DEFAULT",
            callid=1,
            request_hash=None,
            cli_name="",
            cli_number="+33123456789",
            date_started="2012-01-09 17:27:55",
            number="+33612345678",
            command=self.command,
            command_id=self.command_id,
            command_result=result,
            command_error=error,
            call_status=status,
            variables=self.variables,
        )
        async with self.client.post("/", data=write_request(request)) as answer:
            assert 200 == answer.status
            return await answer.read()

    async def goes_on(self, result: str = "", error: str = "") -> str:
        """Give the next command, as the name and what is heard or used."""
        reply = read_response(await self.post(result, error, "UP"))
        self.command, self.command_id, self.variables = (
            reply.command,
            reply.command_id,
            reply.variables,
        )
        self.params = reply.params
        heard = reply.params.get("media_id", "").removeprefix("TTS|TTS_EN-GB_SERENA|")
        return f"{reply.command} {heard}".rstrip()


@pytest.fixture
async def call(aiohttp_client: Callable[[Application], Any]) -> Call:
    """Begin a call with the app on a real socket."""
    return Call(await aiohttp_client(make_app()))


async def test_one_call_goes_through_every_command(call: Call) -> None:
    """The dialogue of the README: age, message, people, conference, and the caller hangs up there."""
    heard = [
        await call.goes_on(),
        await call.goes_on("0"),
        await call.goes_on("42"),
        await call.goes_on("0"),
        await call.goes_on("0"),
        await call.goes_on("0"),
        await call.goes_on("rec-1"),
        await call.goes_on("0"),
        await call.goes_on("1"),
        await call.goes_on("NOANSWER"),
        await call.goes_on("0"),
        await call.goes_on("2"),
    ]
    assert [
        "play Welcome.",
        "read Please enter your age, then press the hash key.",
        "play You are 42.",
        f"read {MENU}",
        "play Speak after the beep, then press the hash key.",
        "record",
        "play_record",
        f"read {MENU}",
        "dialout",
        "play Nobody can talk to you now.",
        f"read {MENU}",
        "conference",
    ] == heard
    assert {"age": "42", "message": "rec-1"} == json.loads(call.variables)
    assert b"" == await call.post("", "", "HANGUP")


async def test_the_readme_shows_this_dialogue(call: Call) -> None:
    """The table of the README, row by row, is what the app does."""
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:`(.+?)`|–) \| `(\w+)` \| (?:“(.+)”)?", readme, re.MULTILINE)
    assert 12 == len(rows)
    for result, command, sentence in rows:
        assert f"{command} {sentence}".rstrip() == await call.goes_on(result)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["", "0", "TIMEOUT"], "play Goodbye."),
        (["", "0", ""], "play Goodbye."),
        (["", "0", "TIMEOUT", "0"], "hangup"),
        (["", "0", "42", "0", "9"], "play Goodbye."),
        (["", "0", "42", "0", "TIMEOUT"], "play Goodbye."),
        (["", "0", "42", "0", "7"], "play That is not a choice."),
        (["", "0", "42", "0", "7", "0"], f"read {MENU}"),
        (["", "0", "42", "0", "0", "0", ""], f"read {MENU}"),
        (["", "0", "42", "0", "2", "LEFT_CONFERENCE"], f"read {MENU}"),
    ],
)
async def test_other_ways_through_the_menu(call: Call, path: list[str], expected: str) -> None:
    """Results in this order lead to this command."""
    heard = [await call.goes_on(result) for result in path]
    assert expected == heard[-1]


async def test_failed_commands_lead_back_to_the_menu_twice(call: Call) -> None:
    """The third command_error of a call ends it; until then the menu is offered again."""
    await call.goes_on()
    assert "play Sorry, that did not work." == await call.goes_on(error="INVALID_PARAMS: …")
    assert f"read {MENU}" == await call.goes_on("0")
    assert "dialout" == await call.goes_on("1")
    assert "play Sorry, that did not work." == await call.goes_on(error="REST_UNAVAILABLE: …")
    assert "hangup" == await call.goes_on(error="BRIDGE_ERROR: …")


async def test_the_bridge_accepts_every_command_of_the_app() -> None:
    """Each command the app can send has valid params."""
    kept = {"age": "42"}
    seen = set()
    for label, result in [
        (0, ""),
        ("welcome", "0"),
        ("hello", "0"),
        ("beep", "0"),
        ("message", "rec-1"),
        ("menu", "1"),
        ("menu", "2"),
        ("goodbye", "0"),
    ]:
        reply = next_command(
            {
                "command_id": label,
                "command_result": result,
                "command_error": "",
                "variables": kept,
            }
        )
        command = newest(reply["command"])
        command.read_params(reply["params"])
        seen.add(command.name)
    assert {"play", "read", "record", "play_record", "dialout", "conference", "hangup"} == seen


async def test_a_password_is_asked_for(aiohttp_client: Callable[[Application], Any]) -> None:
    """With a login only requests that carry it are answered."""
    client = await aiohttp_client(make_app("zoé", "pass"))
    right = b64encode("zoé:pass".encode()).decode()
    body = write_request(RtRequest("X", 1, None, "", "", "2012-01-09 17:27:55", "+33612345678"))
    statuses = []
    for value in (None, "Basic x", "Bearer é", f"Basic {right}"):
        headers = {} if value is None else {"Authorization": value}
        async with client.post("/", data=body, headers=headers) as answer:
            statuses.append(answer.status)
    assert [401, 401, 401, 200] == statuses


async def test_each_request_is_logged(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """One readable line says how a command ended and what comes next."""
    with caplog.at_level(logging.INFO, "ivr"):
        await call.goes_on()
        await call.goes_on("0")
        await call.goes_on("42")
        await call.post("", "", "HANGUP")
    lines = [record.getMessage() for record in caplog.records if record.name == "ivr"]
    assert 4 == len(lines)
    assert (
        "call 1: 'age' ended with '42' -> play {'media_id': 'TTS|TTS_EN-GB_SERENA|You are 42.'}"
        == lines[2]
    )
    assert "call 1: 'hello' ended with '', HANGUP" == lines[3]


async def test_the_app_runs_from_the_command_line() -> None:
    """`python -m examples.ivr` serves the app on the given port, with a password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.ivr", "--port", str(port)),
        *("--login", "me", "--password", "secret"),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            await process.stdout.readuntil(b"Running on")
            app = RtApp(
                "X", f"http://127.0.0.1:{port}/", f"Basic {b64encode(b'me:secret').decode()}"
            )
            async with AiohttpTransport.open() as transport:
                body = write_request(
                    RtRequest("X", 1, None, "", "", "2012-01-09 17:27:55", "+33612345678")
                )
                assert "play" == read_response(await transport.ask(app, body, 5)).command
    finally:
        process.terminate()
        await process.communicate()
