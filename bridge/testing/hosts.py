"""Where the bridge of a rig runs: in this process, or in one of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from bridge.app import Bridge
from bridge.clock import Clock
from bridge.settings import Settings
from bridge.simulator.clock import VirtualClock
from bridge.simulator.clock_server import ClockServer
from bridge.state import load
from bridge.store.protocol import StoreUnavailable

#: Longest a bridge may take until it serves, and until it is gone, in real s.
START_S: Final = 30.0
STOP_S: Final = 15.0
_SHOWN: Final = 2000


class BridgeStartError(Exception):
    """The bridge did not start; the message is what it said."""


class Host(Protocol):
    """A bridge somewhere."""

    @property
    def settings(self) -> Settings:
        """Give its settings."""
        ...

    @property
    def address(self) -> str:
        """Give the URL at which it really listens, while it does."""
        ...

    async def start(self) -> None:
        """Start it, and wait until it serves. Raises OSError, BridgeStartError."""

    async def stop(self) -> None:
        """Stop it in good order; nothing when it does not run."""

    async def uuid_of(self, callid: int) -> str:
        """Give the CallUUID of a call as the bridge knows it, "" when it does not say."""
        ...


class InProcess:
    """A bridge in this process and event loop."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.bridge = Bridge(settings, clock)

    @property
    def address(self) -> str:
        """Give the URL at which it listens."""
        return f"http://127.0.0.1:{self.bridge.port}"

    async def start(self) -> None:
        """Start it."""
        await self.bridge.start()

    async def stop(self) -> None:
        """Stop it."""
        await self.bridge.stop()

    async def uuid_of(self, callid: int) -> str:
        """Look into its store, unless it was stopped meanwhile."""
        try:
            stored = await self.bridge.store.load_call(callid)
        except StoreUnavailable:
            return ""
        return load(stored.blob, stored.version).uuid if stored is not None else ""


class OwnProcess:
    """`rt-bridge serve` as a process; `kill` and `start` again is a crash and a restart.

    `given` are settings as they stand in a TOML file.
    """

    def __init__(self, given: Mapping[str, Any], clock: VirtualClock) -> None:
        self.settings = Settings.model_validate(given)
        self._given = {
            # Its name in a file.
            ("plivo_auth_token" if name == "plivo_auth_tokens" else name): value
            for name, value in given.items()
        }
        self._clocks = ClockServer(clock)
        self._serving = False
        self._folder = tempfile.TemporaryDirectory(prefix="rt-bridge-rig-")
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listen = ""
        self._said: list[bytes] = []

    @property
    def address(self) -> str:
        """Give the URL at which it listens; it changes with every start."""
        return f"http://{self._listen}"

    async def start(self) -> None:
        """Start the process and wait until it serves. Raises BridgeStartError."""
        if not self._serving:
            await self._clocks.__aenter__()
            self._serving = True
        config = Path(self._folder.name) / "bridge.toml"
        config.write_text(
            toml({"drain_s": 0, **self._given, "log_format": "json"}), encoding="utf-8"
        )
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bridge", "serve"),
            env={
                **environment,
                "BRIDGE_CONFIG": str(config),
                "BRIDGE_TEST_CLOCK": self._clocks.address,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._said = []
        try:
            async with asyncio.timeout(START_S):
                ready = await self._ready()
        except TimeoutError:
            ready = None
        if ready is None:
            await self.kill()
            said = b"".join(self._said)[-_SHOWN:].decode("utf-8", "replace")
            raise BridgeStartError(f"The bridge did not start. It said:\n{said}")
        self._listen = ready["listen"]
        # Not spawned: reading what it says is no part of the simulation.
        loop = asyncio.get_running_loop()
        self._reading = loop.create_task(self._read_on(), name="bridge: its log")

    async def kill(self) -> None:
        """Kill it as a crash would."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._gone()

    async def stop(self) -> None:
        """Stop it in good order, and the server of its time."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
            await self._gone()
        if self._serving:
            await self._clocks.__aexit__(None, None, None)
            self._serving = False
        self._folder.cleanup()

    async def uuid_of(self, callid: int) -> str:
        """Say nothing: its store belongs to the process."""
        del callid
        return ""

    async def _gone(self) -> None:
        if self._process is not None:
            await self._process.wait()
            self._process = None
        if self._reading is not None:
            await self._reading
            self._reading = None
        # Time is not waited for in a process that is gone.
        await self._clocks.connected(0)

    async def _ready(self) -> dict[str, Any] | None:
        while line := await self._line():
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == "bridge.ready":
                    return event
        return None

    async def _read_on(self) -> None:
        while await self._line():
            del self._said[:-100]

    async def _line(self) -> bytes:
        stream = None if self._process is None else self._process.stdout
        line = b"" if stream is None else await stream.readline()
        self._said.append(line)
        return line


def toml(values: Mapping[str, Any], path: str = "") -> str:
    """Write settings as TOML: texts, numbers, booleans, lists and tables of them."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{_text(key)} = {_value(value)}" for key, value in plain.items() if value is not None]
    for key, value in values.items():
        if isinstance(value, Mapping):
            name = f"{path}{_text(key)}"
            lines += ["", f"[{name}]", toml(value, f"{name}.")]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return _text(str(value))


def _text(text: str) -> str:
    # A JSON text is a TOML text, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


__all__ = ["BridgeStartError", "Host", "InProcess", "OwnProcess", "toml"]
