"""Rows for a terminal and for spreadsheets, safe whatever callers and apps put into them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

#: Begins a formula in the usual spreadsheets, whether or not there are quotes around the cell.
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
#: Looks like one and is nothing but a number, such as one in E.164.
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns; control characters, which could command a terminal, are shown as `?`."""
    lines = [header, *([_printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def csv_line(cells: Sequence[str]) -> str:
    """Write one line of CSV (RFC 4180); a cell that a spreadsheet would compute begins with `'`."""
    target = io.StringIO()
    csv.writer(target).writerow([_harmless(cell) for cell in cells])
    return target.getvalue()


def _harmless(cell: str) -> str:
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _printable(cell: str) -> str:
    return cell if cell.isprintable() else "".join(c if c.isprintable() else "?" for c in cell)


__all__ = ["csv_line", "table"]
