"""Record: keep what is said, in the foreground or beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Final

from bridge.simulator.afterwards import note_hangup, report_after_hangup, report_after_transfer
from bridge.simulator.background_recordings import BackgroundRecording, lengths
from bridge.simulator.document import Element
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inputs import Key, Talks
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.recordings import Recording

#: Prices are made up; only that there are some is documented.
TRANSCRIPTION_RATE: Final = 0.0095
#: How long a transcription takes, in s: "under 5 minutes" (Plivo XML reference, Record).
TRANSCRIPTION_S: Final = 30.0
#: Shorter recordings are not transcribed (the same).
SHORTEST_TRANSCRIBED_S: Final = 0.5
LONGEST_TRANSCRIBED_S: Final = 4 * 3600.0


async def record(line: Line, element: Element) -> Follow | None:
    """Record until silence, a key, maxLength or hangup; or in the background.

    recordSession begins now and lasts as long as the call, startOnDialAnswer begins when the next
    Dial connects; both ask for the action at once, with -1 for every time.
    Source: Plivo XML reference, Record.
    """
    if "true" in {element.get("recordSession"), element.get("startOnDialAnswer")}:
        return _in_background(line, element)
    if element.get("playBeep", "true") == "true":
        line.add("hears", "a beep", element="beep")
    running = _prepare(line, element, lambda _: None)
    running.begin()
    recording = running.recording
    try:
        key, silent = await _recorded(line, element)
    except Over as over:
        note_hangup(line)
        running.stop()
        _report(line, element, recording)
        report_after_hangup(
            line,
            element,
            {**result(line, recording), "Digits": ""},
            over.ending,
            redirects=line.profile.record_action_after_hangup,
            reports=line.profile.record_report_after_hangup,
        )
        raise
    except Moved:
        running.stop()
        _report(line, element, recording)
        report_after_transfer(line, element, {**result(line, recording), "Digits": ""})
        raise
    running.stop()
    if silent and not line.profile.silent_record_reaches_action:
        return None
    if line.profile.recording_callback_first and element.get("callbackUrl"):
        # A callback promises that the file is ready.
        recording.ready_at = line.clock.now()
        await line.until(_report(line, element, recording))
    else:
        _report(line, element, recording)
    return line.follow(element, {**result(line, recording), "Digits": key})


def result(line: Line, recording: Recording) -> dict[str, str]:
    """Give what a request says about a recording; -1 for every time while it runs."""
    seconds, ms, begin, end = lengths(recording, decimal=line.profile.decimal_durations)
    return {
        "RecordUrl": recording.url,
        "RecordingID": recording.recording_id,
        "RecordingDuration": seconds,
        "RecordingDurationMs": ms,
        "RecordingStartMs": begin,
        "RecordingEndMs": end,
    }


async def _recorded(line: Line, element: Element) -> tuple[str, bool]:
    """Wait for the end; give the key that brought it, or "", and whether nothing was said."""
    patience, longest = element.number("timeout", 15), element.number("maxLength", 60)
    finish = element.get("finishOnKey", line.profile.record_finish_keys)
    until = line.clock.now() + longest
    quiet_since = max(line.clock.now(), line.talking_until)
    silent = line.talking_until <= line.clock.now()
    with line.listens("Record", "recording", "keys"):
        while (now := line.clock.now()) < min(until, quiet_since + patience):
            event = await line.next(min(until, quiet_since + patience) - now)
            if isinstance(event, Talks):
                quiet_since, silent = line.talking_until, False
            elif isinstance(event, Key) and event.digit in finish:
                return event.digit, False
            elif event is not None:
                line.lose(event)
    return "", silent


def _in_background(line: Line, element: Element) -> Follow | None:
    def report(recording: Recording) -> None:
        _report(line, element, recording)

    session = element.get("recordSession") == "true"
    running = _prepare(line, element, report)

    def begin() -> None:
        running.begin()
        line.later(element.number("maxLength", 60), running.stop)

    line.when_over(running.stop)
    if session:
        begin()
    else:
        line.at_next_dial(begin, running.stop)
    return line.follow(element, result(line, running.recording))


def _prepare(
    line: Line, element: Element, report: Callable[[Recording], None]
) -> BackgroundRecording:
    running = BackgroundRecording(line, element.get("fileFormat", "mp3"), report, begins=False)
    running.recording.channels = 1 if element.get("recordChannelType") == "mono" else 2
    return running


def _report(line: Line, element: Element, recording: Recording) -> asyncio.Event:
    """Notify callbackUrl once the file is ready, and transcriptionUrl later."""
    wait = max(0.0, recording.ready_at - line.clock.now())
    if element.get("transcriptionType"):
        url, method = element.get("transcriptionUrl"), _method(element, "transcriptionMethod")
        transcribe(line, recording, url, method)
    return line.tell(
        "recording",
        element.get("callbackUrl"),
        result(line, recording),
        after=wait,
        method=_method(element, "callbackMethod"),
    )


def transcribe(line: Line, recording: Recording, url: str, method: Method) -> None:
    """Notify a transcription URL of what was said on the line during the recording."""
    seconds, end = recording.seconds, recording.began + recording.seconds
    if seconds <= SHORTEST_TRANSCRIBED_S:
        return
    too_long = seconds >= LONGEST_TRANSCRIBED_S
    said = (talk.text for at, talk in line.said if recording.began <= at < end)
    charge = 0.0 if too_long else TRANSCRIPTION_RATE * ceil(seconds / 60)
    form = {
        "transcription": "" if too_long else " ".join(filter(None, said)),
        "transcription_charge": f"{charge:.5f}",
        "transcription_rate": f"{TRANSCRIPTION_RATE:g}",
        "duration": f"{seconds:g}",
        "call_uuid": line.uuid,
        "recording_id": recording.recording_id,
        "error": "Recording duration too long for transcription" if too_long else "",
    }
    line.tell(
        "transcription",
        url,
        form,
        after=TRANSCRIPTION_S,
        method=method,
        bare=True,
    )


def _method(element: Element, attribute: str) -> Method:
    return "GET" if element.get(attribute) == "GET" else "POST"


__all__ = ["record", "result", "transcribe"]
