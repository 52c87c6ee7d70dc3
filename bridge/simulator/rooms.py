"""Conference rooms of the simulated account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.simulator.line import Line


@dataclass(slots=True)
class Member:
    """A line in a room."""

    member_id: str
    line: Line
    joined: float
    muted: bool = False
    deaf: bool = False
    ends_room: bool = False


@dataclass(slots=True)
class Room:
    """A conference: its ConferenceUUID and members by id."""

    name: str
    uuid: str
    began: float
    most: int = 20
    stay_alone: bool = True
    started: bool = False
    members: dict[str, Member] = field(default_factory=dict)


__all__ = ["Member", "Room"]
