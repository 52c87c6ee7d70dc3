"""dialout with every outcome a dialled party can give."""

from __future__ import annotations

from typing import Any

import pytest
from support_e2e import HANGUP, Make, command, names, tts

from bridge.simulator.script import (
    HangUp,
    LegAnswers,
    LegBusy,
    LegFails,
    LegNoAnswer,
    Silence,
    Step,
)

ONE, TWO = "+442079460101", "+442079460102"


def dialout(*numbers: str, **params: Any) -> dict[str, Any]:
    """Write a dialout of these numbers."""
    targets = [{"number": number, "timeout": 15} for number in numbers]
    return command("dialout", "people", targets=targets, **params)


async def test_answered(make_world: Make, store: str) -> None:
    """When a bridged call is over both legs end: the app sees HANGUP and no further command."""
    world = await make_world(dialout(ONE, TWO), store=store)
    caller = await world.call(LegAnswers(42))

    assert [["Dial", "Redirect"], ["Hangup"]] == [names(d) for d in caller.documents]
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]
    assert [("dialout", "people", "")] == [
        (f["command"], f["command_id"], f["command_result"]) for f in world.app.finals
    ]


@pytest.mark.parametrize(
    "outcome",
    [LegBusy(), LegNoAnswer(), LegFails(), LegFails(3030, "3030"), Silence()],
    ids=["busy", "no answer", "failed", "caller id", "fall through"],
)
async def test_not_answered(make_world: Make, outcome: Step) -> None:
    """Whatever keeps a target from answering, the next one is rung, and NOANSWER at the end."""
    world = await make_world(dialout(ONE, TWO), HANGUP)
    caller = await world.call(outcome, outcome)

    rung = [text.split()[1] for text in caller.timeline.texts("hears") if "ringing" in text]
    assert [ONE[1:], TWO[1:]] == rung
    assert ["", "NOANSWER"] == world.app.results()


async def test_second_answers(make_world: Make) -> None:
    """A target that answers after one that did not is bridged."""
    world = await make_world(dialout(ONE, TWO))
    await world.call(LegBusy(), LegAnswers(5))

    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


async def test_caller_hangs_up(make_world: Make) -> None:
    """A caller who hangs up while it rings ends the call."""
    world = await make_world(dialout(ONE, TWO))
    caller = await world.call(LegBusy(), HangUp(during="Dial"))

    assert 2 == len(caller.documents)
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
    caller = await world.call(LegAnswers(1))

    assert f'callerId="{shown}"' in caller.documents[0].decode()


async def test_sounds(make_world: Make) -> None:
    """Music for the caller and a whisper for the other party are documents Plivo can fetch."""
    world = await make_world(dialout(ONE, ringtone="MUSIC", whisper=tts("A call for you")))
    caller = await world.call(LegAnswers(1))

    assert ["dialMusic", "audio/wav", "confirmSound"] == [
        text.partition(",")[0] for text in caller.timeline.texts("fetches")
    ]


async def test_refused_caller_id_is_logged(
    make_world: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caller id Plivo refuses is logged under its own code, and counted once."""
    world = await make_world(dialout(ONE), HANGUP)
    await world.call(LegFails(3030, "3030"))
    _, metrics = await world.admin("/metrics")

    assert "CALLER_ID_REFUSED" in capsys.readouterr().out
    assert 'rt_bridge_errors_total{app="DEFAULT",code="CALLER_ID_REFUSED"} 1.0' in metrics
