from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.testing.recording import RecordedTurn

REQUEST: dict[str, Any] = {
    "app": "DEFAULT",
    "callid": 7,
    "request_hash": None,
    "cli_name": "",
    "cli_number": "+33612345678",
    "date_started": "2025-11-21 09:22:33",
    "number": "+33187654321",
    "command": "",
    "command_id": 0,
    "command_result": "",
    "command_error": "",
    "call_status": "UP",
    "cdr_field": "",
    "variables": {},
}


@dataclass(frozen=True)
class Heard:
    """A turn as the tap hears it."""

    at: float
    call: int
    request: dict[str, Any]
    status: int | None
    body: bytes
    failure: str
    ms: float


@pytest.fixture
def heard() -> Callable[..., Heard]:
    """Make a turn of which only some fields matter."""

    def make(
        reply: Any = b"",
        *,
        at: float = 0.0,
        call: int = 7,
        status: int | None = 200,
        failure: str = "",
        ms: float = 1.25,
        **request: Any,
    ) -> Heard:
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        return Heard(at, call, REQUEST | {"callid": call} | request, status, body, failure, ms)

    return make


@pytest.fixture
def recorded() -> Callable[..., RecordedTurn]:
    """Make a recorded turn of which only some fields matter."""

    def make(
        reply: dict[str, Any] | None = None,
        *,
        call: int = 1,
        turn: int = 1,
        caller: tuple[dict[str, Any], ...] = (),
        body: str | None = None,
        failure: str = "",
        **request: Any,
    ) -> RecordedTurn:
        return RecordedTurn(
            call=call,
            number=turn,
            at=0,
            request=REQUEST | request,
            status=200,
            reply=reply,
            body=body,
            failure=failure,
            caller=caller,
        )

    return make
