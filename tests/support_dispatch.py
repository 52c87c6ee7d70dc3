"""Outbound calls on a shell: a stub of Plivo's REST API, and time that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from support_shell import HASH, RestStub, Shell, shell

from bridge.outbound.intents import Intent
from bridge.outbound.service import Outbound
from bridge.plivo.rest import CallRecord
from bridge.tasks import spawn

NUMBER, SHOWN = "+33699999999", "+33187654321"
HANGUP = {"command": "hangup"}
Found = object | Exception | None


@dataclass
class CallStub(RestStub):
    """Answers to POST Call/ in turn (a request uuid, or what is raised), the last one for ever.

    `queued` and `between` hold uuids; `records` what Plivo has of calls that are over; `broken` is
    raised by every look.
    """

    replies: list[str | Exception] = field(default_factory=lambda: ["request-1"])
    calls: list[dict[str, Any]] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    between: list[str] = field(default_factory=list)
    records: dict[str, CallRecord] = field(default_factory=dict)
    broken: Exception | None = None
    while_asked: Callable[[], Awaitable[None]] | None = None

    async def make_call(self, **asked: Any) -> str:
        """Give, or raise, the next reply."""
        self.calls.append(asked)
        if self.while_asked is not None:
            await self.while_asked()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def live_call(self, uuid: str) -> object:
        """Look for a live call."""
        self._look(uuid)
        return object() if uuid in self.live else None

    async def queued_call(self, uuid: str) -> object:
        """Look for a call that waits."""
        self._look(uuid)
        return object() if uuid in self.queued else None

    async def call_record(self, uuid: str) -> CallRecord | None:
        """Look for a call that is over."""
        self._look(uuid)
        return self.records.get(uuid)

    async def live_calls(self, *, from_number: str, to_number: str) -> list[str]:
        """Look for calls between two numbers."""
        self._look(f"{from_number}>{to_number}")
        return self.between

    def _look(self, what: str) -> None:
        self.looks.append(what)
        if self.broken is not None:
            raise self.broken


@dataclass
class Dialling:
    """A shell that calls out."""

    shell: Shell
    rest: CallStub
    outbound: Outbound

    async def place(self, number: str = NUMBER, timeout_s: int = 30) -> str:
        """Ask for a call, and let everything happen that needs no time; gives its hash."""
        token = await self.outbound.place(
            self.shell.app, number, timeout_s=timeout_s, caller_id=SHOWN
        )
        await self.shell.settle()
        return token

    async def intent(self, token: str) -> Intent:
        """Read an intent."""
        found = await self.shell.session.arrivals.ledger.read(token)
        assert found is not None
        return found

    def told(self) -> list[tuple[str, str]]:
        """List what the app was asked: status and request hash."""
        return [(one["call_status"], one["request_hash"]) for one in self.shell.rt.sent]

    def another(self) -> Outbound:
        """Give the outbound calls of another process on the same store."""
        it = self.shell
        return Outbound(it.runtime, it.session, it.hangups, it.outbox)


@asynccontextmanager
async def dialling(*replies: str | Exception, **settings: Any) -> AsyncIterator[Dialling]:
    """Start a shell that calls out; Plivo answers with these replies."""
    rest = CallStub(replies=list(replies) or ["request-1"])
    async with shell(HANGUP, rest, **settings) as it:
        outbound = Outbound(it.runtime, it.session, it.hangups, it.outbox)
        running = spawn(outbound.run(), "outbound")
        try:
            yield Dialling(it, rest, outbound)
        finally:
            outbound.stop()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


__all__ = ["HASH", "NUMBER", "SHOWN", "CallStub", "Dialling", "dialling"]
