"""Recordings of calls: what an app was asked and answered, and what the caller heard and did.

A recording is a JSON Lines file, redacted before anything is written: a header, then one RT turn a
line. It is read by `verify`, which plays it against an app, and by `codegen`, which makes a test
of it.
"""

from bridge.testing.recording.format import (
    FORMAT,
    VERSION,
    Header,
    RecordedTurn,
    Recording,
    RecordingError,
    read_recording,
    write_recording,
)
from bridge.testing.recording.masks import LEVELS, Level
from bridge.testing.recording.recorder import MODES, Mode, Recorder
from bridge.testing.recording.redactor import Redactor, redact_recording

__all__ = [
    "FORMAT",
    "LEVELS",
    "MODES",
    "VERSION",
    "Header",
    "Level",
    "Mode",
    "RecordedTurn",
    "Recorder",
    "Recording",
    "RecordingError",
    "Redactor",
    "read_recording",
    "redact_recording",
    "write_recording",
]
