"""The front of the simulated REST API: who may ask, how often, what fails, what is written down."""

from __future__ import annotations

import base64
import hmac
from collections import deque
from collections.abc import Mapping
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from uuid import UUID

from aiohttp import web
from pydantic_core import from_json, to_json

from bridge.simulator.faults import What
from bridge.simulator.rest import (
    applications,
    call_actions,
    calls,
    cdr,
    conferences,
    members,
    numbers,
    recordings,
    streams,
)
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.later import call_back
from bridge.simulator.rest.registry import Registry
from bridge.simulator.timeline import Entry, Kind

if TYPE_CHECKING:
    from bridge.simulator.platform import Plivo

#: More requests than this in so many s are refused (page "Account limits").
MOST_REQUESTS: Final = 300
WINDOW_S: Final = 5.0
ROUTES: Final[tuple[Route, ...]] = (
    *calls.ROUTES,
    *cdr.ROUTES,
    *call_actions.ROUTES,
    *streams.ROUTES,
    *conferences.ROUTES,
    *members.ROUTES,
    *applications.ROUTES,
    *numbers.ROUTES,
    *recordings.ROUTES,
)
_PREFIX: Final = "/v1/Account/"
_LARGEST_BODY: Final = 1_048_576
_AUTH_ID_LENGTH: Final = 20
_THROTTLED: Final = "too many requests: at most 300 in 5 seconds"
_BROKEN: Final = "internal server error"


class Api:
    """The REST API of one simulated account, on the state of its platform."""

    def __init__(self, plivo: Plivo) -> None:
        self.plivo = plivo
        self.registry = Registry(plivo)
        self.streams = streams.Streams()
        self.random = Random(f"{plivo.seed}/rest")
        self._asked_at: deque[float] = deque()

    @property
    def base(self) -> str:
        """Give the path of the account, as resource_uri and links have it."""
        return f"{_PREFIX}{self.plivo.account.auth_id}"

    def new_id(self) -> str:
        """Make up an id that nothing else has."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    async def serve(self, http: web.Request) -> web.Response:
        """Answer one request."""
        begun = perf_counter()
        with self.plivo.clock.busy():
            body = await http.content.read(_LARGEST_BODY)
            api_id = self.new_id()
            asked: Asked | None = None
            path = http.rel_url.raw_path.partition(_PREFIX)[2].partition("/")[2]
            try:
                self._admit(http)
                route, ids = _route(http.method, path)
                given = _parameters(http.method, http.query, body)
                asked = Asked(self, http.method, ids, given, api_id)
                reply = self._do(route, asked)
            except Refused as refused:
                reply = Reply(refused.status, {"error": refused.error})
            whole = None if reply.body is None else {"api_id": api_id, **reply.body}
            self._note(http, path, asked, Reply(reply.status, whole), begun)
        if whole is None:
            return web.Response(status=reply.status)
        headers = {"WWW-Authenticate": 'Basic realm="Plivo"'} if reply.status == 401 else None  # noqa: PLR2004 -- unauthorized
        return web.Response(
            status=reply.status,
            body=to_json(whole),
            content_type="application/json",
            headers=headers,
        )

    def _admit(self, http: web.Request) -> None:
        """Check credentials and account, then the rate. Raises Refused."""
        account, asked_for = self.plivo.account, http.match_info["auth_id"]
        kind, _, given = http.headers.get("Authorization", "").partition(" ")
        login = base64.b64encode(f"{account.auth_id}:{account.auth_token}".encode()).decode()
        if kind.lower() != "basic" or not hmac.compare_digest(login.encode(), given.encode()):
            raise Refused(401, "authentication failed: give Auth ID and Auth Token as HTTP Basic")
        if asked_for != account.auth_id:
            known = len(asked_for) == _AUTH_ID_LENGTH and asked_for[:2] in {"MA", "SA"}
            raise Refused(
                403 if known else 404, f"{asked_for} is not the account of these credentials"
            )
        now = self.plivo.clock.now()
        while self._asked_at and self._asked_at[0] <= now - WINDOW_S:
            self._asked_at.popleft()
        if len(self._asked_at) >= MOST_REQUESTS:
            raise Refused(429, _THROTTLED)
        self._asked_at.append(now)

    def _do(self, route: Route, asked: Asked) -> Reply:
        if self._strikes("rest_429", route):
            raise Refused(429, _THROTTLED)
        if self._strikes("rest_500", route):
            raise Refused(500, _BROKEN)
        if asked.text("callback_url") and not route.own_callback:
            url, method = asked.url("callback_url"), asked.http_method("callback_method")
            call_back(asked, url, method, self._handled(route, asked))
            reply = Reply(202, {"message": "async api spawned"})
        else:
            reply = self._handled(route, asked)
        if self._strikes("rest_lost", route):
            raise Refused(500, _BROKEN)
        return reply

    def _handled(self, route: Route, asked: Asked) -> Reply:
        try:
            return route.handler(asked)
        except Refused as refused:
            return Reply(refused.status, {"error": refused.error})

    def _strikes(self, what: What, route: Route) -> bool:
        struck = self.plivo.faults.strike(what, route.name) is not None
        if struck:
            self.add("fault", f"{route.method} {route.name}: {what}", fault=what, name=route.name)
        return struck

    def add(
        self, kind: Kind, text: str, detail: str = "", ms: float | None = None, /, **data: Any
    ) -> None:
        """Append to the timeline what concerns no single call; `number` in data says which one."""
        number = data.pop("number", 0)
        at = self.plivo.clock.now() - self.plivo.began
        self.plivo.timeline.add(Entry(at, kind, text, detail, ms, number, 0, data))

    def _note(
        self, http: web.Request, path: str, asked: Asked | None, reply: Reply, begun: float
    ) -> None:
        given = dict(asked.given) if asked is not None else {}
        uuid = "" if asked is None else asked.ids.get("call_uuid", "")
        line = self.plivo.calls.get(uuid) or self.registry.line(uuid)
        lines = [to_json(part).decode() for part in (given, reply.body) if part]
        self.add(
            "rest",
            f"{http.method} {path} → {reply.status}",
            "\n".join(lines),
            (perf_counter() - begun) * 1000,
            method=http.method,
            path=path,
            body=given,
            status=reply.status,
            reply=None if reply.body is None else dict(reply.body),
            number=0 if line is None else line.number,
        )


def _route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    if not path.endswith("/"):
        raise Refused(404, f"not found: {path}; paths of the API end with a slash")
    parts = [unquote(part) for part in path[:-1].split("/")]
    found = [(route, ids) for route in ROUTES if (ids := route.match(parts)) is not None]
    for route, ids in found:
        if route.method == method:
            return route, ids
    if found:
        raise Refused(405, f"method {method} not allowed")
    raise Refused(404, f"not found: {path}")


def _parameters(method: str, query: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if method != "GET" and body.strip():
        try:
            given = from_json(body)
        except ValueError:
            raise Refused(400, "the body must be JSON") from None
        if not isinstance(given, dict):
            raise Refused(400, "the body must be a JSON object")
    return {**query, **given} if method in {"GET", "DELETE"} else given


__all__ = ["MOST_REQUESTS", "ROUTES", "WINDOW_S", "Api"]
