"""dialout with every outcome a dialled party can give."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import HANGUP, Make, command, link, names, tts

from bridge.simulator.callees import Fails
from bridge.simulator.document import parse

ONE, TWO = "+442079460101", "+442079460102"


def dialout(*numbers: str, **params: Any) -> dict[str, Any]:
    """Write a dialout of these numbers."""
    targets = [{"number": number, "timeout": 15} for number in numbers]
    return command("dialout", "people", targets=targets, **params)


async def test_answered(make_world: Make, store: str) -> None:
    """When a bridged call is over both legs end: the app sees HANGUP and no further command."""
    world = await make_world(dialout(ONE, TWO), store=store)
    call = world.dial()
    await call.answer()
    await call.wait(42)
    await call.leg(1).hang_up()
    await call.expect_ended(by="app", code=4000)
    await world.finish()

    assert [["Dial", "Redirect"], ["Hangup"]] == [names(d) for d in world.documents(call)]
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]
    assert [("dialout", "people", "")] == [
        (f["command"], f["command_id"], f["command_result"]) for f in world.app.finals
    ]


@pytest.mark.parametrize("outcome", ["busy", "no_answer", "fails", "rejects", "rings"])
async def test_not_answered(make_world: Make, outcome: str) -> None:
    """Whatever keeps a target from answering, the next one is rung, and NOANSWER at the end."""
    world = await make_world(dialout(ONE, TWO), HANGUP)
    if outcome != "rings":
        for number in (ONE, TWO):
            getattr(world.rig.callee(number), outcome)()
    call = world.dial()
    await call.expect_dialled([ONE, TWO])
    await call.expect_result("NOANSWER")
    await world.finish()

    assert ["", "NOANSWER"] == world.app.results()
    assert 2 == len(world.timeline.of("dials"))


async def test_caller_id_plivo_refuses(make_world: Make) -> None:
    """A caller id Plivo does not show keeps every target from ringing."""
    world = await make_world(dialout(ONE, TWO, cli="+33170000000"), HANGUP)
    world.plivo.caller_ids = set()
    call = world.dial()
    await call.expect_dialled([ONE, TWO], caller_id="+33170000000")
    await call.expect_no_leg(1, "ringing")
    await world.finish()

    assert ["", "NOANSWER"] == world.app.results()


async def test_fall_through(make_world: Make) -> None:
    """A Dial whose action never comes is over when its Redirect is fetched: the next one is rung."""
    world = await make_world(dialout(ONE, TWO), HANGUP)
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    second = await leg.request(link(first.body))
    last = await leg.request(link(second.body))

    rung = [parse(answer.body)[0].children[0].text for answer in (first, second)]
    assert [ONE[1:], TWO[1:]] == rung
    assert ["Hangup"] == names(last.body)
    assert ["", "NOANSWER"] == world.app.results()


async def test_second_answers(make_world: Make) -> None:
    """A target that answers after one that did not is bridged."""
    world = await make_world(dialout(ONE, TWO))
    call = world.dial()
    await call.busy(leg=1)
    await call.answer(leg=2)
    await call.expect_leg(2, "connected")
    await call.wait(5)
    await call.leg(2).hang_up()
    await world.finish()

    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


async def test_caller_hangs_up(make_world: Make) -> None:
    """A caller who hangs up while it rings ends the call, and nobody rings any more."""
    world = await make_world(dialout(ONE, TWO))
    call = world.dial()
    await call.busy(leg=1)
    await call.expect_leg(2, "ringing")
    await call.hang_up()
    await call.expect_ended(by="caller")
    await world.finish()

    assert ["cancelled"] == [e.data["state"] for e in world.timeline.of("leg")][-1:]
    assert 2 == len(world.documents(call))
    assert ["dialout"] == [final["command"] for final in world.app.finals]


@pytest.mark.parametrize(
    ("params", "app", "shown"),
    [
        ({}, {}, "33187654321"),
        ({"cli": "BLOCKED"}, {"blocked_caller_id": "+33100000000"}, "33100000000"),
        ({"cli": "+33 1 70 00 00 00"}, {}, "33170000000"),
    ],
    ids=["own number", "configured", "chosen"],
)
async def test_caller_id(make_world: Make, params: Any, app: Any, shown: str) -> None:
    """The number shown is the one chosen, the one configured, or the account's; never the caller's."""
    world = await make_world(dialout(ONE, **params), app=app)
    call = world.dial()
    await call.expect_dialled(ONE, caller_id=shown)

    assert f'callerId="{shown}"' in world.documents(call)[0].decode()


async def test_sounds(make_world: Make) -> None:
    """Music for the caller and a whisper for the other party are documents Plivo can fetch."""
    world = await make_world(dialout(ONE, ringtone="MUSIC", whisper=tts("A call for you")))
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.hang_up()
    await world.finish()

    fetched = [(e.leg, e.text.partition(",")[0]) for e in world.timeline.of("fetches")]
    assert [(0, "dialMusic"), (0, "audio/wav"), (1, "confirmSound")] == fetched
    assert [(1, "A call for you")] == [
        (e.leg, e.data["text"]) for e in world.timeline.of("hears") if "text" in e.data
    ]


async def test_refused_caller_id_is_logged(make_world: Make) -> None:
    """A caller id Plivo refuses is logged under its own code."""
    with capture_logs() as logs:
        world = await make_world(dialout(ONE, cli="+33170000000"), HANGUP)
        world.plivo.caller_ids = set()
        world.dial()
        await world.finish()

    assert ["CALLER_ID_REFUSED"] == [line["code"] for line in logs if "code" in line]


async def test_refused_caller_id_is_counted(make_world: Make) -> None:
    """Where the action says so as well it is counted, once."""
    world = await make_world(dialout(ONE), HANGUP)
    world.plivo.callees[ONE[1:]] = Fails(3030, "3030")
    world.dial()
    await world.finish()
    _, metrics = await world.admin("/metrics")

    assert 'rt_bridge_errors_total{app="DEFAULT",code="CALLER_ID_REFUSED"} 1.0' in metrics
