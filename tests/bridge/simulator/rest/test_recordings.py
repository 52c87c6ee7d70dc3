from __future__ import annotations

from typing import Any

import pytest
from plivo.exceptions import ResourceNotFoundError
from support_plivo import CALLED, CALLER
from support_rest import Rest

_DAY_S = 86_400


async def recorded(rest: Rest, seconds: float = 12, **fields: Any) -> tuple[str, str]:
    """Record a call; gives the ids of call and recording."""
    line = await rest.call()
    started = await rest.sdk(rest.client.calls.record, line.uuid, time_limit=600, **fields)
    await rest.passes(seconds)
    await rest.sdk(rest.client.calls.hangup, line.uuid)
    await rest.passes(10)
    return line.uuid, started.recording_id


async def test_a_recording(rest: Rest) -> None:
    """Lengths and instants are text with decimals, the name of no conference is noname."""
    call, identity = await recorded(rest)
    shown = await rest.sdk(rest.client.recordings.get, identity)

    assert {
        "call_uuid": call,
        "conference_name": "noname",
        "from_number": CALLER,
        "to_number": CALLED,
        "recording_id": identity,
        "recording_format": "mp3",
        "recording_type": "call",
        "recording_duration_ms": "12000.00000",
        "add_time": "2026-01-05 10:00:14.000000+00:00",
        "resource_uri": f"{rest.plivo.api.base}/Recording/{identity}/",
    }.items() <= vars(shown).items()
    assert 12_000 == float(shown.recording_end_ms) - float(shown.recording_start_ms)
    assert (
        shown.recording_url == f"{rest.plivo.api_url}{rest.plivo.api.base}/Recording/{identity}.mp3"
    )


async def test_recordings_are_listed_newest_first(rest: Rest) -> None:
    """Those that are over; filters narrow the list."""
    first, second = await recorded(rest), await recorded(rest, 20)
    line = await rest.call()
    await rest.sdk(rest.client.calls.record, line.uuid)
    listed = await rest.sdk(rest.client.recordings.list)
    by_call = await rest.sdk(rest.client.recordings.list, call_uuid=first[0])
    nobody = await rest.sdk(rest.client.recordings.list, from_number="1")
    late = await rest("GET", "Recording/?add_time__gt=2026-01-05 10:00:20")

    assert [second[1], first[1]] == [one.recording_id for one in listed]
    assert ([first[1]], 0) == ([one.recording_id for one in by_call], len(nobody))
    assert [second[1]] == [one["recording_id"] for one in late[1]["objects"]]


async def test_lists_go_back_seven_days(rest: Rest) -> None:
    """Unless a time is given, and never over more than 30 days."""
    _, identity = await recorded(rest)
    await rest.passes(8 * _DAY_S)
    _, usual = await rest("GET", "Recording/")
    _, asked = await rest("GET", "Recording/?add_time__gte=2026-01-01")
    _, before = await rest("GET", "Recording/?add_time__lte=2026-01-06")
    status, body = await rest("GET", "Recording/?add_time__gte=2025-12-01")

    assert [] == usual["objects"]
    assert [[identity]] * 2 == [
        [one["recording_id"] for one in listed["objects"]] for listed in (asked, before)
    ]
    assert (400, "add_time may span 30 days at most") == (status, body["error"])


async def test_a_recording_is_deleted(rest: Rest) -> None:
    """With its file."""
    _, identity = await recorded(rest)
    shown = await rest.sdk(rest.client.recordings.get, identity)
    await rest.sdk(rest.client.recordings.delete, identity)
    async with rest.plivo.session.get(shown.recording_url) as response:
        status = response.status

    assert 404 == status
    with pytest.raises(ResourceNotFoundError, match="recording not found"):
        await rest.sdk(rest.client.recordings.get, identity)


async def test_a_recording_that_runs_is_not_there_yet(rest: Rest) -> None:
    """It is found once it is over."""
    line = await rest.call()
    started = await rest.sdk(rest.client.calls.record, line.uuid)
    with pytest.raises(ResourceNotFoundError):
        await rest.sdk(rest.client.recordings.get, started.recording_id)
    await rest.sdk(rest.client.calls.stop_recording, line.uuid, None, None)
    found = await rest.sdk(rest.client.recordings.get, started.recording_id)

    assert started.recording_id == found.recording_id


async def test_a_conference_is_recorded_by_name(rest: Rest) -> None:
    """Its recordings carry its name, and can be listed by it."""
    await rest.call("<Conference>sales</Conference>")
    started = await rest.sdk(rest.client.conferences.record, "sales", file_format="wav")
    await rest.passes(7)
    await rest.sdk(rest.client.conferences.record_stop, "sales")
    (found,) = await rest.sdk(rest.client.recordings.list, conference_name="sales")

    assert ("sales", "conference", "wav", started.recording_id) == (
        found.conference_name,
        found.recording_type,
        found.recording_format,
        found.recording_id,
    )
    assert 0 == len(await rest.sdk(rest.client.recordings.list, conference_name="noname"))
