"""RtTransport over aiohttp's client: TLS, and every installation without httptools."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from math import inf
from types import TracebackType
from typing import Final, Self

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

from bridge.redaction import mask_url
from bridge.rt import failures
from bridge.rt.failures import AppFailure
from bridge.rt.port import (
    CONNECT_SHARE,
    CONNECTIONS_PER_HOST,
    FIRST_PAUSE_S,
    HEADERS,
    IDLE_S,
    LONGEST_PAUSE_S,
    MAX_REPLY_BYTES,
    OK,
    RtApp,
)

__all__ = ["AiohttpTransport"]

# aiohttp takes a time-out of 0 for none at all.
_SHORTEST_S: Final = 0.001
_NO_AUTO_HEADERS: Final = ("User-Agent", "Accept-Encoding")


class AiohttpTransport:
    """RtTransport over one pool of keep-alive connections; close it, or use it with `async with`."""

    def __init__(self, session: ClientSession, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> None:
        """Use a session like that of `open`; `max_reply_bytes` counts the body, decompressed."""
        self._session = session
        self._max_reply_bytes = max_reply_bytes

    @classmethod
    def open(
        cls,
        *,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        connections_per_host: int = CONNECTIONS_PER_HOST,
    ) -> Self:
        """Open the pool inside the running event loop.

        Waiting for one of the connections of a host counts towards the budget. 0 means no limit.
        """
        session = ClientSession(
            connector=TCPConnector(
                limit=0, limit_per_host=connections_per_host, keepalive_timeout=IDLE_S
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
        left_s, pause_s = budget_s, FIRST_PAUSE_S
        while True:
            try:
                return await self._post(app, body, _timeout(left_s))
            except ClientConnectorError as error:
                lasting = isinstance(error, ClientSSLError)
                if lasting or loop.time() + pause_s >= deadline:
                    raise failures.unreachable(mask_url(app.url), _reason(error)) from error
            except TimeoutError:
                raise failures.too_late(mask_url(app.url), budget_s) from None
            await asyncio.sleep(pause_s)
            left_s, pause_s = deadline - loop.time(), min(2 * pause_s, LONGEST_PAUSE_S)

    async def _post(self, app: RtApp, body: bytes, limits: ClientTimeout) -> bytes:
        headers = HEADERS
        if app.authorization is not None:
            headers = HEADERS.copy()
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
            raise failures.unreachable(mask_url(app.url), failures.NOT_IN_TIME) from error
        except (InvalidURL, NonHttpUrlClientError) as error:
            raise failures.unreachable(mask_url(app.url), failures.NO_HTTP_URL) from error
        except ClientResponseError as error:
            raise failures.not_http(mask_url(app.url)) from error
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
                if response.status == OK:
                    raise failures.too_large(mask_url(app.url), self._max_reply_bytes, chunks[0])
                break
        reply = b"".join(chunks)
        if response.status == OK:
            return reply
        location = response.headers.get("Location")
        raise failures.other_status(mask_url(app.url), response.status, location, reply)


@lru_cache(maxsize=16)
def _timeout(left_s: float) -> ClientTimeout:
    left_s = max(left_s, _SHORTEST_S)
    # aiohttp's timer is cheaper than one around it, but rounds 5 s up to the next full second.
    return ClientTimeout(total=left_s, connect=CONNECT_SHARE * left_s, ceil_threshold=inf)


def _reason(error: ClientConnectorError) -> str:
    if isinstance(error, ClientConnectorDNSError):
        return failures.NO_SUCH_HOST
    if isinstance(error, ClientConnectorCertificateError):
        return f"its certificate is not valid ({error.certificate_error})"
    if isinstance(error, ClientSSLError):
        return f"TLS cannot be agreed on ({error.os_error})"
    return failures.reason_of(error.os_error)


def _broken(app: RtApp, error: Exception) -> AppFailure:
    if isinstance(error, ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return failures.not_unpacked(mask_url(app.url))
    return failures.broken(mask_url(app.url))
