from __future__ import annotations

from datetime import UTC, datetime

import pytest
from plivo.exceptions import ResourceNotFoundError
from support_plivo import CALLED, CALLER
from support_rest import Rest

from bridge.simulator.callees import Answers, Busy
from bridge.simulator.clock import MONDAY
from bridge.simulator.inputs import HungUp

OTHER = "33600000001"


async def ended(rest: Rest) -> list[str]:
    """Let a call of 30 s and one of 90 s live, an hour apart; gives their ids."""
    uuids = []
    for seconds, caller in ((30, CALLER), (90, OTHER)):
        line = await rest.call(caller=caller)
        await rest.passes(seconds - 2)
        line.post(HungUp())
        await rest.passes(3600 - seconds)
        uuids.append(line.uuid)
    return uuids


async def test_a_record(rest: Rest) -> None:
    """Times have their zone, durations are the ones of the hangup request, causes as well."""
    uuid, _ = await ended(rest)
    record = await rest.sdk(rest.client.calls.get, uuid)

    assert {
        "answer_time": "2026-01-05 10:00:00+00:00",
        "end_time": "2026-01-05 10:00:30+00:00",
        "initiation_time": "2026-01-05 10:00:00+00:00",
        "bill_duration": 30,
        "billed_duration": 60,
        "call_duration": 30,
        "call_direction": "inbound",
        "from_number": CALLER,
        "to_number": CALLED,
        "hangup_cause_code": 4000,
        "hangup_cause_name": "Normal Hangup",
        "hangup_source": "Caller",
        "parent_call_uuid": None,
        "resource_uri": f"{rest.plivo.api.base}/Call/{uuid}/",
    }.items() <= vars(record).items()
    assert "30" == rest.app.first("/hangup")["Duration"]


async def test_records_are_listed_newest_first(rest: Rest) -> None:
    """Without what lives still."""
    uuids = await ended(rest)
    await rest.call()
    listed = await rest.sdk(rest.client.calls.list)

    assert uuids[::-1] == [one.call_uuid for one in listed]
    assert 2 == listed.meta.total_count


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"from_number": OTHER}, [1]),
        ({"from_number": f"+{OTHER}"}, [1]),
        ({"to_number": CALLED}, [0, 1]),
        ({"to_number": OTHER}, []),
        ({"call_direction": "outbound"}, []),
        ({"call_direction": "inbound"}, [0, 1]),
        ({"hangup_cause_code": 4000}, [0, 1]),
        ({"hangup_cause_code": 3010}, []),
        ({"hangup_source": "Caller"}, [0, 1]),
        ({"hangup_source": "Callee"}, []),
        ({"bill_duration": 30}, [0]),
        ({"bill_duration__gt": 30}, [1]),
        ({"bill_duration__lte": 90}, [0, 1]),
        ({"end_time__gt": "2026-01-05 10:30:00"}, [1]),
        ({"end_time__lt": "2026-01-05T12:30:00+02:00"}, [0]),
        ({"end_time__gte": "2026-01-05 10:00", "end_time__lte": "2026-01-05 10:10"}, [0]),
        ({"initiation_time__gt": "2026-01-05 10:30:00"}, [1]),
        ({"answer_time__lt": "2026-01-05 10:30:00"}, [0]),
        ({"subaccount": "SAXXXXXXXXXXXXXXXXXX"}, []),
        ({"parent_call_uuid": "x"}, []),
        ({"limit": 1}, [1]),
        ({"limit": 1, "offset": 1}, [0]),
    ],
)
async def test_filters(rest: Rest, query: dict[str, str], found: list[int]) -> None:
    """Records can be narrowed by numbers, causes, times and durations."""
    uuids = await ended(rest)
    parameters = "&".join(f"{k}={str(v).replace('+', '%2B')}" for k, v in query.items())
    _, listed = await rest("GET", f"Call/?{parameters}")

    assert [uuids[n] for n in reversed(found)] == [one["call_uuid"] for one in listed["objects"]]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("end_time__gt=yesterday", "end_time__gt must be a time"),
        ("bill_duration=x", "bill_duration must be a whole number"),
        ("call_direction=up", "call_direction must be one of inbound, outbound"),
        ("status=dead", "status must be one of live, queued"),
    ],
)
async def test_bad_filters_are_named(rest: Rest, query: str, error: str) -> None:
    """400 with a sentence."""
    await ended(rest)
    status, body = await rest("GET", f"Call/?{query}")

    assert (400, True) == (status, body["error"].startswith(error)), body


async def test_who_was_dialled_has_a_record(rest: Rest) -> None:
    """With the call that dialled as its parent, also when nobody answered."""
    rest.plivo.callees = {OTHER: Busy(), "33600000002": Answers(1, talks=5)}
    line = await rest.call(
        f"<Dial><Number>{OTHER}</Number></Dial><Dial><Number>33600000002</Number></Dial>"
    )
    await rest.passes(20)
    children = await rest.sdk(rest.client.calls.list, parent_call_uuid=line.uuid)

    assert [("33600000002", 5), (OTHER, 0)] == [
        (one.to_number, one.bill_duration) for one in children
    ]
    assert ["outbound"] * 2 == [one.call_direction for one in children]
    assert [3010] == [one.hangup_cause_code for one in children if one.answer_time is None]


async def test_live_calls(rest: Rest) -> None:
    """Their ids are listed, each is shown with its status; a record they do not have yet."""
    line = await rest.call()
    listed = await rest.sdk(rest.client.calls.live_call_list_ids)
    live = await rest.sdk(rest.client.calls.live_call_get, line.uuid)
    began = datetime.fromtimestamp(MONDAY, UTC)

    assert [line.uuid] == listed.calls
    assert {
        "call_status": "in-progress",
        "call_uuid": line.uuid,
        "direction": "inbound",
        "from": CALLER,
        "to": CALLED,
        "session_start": began.isoformat(" ", "microseconds"),
    }.items() <= vars(live).items()
    with pytest.raises(ResourceNotFoundError):
        await rest.sdk(rest.client.calls.get, line.uuid)
    with pytest.raises(ResourceNotFoundError):
        await rest.sdk(rest.client.calls.queued_call_get, line.uuid)


async def test_a_call_that_is_over_lives_no_more(rest: Rest) -> None:
    """It is neither listed nor shown as live."""
    uuid, _ = await ended(rest)
    with pytest.raises(ResourceNotFoundError):
        await rest.sdk(rest.client.calls.live_call_get, uuid)

    assert [] == (await rest.sdk(rest.client.calls.live_call_list_ids)).calls


async def test_live_calls_are_narrowed(rest: Rest) -> None:
    """By direction and numbers; parties of a Dial live as well."""
    rest.plivo.default_callee = Answers(1)
    line = await rest.call(f"<Dial><Number>{OTHER}</Number></Dial>")
    ids = rest.client.live_calls.list_ids
    both, out, called = [
        (await rest.sdk(ids, **given)).calls
        for given in ({}, {"call_direction": "outbound"}, {"to_number": CALLED})
    ]

    assert [line.uuid, line.legs[0].uuid] == both
    assert ([line.legs[0].uuid], [line.uuid]) == (out, called)
