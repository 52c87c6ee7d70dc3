from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.standing import KNOWN, Standing, dump_standing, load_standing
from mappings.registry import COMMANDS

SAME = {command.name: [command.version] for command in COMMANDS}


def said(**values: Any) -> bytes:
    """Write what a replica of another release says."""
    return json.dumps({"drains": False, "commands": SAME, **values}).encode()


@pytest.mark.parametrize("standing", [Standing(), Standing(drains=True)])
def test_what_is_said_is_understood(standing: Standing) -> None:
    """A replica of the same release lacks nothing."""
    assert standing == load_standing(dump_standing(standing))


def test_every_version_is_named() -> None:
    """Each version in the registry is one the others can count on."""
    known = {(name, version) for name, versions in KNOWN.items() for version in versions}

    assert {(command.name, command.version) for command in COMMANDS} == known


def test_other_release_lacks_what_it_does_not_name() -> None:
    """A version that is missing, and a whole command, are lacking; what it has more does no harm."""
    theirs: dict[str, list[int]] = {**SAME, "read": [99], "levitate": [1]}
    del theirs["play"]

    assert {("play", 1), ("read", 1)} == load_standing(said(commands=theirs, more=[1])).lacks


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"dials",
        b"[]",
        b"null",
        b'{"drains": true}',
        said(commands=[1]),
        said(commands={"read": 3}),
    ],
)
def test_what_cannot_be_understood_says_nothing(blob: bytes) -> None:
    """The record of a release that says less, or something else, is that of a replica that lives."""
    assert Standing() == load_standing(blob)
