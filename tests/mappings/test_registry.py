"""The registry finds the newest version for new commands and the pinned one for open ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings import registry
from mappings._kernel.errors import CommandRefused, Diverged
from mappings.read import read
from mappings.registry import COMMANDS, newest, pinned


def test_commands_of_the_page_are_all_there() -> None:
    """The RT page documents these sixteen."""
    assert {
        "conference",
        "dialout",
        "hangup",
        "hangup_callid",
        "play",
        "play_record",
        "play_talk_detect",
        "play_wav_data",
        "read",
        "record",
        "send_dtmf",
        "simple_conference",
        "start_call_recording",
        "stop_call_recording",
        "wait",
        "wait_for_silence",
    } == {command.name for command in COMMANDS}


def test_new_command_takes_the_newest_version() -> None:
    """Names are looked up as the app writes them."""
    assert read is newest("read")


def test_open_command_keeps_its_version() -> None:
    """A log names the version it was started with."""
    assert read is pinned("read", 1)


def test_unknown_command_is_refused_with_those_that_exist() -> None:
    """The app can recover, and its developer can see the mistake."""
    with pytest.raises(CommandRefused) as caught:
        newest("raed")

    assert "UNKNOWN_COMMAND" == caught.value.code
    assert caught.value.sentence.startswith("there is no command 'raed'; there are conference, ")


def test_long_name_is_cut_in_the_sentence() -> None:
    """A hostile name does not fill the log."""
    with pytest.raises(CommandRefused) as caught:
        newest("x" * 100_000)

    assert len(caught.value.sentence) < 400


@pytest.mark.parametrize(("name", "version"), [("read", 2), ("raed", 1)])
def test_unknown_version_cannot_be_resumed(name: str, version: int) -> None:
    """The sentence names what this release lacks."""
    with pytest.raises(Diverged, match=f"no version {version} of {name}"):
        pinned(name, version)


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
def test_new_command_takes_the_newest_version_all_replicas_know(
    lacking: set[tuple[str, int]], version: int
) -> None:
    """Where releases run side by side a command starts as one that each of them can go on with."""
    assert version == newest("read", lacking).version


@pytest.mark.usefixtures("_three_versions")
def test_every_listed_version_can_be_resumed() -> None:
    """Each version is found as long as it is listed, and no other one in its place."""
    assert [read, V2, V3] == [pinned("read", version) for version in (1, 2, 3)]
