"""What calls on the simulated platform share: conference rooms, and being acted on from outside."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kicked:
    """Sent out of a conference; the call goes on with the element's action."""


@dataclass(frozen=True, slots=True)
class HungUpByApi:
    """Hung up through REST."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """The running element is broken off and the call goes on at `url`."""

    url: str


Outside = Kicked | HungUpByApi | Transferred


class Party(Protocol):
    """A call that can be acted on."""

    def interrupt(self, event: Outside) -> None:
        """Let something happen to the call."""


@dataclass(slots=True)
class Member:
    """A call in a room; `announced` once its enter callback is out of the way."""

    member_id: str
    call_uuid: str
    announced: bool = False


@dataclass(slots=True)
class Room:
    """A conference: its ConferenceUUID and members by id."""

    name: str
    uuid: str
    stay_alone: bool = True
    members: dict[str, Member] = field(default_factory=dict)


class Exchange:
    """The live calls and rooms of one simulated account."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._changed = asyncio.Event()
        self._next_member = 10
        self.calls: dict[str, Party] = {}
        self.rooms: dict[str, Room] = {}

    def enter(self, name: str, call_uuid: str, room_uuid: str, *, stay_alone: bool) -> Member:
        """Let a call join; the first one makes the room, with `room_uuid`."""
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name, room_uuid)
        # One member who sets stayAlone=false sets it for the room (Plivo XML reference, Conference).
        room.stay_alone = room.stay_alone and stay_alone
        self._next_member += self._random.randint(1, 9)
        member = Member(str(self._next_member), call_uuid)
        room.members[member.member_id] = member
        return member

    def announced(self, member: Member) -> None:
        """Count the member for those who wait in `populated`."""
        member.announced = True
        self._changed.set()

    def leave(self, name: str, member: Member) -> None:
        """Let a member go; ends a conference that does not stay alone when one is left."""
        room = self.rooms[name]
        del room.members[member.member_id]
        if not room.members:
            del self.rooms[name]
        elif len(room.members) == 1 and not room.stay_alone:
            self.kick(name, next(iter(room.members)))
        self._changed.set()

    def kick(self, name: str, member_id: str) -> bool:
        """Send one member out; False when there is no such member."""
        room = self.rooms.get(name)
        member = room.members.get(member_id) if room is not None else None
        return member is not None and self._interrupt(member.call_uuid, Kicked())

    def hang_up(self, call_uuid: str) -> bool:
        """Hang up a live call; False when there is none."""
        return self._interrupt(call_uuid, HungUpByApi())

    def transfer(self, call_uuid: str, url: str) -> bool:
        """Send a live call elsewhere; False when there is none."""
        return self._interrupt(call_uuid, Transferred(url))

    async def populated(self, count: int, patience_s: float = 10.0) -> Room:
        """Wait until some room has exactly so many announced members.

        Raises TimeoutError after `patience_s` s of real time.
        """
        async with asyncio.timeout(patience_s):
            while True:
                for room in self.rooms.values():
                    if sum(member.announced for member in room.members.values()) == count:
                        return room
                self._changed.clear()
                await self._changed.wait()

    def _interrupt(self, call_uuid: str, event: Outside) -> bool:
        party = self.calls.get(call_uuid)
        if party is None:
            return False
        party.interrupt(event)
        return True


__all__ = ["Exchange", "HungUpByApi", "Kicked", "Member", "Outside", "Room", "Transferred"]
