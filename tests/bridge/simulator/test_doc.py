"""The page about the simulator keeps up with the code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bridge.simulator import doc
from bridge.simulator.elements import HANDLERS
from bridge.simulator.faults import MEANINGS, WHATS
from bridge.simulator.profile import HOSTILE, NORMAL, PROFILES, SWITCHES, Profile

SOURCES = sorted(Path(doc.__file__).parent.rglob("*.py"))


def test_the_page_is_current() -> None:
    """The command of the page finds nothing to write."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge.simulator.doc", "--check"], check=False, capture_output=True
    )

    assert (0, b"") == (done.returncode, done.stderr)


def test_an_old_page_is_noticed_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page with other tables is out of date; writing it mends that and leaves the rest alone."""
    current = doc.PAGE.read_text()
    old = tmp_path / "simulator.md"
    old.write_text(current.replace("| `recording_ready_s` |", "| `recording_ready_ms` |"))

    assert 1 == doc.main(["--check"], old)
    assert "out of date" in capsys.readouterr().err
    assert 0 == doc.main([], old)
    assert current == old.read_text()


def test_a_page_without_a_place_for_a_table() -> None:
    """A page that lost a marker is refused with the name of the table."""
    with pytest.raises(ValueError, match="no place for the table of faults"):
        doc.page("<!-- begin switches -->\n<!-- end switches -->")


def test_every_element_is_described() -> None:
    """The page names each element the platform executes."""
    sections = doc.PAGE.read_text().partition("## Elements")[2].partition("## Switches")[0]

    assert [] == [name for name in HANDLERS if name not in sections]


def test_every_switch_is_asked() -> None:
    """No switch is left that nothing in the simulator depends on."""
    code = "".join(path.read_text() for path in SOURCES if path.stem not in {"profile", "doc"})

    assert [] == [known.name for known in SWITCHES if f"profile.{known.name}" not in code]


def test_profiles_give_both_answers() -> None:
    """The two profiles answer every question, and never alike."""
    assert {known.name for known in fields(Profile)} - {"name"} == {
        known.name for known in SWITCHES
    }
    assert [] == [
        known.name
        for known in SWITCHES
        if getattr(NORMAL, known.name) == getattr(HOSTILE, known.name)
    ]
    assert {"normal": NORMAL, "hostile": HOSTILE} == PROFILES


def test_every_fault_is_described() -> None:
    """Each fault has a meaning, in the order in which they are listed."""
    assert list(WHATS) == list(MEANINGS)
