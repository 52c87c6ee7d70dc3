from __future__ import annotations

import csv
import io

import pytest

from bridge.operators.tables import csv_line, table


def test_columns_are_aligned() -> None:
    """Each column is as wide as its widest cell, and no line ends in blanks."""
    assert "A    LONG\nbcd  e\n" == table(("A", "LONG"), [("bcd", "e")])
    assert "A\n" == table(("A",), [])


def test_control_characters_reach_no_terminal() -> None:
    """A cell cannot move the cursor, change a title or begin a line."""
    assert "A\n?[2J?x?\n" == table(("A",), [("\x1b[2J\nx\x07",)])


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "@SUM(A1)",
        "+33*1",
        "-2+3",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "\uff1d1",
        "+336*****78",
        '=HYPERLINK("http://x")',
    ],
)
def test_formulas_become_text(cell: str) -> None:
    """What a spreadsheet would compute is marked as text, and is otherwise as it was."""
    ((found,),) = csv.reader(io.StringIO(csv_line([cell]), newline=""))
    assert f"'{cell}" == found


@pytest.mark.parametrize("cell", ["", "+33612345678", "-1.5", "play:ok", "a=b", 'a "b", c', "x\ny"])
def test_harmless_cells_are_not_touched(cell: str) -> None:
    """Numbers in E.164, quotes, commas and line ends come back as they were."""
    ((found, last),) = csv.reader(io.StringIO(csv_line([cell, "."]), newline=""))
    assert (cell, ".") == (found, last)
