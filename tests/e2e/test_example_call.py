"""The example voice menu, called over real HTTP, on every store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support_e2e import store_url

from bridge.testing.rig import Rig, rig
from examples.ivr import make_app


@pytest.fixture(name="store_url")
def _store_url(store: str, tmp_path: Path) -> str:
    """Give the address of each kind of store in turn."""
    return store_url(store, tmp_path)


@asynccontextmanager
async def ivr(store: str = "memory:") -> AsyncIterator[Rig]:
    """Call the example; at the end every call is over, and nothing was wrong on either side."""
    async with rig(make_app(), seed=1, settings={"store": store, "plivo_rest": False}) as it:
        yield it
        assert await it.finish(), str(it.timeline)
        assert [] == it.timeline.texts("problem"), str(it.timeline)
        assert "" == it.summary()


def spoken(it: Rig) -> list[str]:
    """List the first words of what was spoken."""
    return [e.data["text"].split()[0] for e in it.timeline.of("hears") if "text" in e.data]


async def test_message_call(store_url: str) -> None:
    """A caller leaves a message, hears it again and hangs up by the menu."""
    async with ivr(store_url) as it:
        call = await it.phone().dial()
        await call.press("42#")
        await call.expect_prompt("You are 42.")
        await call.press("0")
        await call.speak(4)
        await call.expect_played("/media/")
        await call.press("9")
        await call.expect_prompt("Goodbye.")
        await call.expect_ended(by="app", code=4000)

    assert ["Welcome.", "Please", "You", "Press", "Speak", "Press", "Goodbye."] == spoken(it)
    (fetched,) = it.timeline.of("fetches")
    assert (200, "audio/mpeg") == (fetched.data["status"], fetched.data["content_type"])


async def test_bridged_call(store_url: str) -> None:
    """A caller is put through to the second number, and the end of that talk ends the call."""
    async with ivr(store_url) as it:
        call = await it.phone().dial()
        await call.press("7#")
        await call.press("1")
        await call.busy(leg=1)
        await call.answer(leg=2)
        await call.expect_leg(2, "connected")
        await call.wait(20)
        await call.leg(2).hang_up()
        await call.expect_ended(by="app", code=4000)


async def test_silent_caller() -> None:
    """A caller who enters nothing is asked three times, and bidden good-bye."""
    async with ivr() as it:
        call = await it.phone().dial()
        await call.expect_ended(by="app")

    assert ["Welcome.", "Please", "Please", "Please", "Goodbye."] == spoken(it)


async def test_caller_hangs_up() -> None:
    """A caller may hang up at any point."""
    async with ivr() as it:
        call = await it.phone().dial()
        await call.expect_prompt("Please")
        await call.expect_prompt("Please")
        await call.hang_up()
        await call.expect_ended(by="caller", code=4000)
