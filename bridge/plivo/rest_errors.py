"""What can go wrong with a REST request, split by what is known about its effect.

    BridgeError
    └── PlivoRestError              never raised itself; `maybe_done` says what is known
        ├── PlivoRefused            a definite no (4xx, or a redirect, which is not followed)
        │   ├── PlivoNotFound       404: no such call, recording, conference or member
        │   └── PlivoThrottled      429: too many requests, nothing was done
        ├── PlivoUnavailable        5xx, no connection, or an answer nobody can read
        └── PlivoTimeout            no answer in time: the outcome is unknown

Callers that must not act twice ask `PlivoRestError.maybe_done`; nothing here ever holds the token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json, to_json

from bridge.errors import BridgeError

__all__ = [
    "PlivoNotFound",
    "PlivoRefused",
    "PlivoRestError",
    "PlivoThrottled",
    "PlivoTimeout",
    "PlivoUnavailable",
    "failed",
]

_LONGEST_MESSAGE: Final = 200


class PlivoRestError(BridgeError):
    """Base of what can go wrong; says which operation on which call or room, never the token."""

    maybe_done: bool = False
    """Whether Plivo may have carried the request out although we hold no success."""

    def __init__(self, operation: str, message: str, status: int | None = None) -> None:
        said = message if status is None else f"{status} {message}".rstrip()
        super().__init__(f"{operation}: {said}")
        self.operation = operation
        self.message = message
        self.status = status


class PlivoRefused(PlivoRestError):  # noqa: N818 - as in the tree above
    """Plivo said no, and did nothing."""


class PlivoNotFound(PlivoRefused):
    """What the request names does not exist or is over (404)."""


class PlivoThrottled(PlivoRefused):
    """More than 300 requests in 5 s, or another rate limit (429)."""


class PlivoUnavailable(PlivoRestError):  # noqa: N818 - as in the tree above
    """Plivo could not be reached, failed (5xx), or answered something unreadable.

    ``sent`` is False only when the request surely never left.
    """

    def __init__(
        self, operation: str, message: str, status: int | None = None, *, sent: bool
    ) -> None:
        super().__init__(operation, message, status)
        self.sent = sent
        self.maybe_done = sent


class PlivoTimeout(PlivoRestError):  # noqa: N818 - as in the tree above
    """No answer in time: nobody knows whether the request was carried out."""

    maybe_done = True


def failed(
    operation: str, status: int, payload: bytes, secrets: Iterable[str] = ()
) -> PlivoRestError:
    """Return the error for an answer outside 2xx.

    Its message is what Plivo said: the ``error`` of a JSON object, or the text of anything else,
    cut at 200 characters on one line, with any of ``secrets`` hidden.
    """
    message = _said(payload)
    for secret in secrets:
        message = message.replace(secret, "[hidden]")
    printable = "".join(char if char.isprintable() else " " for char in message[:1000])
    message = " ".join(printable.split())[:_LONGEST_MESSAGE]
    match status:
        case 404:
            return PlivoNotFound(operation, message, status)
        case 429:
            return PlivoThrottled(operation, message, status)
        case _ if status >= 500:  # noqa: PLR2004 - the server error class of HTTP
            return PlivoUnavailable(operation, message, status, sent=True)
        case _:
            return PlivoRefused(operation, message, status)


def _said(payload: bytes) -> str:
    try:
        parsed = from_json(payload)
    except ValueError:
        return payload.decode(errors="replace")
    if isinstance(parsed, dict):
        parsed = parsed.get("error") or parsed.get("message") or parsed
    return parsed if isinstance(parsed, str) else to_json(parsed).decode()
