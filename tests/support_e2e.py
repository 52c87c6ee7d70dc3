"""A whole world on loopback sockets: an RT app that keeps a record, the bridge, and Plivo's side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar, Unpack

from aiohttp import web
from support_valkey import shared_server, url_for

from bridge.app import Bridge
from bridge.settings import Settings
from bridge.simulator.clock import SimulationClock
from bridge.simulator.document import parse
from bridge.simulator.leg import Leg
from bridge.simulator.outbound import CallOptions
from bridge.simulator.platform import Application, Plivo
from bridge.simulator.profile import NORMAL, Profile
from bridge.simulator.timeline import Timeline
from bridge.testing.call import Call
from bridge.testing.hosts import InProcess
from bridge.testing.rig import ACCOUNT, CALLED, CALLER, Rig, rig

PUBLIC = "https://bridge.example.com"
#: Longest any test waits for something that should happen at once, in s.
PATIENCE_S = 5.0

Json = dict[str, Any]
Reply = Json | bytes | int | web.Response | Callable[[Json], Awaitable[Json | web.Response]]
Found = TypeVar("Found")
Make = Callable[..., Awaitable["World"]]


def tts(text: str) -> str:
    """Give the media id of a text."""
    return f"TTS|TTS_EN-GB_SERENA|{text}"


def command(name: str, label: Any = "", variables: Json | None = None, **params: Any) -> Json:
    """Write an RT.Response."""
    return {
        "command": name,
        "command_id": label or name,
        "params": params,
        "variables": variables or {},
    }


HANGUP = command("hangup")


def link(document: bytes, where: str = "Redirect") -> str:
    """Give a URL of a document: that of an attribute, or the text of an element."""
    for element in parse(document):
        if element.name == where:
            return element.text
        if where in element.attributes:
            return element.get(where)
    raise AssertionError(f"no {where} in {document!r}")


def names(document: bytes) -> list[str]:
    """List the elements of a document."""
    return [element.name for element in parse(document)]


def store_url(store: str, folder: Path) -> str:
    """Give the address of one kind of store, or what is one already."""
    if store == "redis":
        return url_for(shared_server(), folder)
    return f"sqlite:///{folder}/bridge.db" if store == "sqlite" else store


class Gate:
    """A reply of the app that is given only when the test says so."""

    def __init__(self, reply: Json) -> None:
        self._reply = reply
        self._open = asyncio.Event()

    async def __call__(self, _: Json) -> Json:
        """Wait, then give the reply."""
        await self._open.wait()
        return self._reply

    def open(self) -> None:
        """Let the app answer."""
        self._open.set()


@dataclass
class RecordingApp:
    """An RT app with scripted replies; then it hangs up, every time it is asked.

    A reply is an RT.Response, raw bytes, a status, a response, or a coroutine function that gets
    the request. The final request of a call takes none: it gets those in `to_final` (statuses,
    raw bodies or RT.Responses), then 200.
    """

    replies: list[Reply] = field(default_factory=list)
    to_final: list[Json | bytes | int] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    port: int = 0
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Give its address; it stays the same over a restart."""
        return f"http://127.0.0.1:{self.port}/rt"

    @property
    def asked(self) -> list[Json]:
        """List the requests that want a command."""
        return [request for request in self.requests if request["call_status"] == "UP"]

    @property
    def finals(self) -> list[Json]:
        """List the requests that say a call is over."""
        return [
            request
            for request in self.requests
            if request["call_status"] not in {"UP", "INCOMING_CALL"}
        ]

    def results(self) -> list[Any]:
        """List what the app was told: the error when there is one, else the result."""
        return [request["command_error"] or request["command_result"] for request in self.asked]

    async def start(self) -> None:
        """Begin to listen."""
        app = web.Application()
        app.router.add_post("/rt", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; connections are refused from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def heard(self, count: int, *, final: bool = False) -> list[Json]:
        """Wait for so many requests (of the final kind)."""
        async with self._heard, asyncio.timeout(PATIENCE_S):
            await self._heard.wait_for(
                lambda: len(self.finals if final else self.requests) >= count
            )
        return self.finals if final else self.requests

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        request = json.loads(body)
        async with self._heard:
            self.requests.append(request)
            self.bodies.append(body)
            self.headers.append(http.headers)
            self._heard.notify_all()
        if request in self.finals:
            return _response(self.to_final.pop(0) if self.to_final else 200)
        reply = self.replies.pop(0) if self.replies else HANGUP
        if callable(reply):
            reply = await reply(request)
        return _response(reply)


def _response(reply: Json | bytes | int | web.Response) -> web.Response:
    match reply:
        case web.Response():
            return reply
        case int():
            return web.Response(status=reply)
        case bytes():
            return web.Response(body=reply, content_type="text/html")
        case _:
            return web.json_response(reply)


@dataclass
class World:
    """One bridge between one app and one simulated Plivo account, on virtual time."""

    app: RecordingApp
    rig: Rig
    random: Random = field(default_factory=lambda: Random(7))

    @property
    def bridge(self) -> Bridge:
        """Give the bridge; after a restart another one."""
        return self.rig.bridge

    @property
    def plivo(self) -> Plivo:
        """Give the simulated account."""
        return self.rig.plivo

    @property
    def clock(self) -> SimulationClock:
        """Give the clock they share."""
        return self.rig.clock

    @property
    def timeline(self) -> Timeline:
        """Give everything that happened."""
        return self.rig.timeline

    @property
    def application(self) -> Application:
        """Give what the operator typed into Plivo."""
        return Application.at(PUBLIC)

    @property
    def recordings_url(self) -> str:
        """Give where the files of recordings are."""
        return f"{self.plivo.media_url}/v1/Account"

    # Whole calls.

    def dial(self, caller: str = CALLER, called: str = CALLED, **options: Any) -> Call:
        """Let somebody call; `options` are those of the platform's calls."""
        return self.rig.call_of(self.plivo.call(caller, called, **options))

    def make_call(
        self, caller: str = CALLED, called: str = CALLER, **options: Unpack[CallOptions]
    ) -> Call:
        """Call somebody, as Plivo's REST API does."""
        uuid = self.plivo.make_call(caller, called, self.application, **options)
        line = self.plivo.find(uuid)
        assert line is not None
        return self.rig.call_of(line)

    async def finish(self, seconds: float = 1000.0) -> None:
        """Let time pass until every call is over and the app was told of it; nothing went wrong."""
        await self.clock.drive(self._over, self.clock.now() + seconds)

        assert [] == self.timeline.texts("problem"), str(self.timeline)
        assert self._over(), f"not everything was over:\n{self.timeline}"

    def _over(self) -> bool:
        known = {request["callid"] for request in self.app.requests}
        told = {request["callid"] for request in self.app.finals}
        return not self.plivo.calls and not self.plivo.pending and known == told

    async def during(self, call: Call, element: str) -> None:
        """Let time pass until a call executes an element of this name."""
        until = self.clock.now() + 60
        assert await self.clock.drive(lambda: call.line.element == element, until)

    def documents(self, call: Call) -> list[bytes]:
        """List the documents a call got."""
        return [entry.data["xml"].encode() for entry in self.timeline.of("gets", call=call.number)]

    def spoken(self, call: Call) -> list[str]:
        """List what was spoken to the caller."""
        return [
            entry.data["text"]
            for entry in self.timeline.of("hears", call=call.number)
            if entry.data["element"] == "Speak" and entry.leg == 0
        ]

    def asked_of_rest(self, method: str, part: str = "") -> list[Json]:
        """List the bodies of the REST requests with this method whose path contains this."""
        return [
            entry.data["body"]
            for entry in self.timeline.of("rest")
            if entry.data["method"] == method and part in entry.data["path"]
        ]

    # Single requests.

    def leg(self, **options: Any) -> Leg:
        """Make a leg that is no call of the platform: its requests are those of the test."""
        options.setdefault("began", self.clock.now())
        return Leg(self.plivo.session, ACCOUNT, self.random, via=self.plivo.via, **options)

    async def ticking(self, awaitable: Coroutine[Any, Any, Found]) -> Found:
        """Let virtual time pass, a second at a time, until something has happened."""
        # Not spawned: time stands still while a background task waits for anything else.
        waiting = asyncio.gather(awaitable)
        while not (await asyncio.wait({waiting}, timeout=0.01))[0]:
            await self.passes(1)
        return waiting.result()[0]

    async def passes(self, seconds: float) -> None:
        """Let virtual time pass."""
        await self.clock.drive(lambda: False, self.clock.now() + seconds)

    async def restart(self) -> None:
        """Stop the bridge and start another one with the same settings."""
        host = self.rig.host
        assert isinstance(host, InProcess)
        await host.stop()
        host.bridge = Bridge(host.settings, self.clock)
        await host.start()
        self.plivo.via[host.settings.public_url] = host.address

    async def until(self, check: Callable[[], Awaitable[Found]]) -> Found:
        """Let virtual time pass until something true is found."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await check()):
                await self.passes(1)
        return found

    async def delivered(self, count: int = 1) -> list[Json]:
        """Wait for so many final requests, and until none of them is to be repeated."""
        await self.ticking(self.app.heard(count, final=True))
        keys = {f"final:{request['callid']}" for request in self.app.finals}

        async def done() -> bool:
            return not any([await self.bridge.store.outbox_row(key) for key in keys])

        await self.until(done)
        return self.app.finals

    async def somebody_waits(self, callid: int = 1) -> None:
        """Wait until a request waits for the end of the turn another one has begun."""

        async def waiting() -> bool:
            turn = self.bridge.session._turns.get(callid)
            return turn is not None and turn._ended is not None

        async with asyncio.timeout(PATIENCE_S):
            while not await waiting():  # noqa: ASYNC110 -- see below
                # Nothing tells that a request has come so far but looking.
                await asyncio.sleep(0.002)

    async def admin(self, path: str) -> tuple[int, str]:
        """Ask the admin listener."""
        url = f"http://127.0.0.1:{self.bridge.admin_port}{path}"
        async with self.plivo.session.get(url) as response:
            return response.status, await response.text()


def settings_for(store: str, api_url: str, settings: Json) -> Settings:
    """Make settings on free ports, with signatures on and everything else at its default."""
    return Settings.model_validate(
        {
            "public_url": PUBLIC,
            "listen": "127.0.0.1:0",
            "admin_listen": "127.0.0.1:0",
            "plivo_auth_id": ACCOUNT.auth_id,
            "plivo_auth_tokens": [ACCOUNT.auth_token],
            "plivo_api_url": api_url,
            "plivo_rest": False,
            "store": store,
            **settings,
        }
    )


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a free port; gives its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def world(
    replies: Sequence[Reply],
    *,
    folder: Path,
    store: str = "memory:",
    app: Json | None = None,
    more_apps: Sequence[str] = (),
    direct: bool = False,
    profile: Profile = NORMAL,
    faults: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[World]:
    """Start everything, and stop it in the order in which a deployment would.

    Every turn goes through the tap of the test kit, which knows one app; `direct`, or several apps,
    leave it out. The REST API is off unless `plivo_rest` says otherwise.
    """
    store = store_url(store, folder)
    recorder = RecordingApp(list(replies))
    await recorder.start()
    settings = {"public_url": PUBLIC, "plivo_rest": False, "store": store, **settings}
    if direct or more_apps:
        one = {"url": recorder.url, **(app or {})}
        settings["apps"] = dict.fromkeys(["DEFAULT", *more_apps], one)
    try:
        async with rig(
            recorder.url,
            seed=7,
            profile=profile,
            faults=faults,
            # Of its own the app has no number; the rig would give it the one that is called.
            app_settings={"numbers": [], **(app or {})},
            settings=settings,
            patience_s=2 * PATIENCE_S,
        ) as it:
            yield World(recorder, it)
    finally:
        await recorder.stop()
