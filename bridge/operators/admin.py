"""What operators see of live calls, and do to them, on the admin listener.

Every request shows `admin_token`: the listener is often reachable by more than operators (another
user of the machine, a Pod, a page in a browser of that machine), and a call can be ended here.
Without the setting none of this exists. Numbers leave masked. Each action is logged, whoever asks.
"""

from __future__ import annotations

import asyncio
import hmac
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from pydantic_core import to_json

from bridge.live_calls import CallRefused, live_call, mark_hung_up
from bridge.operators.moments import written
from bridge.plivo.rest_errors import PlivoNotFound, PlivoRestError
from bridge.reconcile import removed_app
from bridge.redaction import mask_number
from bridge.replicas import settled
from bridge.state import CallState, Phase, UnreadableState, load, open_command
from bridge.store.protocol import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.breaks import Breaks
    from bridge.hangups import Hangups
    from bridge.room_looks import RoomLooks
    from bridge.runtime import Runtime
    from bridge.session import Session

log = structlog.get_logger()

#: Longest Plivo may take to end a call, in s.
BUDGET_S: Final = 10.0
MOST_LISTED: Final = 10_000
#: So many calls are read before others get their turn.
_AT_ONCE: Final = 100
_STATUSES: Final = {
    "CALL_NOT_FOUND": 404,
    "CALL_ENDED": 404,
    "APP_NOT_FOUND": 404,
    "ROOM_EMPTY": 404,
    "REST_UNAVAILABLE": 502,
    "REST_REFUSED": 502,
    "REST_UNKNOWN": 504,
}

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - named for what happened
    """The request is not carried out; `code` is stable, the message a sentence."""

    def __init__(self, code: str, sentence: str, status: int = 409) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = _STATUSES.get(code, status)


class Admin:
    """Handlers of `/admin/calls` and below, and of `/admin/rooms/close`."""

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        hangups: Hangups,
        breaks: Breaks,
        looks: RoomLooks,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._hangups = hangups
        self._breaks = breaks
        self._looks = looks
        token = runtime.settings.admin_token
        self._token = None if token is None else f"Bearer {token.get_secret_value()}".encode()

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        call = "/admin/calls/{callid:[0-9]{1,1000}}"
        return [
            web.get("/admin/calls", self._guarded(self._calls), allow_head=False),
            web.post(f"{call}/hangup", self._guarded(self._hangup)),
            web.post(f"{call}/break", self._guarded(self._break)),
            web.post("/admin/rooms/close", self._guarded(self._close)),
        ]

    def _guarded(
        self, handle: Callable[[web.Request], Awaitable[Json]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                self._admit(request)
                return _answer(200, await handle(request))
            except Refused as refused:
                error = {"code": refused.code, "message": str(refused)}
                return _answer(refused.status, {"error": error})
            except (StoreError, UnreadableState) as fault:
                error = {"code": "STORE_UNAVAILABLE", "message": _sentence(str(fault))}
                return _answer(503, {"error": error})

        return handler

    def _admit(self, request: web.Request) -> None:
        if self._token is None:
            raise Refused(
                "ADMIN_OFF", "This bridge has no admin_token: set BRIDGE_ADMIN_TOKEN.", 404
            )
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._token):
            log.warning("admin.refused", peer=request.remote, path=request.path)
            raise Refused("UNAUTHORIZED", "The token is missing or is not BRIDGE_ADMIN_TOKEN.", 401)

    async def _calls(self, request: web.Request) -> Json:
        """List live calls, the newest first."""
        app, limit = request.query.get("app"), _limit(request.query.get("limit", ""))
        callids = await self._runtime.store.live_calls()
        found: list[Json] = []
        for count, callid in enumerate(reversed(callids), 1):
            if len(found) == limit:
                break
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)
            stored = await self._runtime.store.load_call(callid)
            if stored is None:
                continue
            try:
                state = load(stored.blob, stored.version)
            except (ValueError, TypeError, LookupError) as error:
                log.error("call.unreadable", call=callid, why=type(error).__name__)
                continue
            if state.phase is not Phase.ENDED and app in {None, state.app}:
                found.append(self._shown(state))
        return {"live": len(callids), "calls": found}

    def _shown(self, state: CallState) -> Json:
        command = open_command(state)
        return {
            "callid": state.callid,
            "app": state.app,
            "uuid": state.uuid,
            "direction": "inbound" if state.request_hash is None else "outbound",
            "from": mask_number(state.cli_number),
            "to": mask_number(state.number),
            "since": written(state.started_at),
            "seconds": round(self._runtime.clock.now() - state.started_at),
            "phase": state.phase.value,
            "command": "" if command is None else command[0],
            "step": state.step,
        }

    async def _hangup(self, request: web.Request) -> Json:
        return await self._acted(request, "hangup", self._hang_up)

    async def _break(self, request: web.Request) -> Json:
        return await self._acted(request, "break", self._break_command)

    async def _acted(
        self, request: web.Request, action: str, act: Callable[[int], Awaitable[tuple[str, str]]]
    ) -> Json:
        """Do something to a call and leave a trace of it, done or not."""
        callid = int(request.match_info["callid"])
        outcome = "FAULT"
        try:
            outcome, sentence = await act(callid)
        except Refused as refused:
            outcome = refused.code
            raise
        finally:
            # A warning, so that no usual log level leaves it out.
            log.warning(
                "admin.action", action=action, call=callid, outcome=outcome, peer=request.remote
            )
        return {"callid": callid, "outcome": outcome, "message": sentence}

    async def _close(self, request: web.Request) -> Json:
        """Send everybody out of a room, and leave a trace of it, done or not."""
        app_hash, room = request.query.get("app", ""), request.query.get("room", "")
        outcome, closed = "FAULT", Json()
        try:
            closed = await self._close_room(app_hash, room)
            outcome = closed["outcome"]
        except Refused as refused:
            outcome = refused.code
            raise
        finally:
            log.warning(
                "admin.action",
                action="close",
                app=app_hash,
                calls=closed.get("calls", []),
                outcome=outcome,
                peer=request.remote,
            )
        return closed

    async def _close_room(self, app_hash: str, room: str) -> Json:
        if self._runtime.rest is None:
            raise Refused(
                "REST_UNAVAILABLE", "Closing a room needs Plivo's REST API: set BRIDGE_PLIVO_REST."
            )
        app = self._runtime.apps.get(app_hash)
        if app is None:
            raise Refused("APP_NOT_FOUND", f"There is no app {app_hash}.")
        try:
            async with asyncio.timeout(BUDGET_S):
                calls = await self._looks.close(app, room)
        except (TimeoutError, PlivoRestError) as error:
            why = "it did not answer" if isinstance(error, TimeoutError) else str(error)
            sentence = f"Plivo does not say who is in the room, so nobody was sent out: {why}."
            raise Refused("REST_UNAVAILABLE", sentence) from error
        if not calls:
            raise Refused("ROOM_EMPTY", f"Nobody is in the room {room} of the app {app_hash}.")
        message = (
            f"Sent out of the room {room} of {app_hash}: {', '.join(map(str, sorted(calls)))}."
        )
        return {"app": app_hash, "outcome": "CLOSED", "calls": sorted(calls), "message": message}

    async def _hang_up(self, callid: int) -> tuple[str, str]:
        rest = self._runtime.rest
        if rest is None:
            raise Refused(
                "REST_UNAVAILABLE", "Hanging up needs Plivo's REST API: set BRIDGE_PLIVO_REST."
            )
        try:
            state = await live_call(self._runtime, callid, app=None)
        except CallRefused as refused:
            raise Refused(refused.code, _sentence(str(refused))) from None
        await mark_hung_up(self._runtime, self._session.locks, callid)
        try:
            async with asyncio.timeout(BUDGET_S):
                await rest.hang_up_call(state.uuid)
        except PlivoNotFound:
            # Its hangup webhook is lost or late: whoever asks for its end shall get it.
            app = self._runtime.apps.get(state.app) or removed_app(state.app)
            form = {"HangupSource": "Unknown"}
            await settled(partial(self._hangups.end_call, app, callid, form))
            return "WAS_GONE", f"Plivo knows no call {callid} any more: it is over here as well."
        except TimeoutError:
            why = f"Plivo did not answer within {BUDGET_S:g} s: the call may be over."
            raise Refused("REST_UNKNOWN", why) from None
        except (PlivoRestError, ValueError) as error:
            raise Refused("REST_REFUSED", _sentence(str(error))) from error
        return "HUNG_UP", f"Plivo hangs up call {callid}."

    async def _break_command(self, callid: int) -> tuple[str, str]:
        outcome = await self._breaks.break_command(callid)
        if not outcome.broken:
            raise Refused(outcome.code, _sentence(outcome.sentence))
        return outcome.code, _sentence(outcome.sentence)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _limit(text: str) -> int:
    if not text:
        return MOST_LISTED
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= MOST_LISTED):
        raise Refused("INVALID_PARAMS", f"limit must be a number from 1 to {MOST_LISTED}.", 400)
    return int(text)


def _answer(status: int, body: Json) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=status, body=to_json(body), content_type="application/json", headers=headers
    )


__all__ = ["Admin"]
