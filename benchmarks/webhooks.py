"""Plivo's side of a call: the form fields, the V3 signature, and following the action URL.

Signing is written here anew rather than taken from the bridge, so that a mistake in the bridge's
check cannot cancel itself out, and so that most of the signed text can be prepared per call.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import itertools
import random
import re
import uuid
from binascii import b2a_base64
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlencode

from benchmarks.documents import DIGITS, TURN_URL
from benchmarks.wire import UnexpectedReply

__all__ = [
    "ANSWER_URL",
    "AUTH_TOKEN",
    "PUBLIC_URL",
    "Call",
    "FixedTurn",
    "Job",
    "LiveCall",
    "action_url",
    "answer_fields",
    "calls",
    "fixed_turns",
    "post",
    "signature",
]

PUBLIC_URL: Final = "https://voice.example.com"
ANSWER_URL: Final = f"{PUBLIC_URL}/plivo/DEFAULT/answer"
AUTH_TOKEN: Final = "bWFkZS11cC10b2tlbi1vZi1hLWJlbmNobWFyaw"  # noqa: S105 - made up
_KEY: Final = AUTH_TOKEN.encode()
_ACTION: Final = re.compile(rb'\baction="([^"]*)"')
_NONCES: Final = itertools.count(10**19)
_HEAD: Final = (
    "Host: voice.example.com\r\n"
    "User-Agent: benchmark\r\n"
    "Accept: */*\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: {}\r\n\r\n"
)


class Job(Protocol):
    """One stream of requests, each sent only after the reply to the one before."""

    @property
    def request(self) -> bytes:
        """The request to send next, complete."""

    def replied(self, document: bytes) -> None:
        """Check the reply and prepare the next request. Raises `UnexpectedReply`."""


def action_url(document: bytes) -> str:
    """Give the action of the GetDigits element, without Plivo's retry fragment.

    Raises `UnexpectedReply` when the document has none below `PUBLIC_URL`.
    """
    start = document.find(b"<GetDigits ")
    found = _ACTION.search(document, start) if start >= 0 else None
    if found is None:
        raise UnexpectedReply(f"Not a GetDigits document: {document[:600]!r}.")
    url = found[1].decode()
    if "&" in url:
        url = html.unescape(url)
    url = url.partition("#")[0]
    if not url.startswith(f"{PUBLIC_URL}/"):
        raise UnexpectedReply(f"The action is not below the public URL: {url}.")
    return url


def signature(url: str, joined_fields: str, nonce: str) -> bytes:
    """Sign a POST: `joined_fields` is every name and value of the form, sorted and run together."""
    head, mark, query = url.partition("?")
    if mark and query:
        pairs = sorted(parse_qsl(query, keep_blank_values=True))
        head = f"{head}?{'&'.join([f'{name}={value}' for name, value in pairs])}."
    else:
        head += "?"
    text = f"{head}{joined_fields}.{nonce}".encode()
    return b2a_base64(hmac.digest(_KEY, text, hashlib.sha256), newline=False)


def _joined(fields: dict[str, str]) -> str:
    return "".join([name + value for name, value in sorted(fields.items())])


def _post(url: str, tail: bytes, joined_fields: str) -> bytes:
    nonce = str(next(_NONCES))
    return b"".join(
        (
            b"POST ",
            url[len(PUBLIC_URL) :].encode(),
            b" HTTP/1.1\r\nX-Plivo-Signature-V3-Nonce: ",
            nonce.encode(),
            b"\r\nX-Plivo-Signature-V3: ",
            signature(url, joined_fields, nonce),
            b"\r\n",
            tail,
        )
    )


def _tail(fields: dict[str, str]) -> bytes:
    body = urlencode(fields).encode()
    return _HEAD.format(len(body)).encode() + body


def post(url: str, fields: dict[str, str]) -> bytes:
    """Write a signed POST of a form to an address below `PUBLIC_URL`."""
    return _post(url, _tail(fields), _joined(fields))


def answer_fields(index: int, source: random.Random) -> dict[str, str]:
    """Make up the fields of an answer request: each source of chance gives other CallUUIDs."""
    number = f"336{index:08d}"
    return {
        "CallUUID": str(uuid.UUID(int=source.getrandbits(128), version=4)),
        "From": number,
        "To": "33178900000",
        "Direction": "inbound",
        "CallStatus": "ringing",
        "Event": "StartApp",
        "CallerName": number,
        "SessionStart": "2026-01-09 17:27:55.779297",
        "BillRate": "0.005",
        "ParentAuthID": "MAXXXXXXXXXXXXXXXXXX",
        "RouteType": "Domestic_Anchored",
        "CountryCode": "FR",
        "STIRVerification": "Not Applicable",
        "STIRAttestation": "",
    }


def _turn_fields(answer: dict[str, str]) -> dict[str, str]:
    return answer | {"CallStatus": "in-progress", "Event": "Redirect", "Digits": DIGITS}


class Call:
    """A live call: first the answer request, then the same keys to whatever action comes back."""

    __slots__ = ("_joined", "_tail", "request")

    def __init__(self, fields: dict[str, str]) -> None:
        turn = _turn_fields(fields)
        self._joined = _joined(turn)
        self._tail = _tail(turn)
        self.request = _post(ANSWER_URL, _tail(fields), _joined(fields))

    def replied(self, document: bytes) -> None:
        """Sign the next turn for the address the document names."""
        self.request = _post(action_url(document), self._tail, self._joined)


class LiveCall:
    """A call that waits for its keys at `url`; made up by its `uuid`, and small as long as it waits."""

    __slots__ = ("_url", "_uuid")

    def __init__(self, uuid: str, url: str) -> None:
        self._uuid = uuid
        self._url = url

    @property
    def request(self) -> bytes:
        """Sign the turn: thousands of these calls wait for each one that is about to speak."""
        turn = _turn_fields(answer_fields(0, random.Random(0)) | {"CallUUID": self._uuid})
        return post(self._url, turn)

    def replied(self, document: bytes) -> None:
        """Note the address the document names."""
        self._url = action_url(document)


class FixedTurn:
    """The same signed turn again and again, for servers that keep no calls."""

    __slots__ = ("request",)

    def __init__(self, fields: dict[str, str]) -> None:
        turn = _turn_fields(fields)
        self.request = post(TURN_URL, turn)

    def replied(self, document: bytes) -> None:
        """Check that it is a GetDigits document."""
        if b"<GetDigits " not in document:
            raise UnexpectedReply(f"Not a GetDigits document: {document[:600]!r}.")


def calls(count: int, *, seed: int = 1) -> list[Call]:
    """Make `count` calls that have not been answered; another seed gives other CallUUIDs."""
    source = random.Random(seed)
    return [Call(answer_fields(index, source)) for index in range(count)]


def fixed_turns(count: int, *, seed: int = 1) -> list[FixedTurn]:
    """Make `count` signed turns of as many callers."""
    source = random.Random(seed)
    return [FixedTurn(answer_fields(index, source)) for index in range(count)]
