"""The shell without its listeners: one app, a stub of Plivo's REST API, and time that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from support_e2e import Json, settings_for

from bridge.app import make_runtime
from bridge.hangups import Hangups
from bridge.outbox import Outbox
from bridge.plivo.rest import PlivoRest
from bridge.rest_actions import RestActions
from bridge.room_looks import RoomLooks
from bridge.rooms import Rooms
from bridge.rt_client import RtApp
from bridge.runtime import App, Runtime
from bridge.session import Session
from bridge.simulator.clock import VirtualClock
from bridge.state import CallState, load
from bridge.store.memory import MemoryStore
from bridge.tasks import spawn

#: Turns of the event loop in which everything has happened that needs no more time.
TURNS = 200
HASH = "DEFAULT"


@dataclass
class RtStub:
    """An app that always answers the same; `sent` lists what it was asked."""

    reply: Json
    sent: list[Json] = field(default_factory=list)

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """Take note and answer."""
        self.sent.append(json.loads(body))
        return json.dumps(self.reply).encode()

    def finals(self) -> list[Json]:
        """List the final requests."""
        return [request for request in self.sent if request["call_status"] == "HANGUP"]


@dataclass
class RestStub:
    """Plivo's REST API: an answer is given, or raised when it is an exception.

    `listed` holds what the next looks at a conference find, the last one for ever; `live` the
    CallUUIDs of live calls.
    """

    listed: list[list[str] | Exception | None] = field(default_factory=lambda: [None])
    kick: Exception | None = None
    live: set[str] = field(default_factory=set)
    live_error: Exception | None = None
    looks: list[str] = field(default_factory=list)
    kicks: list[tuple[str, str]] = field(default_factory=list)

    async def get_conference(self, name: str) -> object:
        """Give the members listed next."""
        self.looks.append(name)
        found = self.listed.pop(0) if len(self.listed) > 1 else self.listed[0]
        if isinstance(found, Exception):
            raise found
        if found is None:
            return None
        # Member m1 is the call with the CallUUID u1.
        there = [SimpleNamespace(member_id=one, call_uuid=one.replace("m", "u")) for one in found]
        return SimpleNamespace(members=there)

    async def kick_member(self, name: str, member_id: str) -> None:
        """Take note."""
        self.kicks.append((name, member_id))
        if self.kick is not None:
            raise self.kick

    async def live_call(self, uuid: str) -> object:
        """Give something for a live call."""
        self.looks.append(uuid)
        if self.live_error is not None:
            raise self.live_error
        return object() if uuid in self.live else None


@dataclass
class Shell:
    """Everything between the routes and the outside."""

    runtime: Runtime
    store: MemoryStore
    clock: VirtualClock
    rt: RtStub
    rest: RestStub | None
    session: Session
    outbox: Outbox
    hangups: Hangups
    rooms: Rooms
    looks: RoomLooks

    @property
    def app(self) -> App:
        """Give the one app."""
        return self.runtime.apps[HASH]

    def form(self, uuid: str, **values: str) -> dict[str, str]:
        """Write the parameters of a webhook."""
        base = {"CallUUID": uuid, "From": "33612345678", "To": "33187654321"}
        return {**base, "Direction": "inbound", "CallStatus": "in-progress", **values}

    async def answer(self, uuid: str) -> int:
        """Let a call begin and get its first document; gives its callid."""
        await self.session.answer(self.app, self.form(uuid), {})
        callid = await self.store.find_call(HASH, uuid)
        assert callid is not None
        return callid

    async def resume(self, callid: int, kind: Any, **values: str) -> bytes:
        """Let the newest document of a call continue."""
        state = await self.state(callid)
        form = self.form(state.uuid, **values)
        return await self.session.resume(self.app, callid, state.step, kind, form, {})

    async def hang_up(self, uuid: str, **values: str) -> None:
        """Report the end of a call."""
        form = self.form(uuid, **{"CallStatus": "completed", "Event": "Hangup", **values})
        await self.hangups.end(self.app, form, {})

    async def state(self, callid: int) -> CallState:
        """Read the stored state of a call."""
        stored = await self.store.load_call(callid)
        assert stored is not None
        return load(stored.blob, stored.version)

    async def settle(self) -> None:
        """Let everything happen that needs no more time."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def after(self, seconds: int) -> None:
        """Let what is due happen, and then so much time pass, a second at a time."""
        await self.settle()
        for _ in range(seconds):
            self.clock.advance(1)
            for _ in range(20):
                await asyncio.sleep(0)
        await self.settle()


@asynccontextmanager
async def shell(reply: Json, rest: RestStub | None = None, **settings: Any) -> AsyncIterator[Shell]:
    """Start a shell whose app answers everything alike; its outbox is at work."""
    apps = {HASH: {"url": "https://app.example.com/rt", **settings.pop("app", {})}}
    values = {"apps": apps, "plivo_rest": rest is not None, **settings}
    chosen = settings_for("memory:", "https://api.plivo.com", values)
    store, clock, rt = MemoryStore(), VirtualClock(), RtStub(reply)
    await store.open()
    stub = cast("PlivoRest | None", rest)
    runtime = make_runtime(chosen, store, b"s" * 32, clock, rt, stub)
    session = Session(runtime, RestActions(runtime))
    outbox = Outbox(runtime)
    hangups = Hangups(runtime, session, outbox)
    session.on_turn_end = hangups.turn_ended
    rooms = Rooms(runtime, session, outbox)
    looks = RoomLooks(runtime, session, outbox, rooms)
    running = spawn(outbox.run(), "outbox")
    try:
        yield Shell(runtime, store, clock, rt, rest, session, outbox, hangups, rooms, looks)
    finally:
        outbox.stop()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
