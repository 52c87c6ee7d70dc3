"""Outbound calls in tests: who is called, and what became of it."""

from __future__ import annotations

from support_e2e import Json, World

from bridge.outbound.intents import Intent
from bridge.simulator.callees import Callee
from bridge.simulator.platform import digits

CALLEE = "+33699999999"
SHOWN = "+33187654321"
Seen = tuple[str, str, str, str]


async def place(
    world: World, number: str = CALLEE, *, app: str = "DEFAULT", timeout_s: int = 30
) -> str:
    """Ask for a call; gives its request hash."""
    return await world.bridge.outbound.place(
        world.bridge.runtime.apps[app],
        number,
        timeout_s=timeout_s,
        caller_id=SHOWN,
        cdr_field="42",
    )


def does(world: World, callee: Callee, number: str = CALLEE) -> None:
    """Say what somebody does who is called."""
    world.plivo.callees[digits(number)] = callee


def told(world: World) -> list[Seen]:
    """List what the app was asked: status, command, request_hash and cdr_field."""
    return [
        (one["call_status"], one["command"], one["request_hash"], one["cdr_field"])
        for one in world.app.requests
    ]


def asked(world: World) -> list[Json]:
    """List the bodies of the requests that made a call."""
    return [
        entry.data["body"]
        for entry in world.timeline.of("rest")
        if (entry.data["method"], entry.data["path"]) == ("POST", "Call/")
    ]


def dialled(world: World) -> list[tuple[float, str]]:
    """List when whom Plivo called."""
    return [(round(e.at, 1), e.data["number"]) for e in world.timeline.of("dials")]


async def intent(world: World, token: str) -> Intent:
    """Read an intent."""
    found = await world.bridge.session.arrivals.ledger.read(token)
    assert found is not None
    return found


__all__ = ["CALLEE", "SHOWN", "asked", "dialled", "does", "intent", "place", "told"]
