"""Rooms: membership from Plivo's callbacks, and the kick of a member who would be left alone.

A room has its own lock and its own state; a kick travels through the outbox. Its reason is stored
in the target call before Plivo is told, so that the call's next webhook carries it and replays the
same (docs/adr/0005).

Plivo's callbacks may be lost. Whoever changes a room therefore also looks whether the calls of its
members still wait there, and lets the others leave; a call that goes on or ends puts out a row that
lets it leave; and where that leaves nobody the bridge knows of, or somebody to be sent out, Plivo is
asked who is there (bridge.room_looks). Every room is looked at once an hour until it is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge.state import Phase, load
from bridge.stays import stay_of
from bridge.store.protocol import Commit, OutboxRow, RoomWrite
from mappings._kernel import room as rooms
from mappings._kernel.room import Departed, Entered, Exited, Member, Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.outbox import Outbox
    from bridge.runtime import Runtime
    from bridge.session import Session
    from bridge.stays import Stay
    from mappings._kernel.room import RoomEvent

log = structlog.get_logger()

#: A room is looked at so often; an empty one is kept so long for late callbacks, in s.
EMPTY_ROOM_TTL_S: Final = 3600.0
#: Plivo's callbacks are given so long to tell who is in a room, before Plivo is asked, in s.
LOOK_AFTER_S: Final = 1.0
#: Lanes of the outbox (bridge.outbox): what waits for Plivo, and what waits for nobody.
PLIVO_LANE: Final = "plivo"
ROOM_LANE: Final = "room"
#: The stored form of a room before its first event.
UNHEARD_OF: Final = to_json(rooms.dump(Room()))


class Rooms:
    """The conference rooms of the account: who is in them."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        outbox.handlers["room_left"] = self._left
        outbox.handlers["empty_room"] = self._forget

    async def noticed(
        self, callid: int, step: int, form: Mapping[str, str], *, leave_when_alone: bool
    ) -> None:
        """Take note of a conference callback of this call; repetitions do nothing."""
        name, uuid = form.get("ConferenceName", ""), form.get("ConferenceUUID", "")
        member_id = form.get("ConferenceMemberID", "")
        action = form.get("ConferenceAction", "").lower()
        if not (name and uuid and member_id) or action not in {"enter", "exit"}:
            return
        now = self._runtime.clock.now()
        state = await self._session.read(callid)
        stay = None if state is None else stay_of(state)
        still = stay is not None and stay.step == step
        if action == "enter":
            since = min(now, stay.since) if stay is not None and still else now
            member = Member(uuid, member_id, callid, step, leave_when_alone, since)
            await self.change(name, Entered(member))
        else:
            # A callback may be late; once the call went on, that is what tells when it left.
            await self.change(name, Exited(uuid, member_id, callid, step, now if still else 0.0))

    async def change(self, name: str, *events: RoomEvent) -> Room:
        """Let events happen to a room, then let those leave whose call waits there no longer."""
        store = self._runtime.store
        async with self._session.locks["room", name]:
            stored = await store.load_room(name)
            room = Room() if stored is None else rooms.load(from_json(stored.blob))
            before, conference = set(room.members), room.now
            kicks = [kick for event in events for kick in rooms.step(room, event)]
            left = any(isinstance(event, Departed | Exited) for event in events)
            for member in list(room.members.values()):
                if (gone := await self._gone(member)) is not None:
                    kicks += rooms.step(room, gone)
                    left = True
            now = self._runtime.clock.now()
            there = room.members.values()
            rows = [kick_row(name, k.member, now) for k in kicks if k.member in there]
            blob = to_json(rooms.dump(room))
            if blob != (UNHEARD_OF if stored is None else stored.blob):
                replaced = room.now != conference and before - room.members.keys()
                if self._runtime.rest is not None and (replaced or (left and not room.members)):
                    # Somebody may be there of whom no callback told, or will tell in a moment.
                    rows.append(look_row(name, now + LOOK_AFTER_S))
                rows.append(_empty_row(name, now + EMPTY_ROOM_TTL_S))
                write = RoomWrite(name, stored.version if stored else 0, blob)
                await store.commit(Commit(room=write, outbox=rows))
            elif rows:
                await store.commit(Commit(outbox=rows))
        self._outbox.wake()
        return room

    async def read(self, name: str) -> Room:
        """Give a room as it is stored."""
        return await read_room(self._runtime, name)

    async def _gone(self, member: Member) -> Exited | None:
        """Give the exit of a member whose call waits no longer for the document that joined it."""
        stored = await self._runtime.store.load_call(member.callid)
        state = None if stored is None else load(stored.blob, stored.version)
        if state is not None and state.phase is Phase.WAITING and state.step == member.step:
            return None
        # When a call went on, its own row tells (left_row).
        at = (state.ended_at if state is not None else None) or 0.0
        return Exited(member.conference_uuid, member.member_id, member.callid, member.step, at)

    async def _left(self, row: OutboxRow) -> bool:
        """Let a call leave the room that it is out of: its exit callback may never come."""
        leaving = Leaving.read(row)
        if leaving is None:
            await self.change(row.body.decode())
        elif leaving.member_id:
            exited = Exited(
                leaving.conference_uuid, leaving.member_id, row.callid, leaving.step, leaving.at
            )
            await self.change(leaving.room, exited)
        else:
            departed = Departed(row.callid, leaving.step, leaving.at, leaving.entered)
            await self.change(leaving.room, departed)
        return True

    async def _forget(self, row: OutboxRow) -> bool:
        """Delete a room that stayed empty; look again later at one that did not."""
        name = row.body.decode()
        room = await self.change(name)
        if room.members:
            change = Commit(outbox=[look_row(name, self._runtime.clock.now())])
            await self._runtime.store.commit(change)
            return await self._outbox.later(row, EMPTY_ROOM_TTL_S)
        async with self._session.locks["room", name]:
            store = self._runtime.store
            stored = await store.load_room(name)
            still = await store.outbox_row(row.key)
            # Another row means that somebody came or went meanwhile, and it is for that one to judge.
            if stored is not None and still == row:
                await store.commit(Commit(room=RoomWrite(name, stored.version, None)))
        return True


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is known of a call that is out of a room.

    It is out since `at` at the latest; `entered` = it had surely been let in. Plivo's names of
    conference and member are "" where it did not tell them.
    """

    room: str
    step: int
    at: float
    entered: bool
    conference_uuid: str = ""
    member_id: str = ""

    @classmethod
    def read(cls, row: OutboxRow) -> Leaving | None:
        """Read a row; None of an earlier release, whose body is the name of the room."""
        return cls(*from_json(row.body)) if row.body.startswith(b"[") else None

    @property
    def body(self) -> bytes:
        """Give the body of its row."""
        return to_json(
            [self.room, self.step, self.at, self.entered, self.conference_uuid, self.member_id]
        )


async def read_room(runtime: Runtime, name: str) -> Room:
    """Give a room as it is stored."""
    stored = await runtime.store.load_room(name)
    return Room() if stored is None else rooms.load(from_json(stored.blob))


def kick_row(room: str, member: Member, due: float, reason: str = "LAST_PARTICIPANT") -> OutboxRow:
    """Make the outbox row of a kick; there is one per member and conference."""
    key = f"kick:{member.conference_uuid}:{member.member_id}"
    body = [room, member.member_id, member.step]
    if reason != "LAST_PARTICIPANT":
        body.append(reason)
    return OutboxRow(key, "kick", member.callid, due, to_json(body), lane=PLIVO_LANE)


def _empty_row(room: str, due: float) -> OutboxRow:
    return OutboxRow(f"empty:{room}", "empty_room", 0, due, room.encode(), lane=ROOM_LANE)


def look_row(room: str, due: float) -> OutboxRow:
    """Make the outbox row that asks Plivo who is in a room."""
    return OutboxRow(f"look:{room}", "room_look", 0, due, room.encode(), lane=PLIVO_LANE)


def left_row(stay: Stay, at: float, form: Mapping[str, str] | None = None) -> OutboxRow:
    """Make the outbox row that lets a call leave a room; put it out when the call is out of it.

    `form` is Plivo's, where it came by the action of the conference.
    """
    named = form if form is not None and form.get("ConferenceName") == stay.room else {}
    leaving = Leaving(
        stay.room,
        stay.step,
        at,
        at >= stay.since,
        named.get("ConferenceUUID", ""),
        named.get("ConferenceMemberID", "") if named.get("ConferenceUUID") else "",
    )
    key = f"room_left:{stay.room}:{stay.callid}"
    return OutboxRow(key, "room_left", stay.callid, at, leaving.body, lane=ROOM_LANE)


__all__ = ["Leaving", "Rooms", "kick_row", "left_row", "look_row", "read_room"]
