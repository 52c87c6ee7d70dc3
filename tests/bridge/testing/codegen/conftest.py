from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture
def recorded() -> Callable[..., list[RecordedTurn]]:
    """Make a call of one turn, in which this happened on the phone."""

    def make(*entries: dict[str, Any], **request: Any) -> list[RecordedTurn]:
        happened = tuple({"at": 0.0, "leg": 0, **entry} for entry in entries)
        return [RecordedTurn(call=1, number=1, at=0, request=REQUEST | request, caller=happened)]

    return make
