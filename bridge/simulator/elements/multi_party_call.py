"""MultiPartyCall: a room with roles. Only joining, leaving and their callbacks are simulated.

What is not simulated (music, recording, coaching, hold, sounds that are documents) is a problem in
the timeline. Names of events are plausible: no page at hand lists them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Final

from bridge.simulator.afterwards import note_hangup
from bridge.simulator.document import Element
from bridge.simulator.elements.room_sounds import play_to_room, room_sounds
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inputs import Key, Kicked, RoomEnded
from bridge.simulator.leg import Ending, Method
from bridge.simulator.rooms import Member, Room

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: Participants of a call, and its longest duration in s (Plivo XML reference, MultiPartyCall).
MOST_PARTICIPANTS: Final = 10
LONGEST_S: Final = 14_400.0
MPC_ENDED: Final[Ending] = ("NORMAL_CLEARING", "4020", "MPC Ended", "Plivo")
KICKED: Final[Ending] = ("NORMAL_CLEARING", "4030", "Kicked Out Of MPC", "API Request")
_EVENTS: Final = "mpc-state-changes,participant-state-changes"
#: Attributes whose effect is simulated, or that need none.
_SIMULATED: Final = frozenset(
    {
        "role",
        "maxDuration",
        "maxParticipants",
        "statusCallbackUrl",
        "statusCallbackMethod",
        "statusCallbackEvents",
        "stayAlone",
        "mute",
        "startMpcOnEnter",
        "endMpcOnExit",
        "enterSound",
        "enterSoundMethod",
        "exitSound",
        "exitSoundMethod",
        "onExitActionUrl",
        "onExitActionMethod",
    }
)
#: Values that ask for nothing.
_HARMLESS: Final = frozenset(
    {("record", "false"), ("hold", "false"), ("relayDTMFInputs", "false"), ("coachMode", "true")}
    | {("recordParticipantTrack", "false"), ("transcript", "false")}
)


async def multi_party_call(line: Line, element: Element) -> Follow | None:
    """Join the call of that name until sent out, its end, or a hangup.

    After a hangup or a transfer onExitActionUrl is not asked (Plivo XML reference,
    MultiPartyCall). Without one the end of the call, or a kick, hangs up (causes 4020 and 4030).
    """
    for name, value in element.attributes.items():
        inert = name not in _SIMULATED and not name.endswith("Method")
        if inert and (name, value) not in _HARMLESS:
            line.problem(f"MultiPartyCall: {name}={value} is not simulated")
    room = _room(line, element)
    if room.full:
        text = f"{room.name} is full"
        line.add("room", text, room=room.name, action="full", members=len(room.members))
        return None
    stay = _Participation(line, element, room)
    await stay.enter()
    try:
        await stay.listen()
    except Over:
        note_hangup(line)
        await stay.leave("Hangup")
        raise
    except Moved:
        await stay.leave("Transfer")
        raise
    await stay.leave(stay.reason)
    return stay.follow()


def _room(line: Line, element: Element) -> Room:
    rooms, name = line.plivo.multi_party_calls, element.text
    if name not in rooms:
        most = int(element.number("maxParticipants", MOST_PARTICIPANTS))
        rooms[name] = Room(
            line.plivo, name, line.leg.new_uuid(), line.clock.now(), most, among=rooms
        )
        rooms[name].limit(element.number("maxDuration", LONGEST_S))
    return rooms[name]


class _Participation:
    """One participant."""

    def __init__(self, line: Line, element: Element, room: Room) -> None:
        self.line = line
        self.element = element
        self.room = room
        self.reason = "Kicked"
        self.member = Member(
            line.plivo.next_member_id(),
            line,
            line.clock.now(),
            muted=element.get("mute") == "true",
            ends_room=element.get("endMpcOnExit") == "true",
        )

    async def enter(self) -> None:
        """Join."""
        element, room = self.element, self.room
        first, started = not room.members, room.started
        room.enter(
            self.member,
            starts=element.get("startMpcOnEnter", "true") == "true",
            stay_alone=element.get("stayAlone", "false") == "true",
        )
        if first:
            self._tell("mpc-state-changes", "MPCInitialized")
        self._tell("participant-state-changes", "ParticipantJoin")
        if room.started and not started:
            self._tell("mpc-state-changes", "MPCStart")
        await self._sound("enterSound", "beep:1")

    async def listen(self) -> None:
        """Stay until something ends that."""
        with self.line.listens("MultiPartyCall", "room"):
            while True:
                match await self.line.next(inf):
                    case Kicked():
                        if not self.element.get("onExitActionUrl"):
                            raise Over(KICKED)
                        return
                    case RoomEnded():
                        self.reason = "MPC Ended"
                        if not self.element.get("onExitActionUrl"):
                            raise Over(MPC_ENDED)
                        return
                    case Key(digit=digit):
                        events = "participant-digit-input-events"
                        self._tell(events, "ParticipantDigitInput", DigitInput=digit)
                    case _:
                        pass

    async def leave(self, cause: str) -> None:
        """Leave, and report it; the last one ends the call."""
        room, now = self.room, _time(self.line.clock.now())
        if self.member.member_id not in room.members:
            return
        room.leave(self.member)
        exited = {"ParticipantExitTime": now, "ParticipantExitCause": cause}
        self._tell("participant-state-changes", "ParticipantExit", **exited)
        if not room.members:
            seconds = str(round(self.line.clock.now() - room.began))
            ended = {"MPCEndTime": now, "MPCDuration": seconds, "MPCBilledDuration": seconds}
            self._tell("mpc-state-changes", "MPCEnd", **ended)
        await self._sound("exitSound", "beep:2")

    def follow(self) -> Follow | None:
        """Give the document that goes on, if there is one."""
        url = self.element.get("onExitActionUrl")
        if not url:
            return None
        get = self.element.get("onExitActionMethod") == "GET"
        method: Method = "GET" if get else "POST"
        form = {
            "MPCUUID": self.room.uuid,
            "MPCFriendlyName": self.room.name,
            "MemberID": self.member.member_id,
            "ParticipantCallUUID": self.line.uuid,
            "ParticipantRole": self._role(),
            "ParticipantJoinTime": _time(self.member.joined),
            "ParticipantEndTime": _time(self.line.clock.now()),
        }
        return Follow("action", url, form, method)

    async def _sound(self, attribute: str, default: str) -> None:
        value = self.element.get(attribute, default)
        await play_to_room(self.room, await room_sounds(self.line, attribute, value))

    def _role(self) -> str:
        return self.element.get("role").capitalize()

    def _tell(self, events: str, name: str, **more: str) -> None:
        element, line, room = self.element, self.line, self.room
        if events not in element.get("statusCallbackEvents", _EVENTS).split(","):
            return
        room.told += 1
        form = {
            "EventName": name,
            "EventTimestamp": _time(line.clock.now()),
            "SequenceNumber": str(room.told),
            "MPCUUID": room.uuid,
            "MPCName": room.name,
            "MPCCreationTime": _time(room.began),
            "MemberID": self.member.member_id,
            "MemberAddress": line.leg.called
            if line.leg.direction == "outbound"
            else line.leg.caller,
            "ParticipantCallUUID": line.uuid,
            "ParticipantCallDirection": line.leg.direction,
            "ParticipantCallFrom": line.leg.caller,
            "ParticipantCallTo": line.leg.called,
            "ParticipantRole": self._role(),
            "ParticipantJoinTime": _time(self.member.joined),
            **more,
        }
        method: Method = "GET" if element.get("statusCallbackMethod") == "GET" else "POST"
        line.tell("status", element.get("statusCallbackUrl"), form, method=method)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")


__all__ = ["KICKED", "LONGEST_S", "MOST_PARTICIPANTS", "MPC_ENDED", "multi_party_call"]
