from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from plivo.exceptions import ResourceNotFoundError, ValidationError
from support_plivo import ACCOUNT, CALLED, CALLER, XmlApp
from support_rest import WAITING, Rest

from bridge.plivo.rest import PlivoNotFound, PlivoRest
from bridge.simulator.callees import Answers
from bridge.simulator.profile import HOSTILE


async def make(rest: Rest, to: str = CALLER, **fields: Any) -> Any:
    """Make a call through the SDK, which is answered 1 s later."""
    rest.plivo.default_callee = Answers(1)
    rest.app.documents.setdefault("/answer", WAITING)
    return await rest.sdk(rest.client.calls.create, CALLED, to, f"{rest.app.url}/answer", **fields)


async def test_a_call_is_made(rest: Rest) -> None:
    """The SDK, which sends every default, gets the id; ring and answer URLs are asked."""
    made = await make(rest, ring_url=f"{rest.app.url}/ring", hangup_url=f"{rest.app.url}/hangup")
    await rest.passes(3)
    line = rest.plivo.find(made.request_uuid)

    assert "call fired" == made.message
    assert ["/ring", "/answer"] == rest.app.paths()
    assert (CALLED, CALLER, "outbound") == tuple(
        rest.app.first("/answer")[name] for name in ("From", "To", "Direction")
    )
    assert made.request_uuid == rest.app.first("/answer")["RequestUUID"]
    assert line is not None
    assert "in-progress" == line.leg.status


async def test_our_client_makes_calls(rest: Rest) -> None:
    """Ours gets the id as well, and ends the call by it while it still rings."""
    client = PlivoRest(rest.plivo.session, rest.plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)
    uuid = await client.make_call(
        from_number=f"+{CALLED}",
        to_number=f"+{CALLER}",
        answer_url=f"{rest.app.url}/answer",
        hangup_url=f"{rest.app.url}/hangup",
        caller_name="Shop",
        ring_timeout_s=30,
        time_limit_s=600,
    )
    await rest.passes(3)
    await client.hang_up_call(uuid)
    await rest.passes(3)

    assert ["/hangup"] == rest.app.paths()
    assert "API Request" == rest.app.first("/hangup")["HangupSource"]
    with pytest.raises(PlivoNotFound):
        await client.hang_up_call(uuid)


async def test_several_are_called_and_wait_for_each_other(rest: Rest) -> None:
    """Two a second leave the queue; the others are listed as queued until then."""
    made = await make(rest, to="33600000001<33600000002<+33600000003")
    queued = await rest.sdk(rest.client.calls.queued_call_list_ids)
    known = await rest.sdk(rest.client.calls.queued_call_get, made.request_uuid[2])
    await rest.passes(5)
    live = await rest.sdk(rest.client.calls.live_call_list_ids)
    later = await rest.sdk(rest.client.calls.queued_call_list_ids)

    assert ("calls queued", 3) == (made.message, len(made.request_uuid))
    assert made.request_uuid == queued.calls
    assert ("queued", "33600000003") == (known.call_status, known.to)
    assert (made.request_uuid, []) == (live.calls, later.calls)


async def test_a_queued_call_can_be_cancelled(rest: Rest) -> None:
    """By its request; then it never rings."""
    first = await make(rest, ring_url=f"{rest.app.url}/ring")
    await rest.sdk(rest.client.calls.cancel, first.request_uuid)
    await rest.passes(5)

    assert [] == rest.app.of("/ring")
    with pytest.raises(ResourceNotFoundError, match="request not found"):
        await rest.sdk(rest.client.calls.cancel, first.request_uuid)


async def test_ids_may_differ(app: XmlApp) -> None:
    """Where RequestUUID is not CallUUID, a request ends a call by both, and the rest needs CallUUID."""
    async with app.plivo(replace(HOSTILE, order_shuffled=False)) as plivo:
        rest = Rest(plivo, app, None)
        plivo.default_callee = Answers(1)
        app.documents["/answer"] = WAITING
        body = {"from": CALLED, "to": CALLER, "answer_url": f"{app.url}/answer"}
        _, made = await rest("POST", "Call/", body)
        await rest.passes(5)
        line = plivo.find(made["request_uuid"])
        assert line is not None
        digits = {"digits": "1"}
        statuses = [
            (await rest("POST", f"Call/{uuid}/DTMF/", digits))[0]
            for uuid in (made["request_uuid"], line.uuid)
        ]
        ended, _ = await rest("DELETE", f"Call/{made['request_uuid']}/")

    assert made["request_uuid"] != line.uuid
    assert [404, 202, 204] == [*statuses, ended]


async def test_options_reach_the_call(rest: Rest) -> None:
    """Name, digits and limits; a parent that is unknown is refused only on demand."""
    made = await make(
        rest, caller_name="Shop", send_digits="12", time_limit=30, parent_call_uuid="x"
    )
    line = rest.plivo.find(made.request_uuid)
    await rest.passes(40)

    assert line is not None
    assert line.ending is not None
    assert ("Shop", "6000") == (rest.app.first("/answer")["CallerName"], line.ending[1])
    assert ["12"] == [e.data["tones"] for e in rest.plivo.timeline.of("hears") if "tones" in e.data]
    with pytest.raises(ResourceNotFoundError, match="parent_call_uuid"):
        await make(rest, parent_call_uuid="x", error_if_parent_not_found=True)


async def test_hangup_on_ring_and_machines(rest: Rest) -> None:
    """hangup_on_ring ends a call that rings, machine_detection=hangup one a machine answers."""
    rest.plivo.callees["33600000001"] = Answers(1, machine=True)
    ringing = await make(rest, to="33600000002", hangup_on_ring=0)
    machine = await make(rest, to="33600000001", machine_detection="hangup")
    lines = [rest.plivo.find(made.request_uuid) for made in (ringing, machine)]
    await rest.passes(20)

    endings = [line.ending for line in lines if line is not None]
    assert [("1000", "API Request"), ("9100", "Plivo")] == [
        (ending[1], ending[3]) for ending in endings if ending is not None
    ]


GOOD = {"from": CALLED, "to": CALLER, "answer_url": "http://app.example.com/"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"from": None}, "from parameter not present"),
        ({"to": ""}, "to parameter not present"),
        ({"answer_url": None}, "answer_url parameter not present"),
        ({"from": "nobody"}, "from must be a number"),
        ({"to": "33612345678<"}, "to must be a number"),
        ({"to": "<".join(["33612345678"] * 1001)}, "to may name 1000 numbers"),
        ({"answer_url": "app.example.com"}, "answer_url must be a URL"),
        ({"answer_method": "HEAD"}, "answer_method must be one of"),
        ({"ring_url": "x"}, "ring_url must be a URL"),
        ({"hangup_url": "x"}, "hangup_url must be a URL"),
        ({"fallback_url": "x"}, "fallback_url must be a URL"),
        ({"caller_name": "n" * 51}, "caller_name may have 50"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"ring_timeout": "soon"}, "ring_timeout must be"),
        ({"machine_detection": "yes"}, "machine_detection must be one of true, hangup"),
        ({"machine_detection_time": 1999}, "machine_detection_time must be"),
        ({"machine_detection_maximum_speech_length": 6001}, "machine_detection_maximum"),
        ({"machine_detection_initial_silence": 1}, "machine_detection_initial_silence"),
        ({"send_on_preanswer": "x"}, "send_on_preanswer must be true or false"),
    ],
)
async def test_bad_parameters_are_named(rest: Rest, fields: dict[str, Any], error: str) -> None:
    """400, and nobody is called."""
    status, body = await rest("POST", "Call/", GOOD | fields)

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert {} == rest.plivo.calls


async def test_a_call_is_hung_up_once(rest: Rest) -> None:
    """204, and 404 when it is over."""
    line = await rest.call()
    await rest.sdk(rest.client.calls.hangup, line.uuid)
    await rest.passes(1)

    assert line.over.is_set()
    with pytest.raises(ResourceNotFoundError, match="call not found"):
        await rest.sdk(rest.client.calls.delete, line.uuid)


async def test_a_call_is_transferred(rest: Rest) -> None:
    """Its element is broken off and the new document asked for with Event=Transfer."""
    line = await rest.call()
    rest.app.documents["/next"] = "<Hangup/>"
    told = await rest.sdk(
        rest.client.calls.transfer,
        line.uuid,
        legs="aleg",
        aleg_url=f"{rest.app.url}/next",
        aleg_method="GET",
    )
    await rest.passes(2)
    asked = rest.app.first("/next")

    assert "call transferred" == told.message
    assert ("GET", "Transfer") == (asked.method, asked["Event"])
    assert line.over.is_set()


async def test_both_legs_are_transferred(rest: Rest) -> None:
    """The caller and the party get documents of their own."""
    rest.plivo.default_callee = Answers(1)
    line = await rest.call(f"<Dial><Number>{CALLER}</Number></Dial>", "33600000009")
    rest.app.documents |= {"/a": WAITING, "/b": WAITING}
    await rest.sdk(
        rest.client.calls.transfer,
        line.uuid,
        legs="both",
        aleg_url=f"{rest.app.url}/a",
        bleg_url=f"{rest.app.url}/b",
    )
    await rest.passes(2)

    assert line.uuid == rest.app.first("/a")["CallUUID"]
    assert line.legs[0].uuid == rest.app.first("/b")["CallUUID"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "aleg_url parameter not present"),
        ({"legs": "bleg"}, "bleg_url parameter not present"),
        ({"legs": "cleg"}, "legs must be one of aleg, bleg, both"),
        ({"aleg_url": "x"}, "aleg_url must be a URL"),
        ({"aleg_url": "http://a.example.com", "aleg_method": "PUT"}, "aleg_method must be one of"),
    ],
)
async def test_bad_transfers_are_named(rest: Rest, fields: dict[str, Any], error: str) -> None:
    """400, and the call goes on."""
    line = await rest.call()
    status, body = await rest("POST", f"Call/{line.uuid}/", fields)

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert not line.over.is_set()


async def test_transfers_that_find_nobody(rest: Rest) -> None:
    """A call that is over, or a party that is not there, is 404."""
    line = await rest.call()
    url = "http://app.example.com/"
    alone, _ = await rest("POST", f"Call/{line.uuid}/", {"legs": "bleg", "bleg_url": url})
    with pytest.raises(ResourceNotFoundError):
        await rest.sdk(rest.client.calls.transfer, "x", legs="aleg", aleg_url=url)
    with pytest.raises(ValidationError):
        await rest.sdk(rest.client.calls.transfer, line.uuid, legs="aleg")

    assert 404 == alone
