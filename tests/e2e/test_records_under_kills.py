"""The bridge is killed before every single request: no call record, recording or transcript is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support_cdr import ONE, TWO, dialout
from support_e2e import listening
from support_kit import Script, app_of, command

from bridge.cdr.record import KIND, Cdr, load
from bridge.recordings import index, transcripts
from bridge.simulator.callees import Busy
from bridge.simulator.inputs import Talks
from bridge.simulator.platform import digits
from bridge.store.reading import reading
from bridge.testing.rig import Rig, rig

pytestmark = pytest.mark.slow


@asynccontextmanager
async def hook(posted: list[Any]) -> AsyncIterator[str]:
    """Serve the webhook of an app."""

    async def serve(request: web.Request) -> web.Response:
        posted.append(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/t", serve)
    async with listening(app) as url:
        yield f"{url}/t"


async def live(it: Rig) -> None:
    """Live through a call that is recorded, dials two people, and ends; then wait for the transcript."""
    it.plivo.callees[digits(ONE)] = Busy()
    call = await it.phone().dial()
    await call.expect_leg(2, "ringing")
    await call.answer(leg=2)
    await call.expect_leg(2, "connected")
    call.line.post(Talks(2, "My name is Bond."))
    await call.wait(30)
    await call.leg(2).hang_up()
    assert await it.finish()
    await it.clock.drive(lambda: False, it.clock.now() + 120)


async def everything(folder: Path, *, kill: bool) -> tuple[list[Cdr], list[Any], int]:
    """Give the call records, what else is kept and what was posted, and the number of requests."""
    store = f"sqlite:///{folder}/{'killed' if kill else 'whole'}.db"
    posted: list[Any] = []
    requests: list[str] = []
    script = Script(command("start_call_recording", transcription=True), dialout(ONE, TWO))
    async with (
        hook(posted) as url,
        rig(
            app_of(script),
            seed=3,
            own_process=True,
            settings={"store": store},
            app_settings={"transcript_url": url},
        ) as it,
    ):

        async def before(name: str) -> None:
            requests.append(name)
            if kill:
                await it.restart_bridge()

        it.plivo.before_request = before
        await live(it)
        async with reading(store) as found:
            cdrs = [load(row) for row in await found.list_records(KIND)]
            entries = [index.load(row) for row in await found.list_records(index.KIND)]
            texts = [transcripts.load(row) for row in await found.list_records(transcripts.KIND)]
    kept = [
        [(one.of, one.transcribed, one.url == entries[0].url) for one in entries],
        [(one.text, one.error) for one in texts],
        # At least once, and always the same.
        list({json.dumps(one["transcript"]) for one in posted}),
        len({json.dumps(one) for one in posted}),
    ]
    return sorted(cdrs, key=lambda cdr: cdr.leg), kept, len(requests)


async def test_everything_is_kept_once(tmp_path: Path) -> None:
    """Killed or not: three legs, one recording and its transcript, and the same is said of them."""
    whole, kept, plain = await everything(tmp_path, kill=False)
    killed, kept_too, requests = await everything(tmp_path, kill=True)

    def essence(cdrs: list[Cdr]) -> list[Cdr]:
        # Identities are made up afresh, and a killed bridge learns of things a little later.
        times = {"started_at": 0.0, "ended_at": 0.0, "answered_at": None}
        return [replace(cdr, callid=1, uuid="", **times) for cdr in cdrs]  # type: ignore[arg-type]

    assert [0, 2, 3] == [cdr.leg for cdr in whole]
    assert ["HANGUP", "BUSY", "HANGUP"] == [cdr.status for cdr in whole]
    assert essence(whole) == essence(killed)
    assert [("call", True, True)] == kept[0]
    assert [("My name is Bond.", "")] == kept[1]
    assert kept == kept_too
    assert requests >= plain > 8
