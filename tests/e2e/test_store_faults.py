"""When the store fails for a moment: nothing is acknowledged that is not stored, nobody hears silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support_e2e import HANGUP, Json, Make, World, command, link, names, tts

from bridge.store.protocol import Commit, StoreUnavailable
from bridge.store.sqlite import SqliteStore

HELLO = command("play", "hello", media_id=tts("Hello"))
NOTHING = command("play", "nothing", media_id=0)


class Outage:
    """Makes the commits of a store fail while it is `on`."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        self._commit = world.bridge.store.commit
        monkeypatch.setattr(world.bridge.store, "commit", self.commit)

    async def commit(self, change: Commit) -> None:
        """Fail, or pass it on."""
        if self.on:
            raise StoreUnavailable("the disk is full")
        await self._commit(change)


async def test_hangup_in_an_outage(
    make_world: Make, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hangup that could not be stored is refused, so that Plivo repeats it, and then delivered."""
    world = await make_world(HELLO, store=store)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    outage = Outage(world, monkeypatch)
    ended = {"Event": "Hangup", "CallStatus": "completed"}

    refused = await leg.request(world.application.hangup_url or "", ended)
    outage.on = False
    taken = await leg.request(world.application.hangup_url or "", ended)

    assert (503, 200) == (refused.status, taken.status)
    assert ["HANGUP"] == [final["call_status"] for final in await world.delivered()]


async def test_hangup_on_the_answer_url_in_an_outage(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds where no hangup URL is set and the answer URL is told."""
    world = await make_world(HELLO)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    Outage(world, monkeypatch)

    ended = {"Event": "Hangup", "CallStatus": "completed"}
    refused = await leg.request(world.application.answer_url, ended)

    assert 503 == refused.status


async def test_new_calls_in_an_outage(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller of an outage is told to come back: one call's faults are not another's."""
    world = await make_world(*[HELLO] * 8)
    outage = Outage(world, monkeypatch)
    legs = [world.leg() for _ in range(8)]
    first = [await leg.request(world.application.answer_url) for leg in legs]
    outage.on = False
    second = [await leg.request(link(answer.body)) for leg, answer in zip(legs, first, strict=True)]

    assert [["Wait", "Redirect"]] * 8 == [names(answer.body) for answer in first]
    assert all(b"#ct=2000&amp;" in answer.body for answer in first)
    assert [["Speak", "Redirect"]] * 8 == [names(answer.body) for answer in second]


async def test_unreadable_body(make_world: Make) -> None:
    """A body that cannot be decompressed is refused before anything else is looked at."""
    world = await make_world()
    url = f"http://127.0.0.1:{world.bridge.port}/plivo/DEFAULT/answer"
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    async with world.plivo.session.post(url, data=b"no gzip", headers=headers) as response:
        answer = response.status, await response.text()

    assert (400, "The body could not be read.\n") == answer
    assert [] == await world.bridge.store.live_calls()


async def test_turn_put_off_over_a_restart(make_world: Make) -> None:
    """A turn that had not begun is no interrupted one: the app is asked in spite of `fail`."""

    async def slowly(_: Json) -> Any:
        await asyncio.sleep(0.25)
        return NOTHING

    world = await make_world(
        slowly,
        HELLO,
        HANGUP,
        store="sqlite",
        app={"after_crash": "fail"},
        webhook_budget_s=1.0,
        app_timeout_s=0.4,
    )
    leg = world.leg()
    put_off = await leg.request(world.application.answer_url)
    await world.restart()
    answer = await leg.request(link(put_off.body))

    assert ["Wait", "Redirect"] == names(put_off.body)
    assert ["Speak", "Redirect"] == names(answer.body)
    assert ["", "0"] == world.app.results()


async def test_callers_of_a_full_disk_are_asked_to_hold(make_world: Make) -> None:
    """A file that cannot grow is an outage: callers are held, and go on when there is room again."""
    large = {**HELLO, "variables": {"note": "x" * 300_000}}
    world = await make_world(
        NOTHING, *[large] * 12, store="sqlite", app={"hold_message": "Stay with us."}
    )
    await _allow_pages(world, 1)
    leg = world.leg()
    answers = [await leg.request(world.application.answer_url)]
    for _ in range(8):
        answers.append(await leg.request(link(answers[-1].body)))
    await _allow_pages(world, 1_000_000)
    last = await leg.request(link(answers[-1].body))

    assert [["Wait", "Redirect"]] * 3 == [names(answer.body) for answer in answers[:3]]
    assert [["Speak", "Wait", "Redirect"]] * 6 == [names(answer.body) for answer in answers[3:]]
    assert ["Speak", "Redirect"] == names(last.body)


async def _allow_pages(world: World, count: int) -> None:
    """Let the file have so many pages, or as many as it has."""
    store = world.bridge.store
    assert isinstance(store, SqliteStore)
    sentence = f"PRAGMA max_page_count = {count}"
    await store._thread.ask(lambda cursor: cursor.execute(sentence).fetchall())
