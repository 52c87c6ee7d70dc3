"""Commands that need Plivo's REST API: hanging up other calls, recording calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import stamina
from support_e2e import HANGUP, PUBLIC, Make, World, command, link, names, tts
from support_failing_rest import FailingRest, failing_rest

from bridge import rest_actions
from bridge.simulator.control import Report, start_recording
from bridge.simulator.leg import CALLER_HUNG_UP
from bridge.simulator.platform import Application

AGE = command("read", "age", media_id=tts("Age?"))
START = command("start_call_recording")
STOP = command("stop_call_recording")
END_FIRST = command("hangup_callid", callid=1)


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Repeat REST requests at once: their number is the product's, only the pauses are left out."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
async def rest() -> AsyncIterator[FailingRest]:
    """Give what is put between the bridge and the simulated REST API."""
    async with failing_rest() as proxy:
        yield proxy


@pytest.fixture
def make_failing_world(make_rest_world: Make, rest: FailingRest) -> Make:
    """Give a function that starts a world whose REST API can be made to fail."""

    async def make(*replies: object, **options: object) -> World:
        world = await make_rest_world(*replies, plivo_api_url=rest.url, **options)
        rest.target = world.plivo.api_url
        return world

    return make


def codes(world: World) -> list[object]:
    """List what the app was told: the code of an error, or the result."""
    return [
        result.partition(":")[0] if isinstance(result, str) else result
        for result in world.app.results()
    ]


async def test_hang_up_another_call(make_rest_world: Make, store: str) -> None:
    """hangup_callid ends the other call, whose app hears HANGUP, and gives ""."""
    world = await make_rest_world(
        AGE, END_FIRST, command("play", media_id=tts("Done")), store=store
    )
    first = world.dial()
    await first.expect_prompt("Age?")
    second = world.dial("+33622222222")
    await first.expect_ended(by="api")
    await second.expect_prompt("Done")
    await second.expect_ended(by="app")
    await world.finish()

    finals = await world.delivered(2)
    assert {1: ("read", "HANGUP"), 2: ("hangup", "HANGUP")} == {
        f["callid"]: (f["command"], f["call_status"]) for f in finals
    }
    told = [r for r in world.app.asked if r["command"] == "hangup_callid"]
    assert [("", "")] == [(r["command_result"], r["command_error"]) for r in told]
    assert 1 == len(world.asked_of_rest("DELETE", f"Call/{first.line.uuid}/"))


async def test_hang_up_itself(make_rest_world: Make) -> None:
    """hangup_callid with the call's own callid is hangup."""
    world = await make_rest_world(END_FIRST)
    call = world.dial()
    await world.finish()

    assert [["Hangup"]] == [names(document) for document in world.documents(call)]
    assert [] == world.timeline.of("rest")


async def test_hang_up_unknown_call(make_rest_world: Make) -> None:
    """A callid nobody knows is an error of its own, and Plivo is not asked."""
    world = await make_rest_world(command("hangup_callid", callid=4711), HANGUP)
    world.dial()
    await world.finish()

    assert ["", "CALL_NOT_FOUND"] == codes(world)
    assert [] == world.timeline.of("rest")


async def test_hang_up_ended_call(make_rest_world: Make) -> None:
    """A call that has ended is an error of its own."""
    world = await make_rest_world(HANGUP, END_FIRST, HANGUP)
    for _ in range(2):
        world.dial()
        await world.finish()

    assert ["", "", "CALL_ENDED"] == codes(world)
    assert [] == world.timeline.of("rest")


async def test_hang_up_call_plivo_lost(make_rest_world: Make) -> None:
    """A call that Plivo does not know any more has ended, whatever we have heard so far."""
    world = await make_rest_world(AGE, END_FIRST, HANGUP)
    await world.leg().request(world.application.answer_url)
    call = world.dial()
    await call.expect_ended(by="app")
    await world.delivered()

    assert ["", "", "CALL_ENDED"] == codes(world)
    (entry,) = world.timeline.of("rest")
    assert ("DELETE", 404) == (entry.data["method"], entry.data["status"])


async def test_hang_up_foreign_call(make_rest_world: Make) -> None:
    """The call of another app is none of this app's business, and it lives."""
    world = await make_rest_world(AGE, END_FIRST, HANGUP, more_apps=["SHOP"])
    shop = world.dial(application=Application.at(PUBLIC, "SHOP"))
    await shop.expect_prompt("Age?")
    call = world.dial("+33622222222")
    await call.expect_ended(by="app")
    await world.delivered()

    assert ["", "", "CALL_OF_ANOTHER_APP"] == codes(world)
    assert [] == world.timeline.of("rest")
    assert not shop.is_over
    assert [1] == await world.bridge.store.live_calls()


async def test_hang_up_foreign_call_that_is_allowed(make_rest_world: Make) -> None:
    """With hangup_scope = account an app may end the calls of other apps of the bridge."""
    world = await make_rest_world(
        AGE, END_FIRST, HANGUP, more_apps=["SHOP"], app={"hangup_scope": "account"}
    )
    shop = world.dial(application=Application.at(PUBLIC, "SHOP"))
    await shop.expect_prompt("Age?")
    world.dial("+33622222222")
    await shop.expect_ended(by="api")
    await world.delivered(2)

    assert ["", "", ""] == codes(world)


async def test_hang_up_member_of_a_room(make_rest_world: Make) -> None:
    """A member that is hung up by another call is no sign that its room was closed."""
    room = command("simple_conference", id="1", auto_leave_when_alone=False)
    world = await make_rest_world(room, END_FIRST)
    first = world.dial()
    await first.expect_room(members=1)
    world.dial("+33622222222")
    await first.expect_ended(by="api")
    await world.finish()

    assert {("simple_conference", ""), ("hangup", "")} == {
        (final["command"], final["command_result"]) for final in world.app.finals
    }


@pytest.mark.parametrize(
    ("statuses", "code"),
    [([500], ""), ([503, 503], ""), ([500, 500, 500], "REST_UNKNOWN"), ([400], "REST_REFUSED")],
    ids=["500", "503 twice", "500 for ever", "400"],
)
async def test_hang_up_against_errors(
    make_failing_world: Make, rest: FailingRest, statuses: list[int], code: str
) -> None:
    """A hang-up is repeated after a 5xx, because twice does no harm, and not after a 4xx."""
    rest.failing = {"DELETE /Call/": list(statuses)}
    world = await make_failing_world(AGE, END_FIRST, HANGUP)
    first = world.dial()
    await first.expect_prompt("Age?")
    second = world.dial("+33622222222")
    await second.expect_ended(by="app")

    told = [r for r in world.app.asked if r["command"] == "hangup_callid"]
    assert [code] == [r["command_error"].partition(":")[0] for r in told]
    assert min(3, len(statuses) + (code == "")) == rest.count("DELETE", "/Call/")
    assert (code == "") == first.is_over
    world.plivo.hang_up(first.line.uuid)
    await world.finish()


async def test_start_and_stop(make_rest_world: Make, store: str) -> None:
    """A call recording is started for its whole length, stopped, and both give its id."""
    world = await make_rest_world(START, command("wait", wait=7), STOP, HANGUP, store=store)
    world.dial()
    await world.finish()

    (made,) = world.plivo.recordings.values()
    assert ["", made.recording_id, "0", made.recording_id] == codes(world)
    (body,) = world.asked_of_rest("POST", "/Record/")
    assert (86_400, "stereo") == (body["time_limit"], body["record_channel_type"])
    assert 1 == len(world.asked_of_rest("DELETE", "/Record/"))
    assert pytest.approx(7, abs=0.5) == made.seconds


async def test_announcements(make_rest_world: Make) -> None:
    """The announcement comes before the start and after the end."""
    on, off = tts("You are recorded"), tts("No longer")
    world = await make_rest_world(
        command("start_call_recording", announce=on), command("stop_call_recording", announce=off)
    )
    world.dial()
    await world.finish()

    assert ["You are recorded", "POST", "DELETE", "No longer"] == [
        entry.data.get("text") or entry.data["method"]
        for entry in world.timeline.of("hears", "rest")
    ]
    (made,) = world.plivo.recordings.values()
    assert ["", made.recording_id, made.recording_id] == codes(world)


async def test_stop_ends_what_the_app_has_started(make_rest_world: Make) -> None:
    """Every recording the app has started is stopped, and none that somebody else has."""
    world = await make_rest_world(
        START, START, command("wait", wait=5), STOP, command("wait", wait=5), HANGUP
    )
    call = world.dial()
    await call.expect_result("0")
    start_recording(call.line, Report(), time_limit=600)
    await world.finish()

    first, second, others = sorted(world.plivo.recordings.values(), key=lambda one: one.seconds)
    assert ["", first.recording_id, second.recording_id, "0", second.recording_id, "0"] == codes(
        world
    ) or ["", second.recording_id, first.recording_id, "0", first.recording_id, "0"] == codes(world)
    urls = {body["URL"] for body in world.asked_of_rest("DELETE", "/Record/")}
    assert {first.url, second.url} == urls
    assert others.seconds > 1


async def test_transcription_is_asked_for(make_rest_world: Make) -> None:
    """Plivo is asked to transcribe; a language it cannot transcribe is noted and passed over."""
    world = await make_rest_world(
        command("start_call_recording", transcription=True, locale="fr_FR", ner=True), HANGUP
    )
    world.dial()
    await world.finish()

    (body,) = world.asked_of_rest("POST", "/Record/")
    assert "auto" == body["transcription_type"]
    assert [] == [name for name in body if "language" in name or "locale" in name]


async def test_stop_without_start(make_rest_world: Make) -> None:
    """Stopping what was never started is an error of its own."""
    world = await make_rest_world(STOP, HANGUP)
    world.dial()
    await world.finish()

    assert ["", "NOT_RECORDING"] == codes(world)
    assert [] == world.asked_of_rest("DELETE", "/Record/")


async def test_stop_twice(make_rest_world: Make) -> None:
    """A recording is stopped once."""
    world = await make_rest_world(START, STOP, STOP, HANGUP)
    world.dial()
    await world.finish()

    (made,) = world.plivo.recordings.values()
    assert ["", made.recording_id, made.recording_id, "NOT_RECORDING"] == codes(world)


@pytest.mark.parametrize(
    ("status", "code"), [(500, "REST_UNKNOWN"), (400, "REST_REFUSED"), (404, "REST_REFUSED")]
)
async def test_start_refused(
    make_failing_world: Make, rest: FailingRest, status: int, code: str
) -> None:
    """A recording that cannot be started is an error; the request is never sent twice."""
    rest.failing = {"POST /Record/": [status]}
    world = await make_failing_world(START, HANGUP)
    world.dial()
    await world.finish()

    assert 1 == rest.count("POST", "/Record/")
    assert ["", code] == codes(world)


async def test_start_done_but_not_confirmed(make_rest_world: Make) -> None:
    """When Plivo did it and its answer was lost the app is told so, and nothing is sent twice."""
    world = await make_rest_world(START, HANGUP, faults=["rest_lost:Record"])
    world.dial()
    await world.finish()

    assert 1 == len(world.plivo.recordings)
    assert ["", "REST_UNKNOWN"] == codes(world)


async def test_start_throttled(make_rest_world: Make) -> None:
    """Plivo answers 429 instead of acting, so the request is sent again."""
    world = await make_rest_world(START, HANGUP, faults=["rest_429:Record#1"])
    world.dial()
    await world.finish()

    (made,) = world.plivo.recordings.values()
    assert ["", made.recording_id] == codes(world)
    assert [429, 202] == [entry.data["status"] for entry in world.timeline.of("rest")]


async def test_start_without_answer(
    make_failing_world: Make, rest: FailingRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Plivo does not answer in time the app is told so, and nothing is sent twice."""
    monkeypatch.setattr(rest_actions, "BUDGET_S", 0.2)
    rest.failing = {"POST /Record/": [0]}
    world = await make_failing_world(START, HANGUP)
    world.dial()
    await world.finish()

    assert 1 == rest.count("POST", "/Record/")
    assert ["", "REST_UNKNOWN"] == codes(world)


async def test_without_rest(make_world: Make) -> None:
    """Without REST the call is recorded by a Record element, and cannot be stopped."""
    world = await make_world(START, STOP, HANGUP)
    call = world.dial()
    await call.expect_recording()
    await world.finish()

    assert 'recordSession="true"' in world.documents(call)[0].decode()
    (made,) = world.plivo.recordings.values()
    assert ["", made.recording_id, "REST_UNAVAILABLE"] == codes(world)


async def test_hangup_while_rest_is_asked(make_failing_world: Make, rest: FailingRest) -> None:
    """A caller who gives up while Plivo's REST API is asked ends the call cleanly."""
    rest.failing = {"POST /Record/": [0]}
    world = await make_failing_world(AGE, START)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    asking = asyncio.gather(leg.request(link(document, "action"), {"Digits": "1"}))

    async def asked() -> int:
        return rest.count("POST", "/Record/")

    await world.until(asked)
    leg.status = "completed"
    hangup = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    await leg.request(world.application.hangup_url, hangup)
    rest.over.set()
    (answer,) = await asking

    assert ["Hangup"] == names(answer.body)
    finals = await world.delivered()
    assert [("start_call_recording", "HANGUP")] == [
        (f["command"], f["call_status"]) for f in finals
    ]


async def test_hang_up_done_but_not_confirmed(make_rest_world: Make) -> None:
    """When Plivo did it and its answer was lost, the repetition finds no call: it is hung up."""
    world = await make_rest_world(AGE, END_FIRST, HANGUP, faults=["rest_lost:Call#1"])
    first = world.dial()
    await first.expect_prompt("Age?")
    second = world.dial("+33622222222")
    await first.expect_ended(by="api")
    await second.expect_ended(by="app")
    await world.finish()

    assert [500, 404] == [entry.data["status"] for entry in world.timeline.of("rest")]
    told = [r for r in world.app.asked if r["command"] == "hangup_callid"]
    assert [""] == [r["command_error"] for r in told]
