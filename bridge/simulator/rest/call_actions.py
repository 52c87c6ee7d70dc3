"""What is done to a call that lives (pages "Record a call", "Play audio", "Speak text", "DTMF")."""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from bridge.simulator import control
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route

LONGEST_TEXT: Final = 3000
_LONGEST_RECORDING_S: Final = 86_400
_LEGS: Final[tuple[control.Legs, ...]] = ("aleg", "bleg", "both")
_DIGITS: Final = re.compile(r"(?:[0-9*#wW](?:@[0-9]{1,5})?)+")


def record(asked: Asked) -> Reply:
    """Record a call; the end is reported to callback_url."""
    line = asked.line()
    file_format, report, limit = recording_parameters(asked)
    channels = asked.choice("record_channel_type", ("stereo", "mono"))
    recording = control.start_recording(
        line, report, time_limit=float(limit), file_format=file_format
    )
    recording.channels = 2 if channels == "stereo" else 1
    told = {"url": recording.url, "recording_id": recording.recording_id}
    return Reply(202, {"message": "call recording started", **told})


def recording_parameters(asked: Asked) -> tuple[str, control.Report, int]:
    """Read what recordings of calls and of conferences share: format, callback, limit in s."""
    wanted = asked.choice("transcription_type", ("", "auto", "hybrid"))
    transcription_url = asked.url("transcription_url")
    report = control.Report(
        asked.url("callback_url"),
        asked.http_method("callback_method"),
        asked.api_id,
        transcription_url if wanted else "",
        asked.http_method("transcription_method"),
    )
    limit = asked.whole("time_limit", round(control.RECORDING_S), 1, _LONGEST_RECORDING_S)
    return asked.choice("file_format", ("mp3", "wav")), report, limit


def stop_recording(asked: Asked) -> Reply:
    """Stop every recording of the call, or the one with this URL."""
    if not control.stop_recording(asked.line(), asked.text("URL")):
        raise Refused(404, "no such recording is in progress")
    return Reply(204)


def play(asked: Asked) -> Reply:
    """Play sound files into a call."""
    line, legs, loop = asked.line(), asked.choice("legs", _LEGS), asked.flag("loop")
    asked.flag("mix", default=True)
    asked.whole("length", 3600, 1, 86_400)
    urls = asked.required("urls").split(",")
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            asked.bad("urls", f"must be URLs with http or https, joined by commas, not {url!r}")
    return _heard(control.play(line, urls, legs, loop=loop), "play started")


def speak(asked: Asked) -> Reply:
    """Speak into a call."""
    line, legs, loop = asked.line(), asked.choice("legs", _LEGS), asked.flag("loop")
    asked.flag("mix", default=True)
    asked.choice("type", ("text", "ssml"))
    text, voice, language = spoken(asked)
    done = control.speak(line, text, legs, voice=voice, language=language, loop=loop)
    return _heard(done, "speak started")


def spoken(asked: Asked) -> tuple[str, str, str]:
    """Read what is spoken: text, voice, language."""
    text = asked.required("text")
    if len(text) > LONGEST_TEXT:
        asked.bad("text", f"may have {LONGEST_TEXT} characters, not {len(text)}")
    return text, asked.text("voice", "WOMAN"), asked.text("language", "en-US")


def stop_sound(asked: Asked) -> Reply:
    """Stop what plays or is spoken; how much of it was heard is not simulated."""
    asked.line()
    return Reply(204)


def send_digits(asked: Asked) -> Reply:
    """Send tones."""
    line = asked.line()
    legs: tuple[Literal["aleg", "bleg"], ...] = ("aleg", "bleg")
    digits, leg = asked.required("digits"), asked.choice("leg", legs)
    if not _DIGITS.fullmatch(digits):
        asked.bad("digits", f"must be 0-9, *, #, w or W, each with an optional @ms, not {digits!r}")
    return _heard(control.send_digits(line, digits, leg), "digits sent")


def _heard(done: bool, message: str) -> Reply:  # noqa: FBT001 -- what the control gave
    if not done:
        raise Refused(404, "leg not found: the call is connected with nobody")
    return Reply(202, {"message": message})


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "Call/{call_uuid}/Record/", record, own_callback=True),
    Route("DELETE", "Call/{call_uuid}/Record/", stop_recording),
    Route("POST", "Call/{call_uuid}/Play/", play),
    Route("DELETE", "Call/{call_uuid}/Play/", stop_sound),
    Route("POST", "Call/{call_uuid}/Speak/", speak),
    Route("DELETE", "Call/{call_uuid}/Speak/", stop_sound),
    Route("POST", "Call/{call_uuid}/DTMF/", send_digits),
)

__all__ = ["ROUTES", "recording_parameters", "spoken"]
