"""docs/errors.md against the codes in the program."""

from __future__ import annotations

import re
from pathlib import Path

from bridge import rt_client
from mappings._kernel.errors import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text()


def test_every_command_error_code_is_listed_with_its_meaning() -> None:
    """The page holds one row per code of `command_error`, in the program's words."""
    missing = [code for code, meaning in CODES.items() if f"| {code} | {meaning} |" not in PAGE]

    assert [] == missing


def test_every_code_of_an_app_failure_is_listed() -> None:
    """The page holds a row for each way an app can fail to answer."""
    failures = rt_client.AppFailure.__subclasses__()
    missing = {failure.code for failure in failures if f"| {failure.code} |" not in PAGE}

    assert set() == missing


def _codes(pattern: str) -> set[str]:
    sources = [path.read_text() for top in ("bridge", "mappings") for path in _modules(top)]
    return {code for source in sources for code in re.findall(pattern, source)}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_every_code_of_a_note_is_listed() -> None:
    """The page holds a row for each code that a mapping notes or the shell counts by itself."""
    noted = _codes(r'\bNote\(\s*"([A-Z_]+)"')
    counted = _codes(r'\.error\([^()]*"([A-Z_]+)"\)')

    assert {"CALLER_ID_REFUSED", "NOT_SUPPORTED"} <= noted
    assert {"STORE_UNAVAILABLE"} <= counted
    assert set() == {code for code in noted | counted if f"| {code} |" not in PAGE}
