"""How a request to Plivo's REST API is made: credentials, time-outs, repetition, unreadable replies.

What is repeated, and what never is.  A request is sent again after a lost connection, a time-out
or a 5xx only when it says that carrying it out twice does no harm (`Repeat`); Plivo has no
idempotency key.  429 is retried for all: Plivo answers it instead of acting.

Every path that names one thing comes from `item_path`, which takes no empty or path-like id: the
path of a collection, with DELETE, may mean everything in it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import stamina
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import to_json
from yarl import URL

from bridge.plivo.rest_errors import (
    PlivoNotFound,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
    failed,
)

__all__ = ["Body", "Repeat", "Reply", "RestRequest", "RestTransport", "Text", "item_path", "parsed"]

Body = dict[str, str | int | None]
"""Parameters of a request; None is left out."""

Repeat = Literal["never", "safe", "ending"]
"""`safe` = twice is as good as once; `ending` = so too, and gone after a lost reply is done."""

Collection = Literal["Application", "Call", "Conference", "Number"]

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""Text of a reply that may be null."""

_JSON: Final = {"Content-Type": "application/json"}
_ATTEMPTS: Final = 3


class Reply(BaseModel):
    """A reply, or a part of one."""

    # Plivo is not consistent about strings and numbers, and adds fields at will.
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


ReplyT = TypeVar("ReplyT", bound=Reply)


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One request; `operation` names it in errors, `path` is below the account."""

    operation: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: Body = field(default_factory=dict)
    repeat: Repeat = "never"


class RestTransport:
    """Requests to the API of one Plivo account.

    ``base_url`` is the API's root, ``https://api.plivo.com`` outside tests; the credentials go
    there and nowhere else.  ``timeout_s`` is the time for one attempt in seconds, so an operation
    that may be repeated lasts up to three of them and about half a second.  The session belongs to
    the caller; give it a connector that drops idle connections after a few seconds, because a POST
    on a connection that Plivo closed meanwhile has an unknown outcome.

    Every method raises `PlivoRestError` as drawn in `bridge.plivo.rest_errors`, and ``ValueError``
    for an id that could name anything but one single thing.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        auth_id: str,
        auth_token: str,
        timeout_s: float = 5.0,
    ) -> None:
        root = urlsplit(base_url)
        if root.scheme not in {"http", "https"} or not root.hostname:
            raise ValueError("base_url must be an absolute http or https URL")
        if root.username is not None or root.query or root.fragment:
            raise ValueError("base_url must hold no credentials, query or fragment")
        self._session = session
        self._account = f"{base_url.rstrip('/')}/v1/Account/{_segment(auth_id)}/"
        login = base64.b64encode(f"{auth_id}:{auth_token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._secrets = tuple(secret for secret in (login, auth_token) if secret)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(2.0, timeout_s * 0.8))
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=_ATTEMPTS, timeout=None, wait_initial=0.1, wait_max=0.4, wait_jitter=0.05
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._account}>"

    async def read(self, model: type[ReplyT], operation: str, path: str) -> ReplyT | None:
        """GET something; None when there is no such thing."""
        request = RestRequest(operation, "GET", path, repeat="safe")
        try:
            return parsed(model, request, await self.perform(request))
        except PlivoNotFound:
            return None

    async def perform(self, request: RestRequest) -> bytes:
        """Make a request, again where that is due; gives the body of its reply."""
        maybe_done = False

        # A closure without arguments, because what retries is logged with its arguments, and
        # these hold numbers and digits.
        async def attempt() -> bytes:
            nonlocal maybe_done
            try:
                return await self._send(request)
            except PlivoNotFound:
                # An earlier attempt may have ended the very thing that is gone now.
                if maybe_done and request.repeat == "ending":
                    return b""
                raise
            except PlivoRestError as error:
                maybe_done |= error.maybe_done
                raise

        on = _is_throttled if request.repeat == "never" else _is_passing
        return await self._retrying(on, attempt)

    async def _send(self, request: RestRequest) -> bytes:
        url = URL(self._account + request.path, encoded=True)
        fields = {name: value for name, value in request.body.items() if value is not None}
        # As the official SDKs do: a POST without parameters still carries an empty JSON object.
        has_body = request.method == "POST" or fields
        failure: PlivoRestError
        try:
            async with self._session.request(
                request.method,
                url,
                headers=self._headers | _JSON if has_body else self._headers,
                data=to_json(fields) if has_body else None,
                timeout=self._timeout,
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_sent_once,),
            ) as response:
                status, payload = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            why = f"cannot connect to {url.host}:{url.port} ({type(error).__name__})"
            failure = PlivoUnavailable(request.operation, why, sent=False)
        except TimeoutError:
            failure = PlivoTimeout(request.operation, f"no answer in {self._timeout.total:g} s")
        except aiohttp.ClientError as error:
            why = f"the connection broke ({type(error).__name__})"
            failure = PlivoUnavailable(request.operation, why, sent=True)
        else:
            if 200 <= status < 300:  # noqa: PLR2004 - the success class of HTTP
                return payload
            failure = failed(request.operation, status, payload, self._secrets)
        # Raised here, not in the handlers: client errors carry the request's headers with them.
        raise failure


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp silently repeats a GET or DELETE whose connection is cut; hidden in one attempt of
    # ours, the 404 of the repetition would look as if there never had been anything to end.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


def _segment(value: str) -> str:
    if not value.strip() or value in {".", ".."} or "/" in value or "\\" in value:
        raise ValueError("an id must not be empty, a dot segment, or contain a slash")
    return quote(value, safe="")


def item_path(collection: Collection, ident: str, *below: str) -> str:
    """Write the path of one thing of a collection, or of something below it. Raises ValueError."""
    return "/".join([collection, *map(_segment, (ident, *below)), ""])


def _is_throttled(error: Exception) -> bool:
    return isinstance(error, PlivoThrottled)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, PlivoThrottled | PlivoUnavailable | PlivoTimeout)


def parsed(model: type[ReplyT], request: RestRequest, payload: bytes) -> ReplyT:
    """Read the body of a reply. Raises PlivoUnavailable when it cannot be read."""
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) or "body" for one in error.errors())
        unreadable = f"unreadable answer ({fields})"
    raise PlivoUnavailable(request.operation, unreadable, sent=True)
