"""The final HANGUP request: exactly one per call, with the command that was running."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support_e2e import HANGUP, Json, Make, World, command, tts

from bridge.simulator.callees import Busy, Callee, Fails, NoAnswer, Rejects, Rings
from bridge.simulator.leg import BUSY, NO_ANSWER
from bridge.simulator.profile import NORMAL
from bridge.simulator.timeline import Entry
from bridge.state import Phase
from bridge.testing.rig import CALLER


def told(request: Json) -> tuple[object, ...]:
    """Pick what a final request says of the command."""
    names = ("command", "command_id", "command_result", "command_error", "call_status")
    return tuple(request[name] for name in names)


async def test_hangup_by_app(make_world: Make, store: str) -> None:
    """A call the app hangs up ends with one request that names `hangup`."""
    world = await make_world(command("hangup", "bye", {"a": 1}), store=store)
    world.dial()
    await world.finish()

    finals = await world.delivered()
    assert [("hangup", "bye", "", "", "HANGUP")] == [told(request) for request in finals]
    assert {"a": 1} == finals[0]["variables"]


async def test_hangup_by_caller(make_world: Make, store: str) -> None:
    """A caller who hangs up during a command ends it without a result."""
    world = await make_world(command("read", "age", media_id=tts("Age?")), store=store)
    call = world.dial()
    await call.expect_prompt("Age?")
    await call.hang_up()
    await world.finish()

    finals = await world.delivered()
    assert [("read", "age", "", "", "HANGUP")] == [told(request) for request in finals]
    assert 2 == len(world.app.requests)


@pytest.mark.parametrize(
    "faults",
    [[], ["delay:recording=5"], ["delay:hangup url=5"], ["duplicate:recording"]],
    ids=["as it comes", "after", "before", "twice"],
)
async def test_recording_ended_by_hanging_up(
    make_world: Make, store: str, faults: list[str]
) -> None:
    """A recording the caller ended by hanging up is in the final request, whatever came first."""
    world = await make_world(
        command("record", "message", max_duration=60), store=store, faults=faults
    )
    call = world.dial()
    await call.expect_recording()
    await call.speak(4, key="")
    await call.hang_up()
    await world.finish()

    finals = await world.delivered()
    name = str(finals[0]["command_result"])
    assert name
    assert [("record", "message", name, "", "HANGUP")] == [told(request) for request in finals]
    kept = await world.bridge.store.recording("DEFAULT", name, world.clock.now())
    (made,) = world.plivo.recordings.values()
    assert kept is not None
    assert (made.url, made.recording_id) == (kept.url, kept.recording_id)


async def test_recording_never_reported(make_world: Make) -> None:
    """Without the callback the final request waits for the grace time, then goes without a result."""
    world = await make_world(command("record", "message"), faults=["drop:recording"])
    call = world.dial()
    await call.speak(4, key="")
    await call.hang_up()
    (told_at,) = [e.at for e in await reported_end(world)]

    row = await world.bridge.store.outbox_row("final:1")
    assert row is not None
    assert told_at + 10 == pytest.approx(row.due - world.plivo.began)
    assert [] == world.app.finals
    finals = await world.delivered()
    assert [("record", "message", "", "", "HANGUP")] == [told(request) for request in finals]


async def reported_end(world: World) -> list[Entry]:
    """Wait until Plivo has reported the end of the call."""
    ends: list[Entry] = []

    def reported() -> bool:
        ends[:] = [e for e in world.timeline.of("tells") if e.data["name"] == "hangup url"]
        return bool(ends)

    await world.clock.drive(reported, world.clock.now() + 1)
    return ends


async def test_recording_reported_too_late(make_world: Make) -> None:
    """A callback after the grace time does not repeat the final request, but keeps the recording."""
    world = await make_world(command("record", "message"), faults=["delay:recording=60"])
    call = world.dial()
    await call.speak(4, key="")
    await call.hang_up()
    await world.delivered()
    (made,) = world.plivo.recordings.values()
    assert [] == [e for e in world.timeline.of("tells") if e.data["name"] == "recording"]
    await world.finish()

    (late,) = [e for e in world.timeline.of("tells") if e.data["name"] == "recording"]
    assert 200 == late.data["status"]
    assert [("record", "message", "", "", "HANGUP")] == [told(r) for r in await world.delivered()]
    name = late.data["url"].rpartition("/")[2]
    kept = await world.bridge.store.recording("DEFAULT", name, world.clock.now())
    assert kept is not None
    assert made.recording_id == kept.recording_id


async def test_recording_kept_for_other_calls(make_world: Make) -> None:
    """The name of a recording made by hanging up can be played by another call."""
    world = await make_world(command("record"))
    first = world.dial()
    await first.speak(3, key="")
    await first.hang_up()
    await world.finish()
    name = world.app.finals[0]["command_result"]
    world.app.replies = [command("play_record", media_file=name)]
    second = world.dial()
    await second.expect_played(name)
    await world.finish()

    (fetched,) = world.timeline.of("fetches")
    assert (200, "audio/mpeg") == (fetched.data["status"], fetched.data["content_type"])
    assert "0" == world.app.results()[-1]


@pytest.mark.parametrize("ready_s", [1.0, 8.0])
async def test_recording_file_that_is_not_there_yet(make_world: Make, ready_s: float) -> None:
    """play_record right after record gives the caller the file even before Plivo has it."""

    async def play_it(request: Json) -> Json:
        return command("play_record", media_file=request["command_result"])

    profile = replace(NORMAL, recording_ready_s=ready_s)
    world = await make_world(
        command("record"), play_it, profile=profile, faults=["delay:recording=600"]
    )
    call = world.dial()
    await call.speak(3)
    await world.finish()

    (fetched,) = world.timeline.of("fetches")
    (made,) = world.plivo.recordings.values()
    assert (200, "audio/mpeg") == (fetched.data["status"], fetched.data["content_type"])
    assert fetched.at + world.plivo.began >= made.ready_at
    assert "0" == world.app.results()[-1]


@pytest.mark.parametrize("repeated", [1, 3])
async def test_hangup_webhook_repeated(make_world: Make, store: str, repeated: int) -> None:
    """However often Plivo repeats the hangup webhook, the app gets one final request."""
    world = await make_world(command("wait"), store=store)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    leg.status = "completed"
    hangup = leg.hangup_parameters(BUSY, world.clock.now())
    url = world.application.hangup_url
    await asyncio.gather(*(leg.request(url, hangup) for _ in range(repeated + 1)))
    await leg.request(url, hangup)

    assert 1 == len(await world.delivered())


@pytest.mark.parametrize(
    ("callee", "status", "code", "expected"),
    [
        (NoAnswer(), "no-answer", "3000", "NOANSWER"),
        (Rings(), "timeout", "6010", "NOANSWER"),
        (Busy(), "busy", "3010", "BUSY"),
        (Rejects(), "busy", "3020", "CONGESTION"),
        (Fails(3090, "NETWORK"), "failed", "3090", "CONGESTION"),
        (Fails(1010, ""), "failed", "1010", "REJECTED"),
    ],
    ids=["no answer", "ring timeout", "busy", "declined", "congestion", "out of credits"],
)
async def test_outbound_never_answered(
    make_world: Make, callee: Callee, status: str, code: str, expected: str
) -> None:
    """An outbound call that never got up gives one single request that says why."""
    world = await make_world()
    world.plivo.callees[CALLER.removeprefix("+")] = callee
    call = world.make_call(ring_timeout=20)
    await world.finish()

    (ended,) = [e.data["form"] for e in world.timeline.of("tells")]
    assert (status, code) == (ended["CallStatus"], ended["HangupCauseCode"])
    finals = await world.delivered()
    assert [("", 0, "", "", expected)] == [told(request) for request in finals]
    assert call.line.leg.request_uuid == finals[0]["request_hash"]
    assert 1 == len(world.app.requests)


async def test_inbound_never_asked(make_world: Make) -> None:
    """A caller who gave up before the first webhook is none of the app's business."""
    world = await make_world()
    leg = world.leg(status="completed")
    ended = leg.hangup_parameters(NO_ANSWER, world.clock.now())
    answer = await leg.request(world.application.hangup_url, ended)

    assert 200 == answer.status
    assert 0 == await world.bridge.store.outbox_size()
    assert [] == world.app.requests


async def test_bad_gateway_is_repeated(make_world: Make, store: str) -> None:
    """502, 503 and 504 come from in front of the app: the same bytes are sent again, later."""
    world = await make_world(HANGUP, store=store)
    world.app.to_final = [502, 503, 504, 200]
    world.dial()
    finals = await world.delivered(4)

    assert 4 == len(finals)
    assert 1 == len(set(world.app.bodies[-4:]))


@pytest.mark.parametrize("status", [500, 404, 302, 204])
async def test_app_status_is_final(make_world: Make, status: int) -> None:
    """Whatever status the app itself answers, it has been told: nothing is repeated."""
    world = await make_world(HANGUP)
    world.app.to_final = [status]
    world.dial()
    await world.finish()

    assert 1 == len(await world.delivered())


@pytest.mark.parametrize(
    "reply",
    [
        {"command": "end"},
        command("play", "late", media_id=tts("Too late")),
        b"<br />\n<b>Warning</b>: Undefined index: command in /var/www/ivr.php on line 3<br />",
        b"",
        b"x" * 10_000_000,
    ],
    ids=["end", "command", "PHP warning", "empty", "10 MB"],
)
async def test_reply_to_the_final_request_is_ignored(
    make_world: Make, store: str, reply: Json | bytes
) -> None:
    """Whatever the app answers to HANGUP, it is told once, and nothing it asks for is executed."""
    world = await make_world(command("read", "age", media_id=tts("Age?")), store=store)
    world.app.to_final = [reply]
    call = world.dial()
    await call.expect_prompt("Age?")
    await call.hang_up()
    await world.finish()
    finals = await world.delivered()

    assert [("read", "age", "", "", "HANGUP")] == [told(request) for request in finals]
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]
    assert [] == world.app.to_final
    assert 1 == len(world.documents(call))
    state = await world.bridge.session.read(1)
    assert state is not None
    assert ("read", Phase.ENDED) == (state.command, state.phase)


async def test_app_down_at_the_end(make_world: Make, store: str) -> None:
    """While the app is down its final request waits, and is delivered once it is back."""
    world = await make_world(command("wait"), store=store, app_timeout_s=0.2, direct=True)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    await world.app.stop()
    leg.status = "completed"
    hangup = leg.hangup_parameters(BUSY, world.clock.now())
    answer = await leg.request(world.application.hangup_url, hangup)
    began = world.clock.now()

    async def tried_three_times() -> bytes:
        row = await world.bridge.store.outbox_row("final:1")
        return row.body if row is not None and row.attempts == 3 else b""

    postponed = await world.until(tried_three_times)

    assert 200 == answer.status
    assert b'"call_status":"HANGUP"' in postponed
    await world.app.start()
    finals = await world.delivered()
    assert [("wait", "wait", "", "", "HANGUP")] == [told(request) for request in finals]
    assert postponed == world.app.bodies[-1]
    assert world.clock.now() - began >= 1 + 2 + 4


async def test_final_request_given_up(make_world: Make) -> None:
    """After `hangup_retry_for_s` the final request is given up, so the outbox empties."""
    world = await make_world(HANGUP, hangup_retry_for_s=5.0, app_timeout_s=0.2, direct=True)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    await world.app.stop()
    leg.status = "completed"
    hangup = leg.hangup_parameters(BUSY, world.clock.now())
    await leg.request(world.application.hangup_url, hangup)
    assert 1 == await world.bridge.store.outbox_size()

    async def empty() -> bool:
        return await world.bridge.store.outbox_size() == 0

    await world.until(empty)

    assert [] == world.app.finals
