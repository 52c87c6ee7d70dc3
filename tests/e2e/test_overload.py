"""More than an app can take: documents instead of time-outs, and nobody pays for another's app."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import HANGUP, PUBLIC, Gate, Json, Make, World, command, link, names, tts

from bridge.simulator.leg import CALLER_HUNG_UP, Answer, Leg
from bridge.simulator.platform import Application
from bridge.tasks import spawn

HELLO = command("play", "hello", media_id=tts("Hello"))
BUSY = b"<?xml version='1.0' encoding='UTF-8'?>\n<Response><Hangup reason=\"busy\"/></Response>"
CALLS = 200


class Slow:
    """Replies of an app that hangs for one hash, until it is let go, and says hello for others."""

    def __init__(self, app: str = "SLOW") -> None:
        self._app = app
        self.asked: Counter[str] = Counter()
        self.free = asyncio.Event()

    async def __call__(self, request: Json) -> Json:
        """Answer."""
        self.asked[request["app"]] += 1
        if request["app"] == self._app:
            await self.free.wait()
        return HELLO


def answering(world: World, app: str = "DEFAULT", **options: Any) -> asyncio.Task[Answer]:
    """Begin a call of an app."""
    leg = world.leg(**options)
    return spawn(leg.request(Application.at(PUBLIC, app).answer_url), f"call of {app}")


async def hang_up(world: World, leg: Leg, app: str = "DEFAULT") -> None:
    """Report the end of a call."""
    ending = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    leg.status = "completed"
    answer = await leg.request(Application.at(PUBLIC, app).hangup_url, ending)
    assert 200 == answer.status


async def nothing_left(world: World) -> None:
    """Let time pass until nothing waits for delivery."""

    async def done() -> bool:
        return not await world.bridge.store.outbox_size(("final",))

    await world.until(done)


async def so_many_asked(slow: Slow, count: int, app: str = "SLOW") -> None:
    """Wait until the app has so many questions."""
    async with asyncio.timeout(20):
        while slow.asked[app] < count:  # noqa: ASYNC110 -- only the app itself knows
            await asyncio.sleep(0.001)


async def test_hanging_app_delays_no_other(make_world: Make) -> None:
    """With 200 calls at an app that hangs, another app on the same host is asked as ever."""
    slow = Slow()
    replies = [slow] * (2 * CALLS)
    world = await make_world(*replies, more_apps=["SLOW"], app={"max_questions": 20})
    stuck = [answering(world, "SLOW") for _ in range(CALLS)]
    await so_many_asked(slow, 20)

    others = [(await answering(world)).body for _ in range(30)]

    assert [["Speak", "Redirect"]] * 30 == [names(document) for document in others]
    # None of them waited for one of the two hundred, of which no more than twenty were put.
    assert Counter({"DEFAULT": 30, "SLOW": 20}) == slow.asked
    _, ready = await world.admin("/readyz?verbose")
    apps = json.loads(ready)["apps"]
    assert {"asked": 0, "waiting": 0, "breaker": "closed"} == apps["DEFAULT"]
    assert (20, "closed") == (apps["SLOW"]["asked"], apps["SLOW"]["breaker"])
    slow.free.set()
    answers = await asyncio.gather(*stuck)
    assert [200] * CALLS == [answer.status for answer in answers]
    kinds = Counter(tuple(names(answer.body)) for answer in answers)
    assert {("Speak", "Redirect"), ("Hangup",)} >= set(kinds)
    assert kinds["Speak", "Redirect"] >= 20


async def test_shed_calls(make_world: Make, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls an app has no time for are busy, and the app never hears of them, not even of their end."""
    monkeypatch.setattr("bridge.asking.LINE_SHARE", 0.0)
    slow = Slow("DEFAULT")
    world = await make_world(*[slow] * CALLS, app={"max_questions": 2}, direct=True, store=store)
    legs = [world.leg() for _ in range(CALLS)]
    url = world.application.answer_url
    first = [spawn(leg.request(url), "first") for leg in legs[:2]]
    await so_many_asked(slow, 2, "DEFAULT")

    shed = await asyncio.gather(*(leg.request(url) for leg in legs[2:]))

    assert {(200, BUSY)} == {(answer.status, answer.body) for answer in shed}
    slow.free.set()
    told = await asyncio.gather(*first)
    assert [["Speak", "Redirect"]] * 2 == [names(answer.body) for answer in told]
    # Plivo repeats what it has no answer to: the same document again.
    assert BUSY == (await legs[2].request(url)).body
    for leg in legs:
        await hang_up(world, leg)
    await nothing_left(world)
    assert 2 == len(world.app.asked)
    assert sorted(r["callid"] for r in world.app.asked) == sorted(
        r["callid"] for r in world.app.finals
    )
    assert 0 == await world.bridge.store.count_live()
    _, metrics = await world.admin("/metrics")
    assert f'rt_bridge_errors_total{{app="DEFAULT",code="APP_BUSY"}} {CALLS - 2}.0' in metrics
    assert 'rt_bridge_app_asked{app="DEFAULT"} 0.0' in metrics


async def test_shed_in_mid_call(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who was answered hears the busy message, and the app is told of the end."""
    monkeypatch.setattr("bridge.asking.LINE_SHARE", 0.0)
    gate = Gate(HELLO)
    settings = {"max_questions": 1, "busy_message": "Désolé, tout est pris."}
    world = await make_world(HELLO, gate, app=settings, direct=True)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    other = answering(world)
    await world.app.heard(2)
    leg.status = "in-progress"
    answer = await leg.request(link(document))

    assert (["Speak", "Hangup"], True) == (names(answer.body), b"tout est pris" in answer.body)
    gate.open()
    await other
    await hang_up(world, leg)
    final = (await world.delivered())[0]
    assert ("hello", "0", "HANGUP") == (
        final["command_id"],
        final["command_result"],
        final["call_status"],
    )


async def test_known_calls_before_new_ones(make_world: Make) -> None:
    """When a place is free again a call that goes on gets it before calls that only begin."""
    gates = [Gate(HELLO), Gate(HELLO)]
    world = await make_world(HELLO, *gates, HELLO, HELLO, app={"max_questions": 1}, direct=True)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    first = answering(world)
    await world.app.heard(2)
    line = dict(world.bridge.runtime.desks)["DEFAULT"].line
    new = answering(world)
    await _waiting(line, 1)
    known = spawn(leg.request(link(document)), "known")
    await _waiting(line, 2)
    gates[0].open()
    requests = await world.app.heard(3)

    assert [1, 2, 1] == [request["callid"] for request in requests]
    gates[1].open()
    answers = await asyncio.gather(first, new, known)
    assert [["Speak", "Redirect"]] * 3 == [names(answer.body) for answer in answers]


async def _waiting(line: Any, count: int) -> None:
    async with asyncio.timeout(20):
        while line.waiting < count:  # noqa: ASYNC110 -- nothing else tells
            await asyncio.sleep(0.001)


async def test_caller_gives_up_in_the_line(make_world: Make) -> None:
    """The app is not told of a call that ended while it waited for a place it never got."""
    gate = Gate(HANGUP)
    world = await make_world(gate, app={"max_questions": 1}, direct=True, app_timeout_s=1.0)
    asked = answering(world)
    await world.app.heard(1)
    leg = world.leg()
    shed = spawn(leg.request(world.application.answer_url), "shed")
    await _waiting(dict(world.bridge.runtime.desks)["DEFAULT"].line, 1)
    await hang_up(world, leg)

    assert ["Hangup"] == names((await shed).body)
    gate.open()
    await asked
    await nothing_left(world)
    assert ([1], []) == ([r["callid"] for r in world.app.asked], world.app.finals)


async def test_dead_app_and_its_return(make_world: Make) -> None:
    """A dead app is not asked while its breaker is open; one probe finds it back; each change is logged."""
    settings = {"breaker_failures": 3, "breaker_pause_s": 30, "on_failure": "say"}
    world = await make_world(*[HELLO] * 50, app=settings, direct=True, app_timeout_s=0.2)
    await world.app.stop()
    with capture_logs() as logs:
        down = await asyncio.gather(*(answering(world) for _ in range(3)))
        await world.app.start()
        suspended = [(await answering(world)).body for _ in range(CALLS)]

    assert [["Speak", "Hangup"]] * 3 == [names(answer.body) for answer in down]
    assert {down[0].body} == set(suspended)
    assert [] == world.app.requests
    assert 1 == [line["event"] for line in logs].count("breaker.opened")
    assert (
        "open"
        == json.loads((await world.admin("/readyz?verbose"))[1])["apps"]["DEFAULT"]["breaker"]
    )
    metrics = (await world.admin("/metrics"))[1]
    assert 'rt_bridge_breaker_open{app="DEFAULT"} 1.0' in metrics
    assert f'rt_bridge_errors_total{{app="DEFAULT",code="APP_SUSPENDED"}} {CALLS}.0' in metrics

    await world.passes(29)
    assert ["Speak", "Hangup"] == names((await answering(world)).body)
    assert [] == world.app.requests
    await world.passes(1)
    with capture_logs() as logs:
        back = [names((await answering(world)).body) for _ in range(5)]

    assert [["Speak", "Redirect"]] * 5 == back
    assert 5 == len(world.app.asked)
    assert ["breaker.closed"] == [e for line in logs if "breaker" in (e := line["event"])]
    assert 'rt_bridge_breaker_open{app="DEFAULT"} 0.0' in (await world.admin("/metrics"))[1]


async def test_one_probe_at_a_time(make_world: Make) -> None:
    """While the probe is out every other call gets on_failure at once, and one that fails shuts it."""
    gates = [Gate(HELLO), Gate(HELLO)]
    settings = {"breaker_failures": 1, "breaker_pause_s": 30}
    world = await make_world(*gates, app=settings, direct=True, app_timeout_s=0.3)
    assert ["Hangup"] == names((await answering(world)).body)

    await world.passes(30)
    probe = answering(world)
    await world.app.heard(2)
    others = [names((await answering(world)).body) for _ in range(10)]

    assert [["Hangup"]] * 10 == others
    assert ["Hangup"] == names((await probe).body)
    assert ["Hangup"] == names((await answering(world)).body)
    assert 2 == len(world.app.requests)


async def test_nonsense_opens_nothing(make_world: Make) -> None:
    """An app that answers nonsense is asked every time: it is not down."""
    world = await make_world(*[500, b"<html>"] * 10, app={"breaker_failures": 2}, direct=True)
    answers = [names((await answering(world)).body) for _ in range(20)]

    assert [["Hangup"]] * 20 == answers
    assert 20 == len(world.app.requests)


async def test_end_of_calls_at_a_dead_app(make_world: Make) -> None:
    """The app is told of the end of calls it knew and of those it ordered, and of no other."""
    settings = {"breaker_failures": 2, "on_failure": "hangup"}
    world = await make_world(HELLO, app=settings, direct=True, app_timeout_s=0.2)
    known, unknown, late = world.leg(), world.leg(), world.leg()
    ordered = world.leg(direction="outbound")
    document = (await known.request(world.application.answer_url)).body
    await world.app.stop()
    known.status = "in-progress"
    answers = [
        await known.request(link(document)),
        await unknown.request(world.application.answer_url),
        await ordered.request(world.application.answer_url),
        await late.request(world.application.answer_url),
    ]
    assert [["Hangup"]] * 4 == [names(answer.body) for answer in answers]
    for leg in (known, unknown, ordered, late):
        await hang_up(world, leg)
    await world.app.start()
    await world.ticking(world.app.heard(2, final=True))
    await nothing_left(world)

    assert [1, 3] == sorted(final["callid"] for final in world.app.finals)


async def test_slow_connections(make_world: Make) -> None:
    """However many connections dawdle at the public listener, calls are answered."""
    world = await make_world(*[HELLO] * 20, direct=True, max_connections=20)
    async with AsyncExitStack() as stack:
        for number in range(100):
            _, writer = await asyncio.open_connection("127.0.0.1", world.bridge.port)
            stack.callback(writer.close)
            writer.write(b"POST /plivo/DEFAULT/answer HTTP/1.1\r\nX: ")
            if number % 10 == 9:
                assert ["Speak", "Redirect"] == names((await answering(world)).body)

    assert 10 == len(world.app.asked)
    text = (await world.admin("/metrics"))[1]
    cut_off = re.search(r'rt_bridge_connections_cut_off_total\{why="displaced"\} (\d+)', text)
    assert cut_off is not None
    assert int(cut_off[1]) >= 80
