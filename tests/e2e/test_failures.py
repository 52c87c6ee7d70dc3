"""When the app is slow, down, wrong or endless, and when the bridge itself is: no caller hears silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from support_e2e import HANGUP, Json, Make, command, link, listening, names, tts

from bridge.rt.port import FIRST_PAUSE_S, RtApp
from mappings.play import play
from mappings.read import read

HELLO = command("play", "hello", media_id=tts("Hello"))
NOTHING = command("play", "nothing", media_id=0)


async def too_slow(_: Json) -> Json:
    """Answer long after the bridge has given up."""
    await asyncio.sleep(0.5)
    return HELLO


def unusable(kind: str) -> Any:
    """Give a reply that is no RT.Response."""
    return {
        "status 500": 500,
        "status 404": 404,
        "empty 204": 204,
        "empty 200": b"",
        "not JSON": b"<html><body>It works!</body></html>",
        "PHP warning": b'<br />\n<b>Warning</b>: Undefined index in /app.php\n{"command":"wait"}',
        "JSON array": b"[1,2]",
        "10 MB": b'{"command":"wait","x":"' + b"x" * 10_000_000 + b'"}',
        "cut off": b'{"command":"wait"',
        "redirect": web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        "deep": b"[" * 100_000,
        "slow": too_slow,
    }[kind]


UNUSABLE = [
    "status 500",
    "status 404",
    "empty 204",
    "empty 200",
    "not JSON",
    "PHP warning",
    "JSON array",
    "10 MB",
    "cut off",
    "redirect",
    "deep",
    "slow",
]


@pytest.mark.parametrize("kind", UNUSABLE)
async def test_unusable_first_reply(make_world: Make, kind: str) -> None:
    """A first reply that cannot be used ends the call at once, and the app is told of the end."""
    world = await make_world(unusable(kind), app_timeout_s=0.3)
    call = world.dial()
    await world.finish()

    assert [["Hangup"]] == [names(document) for document in world.documents(call)]
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


@pytest.mark.parametrize("kind", ["status 500", "PHP warning", "slow"])
async def test_unusable_later_reply(make_world: Make, store: str, kind: str) -> None:
    """An app that fails in mid-call is not asked again, and its last request names the command."""
    world = await make_world(
        command("read", "age", {"n": 1}, max_digits=2),
        unusable(kind),
        store=store,
        app_timeout_s=0.3,
    )
    call = world.dial()
    await call.press("42")
    await world.finish()

    assert [["GetDigits", "Redirect"], ["Hangup"]] == [names(d) for d in world.documents(call)]
    assert [("age", "42", "HANGUP", {"n": 1})] == [
        (f["command_id"], f["command_result"], f["call_status"], f["variables"])
        for f in await world.delivered()
    ]


async def test_say(make_world: Make) -> None:
    """With on_failure = say the caller hears the configured message before the end."""
    settings = {"on_failure": "say", "failure_message": "Désolé & merci.", "failure_voice": "fr-FR"}
    world = await make_world(500, app=settings)
    call = world.dial()
    await call.expect_prompt("Désolé & merci.")
    await call.expect_ended(by="app", code=4000)
    await world.finish()

    assert ["“Désolé & merci.” (WOMAN fr-FR)"] == world.timeline.texts("hears")


async def test_fallback_url(make_world: Make) -> None:
    """With on_failure = fallback_url the call goes on with the XML found there."""

    async def serve(_: web.Request) -> web.Response:
        xml = "<Response><Speak>The emergency menu.</Speak><Hangup/></Response>"
        return web.Response(text=xml, content_type="application/xml")

    elsewhere = web.Application()
    elsewhere.router.add_post("/emergency", serve)
    async with listening(elsewhere) as url:
        settings = {"on_failure": "fallback_url", "fallback_url": f"{url}/emergency"}
        world = await make_world(500, app=settings)
        call = world.dial()
        await call.expect_prompt("The emergency menu.")
        await world.finish()

    assert ["“The emergency menu.” (WOMAN en-US)"] == world.timeline.texts("hears")


async def test_app_down(make_world: Make) -> None:
    """An app that refuses connections for all of its time is a failure, within that time."""
    world = await make_world(app_timeout_s=0.3, direct=True)
    await world.app.stop()
    answer = await world.leg().request(world.application.answer_url)

    assert ["Hangup"] == names(answer.body)
    assert answer.ms < 1500


async def test_refused_then_up(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is tried again, so a restart of the app costs no call."""
    refused = asyncio.Event()
    sleep = asyncio.sleep

    async def watched(seconds: float) -> None:
        if seconds == FIRST_PAUSE_S:
            refused.set()
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", watched)
    world = await make_world(HELLO, direct=True)
    await world.app.stop()

    async def come_back() -> None:
        await refused.wait()
        await world.app.start()

    answer, _ = await asyncio.gather(world.leg().request(world.application.answer_url), come_back())

    assert ["Speak", "Redirect"] == names(answer.body)
    assert 1 == len(world.app.requests)


async def test_failing_app_is_not_asked_twice(make_world: Make) -> None:
    """Only a refused connection is tried again: a 500 may have moved the app on."""
    world = await make_world(500, HELLO)
    answer = await world.leg().request(world.application.answer_url)

    assert ["Hangup"] == names(answer.body)
    assert 1 == len(world.app.requests)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (command("dance"), "UNKNOWN_COMMAND"),
        (command("read", max_digits=99), "INVALID_PARAMS"),
        (command("dialout", targets=[]), "INVALID_PARAMS"),
        (command("conference"), "INVALID_PARAMS"),
        (command("read", media_id=4711), "MEDIA_NOT_FOUND"),
        (command("play", media_id=tts("x" * 200_000)), "INVALID_PARAMS"),
        (command("hangup_callid", callid=77), "REST_UNAVAILABLE"),
        ({"command_id": 1}, "UNKNOWN_COMMAND"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_command(make_world: Make, store: str, reply: Json, code: str) -> None:
    """A command that cannot be carried out is told to the app, which may go on."""
    world = await make_world(reply, HELLO, HANGUP, store=store)
    call = world.dial()
    await call.expect_error(code)
    await world.finish()

    told = world.app.asked[1]
    assert code == told["command_error"].partition(":")[0]
    assert (reply.get("command", ""), "") == (told["command"], told["command_result"])
    assert [["Speak", "Redirect"], ["Hangup"]] == [names(d) for d in world.documents(call)]


async def test_error_names_the_parameter(make_world: Make) -> None:
    """The error of wrong params is a sentence with the names of the command and the parameter."""
    world = await make_world(command("read", max_digits=99), HANGUP)
    world.dial()
    await world.finish()

    assert world.app.results()[1].startswith("INVALID_PARAMS: read.max_digits: ")


async def test_endless_bad_command(make_world: Make) -> None:
    """After five errors in a row the call ends; the app heard of the first four meanwhile."""
    world = await make_world(*[command("dance")] * 20)
    call = world.dial()
    await world.finish()

    assert 5 == len(world.app.asked)
    assert [["Hangup"]] == [names(document) for document in world.documents(call)]
    assert "UNKNOWN_COMMAND" == world.app.finals[0]["command_error"].partition(":")[0]


async def test_errors_in_between(make_world: Make) -> None:
    """A command that works starts the count of errors anew."""
    world = await make_world(*[command("dance")] * 4, HELLO, *[command("dance")] * 4, HELLO, HANGUP)
    world.dial()
    await world.finish()

    assert 11 == len(world.app.asked)


async def test_endless_commands_without_document(make_world: Make) -> None:
    """After ten commands in a row that give the caller nothing to hear the call ends."""
    world = await make_world(*[NOTHING] * 30)
    call = world.dial()
    await world.finish()

    assert 11 == len(world.app.asked)
    assert [["Hangup"]] == [names(document) for document in world.documents(call)]


async def test_ten_commands_without_document(make_world: Make) -> None:
    """Ten such commands in a row are fine."""
    world = await make_world(*[NOTHING] * 10, HELLO, HANGUP)
    call = world.dial()
    await world.finish()

    assert [["Speak", "Redirect"], ["Hangup"]] == [names(d) for d in world.documents(call)]


def _raises(*_: object) -> Iterator[object]:
    yield from ()
    raise ZeroDivisionError("a mistake of ours")


def _yields_nonsense(*_: object) -> Iterator[object]:
    yield "nonsense"


@pytest.mark.parametrize("flow", [_raises, _yields_nonsense])
async def test_mapping_bug(
    make_world: Make,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    flow: Callable[..., Iterator[object]],
) -> None:
    """A fault in a mapping fails its command, and the call lives."""
    monkeypatch.setitem(play.__dict__, "flow", flow)
    world = await make_world(HELLO, command("read", "age", max_digits=1), HANGUP, store=store)
    call = world.dial()
    await call.press("7")
    await call.expect_result("7")
    await world.finish()

    assert ["", "BRIDGE_ERROR", "7"] == [result.partition(":")[0] for result in world.app.results()]


async def test_mapping_bug_later(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping changed under a running command fails that command, and the call lives."""
    world = await make_world(command("read", "age", max_digits=1), HELLO, HANGUP)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")

    def changed(_: object, call: Any) -> Iterator[object]:
        yield from play.flow(play.read_params({"media_id": tts("Another")}), call)

    monkeypatch.setitem(read.__dict__, "flow", changed)
    answer = await leg.request(action, {"Digits": "7"})

    assert ["Speak", "Redirect"] == names(answer.body)
    assert "age" == world.app.asked[1]["command_id"]
    assert world.app.asked[1]["command_error"].partition(":")[0] in {
        "REPLAY_DIVERGED",
        "BRIDGE_ERROR",
    }


async def test_fault_in_the_shell(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the bridge gives a document that comes back, and then the right one."""
    world = await make_world(HELLO)
    ask = world.bridge.runtime.transport.ask
    faults = iter([RuntimeError("a mistake of ours")])

    async def faulty(app: RtApp, body: bytes, budget_s: float) -> bytes:
        for fault in faults:
            raise fault
        return await ask(app, body, budget_s)

    monkeypatch.setattr(world.bridge.runtime.transport, "ask", faulty)
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    second = await leg.request(link(first.body))

    assert ["Wait", "Redirect"] == names(first.body)
    assert ["Speak", "Redirect"] == names(second.body)


async def test_lasting_fault_in_the_shell(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that lasts ends the call with the app's farewell instead of asking for ever."""
    world = await make_world(app={"on_failure": "say", "failure_message": "Sorry."})

    async def faulty(*_: object) -> bytes:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(world.bridge.runtime.transport, "ask", faulty)
    leg = world.leg()
    url = world.application.answer_url
    documents = []
    for _ in range(10):
        documents.append(names((await leg.request(url)).body))
        if documents[-1] != ["Wait", "Redirect"]:
            break
        url = link((await leg.request(url)).body) if len(documents) == 1 else url

    assert ["Speak", "Hangup"] == documents[-1]


async def _after(seconds: float, reply: Json) -> Json:
    await asyncio.sleep(seconds)
    return reply


async def test_webhook_budget(make_world: Make, store: str) -> None:
    """When one webhook would take too long Plivo is told to come back, and then gets the document."""

    async def slowly(_: Json) -> Json:
        return await _after(0.25, NOTHING)

    world = await make_world(
        slowly, slowly, HELLO, HANGUP, store=store, webhook_budget_s=1.0, app_timeout_s=0.4
    )
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    assert ["Wait", "Redirect"] == names(first.body)
    documents = [first]
    while names(documents[-1].body) == ["Wait", "Redirect"]:
        documents.append(await leg.request(link(documents[-1].body)))

    assert ["Speak", "Redirect"] == names(documents[-1].body)
    assert all(document.ms < 1100 for document in documents)
    assert ["", "0", "0"] == world.app.results()


async def test_waiting_for_another_webhook(make_world: Make) -> None:
    """A duplicate waits for the first no longer than its own budget, then is told to come back."""
    opened = asyncio.Event()

    async def gate(_: Json) -> Json:
        await opened.wait()
        return HELLO

    world = await make_world(gate, webhook_budget_s=1.0, app_timeout_s=0.9)
    transport = world.bridge.runtime.transport
    ask = transport.ask

    async def patient(app: RtApp, body: bytes, budget_s: float) -> bytes:
        assert 0.9 == budget_s
        return await ask(app, body, 5.0)

    transport.ask = patient  # type: ignore[method-assign]
    leg = world.leg()
    first = asyncio.gather(leg.request(world.application.answer_url))
    await world.app.heard(1)
    second = await leg.request(world.application.answer_url)
    opened.set()
    answered = (await first)[0]
    third = await leg.request(link(second.body))

    assert ["Wait", "Redirect"] == names(second.body)
    assert answered.body == third.body
    assert 1 == len(world.app.requests)


async def test_failures_are_counted(make_world: Make) -> None:
    """Each failure of the app is counted under its stable code."""
    world = await make_world(500)
    world.dial()
    await world.finish()
    status, text = await world.admin("/metrics")

    assert 200 == status
    assert 'rt_bridge_errors_total{app="DEFAULT",code="APP_STATUS"} 1.0' in text
