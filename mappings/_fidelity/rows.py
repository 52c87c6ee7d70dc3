"""What a row of the fidelity matrix is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["exact", "emulated", "approximated", "refused"]
Kind = Literal["param", "result", "behaviour"]

#: From best to worst, with what each promises.
LEVELS: Final[dict[Level, str]] = {
    "exact": "App and caller meet what the Real-Time page describes.",
    "emulated": "The outcome is the one described, but the bridge builds it from other means, "
    "which may show in the detail named.",
    "approximated": "The purpose is served, but in the case named app or caller meet something "
    "else than described.",
    "refused": "Plivo has no counterpart: the value has no effect, or the command fails with the "
    "code named.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One documented parameter or result, or a behaviour that deserves a word.

    `name` is the vendor's own word, with `targets[].number` for a field of objects in a list.
    `how` and `difference` are one sentence each; only an exact row has no difference.
    `test` names a function in the command's own test file, or holds a whole pytest node id.
    """

    kind: Kind
    name: str
    level: Level
    how: str
    test: str
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The rows of one command, or of a format that several commands share."""

    command: str
    rows: tuple[Row, ...]

    def node_id(self, row: Row) -> str:
        """Name the test of a row as pytest does, relative to the root of the repository."""
        own = f"tests/mappings/test_{self.command}.py"
        return row.test if "::" in row.test else f"{own}::{row.test}"


__all__ = ["LEVELS", "Fidelity", "Kind", "Level", "Row"]
