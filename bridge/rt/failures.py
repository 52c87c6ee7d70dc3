"""What can go wrong between the bridge and an app, and the sentences that say so.

    AppFailure                  base, never raised itself; the per-app policy on_failure answers it
    ├── AppUnreachable          no connection: refused, no route, no such host, bad certificate
    ├── AppTimeout              connected or on the way, and no complete reply in time
    ├── AppDisconnected         the connection broke before the reply was complete
    ├── AppStatus               a complete reply with another status than 200, redirects included
    ├── AppReplyTooLarge        the reply is longer than allowed; the rest of it is not read
    ├── AppReplyInvalid         the reply is not HTTP, or its body is no RT.Response
    ├── AppInterrupted          a restart came between question and answer (after_crash = fail)
    ├── AppBusy                 not asked: it has as many questions to answer as it may have
    └── AppSuspended            not asked: it did not answer the last questions (bridge.breaker)

The functions write the same sentence whichever transport failed. `where` is the app's URL, masked.
"""

from __future__ import annotations

import os
from typing import ClassVar, Final

from bridge.errors import BridgeError
from bridge.redaction import mask_url
from mappings._rt.reader import ReplyError, excerpt

__all__ = [
    "NOT_IN_TIME",
    "NO_HTTP_URL",
    "NO_SUCH_HOST",
    "AppBusy",
    "AppDisconnected",
    "AppFailure",
    "AppInterrupted",
    "AppReplyInvalid",
    "AppReplyTooLarge",
    "AppStatus",
    "AppSuspended",
    "AppTimeout",
    "AppUnreachable",
    "broken",
    "not_http",
    "not_unpacked",
    "other_status",
    "reason_of",
    "too_large",
    "too_late",
    "unreachable",
]

NO_HTTP_URL: Final = "its URL is not one of HTTP"
NO_SUCH_HOST: Final = "its host name cannot be resolved"
NOT_IN_TIME: Final = "no connection came about in time"


class AppFailure(BridgeError):  # noqa: N818 - named for whose fault it is
    """The app gave no usable reply; the message is a sentence for the log.

    `code` is stable. `delivered` says whether the app's server got the request: True, False, or
    None when nobody knows. `excerpt` is the beginning of what it answered, at most 200 characters.
    """

    code: ClassVar[str]
    delivered: ClassVar[bool | None]

    def __init__(self, sentence: str, excerpt: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.excerpt = excerpt


class AppUnreachable(AppFailure):
    """No connection came about, so the app knows nothing of the request."""

    code = "APP_UNREACHABLE"
    delivered = False


class AppTimeout(AppFailure):
    """The budget ran out before the reply was complete."""

    code = "APP_TIMEOUT"
    delivered = None


class AppDisconnected(AppFailure):
    """The connection broke before the reply was complete."""

    code = "APP_DISCONNECTED"
    delivered = None


class AppStatus(AppFailure):
    """The app answered with `status`, which is not 200."""

    code = "APP_STATUS"
    delivered = True

    def __init__(self, status: int, sentence: str, excerpt: str = "") -> None:
        super().__init__(sentence, excerpt)
        self.status = status


class AppReplyTooLarge(AppFailure):
    """The reply is longer than the bridge reads."""

    code = "APP_TOO_LARGE"
    delivered = True


class AppReplyInvalid(AppFailure):
    """The app answered something that is no RT.Response."""

    code = "APP_INVALID_REPLY"
    delivered = True

    @classmethod
    def of(cls, error: ReplyError) -> AppReplyInvalid:
        """Turn the reader's complaint into a failure of the app."""
        return cls(error.sentence, error.excerpt)


class AppInterrupted(AppFailure):
    """The bridge restarted after it began to ask, and the app is not to be asked twice."""

    code = "APP_INTERRUPTED"
    delivered = None


class AppBusy(AppFailure):
    """The app was not asked, because it has enough to do."""

    code = "APP_BUSY"
    delivered = False

    @classmethod
    def with_so_many(cls, questions: int) -> AppBusy:
        """Tell how many questions the app has to answer."""
        return cls(f"The app was not asked: it has {questions} questions to answer already.")


class AppSuspended(AppFailure):
    """The app was not asked, because it has not answered for a while."""

    code = "APP_SUSPENDED"
    delivered = False

    @classmethod
    def after(cls, failures: int) -> AppSuspended:
        """Tell how many questions it did not answer."""
        return cls(f"The app was not asked: it answered none of the last {failures} questions.")


def unreachable(where: str, reason: str) -> AppUnreachable:
    """Tell that there is no connection; `reason` completes the sentence."""
    return AppUnreachable(f"The app at {where} cannot be reached: {reason}.")


def reason_of(error: OSError) -> str:
    """Say why a connection failed."""
    # asyncio's own text names addresses only; the system's says what happened.
    return os.strerror(error.errno) if error.errno else str(error)


def too_late(where: str, budget_s: float) -> AppTimeout:
    """Tell that there was no complete reply within the budget."""
    return AppTimeout(f"The app at {where} did not answer within {budget_s:g} s.")


def broken(where: str) -> AppDisconnected:
    """Tell that the connection ended inside the reply, or before it."""
    return AppDisconnected(
        f"The app at {where} closed the connection before its reply was complete."
    )


def not_http(where: str) -> AppReplyInvalid:
    """Tell that the reply is not HTTP."""
    return AppReplyInvalid(f"The app at {where} answered something that is not HTTP.")


def not_unpacked(where: str) -> AppReplyInvalid:
    """Tell that the body is not what its Content-Encoding says."""
    return AppReplyInvalid(f"The app at {where} answered a body that cannot be decompressed.")


def too_large(where: str, limit: int, beginning: bytes) -> AppReplyTooLarge:
    """Tell that the body has more than `limit` bytes."""
    return AppReplyTooLarge(
        f"The app at {where} answered more than {limit} bytes.", excerpt(beginning)
    )


def other_status(where: str, status: int, location: str | None, body: bytes) -> AppStatus:
    """Tell that the status is not 200; `location` is where a redirect leads."""
    sentence = f"The app at {where} answered {status} instead of 200"
    if location is None:
        return AppStatus(status, f"{sentence}.", excerpt(body))
    leads = mask_url(location)
    return AppStatus(
        status, f"{sentence}; redirects, here to {leads}, are not followed.", excerpt(body)
    )
