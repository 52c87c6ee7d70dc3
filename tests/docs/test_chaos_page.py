"""docs/chaos.md against what `make chaos` does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from chaos.app import FAILURES
from chaos.world import Plan

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "chaos.md").read_text()


def test_options_of_the_page_exist() -> None:
    """Each option that the page names is one of the command's."""
    known = {f"--{field.name.replace('_', '-')}" for field in fields(Plan)} | {"--logs", "--help"}

    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    assert named
    assert set() == named - known


def test_page_tells_the_defaults() -> None:
    """Calls, replicas, kills and failures are those that the page tells of."""
    plan = Plan()

    assert (500, 3, 1.0, 2, 0.1, 0.1) == (
        plan.calls,
        plan.replicas,
        plan.kill_every_s,
        plan.store_restarts,
        plan.fail_share,
        plan.outbound_share,
    )
    assert {"500", "503", "reset", "garbage", "late"} == set(FAILURES)


def test_page_shows_the_figures_of_the_command() -> None:
    """The table of figures is one that the command has printed, and no promise was broken in it."""
    assert "Every promise was kept." in PAGE
    assert "at once, at most" in PAGE
    assert "BROKEN" not in PAGE
