"""The body of `rt-bridge verify`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from bridge.rt_client import AiohttpTransport, RtApp
from bridge.settings_model import AppSettings
from bridge.testing.recording.format import Recording, RecordingError, read_recording
from bridge.testing.verify.paths import JsonPath, PathError
from bridge.testing.verify.player import Player, Verification
from bridge.testing.verify.report import as_json, as_junit, as_text

__all__ = ["verify_main"]

Format = Literal["text", "json", "junit"]
SAME: Final = 0
DIFFERENT: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

_REPORTS: Final = {"text": as_text, "json": as_json, "junit": as_junit}
#: Members of a request that are the same in all turns of a call.
_SETTABLE: Final = ("app", "request_hash", "cli_name", "cli_number", "number", "cdr_field")
_LARGEST_PART: Final = 1_000_000_000


def verify_main(
    path: Path,
    url: str,
    *,
    login: str | None = None,
    password: str | None = None,
    output: Format = "text",
    ignored: Sequence[str] = (),
    fields: Sequence[str] = (),
    calls: Sequence[int] = (),
    keep_going: bool = False,
    budget_s: float = 5.0,
) -> tuple[str, int]:
    """Give what to print and the exit status: 0 same, 1 different, 2 wrong usage, 3 unreachable."""
    try:
        paths = [JsonPath.parse(text) for text in ignored]
        changed = dict(_field(text) for text in fields)
        recording = _chosen(path, read_recording(path), calls)
        app = _app(url, login, password)
    except (PathError, RecordingError, _UsageError) as error:
        return f"{error}\n", USAGE

    async def play() -> Verification:
        async with AiohttpTransport.open() as transport:
            player = Player(
                transport,
                app,
                first_callid=_fresh_callid(),
                ignored=paths,
                fields=changed,
                keep_going=keep_going,
                budget_s=budget_s,
            )
            return await player.play(recording)

    result = asyncio.run(play())
    report = _REPORTS[output](path.name, result)
    if result.unreachable:
        return report, UNREACHABLE
    return report, SAME if result.same else DIFFERENT


class _UsageError(Exception):
    """An argument is wrong; the message is a sentence."""


def _chosen(path: Path, recording: Recording, calls: Sequence[int]) -> Recording:
    recorded = recording.calls()
    if not recorded:
        raise RecordingError(path, "holds no turn; record a call first")
    for call in calls:
        if call not in recorded:
            known = ", ".join(map(str, recorded))
            raise _UsageError(f"There is no call {call} in {path}; there is {known}.")
    turns = tuple(turn for turn in recording.turns if not calls or turn.call in calls)
    return Recording(recording.header, turns)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in _SETTABLE:
        raise _UsageError(
            f"--set {text}: expected FIELD=VALUE, where FIELD is one of {', '.join(_SETTABLE)}."
        )
    return name, value


def _app(url: str, login: str | None, password: str | None) -> RtApp:
    try:
        settings = AppSettings.model_validate({"url": url, "login": login, "password": password})
    except ValidationError as error:
        raise _UsageError("\n".join(_faults(error))) from None
    return RtApp.from_settings("verify", settings)


def _faults(error: ValidationError) -> list[str]:
    faults = []
    for fault in error.errors(include_url=False, include_input=False):
        option = {"url": "--app"}.get(name := str((*fault["loc"], "")[0]), f"--{name}")
        what = fault["msg"].removeprefix("Value error, ")
        faults.append(f"{option if name else 'The app'} {what}.")
    return faults


def _fresh_callid() -> int:
    """Give a callid no run before this one had, within 31 bits for the .NET SDK."""
    return _LARGEST_PART + int(time.time()) % _LARGEST_PART
