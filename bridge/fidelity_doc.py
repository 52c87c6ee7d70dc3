"""Write docs/fidelity.md from the fidelity matrix: `python -m bridge.fidelity_doc`.

With `--check` nothing is written; exit status 1 says that the page is out of date.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mappings._fidelity import LEVELS, MATRIX, Fidelity, Row

__all__ = ["main", "page"]

_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "fidelity.md"

_INTRODUCTION: Final = """\
# Fidelity

<!-- Written by `python -m bridge.fidelity_doc` from mappings/_fidelity/; edit it there. -->

What of each Real-Time command an app meets on Plivo as it did before, and what differs.
There is a row for every parameter and every result of the Real-Time page, and for every other behaviour that deserves a word.
The last column names the test that proves the row, as pytest takes it.

| level | promise |
|---|---|
"""

_OVERVIEW: Final = """\
## Overview

Rows per level; behaviours are counted too.

"""


def page() -> str:
    """Return the whole page."""
    promises = "".join(f"| **{level}** | {promise} |\n" for level, promise in LEVELS.items())
    sections = (_section(fidelity) for fidelity in MATRIX)
    return "\n".join([_INTRODUCTION + promises, _OVERVIEW + _overview(), *sections])


def _overview() -> str:
    lines = ["| command | " + " | ".join(LEVELS) + " |", "|---" * (1 + len(LEVELS)) + "|"]
    total: Counter[str] = Counter()
    for fidelity in MATRIX:
        counts = Counter[str](row.level for row in fidelity.rows)
        total += counts
        lines.append(_counted(f"[{fidelity.command}](#{fidelity.command})", counts))
    lines.append(_counted("all", total))
    return "\n".join(lines) + "\n"


def _counted(name: str, counts: Counter[str]) -> str:
    return f"| {name} | " + " | ".join(str(counts[level] or "-") for level in LEVELS) + " |"


def _section(fidelity: Fidelity) -> str:
    lines = [
        f"## {fidelity.command}",
        "",
        "| what | level | how | difference | test |",
        "|---|---|---|---|---|",
        *_rows(fidelity),
    ]
    return "\n".join(lines) + "\n"


def _rows(fidelity: Fidelity) -> Iterator[str]:
    for row in fidelity.rows:
        cells = (
            _name(row),
            row.level if row.level == "exact" else f"**{row.level}**",
            row.how,
            row.difference or "-",
            f"`{fidelity.node_id(row)}`",
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _name(row: Row) -> str:
    if row.kind == "behaviour":
        return row.name
    return f"result `{row.name}`" if row.kind == "result" else f"`{row.name}`"


def main(arguments: Sequence[str], target: Path = _PAGE) -> int:
    """Write the page to `target`, or compare with `--check`; return the exit status."""
    text = page()
    if "--check" in arguments:
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{target} is out of date; run python -m bridge.fidelity_doc\n")
        return 1
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":  # pragma: no cover -- its test runs it in a process of its own
    sys.exit(main(sys.argv[1:]))
