from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import types
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from support_serve import SERVE, Serving, cli

from bridge import serve
from bridge.settings import Settings, load_settings

SIGNALS = [signal.SIGTERM, signal.SIGINT]
#: The program of `rt-bridge serve` on a machine without the extra `speed`.
WITHOUT_UVLOOP = (
    "import sys; sys.modules['uvloop'] = None; from bridge.__main__ import main; main(['serve'])"
)


@pytest.fixture
def taken() -> Iterator[str]:
    """Listen on a port, so that nobody else can; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(address: str, path: str) -> tuple[int, bytes]:
    """Ask a listener; gives status and body."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


# --- in a process of its own --------------------------------------------------------------------


@pytest.mark.slow
async def test_life_of_a_bridge() -> None:
    """It says where it listens, is alive and ready, and ends with 0 and a last line on SIGTERM."""
    admin = f"127.0.0.1:{free_port()}"
    ask = {**SERVE, "BRIDGE_ADMIN_LISTEN": admin}
    before = await asyncio.to_thread(cli, "healthcheck", env=ask)
    async with Serving(BRIDGE_ADMIN_LISTEN=admin) as bridge:
        ready = await bridge.ready()
        alive = await asyncio.to_thread(cli, "healthcheck", env=ask)
        readyz = await asyncio.to_thread(get, admin, "/readyz")
        webhook = await asyncio.to_thread(get, ready["listen"], "/plivo/DEFAULT/answer")
        status = await bridge.stop()
    after = await asyncio.to_thread(cli, "healthcheck", env=ask)

    assert [1, 0, 1] == [done.returncode for done in (before, alive, after)]
    body = b'{"status":"ready","checks":{"store":"ok","process":"ok"},"waiting":{"outbound":0}}'
    assert (200, body) == readyz
    assert 403 == webhook[0]
    assert admin == ready["admin"]
    told = {"public_url", "apps", "store", "rest"}
    assert {
        "public_url": "https://voice.example.com",
        "apps": ["DEFAULT"],
        "store": "memory",
        "rest": False,
    } == {name: ready[name] for name in told}
    on_its_way = [line.get("phase") for line in bridge.lines if line["event"] == "bridge.draining"]
    assert ["bridge.stopping", *2 * ["bridge.draining"], "bridge.stopped"] == bridge.events[-4:]
    assert ["answering", "finishing"] == on_its_way
    assert (0, "") == (status, bridge.stderr)


@pytest.mark.slow
async def test_store_has_one_owner(tmp_path: Path) -> None:
    """A second bridge on the same file is refused with 2 and a sentence; the first one serves on."""
    store = {"BRIDGE_STORE": f"sqlite:///{tmp_path}/bridge.db"}
    async with Serving(**store) as first:
        ready = await first.ready()
        second = await asyncio.to_thread(cli, "serve", env=SERVE | store)
        status, _ = await asyncio.to_thread(get, ready["admin"], "/readyz")
        ended = await first.stop()

    assert 2 == second.returncode
    (sentence,) = second.stderr.decode().splitlines()
    assert sentence.startswith(f"BRIDGE_STORE: {tmp_path}/bridge.db is in use by another bridge")
    assert (200, 0) == (status, ended)


@pytest.mark.slow
@pytest.mark.parametrize("listener", ["BRIDGE_LISTEN", "BRIDGE_ADMIN_LISTEN"])
def test_port_in_use(taken: str, listener: str, tmp_path: Path) -> None:
    """An address somebody else listens on is status 1, a sentence that names it, no traceback."""
    store = {"BRIDGE_STORE": f"sqlite:///{tmp_path}/bridge.db"}
    done = cli("serve", env=SERVE | store | {listener: taken})

    (sentence,) = done.stderr.decode().splitlines()
    assert 1 == done.returncode
    assert (
        f"{listener} {taken} cannot be used: address already in use; "
        "stop the process that listens there, or choose another port."
    ) == sentence
    assert b"Traceback" not in done.stdout


@pytest.mark.slow
def test_store_that_cannot_be_used(tmp_path: Path) -> None:
    """A directory that does not exist, or a file that is no database, is status 2 and a sentence."""
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    for path, why in (
        (tmp_path / "no" / "bridge.db", "does not exist"),
        (rubbish, "it is not a database; restore a backup"),
    ):
        done = cli("serve", env=SERVE | {"BRIDGE_STORE": f"sqlite:///{path}"})

        (sentence,) = done.stderr.decode().splitlines()
        assert 2 == done.returncode
        assert sentence.startswith("BRIDGE_STORE: ")
        assert why in sentence
        assert b"Traceback" not in done.stdout


@pytest.mark.slow
async def test_unsigned_webhooks_are_warned_about() -> None:
    """With signatures off the log opens with a warning, before anything can be served."""
    async with Serving(BRIDGE_VERIFY_SIGNATURES="false") as bridge:
        await bridge.ready()

        first = bridge.lines[0]
        assert ("settings.warning", "warning") == (first["event"], first["level"])
        assert "anybody who reaches BRIDGE_LISTEN can pose as Plivo" in first["why"]
        assert 0 == await bridge.stop()


@pytest.mark.slow
async def test_without_uvloop() -> None:
    """The extra `speed` is optional: without it asyncio's own loop serves; Ctrl-C ends it with 0."""
    async with Serving("-c", WITHOUT_UVLOOP) as bridge:
        ready = await bridge.ready()
        status, _ = await asyncio.to_thread(get, ready["admin"], "/healthz")

        assert ("asyncio", 200) == (ready["loop"], status)
        assert 0 == await bridge.stop(signal.SIGINT)
    assert "bridge.stopped" == bridge.events[-1]


# --- in this process ----------------------------------------------------------------------------


class Log:
    """Takes the place of the module's log; sends a signal as soon as the bridge says it is ready."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self.events: list[str] = []
        self.warnings: list[str] = []

    def info(self, event: str, **_fields: Any) -> None:
        """Take note; when it is ready, let the signal come."""
        self.events.append(event)
        if event == "bridge.ready":
            # Without a handler the signal would end the tests.
            assert signal.getsignal(self._number) not in (
                signal.SIG_DFL,
                signal.default_int_handler,
            )
            os.kill(os.getpid(), self._number)

    def warning(self, _event: str, *, why: str) -> None:
        """Take note."""
        self.warnings.append(why)


@pytest.fixture
def _collector() -> Iterator[None]:
    """Put the garbage collector back to how it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def settings_of(**values: str) -> Settings:
    """Read settings as the command line does."""
    return load_settings({**SERVE, **values}).settings


@pytest.mark.usefixtures("_collector")
@pytest.mark.parametrize("number", SIGNALS)
def test_signal_stops_it(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Either signal ends `run` with 0 after the bridge was stopped."""
    log = Log(number)
    monkeypatch.setattr(serve, "log", log)

    assert 0 == serve.run(settings_of(BRIDGE_VERIFY_SIGNATURES="false"))
    assert ["bridge.ready", "bridge.stopping", "bridge.stopped"] == log.events
    assert any("VERIFY_SIGNATURES is false" in why for why in log.warnings)
    assert serve.GC_THRESHOLDS == gc.get_threshold()


def test_no_address(taken: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A taken address is status 1, and the store is released for the next attempt."""
    store = f"sqlite:///{tmp_path}/bridge.db"
    for listener in ("BRIDGE_LISTEN", "BRIDGE_ADMIN_LISTEN"):
        settings = settings_of(**{listener: taken, "BRIDGE_STORE": store})

        assert 1 == serve.run(settings)
        assert "address already in use" in capsys.readouterr().err


def test_no_store(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A store that cannot be opened is status 2."""
    assert 2 == serve.run(settings_of(BRIDGE_STORE=f"sqlite:///{tmp_path}/no/bridge.db"))
    assert capsys.readouterr().err.startswith("BRIDGE_STORE: The directory ")


def test_quick_loop_is_taken_when_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is made by uvloop when it can be imported, by asyncio when it cannot."""
    fake = types.ModuleType("uvloop")
    monkeypatch.setattr(fake, "new_event_loop", asyncio.new_event_loop, raising=False)
    monkeypatch.setitem(sys.modules, "uvloop", fake)
    assert asyncio.new_event_loop is serve._loop_factory()

    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert None is serve._loop_factory()
