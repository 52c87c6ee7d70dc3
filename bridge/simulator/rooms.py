"""Conference rooms of the simulated account: who is in, who hears what, and when a room ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.simulator.background_recordings import BackgroundRecording, lengths
from bridge.simulator.inputs import Kicked, RoomChanged, RoomEnded
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.platform import Plivo
    from bridge.simulator.recordings import Recording

#: Most members of a room, and how long it lasts in s (page "Account limits").
MOST_MEMBERS: Final = 20
LONGEST_S: Final = 86_400.0


@dataclass(slots=True, eq=False)
class Member:
    """A line in a room; `joined` is wall time in s, `ends_room` is endConferenceOnExit."""

    member_id: str
    line: Line
    joined: float
    muted: bool = False
    deaf: bool = False
    ends_room: bool = False


@dataclass(slots=True, eq=False)
class Room:
    """A conference: its ConferenceUUID and members by id.

    `most` is fixed by the first member. stay_alone, once false, stays so, and counts only after two
    members have met, so that the first one may wait for the second (FreeSWITCH, flag mintwo).
    """

    plivo: Plivo
    name: str
    uuid: str
    began: float
    most: int = MOST_MEMBERS
    stay_alone: bool = True
    started: bool = False
    met: bool = False
    over: bool = False
    floor: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    recording: BackgroundRecording | None = None
    #: Where it is known by its name; None = among the conferences.
    among: dict[str, Room] | None = None
    #: How many status callbacks it had.
    told: int = 0
    _limit: asyncio.Event | None = None

    @property
    def full(self) -> bool:
        """Say whether nobody else gets in."""
        return len(self.members) >= self.most

    @property
    def waiting(self) -> bool:
        """Say whether the members wait for somebody: alone, or not started yet."""
        return not self.started or len(self.members) == 1

    def enter(self, member: Member, *, starts: bool, stay_alone: bool) -> None:
        """Let a member in."""
        self.members[member.member_id] = member
        self.started = self.started or starts
        self.stay_alone = self.stay_alone and stay_alone
        self.met = self.met or len(self.members) > 1
        self._note("enter", member)
        self._stir()

    def leave(self, member: Member) -> None:
        """Let a member out, however that came; the room may end by that."""
        if self.members.pop(member.member_id, None) is None:
            return
        if self.floor == member.member_id:
            self.floor = ""
        self._note("exit", member)
        if not self.members:
            self._close()
        elif not self.over:
            if self._ends_by(member) or (
                self.met and not self.stay_alone and len(self.members) == 1
            ):
                self.end()
            else:
                self._stir()

    def end(self) -> None:
        """End the conference for everybody; a new one of this name may begin at once."""
        self._close()
        for member in self.members.values():
            member.line.post(RoomEnded())

    def limit(self, seconds: float) -> None:
        """Send everybody out in so many s, whatever was the limit before; 0 = no limit.

        There is one timer per room, set anew by each member that names a limit, as in the framework.
        """
        if self._limit is not None:
            self._limit.set()
        self._limit = self.plivo.later(seconds, self._time_is_up) if seconds > 0 else None

    def find(self, members: Iterable[str] | str) -> Iterator[Member]:
        """Give the members with these ids, or all of them for "all"."""
        if members == "all":
            yield from tuple(self.members.values())
            return
        wanted = members.split(",") if isinstance(members, str) else members
        for one in wanted:
            if one in self.members:
                yield self.members[one]

    def kick(self, members: Iterable[str] | str) -> list[str]:
        """Send members out, whose calls go on; give their ids."""
        found = list(self.find(members))
        for member in found:
            member.line.post(Kicked())
        return [member.member_id for member in found]

    def mark(
        self, members: Iterable[str] | str, *, muted: bool | None = None, deaf: bool | None = None
    ) -> list[str]:
        """Mute or deafen members, or undo it; give their ids."""
        found = list(self.find(members))
        for member in found:
            if muted is not None and member.muted != muted:
                member.muted = muted
                self._note("mute" if muted else "unmute", member)
            if deaf is not None and member.deaf != deaf:
                member.deaf = deaf
                self._note("deaf" if deaf else "undeaf", member)
        return [member.member_id for member in found]

    def listeners(self, *, but: Member | None = None) -> list[Line]:
        """List the lines that hear what is played into the room."""
        return [m.line for m in self.members.values() if not m.deaf and m is not but]

    def form(self, member: Member) -> dict[str, str]:
        """Give the parameters that name a member."""
        return {
            "ConferenceName": self.name,
            "ConferenceUUID": self.uuid,
            "ConferenceMemberID": member.member_id,
        }

    def record(self, line: Line, file_format: str, url: str, method: Method) -> None:
        """Record the room from now on and report to a member's callbackUrl, at begin and end."""
        if self.recording is not None and self.recording.running:
            return

        def report(recording: Recording) -> None:
            form = self._recorded(recording, decimal=line.profile.decimal_durations)
            # Neither a call nor a member is named (Plivo XML reference, Conference).
            line.tell("record", url, form, method=method, bare=True, after=self._ready(recording))

        self.recording = BackgroundRecording(line, file_format, report, conference_name=self.name)
        report(self.recording.recording)

    def _ready(self, recording: Recording) -> float:
        return max(0.0, recording.ready_at - self.plivo.clock.now())

    def _recorded(self, recording: Recording, *, decimal: bool) -> Mapping[str, str]:
        names = ("RecordingDuration", "RecordingDurationMs", "RecordingStartMs", "RecordingEndMs")
        begins = recording.seconds < 0
        return {
            "Event": "ConferenceRecordStart" if begins else "ConferenceRecordStop",
            "ConferenceAction": "record",
            "ConferenceName": self.name,
            "ConferenceUUID": self.uuid,
            "RecordUrl": recording.url,
            "RecordingID": recording.recording_id,
            **dict(zip(names, lengths(recording, decimal=decimal), strict=True)),
        }

    def _ends_by(self, member: Member) -> bool:
        if not member.ends_room:
            return False
        first = self.plivo.profile.first_marked_exit_ends_room
        return first or not any(other.ends_room for other in self.members.values())

    def _time_is_up(self) -> None:
        self._close()
        self.kick("all")

    def _close(self) -> None:
        self.over = True
        known = self.plivo.rooms if self.among is None else self.among
        if known.get(self.name) is self:
            del known[self.name]
        if self._limit is not None:
            self._limit.set()
        if self.recording is not None:
            self.recording.stop()

    def _stir(self) -> None:
        for member in self.members.values():
            member.line.post(RoomChanged())

    def _note(self, action: str, member: Member) -> None:
        member.line.add(
            "room",
            f"{action} {self.name} as member {member.member_id}, {len(self.members)} in it",
            room=self.name,
            action=action,
            member=member.member_id,
            members=len(self.members),
        )


__all__ = ["LONGEST_S", "MOST_MEMBERS", "Member", "Room"]
