"""docs/errors.md against the codes in the program."""

from __future__ import annotations

from pathlib import Path

from bridge import rt_client
from mappings._kernel.errors import CODES

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()


def test_every_command_error_code_is_listed_with_its_meaning() -> None:
    """The page holds one row per code of `command_error`, in the program's words."""
    missing = [code for code, meaning in CODES.items() if f"| {code} | {meaning} |" not in PAGE]

    assert [] == missing


def test_every_code_of_an_app_failure_is_listed() -> None:
    """The page holds a row for each way an app can fail to answer."""
    failures = rt_client.AppFailure.__subclasses__()
    missing = {failure.code for failure in failures if f"| {failure.code} |" not in PAGE}

    assert set() == missing
