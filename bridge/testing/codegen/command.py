"""The body of `rt-bridge codegen`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from bridge.testing.codegen.python_code import python_code
from bridge.testing.codegen.scenario_file import scenario_file
from bridge.testing.codegen.story import Story, StoryError, tell
from bridge.testing.recording.format import Recording, RecordingError, read_recording

__all__ = ["Target", "codegen_main"]

DONE: Final = 0
USAGE: Final = 2
Target = Literal["scenario", "pytest"]
_WRITERS: Final[dict[Target, Callable[[Story, str, str], str]]] = {
    "scenario": scenario_file,
    "pytest": python_code,
}


def codegen_main(
    path: Path, to: Target, *, call: int | None = None, target: Path | None = None
) -> tuple[str, int]:
    """Give what to print and the exit status: 0 done, 2 wrong recording, call or file."""
    try:
        recording = read_recording(path)
        chosen = _chosen(path, recording, call)
        story = tell(recording.calls()[chosen], recording.header)
    except RecordingError as error:
        return f"{error}\n", USAGE
    except StoryError as error:
        return f"{path}: call {chosen} cannot become a test: {error}.\n", USAGE
    text = _WRITERS[to](story, f"call {chosen} of {path.stem}", recording.header.redact)
    if target is None:
        return text, DONE
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"{target}: cannot be written: {error.strerror}\n", USAGE
    return f"{target}: written\n", DONE


def _chosen(path: Path, recording: Recording, call: int | None) -> int:
    calls = recording.calls()
    if not calls:
        raise RecordingError(path, "holds no turn; record a call first")
    known = ", ".join(map(str, calls))
    if call is None and len(calls) > 1:
        raise RecordingError(path, f"holds the calls {known}; choose one with --call")
    chosen = call if call is not None else next(iter(calls))
    if chosen not in calls:
        raise RecordingError(path, f"holds no call {chosen}; there is {known}")
    return chosen
