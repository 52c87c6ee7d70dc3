"""The command line in processes of its own, and one example of every RT command."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic_core import from_json

from bridge.assets import wav

ROOT: Final = Path(__file__).resolve().parents[1]
#: Longest any process may take for what should happen at once, in s.
PATIENCE_S: Final = 30.0

TEXT: Final = "TTS|TTS_EN-GB_SERENA|Hello"
WAV: Final = base64.b64encode(wav(array("h", [0, 900, -900, 0]))).decode()

#: Params with which each command comes to what is special about it.
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "conference": {
        "id": "sales",
        "welcome": TEXT,
        "user_join": TEXT,
        "user_leave": TEXT,
        "waiting": TEXT,
    },
    "dialout": {"targets": [{"number": "+33123456789"}], "ringtone": "MUSIC", "whisper": TEXT},
    "hangup": {},
    "hangup_callid": {"callid": 7},
    "play": {"media_id": TEXT},
    "play_record": {"media_file": "m0123456789abcdef0123456789abcd"},
    "play_talk_detect": {"media_id": TEXT},
    "play_wav_data": {"audio_data": WAV},
    "read": {"media_id": TEXT, "max_digits": 2},
    "record": {"max_duration": 20},
    "send_dtmf": {"digits": "12#"},
    "simple_conference": {"id": "sales"},
    "start_call_recording": {"announce": TEXT, "transcription": True},
    "stop_call_recording": {},
    "wait": {"wait": 3},
    "wait_for_silence": {"iterations": 2},
}

#: Enough to serve: free ports on loopback and nothing outside.
SERVE: Final = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:9/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "hunter2",
    "BRIDGE_PLIVO_REST": "false",
    "BRIDGE_LISTEN": "127.0.0.1:0",
    "BRIDGE_ADMIN_LISTEN": "127.0.0.1:0",
    "BRIDGE_STORE": "memory:",
    "BRIDGE_LOG_FORMAT": "json",
}


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a process that sees no settings but these."""
    return {"PATH": os.environ["PATH"], **values}


def cli(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=ROOT,
        env=environment(env or {}),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )


class Serving:
    """A bridge that serves in a process of its own, and what it logged so far."""

    def __init__(self, *program: str, **settings: str) -> None:
        """Take what to run instead of `python -m bridge serve`, and settings beside `SERVE`."""
        self._program = program or ("-m", "bridge", "serve")
        self._settings = {**SERVE, **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Future[tuple[None]] | None = None
        self.lines: list[dict[str, Any]] = []
        self.stderr = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._program,
            cwd=ROOT,
            env=environment(self._settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running.returncode is None:
            self._running.kill()
            await self.ended()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise AssertionError("it was not started")
        return self._process

    @property
    def events(self) -> list[str]:
        """Name what was logged so far."""
        return [line["event"] for line in self.lines]

    async def ready(self) -> dict[str, Any]:
        """Read the log up to the line that says it serves."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._read():
                if self.lines[-1]["event"] == "bridge.ready":
                    return self.lines[-1]
        await self.ended()
        raise AssertionError(f"it ended before it was ready: {self.lines}\n{self.stderr}")

    async def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """Read the log up to a line with that event and these fields, unless it came before."""
        wanted = {"event": event, **fields}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for line in self.lines:
                    if wanted.items() <= line.items():
                        return line
                if not await self._read():
                    raise AssertionError(f"it ended without {wanted}: {self.lines}")

    def send(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        self._running.send_signal(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; gives the exit status."""
        self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Read the rest of what it says and give the exit status."""
        async with asyncio.timeout(PATIENCE_S):
            await (self._reading or self._read_to_the_end())
            if self._running.stderr is not None:
                self.stderr += (await self._running.stderr.read()).decode()
            return await self._running.wait()

    def read_on(self) -> None:
        """Read what it says until it ends, so that a full pipe does not hold it up."""
        self._reading = asyncio.gather(self._read_to_the_end())

    async def _read_to_the_end(self) -> None:
        while await self._read():
            pass

    async def _read(self) -> bool:
        if self._running.stdout is None:
            raise AssertionError("its output is not a pipe")
        line = await self._running.stdout.readline()
        if line:
            self.lines.append(from_json(line))
        return bool(line)
