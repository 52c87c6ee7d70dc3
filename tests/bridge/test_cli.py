from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support_serve import cli

from bridge import telemetry
from bridge.__main__ import main

MINIMAL = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "hunter2",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide settings of the machine that runs the tests."""
    for name in ("CONFIG", "PUBLIC_URL", "APP_URL", "ADMIN_LISTEN"):
        monkeypatch.delenv(f"BRIDGE_{name}", raising=False)


def run(*arguments: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, arguments, env=env or {}, input=stdin)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a module with one function in the place of a heavy one and record its calls."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def install(module: str, function: str, result: Any) -> list[Any]:
        def record(*args: Any, **kwargs: Any) -> Any:
            calls.append((args, kwargs))
            return result

        fake = types.ModuleType(module)
        setattr(fake, function, record)
        monkeypatch.setitem(sys.modules, module, fake)
        return calls

    return install


class _Health(BaseHTTPRequestHandler):
    status = 200
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def health() -> Iterator[tuple[type[_Health], int]]:
    """Serve an admin listener on a free port; its status can be set."""

    class Handler(_Health):
        seen: list[str] = []  # noqa: RUF012 -- one list per test

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Handler, server.server_port
        server.shutdown()
        thread.join()


# --- the frame --------------------------------------------------------------------------------


def test_help_lists_every_command() -> None:
    """`rt-bridge --help` names the commands and where settings come from."""
    result = run("--help")

    assert 0 == result.exit_code
    for word in ("serve", "config", "healthcheck", "translate", "demo", "BRIDGE_CONFIG"):
        assert word in result.output


def test_version_is_that_of_the_distribution() -> None:
    """`rt-bridge --version` prints the installed version."""
    result = run("--version")

    assert (0, f"rt-bridge, version {version('plivo-rt-bridge')}\n") == (
        result.exit_code,
        result.output,
    )


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument: str) -> None:
    """Help and version load neither the server, nor the models, nor the XML library."""
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['rt-bridge', {argument!r}]\n"
        "try:\n"
        "    runpy.run_module('bridge', run_name='__main__')\n"
        "except SystemExit:\n"
        "    heavy = {'aiohttp', 'pydantic', 'lxml', 'structlog', 'rich', 'asyncio'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "rt-bridge" in done.stdout
    assert "[]\n" == done.stderr


def test_unknown_command_is_wrong_usage() -> None:
    """A command that does not exist exits with 2."""
    assert 2 == run("sevre").exit_code


# --- config -----------------------------------------------------------------------------------


def test_config_prints_values_with_origin_and_no_secret() -> None:
    """The table shows name, value and origin of every setting; secrets are hidden."""
    result = run("config", env=MINIMAL)

    assert 0 == result.exit_code
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert ["127.0.0.1:8080", "default"] == rows["BRIDGE_LISTEN"]
    assert ["********", "environment", "BRIDGE_PLIVO_AUTH_TOKEN"] == rows["BRIDGE_PLIVO_AUTH_TOKEN"]
    assert "http://127.0.0.1:8000/rt" == rows["apps.DEFAULT.url"][0]
    assert "hunter2" not in result.output
    assert "" == result.stderr


def test_config_prints_json() -> None:
    """`--format json` gives one object per setting, for scripts."""
    result = run("config", "--format", "json", env=MINIMAL)

    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert {"name": "BRIDGE_STORE", "value": "sqlite:///bridge.db", "origin": "default"} == rows[
        "BRIDGE_STORE"
    ]


def test_config_warns_on_standard_error() -> None:
    """Dangerous settings are told without disturbing the output for scripts."""
    result = run("config", "--format", "json", env=MINIMAL | {"BRIDGE_STORE": "memory:"})

    assert 0 == result.exit_code
    assert "Warning: BRIDGE_STORE is memory" in result.stderr
    json.loads(result.stdout)


@pytest.mark.parametrize("command", ["config", "serve"])
def test_bad_settings_exit_with_two_and_every_sentence(command: str) -> None:
    """Faults are printed one per line on standard error and the exit status is 2."""
    result = run(command, env=MINIMAL | {"BRIDGE_LISTEN": "x", "BRIDGE_LISTN": "y"})

    assert 2 == result.exit_code
    first, second = result.stderr.splitlines()
    assert first.startswith("BRIDGE_LISTN is not a setting")
    assert second.startswith("BRIDGE_LISTEN is 'x'")


@pytest.mark.slow
def test_serve_with_many_faults_tells_each(tmp_path: Path) -> None:
    """A process with several bad settings ends with 2, one sentence each, and repeats no secret."""
    config = tmp_path / "bridge.toml"
    config.write_text('listn = "x"\n[apps.SHOP]\nurl = "ftp://example.com"\non_failure = "cry"\n')
    env = MINIMAL | {
        "BRIDGE_CONFIG": str(config),
        "BRIDGE_LISTEN": "nowhere",
        "BRIDGE_APP_TIMEOUT_S": "60",
        "BRIDGE_VERIFY_SIGNATURES": "perhaps",
        "BRIDGE_STORE": "mysql://root:hunter2@db/calls",
    }
    done = cli("serve", env=env)

    assert (2, b"") == (done.returncode, done.stdout)
    sentences = done.stderr.decode().splitlines()
    for name in (
        "listn",
        "apps.SHOP.url",
        "apps.SHOP.on_failure",
        "BRIDGE_LISTEN",
        "BRIDGE_APP_TIMEOUT_S",
        "BRIDGE_VERIFY_SIGNATURES",
        "BRIDGE_STORE",
    ):
        assert 1 == len([text for text in sentences if name in text.split(" is ")[0]]), name
    assert 7 == len(sentences)
    assert all(text.endswith((".", "?")) for text in sentences)
    assert "hunter2" not in done.stderr.decode()


# --- healthcheck ------------------------------------------------------------------------------


def test_healthcheck_asks_the_admin_listener(health: tuple[type[_Health], int]) -> None:
    """A bridge that answers 200 on /healthz is alive: status 0."""
    handler, port = health

    result = run("healthcheck", env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": f"127.0.0.1:{port}"})

    assert (0, "ok\n") == (result.exit_code, result.output)
    assert ["/healthz"] == handler.seen


def test_healthcheck_reaches_a_wildcard_listener(health: tuple[type[_Health], int]) -> None:
    """A listener on every interface is asked through loopback."""
    _, port = health

    assert (
        0 == run("healthcheck", env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": f"0.0.0.0:{port}"}).exit_code
    )


def test_healthcheck_fails_on_another_status(health: tuple[type[_Health], int]) -> None:
    """Any status but 200 is status 1, with the reason."""
    handler, port = health
    handler.status = 503

    result = run("healthcheck", env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": f"127.0.0.1:{port}"})

    assert 1 == result.exit_code
    assert f"http://127.0.0.1:{port}/healthz: answered with status 503\n" == result.stderr


def test_healthcheck_fails_when_nothing_listens() -> None:
    """A refused connection is status 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

        result = run("healthcheck", env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": address})

    assert 1 == result.exit_code
    assert "refused" in result.stderr


def test_healthcheck_gives_up_on_a_silent_bridge() -> None:
    """A bridge that accepts and never answers is status 1 after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"

        result = run(
            "healthcheck", "--timeout", "0.05", env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": address}
        )

    assert 1 == result.exit_code
    assert "timed out" in result.stderr


def test_healthcheck_with_bad_settings_is_status_one() -> None:
    """Container engines know only 0 and 1, so bad settings are 1 here."""
    assert 1 == run("healthcheck").exit_code


def test_healthcheck_does_not_import_the_server() -> None:
    """The health check runs every few seconds and stays small."""
    program = (
        "import sys\n"
        "from bridge.__main__ import main\n"
        "try:\n"
        "    main(['healthcheck'])\n"
        "except SystemExit:\n"
        "    print(sorted({'aiohttp', 'lxml', 'structlog'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=MINIMAL | {"BRIDGE_ADMIN_LISTEN": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "[]\n" == done.stdout


# --- commands that hand over ------------------------------------------------------------------


def test_serve_configures_logs_and_runs(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` sets up the logs as the settings say and exits with the status of the server."""
    calls = stub("bridge.serve", "run", 3)
    logs: list[tuple[str, str]] = []
    monkeypatch.setattr(telemetry, "configure_logging", lambda *args: logs.append(args))

    result = run("serve", env=MINIMAL | {"BRIDGE_LOG_LEVEL": "debug"})

    assert 3 == result.exit_code
    assert [("auto", "debug")] == logs
    (((settings,), _),) = calls
    assert "https://voice.example.com" == settings.public_url


def test_translate_works_without_settings(stub: Any) -> None:
    """`translate` hands standard input over and prints what comes back."""
    calls = stub("bridge.translate", "translate_main", ("<Response/>", 0))

    result = run("translate", stdin=b'{"command":"hangup"}')

    assert (0, "<Response/>\n") == (result.exit_code, result.output)
    assert [((b'{"command":"hangup"}',), {"app": None, "settings": None})] == calls


def test_translate_uses_settings_when_given(stub: Any) -> None:
    """With settings in the environment `translate` passes them on with the app named."""
    calls = stub("bridge.translate", "translate_main", ("sorry\n", 1))

    result = run("translate", "--app", "DEFAULT", env=MINIMAL)

    assert (1, "sorry\n") == (result.exit_code, result.output)
    assert "DEFAULT" == calls[0][1]["app"]
    assert ["DEFAULT"] == list(calls[0][1]["settings"].apps)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], False), (["--exit"], True), (["--exit-after-call"], True)],
)
def test_demo_passes_its_option_on(stub: Any, arguments: list[str], expected: bool) -> None:
    """`demo` serves on after the call unless told to exit; its status is that of the demo."""
    calls = stub("bridge.demo", "run_demo", 0)

    result = run("demo", *arguments)

    assert 0 == result.exit_code
    assert [((), {"exit_after_call": expected})] == calls
