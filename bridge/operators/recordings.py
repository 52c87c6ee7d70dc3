"""`rt-bridge recordings`: list recordings and show their transcripts; see docs/operators.md."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

import click
from pydantic_core import to_json

from bridge.errors import SettingsError
from bridge.operators.moments import shown, written
from bridge.operators.tables import table
from bridge.recordings import index, transcripts
from bridge.settings import load_settings
from bridge.store.protocol import StoreUnavailable
from bridge.store.reading import Records, reading

if TYPE_CHECKING:
    from bridge.recordings.index import Recording
    from bridge.recordings.transcripts import Transcript

FAILURE: Final = 1
USAGE: Final = 2
_PAGE: Final = 500
#: What is no longer is not transcribed, and nobody is told so (Plivo's XML reference, Record).
_TRANSCRIBED_FROM_S: Final = 0.5
_TOO_SHORT: Final = "it is too short: Plivo transcribes what is longer than half a second."
_HEADER: Final = ("NAME", "APP", "CALL", "OF", "BEGUN", "SECONDS", "TRANSCRIPT", "URL")


def list_main(output_format: str, app: str | None, callid: int | None, limit: int) -> int:
    """Print the recordings, the newest first; give the exit status."""
    try:
        store = load_settings(os.environ).settings.store
        found = asyncio.run(_listed(store, app, callid, limit))
    except SettingsError as error:
        click.echo(str(error), err=True)
        return USAGE
    except StoreUnavailable as error:
        click.echo(str(error), err=True)
        return FAILURE
    if output_format == "json":
        for one in found:
            click.echo(to_json(_members(*one)))
    else:
        click.echo(table(_HEADER, [_row(*one) for one in found]), nl=False)
    return 0


def show_main(name: str, output_format: str) -> int:
    """Print the transcript of one recording; give the exit status."""
    try:
        store = load_settings(os.environ).settings.store
        found = asyncio.run(_one(store, name))
    except SettingsError as error:
        click.echo(str(error), err=True)
        return USAGE
    except StoreUnavailable as error:
        click.echo(str(error), err=True)
        return FAILURE
    if found is None:
        click.echo(f"The bridge knows no recording {name}, or no more.", err=True)
        return FAILURE
    recording, transcript = found
    if output_format == "json":
        text = None if transcript is None else transcript.text
        click.echo(to_json({**_members(recording, transcript), "text": text}))
        return 0
    why = _why_none(recording, transcript)
    if why or transcript is None:
        click.echo(f"{name}: {why}", err=True)
        return FAILURE
    click.echo(transcript.text)
    return 0


async def _listed(
    store: str, app: str | None, callid: int | None, limit: int
) -> list[tuple[Recording, Transcript | None]]:
    found: list[tuple[Recording, Transcript | None]] = []
    async with reading(store) as records:
        after: tuple[float, str] | None = None
        while rows := await records.list_records(
            index.KIND, scope=app, after=after, limit=_PAGE, newest_first=True
        ):
            for row in rows:
                recording = index.load(row)
                if callid in {None, recording.callid}:
                    found.append((recording, await _transcript(records, recording.name)))
                if len(found) == limit:
                    return found
            after = rows[-1].sort, rows[-1].key
    return found


async def _one(store: str, name: str) -> tuple[Recording, Transcript | None] | None:
    async with reading(store) as records:
        row = await records.load_record(index.KIND, name)
        return None if row is None else (index.load(row), await _transcript(records, name))


async def _transcript(records: Records, name: str) -> Transcript | None:
    row = await records.load_record(transcripts.KIND, name)
    return None if row is None else transcripts.load(row)


def _state(recording: Recording, transcript: Transcript | None) -> str:
    """Say how far the transcript is: none, awaited, ready, failed."""
    if transcript is not None:
        return "failed" if transcript.error else "ready"
    if _is_too_short(recording):
        return "failed"
    return "awaited" if recording.transcribed else "none"


def _why_none(recording: Recording, transcript: Transcript | None) -> str:
    """Say why there is no text, "" = there is."""
    if transcript is not None:
        if transcript.error:
            return f"Plivo could not transcribe it: {transcript.error}"
        return "" if transcript.text else "Plivo heard nobody speak."
    if _is_too_short(recording):
        return _TOO_SHORT
    if recording.transcribed:
        return "Plivo has not sent the transcript yet; it takes some minutes from the end on."
    return "nobody asked for a transcript of this recording (start_call_recording, transcription)."


def _is_too_short(recording: Recording) -> bool:
    """Tell whether Plivo will never send a transcript that was asked for."""
    seconds = recording.seconds
    return recording.transcribed and seconds is not None and seconds <= _TRANSCRIBED_FROM_S


def _error(recording: Recording, transcript: Transcript | None) -> str:
    if transcript is not None:
        return transcript.error
    return _TOO_SHORT if _is_too_short(recording) else ""


def _members(recording: Recording, transcript: Transcript | None) -> dict[str, Any]:
    return {
        "name": recording.name,
        "app": recording.app,
        "callid": recording.callid,
        "recording_id": recording.recording_id,
        "of": recording.of,
        "begun": written(recording.begun_at),
        "seconds": recording.seconds,
        "url": recording.url,
        "transcript": _state(recording, transcript),
        "error": _error(recording, transcript),
    }


def _row(recording: Recording, transcript: Transcript | None) -> tuple[str, ...]:
    return (
        recording.name,
        recording.app,
        str(recording.callid),
        recording.of,
        shown(recording.begun_at),
        "-" if recording.seconds is None else f"{recording.seconds:g}",
        _state(recording, transcript),
        recording.url or "-",
    )


__all__ = ["list_main", "show_main"]
