"""Several bridges on one store: any of them takes any webhook, and each step is taken once."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from support_e2e import HANGUP, Gate, RecordingApp, command, link, names, settings_for, tts
from support_proxy import Proxy, proxy
from support_serve import Serving
from support_valkey import needs_valkey, shared_server, url_for

from bridge import replicas
from bridge.app import Bridge
from bridge.assets import asset
from bridge.store.protocol import Commit, Conflict

if TYPE_CHECKING:
    from pathlib import Path

    from support_e2e import Json, Reply

pytestmark = needs_valkey

FORM = {"CallUUID": "u1", "From": "33612345678", "To": "33187654321", "Direction": "inbound"}
ENDED = {"Event": "Hangup", "CallStatus": "completed"}
ASK = command("read", media_id=tts("Your code?"), max_digits=4)
DONE = command("play", media_id=tts("Thank you"))


@dataclass
class Fleet:
    """Some bridges, each behind a proxy to the store, and the app they share."""

    app: RecordingApp
    bridges: list[Bridge]
    links: list[Proxy]
    client: aiohttp.ClientSession

    async def post(self, replica: int, path: str, **form: str) -> tuple[int, bytes]:
        """Send a webhook to one of them."""
        where = f"http://127.0.0.1:{self.bridges[replica].port}{path}"
        data = {**FORM, "CallStatus": "in-progress", **form}
        async with self.client.post(where, data=data) as response:
            return response.status, await response.read()

    async def answer(self, replica: int, **form: str) -> bytes:
        """Let a call begin; give its first document."""
        return (await self.post(replica, "/plivo/DEFAULT/answer", **form))[1]

    async def follow(self, replica: int, document: bytes, where: str, **form: str) -> bytes:
        """Go on at a link of a document; give the next one."""
        return (await self.post(replica, urlsplit(link(document, where)).path, **form))[1]

    async def asked(self, count: int) -> list[Json]:
        """Wait until the app was asked so often."""
        return await self.app.heard(count)


@pytest.fixture
async def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """Start two bridges that notice a dead one within half a second or so."""
    monkeypatch.setattr(replicas, "BEAT_S", 0.1)
    url = url_for(shared_server(), tmp_path)
    async with AsyncExitStack() as stack:
        app = RecordingApp([])
        await app.start()
        stack.push_async_callback(app.stop)
        bridges, links = [], []
        for _ in range(2):
            between = await stack.enter_async_context(proxy(shared_server().port))
            store = url.replace(str(shared_server().port), str(between.port))
            settings: dict[str, Any] = {"verify_signatures": False, "shutdown_grace_s": 1.0}
            settings["apps"] = {"DEFAULT": {"url": app.url}}
            bridge = Bridge(settings_for(store, "https://api.plivo.com", settings))
            await bridge.start()
            stack.push_async_callback(bridge.stop)
            bridges.append(bridge)
            links.append(between)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Fleet(app, bridges, links, client)


def _script(fleet: Fleet, *replies: Reply) -> None:
    fleet.app.replies[:] = replies


async def test_every_step_may_reach_another_replica(fleet: Fleet) -> None:
    """A call whose webhooks go to the replicas in turn is one conversation for app and caller."""
    _script(fleet, ASK, ASK, DONE)
    document = await fleet.answer(0)
    for replica, keys in ((1, "1111"), (0, "2222")):
        document = await fleet.follow(replica, document, "action", Digits=keys)
    document = await fleet.follow(1, document, "Redirect")

    assert ["Hangup"] == names(document)
    assert ["", "1111", "2222", "0"] == fleet.app.results()


async def test_turn_asks_the_store_three_times(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook reads its call, and commits before and after it asks the app: no more round trips."""
    _script(fleet, ASK, DONE)
    document = await fleet.answer(0)
    said: list[str] = []
    server = fleet.bridges[0].store._link  # type: ignore[attr-defined]
    whole = server.ask

    def ask(*words: Any, **options: Any) -> Any:
        text = b" ".join(word if isinstance(word, bytes) else str(word).encode() for word in words)
        if b"u1" in text or words[0] != "EVALSHA":
            # What replicas say of themselves each second holds no CallUUID.
            said.append(words[0])
        return whole(*words, **options)

    monkeypatch.setattr(server, "ask", ask)
    await fleet.follow(0, document, "action", Digits="1111")

    assert ["GET", "EVALSHA", "EVALSHA"] == said


async def test_webhook_repeated_at_another_replica_during_a_turn(fleet: Fleet) -> None:
    """A repetition waits for the turn of the other replica and gets the same document."""
    gate = Gate(DONE)
    _script(fleet, ASK, gate)
    document = await fleet.answer(0)
    first = asyncio.gather(fleet.follow(0, document, "action", Digits="1"))
    await fleet.asked(2)
    second = asyncio.gather(fleet.follow(1, document, "action", Digits="1"))
    assert not (await asyncio.wait({second}, timeout=0.5))[0]
    gate.open()

    assert [*await first] == [*await second]
    assert [*await first] == [await fleet.follow(1, document, "action", Digits="1")]
    assert ["", "1"] == fleet.app.results()


async def test_first_request_at_both_replicas_at_once(fleet: Fleet) -> None:
    """A new call is created once and its app asked once, whoever gets its first request."""
    for n in range(20):
        _script(fleet, DONE)
        answers = await asyncio.gather(
            *(fleet.answer(replica, CallUUID=f"new{n}") for replica in (0, 1))
        )
        assert answers[0] == answers[1]
        assert ["Speak", "Redirect"] == names(answers[0])

    assert 20 == len(fleet.app.asked)
    assert 20 == await fleet.bridges[0].store.count_live()


async def test_same_step_at_both_replicas_at_once(fleet: Fleet) -> None:
    """Of two replicas that take a step at the same time one asks the app; both give its document."""
    for n in range(20):
        _script(fleet, ASK, DONE)
        document = await fleet.answer(n % 2, CallUUID=f"same{n}")
        answers = await asyncio.gather(
            *(
                fleet.follow(replica, document, "action", CallUUID=f"same{n}", Digits="7")
                for replica in (0, 1)
            )
        )
        assert answers[0] == answers[1]

    assert 40 == len(fleet.app.asked)


async def test_replica_cut_off_from_the_store_is_overtaken(fleet: Fleet) -> None:
    """Another replica asks again in the same words; the late reply of the first has no effect."""
    gate = Gate(command("play", media_id=tts("Too late")))
    _script(fleet, ASK, gate, DONE)
    document = await fleet.answer(0)
    first = asyncio.gather(fleet.follow(0, document, "action", Digits="1"))
    await fleet.asked(2)
    fleet.links[0].closed = True
    fleet.links[0].cut()
    second = await _until_spoken(fleet, 1, document)
    fleet.links[0].closed = False
    gate.open()

    assert b"Thank you" in second
    assert [second] == [*await first]
    assert ["", "1", "1"] == fleet.app.results()
    assert fleet.app.bodies[1] == fleet.app.bodies[2]


async def _until_spoken(fleet: Fleet, replica: int, document: bytes) -> bytes:
    """Come back as often as a replica says so, as Plivo does; give the first other document."""
    async with asyncio.timeout(30):
        answer = await fleet.follow(replica, document, "action", Digits="1")
        while "Wait" in names(answer):
            answer = await fleet.follow(replica, answer, "Redirect")
    return answer


async def test_hangup_at_another_replica_during_a_turn(fleet: Fleet) -> None:
    """The final request is sent once, after the reply that was awaited, and names its command."""
    gate = Gate(command("play", "late", media_id=tts("Nobody hears this")))
    _script(fleet, ASK, gate)
    document = await fleet.answer(0)
    first = asyncio.gather(fleet.follow(0, document, "action", Digits="1"))
    await fleet.asked(2)
    status, _ = await fleet.post(1, "/plivo/DEFAULT/hangup", **ENDED)
    assert [] == fleet.app.finals
    gate.open()
    (final,) = await fleet.app.heard(1, final=True)

    assert 200 == status
    assert ["Hangup"] == names((await first)[0])
    assert ("late", "HANGUP") == (final["command_id"], final["call_status"])


async def test_commit_whose_answer_was_lost_while_another_went_on(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that was stored is answered, and the hangup that came right after keeps its result."""
    _script(fleet, ASK, DONE)
    document = await fleet.answer(0)
    store = fleet.bridges[0].store
    whole = store.commit

    async def commit(change: Commit) -> None:
        await whole(change)
        if any(line.document for line in change.history):
            await fleet.post(1, "/plivo/DEFAULT/hangup", **ENDED)
            raise Conflict("the repetition of a commit that was applied")

    monkeypatch.setattr(store, "commit", commit)
    answer = await fleet.follow(0, document, "action", Digits="1")
    (final,) = await fleet.app.heard(1, final=True)

    assert b"Thank you" in answer
    assert ("play", "HANGUP") == (final["command"], final["call_status"])
    assert ["", "1"] == fleet.app.results()


async def test_hangup_of_a_call_nobody_heard_of(fleet: Fleet) -> None:
    """A first request that arrives after the hangup, at another replica, asks no app."""
    await fleet.post(0, "/plivo/DEFAULT/hangup", **ENDED)

    assert ["Hangup"] == names(await fleet.answer(1))
    assert [] == fleet.app.requests


async def test_hosted_files_are_given_by_any_replica(fleet: Fleet) -> None:
    """Sound that an app sent, and a document of sounds, are fetched where the load balancer likes."""
    sound = base64.b64encode(asset("silence")).decode()
    party = [{"number": "+33699999999", "timeout": 15}]
    dialout = command("dialout", targets=party, ringtone="MUSIC")
    _script(fleet, command("play_wav_data", audio_data=sound), dialout)
    played = await fleet.answer(0)
    dialled = await fleet.follow(1, played, "Redirect")

    files = []
    for document, where, kind in (
        (played, "Play", "audio/wav"),
        (dialled, "dialMusic", "application/xml"),
    ):
        path = urlsplit(link(document, where)).path
        given = []
        for bridge in fleet.bridges:
            async with fleet.client.post(f"http://127.0.0.1:{bridge.port}{path}") as response:
                given.append((response.status, response.content_type, await response.read()))
        assert (200, kind) == given[0][:2]
        assert given[0] == given[1]
        files.append(given[0][2])

    assert asset("silence") == files[0]
    assert ["Play"] == names(files[1])


async def test_hangup_races_the_first_request(fleet: Fleet) -> None:
    """Whichever replica is first, a call either never begins or is ended, and told so once."""
    for n in range(20):
        await asyncio.gather(
            fleet.answer(0, CallUUID=f"race{n}"),
            fleet.post(1, "/plivo/DEFAULT/hangup", CallUUID=f"race{n}", **ENDED),
        )

    assert 0 == await fleet.bridges[0].store.count_live()
    begun = {request["callid"] for request in fleet.app.requests}
    finals = await fleet.app.heard(len(begun), final=True)
    assert begun == {final["callid"] for final in finals}


async def test_finals_are_delivered_once(fleet: Fleet) -> None:
    """However many replicas look for what is due, each final request is sent once."""
    for n in range(30):
        await fleet.answer(n % 2, CallUUID=f"f{n}")
        await fleet.post(1 - n % 2, "/plivo/DEFAULT/hangup", CallUUID=f"f{n}", **ENDED)
    await fleet.app.heard(30, final=True)
    store = fleet.bridges[0].store
    async with asyncio.timeout(30):
        while await store.outbox_size(("final",)):
            await store.ping()

    callids = [final["callid"] for final in fleet.app.finals]
    assert (30, 30) == (len(callids), len(set(callids)))


async def test_stopped_replica_gives_its_place_up(fleet: Fleet) -> None:
    """A bridge that stopped in good order is not waited for by the others."""
    store = fleet.bridges[1].store
    assert 2 == len(await store.list_records(replicas.KIND))
    await fleet.bridges[0].stop()

    assert 1 == len(await store.list_records(replicas.KIND))


@pytest.mark.slow
async def test_killed_process_is_replaced_within_its_callers_patience(tmp_path: Path) -> None:
    """After SIGKILL in the middle of a turn another process asks again and answers the caller."""
    gate = Gate(DONE)
    app = RecordingApp([ASK, gate, DONE, HANGUP])
    await app.start()
    options = {
        "BRIDGE_STORE": url_for(shared_server(), tmp_path),
        "BRIDGE_VERIFY_SIGNATURES": "false",
        "BRIDGE_APP_URL": app.url,
    }
    async with (
        aiohttp.ClientSession() as client,
        Serving(**options) as first,
        Serving(**options) as second,
    ):
        ports = [(await it.ready())["listen"].rpartition(":")[2] for it in (first, second)]

        async def post(port: str, path: str, **form: str) -> bytes:
            where = f"http://127.0.0.1:{port}{path}"
            async with client.post(where, data={**FORM, **form}) as response:
                return await response.read()

        document = await post(ports[0], "/plivo/DEFAULT/answer")
        path = urlsplit(link(document, "action")).path
        lost = asyncio.gather(post(ports[0], path, Digits="1"), return_exceptions=True)
        await app.heard(2)
        await first.stop(signal.SIGKILL)
        assert isinstance((await lost)[0], aiohttp.ClientError)
        async with asyncio.timeout(30):
            answer = await post(ports[1], path, Digits="1")
            while "Wait" in names(answer):
                answer = await post(ports[1], urlsplit(link(answer)).path)
    gate.open()
    await app.stop()

    assert b"Thank you" in answer
    assert ["", "1", "1"] == app.results()
    assert 1 == len({json.dumps(request) for request in app.requests[1:]})
