"""docs/testing.md is true: its files are saved, its commands run, and what it shows is what comes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVED = re.compile(r"(?:[Ss]ave (?:this|that) as|this as) `([\w.]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: a file to save, or commands with what they print."""

    language: str
    text: str
    file: str


def blocks() -> Iterator[Block]:
    """Read the page; the name of a file stands in the paragraph before it, or after it."""
    page = PAGE.read_text(encoding="utf-8")
    end = 0
    for fence in _FENCE.finditer(page):
        before = page[end : fence.start()].rstrip().rpartition("\n\n")[2]
        after = page[fence.end() :].lstrip().partition("\n\n")[0]
        end = fence.end()
        named = _SAVED.search(before)
        if named is None and fence[1] == "python" and after.startswith("Save that as"):
            named = _SAVED.search(after)
        yield Block(fence[1], fence[2], named[1] if named else "")


@pytest.fixture(scope="module")
def read() -> list[Block]:
    """Give the blocks of the page."""
    return list(blocks())


def test_the_page_has_what_it_needs(read: list[Block]) -> None:
    """Every file the page speaks of is there to copy."""
    files = ["app.py", "conftest.py", "test_age.py", "test_hurry.py", "test_dialect.py"]

    assert [*files, "age.yaml", "serve.py"] == [block.file for block in read if block.file]


@pytest.mark.slow
def test_a_stranger_follows_the_page(read: list[Block], tmp_path: Path) -> None:
    """Word by word, in an empty folder: each command prints what the page shows, in that order."""
    # What a block needs may stand after it on the page.
    for block in read:
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    waiting = {"test_hurry.py", "test_dialect.py"}
    for name in waiting:
        (tmp_path / name).rename(tmp_path / f"{name}.later")
    for block in read:
        if block.file in waiting:
            (tmp_path / f"{block.file}.later").rename(tmp_path / block.file)
        if block.language == "console":
            command, *shown = block.text.removeprefix("$ ").splitlines()
            if " pip install " not in command:
                _shows(command, shown, tmp_path)


def _shows(command: str, shown: list[str], folder: Path) -> None:
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(folders),
        "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:cov",
        "COLUMNS": "200",
    }
    done = subprocess.run(  # noqa: S602 -- a reader types it into a shell
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    printed = done.stdout + done.stderr
    place = 0
    for line in shown:
        found = printed.find(line, place)
        assert found >= 0, f"{command}\ndid not print “{line}” there:\n{printed}"
        place = found + len(line)
