"""What a failed expectation says: what was wanted, what came nearest, the timeline, how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher, ndiff
from typing import TYPE_CHECKING, Final

from bridge.simulator.timeline import Entry

if TYPE_CHECKING:
    from bridge.testing.rig import Rig

#: Lines of the timeline before the failure that are shown.
LINES: Final = 30
_WIDTH: Final = 160
#: Less alike than this and a candidate is no help.
_ALIKE: Final = 0.3


class ExpectationError(AssertionError):
    """Something expected did not happen, or something unexpected did; `index` is its timeline entry."""

    def __init__(self, text: str, index: int) -> None:
        super().__init__(text)
        self.index = index


def explain(rig: Rig, sentence: str, nearest: str, call: int) -> str:
    """Write the whole text of a failure; `call` is the number of the call it is about."""
    parts = [sentence]
    if nearest:
        parts.append(nearest)
    others = len(rig.plivo.lines) > 1
    lines = [_line(entry, others=others) for entry in rig.timeline.entries[-LINES:]]
    left_out = len(rig.timeline.entries) - len(lines)
    head = f"Timeline up to here (call {call}, seed {rig.seed}, profile {rig.plivo.profile.name}):"
    parts.append(
        "\n".join([head, *([f"   … {left_out} entries before"] if left_out else []), *lines])
    )
    if rig.reproduce:
        parts.append(f"The same again:\n    {rig.reproduce}")
    return "\n\n".join(parts)


def _line(entry: Entry, *, others: bool) -> str:
    failed = entry.kind == "expects" and not entry.data.get("ok")
    marker = "▶" if failed or entry.kind == "problem" else " "
    who = f"{entry.call}.{entry.leg} " if others or entry.leg else ""
    text = f" {marker} {entry.at:8.1f} s  {who}{entry.kind:8}{entry.text}"
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def closest(wanted: str, candidates: Sequence[tuple[Entry, str]]) -> str:
    """Show the candidate that is most like what was wanted, as a diff; "" when none is alike."""
    best: tuple[float, Entry, str] | None = None
    for entry, text in candidates:
        ratio = SequenceMatcher(None, wanted, text).ratio()
        if best is None or ratio > best[0]:
            best = (ratio, entry, text)
    if best is None:
        return ""
    ratio, entry, text = best
    if ratio < _ALIKE:
        return f"Nearest, at {entry.at:.1f} s: {text}"
    lines = [line.rstrip("\n") for line in ndiff(wanted.splitlines(), text.splitlines())]
    return "\n".join(
        [f"Nearest, at {entry.at:.1f} s (- expected, + there):", *(f"    {line}" for line in lines)]
    )


__all__ = ["LINES", "ExpectationError", "closest", "explain"]
