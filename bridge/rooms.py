"""Rooms: membership from Plivo's callbacks, and the kick of a member who would be left alone.

A room has its own lock and its own state; a kick travels through the outbox. Its reason is stored
in the target call before Plivo is told, so that the call's next webhook carries it and replays the
same (docs/adr/0005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge.plivo.rest_errors import PlivoNotFound, PlivoRestError
from bridge.state import Phase
from bridge.store.protocol import Commit, OutboxRow, RoomWrite
from bridge.transaction import Transaction
from mappings._kernel import room as rooms
from mappings._kernel.room import Entered, Exited, Member, Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.outbox import Outbox
    from bridge.runtime import App, Runtime
    from bridge.session import Session

log = structlog.get_logger()

#: A kick that Plivo does not take is given up: the member can still leave by pressing star.
MOST_ATTEMPTS: Final = 6
#: An empty room is kept this long for late callbacks, in s.
EMPTY_ROOM_TTL_S: Final = 3600.0


class Rooms:
    """The conference rooms of the account."""

    def __init__(self, runtime: Runtime, session: Session, outbox: Outbox) -> None:
        self._runtime = runtime
        self._session = session
        self._outbox = outbox
        outbox.handlers["kick"] = self._kick
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
        event: Entered | Exited = Exited(uuid, member_id)
        if action == "enter":
            event = Entered(Member(uuid, member_id, callid, step, leave_when_alone))
        async with self._session.lock(("room", name)):
            stored = await self._runtime.store.load_room(name)
            room = Room() if stored is None else rooms.load(from_json(stored.blob))
            kicks = rooms.step(room, event)
            base = 0 if stored is None else stored.version
            change = Commit(room=RoomWrite(name, base, to_json(rooms.dump(room))))
            now = self._runtime.clock.now()
            change.outbox = [kick_row(name, kick.member, now) for kick in kicks]
            if not room.members:
                due = now + EMPTY_ROOM_TTL_S
                change.outbox.append(
                    OutboxRow(f"empty:{name}", "empty_room", 0, due, name.encode())
                )
            await self._runtime.store.commit(change)
        if change.outbox:
            self._outbox.wake()

    async def _kick(self, row: OutboxRow) -> bool:
        """Kick one member if it is still the only one; True when the row may go."""
        name, member_id, step = from_json(row.body)
        state = await self._session.read(row.callid)
        if state is None or state.phase is not Phase.WAITING or state.step != step:
            return True
        app = self._runtime.apps.get(state.app)
        rest = self._runtime.rest
        if app is None:
            return True
        if rest is None:
            # stayAlone ends the conference for the one who is left; only the reason is ours.
            await self._give_reason(app, row.callid, step)
            return True
        try:
            conference = await rest.get_conference(name)
            if conference is None or [m.member_id for m in conference.members] != [member_id]:
                return True
            if await self._give_reason(app, row.callid, step):
                await rest.kick_member(name, member_id)
                log.info("room.kicked", call=row.callid, app=app.hash)
        except PlivoNotFound:
            return True
        except PlivoRestError as error:
            log.warning("room.kick_failed", call=row.callid, app=app.hash, why=str(error))
            return row.attempts + 1 >= MOST_ATTEMPTS or await self._outbox.later(row)
        return True

    async def _give_reason(self, app: App, callid: int, step: int) -> bool:
        async with self._session.lock(callid):
            state = await self._session.read(callid)
            if state is None or state.phase is not Phase.WAITING or state.step != step:
                return False
            state.inbox["reason"] = "LAST_PARTICIPANT"
            transaction = Transaction(self._runtime, app, state)
            transaction.note(inbox=state.inbox)
            await transaction.commit()
            return True

    async def _forget(self, row: OutboxRow) -> bool:
        """Delete a room that stayed empty."""
        name = row.body.decode()
        async with self._session.lock(("room", name)):
            stored = await self._runtime.store.load_room(name)
            if stored is not None and not rooms.load(from_json(stored.blob)).members:
                await self._runtime.store.commit(Commit(room=RoomWrite(name, stored.version, None)))
        return True


def kick_row(room: str, member: Member, due: float) -> OutboxRow:
    """Make the outbox row of a kick; there is one per member and conference."""
    key = f"kick:{member.conference_uuid}:{member.member_id}"
    return OutboxRow(
        key, "kick", member.callid, due, to_json([room, member.member_id, member.step])
    )


__all__ = ["Rooms", "kick_row"]
