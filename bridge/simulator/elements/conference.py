"""Conference: talk with whoever is in the room of that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.simulator.afterwards import note_hangup, report_after_hangup, report_after_transfer
from bridge.simulator.causes import ROOM_ENDED
from bridge.simulator.document import Element
from bridge.simulator.elements.room_sounds import RoomSounds, play_to_room, room_sounds
from bridge.simulator.elements.speak_play import sounds_length
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inputs import Key, Kicked, RoomEnded, Talks
from bridge.simulator.key_patterns import KeyPatterns
from bridge.simulator.leg import Method
from bridge.simulator.rooms import LONGEST_S, MOST_MEMBERS, Member, Room

if TYPE_CHECKING:
    from bridge.simulator.line import Line

_EVENTS = {
    "enter": "ConferenceEnter",
    "exit": "ConferenceExit",
    "digits": "ConferenceDigits",
    "floor": "ConferenceFloor",
}


async def conference(line: Line, element: Element) -> Follow | None:
    """Join the room and stay until sent out, by a key, by its end or by a hangup.

    A full room is skipped with its action (Plivo XML reference, Conference), unless the profile
    asks the action with empty ids.
    """
    room = _room(line, element)
    if room.full:
        text = f"{room.name} is full"
        line.add("room", text, room=room.name, action="full", members=len(room.members))
        if line.profile.full_room_skips_action:
            return None
        nobody = {"ConferenceUUID": "", "ConferenceMemberID": ""}
        return line.follow(element, {"ConferenceName": room.name, **nobody})
    stay = _Stay(line, element, room)
    stay.enter()
    try:
        sounds = await stay.sounds()
        await stay.listen(sounds)
    except Over as over:
        note_hangup(line)
        stay.leave()
        asked = line.profile.conference_action_after_hangup
        report_after_hangup(line, element, stay.form(), over.ending, redirects=asked, reports=asked)
        raise
    except Moved:
        stay.leave()
        report_after_transfer(line, element, stay.form())
        raise
    stay.leave()
    return line.follow(element, stay.form())


def _room(line: Line, element: Element) -> Room:
    """Give the room of that name, or a new one; maxMembers is fixed by its first member."""
    rooms, name = line.plivo.rooms, element.text
    if name not in rooms:
        most = int(element.number("maxMembers", MOST_MEMBERS))
        rooms[name] = Room(line.plivo, name, line.leg.new_uuid(), line.clock.now(), most)
        rooms[name].limit(LONGEST_S)
    return rooms[name]


class _Stay:
    """The stay of one line in a room."""

    def __init__(self, line: Line, element: Element, room: Room) -> None:
        self.line = line
        self.element = element
        self.room = room
        self.member = Member(
            line.plivo.next_member_id(),
            line,
            line.clock.now(),
            muted=element.get("muted") == "true",
            ends_room=element.get("endConferenceOnExit") == "true",
        )
        self._star = element.get("hangupOnStar") == "true"
        self._patterns = KeyPatterns(element.get("digitsMatch"))
        self._exit_sounds: RoomSounds = ""

    def form(self) -> dict[str, str]:
        """Give the parameters of the action."""
        form, recording = self.room.form(self.member), self.room.recording
        if recording is not None and self.element.get("record") == "true":
            form["RecordUrl"] = recording.recording.url
            form["RecordingID"] = recording.recording.recording_id
        return form

    def enter(self) -> None:
        """Join."""
        element, room = self.element, self.room
        first = not room.members
        room.enter(
            self.member,
            starts=element.get("startConferenceOnEnter", "true") == "true",
            stay_alone=element.get("stayAlone", "true") == "true",
        )
        self._tell("enter", ConferenceFirstMember="true" if first else "false")
        if "timeLimit" in element.attributes:
            room.limit(element.number("timeLimit", 0))
        if element.get("record") == "true":
            url, file_format = element.get("callbackUrl"), element.get("recordFileFormat", "mp3")
            room.record(self.line, file_format, url, self._method())

    async def sounds(self) -> Sequence[Element]:
        """Fetch the documents of sounds, play the first one to the room, give that for waiting."""
        element, line = self.element, self.line
        enters = await room_sounds(line, "enterSound", element.get("enterSound"))
        self._exit_sounds = await room_sounds(line, "exitSound", element.get("exitSound"))
        url = element.get("waitSound")
        waits = await line.sounds("waitSound", url) if url else ()
        tones = element.get("sendDigits")
        if tones:
            line.add("hears", f"the tones {tones}", element="DTMF", tones=tones)
        await play_to_room(self.room, enters)
        return waits

    async def listen(self, waits: Sequence[Element]) -> None:
        """Stay in the room until something ends that; the wait sound is repeated while it waits."""
        line, room = self.line, self.room
        playing = False
        accepts = ["room"] + (["keys"] if self._star or self._patterns else [])
        with line.listens("Conference", *accepts):
            while True:
                if room.waiting and waits and not playing:
                    await sounds_length(line, waits)
                playing = room.waiting
                event = await line.next()
                match event:
                    case Kicked():
                        return
                    case RoomEnded():
                        if not line.profile.members_survive_room_end:
                            raise Over(ROOM_ENDED)
                        return
                    case Key():
                        self._press(event)
                        if self._star and event.digit == "*":
                            return
                    case Talks():
                        self._talk()
                    case _:
                        pass

    def leave(self) -> None:
        """Leave, and let the others hear of it."""
        room = self.room
        if self.member.member_id not in room.members:
            return
        room.leave(self.member)
        self._tell("exit", ConferenceLastMember="false" if room.members else "true")
        # Beside the one who leaves: a file that comes late does not keep anybody.
        self.line.plivo.spawn(play_to_room(room, self._exit_sounds), f"exit sounds of {room.name}")

    def _press(self, key: Key) -> None:
        """Report keys that match, and pass on the others (relayDTMF)."""
        matched, others = self._patterns.press(key.digit, self.line.clock.now())
        if matched:
            self._tell("digits", ConferenceDigitsMatch=matched)
        if others and self.element.get("relayDTMF", "true") == "true" and not self.member.muted:
            for line in self.room.listeners(but=self.member):
                line.add("hears", f"the tones {others}", element="DTMF", tones=others)

    def _talk(self) -> None:
        room, member = self.room, self.member
        if member.muted or room.waiting or room.floor == member.member_id:
            return
        room.floor = member.member_id
        if self.element.get("floorEvent") == "true":
            self._tell("floor")

    def _method(self) -> Method:
        return "GET" if self.element.get("callbackMethod") == "GET" else "POST"

    def _tell(self, action: str, **more: str) -> None:
        form = {"Event": _EVENTS[action], "ConferenceAction": action}
        url = self.element.get("callbackUrl")
        self.line.tell(
            action, url, form | self.room.form(self.member) | more, method=self._method()
        )


__all__ = ["conference"]
