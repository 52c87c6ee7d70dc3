"""A real server that stops, dies and comes back under a bridge: callers are held, nothing is lost."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs
from support_e2e import Json, Make, World, command, link, names, tts
from support_rpc import APP, CALLEE, CREDENTIALS, DID, Rpc, request
from support_valkey import Valkey, needs_valkey, valkey

from bridge import rescue
from bridge.assets import asset
from bridge.json_rpc.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_valkey

ASK = command("read", media_id=tts("Your code?"), max_digits=4, attempts=2)
DONE = command("play", media_id=tts("Thank you"))
ENDED = {"Event": "Hangup", "CallStatus": "completed"}
#: Long enough to notice an outage, and short for a test, in s.
QUICK = {"webhook_budget_s": 1.0, "app_timeout_s": 0.4}


@pytest.fixture
def server() -> Iterator[Valkey]:
    """Run a server that keeps everything it acknowledged."""
    with valkey("--appendonly", "yes", "--appendfsync", "always") as made:
        yield made


async def _asked(make_world: Make, server: Valkey, **options: object) -> tuple[World, Json]:
    """Begin a call that is asked for digits; gives the world, and its leg and its document."""
    world = await make_world(ASK, DONE, store=server.url, **{**QUICK, **options})
    leg = world.leg()
    answer = await leg.request(world.application.answer_url)
    assert ["GetDigits", "Redirect"] == names(answer.body)
    return world, {"leg": leg, "action": link(answer.body, "action")}


async def test_keys_pressed_in_an_outage_are_brought_again(
    make_world: Make, server: Valkey
) -> None:
    """A webhook that waited in vain is refused, and Plivo's repetition of it goes on with its keys."""
    world, call = await _asked(make_world, server)
    server.kill()
    refused = await call["leg"].request(call["action"], {"Digits": "1234"})
    await asyncio.to_thread(server.start)
    answer = await call["leg"].request(call["action"], {"Digits": "1234"})

    assert (503, 200) == (refused.status, answer.status)
    assert ["Speak", "Redirect"] == names(answer.body)
    assert ["", "1234"] == world.app.results()


async def test_webhook_is_held_while_its_time_lasts(make_world: Make, server: Valkey) -> None:
    """A short stop is not noticed by Plivo: the request that came meanwhile is answered late."""
    world, call = await _asked(make_world, server, webhook_budget_s=8.0)
    server.signal(signal.SIGSTOP)
    request = asyncio.gather(call["leg"].request(call["action"], {"Digits": "1234"}))
    assert not (await asyncio.wait({request}, timeout=0.3))[0]
    server.signal(signal.SIGCONT)
    (answer,) = await request

    assert ["Speak", "Redirect"] == names(answer.body)
    assert ["", "1234"] == world.app.results()


async def test_callers_of_a_long_outage_are_asked_to_hold(make_world: Make, server: Valkey) -> None:
    """Before Plivo gives up it gets a document, which leads back to the same step with its keys."""
    world, call = await _asked(make_world, server, app={"hold_message": "Stay with us."})
    server.kill()
    leg = call["leg"]
    answers = [await leg.request(call["action"], {"Digits": "1234"}) for _ in range(4)]
    again = [await leg.request(link(answers[3].body))]
    await asyncio.to_thread(server.start)
    again.append(await leg.request(link(again[0].body)))

    assert [503, 503, 503, 200, 200, 200] == [a.status for a in (*answers, *again)]
    assert ["Speak", "Wait", "Redirect"] == names(answers[3].body) == names(again[0].body)
    assert b"Stay with us." in answers[3].body
    assert ["Speak", "Redirect"] == names(again[1].body)
    assert ["", "1234"] == world.app.results()


async def test_callers_of_a_full_server_are_asked_to_hold(make_world: Make, server: Valkey) -> None:
    """A server that takes nothing more is an outage: callers are held, and go on when it has room."""
    world, call = await _asked(make_world, server, app={"hold_message": "Stay with us."})
    server.say("CONFIG", "SET", "maxmemory", "1")
    leg = call["leg"]
    answers = [await leg.request(call["action"], {"Digits": "1234"}) for _ in range(4)]
    _, metrics = await world.admin("/metrics")
    for _ in range(6):
        answers.append(await leg.request(link(answers[-1].body)))
    server.say("CONFIG", "SET", "maxmemory", "0")
    last = await leg.request(link(answers[-1].body))

    assert {"rt_bridge_store_up 0.0", "rt_bridge_calls_live 1.0"} <= set(metrics.splitlines())
    assert [503] * 3 + [200] * 7 == [answer.status for answer in answers]
    assert {("Speak", "Wait", "Redirect")} == {tuple(names(a.body)) for a in answers[3:]}
    assert ["Speak", "Redirect"] == names(last.body)
    assert ["", "1234"] == world.app.results()


async def test_repetitions_at_other_replicas_count_by_time(
    make_world: Make, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the outage is older than what Plivo repeats, the first attempt gets the document."""
    _, call = await _asked(make_world, server)
    server.kill()
    monkeypatch.setattr(rescue, "RETRIED_FOR_S", 0.5)
    answer = await call["leg"].request(call["action"], {"Digits": "1234"})

    assert ["Speak", "Wait", "Redirect"] == names(answer.body)


async def test_callers_are_not_held_for_ever(
    make_world: Make, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a very long outage the app's `on_failure` policy ends the call."""
    _, call = await _asked(make_world, server)
    server.kill()
    monkeypatch.setattr(rescue, "HELD_FOR_S", 0.5)
    answer = await call["leg"].request(call["action"], {"Digits": "1234"})

    assert ["Hangup"] == names(answer.body)


async def test_calls_that_begin_in_an_outage_come_back(make_world: Make, server: Valkey) -> None:
    """The answer URL may have no retries, so it gets a document that leads back to it.

    The call rings on at first; when that lasts, its caller is asked to hold.
    """
    world = await make_world(DONE, store=server.url, **QUICK, app={"hold_message": "Stay with us."})
    server.kill()
    leg = world.leg()
    answers = [await leg.request(world.application.answer_url)]
    for _ in range(3):
        answers.append(await leg.request(link(answers[-1].body)))
    await asyncio.to_thread(server.start)
    last = await leg.request(link(answers[-1].body))

    assert [["Wait", "Redirect"]] * 3 == [names(a.body) for a in answers[:3]]
    assert ["Speak", "Wait", "Redirect"] == names(answers[3].body)
    assert b"Stay with us." in answers[3].body
    assert ["Speak", "Redirect"] == names(last.body)
    assert [""] == world.app.results()


async def test_hangup_in_an_outage_is_repeated_and_delivered(
    make_world: Make, server: Valkey
) -> None:
    """A hangup is acknowledged once it is stored, and its final request reaches the app."""
    world, call = await _asked(make_world, server)
    server.kill()
    hangup_url = world.application.hangup_url or ""
    refused = await call["leg"].request(hangup_url, ENDED)
    await asyncio.to_thread(server.start)
    taken = await call["leg"].request(hangup_url, ENDED)

    assert (503, 200) == (refused.status, taken.status)
    assert ["HANGUP"] == [final["call_status"] for final in await world.delivered()]


async def test_app_is_asked_again_when_its_reply_could_not_be_stored(
    make_world: Make, server: Valkey
) -> None:
    """A server that dies while the app answers: the caller comes back and the call goes on."""

    async def kill(_: Json) -> Json:
        server.kill()
        return DONE

    world = await make_world(ASK, kill, DONE, store=server.url, **QUICK)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    refused = await leg.request(action, {"Digits": "1234"})
    await asyncio.to_thread(server.start)
    answer = await leg.request(action, {"Digits": "1234"})

    assert 503 == refused.status
    assert ["Speak", "Redirect"] == names(answer.body)
    assert ["", "1234", "1234"] == world.app.results()
    assert 1 == len({json.dumps(request) for request in world.app.requests[1:]})


async def test_final_request_outlasts_an_outage(make_world: Make, server: Valkey) -> None:
    """A final request that is due while the server is gone is delivered when it is back."""
    world, call = await _asked(make_world, server)
    world.app.to_final = [503, 503, 200]
    await call["leg"].request(world.application.hangup_url or "", ENDED)
    await world.ticking(world.app.heard(1, final=True))
    server.kill()
    restarted = asyncio.gather(asyncio.to_thread(server.start))
    await world.passes(5)
    await restarted
    finals = await world.delivered(3)

    assert 3 == len(finals)
    assert 1 == len({json.dumps(final) for final in finals})


async def test_readiness_says_why(make_world: Make, server: Valkey) -> None:
    """While the server is gone the process is alive, not ready for a reason, and counts it."""
    world = await make_world(store=server.url, **QUICK)
    before = await world.admin("/readyz")
    server.kill()
    alive, (status, body) = await world.admin("/healthz"), await world.admin("/readyz")
    _, metrics = await world.admin("/metrics")
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(30):
        while (after := await world.admin("/readyz"))[0] != 200:
            continue
    _, metrics_after = await world.admin("/metrics")

    assert (200, 200, 200) == (before[0], alive[0], after[0])
    assert 503 == status
    assert "connection refused" in json.loads(body)["checks"]["store"]
    assert "rt_bridge_store_up 0.0" in metrics
    assert "rt_bridge_store_up 1.0" in metrics_after
    assert "rt_bridge_store_lost_total 1.0" in metrics_after


async def test_call_of_a_server_that_forgot_is_ended_as_the_app_wants(
    make_world: Make,
) -> None:
    """Without persistence a restarted server has forgotten its calls: they get the farewell."""
    with valkey() as server:
        options = {"on_failure": "say", "failure_message": "Call again."}
        _, call = await _asked(make_world, server, app=options)
        server.kill()
        await asyncio.to_thread(server.start)
        answer = await call["leg"].request(call["action"], {"Digits": "1234"})

    assert b"Call again." in answer.body
    assert ["Speak", "Hangup"] == names(answer.body)


# --- files ---------------------------------------------------------------------------------------


async def test_hosted_files_wait_for_the_store(make_world: Make, server: Valkey) -> None:
    """A file is given once the store is back; Plivo is told to come again when that takes long."""
    sound = base64.b64encode(asset("silence")).decode()
    world = await make_world(command("play_wav_data", audio_data=sound), store=server.url, **QUICK)
    played = await world.leg().request(world.application.answer_url)
    path = urlsplit(link(played.body, "Play")).path
    server.kill()
    with capture_logs() as logs:
        refused = await _get(world, path)
    await asyncio.to_thread(server.start)

    assert (503, b"The store of the bridge cannot be read: come again.\n") == refused
    assert 1 == [line["event"] for line in logs].count("media.no_store")
    assert (200, asset("silence")) == await _get(world, path)


async def _get(world: World, path: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{world.bridge.port}{path}"
    async with world.plivo.session.get(url) as response:
        return response.status, await response.read()


# --- the API and the operators -------------------------------------------------------------------


TOKEN = "an-admin-token-of-some-length-0123456789"


async def test_api_and_operators_hear_of_an_outage(make_world: Make, server: Valkey) -> None:
    """Whoever asks for something that needs the store gets an error in his own form, and no fault."""
    options = {**QUICK, **CREDENTIALS, "plivo_rest": True, "admin_token": TOKEN}
    world = await make_world(ASK, store=server.url, **options)
    rpc = Rpc(world)
    made = await rpc.call("apps.create", "REALTIME10", "One", {"url": world.app.url})
    leg = world.leg()
    await leg.request(world.application.answer_url)
    server.kill()
    asked: list[tuple[Any, ...]] = [
        ("calls.realtime", APP, {"number": CALLEE}, {"cli": DID}),
        ("calls.hangup", 1),
        ("calls.realtime_break", 1),
        ("apps.create", "REALTIME10", "Two", {"url": world.app.url}),
        ("apps.edit", made["hash"], "Three"),
        ("apps.get_list",),
        ("apps.delete", made["hash"]),
        ("apps.assign_did", made["hash"], DID),
    ]
    with capture_logs() as logs:
        errors = await asyncio.gather(
            *(rpc.error(request(method, *params)) for method, *params in asked)
        )
        paths = ["GET /admin/calls", "POST /admin/calls/1/hangup", "POST /admin/calls/1/break"]
        answers = await asyncio.gather(*(_admin(world, path) for path in [*paths, "GET /readyz"]))

    where = f"The Redis store 127.0.0.1:{server.port} cannot be used: "
    why = f"STORE_UNAVAILABLE: {where}connection refused"
    assert {(Code.STORE_UNAVAILABLE, why)} == {
        (code, message[: len(why)]) for code, message in errors
    }
    assert [503] * 4 == [status for status, _ in answers]
    assert [("STORE_UNAVAILABLE", where)] * 3 == [
        (body["error"]["code"], body["error"]["message"].partition("connection")[0])
        for _, body in answers[:3]
    ]
    assert {"outbound": None} == answers[3][1]["waiting"]
    assert {"json_rpc.fault", "webhook.fault"}.isdisjoint(line["event"] for line in logs)
    assert 1_767_000_000 < await rpc.call("system.get_timestamp")

    await asyncio.to_thread(server.start)
    assert True is await rpc.call("apps.delete", made["hash"])
    assert 200 == (await _admin(world, "GET /admin/calls"))[0]


async def _admin(world: World, line: str) -> tuple[int, Json]:
    method, _, path = line.partition(" ")
    url = f"http://127.0.0.1:{world.bridge.admin_port}{path}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with world.plivo.session.request(method, url, headers=headers) as response:
        return response.status, await response.json()
