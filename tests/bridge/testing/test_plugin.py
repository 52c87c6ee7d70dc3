"""The pytest plugin, as a stranger's project uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

APP = """
import json, pytest
from aiohttp import web

@pytest.fixture
def rt_app():
    async def serve(http):
        request = await http.json()
        if request["call_status"] != "UP":
            return web.Response()
        if request["command"] == "":
            return web.json_response(%s)
        return web.json_response({"command": "hangup", "command_id": 2})
    app = web.Application()
    app.router.add_post("/", serve)
    return app
"""
PLAY = {"command": "play", "command_id": 1, "params": {"media_id": "TTS|TTS_EN-GB_SERENA|Hello."}}
GOOD = """
async def test_good(phone):
    call = await phone.dial()
    await call.expect_prompt("Hello.")
"""
BAD = """
async def test_bad(phone):
    call = await phone.dial()
    await call.expect_prompt("Bye.")
"""
SYNC = """
def test_sync(sync_phone):
    call = sync_phone.dial()
    call.expect_prompt("Hello.")
    call.expect_ended(by="app")
"""
SOFT = """
async def test_soft(phone):
    call = await phone.dial()
    await call.soft.expect_prompt("Soft.")
    assert call.is_over
"""
BROKEN = """
import pytest

async def test_broken(phone):
    call = await phone.dial()
    await call.expect_ended()

@pytest.mark.rt(allow=["UNKNOWN_COMMAND"])
async def test_expected(phone):
    call = await phone.dial()
    await call.expect_ended()
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Make a project with an app."""
    pytester.makeconftest(APP % json.dumps(PLAY))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest in a process of its own, as a user would."""
    return project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:cov", *options)


def traces(project: pytest.Pytester, folder: str = ".rt-bridge/traces") -> list[str]:
    """List the traces."""
    return sorted(path.name for path in (project.path / folder).glob("*"))


def test_a_run(project: pytest.Pytester) -> None:
    """What passes leaves nothing behind; what fails is reported with all that helps."""
    project.makepyfile(test_good=GOOD, test_bad=BAD, test_sync=SYNC, test_soft=SOFT)
    result = run(project, "--rt-seed=7")

    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(["rt-bridge: seed 7 (--rt-seed), profile normal"])
    # An expectation that failed: timeline, command and trace, and nothing of our own source.
    result.stdout.fnmatch_lines(
        [
            "E*Expected a prompt with “Bye.”, and it did not come before the call was over.",
            "E*+ Hello.",
            "E*hears   “Hello.” (WOMAN en-GB)",
            "E*▶*expects ✗ Expected a prompt*",
            "E*pytest test_bad.py::test_bad --rt-seed=7",
            "*rt-bridge trace*",
            "*/.rt-bridge/traces/test_bad.py-test_bad.html",
        ]
    )
    result.stdout.no_fnmatch_line("*expecting.py*")
    # A soft one lets the test go on, and fails it at its end.
    result.stdout.fnmatch_lines(["Expected a prompt with “Soft.”*"])
    failed = ["test_bad.py-test_bad", "test_soft.py-test_soft"]
    assert [f"{name}.{kind}" for name in failed for kind in ("html", "json")] == traces(project)
    written = project.path / ".rt-bridge/traces/test_bad.py-test_bad.json"
    trace = json.loads(written.read_bytes())
    assert ("failed", 7, "expects") == (
        trace["outcome"],
        trace["seed"],
        trace["entries"][trace["marker"]]["kind"],
    )


def test_the_protocol_is_checked(project: pytest.Pytester) -> None:
    """A reply that breaks the protocol fails the test at its end, unless the test expects it."""
    project.makeconftest(APP % json.dumps({"command": "plai", "command_id": 1}))
    project.makepyfile(test_it=BROKEN)
    result = run(project, "--strict-markers")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "error UNKNOWN_COMMAND in turn 1 of call 1*",
            "Trace: *.html",
            "*pytest test_it.py::test_broken*",
        ]
    )


@pytest.mark.parametrize(("mode", "written"), [("off", 0), ("on", 4)])
def test_when_traces_are_written(project: pytest.Pytester, mode: str, written: int) -> None:
    """Off and on are what they say; the folder can be chosen."""
    project.makepyfile(test_it=GOOD + BAD)
    result = run(project, f"--rt-trace={mode}", "--rt-trace-dir=found")

    result.assert_outcomes(passed=1, failed=1)
    assert written == len(traces(project, "found"))


def test_options_of_one_test(project: pytest.Pytester) -> None:
    """The marker passes options of the rig; command-line faults and profile reach it too."""
    project.makepyfile(
        test_it="import pytest\n\n"
        '@pytest.mark.rt(seed=99, profile="hostile")\n'
        "async def test_one(rt_rig):\n"
        '    assert (rt_rig.seed, rt_rig.plivo.profile.name) == (99, "hostile")\n\n'
        "async def test_two(rt_rig):\n"
        '    assert (rt_rig.seed, rt_rig.plivo.profile.name) == (5, "hostile")\n'
        '    assert [str(rule) for rule in rt_rig.plivo.faults.rules] == ["duplicate:recording"]\n'
    )
    options = ["--rt-seed=5", "--rt-profile=hostile", "--rt-fault=duplicate:recording"]

    run(project, *options).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--rt-seed=x", "--rt-seed takes a whole number, not 'x'."),
        ("--rt-profile=mean", "--rt-profile is normal or hostile, not 'mean'."),
    ],
)
def test_wrong_options(project: pytest.Pytester, option: str, sentence: str) -> None:
    """They end the run with a sentence and status 4."""
    project.makepyfile(test_it=GOOD)
    result = run(project, option)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([f"*{sentence}"])


def test_recordings(project: pytest.Pytester) -> None:
    """--rt-record keeps the turns of each test as JSON Lines; once leaves a file that is there."""
    project.makepyfile(test_it=GOOD)
    for mode in ("overwrite", "once"):
        run(project, f"--rt-record={mode}").assert_outcomes(passed=1)
    written = list((project.path / ".rt-bridge/recordings").iterdir())

    assert ["test_it.py-test_good.jsonl"] == [path.name for path in written]
    header, first, *_ = map(json.loads, written[0].read_text(encoding="utf-8").splitlines())
    assert "plivo-rt-bridge-recording" == header["format"]
    assert ("UP", "play") == (first["request"]["call_status"], first["reply"]["command"])


def test_no_app(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Without an app the test fails with what to do."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(test_it=GOOD)
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Which RT app is to be tested? Define a fixture rt_app*"])
