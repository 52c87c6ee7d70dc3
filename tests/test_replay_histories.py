"""Stored histories replay: what earlier releases logged leads to the same actions and results.

A history is one finished command as it was stored: origin, start and facts (see
`tests/histories/README.md`). Histories are never edited; a changed mapping is a new version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from mappings._kernel.context import restore
from mappings._kernel.engine import Finished, Pending, prefixes, run
from mappings._kernel.errors import Diverged
from mappings._kernel.facts import ActionYielded, CommandFinished, load_log, yielded
from mappings.registry import pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings._kernel.engine import Outcome
    from mappings._kernel.facts import CommandStarted, Fact

HISTORIES: Final = Path(__file__).resolve().parent / "histories"
STORED: Final = sorted(HISTORIES.glob("*/v*/*.json"))


def read(path: Path) -> tuple[str, CommandStarted, list[Fact]]:
    """Read a history: its origin and its log."""
    stored: dict[str, Any] = json.loads(path.read_text())
    start, facts = load_log([stored["start"], *stored["facts"]])
    return stored["origin"], start, facts


def replay(start: CommandStarted, log: Sequence[Fact]) -> Outcome:
    """Rebuild the command as the bridge does."""
    command = pinned(start.name, start.version)
    return run(command.flow(command.read_params(start.params), restore(start.inputs)), log)


def name_of(path: Path) -> str:
    """Name a history by its place."""
    return str(path.relative_to(HISTORIES).with_suffix(""))


@pytest.mark.parametrize("path", STORED, ids=name_of)
def test_history_replays(path: Path) -> None:
    """Every prefix leads to the action logged next, and the whole log to its result."""
    origin, start, facts = read(path)
    last = facts[-1]

    assert origin.strip()
    assert (start.name, f"v{start.version}") == path.parent.parts[-2:]
    assert isinstance(last, CommandFinished)
    for log in prefixes(facts):
        outcome = replay(start, log)
        assert ((), ()) == (outcome.new, outcome.effects)
        match outcome:
            case Pending():
                assert log[-1] == yielded(outcome.action)
            case Finished():
                assert last == CommandFinished(outcome.result, outcome.error)


@pytest.mark.parametrize("path", STORED, ids=name_of)
def test_history_starts_anew_as_it_did(path: Path) -> None:
    """A new command with the same params and context does what the old one did first."""
    _, start, facts = read(path)
    outcome = replay(start, [])

    assert facts[: len(outcome.new)] == list(outcome.new)


def test_altered_action_diverges() -> None:
    """A history whose second question waits longer than the code does must not replay."""
    _, start, facts = read(HISTORIES / "diverging" / "read_second_timeout_longer.json")
    with pytest.raises(Diverged) as caught:
        replay(start, facts)

    logged = facts[2]
    assert isinstance(logged, ActionYielded)
    assert str(caught.value).startswith(
        f"at fact 2 the log says action Reply ({logged.digest}) but the mapping came to action Re"
    )


def test_altered_result_diverges() -> None:
    """A history with the same actions but another result must not replay."""
    _, start, facts = read(HISTORIES / "diverging" / "wait_with_another_result.json")

    assert replay(start, facts[:-1]).new == (CommandFinished("0"),)
    with pytest.raises(Diverged, match="the log says the end with 'DONE' but the mapping came to"):
        replay(start, facts)


def test_unknown_version_is_not_resumed() -> None:
    """A log of a version this release lacks is refused, never guessed at."""
    _, start, facts = read(HISTORIES / "diverging" / "read_of_an_unknown_version.json")
    with pytest.raises(Diverged, match="this release has no version 99 of read"):
        replay(start, facts)
