"""docs/threat-model.md: its tests exist, and no threat is without one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bridge.settings_app import AppSettings
from bridge.settings_model import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
THREATS = [row for row in ROWS if row[0] != "| threat"]


def test_every_threat_names_tests_that_exist() -> None:
    """Each row ends with tests, and each of them is a function of the file it is said to be in."""
    for row in THREATS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
        assert named, row[0]
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text())
            functions = ast.FunctionDef | ast.AsyncFunctionDef
            there_are = {node.name for node in tree.body if isinstance(node, functions)}
            assert name in there_are, f"{row[0]}: {path} has no {name}"


def test_no_line_between_tables_is_lost() -> None:
    """Every row has a threat, what stops it, and the tests."""
    assert {3} == {len(row) for row in ROWS}
    assert len(THREATS) >= 40


def test_settings_exist() -> None:
    """What the page calls a setting is one."""
    names = {*Settings.model_fields, *AppSettings.model_fields}
    for variable in re.findall(r"BRIDGE_[A-Z_]+", PAGE):
        assert variable.removeprefix("BRIDGE_").lower() in names, variable
    for word in ("max_app_reply_bytes", "hangup_scope", "max_questions", "busy_message"):
        assert word in names
        assert f"`{word}`" in PAGE


def test_page_says_when_to_revise_it() -> None:
    """The page ends with the events after which it is revised."""
    assert PAGE.rpartition("\n## ")[2].startswith("Revise this page when\n")
