"""What the bridge asks Plivo about rooms: who is there, and to let somebody out.

Every row here is repeated until it is done; a room or a member that is gone needs nothing more.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json

from bridge.plivo.rest_errors import PlivoNotFound, PlivoRestError
from bridge.replicas import settled
from bridge.rooms import kick_row, look_row
from bridge.state import Phase
from bridge.stays import stay_of
from bridge.store.protocol import Commit
from bridge.transaction import Transaction
from mappings._kernel.room import Listed, Looked, Member
from mappings.simple_conference import room_name

if TYPE_CHECKING:
    from bridge.outbox import Outbox
    from bridge.plivo.rest import Conference, PlivoRest
    from bridge.rooms import Rooms
    from bridge.runtime import App, Runtime
    from bridge.session import Session
    from bridge.state import CallState
    from bridge.store.protocol import OutboxRow
    from mappings._kernel.room import Room

log = structlog.get_logger()

#: A kick that Plivo does not take is given up for a while: the member can still press star.
MOST_ATTEMPTS: Final = 6
#: Plivo may still list a member whose exit it has reported: it is asked again so often.
MOST_LOOKS_AGAIN: Final = 3
#: After a kick was given up, the room is looked at again, in s.
LOOK_AGAIN_S: Final = 60.0


class RoomLooks:
    """Asks Plivo about rooms and sends members out."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox, rooms: Rooms) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        self._rooms = rooms
        outbox.handlers["kick"] = self._kick
        outbox.handlers["room_look"] = self._look

    async def close(self, app: App, room_id: str) -> list[int]:
        """Send everybody out of a room of this app, with the result CONFERENCE_CLOSED.

        Gives their callids; their calls go on. Raises PlivoRestError when Plivo cannot be asked
        who is there; without REST nobody can be sent out, and nobody is.
        """
        name = room_name("" if app.settings.share_rooms else app.hash, room_id)
        rest = self._runtime.rest
        if rest is None:
            return []
        conference = await rest.get_conference(name)
        # Another replica may take note of who comes and goes meanwhile.
        room = await settled(partial(self._compare, name, conference))
        now = self._runtime.clock.now()
        there = list(room.members.values())
        rows = [kick_row(name, member, now, "CONFERENCE_CLOSED") for member in there]
        await self._runtime.store.commit(Commit(outbox=rows))
        self._outbox.wake()
        log.info("room.closed", app=app.hash, calls=[member.callid for member in there])
        return [member.callid for member in there]

    async def _look(self, row: OutboxRow) -> bool:
        """Ask Plivo who is in a room, and take note of those it did not tell of."""
        rest = self._runtime.rest
        if rest is None:
            return True
        name = row.body.decode()
        try:
            conference = await rest.get_conference(name)
        except PlivoRestError as error:
            log.warning("room.look_failed", room=name, why=str(error))
            return await self._outbox.later(row)
        except ValueError as error:
            log.warning("room.look_given_up", room=name, why=str(error))
            return True
        room = await self._compare(name, conference)
        listed = 0 if conference is None else len(conference.members)
        if listed == 1:
            await self._rooms.change(name, Looked())
        if listed > len(room.members) and row.attempts < MOST_LOOKS_AGAIN:
            # It lists somebody who has left, or who has only just come.
            return await self._outbox.later(row)
        return True

    async def _compare(self, name: str, conference: Conference | None) -> Room:
        """Take note of the members Plivo lists and the room does not know."""
        room = await self._rooms.read(name)
        known = {member.member_id for member in room.members.values()}
        unknown = [] if conference is None else list(conference.members)
        found = [
            Listed(member)
            for one in unknown
            if one.member_id not in known
            and (member := await self._member(name, one.member_id, one.call_uuid)) is not None
        ]
        return await self._rooms.change(name, *found)

    async def _member(self, room: str, member_id: str, uuid: str) -> Member | None:
        """Give the member that a call is, if it waits in that room."""
        for app in self._runtime.apps.values() if uuid else ():
            callid = await self._runtime.store.find_call(app.hash, uuid)
            state = None if callid is None else await self._session.read(callid)
            stay = None if state is None else stay_of(state)
            if stay is not None and stay.room == room:
                return Member(
                    "", member_id, stay.callid, stay.step, stay.leave_when_alone, stay.since
                )
        return None

    async def _kick(self, row: OutboxRow) -> bool:
        """Kick one member, for being alone only if it still is; True when the row may go."""
        name, _, step, *_ = from_json(row.body)
        state = await self._session.read(row.callid)
        if state is None or not _waits(state, step):
            return True
        app = self._runtime.apps.get(state.app)
        rest = self._runtime.rest
        if app is None:
            return True
        if rest is None:
            # stayAlone ends the conference for the one who is left; only the reason is ours.
            await self._give_reason(app, row.callid, step, "LAST_PARTICIPANT")
            return True
        why, again, failed = "Plivo says that somebody else is there", MOST_LOOKS_AGAIN, False
        try:
            if await self._carry_out(rest, app, row):
                return True
        except PlivoRestError as error:
            why, again, failed = str(error), MOST_ATTEMPTS - 1, True
            log.warning("room.kick_failed", call=row.callid, app=app.hash, why=why)
        except ValueError as error:
            why, again = str(error), 0
        if row.attempts < again:
            return await self._outbox.later(row)
        log.warning("room.kick_given_up", call=row.callid, app=app.hash, why=why)
        await self._give_reason(app, row.callid, step, "")
        if failed:
            look = look_row(name, self._runtime.clock.now() + LOOK_AGAIN_S)
            await self._runtime.store.commit(Commit(outbox=[look]))
        return True

    async def _carry_out(self, rest: PlivoRest, app: App, row: OutboxRow) -> bool:
        """Kick the member; False = it is not to be left alone, for somebody is there."""
        name, member_id, step, *given = from_json(row.body)
        reason = given[0] if given else "LAST_PARTICIPANT"
        if reason == "LAST_PARTICIPANT":
            conference = await rest.get_conference(name)
            there = [] if conference is None else [m.member_id for m in conference.members]
            if member_id not in there:
                return True
            if there != [member_id]:
                await self._compare_others(name, conference)
                return False
        if await self._give_reason(app, row.callid, step, reason):
            try:
                await rest.kick_member(name, member_id)
            except PlivoNotFound:
                return True
            log.info("room.kicked", call=row.callid, app=app.hash, reason=reason)
        return True

    async def _compare_others(self, name: str, conference: Conference | None) -> None:
        room = await self._rooms.read(name)
        known = {member.member_id for member in room.members.values()}
        if conference is not None and {m.member_id for m in conference.members} - known:
            await self._compare(name, conference)

    async def _give_reason(self, app: App, callid: int, step: int, reason: str) -> bool:
        """Store why the call leaves its room, "" = not by us; False when it has left already."""
        async with self._session.locks[callid]:
            state = await self._session.read(callid)
            if state is None or not _waits(state, step):
                return False
            if state.inbox.get("reason", "") != reason:
                state.inbox.pop("reason", None)
                if reason:
                    state.inbox["reason"] = reason
                transaction = Transaction(self._runtime, app, state)
                transaction.note(inbox=state.inbox)
                await transaction.commit()
            return True


def _waits(state: CallState, step: int) -> bool:
    return state.phase is Phase.WAITING and state.step == step


__all__ = ["RoomLooks"]
