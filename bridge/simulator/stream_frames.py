"""What an application may send over the WebSocket of a Stream, and which rule a bad frame breaks.

Sources: Plivo XML reference, Stream, and the page "Audio streaming" (limits).
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Bytes per second of one channel, by content type and sample rate.
FORMATS: Final = {
    ("audio/x-l16", 8000): 16_000,
    ("audio/x-l16", 16_000): 32_000,
    ("audio/x-mulaw", 8000): 8000,
}
MOST_BYTES: Final = 65_536
MOST_PAYLOAD: Final = 16_384
EVENTS: Final = ("playAudio", "checkpoint", "clearAudio", "sendDTMF")
_TONES: Final = re.compile(r"[0-9*#wW]+")


class BadFrame(Exception):  # noqa: N818 - named for what it is
    """The frame breaks a rule; the message is a sentence that names it."""


@dataclass(frozen=True, slots=True)
class PlayAudio:
    """Audio to be played after what is still playing; its length in s."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """To be reported once everything before it was played."""

    name: str


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Nothing of what was sent so far is to be played any more."""


@dataclass(frozen=True, slots=True)
class SendTones:
    """Keys to be pressed for the person on the call."""

    tones: str


AppFrame = PlayAudio | Checkpoint | ClearAudio | SendTones


def read_frame(data: str | bytes, stream_id: str) -> AppFrame:
    """Read a message of the application. Raises BadFrame."""
    if isinstance(data, bytes):
        raise BadFrame("A message must be text, not binary.")
    size = len(data.encode())
    if size > MOST_BYTES:
        raise BadFrame(f"A message may have {MOST_BYTES} bytes; this one has {size}.")
    try:
        frame = json.loads(data)
    except ValueError as error:
        raise BadFrame(f"A message must be JSON: {error}.") from None
    if not isinstance(frame, dict):
        raise BadFrame("A message must be a JSON object.")
    event = frame.get("event")
    if event not in EVENTS:
        raise BadFrame(f"event must be one of {', '.join(EVENTS)}, not {event!r}.")
    _check_stream(frame, event, stream_id)
    match event:
        case "playAudio":
            return _audio(frame.get("media"))
        case "checkpoint":
            return Checkpoint(_text(frame, "name", "checkpoint"))
        case "clearAudio":
            return ClearAudio()
        case _:
            tones = _text(frame, "dtmf", "sendDTMF")
            if not _TONES.fullmatch(tones):
                raise BadFrame(f"sendDTMF: dtmf holds 0-9, *, #, w and W, not {tones!r}.")
            return SendTones(tones)


def _check_stream(frame: Mapping[str, Any], event: str, stream_id: str) -> None:
    given = frame.get("streamId")
    if given is None and event in {"checkpoint", "clearAudio"}:
        raise BadFrame(f"{event} must have the streamId of the start frame.")
    if given is not None and given != stream_id:
        raise BadFrame(f"{event}: {given!r} is not the streamId of this stream, {stream_id}.")


def _text(frame: Mapping[str, Any], name: str, event: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str) or not value:
        raise BadFrame(f"{event}: {name} must be text that is not empty, not {value!r}.")
    return value


def _audio(media: Any) -> PlayAudio:
    if not isinstance(media, dict):
        raise BadFrame("playAudio: media must be an object.")
    kind, given, payload = (media.get(name) for name in ("contentType", "sampleRate", "payload"))
    # The pages show the rate as a number, one of them as text.
    rate = int(given) if isinstance(given, str) and given.isdigit() else given
    per_second = FORMATS.get((str(kind), rate)) if isinstance(rate, int) else None
    if per_second is None:
        known = ", ".join(f"{name} at {hertz}" for name, hertz in FORMATS)
        raise BadFrame(
            f"playAudio: contentType {kind!r} with sampleRate {given!r} is none of {known} "
            "(contentType has no rate)."
        )
    if not isinstance(payload, str) or not payload:
        raise BadFrame("playAudio: payload must be base64 text.")
    if len(payload) > MOST_PAYLOAD:
        raise BadFrame(
            f"playAudio: payload may have {MOST_PAYLOAD} characters; this one has {len(payload)}."
        )
    try:
        audio = b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadFrame(f"playAudio: payload is not base64: {error}.") from None
    if audio[:4] == b"RIFF":
        raise BadFrame("playAudio: payload must be raw audio; this one has a WAV header.")
    if kind == "audio/x-l16" and len(audio) % 2:
        raise BadFrame(f"playAudio: l16 has two bytes a sample; this payload has {len(audio)}.")
    return PlayAudio(len(audio) / per_second)


__all__ = [
    "EVENTS",
    "FORMATS",
    "MOST_BYTES",
    "MOST_PAYLOAD",
    "AppFrame",
    "BadFrame",
    "Checkpoint",
    "ClearAudio",
    "PlayAudio",
    "SendTones",
    "read_frame",
]
