"""The routes Plivo calls: verify, read the form, hand over, answer with a document.

Nothing a client sends is answered with a 5xx or a traceback: what is not signed gets 403 and leaves
no trace in the state, what is not a Plivo request gets a 4xx with a sentence, and a fault of ours
still answers with a document (Plivo's hangup causes: an error status or an empty body ends a call),
or with 503 where Plivo is sure to repeat the request (bridge.rescue).
"""

from __future__ import annotations

import re
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import ClientPayloadError, web

from bridge.addresses import NOWHERE
from bridge.cdr.callbacks import leg_noticed
from bridge.hangups import is_hangup
from bridge.health import INSTANCE
from bridge.hook import NONCE, SIGNATURES, Answer, Hook
from bridge.plivo.signature import verify
from bridge.recordings.transcripts import MOST_BYTES
from bridge.replicas import settled
from bridge.rescue import Rescue
from bridge.session import HANGUP
from bridge.state import UnreadableState
from bridge.store.patience import deadline
from bridge.store.protocol import Conflict, StoreUnavailable
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

MOST_FIELDS: Final = 500
#: A CallUUID is 36 characters; anything much longer is no call of Plivo's.
LONGEST_UUID: Final = 128
#: The callid of no call ever; a signed request about it asks which process this is (the doctor).
NO_CALL: Final = 0
#: What Plivo encodes in most of its forms: times, numbers, SIP addresses. None of them is a mark.
_COMMON: Final = (("%3A", ":"), ("%2B", "+"), ("%20", " "), ("%40", "@"))
NEXT_KINDS: Final = frozenset(get_args(NextKind))
NOTICE_KINDS: Final = frozenset(get_args(NoticeKind))
#: Routes with which a call begins, for an app as it is now.
FIRST_ROUTES: Final = frozenset({"answer", "fallback"})

#: The answer to what only tells something.
NOTED: Final = Answer(content_type="text/plain; charset=utf-8")

Form = dict[str, str]
#: Handles a verified request of an app, and notes in the log line what it was about.
Handle = Callable[[Hook, "App", Form, "Line"], Awaitable[Answer]]
#: Parts of a path that need no decoding; whatever else there is goes through aiohttp.
_PLAIN: Final = r"[\w.~-]+"


@dataclass(frozen=True, slots=True)
class _Route:
    """`path` is spelt as aiohttp's router wants it."""

    name: str
    path: str
    handle: Handle

    def pattern(self, prefix: str) -> re.Pattern[str]:
        """Give the expression for plain paths of this route."""
        plain = re.sub(
            r"\{(\w+)(?::([^/]+))?\}", lambda part: f"(?P<{part[1]}>{part[2] or _PLAIN})", self.path
        )
        return re.compile(re.escape(prefix) + plain, re.ASCII)


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
        self._budget_s = settings.webhook_budget_s
        self._most_bytes = settings.max_webhook_bytes
        self._verifies = settings.verify_signatures
        # In the order in which they are looked at; most requests are steps.
        self._routes = (
            _Route("step", r"/plivo/{app}/{callid:\d{1,18}}/{step:\d{1,9}}/{kind}", self._step),
            _Route(
                "notify",
                r"/plivo/{app}/{callid:\d{1,18}}/{step:\d{1,9}}/notice/{kind}/{name}",
                self._notice,
            ),
            _Route("answer", "/plivo/{app}/answer", self._answer),
            _Route("fallback", "/plivo/{app}/fallback", self._fallback),
            _Route("hangup", "/plivo/{app}/hangup", self._hangup),
            _Route("ring", "/plivo/{app}/ring", self._ring),
            _Route("answer", r"/plivo/{app}/answer/{token:\w{1,64}}", self._answer),
            _Route("fallback", r"/plivo/{app}/fallback/{token:\w{1,64}}", self._fallback),
            _Route("hangup", r"/plivo/{app}/hangup/{token:\w{1,64}}", self._hangup),
            _Route("ring", r"/plivo/{app}/ring/{token:\w{1,64}}", self._ring),
        )
        # Below the path of the public URL and, for proxies that strip it, without.
        self._prefixes = ("", self.prefix) if self.prefix else ("",)
        self._patterns = tuple(
            (route.pattern(prefix).fullmatch, route)
            for prefix in self._prefixes
            for route in self._routes
        )

    def routes(self) -> list[web.RouteDef]:
        """List the routes for aiohttp."""
        return [
            definition
            for prefix in self._prefixes
            for route in self._routes
            # Without HEAD: a request whose answer nobody reads must not move a call.
            for definition in (
                web.get(prefix + route.path, self._through_aiohttp(route), allow_head=False),
                web.post(prefix + route.path, self._through_aiohttp(route)),
            )
        ]

    def _through_aiohttp(
        self, route: _Route
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            if request.match_info.get("kind") == "transcript":
                request = request.clone(client_max_size=MOST_BYTES)
            headers = request.headers
            hook = Hook(
                request.method,
                request.raw_path,
                request.path,
                request.match_info,
                [headers[name] for name in SIGNATURES if name in headers],
                headers.get(NONCE, ""),
                None if request.can_read_body else b"",
                request.read,
            )
            return (await self._respond(route, hook)).response()

        return handler

    def take(
        self, method: str, target: str, signatures: Sequence[str], nonce: str, body: bytes
    ) -> Coroutine[Any, Any, Answer] | None:
        """Answer a whole POST or GET that came the short way, see `bridge.hook.Take`."""
        if len(body) > self._most_bytes:
            return None
        path = target.partition("?")[0]
        for fullmatch, route in self._patterns:
            found = fullmatch(path)
            if found is not None:
                hook = Hook(method, target, path, found.groupdict(), signatures, nonce, body)
                return self._respond(route, hook)
        return None

    async def _respond(self, route: _Route, hook: Hook) -> Answer:
        begun = perf_counter()
        name, app_hash = route.name, hook.at["app"]
        form: Form = {}
        line: dict[str, Any] = {"route": name, "app": app_hash, "outcome": "document"}
        patience = deadline.set(get_running_loop().time() + self._budget_s)
        try:
            form = await self._read(hook)
            app = self._runtime.apps.get(app_hash)
            if app is None or (app.stored and name in FIRST_ROUTES):
                app = await self._stored_app(
                    app_hash, begins=name in FIRST_ROUTES and not _token(hook)
                )
            try:
                answer = await route.handle(hook, app, form, line)
            except Conflict as conflict:
                log.info("replicas.overtaken", why=str(conflict))
                answer = await settled(lambda: route.handle(hook, app, form, line))
            self._rescue.succeeded(hook, form)
        except web.HTTPException as refusal:
            line["outcome"] = REFUSALS.get(refusal.status, "refused")
            answer = Answer.sentence(refusal.status, refusal.text or "")
        except StoreUnavailable as error:
            line["outcome"] = "no_store"
            log.error("webhook.no_store", route=name, app=app_hash, why=str(error))
            answer = self._rescue.answer(hook, name, form, error)
        except UnreadableState as error:
            # A replica of the release that wrote it may get the repetition.
            line["outcome"] = "unreadable"
            log.error("call.unreadable", route=name, app=app_hash, why=str(error))
            answer = self._rescue.answer(hook, name, form, error)
        except Exception as fault:
            line["outcome"] = "fault"
            log.exception("webhook.fault", route=name, app=app_hash)
            answer = self._rescue.answer(hook, name, form, fault)
        finally:
            deadline.reset(patience)
        self._runtime.metrics.webhook(app_hash, name, line["outcome"])
        line["uuid"] = form.get("CallUUID", "")[:LONGEST_UUID]
        line["status"] = answer.status
        line["ms"] = round((perf_counter() - begun) * 1000, 1)
        log_line("webhook.answered", line)
        return answer

    async def _stored_app(self, app_hash: str, *, begins: bool) -> App:
        app = await self._stored_apps.current(app_hash)
        if app is None and not begins:
            # A deleted one, whose calls come to their end: outbound ones begin before their answer.
            app = self._runtime.apps.get(app_hash)
        if app is None:
            raise web.HTTPNotFound(text="No app with this hash is configured.\n")
        return app

    async def _read(self, hook: Hook) -> Form:
        """Read and verify the parameters. Raises 403, 400 or 413."""
        body = hook.body
        if body is None and hook.read is not None:
            try:
                body = await hook.read()
            except (ClientPayloadError, web.RequestPayloadError, ConnectionError, ValueError):
                raise web.HTTPBadRequest(text="The body could not be read.\n") from None
        pairs = _pairs(body or b"")
        path = hook.target
        if self._verifies:
            url = (
                self._origin + path
                if self.prefix and path.startswith(self.prefix + "/")
                else self._public_url + path
            )
            given = hook.signatures
            if not verify(hook.method, url, pairs, hook.nonce, given, self._tokens):
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

    async def _answer(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        if is_hangup(form):
            return await self._hangup(hook, app, form, line)
        return Answer(await self._session.answer(app, form, line, _token(hook)))

    async def _fallback(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        return Answer(await self._session.fallback(app, form, line, _token(hook)))

    async def _hangup(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        line["outcome"] = "noted"
        await self._hangups.end(app, form, line, _token(hook))
        return NOTED

    async def _ring(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        line["outcome"] = "noted"
        callid = await self._runtime.store.find_call(app.hash, form["CallUUID"])
        if callid is not None:
            line["call"] = callid
        if token := _token(hook):
            await self._session.arrivals.rang(app, token, form)
        # Plivo ignores the answer; the first RT.Request comes when the call is answered.
        return NOTED

    async def _step(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        kind = hook.at["kind"]
        if kind not in NEXT_KINDS:
            raise web.HTTPNotFound(text="There is no such continuation.\n")
        callid, step = int(hook.at["callid"]), int(hook.at["step"])
        line.update(call=callid, step=step, kind=kind)
        if callid == NO_CALL:
            line["outcome"] = "probe"
            headers = {INSTANCE: self._runtime.instance}
            return Answer(HANGUP, headers=headers)
        if is_hangup(form):
            await self._hangups.end(app, form, line)
        if kind == "recording":
            await self._hangups.recorded_late(app, callid, step, form)
        try:
            return Answer(
                await self._session.resume(app, callid, step, cast("NextKind", kind), form, line)
            )
        except UnknownCall as unknown:
            line["outcome"] = "unknown"
            log.error("call.unknown", call=callid, app=app.hash, why=str(unknown))
            return Answer(render(farewell(self._runtime, app), NOWHERE))

    async def _notice(self, hook: Hook, app: App, form: Form, line: Line) -> Answer:
        at: Any = hook.at
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
        return NOTED


def _token(hook: Hook) -> str:
    """Give the hash of the intent in the URL of an outbound call; "" in any other."""
    return hook.at.get("token", "")


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
    if "%" in text:
        # Decoding these first makes no escape that was none, and costs a third of doing it properly.
        for escape, sign in _COMMON:
            if escape in text:
                text = text.replace(escape, sign)
        if "%" in text:
            fields = [field.partition("=") for field in text.split("&") if field]
            return [(_decoded(name), _decoded(value)) for name, _, value in fields]
    return [
        (name, value)
        for field in text.split("&")
        if field
        for name, _, value in [field.partition("=")]
    ]


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text


__all__ = ["Webhooks"]
