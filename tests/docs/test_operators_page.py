"""docs/operators.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.operators.admin import Admin
from bridge.operators.calls import DONE, REFUSED, UNREACHABLE, USAGE
from bridge.operators.commands import COMMANDS
from bridge.recordings.transcripts import PATIENCE_S, SIGNATURE, TIMESTAMP, signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")


def test_every_command_is_described() -> None:
    """The page names every command for operators."""
    assert [] == [one.name for one in COMMANDS if f"`rt-bridge {one.name}" not in PAGE]


def test_members_of_a_live_call() -> None:
    """The table has the members as they are sent."""
    runtime = SimpleNamespace(
        settings=SimpleNamespace(admin_token=None),
        clock=SimpleNamespace(now=lambda: 0.0),
    )
    admin = Admin(cast("Any", runtime), *cast("tuple[Any, Any, Any, Any]", (None,) * 4))
    state = SimpleNamespace(
        **dict.fromkeys(("callid", "app", "uuid", "request_hash", "step"), 1),
        cli_number="",
        number="",
        started_at=0.0,
        start=None,
        phase=SimpleNamespace(value="asking"),
    )
    rows = PAGE.partition("| member | meaning |")[2].partition("\n\n")[0]
    listed = re.findall(r"`([a-z]+)`", "".join(row.split("|")[1] for row in rows.split("\n")[2:]))

    assert list(admin._shown(cast("Any", state))) == listed


def test_exit_statuses() -> None:
    """The table has the statuses that the commands use."""
    rows = PAGE.partition("| exit status | meaning |")[2].partition("\n\n")[0].splitlines()[2:]

    assert [DONE, REFUSED, USAGE, UNREACHABLE] == [int(row.split("|")[1]) for row in rows]


def test_headers_and_patience() -> None:
    """Names and figures of the app's webhook are those of the code."""
    assert f"{TIMESTAMP}: " in PAGE
    assert f"{SIGNATURE}: " in PAGE
    assert f"takes longer than {PATIENCE_S:g} s" in PAGE


@pytest.mark.parametrize(("late", "genuine"), [(0, True), (301, False)])
def test_example_checks_signatures(
    monkeypatch: pytest.MonkeyPatch, late: int, genuine: bool
) -> None:
    """The code on the page accepts what the bridge signs, and nothing else."""
    monkeypatch.setattr("time.time", lambda: 1_717_164_000.0 + late)
    example: dict[str, Any] = {}
    exec(PAGE.partition("```python\n")[2].partition("```")[0], example)  # noqa: S102 - our own page
    check = example["is_genuine"]
    signed = signature(b"key", "1717164000", b"{}")

    assert genuine is check(b"key", "1717164000", signed, b"{}")
    assert False is check(b"key", "1717164000", signed, b"{ }")
    assert False is check(b"other", "1717164000", signed, b"{}")


def test_example_of_a_transcript_is_json() -> None:
    """The sample parses."""
    sample = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])

    assert "transcript" == sample["event"]
