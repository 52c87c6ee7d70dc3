"""`rt-bridge explore` on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from support_explore import served, sound, unknown_command_on_star

from bridge.__main__ import main
from bridge.testing.explore import command
from bridge.testing.scenario.files import load

ROOT = Path(__file__).parents[4]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, and leave no logging behind."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    structlog.reset_defaults()


def rt_bridge(*words: str) -> Result:
    """Run `rt-bridge explore`."""
    return CliRunner().invoke(main, ["explore", *words], catch_exceptions=False)


def test_failure_is_reported_with_its_call_and_its_files(run: Path) -> None:
    """Status 1; the report has call, timeline, seed, commands; the scenario can be read."""
    with served(unknown_command_on_star) as url:
        result = rt_bridge(
            *("--app", url, "--seed", "2", "--trace", "traces"),
            *("--max-examples", "30", "--steps", "8", "--shrink", "300"),
        )
    assert 1 == result.exit_code
    for text in (
        "UNKNOWN_COMMAND in example ",
        'There is no command "goto".',
        "   1. first: dial\n     2. first: press keys *\n",
        "does    presses *",
        "read → goto",
        "scenario: .rt-bridge/explore/UNKNOWN_COMMAND.yaml",
        "trace: traces/explore-UNKNOWN_COMMAND.html",
        f"again: rt-bridge simulate .rt-bridge/explore/UNKNOWN_COMMAND.yaml --app {url}",
        f"The same again: rt-bridge explore --app {url} --seed 2",
        "seed 2, profile normal",
    ):
        assert text in result.output
    (scenario,) = load([run / ".rt-bridge/explore"])
    assert ["dial", "press"] == [step.action.verb for step in scenario.steps]
    assert "goto" in (run / "traces/explore-UNKNOWN_COMMAND.json").read_text("utf-8")


def test_report_for_programs(run: Path) -> None:
    """JSON on standard output and nothing else there."""
    with served(unknown_command_on_star) as url:
        result = rt_bridge(
            *("--app", url, "--seed=2", "--format=json", "--profile=hostile"),
            *("--max-examples=30", "--steps=8", "--shrink=300"),
        )
    report = json.loads(result.stdout)
    assert (1, 2, "hostile", ["UNKNOWN_COMMAND"], "") == (
        report["status"],
        report["seed"],
        report["profile"],
        [one["code"] for one in report["found"]],
        report["stopped"] and "",
    )
    found = report["found"][0]
    assert [
        {"action": "dial", "phone": "first", "options": {}},
        {"action": "press", "phone": "first", "options": {"keys": "*"}},
    ] == found["steps"]
    assert found["repeats"]
    assert "goto" in json.dumps(found["timeline"])


def test_sound_app_is_reported_in_two_lines(run: Path) -> None:
    """Status 0, and no files."""
    with served(sound) as url:
        result = rt_bridge("--app", url, "--max-examples", "5", "--steps", "3", "--seed", "1")
    assert 0 == result.exit_code
    assert result.output.endswith("seed 1, profile normal\nnothing found\n")
    assert [] == list(run.iterdir())


def test_app_that_cannot_be_reached_is_status_3(run: Path) -> None:
    """The sentence says what to do."""
    result = rt_bridge("--app", "http://127.0.0.1:9/rt")
    assert 3 == result.exit_code
    assert "The app at http://127.0.0.1:9/rt cannot be reached" in result.stderr
    assert "let rt-bridge start it with --app-command" in result.stderr
    assert "nothing found" not in result.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "No app is named: give its URL with --app"),
        (["--app", "http://127.0.0.1:9", "--fault", "duplcate"], "did you mean duplicate"),
        (["--app", "http://127.0.0.1:9", "--allow", "NOT_20"], "is no code of a violation"),
        (["--app", "http://127.0.0.1:9", "--fresh-app"], "give --app-command too"),
        (["--app", "http://127.0.0.1:9", "--steps", "0"], "Invalid value for '--steps'"),
    ],
)
def test_wrong_usage_is_status_2(run: Path, words: list[str], sentence: str) -> None:
    """Nothing is called, and the sentence names the option."""
    result = rt_bridge(*words)
    assert 2 == result.exit_code
    assert sentence in result.stderr


def test_missing_hypothesis_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis is part of an extra; the sentence says which."""
    monkeypatch.setattr(command, "find_spec", lambda _name: None)
    result = rt_bridge("--app", "http://127.0.0.1:9")
    assert 2 == result.exit_code
    assert "pip install 'plivo-rt-bridge[pytest]'" in result.stderr


@pytest.mark.slow
def test_example_app_has_no_fault(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, started as a command, survives odd callers under the hostile profile too."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    app = f"{sys.executable} -m examples.ivr --port {{port}}"
    result = rt_bridge(
        "--app-command", app, "--max-examples=15", "--seed=5", "--profile=hostile", "--steps=12"
    )
    assert 0 == result.exit_code, result.output
    assert "nothing found" in result.output
