"""Recordings that are over (page "Recordings"); their files have an address of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import compared, page, read_time, written_time

if TYPE_CHECKING:
    from bridge.simulator.recordings import Recording

_DAY_S: Final = 86_400.0
#: A list goes so far back when nothing is said of time, and never over more than the second.
_USUAL_S: Final = 7 * _DAY_S
_LONGEST_S: Final = 30 * _DAY_S
_SINCE: Final = ("add_time__gt", "add_time__gte")
_BEFORE: Final = ("add_time__lt", "add_time__lte")


def everything(asked: Asked) -> Reply:
    """List them, newest first: of the last 7 days, or of the time that is asked for."""
    now = asked.api.plivo.clock.now()
    begins = [read_time(asked, name) for name in _SINCE if asked.text(name)]
    ends = [read_time(asked, name) for name in _BEFORE if asked.text(name)]
    if begins and min([*ends, now]) - max(begins) > _LONGEST_S:
        asked.bad("add_time", "may span 30 days at most")
    since = max(begins) if begins else min([*ends, now]) - _USUAL_S
    found = [
        recording
        for recording in asked.api.plivo.recordings.values()
        if recording.seconds >= 0
        and _added(recording) >= since
        and compared(asked, "add_time", _added(recording), read_time)
        and _wanted(asked, recording)
    ]
    found.sort(key=_added, reverse=True)
    return page(asked, "Recording", [_shown(asked, recording) for recording in found])


def get(asked: Asked) -> Reply:
    """Give one."""
    return Reply(200, _shown(asked, _found(asked)))


def delete(asked: Asked) -> Reply:
    """Delete one, and its file."""
    del asked.api.plivo.recordings[_found(asked).recording_id]
    return Reply(204)


def _found(asked: Asked) -> Recording:
    recording = asked.api.plivo.recordings.get(asked.ids["recording_id"])
    if recording is None or recording.seconds < 0:
        raise Refused(404, "recording not found")
    return recording


def _added(recording: Recording) -> float:
    return recording.began + recording.seconds


def _wanted(asked: Asked, recording: Recording) -> bool:
    caller, called = _numbers(asked, recording)
    words = {
        "call_uuid": recording.call_uuid,
        "conference_name": recording.conference_name or "noname",
        "from_number": caller,
        "to_number": called,
    }
    return not asked.text("subaccount") and all(
        asked.text(name).removeprefix("+") in {"", value} for name, value in words.items()
    )


def _numbers(asked: Asked, recording: Recording) -> tuple[str, str]:
    line = asked.api.registry.line(recording.call_uuid)
    return ("", "") if line is None else (line.leg.caller, line.leg.called)


def _shown(asked: Asked, recording: Recording) -> dict[str, Any]:
    caller, called = _numbers(asked, recording)
    # A length is rounded to whole ms, as in the callbacks; the lists add five zeros.
    begun, ms = 1000 * round(recording.began), round(1000 * recording.seconds)
    return {
        "add_time": written_time(_added(recording), digits=True),
        "call_uuid": recording.call_uuid,
        "conference_name": recording.conference_name or "noname",
        "from_number": caller,
        "recording_duration_ms": f"{ms}.00000",
        "recording_end_ms": f"{begun + ms}.00000",
        "recording_format": recording.file_format,
        "recording_id": recording.recording_id,
        "recording_start_ms": f"{begun}.00000",
        "recording_type": "conference" if recording.conference_name else "call",
        "recording_url": recording.url,
        "resource_uri": f"{asked.api.base}/Recording/{recording.recording_id}/",
        "to_number": called,
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "Recording/", everything),
    Route("GET", "Recording/{recording_id}/", get),
    Route("DELETE", "Recording/{recording_id}/", delete),
)

__all__ = ["ROUTES"]
