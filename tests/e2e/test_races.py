"""Requests that come twice, late, or across the end of the call."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support_e2e import HANGUP, PUBLIC, Gate, Json, Make, World, command, link, names, tts

from bridge.simulator.inputs import Transferred
from bridge.simulator.leg import CALLER_HUNG_UP, Leg
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.tasks import spawn

AGE = command("read", "age", media_id=tts("Age?"), max_digits=2)
HELLO = command("play", "hello", media_id=tts("Hello"))
STORY = command("play_talk_detect", media_id=tts("A long story. " * 9))
DIALOUT = command("dialout", targets=[{"number": "+442079460101", "timeout": 10}])
ROOM = command("simple_conference", id="1")


async def hang_up(world: World, leg: Leg) -> None:
    """Report the end of the call."""
    leg.status = "completed"
    hangup = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    answer = await leg.request(world.application.hangup_url, hangup)

    assert (200, b"") == (answer.status, answer.body)


async def test_duplicate_answer_at_once(make_world: Make, store: str) -> None:
    """Two answer requests at once get one document, and the app is asked once."""
    gate = Gate(HELLO)
    world = await make_world(gate, store=store)
    leg = world.leg()
    both = [spawn(leg.request(world.application.answer_url), "answer") for _ in range(2)]
    await world.somebody_waits()
    gate.open()
    first, second = await asyncio.gather(*both)

    assert first.body == second.body
    assert ["Speak", "Redirect"] == names(first.body)
    assert 1 == len(world.app.requests)


async def test_duplicate_answer_later(make_world: Make, store: str) -> None:
    """An answer request repeated while the first document plays gets that document."""
    world = await make_world(HELLO, store=store)
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    second = await leg.request(world.application.answer_url)

    assert first.body == second.body
    assert 1 == len(world.app.requests)


async def test_duplicate_step_at_once(make_world: Make, store: str) -> None:
    """Two continuations at once get one document, and the app is asked once."""
    gate = Gate(HELLO)
    world = await make_world(AGE, gate, store=store)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    both = [spawn(leg.request(action, {"Digits": "42"}), "action") for _ in range(2)]
    await world.somebody_waits()
    gate.open()
    first, second = await asyncio.gather(*both)

    assert first.body == second.body
    assert ["", "42"] == world.app.results()


async def test_duplicate_step_later(make_world: Make, store: str) -> None:
    """A continuation that comes again gets the same bytes, even when it says something else."""
    world = await make_world(AGE, HELLO, store=store)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    first = await leg.request(action, {"Digits": "42"})
    second = await leg.request(action, {"Digits": "43"})

    assert first.body == second.body
    assert ["", "42"] == world.app.results()


async def test_action_and_redirect(make_world: Make) -> None:
    """The action and the redirect of one document are one step: the first to come counts."""
    world = await make_world(AGE, HELLO)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    first = await leg.request(link(document, "action"), {"Digits": "42"})
    second = await leg.request(link(document))

    assert first.body == second.body
    assert ["", "42"] == world.app.results()


async def test_late_old_step(make_world: Make, store: str) -> None:
    """A request for a step long past gets the document of then, and moves nothing."""
    world = await make_world(AGE, HELLO, AGE, HELLO, store=store)
    leg = world.leg()
    documents = [(await leg.request(world.application.answer_url)).body]
    actions = []
    for extra in ({"Digits": "1"}, {}, {"Digits": "3"}):
        actions.append(link(documents[-1], "action" if extra else "Redirect"))
        documents.append((await leg.request(actions[-1], extra)).body)
    late = [(await leg.request(url, {"Digits": "9"})).body for url in actions]

    assert documents[1:] == late
    assert ["", "1", "0", "3"] == world.app.results()


@pytest.mark.parametrize(
    ("reply", "extra"),
    [
        (AGE, {"Digits": "42"}),
        (DIALOUT, {"DialStatus": "cancel", "DialRingStatus": "true"}),
        (ROOM, {"ConferenceAction": "exit", "ConferenceUUID": "c-1"}),
        (STORY, {"InputType": "speech", "Speech": "stop", "Digits": ""}),
    ],
    ids=["GetDigits", "Dial", "Conference", "GetInput"],
)
async def test_action_after_hangup(
    make_world: Make, store: str, reply: Json, extra: dict[str, str]
) -> None:
    """The action of an element that comes after the hangup gets Hangup and asks nobody."""
    world = await make_world(reply, store=store)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    await hang_up(world, leg)
    answer = await leg.request(link(document, "action"), extra)

    assert ["Hangup"] == names(answer.body)
    await world.delivered()
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


async def test_old_action_after_hangup(make_world: Make) -> None:
    """After the hangup a step that had a document still gets it."""
    world = await make_world(AGE, HELLO)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    first = await leg.request(action, {"Digits": "42"})
    await hang_up(world, leg)
    second = await leg.request(action, {"Digits": "42"})

    assert first.body == second.body
    assert 1 == len(await world.delivered())


async def test_answer_after_hangup(make_world: Make) -> None:
    """An answer request that was overtaken by the hangup does not start the call anew."""
    world = await make_world(HELLO)
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    await hang_up(world, leg)
    leg.status = "ringing"
    second = await leg.request(world.application.answer_url)

    assert first.body == second.body
    await world.delivered()
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


@pytest.mark.parametrize(
    ("profile", "faults"),
    [
        (NORMAL, []),
        (replace(NORMAL, recording_callback_first=True), []),
        (NORMAL, ["delay:recording=600"]),
        (NORMAL, ["drop:recording"]),
        (NORMAL, ["duplicate:recording"]),
    ],
    ids=["after the action", "before it", "after the hangup", "lost", "twice"],
)
async def test_recording_callback(make_world: Make, profile: Profile, faults: list[str]) -> None:
    """A recording's callback may come before or after its action, after the hangup, twice, never."""
    world = await make_world(command("record"), HELLO, profile=profile, faults=faults)
    call = world.dial()
    await call.speak(5)
    await call.expect_prompt("Hello")
    await world.finish()

    assert ["UP", "UP", "UP", "HANGUP"] == [r["call_status"] for r in world.app.requests]
    assert world.app.results()[1].startswith("m")


@pytest.mark.parametrize(
    ("reply", "element"),
    [
        (HELLO, "Speak"),
        (AGE, "GetDigits"),
        (command("wait", wait=5), "Wait"),
        (command("send_dtmf", digits="123"), "DTMF"),
        (command("play", media_id="12"), "Play"),
        (STORY, "GetInput"),
        (DIALOUT, "Dial"),
        (ROOM, "Conference"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_hangup_during_an_element(
    make_world: Make, reply: object, element: str, profile: Profile
) -> None:
    """A caller who hangs up during any element ends the call, and the command has no result."""
    world = await make_world(
        reply, media={"library": {"12": "https://cdn.example.com/12.mp3"}}, profile=profile
    )
    call = world.dial()
    await world.during(call, element)
    await call.wait(0.2)
    await call.hang_up()
    await call.expect_ended(by="caller")
    await world.finish()

    finals = await world.delivered()
    assert [("", "")] == [(f["command_result"], f["command_error"]) for f in finals]
    assert 1 == len(world.app.asked)


async def test_hangup_while_the_app_is_asked(make_world: Make, store: str) -> None:
    """The hangup waits for nobody; the app's answer is not executed, but named in the end."""
    gate = Gate(HELLO)
    world = await make_world(AGE, gate, store=store)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    asking = spawn(leg.request(action, {"Digits": "42"}), "action")
    await world.app.heard(2)
    await hang_up(world, leg)
    assert [] == world.app.finals
    gate.open()
    answer = await asking

    assert ["Hangup"] == names(answer.body)
    finals = await world.delivered()
    assert [("hello", "", "HANGUP")] == [
        (f["command_id"], f["command_result"], f["call_status"]) for f in finals
    ]
    assert 2 == len(world.app.asked)


async def test_hangup_while_the_first_question_is_asked(make_world: Make, store: str) -> None:
    """A caller who gives up while the app thinks about its first command ends the call cleanly."""
    gate = Gate(HELLO)
    world = await make_world(gate, store=store)
    leg = world.leg()
    asking = spawn(leg.request(world.application.answer_url), "answer")
    await world.app.heard(1)
    await hang_up(world, leg)
    gate.open()
    answer = await asking

    assert ["Hangup"] == names(answer.body)
    assert [("hello", "HANGUP")] == [
        (f["command_id"], f["call_status"]) for f in await world.delivered()
    ]


async def test_hangup_and_step_at_once(make_world: Make, store: str) -> None:
    """A step and the hangup that arrive together leave one final request, whichever is first."""
    world = await make_world(AGE, HELLO, store=store)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    ended = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    step, hangup = await asyncio.gather(
        leg.request(action, {"Digits": "42"}),
        leg.request(world.application.hangup_url, {**ended, "CallStatus": "completed"}),
    )

    assert (200, 200) == (step.status, hangup.status)
    assert 1 == len(await world.delivered())


async def test_fallback_as_first_request(make_world: Make) -> None:
    """The fallback URL starts a call whose answer request never arrived."""
    world = await make_world(HELLO)
    answer = await world.leg().request(f"{PUBLIC}/plivo/DEFAULT/fallback")

    assert ["Speak", "Redirect"] == names(answer.body)
    assert 1 == len(world.app.requests)


async def test_fallback_later(make_world: Make) -> None:
    """The fallback URL gives the newest document of a call in progress and moves nothing."""
    world = await make_world(AGE, HELLO)
    leg = world.leg()
    action = link((await leg.request(world.application.answer_url)).body, "action")
    second = await leg.request(action, {"Digits": "42"})
    fallback = await leg.request(f"{PUBLIC}/plivo/DEFAULT/fallback")

    assert second.body == fallback.body
    assert 2 == len(world.app.requests)


async def test_transfer_to_the_answer_url(make_world: Make) -> None:
    """A call sent back to its answer URL runs through what it had, and goes on where it was."""
    world = await make_world(AGE, HELLO, AGE)
    leg = world.leg()
    documents = [(await leg.request(world.application.answer_url)).body]
    action = link(documents[0], "action")
    documents.append((await leg.request(action, {"Digits": "42"})).body)
    again = [(await leg.request(world.application.answer_url, {"Event": "Transfer"})).body]
    again.append((await leg.request(link(again[0], "action"), {"Digits": "43"})).body)
    third = await leg.request(link(again[1]))

    assert documents == again
    assert ["GetDigits", "Redirect"] == names(third.body)
    assert ["", "42", "0"] == world.app.results()


async def test_transferred_caller(make_world: Make) -> None:
    """A transfer breaks off the running element; its command still waits at its step."""
    world = await make_world(AGE, HANGUP)
    call = world.dial()
    await call.expect_listening()
    call.line.post(Transferred(f"{PUBLIC}/plivo/DEFAULT/fallback"))
    await call.expect_listening()
    await call.press("42")
    await world.finish()

    first, second, _ = world.documents(call)
    assert first == second
    assert ["", "42"] == world.app.results()


@pytest.mark.parametrize("name", ["answer#2", "connected", "hangup"])
@pytest.mark.parametrize("fault", ["delay:{}=600", "duplicate:{}", "drop:{}"])
async def test_dial_callbacks(make_world: Make, name: str, fault: str) -> None:
    """A Dial's callbacks may be lost, late or doubled: its result comes from its action."""
    # The answer of the call itself has the same name, and comes first.
    name, _, nth = name.partition("#")
    rule = fault.format(name) + (f"#{nth}" if nth else "")
    world = await make_world(
        command("dialout", targets=[{"number": "+442079460101"}]), faults=[rule]
    )
    call = world.dial()
    await call.answer()
    await call.wait(9)
    await call.leg(1).hang_up()
    await world.finish()

    assert [name] == [entry.data["name"] for entry in world.timeline.of("fault")]
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


@pytest.mark.parametrize("name", ["enter", "exit"])
@pytest.mark.parametrize("fault", ["delay:{}=600", "duplicate:{}", "drop:{}"])
async def test_conference_callbacks(make_world: Make, name: str, fault: str) -> None:
    """A room's callbacks may be lost, late or doubled: leaving it by star is still told."""
    world = await make_world(
        command("simple_conference", id=7), HANGUP, faults=[fault.format(name)]
    )
    call = world.dial()
    await call.expect_room()
    await call.wait(10)
    await call.press("*")
    await world.finish()

    assert [name] == [entry.data["name"] for entry in world.timeline.of("fault")]
    assert ["", "LEFT_CONFERENCE"] == world.app.results()
