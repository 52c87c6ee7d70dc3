"""Write RT.Request, the message to the app (RT page, "RT.Request").

All 14 fields, always, in the order of the RT page: old apps reject a request that lacks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final

#: The request's fields, in the order in which they are written.
FIELDS: Final = (
    "app",
    "callid",
    "request_hash",
    "cli_name",
    "cli_number",
    "date_started",
    "number",
    "command",
    "command_id",
    "command_result",
    "command_error",
    "call_status",
    "cdr_field",
    "variables",
)


# Not frozen, unlike other values: with so many fields that would treble the time of making one.
@dataclass(slots=True)
class RtRequest:
    """One message to the app, field by field as the RT page names them.

    `request_hash` is None on inbound calls. `command_id` and `variables` are JSON text, as
    `RtResponse` gives it, and are written as they are. `date_started` comes from `rt_date`.
    """

    app: str
    callid: int
    request_hash: str | None
    cli_name: str
    cli_number: str
    date_started: str
    number: str
    command: str = ""
    command_id: str = "0"
    command_result: str | int = ""
    command_error: str = ""
    call_status: str = "UP"
    cdr_field: str = ""
    variables: str = "{}"


def write_request(r: RtRequest) -> bytes:
    """Give the request as compact JSON in UTF-8."""
    result = r.command_result
    text = (
        f'{{"app":{_quoted(r.app)},"callid":{r.callid},"request_hash":'
        f"{'null' if r.request_hash is None else _quoted(r.request_hash)}"
        f',"cli_name":{_quoted(r.cli_name)},"cli_number":{_quoted(r.cli_number)}'
        f',"date_started":{_quoted(r.date_started)},"number":{_quoted(r.number)}'
        f',"command":{_quoted(r.command)},"command_id":{r.command_id},"command_result":'
        f"{_quoted(result) if isinstance(result, str) else result}"
        f',"command_error":{_quoted(r.command_error)},"call_status":{_quoted(r.call_status)}'
        f',"cdr_field":{_quoted(r.cdr_field)},"variables":{r.variables}}}'
    )
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _mended(text).encode()


@lru_cache(maxsize=4096)  # a call asks with the same date in every turn
def rt_date(epoch_s: float) -> str:
    """Write a time, in seconds since 1970 (years 1 to 9999), as `YYYY-MM-DD HH:MM:SS` in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(" ", "seconds")[:19]


def _quoted(text: str) -> str:
    return encode_basestring_ascii(text if text.isascii() else _mended(text))


def _mended(text: str) -> str:
    # An escaped lone surrogate is valid JSON to some parsers and an error to others (PHP's, .NET's).
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


__all__ = ["FIELDS", "RtRequest", "rt_date", "write_request"]
