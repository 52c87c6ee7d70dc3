"""Client of Plivo's voice REST API: calls, recordings, digits and conference members.

What is repeated, and what never is.  A request is sent again after a lost connection, a time-out
or a 5xx only when carrying it out twice does no harm: reads, hang-up, kick, stop and transfer.
Making a call, starting a recording and sending digits go out once, because Plivo has no
idempotency key and a second try may dial or dial through twice.  429 is retried for all: Plivo
answers it instead of acting.

What cannot be said.  ``DELETE Call/`` ends every call of the account and ``DELETE Conference/``
every conference, so every path but that of making a call comes from `item_path`, which takes no
empty or path-like id.

How requests are made is in `bridge.plivo.rest_request`; applications and numbers are in
`bridge.plivo.rest_account`; errors are drawn in `bridge.plivo.rest_errors`.
Sources: Plivo voice API pages (call, record, DTMF, conference, member) and the official SDKs.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field

from bridge.plivo.rest_errors import (
    PlivoNotFound,
    PlivoRefused,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
)
from bridge.plivo.rest_request import (
    Body,
    Repeat,
    Reply,
    RestRequest,
    RestTransport,
    Text,
    item_path,
    parsed,
)
from mappings._plivo.numbers import to_plivo

__all__ = [
    "CallRecord",
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

_MEMBER_ID = re.compile(r"(?!all$)[A-Za-z0-9-]+", re.IGNORECASE)
_DIGITS = re.compile(r"(?:[0-9*#wW](?:@[0-9]{1,5})?)+")


class _CallFired(Reply):
    request_uuid: str = Field(min_length=1)


class Recording(Reply):
    """A recording that was started: where its file will be, and its id."""

    url: str
    recording_id: str = Field(min_length=1)


class ConferenceMember(Reply):
    """One party of a conference."""

    member_id: str
    call_uuid: str = ""


class Conference(Reply):
    """A conference in progress."""

    name: str = Field(validation_alias="conference_name")
    member_count: int = Field(validation_alias="conference_member_count")
    members: Annotated[
        tuple[ConferenceMember, ...], BeforeValidator(lambda members: members or ())
    ] = ()


class LiveCall(Reply):
    """A call that is ringing or in progress; numbers as Plivo writes them, without "+"."""

    call_uuid: str
    call_status: str
    direction: str = ""
    request_uuid: str = ""
    from_number: str = Field(default="", validation_alias="from")
    to_number: str = Field(default="", validation_alias="to")


class _LiveCalls(Reply):
    calls: tuple[str, ...] = ()


class CallRecord(Reply):
    """How a call that is over ended; "" = Plivo does not say."""

    answer_time: Text = ""
    cause_code: Text = Field(default="", validation_alias="hangup_cause_code")
    cause_name: Text = Field(default="", validation_alias="hangup_cause_name")
    source: Text = Field(default="", validation_alias="hangup_source")


class PlivoRest(RestTransport):
    """The voice API of one Plivo account; made and to be used as `RestTransport` says."""

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
        body: Body = {
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
        request = RestRequest("make call", "POST", "Call/", body)
        return parsed(_CallFired, request, await self.perform(request)).request_uuid

    async def hang_up_call(self, call_uuid: str) -> None:
        """End a call in any state; also takes the request uuid of a call that is still queued."""
        operation = f"hang up call {call_uuid}"
        path = item_path("Call", call_uuid)
        await self.perform(RestRequest(operation, "DELETE", path, repeat="ending"))

    async def transfer_call(
        self, call_uuid: str, aleg_url: str, bleg_url: str | None = None, *, repeat: bool = True
    ) -> None:
        """Break off what the call is doing and POST to ``aleg_url``; at most 70 per call.

        With ``bleg_url`` the party the call has dialled is transferred as well, to that URL.
        Without ``repeat`` it is sent once, for callers that count.
        """
        body: Body = {"legs": "aleg", "aleg_url": aleg_url, "aleg_method": "POST"}
        if bleg_url is not None:
            body |= {"legs": "both", "bleg_url": bleg_url, "bleg_method": "POST"}
        operation = f"transfer call {call_uuid}"
        path = item_path("Call", call_uuid)
        again: Repeat = "safe" if repeat else "never"
        await self.perform(RestRequest(operation, "POST", path, body, repeat=again))

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
        body: Body = {
            "time_limit": time_limit_s,
            "file_format": file_format,
            "record_channel_type": record_channel_type,
            **_posted("callback", callback_url),
            "transcription_type": transcription_type,
            **_posted("transcription", transcription_url),
        }
        path = item_path("Call", call_uuid, "Record")
        request = RestRequest(f"start recording of call {call_uuid}", "POST", path, body)
        return parsed(Recording, request, await self.perform(request))

    async def stop_recording(self, call_uuid: str, recording_url: str | None = None) -> None:
        """Stop the recording with this URL, or every recording of the call."""
        body: Body = {"URL": recording_url} if recording_url else {}
        operation = f"stop recording of call {call_uuid}"
        path = item_path("Call", call_uuid, "Record")
        await self.perform(RestRequest(operation, "DELETE", path, body, repeat="ending"))

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
        path = item_path("Call", call_uuid, "DTMF")
        body: Body = {"digits": digits, "leg": leg}
        await self.perform(RestRequest(f"send digits on call {call_uuid}", "POST", path, body))

    async def kick_member(self, conference: str, member_id: str) -> None:
        """Take one member out of a conference; the call goes on with the element's action."""
        if _MEMBER_ID.fullmatch(member_id) is None:
            raise ValueError("member_id must name one member: lists and `all` are not accepted")
        operation = f"kick member {member_id} of conference {conference}"
        path = item_path("Conference", conference, "Member", member_id, "Kick")
        await self.perform(RestRequest(operation, "POST", path, repeat="ending"))

    async def get_conference(self, conference: str) -> Conference | None:
        """Return the conference as it is now, or None when nobody is in it."""
        path = item_path("Conference", conference)
        return await self.read(Conference, f"get conference {conference}", path)

    async def live_call(self, call_uuid: str) -> LiveCall | None:
        """Return the call if it is ringing or in progress, None if it is over or unknown."""
        path = f"{item_path('Call', call_uuid)}?status=live"
        return await self.read(LiveCall, f"get live call {call_uuid}", path)

    async def queued_call(self, call_uuid: str) -> LiveCall | None:
        """Return the call if it waits to be dialled, None otherwise; takes a request uuid."""
        path = f"{item_path('Call', call_uuid)}?status=queued"
        return await self.read(LiveCall, f"get queued call {call_uuid}", path)

    async def live_calls(self, *, from_number: str, to_number: str) -> list[str]:
        """List the outbound calls between two numbers that ring, are in progress, or wait."""
        ends = {"from_number": to_plivo(from_number), "to_number": to_plivo(to_number)}
        found: list[str] = []
        for status in ("live", "queued"):
            query = urlencode({"status": status, "call_direction": "outbound", **ends})
            request = RestRequest(f"list {status} calls", "GET", f"Call/?{query}", repeat="safe")
            found += parsed(_LiveCalls, request, await self.perform(request)).calls
        return found

    async def call_record(self, call_uuid: str) -> CallRecord | None:
        """Return the record of a call that is over, None while it lives or when it is unknown."""
        path = item_path("Call", call_uuid)
        return await self.read(CallRecord, f"get the record of call {call_uuid}", path)


def _posted(name: str, url: str | None) -> Body:
    return {} if url is None else {f"{name}_url": url, f"{name}_method": "POST"}
