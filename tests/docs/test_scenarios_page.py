from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from bridge.testing.scenario.commands import COMMANDS
from bridge.testing.scenario.files import read_scenario
from bridge.testing.scenario.model import OUTCOMES, Head, verbs
from bridge.testing.scenario.steps import spoken

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| `")]


def row(name: str) -> list[str]:
    """Give the row of a table that begins with a name."""
    (found,) = [cells for cells in ROWS if cells[0].strip() == f"`{name}`"]
    return found


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_can_be_played(block: str) -> None:
    """What people copy from the page is read without a fault."""
    assert read_scenario(block, "page.yaml").steps


@pytest.mark.parametrize("verb", [verb for verb in verbs() if not verb.startswith("expect no ")])
def test_every_step_has_a_row_with_its_options(verb: str) -> None:
    """Options are listed in full, and a star marks the one whose name may be left out."""
    model, _ = verbs()[verb]

    options = re.findall(r"`([^`]+)`(\\\*)?", row(verb)[1])

    assert {spoken(name) for name in model.model_fields} == {name for name, _ in options}
    assert [spoken(model.main)] * bool(model.main) == [name for name, star in options if star]


def test_every_key_of_the_head_is_explained() -> None:
    """The table of the head has all keys."""
    keys = {name for cells in ROWS for name in re.findall(r"`([^`]+)`", cells[0])}

    assert set() == {spoken(name) for name in Head.model_fields} - keys


def test_every_outcome_of_a_number_is_named() -> None:
    """What a dialled number can do is listed."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith("What a number does is")]

    assert set(OUTCOMES) <= set(re.findall(r"`([^`]+)`", line))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_every_option_of_the_commands_is_explained(command: click.Command) -> None:
    """The tables of options have all of them."""
    page = re.findall(r"--[a-z-]+", PAGE)

    names = {
        option.opts[-1] if option.opts[-1].startswith("--") else option.opts[0]
        for option in command.params
        if isinstance(option, click.Option)
    }
    assert set() == names - {"--help"} - set(page)
