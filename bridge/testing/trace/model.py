"""What a trace is made of, and its JSON.

The JSON is one object, in this order. A reader may rely on it as long as `version` is the same;
keys may be added without a new version.

| key | what |
|---|---|
| format, version | `plivo-rt-bridge/trace`, 1 |
| title | name of the test or scenario |
| outcome | `passed` or `failed` |
| seed | what all random choices came from, or null |
| command | command line that reproduces it, or "" |
| started, ended | real time, ISO 8601 with offset, or null |
| versions | name of a component to its version |
| failure | what the test said when it failed, or "" |
| marker | index into `entries` of the entry at which it failed, or null |
| counts | calls, entries, turns, requests, rest, passed, failed, errors, warnings, virtual_seconds |
| violations | code, sentence, turn (number of a turn, or null), severity (`error`, `warning`) |
| turns | the RT turns as heard at the app; bytes as text |
| entries | the timeline: at (virtual s), kind, text, detail, ms (real), call, leg, data |

Objects that crossed a wire keep the order of their keys. Numbers dialled and keys pressed are not
hidden, because a simulated call has no secrets and a trace without them explains nothing; logins
and passwords inside URLs are, because apps under test can be given with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from typing import Any, Final, Literal

from bridge.simulator.timeline import Entry

FORMAT: Final = "plivo-rt-bridge/trace"
VERSION: Final = 1

_USERINFO: Final = re.compile(r"(?<=://)[^/\s@?#'\"<>]+@")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One simulation that ended.

    `turns` and `violations` are mappings or dataclasses with the fields named in this module's
    table. `marker` is an index into `entries`; one past the end means the last entry.
    """

    title: str
    entries: Sequence[Entry]
    seed: int | None = None
    command: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    turns: Sequence[Any] = ()
    violations: Sequence[Any] = ()
    failure: str = ""
    marker: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Literal["passed", "failed"]:
        """Say whether the test failed; violations that it expected are no failure."""
        return "failed" if self.failure or self.marker is not None else "passed"

    @property
    def marked(self) -> int | None:
        """Give the index of the entry at which it failed, or None."""
        if self.marker is None or not self.entries:
            return None
        return min(max(self.marker, 0), len(self.entries) - 1)

    def counts(self) -> dict[str, float]:
        """Count what the head of a report says."""
        kinds = [entry.kind for entry in self.entries]
        expected = [bool(entry.data.get("ok")) for entry in self.entries if entry.kind == "expects"]
        severities = [_fields(violation).get("severity") for violation in self.violations]
        return {
            "calls": len({entry.call for entry in self.entries if entry.call > 0}),
            "entries": len(kinds),
            "turns": len(self.turns) or kinds.count("app"),
            "requests": kinds.count("asks") + kinds.count("tells"),
            "rest": kinds.count("rest"),
            "passed": expected.count(True),
            "failed": expected.count(False),
            "errors": sum(severity != "warning" for severity in severities),
            "warnings": severities.count("warning"),
            "virtual_seconds": max((entry.at for entry in self.entries), default=0.0),
        }


def as_document(trace: Trace) -> dict[str, Any]:
    """Give the trace as JSON values, in the order that this module's table has."""
    document: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "version": VERSION,
            "title": trace.title,
            "outcome": trace.outcome,
            "seed": trace.seed,
            "command": trace.command,
            "started": trace.started and trace.started.isoformat(),
            "ended": trace.ended and trace.ended.isoformat(),
            "versions": dict(sorted(trace.versions.items())),
            "failure": trace.failure,
            "marker": trace.marked,
            "counts": trace.counts(),
            "violations": [_violation(_fields(violation)) for violation in trace.violations],
            "turns": [_fields(turn) for turn in trace.turns],
            "entries": [entry.as_json() for entry in trace.entries],
        }
    )
    return document


def to_json(trace: Trace) -> bytes:
    """Write the trace as UTF-8 JSON: indented, one line per value, the same bytes each time."""
    text = json.dumps(as_document(trace), ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode() + b"\n"


def plain(value: Any) -> Any:
    """Make a value safe for JSON, UTF-8 and publication.

    Bytes become text; infinite numbers become null, which JSON lacks; lone surrogates, which UTF-8
    lacks, become U+FFFD; a login inside a URL becomes `[hidden]`; anything else becomes its text.
    """
    match value:
        case str():
            return _USERINFO.sub("[hidden]@", _LONE_SURROGATE.sub("\ufffd", value))
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case bytes() | bytearray():
            return plain(bytes(value).decode("utf-8", "replace"))
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=str)
        case _:
            return plain(str(value))


def _fields(value: Any) -> dict[str, Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value)


def _violation(fields: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        "code": fields.get("code", ""),
        "sentence": fields.get("sentence", ""),
        "turn": fields.get("turn"),
        "severity": fields.get("severity", "error"),
    }
    return known | {key: value for key, value in fields.items() if key not in known}


__all__ = ["FORMAT", "VERSION", "Trace", "as_document", "plain", "to_json"]
