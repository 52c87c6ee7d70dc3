"""Applications: where an account's numbers get their documents (page "Applications")."""

from __future__ import annotations

import re
from typing import Any, Final

from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import page
from bridge.simulator.rest.registry import Registered

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: The fields of `platform.Application` by their names in the API.
_URLS: Final = {
    "answer_url": "answer_url",
    "hangup_url": "hangup_url",
    "fallback_answer_url": "fallback_url",
}
_METHODS: Final = {
    "answer_method": "answer_method",
    "hangup_method": "hangup_method",
    "fallback_method": "fallback_method",
}
#: What is only kept, and its value when a new application says nothing.
_FLAGS: Final = {
    "default_number_app": False,
    "default_endpoint_app": False,
    "log_incoming_messages": True,
    "public_uri": False,
}


def create(asked: Asked) -> Reply:
    """Create one."""
    from bridge.simulator.platform import Application  # noqa: PLC0415 -- the platform serves this API

    name = asked.required("app_name")
    if not _NAME.fullmatch(name):
        asked.bad("app_name", "may have letters, digits, - and _ only, and 60 of them")
    for other in asked.api.registry.applications().values():
        if other.name == name:
            asked.bad("app_name", f"{name!r} belongs to another application")
    registered = Registered(asked.api.registry.new_id(), name, Application(""), dict(_FLAGS))
    fields = _checked(asked, registered)
    asked.api.registry.add(registered)
    asked.api.registry.change(registered, **fields)
    return Reply(201, {"message": "created", "app_id": registered.app_id})


def update(asked: Asked) -> Reply:
    """Change what is given, and nothing else."""
    registered = _found(asked)
    asked.api.registry.change(registered, **_checked(asked, registered))
    return Reply(202, {"message": "changed"})


def _checked(asked: Asked, registered: Registered) -> dict[str, Any]:
    """Read the fields of the application; those only kept are written at once, when all is well."""
    fields: dict[str, Any] = {}
    more: dict[str, Any] = {}
    for name, mine in _URLS.items():
        if name in asked:
            fields[mine] = asked.url(name)
    for name, mine in _METHODS.items():
        if name in asked:
            fields[mine] = asked.http_method(name)
    for name, default in _FLAGS.items():
        if name in asked:
            more[name] = asked.flag(name, default=default)
    readers = (
        ("message_url", asked.url),
        ("message_method", asked.http_method),
        ("subaccount", asked.text),
    )
    more |= {name: read(name) or None for name, read in readers if name in asked}
    registered.more.update(more)
    if more.get("default_number_app"):
        _only_default(asked, registered)
    return fields


def _only_default(asked: Asked, registered: Registered) -> None:
    for other in asked.api.registry.applications().values():
        other.more["default_number_app"] = other is registered


def get(asked: Asked) -> Reply:
    """Give one."""
    return Reply(200, shown(asked, _found(asked)))


def everything(asked: Asked) -> Reply:
    """List all, or those of a name or subaccount."""
    name, subaccount = asked.text("app_name"), asked.text("subaccount")
    found = [
        shown(asked, registered)
        for registered in asked.api.registry.applications().values()
        if (not name or name in registered.name)
        and (not subaccount or subaccount == registered.more.get("subaccount"))
    ]
    return page(asked, "Application", found)


def delete(asked: Asked) -> Reply:
    """Delete one; its numbers have no application then."""
    registered = _found(asked)
    asked.flag("cascade", default=True)
    instead = asked.text("new_endpoint_application")
    if instead and instead not in asked.api.registry.applications():
        asked.bad("new_endpoint_application", f"is no application: {instead!r}")
    asked.api.registry.remove(registered)
    return Reply(204)


def _found(asked: Asked) -> Registered:
    registered = asked.api.registry.applications().get(asked.ids["app_id"])
    if registered is None:
        raise Refused(404, "application not found")
    return registered


def shown(asked: Asked, registered: Registered) -> dict[str, Any]:
    """Show one as the API does."""
    application, more = registered.application, registered.more
    return {
        "answer_method": application.answer_method,
        "answer_url": application.answer_url,
        "app_id": registered.app_id,
        "app_name": registered.name,
        "default_app": more.get("default_number_app", False),
        "default_endpoint_app": more.get("default_endpoint_app", False),
        "enabled": True,
        "fallback_answer_url": application.fallback_url,
        "fallback_method": application.fallback_method,
        "hangup_method": application.hangup_method,
        "hangup_url": application.hangup_url or application.answer_url,
        "log_incoming_messages": more.get("log_incoming_messages", True),
        "message_method": more.get("message_method", "POST"),
        "message_url": more.get("message_url", ""),
        "public_uri": more.get("public_uri", False),
        "resource_uri": f"{asked.api.base}/Application/{registered.app_id}/",
        "sip_uri": f"sip:{registered.app_id}@app.plivo.com",
        "sub_account": more.get("subaccount"),
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "Application/", create),
    Route("GET", "Application/", everything),
    Route("GET", "Application/{app_id}/", get),
    Route("POST", "Application/{app_id}/", update),
    Route("DELETE", "Application/{app_id}/", delete),
)

__all__ = ["ROUTES", "shown"]
