"""What mappings say when Plivo's REST API is switched off or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RestFailed, RestUnknown

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext
    from mappings._kernel.events import Event


def require_rest(call: CallContext, command: str) -> None:
    """Raise CommandRefused REST_UNAVAILABLE when the bridge runs without the REST API."""
    if not call.rest:
        raise CommandRefused(
            "REST_UNAVAILABLE",
            f"{command} needs Plivo's REST API, but BRIDGE_PLIVO_REST is false",
        )


def rest_failure(event: Event) -> CommandRefused:
    """Turn the event that answered a REST action into the error the app gets."""
    match event:
        case RestFailed():
            return CommandRefused(event.code, event.message)
        case RestUnknown():
            return CommandRefused("REST_UNKNOWN", event.message or "the request was interrupted")
        case _:
            return CommandRefused("REST_UNKNOWN", "the call went on before Plivo had answered")


__all__ = ["require_rest", "rest_failure"]
