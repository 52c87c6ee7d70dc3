from __future__ import annotations

from dataclasses import replace

import pytest

from mappings import registry
from mappings._kernel.errors import CommandRefused, Diverged
from mappings.read import read
from mappings.registry import COMMANDS, newest, pinned

V2 = replace(read, version=2)
V3 = replace(read, version=3)


@pytest.fixture
def _three_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be three versions of `read`."""
    monkeypatch.setattr(registry, "COMMANDS", (*COMMANDS, V2, V3))
    monkeypatch.setitem(registry._NEWEST, "read", V3)
    monkeypatch.setitem(registry._PINNED, ("read", 2), V2)
    monkeypatch.setitem(registry._PINNED, ("read", 3), V3)


@pytest.mark.usefixtures("_three_versions")
@pytest.mark.parametrize(
    ("lacking", "version"),
    [
        (set(), 3),
        ({("play", 1)}, 3),
        ({("read", 3)}, 2),
        ({("read", 2)}, 3),
        ({("read", 2), ("read", 3)}, 1),
        ({("read", 1), ("read", 2), ("read", 3)}, 3),
    ],
)
def test_new_commands_take_the_newest_version_all_know(
    lacking: set[tuple[str, int]], version: int
) -> None:
    """Where releases run side by side a command starts as one that each of them can go on with."""
    assert version == newest("read", lacking).version


@pytest.mark.usefixtures("_three_versions")
def test_open_commands_keep_their_version() -> None:
    """Each version is found as long as it is listed, and no other one in its place."""
    assert [read, V2, V3] == [pinned("read", version) for version in (1, 2, 3)]
    with pytest.raises(Diverged, match="no version 4 of read"):
        pinned("read", 4)


def test_unknown_command_is_refused() -> None:
    """The sentence lists the commands there are, and shows no more of the name than it has to."""
    with pytest.raises(CommandRefused, match="UNKNOWN_COMMAND: there is no command 'levitate'"):
        newest("levitate")
