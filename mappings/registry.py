"""Which generator answers which RT command: every version that calls may still be running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mappings._kernel.errors import CommandRefused, Diverged
from mappings.conference import conference
from mappings.dialout import dialout
from mappings.hangup import hangup
from mappings.hangup_callid import hangup_callid
from mappings.play import play
from mappings.play_record import play_record
from mappings.play_talk_detect import play_talk_detect
from mappings.play_wav_data import play_wav_data
from mappings.read import read
from mappings.record import record
from mappings.send_dtmf import send_dtmf
from mappings.simple_conference import simple_conference
from mappings.start_call_recording import start_call_recording
from mappings.stop_call_recording import stop_call_recording
from mappings.wait import wait
from mappings.wait_for_silence import wait_for_silence

if TYPE_CHECKING:
    from collections.abc import Collection

    from mappings._kernel.command import Command

#: Newest version last; a call keeps the version its command started with.
COMMANDS: Final[tuple[Command[Any], ...]] = (
    conference,
    dialout,
    hangup,
    hangup_callid,
    play,
    play_record,
    play_talk_detect,
    play_wav_data,
    read,
    record,
    send_dtmf,
    simple_conference,
    start_call_recording,
    stop_call_recording,
    wait,
    wait_for_silence,
)

_NEWEST: Final = {command.name: command for command in COMMANDS}
_PINNED: Final = {(command.name, command.version): command for command in COMMANDS}


def newest(name: str, lacking: Collection[tuple[str, int]] = ()) -> Command[Any]:
    """Give the version new commands take. Raises CommandRefused UNKNOWN_COMMAND.

    While releases run side by side that is the newest which none of them is `lacking`, so that any
    of them can go on with the command; the newest of all where they have none in common.
    """
    found = _NEWEST.get(name)
    if found is None:
        known = ", ".join(_NEWEST)
        raise CommandRefused(
            "UNKNOWN_COMMAND", f"there is no command {name[:60]!r}; there are {known}"
        )
    if (name, found.version) not in lacking:
        return found
    common = (c for c in COMMANDS if c.name == name and (name, c.version) not in lacking)
    return max(common, key=lambda command: command.version, default=found)


def pinned(name: str, version: int) -> Command[Any]:
    """Give the version a log was started with. Raises Diverged when this release lacks it."""
    found = _PINNED.get((name, version))
    if found is None:
        raise Diverged(
            f"this release has no version {version} of {name}: the command cannot be resumed"
        )
    return found


__all__ = ["COMMANDS", "newest", "pinned"]
