from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from support_kit import Script, app_of, play, read
from support_scenario import scenario_of

from bridge.simulator.clock import StuckError
from bridge.testing.app_under_test import AppStartError, running
from bridge.testing.scenario import playing
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.playing import Options, app_running, app_url, play_all
from bridge.testing.scenario.results import ScenarioResult, StepResult

ROOT = Path(__file__).parents[4]
HEARD = "  - expect prompt: Hello\n"


class Silent:
    """Watches and says nothing."""

    def __init__(self) -> None:
        self.ended: list[ScenarioResult] = []

    def begin(self, scenario: Scenario) -> None:
        """Hear that a scenario begins."""

    def step(self, result: StepResult) -> None:
        """Hear how a step went."""

    def end(self, result: ScenarioResult) -> None:
        """Hear how a scenario went."""
        self.ended.append(result)


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        ("", "http://a.example/rt", "http://a.example/rt"),
        ("http://127.0.0.1:9", "", "http://127.0.0.1:9"),
        ("http://127.0.0.1:9", "/rt.php?a=1", "http://127.0.0.1:9/rt.php?a=1"),
        ("http://127.0.0.1:9", "http://localhost:3000/rt?a=1", "http://127.0.0.1:9/rt?a=1"),
    ],
)
def test_a_started_app_keeps_the_path_that_was_named(base: str, given: str, expected: str) -> None:
    """The command decides where the app is, the URL which path is asked."""
    assert expected == app_url(base, given)


async def test_a_command_may_choose_its_own_port() -> None:
    """With a whole URL the command is waited for at its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = f"{sys.executable} -m http.server --bind 127.0.0.1 {port}"

    async with app_running(Options(app=f"http://127.0.0.1:{port}/rt", app_command=command)) as base:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()

    assert f"http://127.0.0.1:{port}" == base


async def played(options: Options, *scenarios: Scenario) -> list[ScenarioResult]:
    """Play scenarios."""
    results: list[ScenarioResult] = []
    await play_all(scenarios, options, results, Silent())
    return results


async def test_the_command_line_wins_over_the_file() -> None:
    """Seed and profile of the command line replace those of the file, faults come in addition."""
    script = Script(play("Hello"))
    scenario = scenario_of(
        HEARD, "to: +33187654321\nseed: 1\nprofile: normal\nfaults: duplicate:x\n"
    )

    async with running(app_of(script)) as url:
        (own,) = await played(Options(url), scenario)
        (other,) = await played(Options(url, "", 2, "hostile", ("delay:y=5",)), scenario)

    assert (1, "normal", ("duplicate:x",)) == (
        own.seed,
        own.scenario.profile,
        own.scenario.faults,
    )
    assert (2, "hostile", ("duplicate:x", "delay:y=5")) == (
        other.seed,
        other.scenario.profile,
        other.scenario.faults,
    )
    assert (
        f"rt-bridge simulate x.yaml --app {url} --seed 2 --profile hostile --fault delay:y=5"
        == other.reproduce
    )


async def test_a_seed_is_chosen_when_nobody_names_one() -> None:
    """Every scenario has a seed of its own, and its command has it."""
    async with running(app_of(Script(play("Hello")))) as url:
        results = await played(Options(url), *[scenario_of(HEARD)] * 8)

    assert 1 < len({result.seed for result in results})
    assert all(f"--seed {result.seed}" in result.reproduce for result in results)


async def test_settings_of_the_file_reach_the_bridge() -> None:
    """A setting of the app and one of the bridge change what the caller gets."""
    steps = "  - press: 1\n  - expect result: TIMEOUT\n"
    settings = "settings: {partial_read: timeout, default_voice: fr-FR}\n"

    async with running(app_of(Script(read("Hello", attempts=1)))) as url:
        (plain,) = await played(Options(url), scenario_of(steps))
    async with running(app_of(Script(read("Hello", attempts=1)))) as url:
        (result,) = await played(Options(url), scenario_of(steps, f"to: +33187654321\n{settings}"))

    assert ("failed", "passed") == (plain.status, result.status), result.messages()


async def test_violations_can_be_allowed() -> None:
    """A rule of `allow` does not fail the scenario; one that was allowed for nothing is a note."""
    head = "to: +33187654321\nallow: NOT_JSON\n"

    async with running(app_of(Script(b"nonsense"))) as url:
        (broken,) = await played(Options(url), scenario_of("  - expect ended\n"))
    async with running(app_of(Script(b"nonsense"))) as url:
        (allowed,) = await played(Options(url), scenario_of("  - expect ended\n", head))
    async with running(app_of(Script(play("Hello")))) as url:
        (needless,) = await played(Options(url), scenario_of(HEARD, head))

    assert ("failed", "passed", "passed") == (broken.status, allowed.status, needless.status)
    assert "error NOT_JSON in turn 1" in broken.failures[0]
    assert ["NOT_JSON is allowed and never occurred"] == needless.warnings


async def test_a_stuck_simulation_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that cannot go on has the reason, and the next one is played."""

    async def stuck(*_arguments: object) -> None:
        raise StuckError("The simulation did not come to rest.")

    monkeypatch.setattr(playing, "play", stuck)
    async with running(app_of(Script())) as url:
        results = await played(Options(url), scenario_of(HEARD), scenario_of(HEARD))

    assert [("error", "The simulation did not come to rest.")] * 2 == [
        (result.status, result.error) for result in results
    ]


async def test_an_unreachable_app_ends_everything() -> None:
    """The result at hand has the sentence, and no other scenario is played."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    watching, results = Silent(), list[ScenarioResult]()

    with pytest.raises(AppStartError, match="cannot be reached"):
        await play_all([scenario_of(HEARD)] * 2, Options(url), results, watching)

    assert ["error"] == [result.status for result in results]
    assert watching.ended == results


async def test_phones_share_a_simulation(tmp_path: Path) -> None:
    """Numbers that only a phone or a `dial` names lead to the app too."""
    scenario = scenario_of(
        "  - {phone: ann, expect prompt: Hello}\n"
        "  - {phone: bob, expect prompt: Hello}\n"
        "  - {phone: bob, dial: +33187650003}\n"
        "  - {phone: bob, expect prompt: Hello}\n",
        "to: +33187650001\nphones: {ann: +33612345678, bob: {from: +33612345679, to: +33187650002}}\n",
    )
    script = Script(play("Hello"))

    async with running(app_of(script)) as url:
        (result,) = await played(Options(url, trace=tmp_path), scenario)

    assert "passed" == result.status, result.messages()
    first = [one["number"] for one in script.requests if one["command"] == ""]
    assert ["+33187650001", "+33187650002", "+33187650003"] == first
    assert 3 == json.loads((tmp_path / "x.yaml-x.json").read_text())["counts"]["calls"]


async def test_a_scenario_that_is_interrupted_has_not_passed() -> None:
    """Ctrl-C leaves a result that says so."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def serve(_: web.Request) -> web.Response:
        asked.set()
        await over.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", serve)
    results: list[ScenarioResult] = []
    async with running(app) as url:
        playing_it = asyncio.get_running_loop().create_task(
            play_all([scenario_of(HEARD)], Options(app=url), results, Silent())
        )
        await asked.wait()
        playing_it.cancel()
        over.set()
        with pytest.raises(asyncio.CancelledError):
            await playing_it

    assert [("error", "It was interrupted.")] == [(one.status, one.error) for one in results]


async def test_what_a_command_printed_is_kept_when_a_scenario_fails(tmp_path: Path) -> None:
    """The app's own log says why it answered with an error."""
    code = (
        "import http.server, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        print('Fatal: no such table', flush=True)\n"
        "        self.send_error(500)\n"
        "    def log_message(self, *_): pass\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
    )
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    results: list[ScenarioResult] = []
    command = f"{sys.executable} {tmp_path / 'app.py'} {{port}}"
    await play_all([scenario_of(HEARD)], Options(app_command=command), results, Silent())

    assert "Fatal: no such table" == results[0].app_said.splitlines()[0]


def test_sigterm_leaves_no_app_behind(tmp_path: Path) -> None:
    """A CI job that is cancelled takes the app it has started with it."""
    (tmp_path / "s.yaml").write_text(f"to: +33187654321\nsteps:\n{HEARD}", encoding="utf-8")
    code = (
        "import http.server, os, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['Content-Length']))\n"
        "        open('asked', 'w').write(str(os.getpid()))\n"
        "        os.rename('asked', 'pid')\n"
        "        import threading; threading.Event().wait()\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
    )
    (tmp_path / "app.py").write_text(code, encoding="utf-8")
    words = ["simulate", "s.yaml", "--app-command", f"{sys.executable} app.py {{port}}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Where the tests run in the background it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    pid = tmp_path / "pid"
    while not pid.exists() and process.poll() is None:
        os.sched_yield()
    process.terminate()
    said, _ = process.communicate(timeout=30)

    assert b"Aborted!" in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text(encoding="utf-8")), 0)
