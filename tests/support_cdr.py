"""Call records in tests."""

from __future__ import annotations

from typing import Any

from support_e2e import Json, World

from bridge.cdr.record import KIND, Cdr, load

ONE, TWO = "+442079460101", "+442079460102"


def dialout(*numbers: str, **params: Any) -> Json:
    """Write a dialout of these numbers."""
    targets = [{"number": number, "timeout": 15} for number in numbers]
    return {
        "command": "dialout",
        "command_id": "people",
        "params": {"targets": targets, **params},
        "variables": {},
    }


async def records(world: World) -> list[Cdr]:
    """List all call records, the call itself first and its legs in the order they were dialled."""
    rows = await world.bridge.store.list_records(KIND, limit=1000)
    return sorted(map(load, rows), key=lambda cdr: (cdr.callid, cdr.leg))


def ended(cdr: Cdr) -> tuple[str, str, int | None]:
    """Say how a leg ended: status, cause code, duration."""
    return cdr.status, cdr.cause_code, cdr.duration


__all__ = ["ONE", "TWO", "dialout", "ended", "records"]
