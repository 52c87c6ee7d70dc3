"""The pytest plugin, as a stranger's project uses it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from bridge.testing.traces import file_name

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
            "FAILED test_bad.py::test_bad - Expected a prompt with “Bye.”*",
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


def test_without_the_extra(pytester: pytest.Pytester) -> None:
    """Where pytest-asyncio is missing nothing breaks: plain tests run, those of others too."""
    pytester.makeconftest(APP % json.dumps(PLAY))
    pytester.makepyfile(
        pytest_asyncio="raise ImportError('not installed')",
        test_it=SYNC + "\ndef test_of_something_else():\n    pass\n",
    )
    result = run(pytester, "-p", "no:asyncio", "-p", "no:aiohttp", "test_it.py")

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("pofile='hostile'", "@pytest.mark.rt has no option pofile: did you mean profile?"),
        ("zzz=1", "@pytest.mark.rt has no option zzz: there are path, seed, profile, *"),
        ("'hostile'", "@pytest.mark.rt takes options by name, *, not 'hostile'."),
        ("profile='evil'", "The profile is normal or hostile, not 'evil'."),
        ("faults='bogus'", "“bogus” is no fault: *"),
        ("allow='TYPO'", "'TYPO' is no code of a violation*"),
    ],
)
def test_wrong_markers(project: pytest.Pytester, marker: str, sentence: str) -> None:
    """They fail their test with a sentence alone."""
    project.makepyfile(
        test_it=f"import pytest\n\n@pytest.mark.rt({marker})\ndef test_it(sync_phone):\n    pass\n"
    )
    result = run(project)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*rig.py*")


def test_an_app_that_is_down(project: pytest.Pytester) -> None:
    """It is a sentence, not a traceback."""
    project.makeconftest("")
    project.makepyfile(test_it=SYNC)
    result = run(project, "--rt-app=http://127.0.0.1:9/")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["The app at http://127.0.0.1:9/ cannot be reached: *"])
    result.stdout.no_fnmatch_line("*app_under_test.py*")


def test_faults_of_the_command_line_come_in_addition(project: pytest.Pytester) -> None:
    """The marker's own stay."""
    project.makepyfile(
        test_it="import pytest\n\n"
        '@pytest.mark.rt(faults="delay:action")\n'
        "def test_one(sync_rig):\n"
        "    rules = [str(rule) for rule in sync_rig.rig.plivo.faults.rules]\n"
        '    assert rules == ["delay:action", "duplicate:recording"]\n'
    )

    run(project, "--rt-fault=duplicate:recording").assert_outcomes(passed=1)


def test_the_command_does_the_same_again(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds for a class, odd parameters, a folder below and a settings file of another name."""
    below = project.mkdir("below")
    (project.path / "other.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
    (below / "test_it.py").write_text(
        "import pytest\n\nclass TestIt:\n"
        '    @pytest.mark.parametrize("text", ["Bye é ][", "Hello."])\n'
        "    def test_it(self, sync_phone, text):\n"
        "        sync_phone.dial().expect_prompt(text)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(below)
    options = ["-p", "no:cacheprovider", "-p", "no:cov", "-c", "../other.ini", "--rootdir=.."]
    first = project.runpytest_subprocess(*options, "--rt-profile=hostile", "--rt-seed=3")
    commands = {line[1:].strip() for line in first.outlines if "python -m pytest " in line}
    (command,) = commands
    again = project.run(sys.executable, *shlex.split(command)[1:])

    first.assert_outcomes(passed=1, failed=1)
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E*(call 1, seed 3, profile hostile):"])
    assert any(line.endswith(command) for line in again.outlines)


def test_workers_take_one_seed(project: pytest.Pytester) -> None:
    """With pytest-xdist the header names the seed of every test."""
    project.makepyfile(
        test_it="import pytest\n\n"
        '@pytest.mark.parametrize("n", range(4))\n'
        "def test_it(sync_rig, n):\n"
        '    print(f"seed-{sync_rig.rig.seed}")\n'
        "    assert n < 0\n"
    )
    result = run(project, "-n", "2")
    header = next(line for line in result.outlines if line.startswith("rt-bridge: seed "))
    seed = header.removeprefix("rt-bridge: seed ").partition(" ")[0]

    result.assert_outcomes(failed=4)
    assert [f"seed-{seed}"] * 4 == [line for line in result.outlines if line.startswith("seed-")]


def test_what_the_app_printed_is_shown(project: pytest.Pytester) -> None:
    """The reason why an app died is in its own output."""
    project.makeconftest("")
    project.makepyfile(
        app="import http.server, os, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        print('Fatal: no such table', flush=True)\n"
        "        os._exit(7)\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n",
        test_it=SYNC,
    )
    result = run(project, f"--rt-app={shlex.quote(sys.executable)} app.py {{port}}", "test_it.py")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*app     UP → the app closed the connection before its reply was complete (NO_REPLY)",
            "*what the app has printed at last*",
            "Fatal: no such table",
        ]
    )


def test_every_parameter_has_its_trace() -> None:
    """Ids that differ only in what no file name has, or beyond its length, have files of their own."""
    long = "test_it.py::test_" + "a" * 300
    titles = ["t.py::t[1#]", "t.py::t[1*]", "t.py::t[é]", long, long + "b"]
    names = [file_name(title) for title in titles]

    assert len(titles) == len(set(names))
    assert all(len(name) < 140 for name in names)
    assert "test_it.py-TestIt-test_one" == file_name("test_it.py::TestIt::test_one")


@pytest.mark.parametrize("way", ["sync", "async"])
def test_ctrl_c(project: pytest.Pytester, way: str) -> None:
    """Nothing is waited for any more and nothing is checked, and the app is gone."""
    project.makeconftest(
        "import asyncio, os, signal, pytest\n"
        "from aiohttp import web\n\n"
        # Where the tests run in the background it is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n\n"
        "@pytest.fixture\n"
        "def rt_app():\n"
        "    async def serve(http):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.Event().wait()\n"
        "    app = web.Application()\n"
        '    app.router.add_post("/", serve)\n'
        "    return app\n"
    )
    project.makepyfile(test_it=SYNC if way == "sync" else GOOD)
    result = run(project)

    assert pytest.ExitCode.INTERRUPTED == result.ret
    result.stdout.fnmatch_lines(["!* KeyboardInterrupt !*"])
    for output in (result.stdout, result.stderr):
        output.no_fnmatch_line("*OVER_BUDGET*")
