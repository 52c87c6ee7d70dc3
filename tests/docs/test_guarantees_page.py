"""docs/guarantees.md against the tests it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = [
    row for row in PAGE.partition("## URLs")[0].splitlines() if re.match(r"\| (?!failure|--)", row)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_line_names_tests_that_exist(row: str) -> None:
    """Each failure is followed by the names of tests, and each of them is there."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])

    assert named
    assert [] == [
        f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()
    ]


def test_page_has_both_kinds_of_failures() -> None:
    """The pattern above finds the lines of both tables."""
    assert 10 < len(ROWS)
