from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from bridge.__main__ import main
from bridge.testing.recording import (
    Header,
    Level,
    RecordedTurn,
    Recorder,
    Recording,
    write_recording,
)
from bridge.testing.rig import rig
from examples.ivr import make_app, next_command

REQUEST: dict[str, Any] = {
    "app": "DEFAULT",
    "callid": 7,
    "request_hash": None,
    "cli_name": "",
    "cli_number": "+33612345678",
    "date_started": "2025-11-21 09:22:33",
    "number": "+33187654321",
    "command": "",
    "command_id": 0,
    "command_result": "",
    "command_error": "",
    "call_status": "UP",
    "cdr_field": "",
    "variables": {},
}


def recorded_call(call: int = 1) -> list[RecordedTurn]:
    """Record what the example app answers a caller who enters an age and hangs up."""
    turns: list[RecordedTurn] = []
    request = REQUEST | {"callid": call}
    for number, result in enumerate(("", "0", "42", "0", "9", "0"), 1):
        request = request | {"command_result": result}
        reply = next_command(request)
        turns.append(
            RecordedTurn(call=call, number=number, at=number, request=request, reply=reply)
        )
        request |= {name: reply[name] for name in ("command", "command_id", "variables")}
    final = request | {"call_status": "HANGUP", "command_result": ""}
    return [*turns, RecordedTurn(call=call, number=7, at=7, request=final)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write a recording of two calls."""
    path = tmp_path / "ivr.jsonl"
    turns = (*recorded_call(1), *recorded_call(2))
    write_recording(path, Recording(Header(redact="none"), turns))
    return path


@pytest.fixture(scope="module")
def app_url() -> Iterator[str]:
    """Serve the example app, which asks for a login, in a thread."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(make_app("me", "s3cret"))

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}/"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def verify(*arguments: str | Path, password: str = "s3cret") -> Result:
    """Run the command in this process."""
    environment = {"BRIDGE_APP_LOGIN": "me", "BRIDGE_APP_PASSWORD": password}
    return CliRunner().invoke(main, ["verify", *map(str, arguments)], env=environment)


def changed(path: Path, before: str, after: str) -> Path:
    """Edit a recording as a person would."""
    path.write_text(path.read_text().replace(before, after))
    return path


def test_app_that_answers_as_recorded_exits_0(recording: Path, app_url: str) -> None:
    """Two calls of the example app are the same again."""
    result = verify(recording, "--app", app_url)

    assert 0 == result.exit_code, result.output
    assert "2 calls: 12 of 12 compared turns are as recorded.\n" in result.output


@pytest.mark.parametrize("level", ["none", "numbers", "all"])
def test_recorded_simulation_is_the_same_again(tmp_path: Path, app_url: str, level: Level) -> None:
    """A call recorded on the simulated Plivo, masked or not, is answered as it was."""
    path = tmp_path / "simulated.jsonl"

    async def record() -> None:
        async with rig(make_app()) as it:
            with Recorder(path, redact=level) as recorder:
                it.timeline.listeners.append(recorder.entry)
                call = await it.phone().dial()
                await call.press("42#")
                await call.press("1")
                await call.busy(leg=1)
                await call.no_answer(leg=2)
                await call.press("0")
                await call.hang_up()
                assert await it.finish()

    asyncio.run(record())

    result = verify(path, "--app", app_url, "--format", "json")

    report = json.loads(result.stdout)
    assert 0 == result.exit_code, result.stdout
    # Two numbers dialled by the app are masked.
    assert (level != "none") * 2 == report["compared_by_shape"]
    assert {"same": 8, "differs": 0, "ignored": 1, "not compared": 0} == report["counts"]


def test_app_that_changed_exits_1_and_shows_where(recording: Path, app_url: str) -> None:
    """A changed text is shown with both values; --call limits the run to one call."""
    changed(recording, "You are 42.", "You are 42!")

    result = verify(recording, "--app", app_url, "--call", "2")

    assert 1 == result.exit_code
    assert (
        '  ≠ turn 3  read → "42"\n'
        "      params\n"
        "        media_id\n"
        '          recorded  "TTS|TTS_EN-GB_SERENA|You are 42!"\n'
        '          now       "TTS|TTS_EN-GB_SERENA|You are 42."\n'
    ) in result.output
    assert "1 call: 5 of 6 compared turns are as recorded, 1 differs.\n" in result.output


def test_ignored_members_are_not_compared(recording: Path, app_url: str) -> None:
    """With the changed member ignored the app is the same."""
    changed(recording, "You are 42.", "You are 42!")

    result = verify(recording, "--app", app_url, "--ignore", "params.media_id")

    assert 0 == result.exit_code


@pytest.mark.parametrize(("output", "begins"), [("json", '{\n  "recording"'), ("junit", "<?xml")])
def test_reports_for_machines(recording: Path, app_url: str, output: str, begins: str) -> None:
    """JSON and JUnit go to standard output and nothing else does."""
    result = verify(recording, "--app", app_url, "--format", output)

    assert 0 == result.exit_code
    assert result.stdout.startswith(begins)


def test_wrong_password_differs(recording: Path, app_url: str) -> None:
    """An app that refuses the login is reached, and answers otherwise than recorded."""
    result = verify(recording, "--app", app_url, password="other")

    assert 1 == result.exit_code
    assert "401" in result.output


def test_app_that_is_not_there_exits_3(recording: Path, unused_tcp_port: int) -> None:
    """A refused connection is a sentence and its own exit status."""
    url = f"http://127.0.0.1:{unused_tcp_port}/"

    result = verify(recording, "--app", url, "--timeout", "0.2")

    assert 3 == result.exit_code
    assert f"The app at {url} cannot be reached" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--ignore", "media_id"), "'media_id' must begin with one of command, params, variables"),
        (
            ("--set", "callid=5"),
            (
                "--set callid=5: expected FIELD=VALUE, where FIELD is one of app, request_hash, "
                "cli_name, cli_number, number, cdr_field."
            ),
        ),
        (("--call", "3"), "There is no call 3 in ivr.jsonl; there is 1, 2."),
    ],
)
def test_wrong_options_exit_2(
    recording: Path, app_url: str, arguments: tuple[str, ...], sentence: str
) -> None:
    """Each wrong option is a sentence on standard error."""
    result = verify(recording, "--app", app_url, *arguments)

    assert 2 == result.exit_code
    assert f"{sentence}\n" == result.stderr.replace(f"{recording.parent}/", "")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://x", "--app must be an absolute URL, starting with http:// or https://."),
        (
            "http://a:b@x/",
            "--app must be an absolute URL, starting with http:// or https://, without a login or password in it.",
        ),
    ],
)
def test_wrong_urls_exit_2(recording: Path, url: str, sentence: str) -> None:
    """A URL the bridge would refuse is refused here."""
    result = verify(recording, "--app", url)

    assert (2, f"{sentence}\n") == (result.exit_code, result.stderr)


def test_login_without_password_exits_2(recording: Path) -> None:
    """Half of a login is a mistake."""
    result = CliRunner().invoke(
        main, ["verify", str(recording), "--app", "http://x/", "--login", "me"]
    )

    assert (2, "The app must have both login and password, or neither.\n") == (
        result.exit_code,
        result.stderr,
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "x.jsonl: cannot be read: No such file or directory\n"),
        ('{"format": 1}', "x.jsonl, line 1: is no header"),
        (
            '{"format": "plivo-rt-bridge-recording", "version": 1, "redact": "all", "bridge": ""}',
            "x.jsonl: holds no turn; record a call first\n",
        ),
    ],
)
def test_wrong_files_exit_2(tmp_path: Path, content: str | None, sentence: str) -> None:
    """What is no recording is named with file, line and reason."""
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_text(content)

    result = verify(path, "--app", "http://x/")

    assert 2 == result.exit_code
    assert result.stderr.replace(f"{tmp_path}/", "").startswith(sentence)


def test_set_replaces_a_number(recording: Path, app_url: str) -> None:
    """The example app does not mind another number."""
    result = verify(recording, "--app", app_url, "--set", "number=+33199999999", "--format", "json")

    assert (0, True) == (result.exit_code, json.loads(result.stdout)["same"])
