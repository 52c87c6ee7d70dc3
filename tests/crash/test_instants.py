"""Kills and stops at the instants that matter most, one test each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from aiohttp import web
from crash.plivo import Leg, Plivo, session
from crash.processes import AUTH_ID, BridgeProcess
from crash.rt_app import Ask, Reply, RtApp

from bridge.tasks import spawn

NUMBER = "33612345678"
CALLER = f"+{NUMBER}"
UUID = "5b1c3f0a-6f0e-4d4b-8a37-1f6f7c6d9b10"

READ: Reply = {"command": "read", "command_id": 7, "params": {"max_digits": 4}}
RECORD_CALL: Reply = {"command": "start_call_recording", "command_id": 8, "params": {}}
PLAY: Reply = {
    "command": "play",
    "command_id": 9,
    "params": {"media_id": "TTS|TTS_EN-GB_SERENA|thank you"},
    "variables": {"step": "last"},
}


class Held:
    """Keeps the app from answering one question until it is let go."""

    def __init__(self, app: RtApp, chosen: Callable[[Ask], bool]) -> None:
        self._go = asyncio.Event()
        self._chosen = chosen
        self.asked = asyncio.Event()
        app.think = self._think

    def let_go(self) -> None:
        """Let the app answer, now and from now on."""
        self._go.set()

    async def _think(self, ask: Ask) -> None:
        if self._chosen(ask):
            self.asked.set()
            await self._go.wait()


def replies(*given: Reply) -> Callable[[Ask], Reply]:
    """Answer with the first command, and then always with the one after that which is over."""

    def decide(ask: Ask) -> Reply:
        ids = [0, *(reply["command_id"] for reply in given)]
        return given[ids.index(ask.request["command_id"])]

    return decide


@asynccontextmanager
async def plivo_for(bridge: BridgeProcess) -> AsyncIterator[tuple[Plivo, Leg]]:
    """Make a simulated Plivo with one call."""
    async with session() as http:
        yield Plivo(bridge, http, Random(1)), Leg(UUID, NUMBER)


async def press(plivo: Plivo, leg: Leg, digits: str) -> bytes:
    """Deliver the digits the first document asked for."""
    url = leg.deliveries[0].answer.partition(b'action="')[2].partition(b'"')[0].decode()
    return await plivo.deliver(leg, url, leg.form(Digits=digits))


def bodies(asks: list[Ask]) -> list[bytes]:
    """List the bodies of requests."""
    return [ask.body for ask in asks]


async def test_a_kill_inside_the_post_asks_again(tmp_path: Path) -> None:
    """A kill while the app thinks makes the bridge ask once more, in the same words."""
    async with (
        RtApp(replies(READ, PLAY)) as app,
        BridgeProcess(tmp_path, app.url) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        held = Held(app, lambda ask: ask.request["command"] == "read")
        pressing = spawn(press(plivo, leg, "4711"), "press")
        await held.asked.wait()
        await bridge.kill()
        held.let_go()
        await bridge.start()
        document = await pressing

    asks = app.of(CALLER)
    assert b">thank you</Speak>" in document
    assert ["", "4711", "4711"] == [ask.request["command_result"] for ask in asks]
    assert asks[1].body == asks[2].body


async def test_a_kill_inside_the_post_can_count_as_a_failure(tmp_path: Path) -> None:
    """With after_crash = fail the app is not asked twice: the caller hears the failure message."""
    options = 'after_crash = "fail"\non_failure = "say"\nfailure_message = "Call again later."'
    async with (
        RtApp(replies(READ, PLAY)) as app,
        BridgeProcess(tmp_path, app.url, options=options) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        held = Held(app, lambda ask: ask.request["command"] == "read")
        pressing = spawn(press(plivo, leg, "4711"), "press")
        await held.asked.wait()
        await bridge.restart()
        document = await pressing
        await plivo.hang_up(leg)
        held.let_go()
        await app.until(lambda: bool(app.finals(CALLER)))

    assert document.endswith(b">Call again later.</Speak><Hangup/></Response>")
    assert ["", "4711", "4711"] == [ask.request["command_result"] for ask in app.of(CALLER)]
    assert ["UP", "UP", "HANGUP"] == [ask.request["call_status"] for ask in app.of(CALLER)]


async def test_a_kill_before_the_final_reply_repeats_the_final_request(tmp_path: Path) -> None:
    """A kill between HANGUP and the app's reply to it repeats HANGUP byte for byte, once."""
    async with (
        RtApp(replies(READ)) as app,
        BridgeProcess(tmp_path, app.url) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        held = Held(app, lambda ask: ask.final)
        await plivo.hang_up(leg)
        await held.asked.wait()
        await bridge.restart()
        held.let_go()
        await app.until(lambda: len(app.finals(CALLER)) == 2)
        bridge.ask_to_stop()
        assert 0 == await bridge.stopped()
        delivered = bridge.lines("hangup.delivered")
        await bridge.start()
        # A second call shows that the outbox was looked at again and had nothing for the first.
        other = Leg("5b1c3f0a-6f0e-4d4b-8a37-1f6f7c6d9b11", "33700000000")
        await plivo.answer(other)
        await plivo.hang_up(other)
        await app.until(lambda: bool(app.finals("+33700000000")))

    assert 1 == len(delivered)
    assert 2 == len(app.finals(CALLER))
    assert 1 == len(set(bodies(app.finals(CALLER))))


async def test_an_app_that_is_down_hears_of_the_hangup_later(tmp_path: Path) -> None:
    """A hangup while the app is down survives a kill and reaches the app once, when it is back."""
    async with (
        RtApp(replies(READ)) as app,
        BridgeProcess(tmp_path, app.url, app_timeout_s=0.5) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        await app.close()
        await plivo.hang_up(leg)
        await bridge.logged("hangup.postponed")
        await bridge.restart()
        await app.listen()
        await app.until(lambda: bool(app.finals(CALLER)))
        bridge.ask_to_stop()
        assert 0 == await bridge.stopped()

    assert ["UP", "HANGUP"] == [ask.request["call_status"] for ask in app.of(CALLER)]
    assert 1 == len(bridge.lines("hangup.delivered"))


async def test_a_graceful_stop_finishes_the_turn(tmp_path: Path) -> None:
    """SIGTERM lets a webhook in flight have its document, and the process ends with status 0."""
    async with (
        RtApp(replies(READ, PLAY)) as app,
        BridgeProcess(tmp_path, app.url) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        held = Held(app, lambda ask: ask.request["command"] == "read")
        pressing = spawn(press(plivo, leg, "4711"), "press")
        await held.asked.wait()
        bridge.ask_to_stop()
        await bridge.logged("bridge.stopping")
        held.let_go()
        document = await pressing
        status = await bridge.stopped()

    assert b">thank you</Speak>" in document
    assert 1 == leg.deliveries[-1].attempts
    assert 0 == status
    assert ["", "4711"] == [ask.request["command_result"] for ask in app.of(CALLER)]


async def test_copies_of_a_webhook_share_its_turn(tmp_path: Path) -> None:
    """Copies of a webhook that arrive while the app thinks get the same document; it is asked once."""
    async with (
        RtApp(replies(READ, PLAY)) as app,
        BridgeProcess(tmp_path, app.url) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        held = Held(app, lambda ask: ask.request["command"] == "read")
        copies = [spawn(press(plivo, leg, "4711"), "press")]
        await held.asked.wait()
        copies += [spawn(press(plivo, leg, "4711"), "press") for _ in range(3)]
        # Answered by the same process after the copies, on connections opened before.
        assert leg.deliveries[0].answer == await plivo.answer(leg)
        held.let_go()
        documents = await asyncio.gather(*copies)
        documents.append(await press(plivo, leg, "0815"))

    assert 1 == len(set(documents))
    assert b">thank you</Speak>" in documents[0]
    assert ["", "4711"] == [ask.request["command_result"] for ask in app.of(CALLER)]


class PlivoApi:
    """The one REST request these tests need: record this call."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.requests = 0

    async def record(self, _: web.Request) -> web.Response:
        """Answer when it is time to."""
        self.requests += 1
        self.asked.set()
        await self.go.wait()
        return web.json_response(
            {"message": "call recording started", "recording_id": "r1", "url": "", "api_id": "a"},
            status=202,
        )

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Serve the API; give its base URL."""
        app = web.Application()
        app.router.add_post(f"/v1/Account/{AUTH_ID}/Call/{UUID}/Record/", self.record)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def test_a_kill_inside_a_rest_request_never_repeats_it(tmp_path: Path) -> None:
    """A recording whose start a kill interrupted is not started twice: the app hears REST_UNKNOWN."""
    api = PlivoApi()
    async with (
        RtApp(replies(READ, RECORD_CALL, PLAY)) as app,
        api.listen() as api_url,
        BridgeProcess(tmp_path, app.url, api_url=api_url) as bridge,
        plivo_for(bridge) as (plivo, leg),
    ):
        await plivo.answer(leg)
        pressing = spawn(press(plivo, leg, "4711"), "press")
        await api.asked.wait()
        await bridge.kill()
        api.go.set()
        await bridge.start()
        document = await pressing

    assert b">thank you</Speak>" in document
    assert 1 == api.requests
    errors = [ask.request["command_error"].partition(":")[0] for ask in app.of(CALLER)]
    assert ["", "", "REST_UNKNOWN"] == errors
