"""Recording while calls go on: fed by the turns of the apps and the timeline of the simulation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self, get_args

from bridge.testing.recording.format import (
    Header,
    RecordedTurn,
    Recording,
    RecordingError,
    write_recording,
)
from bridge.testing.recording.masks import LEVELS, Level
from bridge.testing.recording.redactor import Redactor
from mappings._rt.reader import ReplyError, read_response

if TYPE_CHECKING:
    from bridge.simulator.timeline import Entry

__all__ = ["MODES", "AppTurn", "Mode", "Recorder"]

Mode = Literal["off", "once", "overwrite"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

#: What of an entry goes into a recording: what a person on the phone could tell, nothing else.
_TOLD: Final[dict[str, tuple[str, ...]]] = {
    "hears": ("element", "text", "url", "tones", "voice", "language"),
    "does": ("action", "keys", "text", "seconds"),
    "dials": ("number", "caller_id"),
    "leg": ("state",),
    "room": ("room", "action", "member", "members"),
    "records": ("recording_id", "seconds", "url"),
    "ends": ("cause", "code", "name", "source"),
}
#: What people do; how an element took it is the simulation's matter.
_DONE: Final = frozenset({"answer", "hang_up", "noise", "press", "say", "speak"})
_LONGEST_BODY: Final = 10_000
_DEEPEST: Final = 100
_TOO_DEEP: Final = "[nested too deeply]"


class AppTurn(Protocol):
    """One RT turn as the tap between bridge and app heard it.

    `at` is s of the simulation, `call` the callid, `status` None without a reply, `failure` a
    sentence or "", `ms` the time the app took.
    """

    @property
    def at(self) -> float: ...  # noqa: D102 -- described above
    @property
    def call(self) -> int: ...  # noqa: D102
    @property
    def request(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def status(self) -> int | None: ...  # noqa: D102
    @property
    def body(self) -> bytes: ...  # noqa: D102
    @property
    def failure(self) -> str: ...  # noqa: D102
    @property
    def ms(self) -> float: ...  # noqa: D102


class Recorder:
    """Collects turns and entries, and writes them, redacted, when it is closed.

    `off` records nothing, `once` only if there is no such file yet, `overwrite` in the place of
    the old file. Nothing is ever appended, and a `with` block that raises leaves the old file.
    Raises RecordingError for other modes and levels. `redact`, `key` and `keep` are those of
    Redactor.
    """

    def __init__(
        self,
        path: Path,
        mode: Mode = "overwrite",
        *,
        redact: Level = "all",
        key: bytes | None = None,
        keep: Iterable[str] = (),
    ) -> None:
        if mode not in MODES:
            raise RecordingError(path, f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        if redact not in LEVELS:
            raise RecordingError(path, f"redact must be one of {', '.join(LEVELS)}, not {redact!r}")
        self.path = path
        self.recording = mode == "overwrite" or (mode == "once" and not path.exists())
        self._redactor = Redactor(redact, key=key, keep=keep)
        self._turns: list[RecordedTurn] = []
        self._numbers: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._told: dict[int, list[dict[str, Any]]] = {}

    def entry(self, entry: Entry) -> None:
        """Note what happened on the phone, and every turn; a listener for a Timeline."""
        data = entry.data
        if not self.recording or entry.kind not in _TOLD:
            if entry.kind == "app":
                self.turn(_Told(entry), simulated_call=entry.call)
            return
        if entry.kind == "does" and data.get("action") not in _DONE:
            return
        told: dict[str, Any] = {"at": round(entry.at, 3), "kind": entry.kind, "leg": entry.leg}
        told |= {name: data[name] for name in _TOLD[entry.kind] if data.get(name) not in (None, "")}
        # A party that is dialled is entered for the call; the number of the leg is data.
        told["leg"] = data.get("leg", entry.leg)
        self._told.setdefault(entry.call, []).append(told)

    def turn(self, turn: AppTurn, *, simulated_call: int | None = None) -> None:
        """Note a turn that no timeline tells of.

        `simulated_call` is the number of its call in the simulation, where that is not the callid.
        """
        if not self.recording:
            return
        call = turn.call if simulated_call is None else simulated_call
        number = self._numbers.setdefault(call, len(self._numbers) + 1)
        last = self._last.get(call)
        reply = _reply(turn.body) if turn.status == 200 else None  # noqa: PLR2004 -- HTTP's OK
        body = turn.body.decode("utf-8", "replace")[:_LONGEST_BODY]
        self._last[call] = len(self._turns)
        self._turns.append(
            RecordedTurn(
                call=number,
                number=1 if last is None else self._turns[last].number + 1,
                at=round(turn.at, 3),
                request={name: _cut(value) for name, value in turn.request.items()},
                status=turn.status,
                reply=reply,
                body=body if reply is None and turn.status is not None else None,
                failure=turn.failure,
                ms=round(turn.ms, 1),
                caller=tuple(self._told.pop(call, ())),
            )
        )

    def result(self) -> Recording:
        """Give what was recorded so far, redacted."""
        turns = list(self._turns)
        for call, entries in self._told.items():
            if call in self._last:
                last = self._last[call]
                turns[last] = turns[last].model_copy(update={"after": tuple(entries)})
        return Recording(
            Header(redact=self._redactor.level, kept=self._redactor.kept),
            tuple(self._redactor.turns(turns)),
        )

    def close(self) -> None:
        """Write the file and stop. Raises RecordingError when it cannot be written."""
        if self.recording:
            write_recording(self.path, self.result())
        self.recording = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        self.recording = False


class _Told:
    """The turn that an entry of a timeline tells of."""

    def __init__(self, entry: Entry) -> None:
        self.at = entry.at
        self.call = entry.call
        self.request: Mapping[str, Any] = entry.data["request"]
        self.status: int | None = entry.data["status"]
        self.body = str(entry.data["body"]).encode("utf-8", "replace")
        self.failure: str = entry.data["failure"]
        self.ms = entry.ms or 0.0


def _reply(body: bytes) -> dict[str, Any] | None:
    """Give an RT.Response as the app wrote it, or None."""
    try:
        read_response(body)
        value = json.loads(body.decode("utf-8-sig").strip("\ufeff \t\r\n\v\f"))
        json.dumps(value, allow_nan=False)
    except (ReplyError, ValueError):
        # Valid for the reader only: numbers beyond what a JSON file can carry.
        return None
    return value if isinstance(value, dict) and value == _cut(value) else None


def _cut(value: Any, depth: int = _DEEPEST) -> Any:
    """Replace what is nested so deeply that the tools of a recording could not follow it."""
    match value:
        case dict() | list() if not depth:
            return _TOO_DEEP
        case dict():
            return {name: _cut(item, depth - 1) for name, item in value.items()}
        case list():
            return [_cut(item, depth - 1) for item in value]
        case _:
            return value
