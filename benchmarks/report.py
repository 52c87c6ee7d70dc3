"""What a benchmark hands over: rows with the project's aims beside them, and the raw samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Report", "Row", "judge"]

Verdict = Literal["", "met", "missed"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure as text and as number, the aim, and whether it is met."""

    figure: str
    text: str
    value: float
    aim: str = ""
    verdict: Verdict = ""


@dataclass(slots=True)
class Report:
    """The rows of one part under its heading; `notes` explain, `samples` are raw, by name."""

    heading: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: dict[str, Any] = field(default_factory=dict)

    def add(self, figure: str, text: str, value: float) -> None:
        """Add a figure without an aim."""
        self.rows.append(Row(figure, text, value))

    def table(self) -> str:
        """Write heading, rows in columns, and notes."""
        cells = [(row.figure, row.text, row.aim, row.verdict) for row in self.rows]
        cells.insert(0, ("", "measured", "aim", "") if any(r.aim for r in self.rows) else ("",) * 4)
        widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
        lines = [self.heading, "-" * len(self.heading)]
        for figure, text, aim, verdict in cells:
            line = f"{figure:{widths[0]}}  {text:>{widths[1]}}  {aim:{widths[2]}}  {verdict}"
            if line.strip():
                lines.append(line.rstrip())
        return "\n".join([*lines, *self.notes])


def judge(
    figure: str,
    text: str,
    value: float,
    *,
    least: float | None = None,
    most: float | None = None,
    aim: str = "",
) -> Row:
    """Make a row and tell whether `value` lies within the aim; `aim` is its wording."""
    met = (least is None or value >= least) and (most is None or value <= most)
    wording = aim or (f">= {least:g}" if least is not None else f"<= {most:g}")
    return Row(figure, text, value, wording, "met" if met else "missed")
