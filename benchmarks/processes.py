"""Servers as processes of their own: pinned to a core, awaited, measured through /proc, ended.

The server under test has one core for itself; load generator and app stub share another. With one
core, or where a process cannot be pinned, everything runs unpinned and the report says so.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

__all__ = ["Cores", "Server", "choose_cores", "free_port", "pin", "ready", "worker_cores"]

_START_S: Final = 30.0
_STOP_S: Final = 15.0
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server under test and that of the load; None = not pinned."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """Take the first two cores this process may use, none when there are fewer."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores(None, None)


def worker_cores(cores: Cores) -> frozenset[int] | None:
    """Give two cores for two workers: none of them the load's, where there are so many.

    With fewer they share them with the load; None = they cannot be pinned.
    """
    if cores.server is None or cores.load is None:
        return None
    own = sorted(os.sched_getaffinity(0) - {cores.load})
    return frozenset(own[:2] if len(own) > 1 else (cores.server, cores.load))


@contextmanager
def pin(core: int | frozenset[int] | None) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on one core or some; None changes nothing."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} if isinstance(core, int) else core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Find a port of loopback nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ready(url: str) -> bool:
    """Tell whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Server:
    """One server process listening on loopback `port`; standard output and error go to `log`.

    `health_url` is that of its readiness, when it has one.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        core: int | frozenset[int] | None,
        directory: Path,
        environ: Mapping[str, str] | None = None,
        health_url: str | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self.log = directory / f"{name}.log"
        self.health_url = health_url
        variables = {k: v for k, v in os.environ.items() if not k.startswith("BRIDGE_")}
        variables |= {"PYTHONPATH": str(_ROOT)} | dict(environ or {})
        with pin(core), self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=directory,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        """Wait until it answers. Raises RuntimeError with the end of its log when it does not."""
        give_up = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                end = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"The server {self.name} did not start:\n{end}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, politely first."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        """Give the CPU time used so far with all threads and children, NaN without /proc."""
        ticks = 0
        for pid in self._pids():
            try:
                stat = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                return float("nan")
            # The name in parentheses may contain spaces.
            rest = stat.rpartition(")")[2].split()
            ticks += int(rest[11]) + int(rest[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        """Give the resident memory of the process with its children, 0 without /proc."""
        pages = 0
        for pid in self._pids():
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        """Count the files and sockets the process has open, 0 without /proc."""
        try:
            return sum(1 for _ in Path(f"/proc/{self._process.pid}/fd").iterdir())
        except OSError:
            return 0

    def _pids(self) -> list[int]:
        pids = [self._process.pid]
        for pid in pids:
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            except OSError:
                continue
            pids += [int(child) for child in children.split()]
        return pids

    def _answers(self) -> bool:
        if self.health_url is not None:
            return ready(self.health_url)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
