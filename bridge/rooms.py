"""Rooms: membership from Plivo's callbacks, and the kick of a member who would be left alone.

A room has its own lock and its own state; a kick travels through the outbox. Its reason is stored
in the target call before Plivo is told, so that the call's next webhook carries it and replays the
same (docs/adr/0005).

Plivo's exit callback may be lost, so whoever changes a room also looks whether the calls of its
members still wait there, and lets the others leave. A call that ends in a room puts out a row that
makes it look, and every room is looked at once an hour until it can be forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge.plivo.rest_errors import PlivoNotFound, PlivoRestError
from bridge.state import Phase, load
from bridge.store.protocol import Commit, OutboxRow, RoomWrite
from bridge.transaction import Transaction
from mappings._kernel import room as rooms
from mappings._kernel.room import Entered, Exited, Member, Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.outbox import Outbox
    from bridge.plivo.rest import PlivoRest
    from bridge.runtime import App, Runtime
    from bridge.session import Session

log = structlog.get_logger()

#: A kick that Plivo does not take is given up: the member can still leave by pressing star.
MOST_ATTEMPTS: Final = 6
#: Plivo may still list a member whose exit it has reported: it is asked again so often.
MOST_LOOKS_AGAIN: Final = 3
#: A room is looked at so often; an empty one is kept so long for late callbacks, in s.
EMPTY_ROOM_TTL_S: Final = 3600.0
#: Lanes of the outbox (bridge.outbox): what waits for Plivo, and what waits for nobody.
PLIVO_LANE: Final = "plivo"
ROOM_LANE: Final = "room"
#: The stored form of a room before its first event.
UNHEARD_OF: Final = to_json(rooms.dump(Room()))


class Rooms:
    """The conference rooms of the account."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        outbox.handlers["kick"] = self._kick
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
        if action == "enter":
            member = Member(uuid, member_id, callid, step, leave_when_alone)
            await self._change(name, Entered(member))
        else:
            await self._change(name, Exited(uuid, member_id))

    async def _change(self, name: str, *events: Entered | Exited) -> Room:
        """Let events happen to a room, then let those leave whose call waits there no longer."""
        store = self._runtime.store
        async with self._session.locks["room", name]:
            stored = await store.load_room(name)
            room = Room() if stored is None else rooms.load(from_json(stored.blob))
            kicks = [kick for event in events for kick in rooms.step(room, event)]
            for member in list(room.members.values()):
                if not await self._waits_there(member):
                    kicks += rooms.step(room, Exited(member.conference_uuid, member.member_id))
            blob = to_json(rooms.dump(room))
            if blob == (UNHEARD_OF if stored is None else stored.blob):
                return room
            now = self._runtime.clock.now()
            change = Commit(room=RoomWrite(name, stored.version if stored else 0, blob))
            there = room.members.values()
            change.outbox = [kick_row(name, k.member, now) for k in kicks if k.member in there]
            due = now + EMPTY_ROOM_TTL_S
            change.outbox.append(
                OutboxRow(f"empty:{name}", "empty_room", 0, due, name.encode(), lane=ROOM_LANE)
            )
            await store.commit(change)
        self._outbox.wake()
        return room

    async def _waits_there(self, member: Member) -> bool:
        """Tell whether the call still waits for the document that joined the member."""
        stored = await self._runtime.store.load_call(member.callid)
        if stored is None:
            return False
        state = load(stored.blob, stored.version)
        return state.phase is Phase.WAITING and state.step == member.step

    async def _kick(self, row: OutboxRow) -> bool:
        """Kick one member if it is still the only one; True when the row may go."""
        _, _, step = from_json(row.body)
        state = await self._session.read(row.callid)
        if state is None or state.phase is not Phase.WAITING or state.step != step:
            return True
        app = self._runtime.apps.get(state.app)
        rest = self._runtime.rest
        if app is None:
            return True
        if rest is None:
            # stayAlone ends the conference for the one who is left; only the reason is ours.
            await self._give_reason(app, row.callid, step, "LAST_PARTICIPANT")
            return True
        why, again = "Plivo says that somebody else is there", row.attempts < MOST_LOOKS_AGAIN
        try:
            if await self._kick_if_alone(rest, app, row):
                return True
        except PlivoRestError as error:
            why, again = str(error), row.attempts + 1 < MOST_ATTEMPTS
            log.warning("room.kick_failed", call=row.callid, app=app.hash, why=why)
        except ValueError as error:
            why, again = str(error), False
        if again:
            return await self._outbox.later(row)
        log.warning("room.kick_given_up", call=row.callid, app=app.hash, why=why)
        await self._give_reason(app, row.callid, step, "")
        return True

    async def _kick_if_alone(self, rest: PlivoRest, app: App, row: OutboxRow) -> bool:
        """Kick the member when nobody else is there; False = somebody is, perhaps no longer."""
        name, member_id, step = from_json(row.body)
        conference = await rest.get_conference(name)
        there = [] if conference is None else [m.member_id for m in conference.members]
        if member_id not in there:
            return True
        if there != [member_id]:
            return False
        if await self._give_reason(app, row.callid, step, "LAST_PARTICIPANT"):
            try:
                await rest.kick_member(name, member_id)
            except PlivoNotFound:
                return True
            log.info("room.kicked", call=row.callid, app=app.hash)
        return True

    async def _give_reason(self, app: App, callid: int, step: int, reason: str) -> bool:
        """Store why the call leaves its room, "" = not by us; False when it has left already."""
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if state is None or state.phase is not Phase.WAITING or state.step != step:
                return False
            if state.inbox.get("reason", "") != reason:
                state.inbox.pop("reason", None)
                if reason:
                    state.inbox["reason"] = reason
                transaction = Transaction(self._runtime, app, state)
                transaction.note(inbox=state.inbox)
                await transaction.commit()
            return True

    async def _left(self, row: OutboxRow) -> bool:
        """Let a call that ended in a room leave it: its exit callback may never come."""
        await self._change(row.body.decode())
        return True

    async def _forget(self, row: OutboxRow) -> bool:
        """Delete a room that stayed empty; look again later at one that did not."""
        name = row.body.decode()
        room = await self._change(name)
        if room.members:
            return await self._outbox.later(row, EMPTY_ROOM_TTL_S)
        async with self._session.locks["room", name]:
            store = self._runtime.store
            stored = await store.load_room(name)
            still = await store.outbox_row(row.key)
            # Another row means that somebody came or went meanwhile, and it is for that one to judge.
            if stored is not None and still == row:
                await store.commit(Commit(room=RoomWrite(name, stored.version, None)))
        return True


def kick_row(room: str, member: Member, due: float) -> OutboxRow:
    """Make the outbox row of a kick; there is one per member and conference."""
    key = f"kick:{member.conference_uuid}:{member.member_id}"
    body = to_json([room, member.member_id, member.step])
    return OutboxRow(key, "kick", member.callid, due, body, lane=PLIVO_LANE)


def left_row(room: str, callid: int, due: float) -> OutboxRow:
    """Make the outbox row that lets a call leave a room; put it out when the call is out of it."""
    key = f"room_left:{room}:{callid}"
    return OutboxRow(key, "room_left", callid, due, room.encode(), lane=ROOM_LANE)


__all__ = ["Rooms", "kick_row", "left_row"]
