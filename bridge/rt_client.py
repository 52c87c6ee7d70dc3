"""POST RT.Request to the legacy app and bring back the bytes of its reply.

    AppFailure                  base, never raised itself; the per-app policy on_failure answers it
    ├── AppUnreachable          no connection: refused, no route, no such host, bad certificate
    ├── AppTimeout              connected or on the way, and no complete reply in time
    ├── AppDisconnected         the connection broke before the reply was complete
    ├── AppStatus               a complete reply with another status than 200, redirects included
    ├── AppReplyTooLarge        the reply is longer than allowed; the rest of it is not read
    ├── AppReplyInvalid         the reply is not HTTP, or its body is no RT.Response
    └── AppInterrupted          a restart came between question and answer (after_crash = fail)

Only a request of which surely nothing was sent is repeated: asking an app twice may advance its
state twice. Bodies are bytes on both sides; `mappings._rt` writes and reads them.
"""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    InvalidURL,
    NonHttpUrlClientError,
    TCPConnector,
)
from aiohttp.http_exceptions import ContentEncodingError

from bridge.errors import BridgeError
from bridge.redaction import mask_url
from bridge.settings_model import AppSettings
from mappings._rt.reader import ReplyError, excerpt

__all__ = [
    "AiohttpTransport",
    "AppDisconnected",
    "AppFailure",
    "AppInterrupted",
    "AppReplyInvalid",
    "AppReplyTooLarge",
    "AppStatus",
    "AppTimeout",
    "AppUnreachable",
    "RtApp",
    "RtTransport",
]

_OK: Final = 200
_MIB: Final = 1_048_576
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 0.8
# aiohttp takes a time-out of 0 for none at all.
_SHORTEST_S: Final = 0.001
# Ends a connection attempt shortly before the whole budget, so that the two can be told apart.
_CONNECT_SHARE: Final = 0.95
# Shorter than the 5 s after which common servers close an idle connection: a request sent at that
# very moment is lost, and must not be repeated because the app may have seen it.
_IDLE_S: Final = 4.0
# What the RT page shows is all that is sent.
_HEADERS: Final = {"Accept": "*/*", "Content-Type": "application/json"}
_NO_AUTO_HEADERS: Final = ("User-Agent", "Accept-Encoding")


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


@dataclass(frozen=True, slots=True)
class RtApp:
    """Where an app answers.

    `url` is absolute, http or https, without a login. `authorization` is the value of the
    Authorization header, or None.
    """

    hash: str
    url: str
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, app_hash: str, settings: AppSettings) -> RtApp:
        """Describe a configured app; its login and password become HTTP Basic, as UTF-8."""
        if settings.login is None or settings.password is None:
            return cls(app_hash, settings.url)
        pair = f"{settings.login}:{settings.password.get_secret_value()}"
        encoded = base64.b64encode(pair.encode()).decode("ascii")
        return cls(app_hash, settings.url, f"Basic {encoded}")


class RtTransport(Protocol):
    """The way to the apps; tests put a scripted one in its place."""

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """POST the body and return that of a reply with status 200.

        `budget_s` covers everything: connecting, trying again, sending, and the complete reply.
        Raises AppFailure.
        """
        ...


class AiohttpTransport:
    """RtTransport over one pool of keep-alive connections; close it, or use it with `async with`."""

    def __init__(self, session: ClientSession, *, max_reply_bytes: int = _MIB) -> None:
        """Use a session like that of `open`; `max_reply_bytes` counts the body, decompressed."""
        self._session = session
        self._max_reply_bytes = max_reply_bytes

    @classmethod
    def open(cls, *, max_reply_bytes: int = _MIB, connections_per_host: int = 500) -> Self:
        """Open the pool inside the running event loop.

        The limit is per host, so that a slow app never takes the connections of another;
        waiting for a free one counts towards the budget. 0 means no limit.
        """
        session = ClientSession(
            connector=TCPConnector(
                limit=0, limit_per_host=connections_per_host, keepalive_timeout=_IDLE_S
            ),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(),
        )
        return cls(session, max_reply_bytes=max_reply_bytes)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """POST the body; try again while the connection is refused and time is left."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget_s
        left_s, pause_s = budget_s, _FIRST_PAUSE_S
        while True:
            try:
                return await self._post(app, body, _timeout(left_s))
            except ClientConnectorError as error:
                lasting = isinstance(error, ClientSSLError)
                if lasting or loop.time() + pause_s >= deadline:
                    raise _unreachable(app, _reason(error)) from error
            except TimeoutError:
                raise AppTimeout(
                    f"The app at {mask_url(app.url)} did not answer within {budget_s:g} s."
                ) from None
            await asyncio.sleep(pause_s)
            left_s, pause_s = deadline - loop.time(), min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _post(self, app: RtApp, body: bytes, limits: ClientTimeout) -> bytes:
        headers = _HEADERS
        if app.authorization is not None:
            headers = _HEADERS.copy()
            headers["Authorization"] = app.authorization
        try:
            async with self._session.post(
                app.url,
                data=body,
                headers=headers,
                skip_auto_headers=_NO_AUTO_HEADERS,
                allow_redirects=False,
                timeout=limits,
            ) as response:
                return await self._read(app, response)
        except ConnectionTimeoutError as error:
            raise _unreachable(app, "no connection came about in time") from error
        except (InvalidURL, NonHttpUrlClientError) as error:
            raise _unreachable(app, "its URL is not one of HTTP") from error
        except ClientResponseError as error:
            raise AppReplyInvalid(
                f"The app at {mask_url(app.url)} answered something that is not HTTP."
            ) from error
        except (ClientConnectorError, TimeoutError):
            raise
        except (ClientError, OSError) as error:
            raise _broken(app, error) from error

    async def _read(self, app: RtApp, response: ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_reply_bytes:
                response.close()
                if response.status == _OK:
                    raise AppReplyTooLarge(
                        f"The app at {mask_url(app.url)} answered more than "
                        f"{self._max_reply_bytes} bytes.",
                        excerpt(chunks[0]),
                    )
                break
        reply = b"".join(chunks)
        if response.status == _OK:
            return reply
        raise AppStatus(response.status, _status_sentence(app, response), excerpt(reply))


@lru_cache(maxsize=16)
def _timeout(left_s: float) -> ClientTimeout:
    left_s = max(left_s, _SHORTEST_S)
    # aiohttp's timer is cheaper than one around it, but rounds 5 s up to the next full second.
    return ClientTimeout(total=left_s, connect=_CONNECT_SHARE * left_s, ceil_threshold=inf)


def _unreachable(app: RtApp, reason: str) -> AppUnreachable:
    return AppUnreachable(f"The app at {mask_url(app.url)} cannot be reached: {reason}.")


def _reason(error: ClientConnectorError) -> str:
    if isinstance(error, ClientConnectorDNSError):
        return "its host name cannot be resolved"
    if isinstance(error, ClientConnectorCertificateError):
        return f"its certificate is not valid ({error.certificate_error})"
    if isinstance(error, ClientSSLError):
        return f"TLS cannot be agreed on ({error.os_error})"
    # asyncio's own text names addresses only; the system's says what happened.
    number = error.os_error.errno
    return os.strerror(number) if number else str(error.os_error)


def _broken(app: RtApp, error: Exception) -> AppFailure:
    if isinstance(error, ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return AppReplyInvalid(
            f"The app at {mask_url(app.url)} answered a body that cannot be decompressed."
        )
    return AppDisconnected(
        f"The app at {mask_url(app.url)} closed the connection before its reply was complete."
    )


def _status_sentence(app: RtApp, response: ClientResponse) -> str:
    sentence = f"The app at {mask_url(app.url)} answered {response.status} instead of 200"
    location = response.headers.get("Location")
    if location is None:
        return f"{sentence}."
    return f"{sentence}; redirects, here to {mask_url(location)}, are not followed."
