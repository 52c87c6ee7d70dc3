"""What still comes in after a call has ended, because Plivo's workers keep no order."""

from __future__ import annotations

from support_e2e import Make, World, command, link, names, tts

from bridge.simulator.leg import Leg

HELLO = command("play", "hello", media_id=tts("Hello"))
ENDED = {"Event": "Hangup", "CallStatus": "completed"}


async def end(world: World, leg: Leg) -> None:
    """Send the hangup webhook of a call."""
    assert 200 == (await leg.request(world.application.hangup_url or "", ENDED)).status


async def test_record_action_after_the_hangup(make_world: Make, store: str) -> None:
    """A Record action that comes after the hangup still brings its recording to the final request."""
    world = await make_world(command("record", "message"), store=store)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    await end(world, leg)
    recorded = {
        "RecordUrl": f"{world.recordings_url}/x.mp3",
        "RecordingID": "x",
        "Event": "Redirect",
    }
    answer = await leg.request(link(document, "action"), recorded)
    (final,) = await world.delivered()

    assert ["Hangup"] == names(answer.body)
    assert ("record", "message") == (final["command"], final["command_id"])
    assert final["command_result"]


async def test_hangup_that_comes_again(make_world: Make, store: str) -> None:
    """A repeated hangup, also one long after the first, is taken and told to nobody."""
    world = await make_world(HELLO, store=store, cdr_retention_s=0)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    await end(world, leg)
    await end(world, leg)
    await world.delivered()
    await world.passes(30)
    await end(world, leg)
    await world.passes(30)

    assert ["HANGUP"] == [final["call_status"] for final in world.app.finals]
    assert 0 == await world.bridge.store.outbox_size()


async def test_answer_after_the_hangup(make_world: Make, store: str) -> None:
    """An answer request that comes after its hangup is answered with Hangup; the app is not asked."""
    world = await make_world(HELLO, store=store)
    leg = world.leg()
    await end(world, leg)
    answer = await leg.request(world.application.answer_url)

    assert ["Hangup"] == names(answer.body)
    assert [] == world.app.requests
    assert [] == await world.bridge.store.live_calls()
