"""docs/cdr.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.cdr.commands_run import MORE, MOST_LISTED
from bridge.cdr.show import COLUMNS
from bridge.operators.commands import cdr
from bridge.settings import Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cdr.md").read_text(encoding="utf-8")


def first_cells(section: str) -> list[str]:
    """Give what stands in backquotes in the first column of a section's table."""
    rows = PAGE.partition(f"## {section}")[2].partition("\n## ")[0].splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_member_is_described_in_its_order() -> None:
    """The page lists the members as they are written."""
    assert list(COLUMNS) == first_cells("What a record holds")


def test_every_option_is_described() -> None:
    """No option is missing from the page."""
    options = [name for one in cdr.params for name in one.opts]

    assert [] == [name for name in options if f"`{name}" not in PAGE]


def test_limits_and_defaults() -> None:
    """Numbers on the page are those of the code."""
    fields = Settings.model_fields
    assert f"| {fields['cdr_retention_s'].default:.0f} (90 days) |" in PAGE
    assert fields["cdr_redact"].default is False
    assert f"After {MOST_LISTED} entries" in PAGE
    assert f"`{MORE}`" in PAGE
