"""A bridge in a process of its own, that can be killed and started again on the same port."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Self

from pydantic_core import from_json
from support_ports import free_port

from bridge.tasks import spawn

ROOT = Path(__file__).resolve().parents[2]
AUTH_ID = "MACRASHTEST0000000000"
TOKEN = "crash-token"
APP = "DEFAULT"

CONFIG = """\
public_url = "{url}"
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:0"
plivo_auth_id = "{auth_id}"
plivo_auth_token = "{token}"
plivo_api_url = "{api_url}"
plivo_rest = {rest}
store = "sqlite:///{folder}/bridge.db"
log_format = "json"
app_timeout_s = {app_timeout_s}
drain_s = 0

[apps.{app}]
url = "{app_url}"
{options}
"""


class BridgeProcess:
    """`python -m bridge serve` on a SQLite file; every restart uses the same file and port."""

    def __init__(
        self,
        folder: Path,
        app_url: str,
        *,
        api_url: str | None = None,
        app_timeout_s: float = 3.0,
        options: str = "",
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = folder / "bridge.db"
        self._config = folder / "bridge.toml"
        self._config.write_text(
            CONFIG.format(
                url=self.url,
                port=self.port,
                auth_id=AUTH_ID,
                token=TOKEN,
                api_url=api_url or "http://127.0.0.1:9",
                rest="false" if api_url is None else "true",
                folder=folder,
                app_timeout_s=app_timeout_s,
                app=APP,
                app_url=app_url,
                options=options,
            )
        )
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._log = bytearray()
        self._more = asyncio.Condition()
        self._begins = 0
        #: Its output has ended, and so has the process.
        self._is_silent = False
        #: Set while the bridge listens.
        self.up = asyncio.Event()
        #: Just before and just after each kill, by `time.monotonic`.
        self.kills: list[tuple[float, float]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self.kill()

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._begins = len(self._log)
        self._is_silent = False
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bridge", "serve"),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "BRIDGE_CONFIG": str(self._config)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        if process.stdout is None:
            raise AssertionError("its output is not a pipe")
        self._reader = spawn(self._read(process.stdout), "log")
        await self.logged("bridge.ready")
        self.up.set()

    async def kill(self) -> None:
        """Kill it with SIGKILL, in the middle of whatever it does."""
        begun = monotonic()
        self.up.clear()
        await self._end(signal.SIGKILL)
        self.kills.append((begun, monotonic()))

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is None:
            raise AssertionError("it does not run")
        self._process.send_signal(signal.SIGTERM)

    async def stopped(self) -> int:
        """Wait for the end after `ask_to_stop`; give the exit status."""
        self.up.clear()
        return await self._end(None)

    async def logged(self, event: str) -> dict[str, Any]:
        """Wait for the first log line of this run with that event."""
        mark = f'"event":"{event}"'.encode()
        async with self._more:
            await asyncio.wait_for(
                self._more.wait_for(lambda: self._line(mark) or self._ended()), 30
            )
        line = self._line(mark)
        if line is None:
            raise AssertionError(f"the bridge ended without {event}: {self._log[-2000:]!r}")
        found: dict[str, Any] = from_json(line)
        return found

    def lines(self, event: str) -> list[bytes]:
        """List the log lines of all runs with that event."""
        mark = f'"event":"{event}"'.encode()
        return [line for line in bytes(self._log).splitlines() if mark in line]

    async def _end(self, number: signal.Signals | None) -> int:
        process, self._process = self._process, None
        if process is None or self._reader is None:
            raise AssertionError("it does not run")
        if number is not None and process.returncode is None:
            process.send_signal(number)
        status = await asyncio.wait_for(process.wait(), 30)
        await self._reader
        return status

    async def _read(self, output: asyncio.StreamReader) -> None:
        while chunk := await output.read(65_536):
            self._log += chunk
            async with self._more:
                self._more.notify_all()
        async with self._more:
            self._is_silent = True
            self._more.notify_all()

    def _ended(self) -> bool:
        return self._reader is None or self._process is None or self._is_silent

    def _line(self, mark: bytes) -> bytes | None:
        at = self._log.find(mark, self._begins)
        if at < 0:
            return None
        end = self._log.find(b"\n", at)
        if end < 0:
            return None
        return bytes(self._log[self._log.rfind(b"\n", 0, at) + 1 : end])
