"""The fixed bodies every two-hop server exchanges, of the sizes of real ones.

`RT_REPLY` is what the app stub always answers (255 bytes), `RT_REQUEST` what servers without a
translation post to it (333 bytes), `PLIVO_XML` what such a server answers Plivo (500 bytes).
"""

from __future__ import annotations

import json
from typing import Final

__all__ = ["DIGITS", "PLIVO_XML", "PROMPT", "RT_REPLY", "RT_REQUEST", "TURN_URL"]

DIGITS: Final = "1234"
"""What every caller types: as many keys as `RT_REPLY` asks for, so each turn ends the command."""

PROMPT: Final = "Please enter the four digits of your customer number"

TURN_URL: Final = "https://voice.example.com/plivo/DEFAULT/turn"
"""The one address of a turn at the servers that keep no calls."""


def _filled(build: dict[str, object], key: str, size: int) -> bytes:
    """Give the JSON text with the string `key` extended so that the text has `size` bytes."""
    missing = size - len(json.dumps(build))
    return json.dumps(build | {key: f"{build[key]}{'x' * missing}"}).encode()


RT_REPLY: Final = json.dumps(
    {
        "command": "read",
        "command_id": 7,
        "params": {
            "media_id": f"TTS|TTS_EN-GB_SERENA|{PROMPT}".ljust(109, "."),
            "max_digits": len(DIGITS),
            "attempts": 3,
            "timeout_ms": 4000,
        },
        "variables": {"step": "ask"},
    }
).encode()

RT_REQUEST: Final = _filled(
    {
        "app": "DEFAULT",
        "callid": 421889,
        "request_hash": None,
        "cli_name": "",
        "cli_number": "+33612345678",
        "date_started": "2026-01-09 17:27:55",
        "number": "+33178900000",
        "command": "read",
        "command_id": 7,
        "command_result": DIGITS,
        "command_error": "",
        "call_status": "UP",
        "cdr_field": "",
        "variables": {"step": "ask"},
    },
    "cdr_field",
    333,
)

_XML_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><Response>'
    f'<GetDigits action="{TURN_URL}" method="POST" timeout="4" digitTimeout="4" '
    f'numDigits="{len(DIGITS)}" finishOnKey="#" retries="1">'
    '<Speak voice="Polly.Amy" language="en-GB">'
)
_XML_TAIL: Final = f"</Speak></GetDigits><Redirect>{TURN_URL}</Redirect></Response>"

PLIVO_XML: Final = (
    _XML_HEAD + PROMPT.ljust(500 - len(_XML_HEAD) - len(_XML_TAIL), ".") + _XML_TAIL
).encode()
