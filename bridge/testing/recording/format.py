"""The file of a recording: JSON Lines, a header and then one RT turn a line.

Keys stand in one order, so that two recordings of the same calls differ where the calls do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridge.errors import BridgeError
from bridge.testing.recording.masks import Level
from mappings._rt.reader import ReplyError, read_response
from mappings._rt.request import FIELDS

__all__ = [
    "FINAL_STATUSES",
    "FORMAT",
    "UPCASTERS",
    "VERSION",
    "Header",
    "RecordedTurn",
    "Recording",
    "RecordingError",
    "dump_line",
    "read_recording",
    "write_recording",
]

FORMAT: Final = "plivo-rt-bridge-recording"
VERSION: Final = 1
#: From each older version to the next: what turns a line of a turn into one of the version after.
UPCASTERS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
#: `call_status` of requests whose reply is ignored (RT page, "RT.Request"; RT SDKs).
FINAL_STATUSES: Final = frozenset({"HANGUP", "NOANSWER", "BUSY", "CONGESTION", "REJECTED"})

_REPLY_ORDER: Final = ("command", "command_id", "params", "variables")
# Some tools take these two for line ends.
_LINE_ENDS: Final = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


class RecordingError(BridgeError):
    """A recording cannot be read or written; the message names file and line and says why."""

    def __init__(self, path: Path | str, what: str, line: int = 0) -> None:
        super().__init__(f"{path}, line {line}: {what}" if line else f"{path}: {what}")


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Header(_Line):
    """The first line: what the file is, how it was redacted, and which bridge wrote it.

    `kept` lists the numbers that are real although others are masked.
    """

    format: str = FORMAT
    version: int = VERSION
    redact: Level
    bridge: str = Field(default_factory=lambda: installed_version("plivo-rt-bridge"))
    kept: tuple[str, ...] = Field((), strict=False)


class RecordedTurn(_Line):
    """One RT turn.

    `call` counts the calls of the recording and `number` the turns of a call, both from 1. `at` is
    s since the recording began, `ms` the time the app took. `reply` is what the app answered; what
    is no RT.Response is `body`, and `failure` says in a sentence why there was no reply.
    `caller` tells what happened on the phone since the turn before, `after` what came after the
    last one: kind and leg as in a timeline, and what they are about.
    """

    call: int = Field(ge=1)
    number: int = Field(ge=1)
    at: float = Field(ge=0)
    request: dict[str, Any]
    status: int | None = None
    reply: dict[str, Any] | None = None
    body: str | None = None
    failure: str = ""
    ms: float = 0.0
    caller: tuple[dict[str, Any], ...] = Field((), strict=False)
    after: tuple[dict[str, Any], ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _complete(self) -> RecordedTurn:
        lacking = [field for field in FIELDS if field not in self.request]
        if lacking:
            raise ValueError(f"request lacks {', '.join(lacking)}")
        if self.reply is not None:
            try:
                read_response(json.dumps(self.reply).encode())
            except ReplyError as error:
                raise ValueError(f"reply is no RT.Response: {error.sentence}") from None
        if any("kind" not in entry for entry in (*self.caller, *self.after)):
            raise ValueError("an entry of caller or after has no kind")
        return self

    @property
    def is_final(self) -> bool:
        """Tell whether the call was over, so that the reply meant nothing."""
        return self.request["call_status"] in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class Recording:
    """A header and its turns, in the order in which they were asked."""

    header: Header
    turns: tuple[RecordedTurn, ...]

    def calls(self) -> dict[int, tuple[RecordedTurn, ...]]:
        """Give the turns of each call."""
        calls: dict[int, list[RecordedTurn]] = {}
        for turn in self.turns:
            calls.setdefault(turn.call, []).append(turn)
        return {call: tuple(turns) for call, turns in calls.items()}


def dump_line(line: Header | RecordedTurn) -> bytes:
    """Write one line, without what has its default."""
    if isinstance(line, Header):
        members = line.model_dump(exclude={"kept"} if not line.kept else None)
    else:
        members = line.model_dump(exclude_defaults=True)
        if line.reply is not None:
            members["reply"] = _ordered(line.reply)
        members["request"] = line.request | {"variables": _sorted(line.request["variables"])}
    text = json.dumps(members, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which only JSON's escapes can carry
        return json.dumps(members, allow_nan=False).encode() + b"\n"


def write_recording(path: Path, recording: Recording) -> None:
    """Write a whole recording, in the place of what was there. Raises RecordingError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(dump_line(recording.header))
            file.writelines(map(dump_line, recording.turns))
        unfinished.replace(path)
    except OSError as error:
        raise RecordingError(path, f"cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_recording(path: Path) -> Recording:
    """Read a recording of this version or an older one. Raises RecordingError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(path, f"cannot be read: {error.strerror}") from error
    numbered = [
        (number, line)
        for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        if line.strip()
    ]
    if not numbered:
        raise RecordingError(path, "is empty; a recording begins with a header")
    (first, line), *rest = numbered
    header = _header(path, first, _members(path, first, line))
    turns = tuple(_turn(path, number, line, header.version) for number, line in rest)
    _check_order(path, turns, [number for number, _ in rest])
    return Recording(header.model_copy(update={"version": VERSION}), turns)


def _members(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RecordingError(path, f"is not UTF-8 at byte {error.start + 1}", number) from None
    except json.JSONDecodeError as error:
        what = f"{error.msg[:1].lower()}{error.msg[1:]}, column {error.colno}"
        raise RecordingError(path, f"is not valid JSON: {what}", number) from None
    except (ValueError, RecursionError) as error:
        raise RecordingError(path, f"is not valid JSON: {error}", number) from None
    if not isinstance(value, dict):
        raise RecordingError(path, "is not a JSON object", number)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not known to it")


def _header(path: Path, number: int, members: dict[str, Any]) -> Header:
    if members.get("format") != FORMAT:
        raise RecordingError(
            path, f'is no header of a recording; it begins {{"format": "{FORMAT}", …}}', number
        )
    version = members.get("version")
    if type(version) is not int or version < 1:
        raise RecordingError(path, f"version must be a number from 1, not {version!r}", number)
    if version > VERSION:
        raise RecordingError(
            path,
            f"this recording has format version {version} and was written by a newer rt-bridge; "
            f"this one reads up to version {VERSION}: upgrade plivo-rt-bridge",
            number,
        )
    try:
        return Header.model_validate(members)
    except ValidationError as error:
        raise RecordingError(path, _sentence(error), number) from None


def _turn(path: Path, number: int, line: bytes, version: int) -> RecordedTurn:
    members = _members(path, number, line)
    for older in range(version, VERSION):
        members = UPCASTERS[older](members)
    try:
        return RecordedTurn.model_validate(members)
    except ValidationError as error:
        raise RecordingError(path, _sentence(error), number) from None


def _sentence(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False):
        where = ".".join(map(str, fault["loc"]))
        what = fault["msg"].removeprefix("Value error, ")
        faults.append(f"{where}: {what[:1].lower()}{what[1:]}" if where else what)
    return "; ".join(faults)


def _check_order(path: Path, turns: Iterable[RecordedTurn], lines: list[int]) -> None:
    counts: dict[int, int] = {}
    for turn, line in zip(turns, lines, strict=True):
        expected = counts.get(turn.call, 0) + 1
        if turn.number != expected:
            raise RecordingError(
                path,
                f"turn {turn.number} of call {turn.call} stands where turn {expected} is expected; "
                "a call can be verified only as a whole",
                line,
            )
        counts[turn.call] = expected


def _ordered(reply: dict[str, Any]) -> dict[str, Any]:
    names: list[str] = [name for name in _REPLY_ORDER if name in reply]
    names += sorted(reply.keys() - set(names))
    return {name: _sorted(reply[name]) for name in names}


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {name: _sorted(value[name]) for name in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
        case _:
            return value
