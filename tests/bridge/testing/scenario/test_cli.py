from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import structlog
from click.testing import CliRunner, Result
from support_serve import cli

from bridge.__main__ import main
from bridge.testing.recording.format import read_recording
from bridge.testing.scenario import cli as body
from bridge.testing.scenario import playing
from bridge.testing.scenario.runner import play

ROOT = Path(__file__).parents[4]
COMMAND = f"{sys.executable} -m examples.ivr --port {{port}}"
PASSING = """
name: hello
to: +33187654321
steps:
  - expect prompt: Welcome
  - name: age
    press: 42#
  - expect prompt: You are 42
"""
FAILING = "name: wrong\nto: +33187654321\nsteps:\n  - expect prompt: Bienvenue\n  - hang up\n"


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the bridge's log out of what is compared, and the configuration out of other tests."""
    monkeypatch.setattr(body, "configure_logging", lambda *_args, **_options: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """Run the example app."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.ivr", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.wait()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a scenario that passes, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hello.yaml"
    path.write_text(PASSING)
    return Path(path.name)


def closed_url() -> str:
    """Give the URL of a port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def run(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


# --- simulate: what it ends with --------------------------------------------------------------


def test_all_passed_is_0(file: Path, app: str) -> None:
    """A scenario that passes ends with 0, progress on standard error and a table on the other."""
    result = run("simulate", file, "--app", app, "--seed", "7")

    assert (0, "") == (result.exit_code, result.stderr.partition("[1/1] passed  hello")[0])
    assert "passed  hello       3/3" in result.stdout
    assert result.stdout.endswith("1 scenario passed\n")


def test_a_failed_scenario_is_1(file: Path, app: str) -> None:
    """The failure has place, step, nearest candidate, marked timeline, seed and command."""
    file.with_name("wrong.yaml").write_text(FAILING)

    result = run(
        "simulate", file, "wrong.yaml", "--app", app, "--seed", "7", "--profile", "hostile"
    )

    assert 1 == result.exit_code
    command = f"rt-bridge simulate wrong.yaml --app {app} --seed 7 --profile hostile"
    for text in (
        "FAILED  wrong\n  wrong.yaml:4:5: step 1 (expect prompt: Bienvenue)\n",
        "Expected a prompt with “Bienvenue”",
        "Nearest, at ",
        " ▶ ",
        f"{command}\n",
        "seed 7, profile hostile",
        "1 of 2 scenarios failed\n",
    ):
        assert text in result.stdout
    assert 1 == result.stdout.count(command)


def test_a_wrong_file_is_2(file: Path) -> None:
    """Everything wrong in all files is printed, with lines and marks, and nothing is played."""
    file.write_text(PASSING.replace("press", "pres").replace("prompt", "promt"))

    result = run("simulate", file, "none.yaml", "--app", closed_url())

    assert (2, "") == (result.exit_code, result.stdout)
    assert (
        "hello.yaml:5:5: step 1: `expect promt` is not an action. Did you mean `expect prompt`?\n"
        "     5 |   - expect promt: Welcome\n"
        "       |     ^\n"
        "hello.yaml:7:5: step “age”: `pres` is not an action. Did you mean `press`?\n"
    ) in result.stderr
    assert "none.yaml: The file cannot be read: No such file or directory.\n" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--fault", "duplicat"], "“duplicat” is no fault"),
        (["--profile", "hostil"], "hostil"),
        (["--seed", "x"], "'x' is not a valid integer"),
        (["--only", "agee"], "No scenario and no step has the name `agee`. Did you mean `age`?"),
        (["--set", "age.pres=1"], "The step has no field `pres`. Did you mean `press`?"),
        (["--formt", "json"], "No such option"),
        (["--app", "localhost:80"], "--app is “localhost:80”, but must be an absolute URL"),
        (["--app", "/rt.php"], "--app is “/rt.php”, but must be an absolute URL"),
        (["--app", "", "--app-command", "php '"], "--app-command cannot be read: No closing"),
        (["--app", "", "--app-command", " "], "--app-command is empty"),
        (["--app", ""], "hello.yaml names no app: give its URL with --app, or the command"),
    ],
)
def test_wrong_usage_is_2(file: Path, options: list[str], sentence: str) -> None:
    """Every unusable option ends with 2 and a sentence that names it."""
    result = run("simulate", file, "--app", "http://127.0.0.1:1/", *options)

    assert (2, "") == (result.exit_code, result.stdout)
    assert sentence in result.stderr


def test_an_app_of_a_file_is_checked_too(file: Path) -> None:
    """The sentence about an unusable URL in a file names the file."""
    file.write_text(f"app: localhost\n{PASSING}")

    result = run("simulate", file)

    assert 2 == result.exit_code
    assert "hello.yaml: `app` is “localhost”, but must be an absolute URL" in result.stderr


@pytest.mark.parametrize("command", ["simulate", "call"])
def test_help_says_what_it_ends_with(command: str) -> None:
    """Every exit status is in the help text."""
    text = " ".join(run(command, "--help").stdout.split())

    assert "Exit status: 0 " in text
    assert "3 the app cannot be reached." in text


def test_no_files_is_wrong_usage() -> None:
    """At least one file is needed."""
    assert 2 == run("simulate").exit_code


@pytest.mark.parametrize("output", ["text", "json", "junit"])
def test_an_app_that_cannot_be_reached_is_3(file: Path, output: str) -> None:
    """A sentence on standard error, no traceback, and a report in the form that was asked for."""
    url = closed_url()

    result = run("simulate", file, "--app", url, "--format", output)

    assert 3 == result.exit_code
    assert f"The app at {url} cannot be reached: " in result.stderr
    assert "Start it, or let rt-bridge start it with --app-command." in result.stderr
    assert "Traceback" not in result.output
    if output == "json":
        report = json.loads(result.stdout)
        assert (3, "error") == (report["exit_status"], report["scenarios"][0]["status"])
    elif output == "junit":
        assert ["error"] == [
            child.tag
            for case in ET.fromstring(result.stdout).iter("testcase")  # noqa: S314 -- ours
            for child in case
            if child.tag in {"failure", "error"}
        ]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("no-such-program", "“no-such-program” cannot be started: No such file or directory."),
        (
            f"{sys.executable} -c \"raise SystemExit('no database')\"",
            "ended with status 1 before it listened. It said:\nno database",
        ),
    ],
)
def test_a_command_that_does_not_start_is_3(file: Path, command: str, sentence: str) -> None:
    """What the command said is repeated."""
    result = run("simulate", file, "--app-command", command)

    assert 3 == result.exit_code
    assert sentence in result.stderr
    assert "--app-command" not in result.stderr


def test_a_fault_of_the_simulation_is_no_crash(
    file: Path, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One scenario that cannot go on fails, with the traceback, and the next is played."""

    async def broken(stand: Any, result: Any, watch: Any) -> None:
        if result.scenario.name == "wrong":
            raise RuntimeError("out of coffee")
        await play(stand, result, watch)

    monkeypatch.setattr(playing, "play", broken)
    file.with_name("a.yaml").write_text(FAILING)

    result = run("simulate", "a.yaml", file, "--app", app)

    assert 1 == result.exit_code
    assert "ERROR  wrong\n  a.yaml: the scenario could not go on\n" in result.stdout
    assert "RuntimeError: out of coffee" in result.stdout
    assert "passed  hello" in result.stdout


# --- simulate: reports ------------------------------------------------------------------------


def test_json_goes_to_standard_output(file: Path, app: str) -> None:
    """The report can be piped into a program."""
    result = run("simulate", file, "--app", app, "--format", "json", "--seed", "7")

    report = json.loads(result.stdout)
    assert {"passed": 1, "failed": 0, "error": 0} == report["counts"]
    assert ["passed"] * 3 == [step["status"] for step in report["scenarios"][0]["steps"]]
    assert "Welcome." in json.dumps(report["scenarios"][0]["timeline"])


def test_a_report_in_a_file_leaves_a_text_on_the_screen(file: Path, app: str) -> None:
    """With --output the table is printed as well."""
    result = run("simulate", file, "--app", app, "--format", "junit", "--output", "report.xml")

    (suite,) = ET.fromstring(Path("report.xml").read_bytes())  # noqa: S314 -- our own output
    assert ("1", "0") == (suite.attrib["tests"], suite.attrib["failures"])
    assert "1 scenario passed\n" in result.stdout


def test_a_text_can_go_to_a_file(file: Path, app: str) -> None:
    """The file has the same text as the screen."""
    result = run("simulate", file, "--app", app, "--output", "report.txt")

    assert result.stdout == Path("report.txt").read_text()


def test_a_report_that_cannot_be_written_is_2(file: Path, app: str) -> None:
    """The sentence names the file."""
    result = run("simulate", file, "--app", app, "--output", "no/folder/report.txt")

    assert 2 == result.exit_code
    assert "The report cannot be written: " in result.stderr
    assert "no/folder/report.txt" in result.stderr


def test_steps_are_listed_without_an_app(file: Path) -> None:
    """--list plays nothing and needs nothing."""
    result = run("simulate", file, "--list", "--skip", "age")

    assert (0, "") == (result.exit_code, result.stderr)
    assert (
        "hello.yaml: hello\n"
        "    1  expect prompt: Welcome\n"
        "    2  press: 42#  [age]  (skipped)\n"
        "    3  expect prompt: You are 42\n"
    ) == result.stdout


def test_the_list_can_be_json(file: Path) -> None:
    """Programs get the steps with their lines."""
    (scenario,) = json.loads(run("simulate", file, "--list", "--format", "json").stdout)

    assert ("hello", "hello.yaml") == (scenario["name"], scenario["file"])
    assert [("", 5, False), ("age", 7, False), ("", 8, False)] == [
        (step["name"], step["line"], step["skipped"]) for step in scenario["steps"]
    ]


def test_steps_can_be_changed_and_left_out(file: Path, app: str) -> None:
    """--set and --skip reach the steps, and the command that plays it again has them too."""
    changed = run("simulate", file, "--app", app, "--set", "age.press=24#", "--verbose")
    skipped = run("simulate", file, "--app", app, "--skip", "age")

    assert (1, 1) == (changed.exit_code, skipped.exit_code)
    assert "--set 'age.press=24#'\n" in changed.stdout
    assert "age: press: 24#" in changed.stderr
    assert "--skip age\n" in skipped.stdout


def test_traces_are_written(file: Path, app: str) -> None:
    """Each scenario leaves a page and its JSON, passed or failed, and a failure names them."""
    file.with_name("wrong.yaml").write_text(FAILING)

    result = run("simulate", file, "wrong.yaml", "--app", app, "--trace", "traces")

    names = ["hello.yaml-hello", "wrong.yaml-wrong"]
    assert sorted(f"{name}{ending}" for name in names for ending in (".html", ".json")) == sorted(
        path.name for path in Path("traces").iterdir()
    )
    trace = json.loads(Path("traces/wrong.yaml-wrong.json").read_text())
    assert "wrong.yaml:4:5: step 1 (expect prompt: Bienvenue)" in trace["failure"]
    assert "✗ Expected a prompt" in trace["entries"][trace["marker"]]["text"]
    assert "trace: traces/wrong.yaml-wrong.html\n" in result.stdout


def test_calls_are_recorded(file: Path, app: str) -> None:
    """The recording has the turns of the scenario."""
    result = run("simulate", file, "--app", app, "--record", "calls.jsonl")

    assert 0 == result.exit_code
    commands = [turn.request["command"] for turn in read_recording(Path("calls.jsonl")).turns]
    assert ["", "play", "read", "play"] == commands[:4]


def test_only_one_scenario_is_recorded(file: Path, app: str) -> None:
    """Calls of different scenarios are not mixed in one file."""
    file.with_name("wrong.yaml").write_text(FAILING)

    result = run("simulate", ".", "--app", app, "--record", "calls.jsonl")

    assert 2 == result.exit_code
    assert "--record keeps one scenario, and these are 2: choose one with --only." in result.stderr


def test_a_recording_that_cannot_be_written_is_2(file: Path, app: str) -> None:
    """The sentence names the file."""
    result = run("simulate", file, "--app", app, "--record", "hello.yaml/calls.jsonl")

    assert 2 == result.exit_code
    assert "Nothing can be kept in hello.yaml/calls.jsonl: " in result.stderr


def test_a_trace_that_cannot_be_written_is_2(file: Path, app: str) -> None:
    """The sentence names the folder."""
    result = run("simulate", file, "--app", app, "--trace", "hello.yaml")

    assert 2 == result.exit_code
    assert "Nothing can be kept in hello.yaml: " in result.stderr


# --- whole processes --------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["normal", "hostile"])
def test_the_examples_pass_with_an_app_that_is_started(profile: str) -> None:
    """The scenarios of the repository play the example app, started by the command."""
    done = cli("simulate", "examples/scenarios", "--app-command", COMMAND, "--profile", profile)

    count = len(list((ROOT / "examples" / "scenarios").glob("*.yaml")))
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{count} scenarios passed\n" in done.stdout.decode()
    assert b"Traceback" not in done.stderr


def test_an_unreachable_app_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The command ends with 3, one sentence and well-formed JSON."""
    path = tmp_path / "hello.yaml"
    path.write_text(PASSING)

    done = cli("simulate", str(path), "--app", closed_url(), "--format", "json")

    assert 3 == done.returncode
    assert 3 == json.loads(done.stdout)["exit_status"]
    assert b"Traceback" not in done.stderr
