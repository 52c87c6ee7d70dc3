"""Client of Plivo's voice REST API: calls, recordings, digits and conference members.

What is repeated, and what never is.  A request is sent again after a lost connection, a time-out
or a 5xx only when carrying it out twice does no harm: reads, hang-up, kick, stop and transfer.
Making a call, starting a recording and sending digits go out once, because Plivo has no
idempotency key and a second try may dial or dial through twice.  429 is retried for all: Plivo
answers it instead of acting.

What cannot be said.  ``DELETE Call/`` ends every call of the account and ``DELETE Conference/``
every conference, so every path but that of making a call comes from `_path`, which takes no empty
or path-like id.

Errors are drawn in `bridge.plivo.rest_errors`.
Sources: Plivo voice API pages (call, record, DTMF, conference, member) and the official SDKs.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import stamina
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from yarl import URL

from bridge.plivo.rest_errors import (
    PlivoNotFound,
    PlivoRefused,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
    failed,
)
from mappings._plivo.numbers import to_plivo

__all__ = [
    "Conference",
    "ConferenceMember",
    "LiveCall",
    "PlivoNotFound",
    "PlivoRefused",
    "PlivoRest",
    "PlivoRestError",
    "PlivoThrottled",
    "PlivoTimeout",
    "PlivoUnavailable",
    "Recording",
]

_Body = dict[str, str | int | None]  # None is left out

_JSON: Final = {"Content-Type": "application/json"}
_ATTEMPTS: Final = 3
_MEMBER_ID = re.compile(r"(?!all$)[A-Za-z0-9-]+", re.IGNORECASE)
_DIGITS = re.compile(r"(?:[0-9*#wW](?:@[0-9]{1,5})?)+")


class _Reply(BaseModel):
    # Plivo is not consistent about strings and numbers, and adds fields at will.
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class _CallFired(_Reply):
    request_uuid: str = Field(min_length=1)


class Recording(_Reply):
    """A recording that was started: where its file will be, and its id."""

    url: str
    recording_id: str = Field(min_length=1)


class ConferenceMember(_Reply):
    """One party of a conference."""

    member_id: str
    call_uuid: str = ""


class Conference(_Reply):
    """A conference in progress."""

    name: str = Field(validation_alias="conference_name")
    member_count: int = Field(validation_alias="conference_member_count")
    members: Annotated[
        tuple[ConferenceMember, ...], BeforeValidator(lambda members: members or ())
    ] = ()


class LiveCall(_Reply):
    """A call that is ringing or in progress; numbers as Plivo writes them, without "+"."""

    call_uuid: str
    call_status: str
    direction: str = ""
    request_uuid: str = ""
    from_number: str = Field(default="", validation_alias="from")
    to_number: str = Field(default="", validation_alias="to")


_ReplyT = TypeVar("_ReplyT", bound=_Reply)


@dataclass(frozen=True, slots=True)
class _Request:
    operation: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    body: _Body = field(default_factory=dict)
    repeat: Literal["never", "safe", "ending"] = "never"


class PlivoRest:
    """The voice API of one Plivo account.

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
        return f"<PlivoRest {self._account}>"

    async def make_call(
        self,
        *,
        from_number: str,
        to_number: str,
        answer_url: str,
        ring_url: str | None = None,
        hangup_url: str | None = None,
        fallback_url: str | None = None,
        caller_name: str | None = None,
        ring_timeout_s: int | None = None,
        time_limit_s: int | None = None,
    ) -> str:
        """Dial one number and return the request uuid; all URLs are fetched with POST.

        The call uuid is not known yet: it comes with the first webhook.  ``ring_timeout_s`` is
        120 and ``time_limit_s`` 14400 when left out.  Sent once: after an error with
        ``maybe_done`` the phone may be ringing.
        """
        if "<" in to_number or "," in to_number:
            raise ValueError("to_number must be one number: a list would place several calls")
        body: _Body = {
            "from": to_plivo(from_number),
            "to": to_plivo(to_number),
            **_posted("answer", answer_url),
            **_posted("ring", ring_url),
            **_posted("hangup", hangup_url),
            **_posted("fallback", fallback_url),
            "caller_name": caller_name,
            "ring_timeout": ring_timeout_s,
            "time_limit": time_limit_s,
        }
        request = _Request("make call", "POST", "Call/", body)
        return _parsed(_CallFired, request, await self._perform(request)).request_uuid

    async def hang_up_call(self, call_uuid: str) -> None:
        """End a call in any state; also takes the request uuid of a call that is still queued."""
        operation = f"hang up call {call_uuid}"
        path = _path("Call", call_uuid)
        await self._perform(_Request(operation, "DELETE", path, repeat="ending"))

    async def transfer_call(
        self, call_uuid: str, aleg_url: str, bleg_url: str | None = None
    ) -> None:
        """Break off what the call is doing and POST to ``aleg_url``; at most 70 per call.

        With ``bleg_url`` the party the call has dialled is transferred as well, to that URL.
        """
        body: _Body = {"legs": "aleg", "aleg_url": aleg_url, "aleg_method": "POST"}
        if bleg_url is not None:
            body |= {"legs": "both", "bleg_url": bleg_url, "bleg_method": "POST"}
        operation = f"transfer call {call_uuid}"
        path = _path("Call", call_uuid)
        await self._perform(_Request(operation, "POST", path, body, repeat="safe"))

    async def start_recording(
        self,
        call_uuid: str,
        *,
        time_limit_s: int,
        file_format: Literal["mp3", "wav"] = "mp3",
        record_channel_type: Literal["mono", "stereo"] = "stereo",
        callback_url: str | None = None,
        transcription_type: Literal["auto", "hybrid"] | None = None,
        transcription_url: str | None = None,
    ) -> Recording:
        """Record the call in the background; sent once.

        ``time_limit_s`` has no default because Plivo's own is 60.  The callback is a POST with
        snake_case names, unlike that of the Record element.
        """
        body: _Body = {
            "time_limit": time_limit_s,
            "file_format": file_format,
            "record_channel_type": record_channel_type,
            **_posted("callback", callback_url),
            "transcription_type": transcription_type,
            **_posted("transcription", transcription_url),
        }
        path = _path("Call", call_uuid, "Record")
        request = _Request(f"start recording of call {call_uuid}", "POST", path, body)
        return _parsed(Recording, request, await self._perform(request))

    async def stop_recording(self, call_uuid: str, recording_url: str | None = None) -> None:
        """Stop the recording with this URL, or every recording of the call."""
        body: _Body = {"URL": recording_url} if recording_url else {}
        operation = f"stop recording of call {call_uuid}"
        path = _path("Call", call_uuid, "Record")
        await self._perform(_Request(operation, "DELETE", path, body, repeat="ending"))

    async def send_digits(
        self, call_uuid: str, digits: str, leg: Literal["aleg", "bleg"] = "aleg"
    ) -> None:
        """Send DTMF on a leg: 0-9, * and #, w = 0.5 s and W = 1 s pause, @ms after a tone.

        Sent once: repeated digits are other digits.
        """
        if _DIGITS.fullmatch(digits) is None:
            raise ValueError(
                "digits must be 0-9, *, #, w or W, each with an optional @milliseconds"
            )
        path = _path("Call", call_uuid, "DTMF")
        body: _Body = {"digits": digits, "leg": leg}
        await self._perform(_Request(f"send digits on call {call_uuid}", "POST", path, body))

    async def kick_member(self, conference: str, member_id: str) -> None:
        """Take one member out of a conference; the call goes on with the element's action."""
        if _MEMBER_ID.fullmatch(member_id) is None:
            raise ValueError("member_id must name one member: lists and `all` are not accepted")
        operation = f"kick member {member_id} of conference {conference}"
        path = _path("Conference", conference, "Member", member_id, "Kick")
        await self._perform(_Request(operation, "POST", path, repeat="ending"))

    async def get_conference(self, conference: str) -> Conference | None:
        """Return the conference as it is now, or None when nobody is in it."""
        path = _path("Conference", conference)
        return await self._read(Conference, f"get conference {conference}", path)

    async def live_call(self, call_uuid: str) -> LiveCall | None:
        """Return the call if it is ringing or in progress, None if it is over or unknown."""
        path = f"{_path('Call', call_uuid)}?status=live"
        return await self._read(LiveCall, f"get live call {call_uuid}", path)

    async def _read(self, model: type[_ReplyT], operation: str, path: str) -> _ReplyT | None:
        request = _Request(operation, "GET", path, repeat="safe")
        try:
            return _parsed(model, request, await self._perform(request))
        except PlivoNotFound:
            return None

    async def _perform(self, request: _Request) -> bytes:
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

    async def _send(self, request: _Request) -> bytes:
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
            failure = PlivoUnavailable(request.operation, type(error).__name__, sent=False)
        except TimeoutError:
            failure = PlivoTimeout(request.operation, f"no answer in {self._timeout.total:g} s")
        except aiohttp.ClientError as error:
            failure = PlivoUnavailable(request.operation, type(error).__name__, sent=True)
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


def _path(collection: Literal["Call", "Conference"], ident: str, *below: str) -> str:
    return "/".join([collection, *map(_segment, (ident, *below)), ""])


def _posted(name: str, url: str | None) -> _Body:
    return {} if url is None else {f"{name}_url": url, f"{name}_method": "POST"}


def _is_throttled(error: Exception) -> bool:
    return isinstance(error, PlivoThrottled)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, PlivoThrottled | PlivoUnavailable | PlivoTimeout)


def _parsed(model: type[_ReplyT], request: _Request, payload: bytes) -> _ReplyT:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) or "body" for one in error.errors())
        unreadable = f"unreadable answer ({fields})"
    raise PlivoUnavailable(request.operation, unreadable, sent=True)
