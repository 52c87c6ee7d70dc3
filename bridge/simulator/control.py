"""What the REST API does to live calls and rooms; see the pages "Call", "Conference" and "Record".

Nothing here speaks HTTP: each function acts and says whether there was something to act on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bridge.simulator.background_recordings import BackgroundRecording, lengths
from bridge.simulator.causes import HUNG_UP_BY_API, LOOP_DETECTED
from bridge.simulator.document import Element
from bridge.simulator.elements.record import transcribe
from bridge.simulator.elements.speak_play import announce
from bridge.simulator.inputs import HungUp, Transferred
from bridge.simulator.leg import Method
from bridge.simulator.party import Party

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.platform import Plivo
    from bridge.simulator.recordings import Recording
    from bridge.simulator.rooms import Room

Legs = Literal["aleg", "bleg", "both"]

#: Transfers a call survives (page "Transfer a call").
MOST_TRANSFERS: Final = 70
#: A recording through REST ends after so many s unless it is told otherwise (page "Record a call").
RECORDING_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """Where the end of something asked for through REST is reported, under which api_id.

    `transcription_url` gets what was said during a recording.
    """

    url: str = ""
    method: Method = "POST"
    api_id: str = ""
    transcription_url: str = ""
    transcription_method: Method = "POST"


def party_of(line: Line) -> Party | None:
    """Give the party that a call is connected with, or None."""
    call = line
    while call.parent is not None:
        call = call.parent
    parties = (leg for leg in call.legs if isinstance(leg, Party) and leg.here)
    mine = (party for party in parties if party.dialling.line is line)
    return next((party for party in mine if party.dialling.winner is party), None)


def hang_up_all(plivo: Plivo) -> int:
    """Hang up every call of the account; say how many there were."""
    lines = tuple(plivo.calls.values())
    for line in lines:
        line.post(HungUp(HUNG_UP_BY_API))
    return len(lines)


def transfer(
    plivo: Plivo,
    uuid: str,
    legs: Legs = "aleg",
    aleg_url: str = "",
    bleg_url: str = "",
    *,
    aleg_method: Method = "POST",
    bleg_method: Method = "POST",
) -> bool:
    """Send a call, its party or both to other documents; False when one of them does not live.

    A party whose call is sent away alone is hung up. One transfer too many ends the call with cause
    2060. Raises ValueError for a missing URL.
    """
    if (legs != "bleg" and not aleg_url) or (legs != "aleg" and not bleg_url):
        needed = {"aleg": "aleg_url", "bleg": "bleg_url", "both": "aleg_url and bleg_url"}
        raise ValueError(f"legs={legs} needs {needed[legs]}.")
    line = plivo.find(uuid)
    if line is None or (line.leg.direction == "outbound" and line.leg.answered is None):
        return False
    party = party_of(line)
    if legs != "aleg" and party is None:
        return False
    plivo.transfers[uuid] += 1
    if plivo.transfers[uuid] > MOST_TRANSFERS:
        line.post(HungUp(LOOP_DETECTED))
        return True
    # The call first: its Dial is broken off, not ended by the party that leaves.
    if legs != "bleg":
        if isinstance(line, Party) and line.here:
            line.depart()
        line.post(Transferred(aleg_url, aleg_method))
    if legs != "aleg" and party is not None:
        party.depart()
        party.post(Transferred(bleg_url, bleg_method))
    return True


def hang_up_members(room: Room, members: Iterable[str] | str) -> list[str]:
    """Hang up the calls of members; give their ids."""
    found = list(room.find(members))
    for member in found:
        member.line.post(HungUp(HUNG_UP_BY_API))
    return [member.member_id for member in found]


def end_room(room: Room) -> None:
    """Hang up the calls of all members (page "Hang up a conference")."""
    hang_up_members(room, "all")


def start_recording(
    line: Line,
    report: Report,
    *,
    time_limit: float = RECORDING_S,
    file_format: str = "mp3",
) -> Recording:
    """Record a call for `time_limit` s at most; its end is reported in snake_case."""

    def ended(recording: Recording) -> None:
        _report(line, report, {"call_uuid": line.uuid}, recording)

    recorder = BackgroundRecording(line, file_format, ended)
    line.plivo.recorders.setdefault(line.uuid, []).append(recorder)
    line.later(time_limit, recorder.stop)
    line.when_over(recorder.stop)
    return recorder.recording


def stop_recording(line: Line, url: str = "") -> bool:
    """Stop the recordings of a call, or the one with this URL; False when none runs."""
    running = [
        recorder
        for recorder in line.plivo.recorders.get(line.uuid, ())
        if recorder.running and url in {"", recorder.recording.url}
    ]
    for recorder in running:
        recorder.stop()
    return bool(running)


def start_room_recording(
    room: Room, report: Report, *, file_format: str = "mp3"
) -> Recording | None:
    """Record a room until it ends; None when nobody is in it."""
    line = next((member.line for member in room.members.values()), None)
    if line is None:
        return None
    first = line

    def ended(recording: Recording) -> None:
        _report(first, report, {"conference_name": room.name}, recording)

    if room.recording is None or not room.recording.running:
        room.recording = BackgroundRecording(first, file_format, ended, conference_name=room.name)
    return room.recording.recording


def stop_room_recording(room: Room) -> bool:
    """Stop recording a room; False when nothing runs."""
    running = room.recording is not None and room.recording.running
    if room.recording is not None:
        room.recording.stop()
    return running


def play(line: Line, urls: Iterable[str], legs: Legs = "aleg", *, loop: bool = False) -> bool:
    """Play sound files into a call, beside its document; False when there is no such leg."""
    attributes = {"loop": "0"} if loop else {}
    elements = [Element("Play", url, attributes, (), 0) for url in urls]
    return _let_hear(line, legs, elements)


def speak(
    line: Line,
    text: str,
    legs: Legs = "aleg",
    *,
    voice: str = "WOMAN",
    language: str = "en-US",
    loop: bool = False,
) -> bool:
    """Speak into a call, beside its document; False when there is no such leg."""
    attributes = {"voice": voice, "language": language} | ({"loop": "0"} if loop else {})
    return _let_hear(line, legs, [Element("Speak", text, attributes, (), 0)])


def send_digits(line: Line, digits: str, leg: Literal["aleg", "bleg"] = "aleg") -> bool:
    """Send tones to a call or to its party; False when there is no such leg."""
    lines = list(_legs(line, leg))
    for one in lines:
        one.add("hears", f"the tones {digits}", element="DTMF", tones=digits)
    return bool(lines)


def play_to_members(room: Room, members: Iterable[str] | str, element: Element) -> list[str]:
    """Let members hear a Play or Speak; give their ids."""
    found = list(room.find(members))
    for member in found:
        _let_hear(member.line, "aleg", [element])
    return [member.member_id for member in found]


def _legs(line: Line, legs: Legs) -> Iterator[Line]:
    if legs != "bleg":
        yield line
    party = party_of(line) if legs != "aleg" else None
    if party is not None:
        yield party


def _let_hear(line: Line, legs: Legs, elements: Iterable[Element]) -> bool:
    lines = list(_legs(line, legs))
    for one in lines:
        line.plivo.spawn(_announce(one, tuple(elements)), f"sound for call {one.number}")
    return bool(lines)


async def _announce(line: Line, elements: Iterable[Element]) -> None:
    for element in elements:
        if line.ending is None:
            await line.clock.sleep(await announce(line, element))


def _report(line: Line, report: Report, about: Mapping[str, str], recording: Recording) -> None:
    """Tell the callback of a recording; unlike XML, REST writes its parameters in snake_case."""
    names = (
        "recording_duration",
        "recording_duration_ms",
        "recording_start_ms",
        "recording_end_ms",
    )
    values = lengths(recording, decimal=line.profile.decimal_durations)
    form = {
        "api_id": report.api_id,
        **about,
        "record_url": recording.url,
        "recording_id": recording.recording_id,
        **dict(zip(names, values, strict=True)),
    }
    after = max(0.0, recording.ready_at - line.clock.now())
    line.tell("recording", report.url, form, method=report.method, bare=True, after=after)
    if report.transcription_url:
        transcribe(line, recording, report.transcription_url, report.transcription_method)


__all__ = [
    "MOST_TRANSFERS",
    "RECORDING_S",
    "Legs",
    "Report",
    "end_room",
    "hang_up_all",
    "hang_up_members",
    "party_of",
    "play",
    "play_to_members",
    "send_digits",
    "speak",
    "start_recording",
    "start_room_recording",
    "stop_recording",
    "stop_room_recording",
    "transfer",
]
