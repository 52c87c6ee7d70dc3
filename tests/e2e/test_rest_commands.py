"""Commands that need Plivo's REST API: hanging up other calls, recording calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina
from support_e2e import HANGUP, PUBLIC, Json, Make, World, command, link, names, tts
from support_fake_rest import FakeRest

from bridge import rest_actions
from bridge.simulator.leg import CALLER_HUNG_UP
from bridge.simulator.script import Stay
from bridge.tasks import spawn

AGE = command("read", "age", media_id=tts("Age?"))
START = command("start_call_recording")
STOP = command("stop_call_recording")


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Repeat REST requests at once: their number is the product's, only the pauses are left out."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def codes(world: World) -> list[object]:
    """List what the app was told: the code of an error, or the result."""
    return [
        result.partition(":")[0] if isinstance(result, str) else result
        for result in world.app.results()
    ]


async def test_hang_up_another_call(make_rest_world: Make, rest: FakeRest, store: str) -> None:
    """hangup_callid ends the other call, whose app hears HANGUP, and gives ""."""
    world = await make_rest_world(
        AGE, command("hangup_callid", callid=1), command("play", media_id=tts("Done")), store=store
    )
    first = spawn(world.caller(Stay()).run(), "first caller")
    await world.app.heard(1)
    second = world.caller()
    await second.run()
    await first

    assert [] == second.problems(), str(second.timeline)
    finals = await world.delivered(2)
    assert {1: ("read", "HANGUP"), 2: ("hangup", "HANGUP")} == {
        f["callid"]: (f["command"], f["call_status"]) for f in finals
    }
    told = [r for r in world.app.asked if r["command"] == "hangup_callid"]
    assert [("", "")] == [(r["command_result"], r["command_error"]) for r in told]
    assert 1 == len(rest.done("DELETE", "Call/"))


async def test_hang_up_itself(make_rest_world: Make, rest: FakeRest) -> None:
    """hangup_callid with the call's own callid is hangup."""
    world = await make_rest_world(command("hangup_callid", callid=1))
    caller = await world.call()

    assert [["Hangup"]] == [names(document) for document in caller.documents]
    assert [] == rest.seen


async def test_hang_up_unknown_call(make_rest_world: Make, rest: FakeRest) -> None:
    """A callid nobody knows is an error of its own, and Plivo is not asked."""
    world = await make_rest_world(command("hangup_callid", callid=4711), HANGUP)
    await world.call()

    assert ["", "CALL_NOT_FOUND"] == codes(world)
    assert [] == rest.seen


async def test_hang_up_ended_call(make_rest_world: Make, rest: FakeRest) -> None:
    """A call that has ended is not found."""
    world = await make_rest_world(HANGUP, command("hangup_callid", callid=1), HANGUP)
    await world.call()
    await world.call()

    assert ["", "", "CALL_NOT_FOUND"] == codes(world)
    assert [] == rest.seen


async def test_hang_up_call_plivo_lost(make_rest_world: Make, rest: FakeRest) -> None:
    """A call that Plivo does not know any more is not found."""
    world = await make_rest_world(AGE, command("hangup_callid", callid=1), HANGUP)
    await world.leg().request(world.application.answer_url)
    await world.call()

    assert ["", "", "CALL_NOT_FOUND"] == codes(world)
    assert 1 == len(rest.done("DELETE", "Call/"))


async def test_hang_up_foreign_call(make_rest_world: Make, rest: FakeRest) -> None:
    """The call of another app is none of this app's: not found, and it lives."""
    world = await make_rest_world(
        AGE, command("hangup_callid", callid=1), HANGUP, more_apps=["SHOP"]
    )
    await world.leg().request(f"{PUBLIC}/plivo/SHOP/answer")
    await world.call()

    assert ["", "", "CALL_NOT_FOUND"] == codes(world)
    assert [] == rest.seen
    assert [1] == await world.bridge.store.live_calls()


@pytest.mark.parametrize(
    ("statuses", "code"),
    [([500], ""), ([503, 503], ""), ([500, 500, 500], "REST_UNKNOWN"), ([400], "REST_REFUSED")],
    ids=["500", "503 twice", "500 for ever", "400"],
)
async def test_hang_up_against_errors(
    make_rest_world: Make, rest: FakeRest, statuses: list[int], code: str
) -> None:
    """A hang-up is repeated after a 5xx, because twice does no harm, and not after a 4xx."""
    world = await make_rest_world(AGE, command("hangup_callid", callid=1), HANGUP)
    first = spawn(world.caller(Stay()).run(), "first caller")
    await world.app.heard(1)
    rest.failing = {"DELETE Call/": list(statuses)}
    second = world.caller()
    await second.run()

    told = [r for r in world.app.asked if r["command"] == "hangup_callid"]
    found = told[0]["command_error"].partition(":")[0]
    assert code == found
    assert len(rest.done("DELETE", "Call/")) == min(3, len(statuses) + (code == ""))
    world.exchange.hang_up(next(iter(world.exchange.calls), ""))
    await first


async def test_start_and_stop(make_rest_world: Make, rest: FakeRest, store: str) -> None:
    """A call recording is started for its whole length, stopped, and both give its id."""
    world = await make_rest_world(START, STOP, HANGUP, store=store)
    await world.call()

    assert ["", "rec-1", "rec-1"] == codes(world)
    (body,) = rest.done("POST", "/Record/")
    assert (86_400, "stereo") == (body["time_limit"], body["record_channel_type"])
    assert 1 == len(rest.done("DELETE", "/Record/"))


async def test_announcements(make_rest_world: Make, rest: FakeRest) -> None:
    """The announcement comes before the start and after the end."""
    on, off = tts("You are recorded"), tts("No longer")
    world = await make_rest_world(
        command("start_call_recording", announce=on), command("stop_call_recording", announce=off)
    )
    caller = await world.call()

    said = [text for text in caller.timeline.texts("hears") if text.startswith("“")]
    assert ["“You are recorded” (WOMAN en-GB)", "“No longer” (WOMAN en-GB)"] == said
    assert ["", "rec-1", "rec-1"] == codes(world)


async def test_stop_without_start(make_rest_world: Make, rest: FakeRest) -> None:
    """Stopping what was never started is an error of its own."""
    world = await make_rest_world(STOP, HANGUP)
    await world.call()

    assert ["", "NOT_RECORDING"] == codes(world)
    assert [] == rest.done("DELETE", "/Record/")


async def test_stop_twice(make_rest_world: Make) -> None:
    """A recording is stopped once."""
    world = await make_rest_world(START, STOP, STOP, HANGUP)
    await world.call()

    assert ["", "rec-1", "rec-1", "NOT_RECORDING"] == codes(world)


@pytest.mark.parametrize(
    ("status", "code"), [(500, "REST_UNKNOWN"), (400, "REST_REFUSED"), (404, "REST_REFUSED")]
)
async def test_start_refused(make_rest_world: Make, rest: FakeRest, status: int, code: str) -> None:
    """A recording that cannot be started is an error; the request is never sent twice."""
    rest.failing = {"POST /Record/": [status]}
    world = await make_rest_world(START, HANGUP)
    await world.call()

    assert 1 == len(rest.done("POST", "/Record/"))
    assert ["", code] == codes(world)


async def test_start_throttled(make_rest_world: Make, rest: FakeRest) -> None:
    """Plivo answers 429 instead of acting, so the request is sent again."""
    rest.failing = {"POST /Record/": [429]}
    world = await make_rest_world(START, HANGUP)
    await world.call()

    assert ["", "rec-1"] == codes(world)


async def test_start_without_answer(
    make_rest_world: Make, rest: FakeRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Plivo does not answer in time the app is told so, and nothing is sent twice."""
    monkeypatch.setattr(rest_actions, "BUDGET_S", 0.2)
    rest.failing = {"POST /Record/": [0]}
    world = await make_rest_world(START, HANGUP)
    await world.call()

    assert 1 == len(rest.done("POST", "/Record/"))
    assert ["", "REST_UNKNOWN"] == codes(world)


async def test_without_rest(make_world: Make) -> None:
    """Without REST the call is recorded by a Record element, and cannot be stopped."""
    world = await make_world(START, STOP, HANGUP)
    caller = await world.call()

    document = caller.documents[0].decode()
    assert 'recordSession="true"' in document
    started, stopped = codes(world)[1:]
    assert started == caller.background[0].parameters["RecordingID"]
    assert "REST_UNAVAILABLE" == stopped


async def test_hangup_while_rest_is_asked(make_rest_world: Make, rest: FakeRest) -> None:
    """A caller who gives up while Plivo's REST API is asked ends the call cleanly."""
    rest.failing = {"POST /Record/": [0]}
    world = await make_rest_world(AGE, START)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    asking = spawn(leg.request(link(document, "action"), {"Digits": "1"}), "action")

    async def asked() -> Json:
        return {"seen": rest.seen} if rest.done("POST", "/Record/") else {}

    await world.until(asked)
    leg.status = "completed"
    hangup = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    await leg.request(world.application.hangup_url, hangup)
    rest.over.set()
    answer = await asking

    assert ["Hangup"] == names(answer.body)
    finals = await world.delivered()
    assert [("start_call_recording", "HANGUP")] == [
        (f["command"], f["call_status"]) for f in finals
    ]
