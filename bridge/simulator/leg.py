"""One leg of a call on the simulated platform: its identity, its parameters, its signed requests.

Names and values of the parameters are those of webhooks captured in public code:
numbers without "+", times without zone, everything a string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from time import perf_counter
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
from yarl import URL

from bridge.plivo.signature import sign

Method = Literal["GET", "POST"]
Lost = Literal["", "connect", "read", "part"]
Direction = Literal["inbound", "outbound"]

#: A raw cause, its code and name, and who ended the call (Plivo's hangup causes).
CALLER_HUNG_UP: Final = ("NORMAL_CLEARING", "4000", "Normal Hangup", "Caller")
HANGUP_ELEMENT: Final = ("NORMAL_CLEARING", "4000", "Normal Hangup", "Answer XML")
END_OF_DOCUMENT: Final = ("NORMAL_CLEARING", "4010", "End Of XML Instructions", "Answer XML")
HUNG_UP_BY_API: Final = ("NORMAL_CLEARING", "4000", "Normal Hangup", "API Request")
NO_ANSWER: Final = ("NO_ANSWER", "3000", "No Answer", "Carrier")
BUSY: Final = ("USER_BUSY", "3010", "Busy Line", "Carrier")
Ending = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """The Plivo account: its Auth ID and the token that signs its webhooks."""

    auth_id: str = "MADEMO00000000000000"
    auth_token: str = field(default="made-up-token", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a request; status 0 = nothing did, `body` says why and `lost` when.

    `lost` is "part" when an answer began and broke off.
    """

    status: int
    body: bytes
    content_type: str
    ms: float
    lost: Lost = ""


@dataclass(slots=True)
class Leg:
    """A call as the webhooks show it.

    `via` maps the beginning of a public URL to where the server really listens, as a reverse proxy
    would: requests are signed for the public URL.
    """

    session: aiohttp.ClientSession
    account: Account
    random: Random
    caller: str = "33612345678"
    called: str = "33187654321"
    direction: Direction = "inbound"
    caller_name: str | None = None
    via: Mapping[str, str] = field(default_factory=dict)
    method: Method = "POST"
    extra: Mapping[str, str] = field(default_factory=dict)
    began: float = 0.0
    answered: float | None = None
    uuid: str = ""
    request_uuid: str = ""
    a_leg_uuid: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        """Make up what was not given, from the seed."""
        self.uuid = self.uuid or self.new_uuid()
        if self.direction == "outbound":
            self.request_uuid = self.request_uuid or self.uuid
            self.a_leg_uuid = self.a_leg_uuid or self.uuid
        self.status = self.status or ("in-progress" if self.request_uuid else "ringing")

    def new_uuid(self) -> str:
        """Make up a UUID as Plivo writes them."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def new_nonce(self) -> str:
        """Make up a nonce: 20 decimal digits."""
        return "".join(self.random.choice("0123456789") for _ in range(20))

    def parameters(self) -> dict[str, str]:
        """Give what every request of this leg carries."""
        known = {
            "CallUUID": self.uuid,
            "From": self.caller,
            "To": self.called,
            "Direction": self.direction,
            "CallStatus": self.status,
            "CallerName": self.caller if self.caller_name is None else self.caller_name,
            "SessionStart": datetime.fromtimestamp(self.began, UTC).strftime(
                "%Y-%m-%d %H:%M:%S.%f"
            ),
            "BillRate": "0.005",
            "ParentAuthID": self.account.auth_id,
            "RouteType": "Domestic_Anchored",
            "CountryCode": "FR",
            "STIRVerification": "Not Applicable",
            "STIRAttestation": "",
        }
        if self.direction == "outbound":
            known |= {
                "RequestUUID": self.request_uuid,
                "ALegUUID": self.a_leg_uuid,
                "ALegRequestUUID": self.request_uuid,
            }
        return known | dict(self.extra)

    def hangup_parameters(self, ending: Ending, ended: float) -> dict[str, str]:
        """Give what the hangup URL gets besides; `ended` is wall time in s.

        A call that was never answered lasted no time and has no AnswerTime.
        """
        cause, code, name, source = ending
        seconds = 0
        times = {"StartTime": self.began, "EndTime": ended}
        if self.answered is not None:
            times["AnswerTime"] = self.answered
            seconds = max(0, round(ended - self.answered))
        return {
            "Event": "Hangup",
            "HangupCause": cause,
            "HangupCauseCode": code,
            "HangupCauseName": name,
            "HangupSource": source,
            "Duration": str(seconds),
            "BillDuration": str(-(-seconds // 60) * 60),
            "TotalCost": "0.00500" if seconds else "0.00000",
        } | {
            key: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            for key, at in times.items()
        }

    async def request(
        self,
        url: str,
        extra: Mapping[str, str] | None = None,
        *,
        method: Method | None = None,
        token: str | None = None,
        bare: bool = False,
        nonce: str | None = None,
        limits: aiohttp.ClientTimeout | None = None,
    ) -> Answer:
        """Make one signed webhook request; the fragment is configuration and is not sent.

        `bare` leaves out the standard parameters, `token` signs with another token.
        """
        pairs = list((({} if bare else self.parameters()) | dict(extra or {})).items())
        target = url.partition("#")[0]
        verb = method or self.method
        if verb == "GET":
            separator = "&" if "?" in target else "?"
            target += separator + urlencode(sorted(pairs))
            pairs = []
        nonce = nonce or self.new_nonce()
        signature = sign(verb, target, pairs, nonce, token or self.account.auth_token)
        headers = {
            "X-Plivo-Signature-V3": signature,
            "X-Plivo-Signature-Ma-V3": signature,
            "X-Plivo-Signature-V3-Nonce": nonce,
        }
        return await self.send(verb, target, pairs, headers, limits)

    async def send(
        self,
        method: str,
        url: str,
        pairs: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        limits: aiohttp.ClientTimeout | None = None,
    ) -> Answer:
        """Send a request as it is, signed or not."""
        begun = perf_counter()
        answering = False
        body = urlencode(pairs).encode() if pairs else None
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        try:
            async with self.session.request(
                method,
                _encoded(self.real(url)),
                data=body,
                headers={**form, **(headers or {})},
                allow_redirects=False,
                timeout=limits or self.session.timeout,
            ) as response:
                answering = True
                answered = await response.read()
                ms = (perf_counter() - begun) * 1000
                return Answer(response.status, answered, response.content_type, ms)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            before = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
            lost: Lost = "connect" if isinstance(error, before) else "read"
            lost = "part" if answering else lost
            what = str(error) or type(error).__name__
            return Answer(0, what.encode(), "", (perf_counter() - begun) * 1000, lost)

    def is_ours(self, url: str) -> bool:
        """Tell whether the server under test is behind this URL."""
        return any(url.startswith(public) for public in self.via)

    def real(self, url: str) -> str:
        """Give where a public URL is really served."""
        for public, real in self.via.items():
            if url.startswith(public):
                return real + url.removeprefix(public)
        return url


def _encoded(url: str) -> URL:
    # As it is written: a signature covers the URL byte for byte.
    return URL(url, encoded=True)


__all__ = [
    "BUSY",
    "CALLER_HUNG_UP",
    "END_OF_DOCUMENT",
    "HANGUP_ELEMENT",
    "HUNG_UP_BY_API",
    "NO_ANSWER",
    "Account",
    "Answer",
    "Direction",
    "Ending",
    "Leg",
    "Method",
]
