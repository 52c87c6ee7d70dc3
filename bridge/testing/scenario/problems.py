"""What is wrong with a scenario file or with the options given for it: place, step and fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bridge.errors import BridgeError

#: Names that are less alike than this are not suggested (0 = nothing in common, 1 = the same).
LIKENESS: Final = 0.6


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written.

    `line` and `column` count from 1; `origin` is the file, or an option such as `--set a.b=c` with
    line 0. `source` is the line itself.
    """

    origin: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: `what` is a sentence, `fix` says what to write instead."""

    place: Place
    what: str
    fix: str = ""
    step: str = ""

    def __str__(self) -> str:
        step = f"{self.step}: " if self.step else ""
        text = f"{self.place}: {step}{self.what}" + (f" {self.fix}" if self.fix else "")
        if not self.place.source.strip():
            return text
        line = f"{self.place.line:6} | "
        before = self.place.source[: self.place.column - 1]
        # One column a character, tabs too, so that the mark stands below what it marks.
        shown = "".join(c if c.isprintable() else " " for c in self.place.source)
        return f"{text}\n{line}{shown}\n{' ' * (len(line) - 2)}| {' ' * len(before)}^"


class ScenarioError(BridgeError):
    """A scenario or its options cannot be used; `problems` holds every fault that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def did_you_mean(word: str, known: Iterable[str], names: str = "") -> str:
    """Suggest the nearest of `known`, or list them all as `names`; "" when there is nothing."""
    words = sorted(known)
    folded = {_folded(candidate): candidate for candidate in reversed(words)}
    close = get_close_matches(_folded(word), folded, 1, LIKENESS)
    if close:
        return f"Did you mean `{folded[close[0]]}`?"
    return f"{names or 'There are'} {', '.join(f'`{w}`' for w in words)}." if words else ""


def _folded(word: str) -> str:
    """Make `hang_up`, `hang-up` and `Hang up` alike."""
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())


__all__ = ["Place", "Problem", "ScenarioError", "did_you_mean"]
