"""The example voice menu, called over real HTTP, on every store."""

from __future__ import annotations

from typing import Any

from support_e2e import Make, World, listening

from bridge.simulator.script import HangUp, LegAnswers, LegBusy, Press, RecordFor, Silence
from examples.ivr import make_app


async def ivr(make_world: Make, **options: Any) -> World:
    """Start a world whose app is the example; what the caller hears tells what the app decided."""
    return await make_world(app={"url": options.pop("url")}, **options)


def spoken(heard: list[str]) -> list[str]:
    """Keep the words of what was spoken."""
    return [text.partition("“")[2].partition("”")[0] for text in heard if "“" in text]


async def test_message_call(make_world: Make, store: str) -> None:
    """A caller leaves a message, hears it again and hangs up by the menu."""
    async with listening(make_app()) as url:
        world = await ivr(make_world, url=f"{url}/", store=store)
        caller = world.caller(Press("42#"), Press("0"), RecordFor(4), Press("9"))
        await caller.run()

    assert [] == caller.problems(), str(caller.timeline)
    assert ["Welcome.", "Please", "You", "Press", "Speak", "Press", "Goodbye."] == [
        text.split()[0] for text in spoken(caller.timeline.texts("hears"))
    ]
    assert "“You are 42.” (WOMAN en-GB)" in caller.timeline.texts("hears")
    assert ["Normal Hangup (4000), by Answer XML"] == caller.timeline.texts("ends")
    assert "audio/wav, 3244 bytes" in caller.timeline.texts("fetches")


async def test_bridged_call(make_world: Make) -> None:
    """A caller is put through to the second number, and the end of that talk ends the call."""
    async with listening(make_app()) as url:
        world = await ivr(make_world, url=f"{url}/")
        caller = world.caller(Press("7#"), Press("1"), LegBusy(), LegAnswers(20))
        await caller.run()

    assert [] == caller.problems(), str(caller.timeline)
    assert ["Normal Hangup (4000), by Answer XML"] == caller.timeline.texts("ends")


async def test_silent_caller(make_world: Make) -> None:
    """A caller who enters nothing is asked three times, and bidden good-bye."""
    async with listening(make_app()) as url:
        world = await ivr(make_world, url=f"{url}/")
        caller = world.caller()
        await caller.run()

    assert [] == caller.problems(), str(caller.timeline)
    assert ["Welcome.", "Please", "Please", "Please", "Goodbye."] == [
        text.split()[0] for text in spoken(caller.timeline.texts("hears"))
    ]


async def test_caller_hangs_up(make_world: Make) -> None:
    """A caller may hang up at any point."""
    async with listening(make_app()) as url:
        world = await ivr(make_world, url=f"{url}/")
        caller = world.caller(Silence(), HangUp())
        await caller.run()

    assert [] == caller.problems(), str(caller.timeline)
    assert ["Normal Hangup (4000), by Caller"] == caller.timeline.texts("ends")
