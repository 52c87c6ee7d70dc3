"""Clients of the simulated REST API: raw requests, and Plivo's official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import aiohttp
import plivo as sdk
from support_plivo import ACCOUNT, CALLED, CALLER, XmlApp

from bridge.simulator.line import Line
from bridge.simulator.platform import Plivo

#: Answers, then waits.
WAITING = '<Speak>Hello</Speak><Wait length="3600"/>'
LOGIN = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT.auth_id, ACCOUNT.auth_token)}
_CONSTANTS = (
    "PLIVO_API_BASE_URI",
    "API_VOICE_BASE_URI",
    "API_VOICE_BASE_URI_FALLBACK_1",
    "API_VOICE_BASE_URI_FALLBACK_2",
)


@dataclass(frozen=True)
class Rest:
    """A platform whose API is asked."""

    plivo: Plivo
    app: XmlApp
    client: Any

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        login: dict[str, str] | None = LOGIN,
        account: str = ACCOUNT.auth_id,
        raw: bytes | None = None,
    ) -> tuple[int, Any]:
        """Ask as it is written; gives status and body, None when there is none."""
        data = {"data": raw} if raw is not None else {"json": body} if body is not None else {}
        async with self.plivo.session.request(
            method, f"{self.plivo.api_url}/v1/Account/{account}/{path}", headers=login, **data
        ) as response:
            text = await response.text()
            return response.status, await response.json() if text else None

    async def sdk(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Let the SDK do it, in a thread, because it blocks."""
        return await asyncio.to_thread(call, *given, **named)

    async def passes(self, seconds: float) -> None:
        """Let virtual time pass."""
        clock = self.plivo.clock
        await clock.drive(lambda: False, clock.now() + seconds)

    async def call(
        self, document: str = WAITING, caller: str = CALLER, *, path: str = "/answer"
    ) -> Line:
        """Let somebody call, and let 2 s pass."""
        self.app.documents[path] = document
        application = self.app.application(answer_url=path)
        line = self.plivo.call(caller, CALLED, application=application)
        await self.passes(2)
        return line

    def notes(self) -> list[tuple[str, str, int]]:
        """List the requests as the timeline has them: method, path, status."""
        return [
            (entry.data["method"], entry.data["path"], entry.data["status"])
            for entry in self.plivo.timeline.of("rest")
        ]


@contextmanager
def official_client(api_url: str) -> Iterator[Any]:
    """Point the official SDK, whose host cannot be set, at another one."""
    constants: dict[str, Any] = dict.fromkeys(_CONSTANTS, f"{api_url}/v1/Account")
    with (
        mock.patch.multiple("plivo.rest.client", **constants),
        sdk.RestClient(ACCOUNT.auth_id, ACCOUNT.auth_token) as client,
    ):
        client.session.trust_env = False
        yield client
