"""The body of `rt-bridge redact`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bridge.testing.recording.format import RecordingError, read_recording, write_recording
from bridge.testing.recording.masks import Level
from bridge.testing.recording.redactor import Redactor, redact_recording

__all__ = ["redact_main"]

DONE: Final = 0
USAGE: Final = 2
#: Fewer bytes could be tried one after the other.
_SHORTEST_KEY: Final = 16


def redact_main(
    path: Path,
    *,
    level: Level = "all",
    kept: Sequence[str] = (),
    key_file: Path | None = None,
    target: Path | None = None,
) -> tuple[str, int]:
    """Give what to print and the exit status: 0 done, 2 wrong file or key."""
    written = target or path
    try:
        key = None if key_file is None else _key(key_file)
        recording = redact_recording(read_recording(path), Redactor(level, key=key, keep=kept))
        write_recording(written, recording)
    except RecordingError as error:
        return f"{error}\n", USAGE
    turns = len(recording.turns)
    masked = recording.header.redact
    return f"{written}: {turns} turn{'' if turns == 1 else 's'}, redacted: {masked}\n", DONE


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise RecordingError(path, f"cannot be read: {error.strerror}") from error
    if len(key) < _SHORTEST_KEY:
        raise RecordingError(path, f"is no key: it must hold at least {_SHORTEST_KEY} bytes")
    return key
