"""The routes Plivo calls: verify, read the form, hand over, answer with a document.

Nothing a client sends is answered with a 5xx or a traceback: what is not signed gets 403 and leaves
no trace in the state, what is not a Plivo request gets a 4xx with a sentence, and a fault of ours
still answers with a document (Plivo's hangup causes: an error status or an empty body ends a call),
or with 503 where Plivo is sure to repeat the request (bridge.rescue).
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import ClientPayloadError, web

from bridge.addresses import NOWHERE
from bridge.cdr.callbacks import leg_noticed
from bridge.hangups import is_hangup
from bridge.health import INSTANCE
from bridge.plivo.signature import verify
from bridge.recordings.transcripts import MOST_BYTES
from bridge.replicas import settled
from bridge.rescue import Rescue
from bridge.session import HANGUP
from bridge.store.patience import deadline
from bridge.store.protocol import StoreUnavailable
from bridge.telemetry import log_line
from bridge.transaction import farewell
from bridge.turns import UnknownCall
from mappings._plivo.render import render
from mappings._plivo.verbs import NextKind, NoticeKind

if TYPE_CHECKING:
    from bridge.hangups import Hangups
    from bridge.recordings.transcripts import Transcripts
    from bridge.rooms import Rooms
    from bridge.runtime import App, Runtime
    from bridge.session import Session
    from bridge.stored_apps import StoredApps
    from bridge.turns import Line

log = structlog.get_logger()

XML: Final = "application/xml"
SIGNATURES: Final = ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3")
NONCE: Final = "X-Plivo-Signature-V3-Nonce"
MOST_FIELDS: Final = 500
#: A CallUUID is 36 characters; anything much longer is no call of Plivo's.
LONGEST_UUID: Final = 128
#: The callid of no call ever; a signed request about it asks which process this is (the doctor).
NO_CALL: Final = 0
NEXT_KINDS: Final = frozenset(get_args(NextKind))
NOTICE_KINDS: Final = frozenset(get_args(NoticeKind))
#: Routes with which a call begins, for an app as it is now.
FIRST_ROUTES: Final = frozenset({"answer", "fallback"})

Form = dict[str, str]
#: Handles a verified request of an app, and notes in the log line what it was about.
Handle = Callable[[web.Request, "App", Form, "Line"], Awaitable[web.Response]]


class Webhooks:
    """Handlers of the Plivo routes."""

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        hangups: Hangups,
        rooms: Rooms,
        stored_apps: StoredApps,
        *,
        transcripts: Transcripts,
    ) -> None:
        self._runtime = runtime
        self._stored_apps = stored_apps
        self._session = session
        self._hangups = hangups
        self._rooms = rooms
        self._transcripts = transcripts
        settings = runtime.settings
        self._tokens = [token.get_secret_value() for token in settings.plivo_auth_tokens]
        self._public_url = settings.public_url
        origin, _, prefix = settings.public_url.partition("://")[2].partition("/")
        self._origin = f"{settings.public_url.partition('://')[0]}://{origin}"
        self.prefix = f"/{prefix}" if prefix else ""
        self._rescue = Rescue(runtime, self.prefix)

    def routes(self) -> list[web.RouteDef]:
        """List the routes, below the path of the public URL and, for proxies that strip it, without."""
        # The router looks at them in this order, and most requests are steps.
        handlers: list[tuple[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            (
                r"/plivo/{app}/{callid:\d{1,18}}/{step:\d{1,9}}/{kind}",
                self._route("step", self._step),
            ),
            (
                r"/plivo/{app}/{callid:\d{1,18}}/{step:\d{1,9}}/notice/{kind}/{name}",
                self._route("notify", self._notice),
            ),
            ("/plivo/{app}/answer", self._route("answer", self._answer)),
            ("/plivo/{app}/fallback", self._route("fallback", self._fallback)),
            ("/plivo/{app}/hangup", self._route("hangup", self._hangup)),
            ("/plivo/{app}/ring", self._route("ring", self._ring)),
            ("/plivo/{app}/answer/{token:\\w{1,64}}", self._route("answer", self._answer)),
            ("/plivo/{app}/fallback/{token:\\w{1,64}}", self._route("fallback", self._fallback)),
            ("/plivo/{app}/hangup/{token:\\w{1,64}}", self._route("hangup", self._hangup)),
            ("/plivo/{app}/ring/{token:\\w{1,64}}", self._route("ring", self._ring)),
        ]
        prefixes = {"", self.prefix}
        return [
            route
            for prefix in prefixes
            for path, handler in handlers
            # Without HEAD: a request whose answer nobody reads must not move a call.
            for route in (
                web.get(prefix + path, handler, allow_head=False),
                web.post(prefix + path, handler),
            )
        ]

    def _route(
        self, route: str, handle: Handle
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        budget_s = self._runtime.settings.webhook_budget_s

        async def handler(request: web.Request) -> web.StreamResponse:
            begun = perf_counter()
            app_hash = request.match_info["app"]
            form: Form = {}
            line: dict[str, Any] = {"route": route, "app": app_hash, "outcome": "document"}
            patience = deadline.set(get_running_loop().time() + budget_s)
            try:
                form = await self._read(request)
                app = self._runtime.apps.get(app_hash)
                if app is None or (app.stored and route in FIRST_ROUTES):
                    app = await self._stored_app(app_hash, route)
                response = await settled(lambda: handle(request, app, form, line))
                self._rescue.succeeded(request, form)
            except web.HTTPException as refusal:
                line["outcome"] = REFUSALS.get(refusal.status, "refused")
                response = web.Response(status=refusal.status, text=refusal.text)
            except StoreUnavailable as error:
                line["outcome"] = "no_store"
                log.error("webhook.no_store", route=route, app=app_hash, why=str(error))
                response = self._rescue.answer(request, route, form, error)
            except Exception as fault:
                line["outcome"] = "fault"
                log.exception("webhook.fault", route=route, app=app_hash)
                response = self._rescue.answer(request, route, form, fault)
            finally:
                deadline.reset(patience)
            self._runtime.metrics.webhook(app_hash, route, line["outcome"])
            line["uuid"] = form.get("CallUUID", "")[:LONGEST_UUID]
            line["status"] = response.status
            line["ms"] = round((perf_counter() - begun) * 1000, 1)
            log_line("webhook.answered", line)
            return response

        return handler

    async def _stored_app(self, app_hash: str, route: str) -> App:
        app = await self._stored_apps.current(app_hash)
        if app is None and route not in FIRST_ROUTES:
            # A deleted one, whose calls come to their end.
            app = self._runtime.apps.get(app_hash)
        if app is None:
            raise web.HTTPNotFound(text="No app with this hash is configured.\n")
        return app

    async def _read(self, request: web.Request) -> Form:
        """Read and verify the parameters. Raises 403, 400 or 413."""
        if request.match_info.get("kind") == "transcript":
            request = request.clone(client_max_size=MOST_BYTES)
        try:
            body = await request.read() if request.can_read_body else b""
        except (ClientPayloadError, web.RequestPayloadError, ConnectionError, ValueError):
            raise web.HTTPBadRequest(text="The body could not be read.\n") from None
        pairs = _pairs(body)
        path = request.raw_path
        if self._runtime.settings.verify_signatures:
            url = (
                self._origin + path
                if self.prefix and path.startswith(self.prefix + "/")
                else self._public_url + path
            )
            headers = request.headers
            given = [headers[name] for name in SIGNATURES if name in headers]
            nonce = headers.get(NONCE, "")
            if not verify(request.method, url, pairs, nonce, given, self._tokens):
                log.warning("webhook.unsigned", url=url.partition("?")[0], signed=bool(given))
                raise web.HTTPForbidden(
                    text="The Plivo signature is missing or wrong for this URL: "
                    "check BRIDGE_PUBLIC_URL and BRIDGE_PLIVO_AUTH_TOKEN.\n"
                )
        form = dict(pairs)
        if "?" in path:
            form = {**dict(_pairs(path.partition("?")[2].encode())), **form}
        # Transcripts, and whatever was asked for through REST, are spelt so.
        uuid = form.setdefault("CallUUID", form.get("call_uuid", ""))
        if not uuid or len(uuid) > LONGEST_UUID or not uuid.isprintable():
            raise web.HTTPBadRequest(text="The parameter CallUUID is missing or is no CallUUID.\n")
        return form

    async def _answer(self, request: web.Request, app: App, form: Form, line: Line) -> web.Response:
        if is_hangup(form):
            return await self._hangup(request, app, form, line)
        return _xml(await self._session.answer(app, form, line, _token(request)))

    async def _fallback(
        self, request: web.Request, app: App, form: Form, line: Line
    ) -> web.Response:
        return _xml(await self._session.fallback(app, form, line, _token(request)))

    async def _hangup(self, request: web.Request, app: App, form: Form, line: Line) -> web.Response:
        line["outcome"] = "noted"
        await self._hangups.end(app, form, line, _token(request))
        return web.Response()

    async def _ring(self, request: web.Request, app: App, form: Form, line: Line) -> web.Response:
        line["outcome"] = "noted"
        callid = await self._runtime.store.find_call(app.hash, form["CallUUID"])
        if callid is not None:
            line["call"] = callid
        if token := _token(request):
            await self._session.arrivals.rang(app, token, form)
        # Plivo ignores the answer; the first RT.Request comes when the call is answered.
        return web.Response()

    async def _step(self, request: web.Request, app: App, form: Form, line: Line) -> web.Response:
        kind = request.match_info["kind"]
        if kind not in NEXT_KINDS:
            raise web.HTTPNotFound(text="There is no such continuation.\n")
        callid, step = int(request.match_info["callid"]), int(request.match_info["step"])
        line.update(call=callid, step=step, kind=kind)
        if callid == NO_CALL:
            line["outcome"] = "probe"
            headers = {INSTANCE: self._runtime.instance}
            return web.Response(body=HANGUP, content_type=XML, headers=headers)
        if is_hangup(form):
            await self._hangups.end(app, form, line)
        if kind == "recording":
            await self._hangups.recorded_late(app, callid, step, form)
        try:
            return _xml(
                await self._session.resume(app, callid, step, cast("NextKind", kind), form, line)
            )
        except UnknownCall as unknown:
            line["outcome"] = "unknown"
            log.error("call.unknown", call=callid, app=app.hash, why=str(unknown))
            return _xml(render(farewell(self._runtime, app), NOWHERE))

    async def _notice(self, request: web.Request, app: App, form: Form, line: Line) -> web.Response:
        at: Any = request.match_info
        callid, step, kind = int(at["callid"]), int(at["step"]), at["kind"]
        if kind not in NOTICE_KINDS:
            raise web.HTTPNotFound(text="There is no such notification.\n")
        line.update(call=callid, step=step, kind=kind, outcome="noted")
        state = await self._session.read(callid)
        if state is not None and state.app == app.hash:
            line["command"] = state.command
        match cast("NoticeKind", kind):
            case "recording":
                await self._hangups.recorded(app, callid, step, at["name"], form)
            case "dial":
                _dialled(app, callid, form)
                await leg_noticed(self._session, app, callid, step, form)
            case "call_recording":
                await self._transcripts.recorded(app, callid, form)
            case "transcript":
                await self._transcripts.transcribed(app, callid, at["name"], form)
            case "room" | "room_autoleave":
                await self._rooms.noticed(
                    callid, step, form, leave_when_alone=kind == "room_autoleave"
                )
        return web.Response()


def _token(request: web.Request) -> str:
    """Give the hash of the intent in the URL of an outbound call; "" in any other."""
    return request.match_info.get("token", "")


#: What a refusal is called in logs and metrics.
REFUSALS: Final = {400: "malformed", 403: "forbidden", 404: "not_found", 413: "too_large"}
#: "Unknown Caller ID": the account may not present the number (Plivo's hangup causes).
CALLER_ID_REFUSED: Final = "3030"


def _dialled(app: App, callid: int, form: Form) -> None:
    if form.get("DialBLegHangupCauseCode", "") == CALLER_ID_REFUSED:
        log.warning(
            "dial.caller_id_refused",
            call=callid,
            app=app.hash,
            code="CALLER_ID_REFUSED",
            why="Plivo presents only rented or verified numbers: change dialout.cli or "
            "blocked_caller_id",
        )


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Decode a form or a query; blank values stay, invalid UTF-8 is replaced."""
    text = encoded.decode("utf-8", "replace")
    if text.count("&") >= MOST_FIELDS:
        raise web.HTTPBadRequest(text=f"A form with at most {MOST_FIELDS} fields is expected.\n")
    if "+" in text:
        text = text.replace("+", " ")
    pairs: list[tuple[str, str]] = []
    # Decoding only where something is encoded costs a third of urllib's parse_qsl.
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            if "%" in field:
                name, value = _decoded(name), _decoded(value)
            pairs.append((name, value))
    return pairs


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text


def _xml(document: bytes) -> web.Response:
    return web.Response(body=document, content_type=XML)


__all__ = ["Webhooks"]
