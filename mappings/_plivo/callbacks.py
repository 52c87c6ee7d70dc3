"""Plivo's forms read tolerantly: what came back from a document, as an event.

Only what the RT side needs is read; unknown parameters are ignored and none is required
(Plivo XML reference). Values are strings; durations may come as "12" or "12.0".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.events import (
    Broken,
    ConferenceLeft,
    DialEnded,
    DigitsReceived,
    DocumentEnded,
    RecordingReceived,
    SpeechReceived,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings._kernel.events import Event
    from mappings._plivo.verbs import NextKind

#: Far beyond what a phone can send; keeps hostile forms out of the state.
LONGEST_DIGITS = 256
LONGEST_TEXT = 2048


def continuation(kind: NextKind, form: Mapping[str, str], elapsed_ms: int) -> Event:
    """Read the request that continues a document.

    A room that was full (no ConferenceUUID) and an action without a result count
    as the end of the document.
    """
    match kind:
        case "digits":
            return DigitsReceived(_digits(form), elapsed_ms)
        case "speech":
            speech = form.get("Speech", "")[:LONGEST_TEXT]
            return SpeechReceived(speech, elapsed_ms) if speech else DocumentEnded(elapsed_ms)
        case "recording":
            return recording(form, elapsed_ms) or DocumentEnded(elapsed_ms)
        case "dial":
            status = form.get("DialStatus", "")[:LONGEST_TEXT].strip().lower()
            cause = form.get("DialHangupCause", "")[:LONGEST_TEXT]
            return DialEnded(status, cause, elapsed_ms)
        case "conference":
            uuid = form.get("ConferenceUUID", "")[:LONGEST_TEXT]
            return ConferenceLeft("", uuid, elapsed_ms) if uuid else DocumentEnded(elapsed_ms)
        case "next":
            return DocumentEnded(elapsed_ms)
        case "break":
            return Broken()


def recording(form: Mapping[str, str], elapsed_ms: int = 0) -> RecordingReceived | None:
    """Read the result of a Record (action or callback); None when it names no recording."""
    url = form.get("RecordUrl", "").strip()[:LONGEST_TEXT]
    recording_id = form.get("RecordingID", "").strip()[:LONGEST_TEXT]
    if not url and not recording_id:
        return None
    duration_ms = milliseconds(form.get("RecordingDurationMs"))
    if duration_ms < 0:
        seconds = milliseconds(form.get("RecordingDuration"))
        duration_ms = seconds * 1000 if seconds >= 0 else -1
    return RecordingReceived(url, recording_id, duration_ms, _digits(form), elapsed_ms)


def milliseconds(text: str | None) -> int:
    """Read a number of Plivo's leniently; -1 when there is none."""
    try:
        value = float(text or "")
    except ValueError:
        return -1
    return int(value) if 0 <= value < 1e12 else -1  # noqa: PLR2004 - beyond any call


def _digits(form: Mapping[str, str]) -> str:
    keys = form.get("Digits", "")[:LONGEST_DIGITS]
    return "".join(key for key in keys if key in "0123456789*#")


__all__ = ["continuation", "milliseconds", "recording"]
