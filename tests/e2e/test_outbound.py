"""Outbound calls over real HTTP: what the app hears, and that nobody is called twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support_e2e import PUBLIC, Make, command, tts
from support_outbound import CALLEE, SHOWN, asked, dialled, does, intent, place, told

from bridge.outbound.intents import Phase
from bridge.outbound.service import NotQueued
from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects
from bridge.simulator.platform import Application, digits
from bridge.simulator.profile import HOSTILE, NORMAL, Profile

PLAY = command("play", media_id=tts("hello"))
ANSWERS = Answers(after=3, talks=60)


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=lambda one: one.name)
async def test_answered_call(make_world: Make, profile: Profile) -> None:
    """Once answered, the app is asked as for any call, with its request hash and cdr_field."""
    world = await make_world(PLAY, plivo_rest=True, profile=profile)
    does(world, ANSWERS)
    token = await place(world)
    await world.delivered()

    assert [
        ("UP", "", token, "42"),
        ("UP", "play", token, "42"),
        ("HANGUP", "hangup", token, "42"),
    ] == told(world)
    first = world.app.requests[0]
    assert (CALLEE, SHOWN, "DEFAULT") == (first["number"], first["cli_number"], first["app"])
    assert Phase.ADOPTED is (await intent(world, token)).phase
    assert 1 == len(dialled(world))


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("callee", "status"),
    [
        (Busy(), "BUSY"),
        (NoAnswer(), "NOANSWER"),
        (Rejects(), "CONGESTION"),
        (Fails(3050, "UNALLOCATED_NUMBER"), "CONGESTION"),
        (Fails(2030, "OUTGOING_CALL_BARRED"), "REJECTED"),
    ],
)
async def test_call_that_never_got_up(
    make_world: Make, profile: Profile, callee: Callee, status: str
) -> None:
    """The app gets one single request, which says why."""
    world = await make_world(PLAY, plivo_rest=True, profile=profile)
    does(world, callee)
    token = await place(world)
    await world.delivered()
    await world.passes(600)

    assert [(status, "", token, "42")] == told(world)
    assert [1] == [request["callid"] for request in world.app.requests]
    assert Phase.OVER is (await intent(world, token)).phase


async def test_what_plivo_is_asked(make_world: Make) -> None:
    """One number, the caller id, ring time and URLs of this very call, and no machine detection."""
    world = await make_world(plivo_rest=True)
    token = await place(world, timeout_s=12)
    await world.passes(1)

    (body,) = asked(world)
    base = f"{PUBLIC}/plivo/DEFAULT"
    fragment = "#ct=2000&rt=10000&tt=55000&rc=5&rp=all"
    urls = {name: body.pop(name) for name in tuple(body) if name.endswith("_url")}
    methods = {body.pop(name) for name in tuple(body) if name.endswith("_method")}
    assert {"from": "33187654321", "to": "33699999999", "ring_timeout": 12} == body
    assert {
        f"{name}_url": f"{base}/{name}/{token}{fragment}"
        for name in ("answer", "ring", "hangup", "fallback")
    } == urls
    assert {"POST"} == methods


async def test_a_long_timeout_is_cut_at_what_plivo_rings(make_world: Make) -> None:
    """RT allows 300 s, Plivo rings for 120."""
    world = await make_world(plivo_rest=True)
    await place(world, timeout_s=300)
    await world.passes(1)

    assert [120] == [body["ring_timeout"] for body in asked(world)]


# --- at most once -------------------------------------------------------------------------------


@pytest.mark.parametrize("callee", [ANSWERS, Busy()])
async def test_lost_reply_of_plivo(make_world: Make, callee: Callee) -> None:
    """Plivo dialled and its reply is lost: the webhook is recognised, nobody is called twice."""
    world = await make_world(plivo_rest=True, faults=["rest_lost:Call#1"])
    does(world, callee)
    token = await place(world)
    await world.delivered()
    await world.passes(600)

    assert (1, 1) == (len(asked(world)), len(dialled(world)))
    status = "BUSY" if callee == Busy() else "HANGUP"
    assert [(status, token)] == [
        (one["call_status"], one["request_hash"]) for one in world.app.finals
    ]


async def test_failure_of_plivo_that_dialled_nobody(make_world: Make) -> None:
    """After a 5xx nobody knows, so nobody is called again, and in the end the app hears REJECTED."""
    world = await make_world(plivo_rest=True, faults=["rest_500:Call#1"])
    does(world, ANSWERS)
    token = await place(world)
    await world.passes(60)
    assert ([], Phase.SENDING) == (told(world), (await intent(world, token)).phase)
    await world.delivered()
    await world.passes(600)

    assert [("REJECTED", "", token, "42")] == told(world)
    assert (1, 0) == (len(asked(world)), len(dialled(world)))


async def test_throttled_call_is_dialled_later(make_world: Make) -> None:
    """429 says that nobody was dialled: the call goes back into the queue and is made once."""
    # The client asks three times by itself.
    faults = [f"rest_429:Call#{number}" for number in (1, 2, 3, 4)]
    world = await make_world(plivo_rest=True, faults=faults)
    does(world, ANSWERS)
    token = await place(world)
    await world.delivered()

    assert (5, 1) == (len(asked(world)), len(dialled(world)))
    assert ["HANGUP"] == [one["call_status"] for one in world.app.finals]
    assert {token} == {one["request_hash"] for one in world.app.requests}


async def test_unreachable_api_dials_later(make_world: Make) -> None:
    """Without a connection nothing was asked of Plivo: the call waits and is made once."""
    world = await make_world(plivo_rest=True)
    does(world, ANSWERS)
    rest = world.bridge.runtime.rest
    assert rest is not None
    account, rest._account = rest._account, "http://127.0.0.1:9/v1/Account/X/"
    token = await place(world)
    await world.passes(5)
    assert (Phase.QUEUED, []) == ((await intent(world, token)).phase, dialled(world))
    rest._account = account
    await world.delivered()

    assert 1 == len(dialled(world))
    assert {token} == {one["request_hash"] for one in world.app.requests}


async def test_refused_call(make_world: Make) -> None:
    """What Plivo refuses is told at once, in one request."""
    world = await make_world(plivo_rest=True)
    rest = world.bridge.runtime.rest
    assert rest is not None
    rest._headers = {"Authorization": "Basic bm86bm8="}
    token = await place(world)
    await world.delivered()

    assert [("REJECTED", "", token, "42")] == told(world)
    assert [] == dialled(world)


async def test_lost_hangup_is_asked_of_plivo(make_world: Make) -> None:
    """When no webhook tells how a call ended, Plivo's record of it does."""
    world = await make_world(plivo_rest=True, faults=["drop:hangup url"])
    does(world, Busy())
    token = await place(world)
    await world.delivered()

    assert [("BUSY", "", token, "42")] == told(world)


async def test_late_answer_after_the_app_was_told(make_world: Make) -> None:
    """A call that is answered after the app heard REJECTED is hung up, and the app hears no more."""
    world = await make_world(plivo_rest=True, faults=["rest_500:Call#1"])
    token = await place(world)
    await world.delivered()
    does(world, ANSWERS)
    base = f"{PUBLIC}/plivo/DEFAULT"
    application = Application(
        f"{base}/answer/{token}", f"{base}/hangup/{token}", ring_url=f"{base}/ring/{token}"
    )
    world.plivo.make_call(SHOWN, CALLEE, application)
    await world.passes(60)

    assert ["REJECTED"] == [one["call_status"] for one in world.app.requests]
    assert {} == world.plivo.calls


async def test_second_call_of_one_intent_is_hung_up(make_world: Make) -> None:
    """Should Plivo ever dial twice, the app deals with one call."""
    world = await make_world(command("wait", wait=30), plivo_rest=True)
    does(world, ANSWERS)
    token = await place(world)
    await world.passes(6)
    base = f"{PUBLIC}/plivo/DEFAULT"
    world.plivo.make_call(
        SHOWN, CALLEE, Application(f"{base}/answer/{token}", f"{base}/hangup/{token}")
    )
    await world.delivered()
    await world.passes(60)

    assert {1} == {one["callid"] for one in world.app.requests}
    assert 1 == len(world.app.finals)


# --- the queue ----------------------------------------------------------------------------------


async def test_calls_leave_at_the_pace_of_the_account(make_world: Make) -> None:
    """Two calls per second, and the rest waits where it can be seen."""
    world = await make_world(plivo_rest=True)
    for n in range(5):
        await place(world, f"+3369999000{n}")
    assert 5 == await world.bridge.outbound.waiting()
    await world.passes(0.6)
    _, ready = await world.admin("/readyz")
    _, metrics = await world.admin("/metrics")

    assert 3 == await world.bridge.outbound.waiting()
    assert '"waiting":{"outbound":3}' in ready
    assert "\nrt_bridge_outbound_waiting 3.0\n" in metrics
    assert 'rt_bridge_outbound_calls_total{app="DEFAULT",outcome="queued"} 5.0' in metrics
    await world.passes(5)
    times = [at for at, _ in dialled(world)]
    assert 5 == len(times)
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(times))


async def test_apps_take_turns(make_world: Make) -> None:
    """One call of an app does not wait behind the many of another."""
    world = await make_world(plivo_rest=True, more_apps=["OTHER"])
    for n in range(4):
        await place(world, f"+3369999000{n}")
    await place(world, "+33699991111", app="OTHER")
    await world.passes(10)

    order = [number for _, number in dialled(world)]
    assert digits("+33699991111") in order[:2]


async def test_queue_survives_a_restart(make_world: Make) -> None:
    """What waited when the bridge stopped is dialled after the next start, once."""
    world = await make_world(plivo_rest=True, store="sqlite", direct=True, shutdown_grace_s=0.1)
    tokens = [await place(world, f"+3369999000{n}") for n in range(4)]
    await world.passes(0.6)
    before = len(dialled(world))
    await world.restart()
    await world.passes(10)

    assert before < 4
    assert sorted(number for _, number in dialled(world)) == [f"3369999000{n}" for n in range(4)]
    assert {Phase.DIALLED} == {(await intent(world, token)).phase for token in tokens}


async def test_call_that_waited_too_long(make_world: Make) -> None:
    """Nobody is called hours later: the app hears REJECTED."""
    world = await make_world(plivo_rest=True, faults=["rest_429:Call"], outbound_queue_for_s=20)
    token = await place(world)
    await world.delivered()

    assert [("REJECTED", "", token, "42")] == told(world)
    assert [] == dialled(world)


async def test_full_queue_refuses(make_world: Make) -> None:
    """More than the limit is refused, and nothing is stored."""
    world = await make_world(plivo_rest=True, outbound_queue_limit=2, shutdown_grace_s=0.1)
    for n in range(2):
        await place(world, f"+3369999000{n}")
    with pytest.raises(NotQueued, match="2 calls wait") as caught:
        await place(world)

    assert "QUEUE_FULL" == caught.value.code
    assert 2 == len(await world.bridge.store.list_records("intent"))


async def test_stopping_bridge_refuses(make_world: Make) -> None:
    """While the bridge is being stopped, calls are refused politely."""
    world = await make_world(plivo_rest=True)
    world.bridge.outbound.stop()
    with pytest.raises(NotQueued, match="ask again in a moment") as caught:
        await place(world)

    assert "DRAINING" == caught.value.code


async def test_without_rest_there_are_no_outbound_calls(make_world: Make) -> None:
    """With webhooks alone nobody can be called."""
    world = await make_world()
    with pytest.raises(NotQueued, match="BRIDGE_PLIVO_REST") as caught:
        await place(world)

    assert "REST_UNAVAILABLE" == caught.value.code
    assert 0 == await world.bridge.outbound.waiting()


async def test_hash_of_a_replaced_store_is_kept(make_world: Make) -> None:
    """A call whose intent is not in the store is served, under the hash that the app knows."""
    world = await make_world(plivo_rest=True)
    does(world, ANSWERS)
    application = Application(f"{PUBLIC}/plivo/DEFAULT/answer/LOST1234")
    world.plivo.make_call(SHOWN, CALLEE, application)
    await world.delivered()

    assert {"LOST1234"} == {one["request_hash"] for one in world.app.requests}
