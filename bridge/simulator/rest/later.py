"""Asynchronous requests: the result goes to callback_url (page "Asynchronous request").

How the result is written there is not documented; here it is a form with the fields of the reply,
nested ones as JSON text, signed as every other request of the platform.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from bridge.simulator.leg import Method
from bridge.simulator.rest.asked import Asked, Reply
from bridge.simulator.webhooks import HTTP_OK, LATENCY_S, Patience

if TYPE_CHECKING:
    from bridge.simulator.rest.api import Api


def call_back(asked: Asked, url: str, method: Method, result: Reply) -> None:
    """Send the result of a request, a moment from now."""
    form = {"api_id": asked.api_id}
    form |= {name: _text(value) for name, value in (result.body or {}).items()}
    over = asyncio.Event()
    asked.api.plivo.pending.add(over)
    asked.api.plivo.spawn(_send(asked.api, url, method, form, over), "api callback")


async def _send(
    api: Api, url: str, method: Method, form: dict[str, str], over: asyncio.Event
) -> None:
    plivo, patience = api.plivo, Patience.of(url)
    try:
        await plivo.clock.sleep(LATENCY_S + api.random.random() / 1000)
        # A request needs ids and nonces that no other one has, and a leg makes them.
        leg = plivo.leg(0, "", "", uuid=api.new_id())
        leg.random = api.random
        with plivo.clock.busy():
            for attempt in range(1, patience.retries + 2):
                answer = await leg.request(
                    url, form, method=method, bare=True, limits=patience.limits(patience.total_s)
                )
                shown = url.partition("#")[0]
                api.add(
                    "tells",
                    "api callback",
                    to_json(form).decode(),
                    answer.ms,
                    name="api callback",
                    method=method,
                    url=shown,
                    form=form,
                    status=answer.status,
                    attempt=attempt,
                    reason=answer.body.decode("utf-8", "replace")[:200] if answer.lost else "",
                )
                if not patience.repeats(answer):
                    break
        if answer.status != HTTP_OK:
            api.add("problem", f"api callback gave status {answer.status}")
    finally:
        plivo.pending.discard(over)
        over.set()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value).decode()


__all__ = ["call_back"]
