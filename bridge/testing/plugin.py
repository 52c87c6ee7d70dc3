"""The pytest plugin: fixtures, options, checks that are always on, and a trace of what failed.

| fixture | gives |
|---|---|
| rt_app | the app under test: override it, or use --rt-app or the ini option rt_app |
| rt_rig | bridge and simulated Plivo around it, for tests that are coroutines |
| phone | a phone on that rig |
| sync_rig, sync_phone | the same for plain functions |

`@pytest.mark.rt(profile="hostile", faults=["duplicate:recording"], allow=["UNKNOWN_PARAMETER"], …)`
passes options of `bridge.testing.rig.rig` for one test.
"""

from __future__ import annotations

import os
import random
import shlex
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from bridge.testing.rig import Phone, Rig
    from bridge.testing.sync import SyncPhone, SyncRig

try:
    import pytest_asyncio
except ImportError:
    # This plugin is loaded wherever the package is installed, also without its extra [pytest].
    # Tests that are no coroutines need no more than this, and those of anyio neither.
    _coroutine_fixture: Any = pytest.fixture
else:
    _coroutine_fixture = pytest_asyncio.fixture

_TRACES: Final = ("off", "on", "retain-on-failure")
_RECORD: Final = ("off", "once", "overwrite")
_OPTIONS: Final = (
    ("--rt-app", None, "URL or command of the RT app under test"),
    ("--rt-seed", None, "seed of every id, delay and fault (default: a new one each run)"),
    ("--rt-profile", "normal", "normal or hostile: how unknowns of Plivo are answered"),
    ("--rt-trace-dir", ".rt-bridge/traces", "where traces are written"),
    ("--rt-record-dir", ".rt-bridge/recordings", "where recordings are written"),
)


@dataclass(slots=True)
class _Run:
    """One rig and what became of its test."""

    rig: Rig
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    failed: bool = False
    #: Whether the test was run to its end; after Ctrl-C it was not, and nothing is waited for.
    called: bool = False
    written: Path | None = None


_RUN: Final = pytest.StashKey[_Run]()
_SEED: Final = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("rt-bridge", "contract tests of RT apps (plivo-rt-bridge)")
    for name, default, text in _OPTIONS:
        group.addoption(name, default=default, help=text)
    group.addoption(
        "--rt-trace",
        choices=_TRACES,
        default="retain-on-failure",
        help="write a trace of each simulated call: off, on, retain-on-failure (default)",
    )
    group.addoption(
        "--rt-record",
        choices=_RECORD,
        default="off",
        help="record the RT turns of each test, masked, for rt-bridge verify and codegen",
    )
    group.addoption(
        "--rt-fault",
        action="append",
        default=[],
        help="inject a fault, such as duplicate:recording or drop:enter@0.5; may be repeated",
    )
    parser.addini("rt_app", "URL or command of the RT app under test", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the session and make the marker known."""
    text = config.getoption("--rt-seed")
    if text is not None and not str(text).isdigit():
        raise pytest.UsageError(f"--rt-seed takes a whole number, not {text!r}.")
    profile = config.getoption("--rt-profile")
    if profile not in {"normal", "hostile"}:
        raise pytest.UsageError(f"--rt-profile is normal or hostile, not {profile!r}.")
    # Workers of pytest-xdist take the seed that the header names.
    given = getattr(config, "workerinput", {}).get("rt_seed") if text is None else text
    config.stash[_SEED] = int(given) if given is not None else random.randrange(1_000_000)
    config.addinivalue_line(
        "markers", "rt(**options): options of bridge.testing.rig.rig for this test"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist the seed."""
    node.workerinput["rt_seed"] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Name the seed."""
    return f"rt-bridge: seed {config.stash[_SEED]} (--rt-seed), profile {config.getoption('--rt-profile')}"


@pytest.fixture
def rt_app(pytestconfig: pytest.Config) -> Any:
    """Give the RT app under test: a URL, an application, or a command."""
    app = pytestconfig.getoption("--rt-app") or pytestconfig.getini("rt_app")
    if not app:
        pytest.fail(
            "Which RT app is to be tested? Define a fixture rt_app that gives its URL, an aiohttp, "
            "ASGI or WSGI application, or a command; or use --rt-app or the ini option rt_app.",
            pytrace=False,
        )
    return app


async def _rt_rig(request: pytest.FixtureRequest, rt_app: Any) -> AsyncIterator[Rig]:
    """Give bridge and simulated Plivo around the app, on virtual time."""
    from bridge.testing.rig import rig  # noqa: PLC0415 -- imports the whole bridge

    async with AsyncExitStack() as stack:
        with _sentences():
            made = await stack.enter_async_context(rig(rt_app, **_options(request)))
        with _checked(request, made) as run:
            yield made
            if run.called:
                await made.wind_up()


rt_rig = _coroutine_fixture(_rt_rig, name="rt_rig")


@pytest.fixture
def phone(rt_rig: Rig) -> Phone:
    """Give a phone."""
    return rt_rig.phone()


@pytest.fixture
def sync_rig(request: pytest.FixtureRequest, rt_app: Any) -> Iterator[SyncRig]:
    """Give bridge and simulated Plivo around the app, for tests that are no coroutines."""
    from bridge.testing.sync import sync_rig as opened  # noqa: PLC0415 -- imports the whole bridge

    with ExitStack() as stack:
        with _sentences():
            made = stack.enter_context(opened(rt_app, **_options(request)))
        with _checked(request, made.rig) as run:
            yield made
            if run.called:
                made.wind_up()


@pytest.fixture
def sync_phone(sync_rig: SyncRig) -> SyncPhone:
    """Give a phone, for tests that are no coroutines."""
    return sync_rig.phone()


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    config = request.config
    options: dict[str, Any] = {
        "seed": config.stash[_SEED],
        "profile": config.getoption("--rt-profile"),
    }
    for marker in reversed(list(request.node.iter_markers("rt"))):
        options.update(_named(marker))
    own = options.get("faults", ())
    own = [own] if isinstance(own, str) else own
    # As with scenarios: what the command line injects comes in addition.
    return options | {"faults": [*own, *config.getoption("--rt-fault")]}


def _named(marker: pytest.Mark) -> Mapping[str, Any]:
    from bridge.testing.rig import rig  # noqa: PLC0415 -- imports the whole bridge

    if marker.args:
        pytest.fail(
            f'@pytest.mark.rt takes options by name, such as profile="hostile", not {marker.args[0]!r}.',
            pytrace=False,
        )
    known = [name for name in signature(rig).parameters if name != "app"]
    for name in marker.kwargs:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            pytest.fail(f"@pytest.mark.rt has no option {name}: {hint}", pytrace=False)
    return marker.kwargs


@contextmanager
def _sentences() -> Iterator[None]:
    """Fail with the sentence alone when the app cannot be reached or an option is wrong."""
    from bridge.simulator.faults import FaultError  # noqa: PLC0415 -- as below
    from bridge.testing.app_under_test import AppStartError  # noqa: PLC0415 -- the whole bridge

    try:
        yield
    except (AppStartError, FaultError, ValueError) as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def _checked(request: pytest.FixtureRequest, made: Rig) -> Iterator[_Run]:
    """Fail the test at its end for what the app did against the protocol."""
    item = request.node
    made.reproduce = _command(item, made)
    run = item.stash[_RUN] = _Run(made)
    with _recorded(item, made):
        yield run
    summary = made.summary() if run.called else ""
    if summary and not run.failed:
        run.failed = True
        page = _write(item, run, summary, None)
        where = f"\n\nTrace: {page}" if page else ""
        said = made.app_said()
        where += f"\n\nThe app has printed at last:\n{said}" if said else ""
        pytest.fail(f"{summary}{where}\n\nThe same again:\n    {made.reproduce}", pytrace=False)
    if item.config.getoption("--rt-trace") == "on" and run.written is None:
        _write(item, run, "", None)


@contextmanager
def _recorded(item: pytest.Item, made: Rig) -> Iterator[None]:
    mode = item.config.getoption("--rt-record")
    if mode == "off":
        yield
        return
    from bridge.testing.recording import Recorder  # noqa: PLC0415 -- only when something is written
    from bridge.testing.traces import file_name  # noqa: PLC0415 -- as above

    folder = item.config.rootpath / item.config.getoption("--rt-record-dir")
    folder.mkdir(parents=True, exist_ok=True)
    with Recorder(folder / f"{file_name(item.nodeid)}.jsonl", mode) as recorder:
        made.timeline.listeners.append(recorder.entry)
        yield


def _command(item: pytest.Item, made: Rig) -> str:
    config = item.config
    main: list[str] = getattr(config, "workerinput", {}).get("mainargv", sys.argv)
    # Python finds modules in the working directory one way, and not the other.
    words = ["python", "-m"] if Path(main[0]).name == "__main__.py" else []
    file, colons, name = str(item.nodeid).partition("::")
    here = os.path.relpath(config.rootpath / file, config.invocation_params.dir)
    words += ["pytest", f"{here}{colons}{name}", f"--rt-seed={made.seed}"]
    profile = config.getoption("--rt-profile")
    words += [f"--rt-profile={profile}"] if profile != "normal" else []
    words += [f"--rt-fault={fault}" for fault in config.getoption("--rt-fault")]
    app = config.getoption("--rt-app")
    words += [f"--rt-app={app}"] if app else []
    settings = config.option.inifilename
    words += ["-c", str(settings)] if settings else []
    return shlex.join(words)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the trace of a test that failed, and say where it is."""
    report = yield
    run = item.stash.get(_RUN, None)
    if run is not None and report.when == "call":
        run.called = True
    if run is not None and report.when == "call" and report.failed and call.excinfo is not None:
        run.failed = True
        marker = getattr(call.excinfo.value, "index", None)
        _begin_with_the_sentence(report, call.excinfo.value)
        page = _write(item, run, str(call.excinfo.value), marker)
        if page:
            report.sections.append(("rt-bridge trace", str(page)))
        said = run.rig.app_said()
        if said:
            report.sections.append(("what the app has printed at last", said))
        violations = run.rig.summary()
        if violations:
            report.sections.append(("rt-bridge protocol violations", violations))
    return report


def _begin_with_the_sentence(report: pytest.TestReport, error: BaseException) -> None:
    """Let the summary of the run say what was expected, and not the name of a class first."""
    from bridge.testing.failures import ExpectationError  # noqa: PLC0415 -- the simulator

    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and isinstance(error, ExpectationError):
        crash.message = str(error)


def _write(item: pytest.Item, run: _Run, failure: str, marker: int | None) -> Path | None:
    config = item.config
    if config.getoption("--rt-trace") == "off":
        return None
    from bridge.testing.traces import write_trace  # noqa: PLC0415 -- only when something is written

    folder = config.rootpath / config.getoption("--rt-trace-dir")
    run.written = write_trace(
        run.rig, folder, item.nodeid, started=run.started, failure=failure, marker=marker
    )
    return run.written


__all__ = ["phone", "rt_app", "rt_rig", "sync_phone", "sync_rig"]
