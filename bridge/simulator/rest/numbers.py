"""Numbers the account rents (page "Account phone numbers")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import page

_COUNTRY_RATES: Final = {"monthly_rental_rate": "0.80000", "voice_rate": "0.00500"}


def everything(asked: Asked) -> Reply:
    """List all, or those that begin so, have this alias or this type."""
    start = asked.text("number_startswith").removeprefix("+")
    alias, kind = asked.text("alias"), asked.text("type")
    services = {service for service in asked.text("services").split(",") if service}
    unknown = services - {"voice", "sms", "mms"}
    if unknown:
        asked.bad("services", f"knows voice, sms and mms, not {', '.join(sorted(unknown))}")
    found = [
        _shown(asked, number)
        for number in asked.api.plivo.numbers
        if number.startswith(start)
        and (not alias or alias == asked.api.registry.rented(number).alias)
        and kind in {"", "local", "fixed"}
        and services <= {"voice"}
    ]
    return page(asked, "Number", found)


def get(asked: Asked) -> Reply:
    """Give one."""
    return Reply(200, _shown(asked, _found(asked)))


def update(asked: Asked) -> Reply:
    """Assign an application (null or "" = none) or an alias."""
    number, registry = _found(asked), asked.api.registry
    if "app_id" in asked:
        app_id = asked.text("app_id")
        registered = registry.applications().get(app_id)
        if app_id and registered is None:
            asked.bad("app_id", f"is no application: {app_id!r}")
        registry.assign(number, registered)
    if "alias" in asked:
        registry.rented(number).alias = asked.text("alias") or None
    return Reply(202, {"message": "changed"})


def release(asked: Asked) -> Reply:
    """Give one back."""
    asked.api.registry.release(_found(asked))
    return Reply(204)


def _found(asked: Asked) -> str:
    number = asked.ids["number"].removeprefix("+")
    if number not in asked.api.plivo.numbers:
        raise Refused(404, "number not found")
    return number


def _shown(asked: Asked, number: str) -> dict[str, Any]:
    registry, base = asked.api.registry, asked.api.base
    registered, rented = registry.of(number), registry.rented(number)
    added = datetime.fromtimestamp(rented.added, UTC)
    return {
        **_COUNTRY_RATES,
        "active": True,
        "added_on": f"{added:%Y-%m-%d}",
        "alias": rented.alias,
        "application": registered and f"{base}/Application/{registered.app_id}/",
        "carrier": "Plivo",
        "mms_enabled": False,
        "number": number,
        "number_type": "local",
        "region": None,
        "resource_uri": f"{base}/Number/{number}/",
        "sms_enabled": False,
        "sub_account": registered and registered.more.get("subaccount"),
        "voice_enabled": True,
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "Number/", everything),
    Route("GET", "Number/{number}/", get),
    Route("POST", "Number/{number}/", update),
    Route("DELETE", "Number/{number}/", release),
)

__all__ = ["ROUTES"]
