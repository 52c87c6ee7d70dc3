"""`rt-bridge demo`: what a newcomer sees first, as a process of its own and inside."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from bridge import demo
from bridge.testing.call import Call
from bridge.testing.rig import rig

ROOT = Path(__file__).parents[2]


@pytest.fixture
def _inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave the log of this process as it is, and keep the demo's files apart."""
    monkeypatch.setattr(demo, "configure_logging", lambda *_args, **_options: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def environment(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a newcomer's shell, with the temporary files in a folder."""
    return {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUTF8": "1"}


def test_demo_process(tmp_path: Path) -> None:
    """`python -m bridge demo --exit` prints the whole conversation and leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "demo", "--exit"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    said = [
        line.split("caller hears   ")[1] for line in done.stdout.splitlines() if "hears" in line
    ]
    assert "waits for" not in done.stdout
    assert "expected" not in done.stdout
    assert ["“Welcome.”", "“Please", "“You", "“Press", "“Speak", "a"] == [
        text.split()[0] for text in said
    ][:6]
    assert "“Goodbye.” (WOMAN en-GB)" == said[-1]
    for text in (
        "caller         has typed 42",
        '"command": "read", "command_id": "age", "command_result": "42"',
        '<Speak voice="WOMAN" language="en-GB">You are 42.</Speak>',
        "<Redirect>http://127.0.0.1:",
        "caller         speaks for 4 s",
        "party          442079460101: busy",
        "party          442079460102: no-answer",
        '"command_result": "NOANSWER"',
        '"command_result": "LEFT_CONFERENCE"',
        "call ends      Normal Hangup (4000), by Answer XML",
        '"call_status": "HANGUP"',
        "The call went as scripted: 16 documents.",
    ):
        assert text in done.stdout
    assert re.search(r"^  2     \d\.\d s  redirect: .* ms\)$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert [] == list(tmp_path.iterdir())


def test_demo_serves_on(tmp_path: Path) -> None:
    """Without --exit the bridge goes on serving, its curl example works, and Ctrl-C ends it well."""
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "demo"],
        cwd=ROOT,
        env=environment(tmp_path) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        command = _line_with(process.stdout, "  curl http://")
        status = _line_with(process.stdout, "Health and metrics")
        answer = _curl(shlex.split(command))
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert "Welcome." in answer
    assert "/readyz" in status
    assert "Stopping.\n" == rest
    assert 0 == process.returncode


@pytest.mark.usefixtures("_inside")
def test_demo_inside(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo's status is 0 when the call went as scripted."""
    status = demo.run_demo(exit_after_call=True)

    assert 0 == status
    assert "The call went as scripted" in capsys.readouterr().out


async def hangs_up(call: Call) -> None:
    """Do not wait for the end."""
    await call.expect_prompt("Welcome.")
    await call.hang_up()
    await call.expect_ended(by="app")


async def talks_to_a_menu(call: Call) -> None:
    """Say what is to be typed."""
    await call.press("4#")
    await call.say("nought")


@pytest.mark.usefixtures("_inside")
@pytest.mark.parametrize(
    ("conversation", "sentence"),
    [
        (hangs_up, "Expected the call to be ended by app, and it did not come before the call was"),
        (talks_to_a_menu, "Cannot say “nought”: nothing accepts speech; the call is over."),
    ],
    ids=["other end", "other course"],
)
def test_demo_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    conversation: Any,
    sentence: str,
) -> None:
    """A call that does not go as scripted gives status 1, says why, and the log is kept."""
    monkeypatch.setattr(demo, "conversation", conversation)

    status = demo.run_demo(exit_after_call=True)

    printed = capsys.readouterr()
    assert 1 == status
    assert f"PROBLEM  {sentence}" in printed.out
    assert Path(printed.err.split()[-1]).is_file()


@pytest.mark.usefixtures("_inside")
def test_demo_without_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An app that is never told of the end is a failure."""
    monkeypatch.setattr(demo, "rig", partial(rig, faults=["drop:hangup url"]))

    status = demo.run_demo(exit_after_call=True)

    assert 1 == status
    assert "the app was not told that the call is over" in capsys.readouterr().out


@pytest.mark.usefixtures("_inside")
def test_demo_with_a_port_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that is taken at the last moment is replaced by another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = demo._free_ports
        found = iter([[taken.getsockname()[1], *free(0)], free(0, 0)])
        monkeypatch.setattr(demo, "_free_ports", lambda *_wanted: next(found))
        status = demo.run_demo(exit_after_call=True)

    assert 0 == status
    assert "The call went as scripted" in capsys.readouterr().out


@pytest.mark.usefixtures("_inside")
def test_demo_without_a_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When no port can be had one sentence says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = [taken.getsockname()[1], *demo._free_ports(0)]
        monkeypatch.setattr(demo, "_free_ports", lambda *_wanted: found)
        status = demo.run_demo(exit_after_call=True)

    assert 1 == status
    assert "The demo cannot listen on 127.0.0.1" in capsys.readouterr().err


def test_free_ports() -> None:
    """A wanted port is taken when it is free, else another one; never the same twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = demo._free_ports(port, port)
    assert 3 == len({port, *found})


def test_demo_without_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Outside of a checkout one sentence says what is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def refuse(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)

    status = demo.run_demo(exit_after_call=True)

    assert 1 == status
    assert (
        "The example app cannot be imported (No module named 'examples.ivr'): run the demo from a "
        "checkout of the repository, where examples/ivr.py is; it is not part of the installed "
        "package.\n"
    ) == capsys.readouterr().err


def _curl(words: list[str]) -> str:
    """Do what the printed command does, also where curl is not installed."""
    pairs = list(itertools.pairwise(words))
    headers = dict(value.split(": ") for option, value in pairs if option == "-H")
    data = "&".join(value for option, value in pairs if option == "-d").encode()
    url = urlsplit(words[1])
    connection = HTTPConnection(url.netloc, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", url.path, data, headers | form)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _line_with(stream: IO[str], text: str) -> str:
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r}")
