"""What a bridge does between SIGTERM and its end, seen by Plivo, by API clients and by operators."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from support_e2e import Gate, RecordingApp, command, link, listening, names, settings_for, tts
from support_rpc import KEY
from support_serve import Serving
from support_valkey import needs_valkey, shared_server, url_for

from bridge import replicas
from bridge.app import Bridge
from bridge.stopping import FORCED, TOGETHER_S

if TYPE_CHECKING:
    from pathlib import Path

    from support_e2e import Json, Reply

FORM = {"From": "33612345678", "To": "33187654321", "Direction": "inbound"}
ENDED = {"Event": "Hangup", "CallStatus": "completed"}
ASK = command("read", media_id=tts("Your code?"), max_digits=4)
DONE = command("play", media_id=tts("Thank you"))
#: So long that a test which waited for it would fail, in s.
LONG = "600"
#: Longest anything takes that should happen at once, in s.
PATIENCE_S = 20.0


@dataclass
class Served:
    """A bridge in a process of its own, its app, and everybody who asks it something."""

    serving: Serving
    app: RecordingApp
    client: aiohttp.ClientSession

    async def _ready(self, name: str) -> str:
        ready = await self.serving.logged("bridge.ready")
        return f"http://{ready[name]}"

    async def post(self, path: str, uuid: str = "u1", **form: str) -> tuple[bytes, str]:
        """Send a webhook; gives the document, and what becomes of the connection."""
        data = {**FORM, "CallUUID": uuid, "CallStatus": "in-progress", **form}
        async with self.client.post(await self._ready("listen") + path, data=data) as response:
            assert 200 == response.status
            return await response.read(), response.headers.get("Connection", "").lower()

    async def answer(self, uuid: str = "u1") -> bytes:
        """Let a call begin."""
        return (await self.post("/plivo/DEFAULT/answer", uuid))[0]

    async def hang_up(self, uuid: str = "u1") -> None:
        """Report the end of a call."""
        await self.post("/plivo/DEFAULT/hangup", uuid, **ENDED)

    async def admin(self, path: str) -> tuple[int, str]:
        """Ask the admin listener."""
        async with self.client.get(await self._ready("admin") + path) as response:
            return response.status, await response.text()

    async def countdown(self) -> Json:
        """Give what `/readyz` says of the way out."""
        status, text = await self.admin("/readyz")
        assert 503 == status
        told: Json = json.loads(text)
        assert "draining" == told["checks"]["process"]
        return dict(told["draining"])

    async def rpc(self, method: str, *params: Any) -> Json:
        """Call a method of the API."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Authorization": f"Api-Key {KEY}"}
        url = await self._ready("listen") + "/json-rpc/v1.1/"
        async with self.client.post(url, json=body, headers=headers) as response:
            reply: Json = await response.json(content_type=None)
        return reply

    async def passes(self, seconds: float) -> None:
        """Wait until the countdown has gone on by so much."""
        begun = (await self.countdown())["seconds_left"]
        async with asyncio.timeout(PATIENCE_S):
            while (await self.countdown())["seconds_left"] > begun - seconds:
                pass


@asynccontextmanager
async def served(folder: Path, *replies: Reply, **settings: str) -> AsyncIterator[Served]:
    """Start an app with these replies, and a bridge whose calls are in a file of this folder."""
    app = RecordingApp(list(replies))
    await app.start()
    options = {
        "BRIDGE_STORE": f"sqlite:///{folder}/bridge.db",
        "BRIDGE_APP_URL": app.url,
        "BRIDGE_VERIFY_SIGNATURES": "false",
        "BRIDGE_PLIVO_REST": "true",
        "BRIDGE_PLIVO_API_URL": "http://127.0.0.1:9",
        "BRIDGE_RPC_API_KEYS": KEY,
        "BRIDGE_DRAIN_S": LONG,
        **settings,
    }
    async with Serving(**options) as serving, aiohttp.ClientSession() as client:
        await serving.ready()
        yield Served(serving, app, client)
    await app.stop()


@pytest.mark.slow
async def test_live_calls_are_answered_to_their_end(tmp_path: Path) -> None:
    """Not ready, no calls out, and everything else as before; with the last call the bridge ends."""
    async with served(tmp_path, ASK, ASK, DONE) as it:
        document = await it.answer()
        it.serving.send()
        line = await it.serving.logged("bridge.draining", phase="answering")
        told = await it.countdown()
        target = {"number": "+33699999999", "timeout": 30}
        refused = await it.rpc("calls.realtime", "DEFAULT", target, {"cli": "+33187654321"})
        other = await it.answer("u2")
        thanks, connection = await it.post(urlsplit(link(document, "action")).path, Digits="1")
        alive, metrics = await it.admin("/healthz"), (await it.admin("/metrics"))[1]
        for uuid in ("u1", "u2"):
            await it.hang_up(uuid)
        status = await it.serving.ended()

    assert (1, 600.0, 610.0) == (line["calls"], line["seconds_left"], line["gone_within_s"])
    assert {"phase", "seconds_left", "gone_within_s", "calls", "requests", "work"} == set(told)
    assert ("answering", 1, 0) == (told["phase"], told["calls"], told["requests"])
    assert 1502 == refused["error"]["code"]
    assert refused["error"]["message"].startswith("DRAINING: the bridge is being stopped: ask ")
    assert ["GetDigits", "Redirect"] == names(other)
    assert (True, "close") == (b"Thank you" in thanks, connection)
    assert 200 == alive[0]
    assert "rt_bridge_draining 1.0" in metrics
    assert ["HANGUP"] * 2 == [final["call_status"] for final in it.app.finals]
    phases = [one["phase"] for one in it.serving.lines if one["event"] == "bridge.draining"]
    assert (0, "finishing") == (status, phases[-1])


@pytest.mark.slow
async def test_bridge_without_calls_ends_at_once(tmp_path: Path) -> None:
    """Nobody waits for a countdown that serves nobody."""
    async with served(tmp_path) as it:
        assert 0 == await it.serving.stop()


@pytest.mark.slow
async def test_time_to_answer_on_is_limited(tmp_path: Path) -> None:
    """A call that outlasts it goes on in the next process, from where it was."""
    async with served(tmp_path, ASK, BRIDGE_DRAIN_S="0.3") as it:
        document = await it.answer()
        assert 0 == await it.serving.stop()
    async with served(tmp_path, DONE) as it:
        thanks, connection = await it.post(urlsplit(link(document, "action")).path, Digits="1")

    assert (True, "") == (b"Thank you" in thanks, connection)
    assert ["1"] == it.app.results()


@pytest.mark.slow
@pytest.mark.parametrize("grace_s", ["0", "0.2"])
async def test_time_to_finish_is_limited(tmp_path: Path, grace_s: str) -> None:
    """A turn that outlasts it is cut off, as is a request that never arrives; neither is a fault."""
    gate = Gate(DONE)
    times = {"BRIDGE_DRAIN_S": "0", "BRIDGE_SHUTDOWN_GRACE_S": grace_s}
    async with served(tmp_path, ASK, gate, **times) as it:
        halves: list[socket.socket] = []
        path = urlsplit(link(await it.answer(), "action")).path
        lost = asyncio.gather(it.post(path, Digits="1"), return_exceptions=True)
        await it.app.heard(2)
        host, _, port = (await it.serving.logged("bridge.ready"))["listen"].rpartition(":")
        for half in (b"POST /plivo/DEFAULT/answer", b"POST /json-rpc/v1.1/"):
            one = socket.create_connection((host, int(port)))
            halves.append(one)
            one.sendall(half + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        status = await it.serving.stop()
        (error,) = await lost
        gate.open()
        for one in halves:
            one.close()
    async with served(tmp_path, DONE) as again:
        thanks, _ = await again.post(path, Digits="1")

    assert 0 == status
    assert isinstance(error, aiohttp.ClientError)
    assert [] == [line for line in it.serving.lines if line["level"] == "error"]
    assert b"Thank you" in thanks


@pytest.mark.slow
async def test_second_signal_forces(tmp_path: Path) -> None:
    """The turn in flight is cut off and the process ends; the next one takes the turn again."""
    gate = Gate(DONE)
    async with served(tmp_path, ASK, gate) as it:
        path = urlsplit(link(await it.answer(), "action")).path
        lost = asyncio.gather(it.post(path, Digits="1"), return_exceptions=True)
        await it.app.heard(2)
        it.serving.send()
        await it.serving.logged("bridge.draining")
        assert 1 == (await it.countdown())["requests"]
        await it.passes(TOGETHER_S + 0.2)
        status = await it.serving.stop()
        (error,) = await lost
        gate.open()
    async with served(tmp_path, DONE) as again:
        thanks, _ = await again.post(path, Digits="1")

    assert FORCED == status
    assert isinstance(error, aiohttp.ClientError)
    assert [] == [line for line in it.serving.lines if line["level"] == "error"]
    (forced,) = [one for one in it.serving.lines if one["event"] == "bridge.forced"]
    assert ("warning", "bridge.stopped") == (forced["level"], it.serving.events[-1])
    assert b"Thank you" in thanks
    assert it.app.bodies[1] == again.app.bodies[0]


@pytest.mark.slow
async def test_signals_that_come_together_force_nothing(tmp_path: Path) -> None:
    """A service manager and a parent that passes signals on may both send one."""
    async with served(tmp_path, ASK) as it:
        await it.answer()
        it.serving.send(signal.SIGTERM)
        it.serving.send(signal.SIGINT)
        it.serving.send(signal.SIGTERM)
        assert "answering" == (await it.serving.logged("bridge.draining"))["phase"]
        await it.hang_up()

        assert 0 == await it.serving.ended()
    assert "bridge.forced" not in it.serving.events


# --- replicas ------------------------------------------------------------------------------------


@pytest.fixture
async def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Bridge]]:
    """Start two bridges on one store that call out, slowly; what they dial gets a uuid."""
    monkeypatch.setattr(replicas, "BEAT_S", 0.1)
    plivo = web.Application()
    uuids = iter(f"r{n}" for n in range(100))

    async def make_call(_: web.Request) -> web.Response:
        return web.json_response({"message": "call fired", "request_uuid": next(uuids)}, status=201)

    plivo.router.add_post("/v1/Account/{account}/Call/", make_call)
    async with AsyncExitStack() as stack:
        api_url = await stack.enter_async_context(listening(plivo))
        bridges = []
        for _ in range(2):
            options: Json = {"plivo_rest": True, "plivo_calls_per_second": 0.5}
            # Bridges in one loop wait for each other's background work when they stop.
            options["shutdown_grace_s"] = 0.1
            options["apps"] = {"DEFAULT": {"url": "http://127.0.0.1:9/"}}
            store = url_for(shared_server(), tmp_path)
            bridge = Bridge(settings_for(store, api_url, options))
            await bridge.start()
            stack.push_async_callback(bridge.stop)
            bridges.append(bridge)
        yield bridges


async def _until(bridge: Bridge, *, others: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while bridge.session.replicas.ready() != others:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def _until_dialled(bridge: Bridge, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await bridge.store.list_records("intent", scope="out")) != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@needs_valkey
async def test_queued_calls_are_taken_over_at_once(fleet: list[Bridge]) -> None:
    """What a replica that drains has not dialled yet is dialled by another one, and not in a minute."""
    one, two = fleet
    await _until(one, others=1)
    app = one.runtime.apps["DEFAULT"]
    for n in range(4):
        await one.outbound.place(app, f"+3369999999{n}", timeout_s=30, caller_id="+33187654321")
    # The first call leaves at once, and one more each two seconds.
    await _until_dialled(one, 1)
    assert 3 == await two.outbound.waiting()
    draining = asyncio.gather(one.drain())
    await _until_dialled(two, 2)
    one.draining.no_longer()
    await draining

    assert (2, 0) == (await two.outbound.waiting(), two.session.replicas.ready())


@needs_valkey
async def test_replica_among_others_gives_load_balancers_time(fleet: list[Bridge]) -> None:
    """While others are ready it answers on though no call is live; the last one need not."""
    one, two = fleet
    await _until(one, others=1)
    assert await one._needed()
    await two.stop()
    await _until(one, others=0)

    assert not await one._needed()


class Balancer:
    """Sends each webhook to the next bridge that is ready, as far as it has noticed."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._ready: list[str] = []
        self._next = 0
        self.answered = 0
        #: Set by whoever wants it to end.
        self.over = asyncio.Event()

    async def add(self, serving: Serving) -> None:
        """Take in a bridge that serves."""
        self._ready.append((await serving.ready())["listen"])
        serving.read_on()

    async def see_out(self, serving: Serving) -> int:
        """Take a bridge out once it was not ready twice in a row; gives its exit status."""
        ready = await serving.logged("bridge.ready")
        failures = 0
        while failures < 2:
            await asyncio.sleep(0.2)
            async with self._client.get(f"http://{ready['admin']}/readyz") as response:
                failures = 0 if response.status == 200 else failures + 1
        self._ready.remove(ready["listen"])
        return await serving.ended()

    async def post(self, path: str, uuid: str, **form: str) -> bytes:
        """Send a webhook; nothing but an answer will do."""
        self._next += 1
        where = self._ready[self._next % len(self._ready)]
        data = {**FORM, "CallUUID": uuid, "CallStatus": "in-progress", **form}
        async with self._client.post(f"http://{where}{path}", data=data) as response:
            assert 200 == response.status
            self.answered += 1
            return await response.read()

    async def calls(self, name: str) -> int:
        """Let one caller call again and again until it is over; gives how often."""
        count = 0
        while not self.over.is_set():
            uuid = f"{name}-{count}"
            document = await self.post("/plivo/DEFAULT/answer", uuid)
            for keys in "12":
                path = urlsplit(link(document, "action")).path
                document = await self.post(path, uuid, Digits=keys)
            await self.post("/plivo/DEFAULT/hangup", uuid, **ENDED)
            count += 1
        return count


@needs_valkey
@pytest.mark.slow
async def test_rolling_deploy_is_not_noticed(tmp_path: Path) -> None:
    """Two bridges are replaced one after the other under load: every webhook is answered, once."""
    app = RecordingApp([ASK] * 100_000)
    await app.start()
    options = {
        "BRIDGE_STORE": url_for(shared_server(), tmp_path),
        "BRIDGE_APP_URL": app.url,
        "BRIDGE_VERIFY_SIGNATURES": "false",
        "BRIDGE_DRAIN_S": "1.5",
    }
    async with AsyncExitStack() as stack:
        balancer = Balancer(await stack.enter_async_context(aiohttp.ClientSession()))
        old = [await stack.enter_async_context(Serving(**options)) for _ in range(2)]
        for one in old:
            await balancer.add(one)
        calling = asyncio.gather(*(balancer.calls(f"c{n}") for n in range(4)))
        for one in old:
            await balancer.add(await stack.enter_async_context(Serving(**options)))
            before = balancer.answered
            one.send()
            assert 0 == await balancer.see_out(one)
            assert balancer.answered > before
        balancer.over.set()
        count = sum(await calling)
        finals = await app.heard(count, final=True)
    await app.stop()

    assert count > 4
    assert (count, count) == (len(finals), len({final["callid"] for final in finals}))
    # Each call asks for its first command and tells two results; the last answer is never used.
    assert 3 * count == len(app.asked)
