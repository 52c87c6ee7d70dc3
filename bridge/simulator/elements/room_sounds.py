"""What is played to everybody in a conference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.elements.speak_play import announce, hear

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.rooms import Room

_BEEPS: Final = {"beep:1": "a beep", "beep:2": "two beeps"}

#: Beeps by their name, or the elements of a document of sounds; both may be empty.
RoomSounds = str | Sequence[Element]


async def room_sounds(line: Line, attribute: str, value: str) -> RoomSounds:
    """Read an attribute that holds beep:1, beep:2, the URL of a document of sounds, or nothing."""
    if value.startswith("http"):
        return await line.sounds(attribute, value)
    return "" if value == "none" else value


async def play_to_room(room: Room, sounds: RoomSounds) -> None:
    """Let everybody hear beeps or sounds; each file is fetched once."""
    if isinstance(sounds, str):
        for line in room.listeners() if sounds else ():
            line.add("hears", _BEEPS.get(sounds, sounds), element="beep", tones=sounds)
        return
    for element in sounds:
        lines = room.listeners()
        if element.name == "Wait" or not lines:
            continue
        for line in lines[1:]:
            hear(line, element)
        await announce(lines[0], element)


__all__ = ["RoomSounds", "play_to_room", "room_sounds"]
