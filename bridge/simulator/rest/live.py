"""Calls that live or wait in the queue (pages "Live calls" and "Queued calls")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.simulator.rest.asked import Asked, Refused, Reply
from bridge.simulator.rest.paging import MOST, written_time

if TYPE_CHECKING:
    from bridge.simulator.line import Line


def ids(asked: Asked) -> Reply:
    """List the ids of those that live, or wait (status=queued); whom they dialled live as well.

    The list is whole: its limit and offset are checked, and nothing documents that they count.
    """
    status = asked.text("status")
    asked.whole("limit", MOST, 1, MOST)
    asked.whole("offset", 0, 0, 10**9)
    found = [
        line.uuid
        for line in asked.api.plivo.calls.values()
        if waits(line) == (status == "queued") and between(asked, line)
    ]
    return Reply(200, {"calls": found})


def one(asked: Asked) -> Reply:
    """Give what is known of one that lives, or waits. Raises Refused(404)."""
    line = asked.api.plivo.calls.get(asked.ids["call_uuid"])
    if line is None or waits(line) != (asked.text("status") == "queued"):
        raise Refused(404, "call not found")
    return Reply(200, _shown(line))


def waits(line: Line) -> bool:
    """Say whether a call did not leave the queue yet."""
    return line.leg.status == "queued"


def between(asked: Asked, line: Line) -> bool:
    """Say whether a call passes call_direction, from_number and to_number."""
    leg = line.leg
    directions = ("", "inbound", "outbound")
    caller, called = (asked.text(name).removeprefix("+") for name in ("from_number", "to_number"))
    return (
        asked.choice("call_direction", directions) in {"", leg.direction}
        and caller in {"", leg.caller}
        and called in {"", leg.called}
    )


def _shown(line: Line) -> dict[str, Any]:
    leg = line.leg
    return {
        "call_status": leg.status,
        "call_uuid": leg.uuid,
        "caller_name": leg.caller if leg.caller_name is None else leg.caller_name,
        "direction": leg.direction,
        "from": leg.caller,
        "request_uuid": leg.request_uuid or leg.uuid,
        "session_start": written_time(leg.began, digits=True),
        "stir_attestation": "",
        "stir_verification": "Not Applicable",
        "to": leg.called,
    }


__all__ = ["between", "ids", "one", "waits"]
