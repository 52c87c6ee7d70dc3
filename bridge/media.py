"""Media: the library behind rt_media ids, and the hosted files Plivo fetches.

A hosted file is reachable by its unguessable name alone, until it expires. A recording is fetched
from Plivo when it is played: it may not be ready yet and may need the account's credentials, while
Plivo's Play would fail silently, as it does in the framework Plivo published.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web

from bridge.addresses import WAV_TYPE, unguessable
from bridge.assets import asset
from bridge.store.protocol import StoreError
from bridge.tasks import spawn

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.runtime import Runtime
    from bridge.settings import Settings
    from bridge.store.protocol import RecordingRow

log = structlog.get_logger()

SUFFIXES: Final = {".mp3": "audio/mpeg", ".wav": "audio/wav"}
#: How long a fresh recording is waited for; Plivo reads a file for up to 120 s (its callback page).
PATIENCE_S: Final = 20.0
#: How long passing it on may take after that.
LONGEST_S: Final = 100.0
RETRY_S: Final = 0.5
CONNECT_S: Final = 5.0
#: Longest silence of the host of a recording.
READ_S: Final = 15.0
#: How often it is looked whether the client still waits.
LOOK_S: Final = 0.5
#: The folder of the library is listed again at most this often, in s.
RESCAN_S: Final = 5.0
CHUNK_BYTES: Final = 65_536
#: What hosted files and recordings are called (bridge.addresses).
NAME: Final = re.compile(r"m?[0-9a-f]{30}(\.[a-z0-9]{2,4})?")


class Library:
    """The media library: an id means a configured URL, a file we host, or a URL by template."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._media = settings.media
        self._public_url = settings.public_url
        self._secret = secret
        # After a restart the names are known again only once the folder was looked at.
        self._files = self._scan()
        self._scanned_at = monotonic()

    def url_of(self, media_id: str) -> str | None:
        """Give the URL of a library id; None when the library does not have it."""
        url = self._media.library.get(media_id)
        if url is not None:
            return url
        if self._media.directory is not None:
            for suffix in SUFFIXES:
                path = self._media.directory / f"{media_id}{suffix}"
                if path.is_file():
                    name = unguessable(self._secret, "library", path.name) + suffix
                    self._files[name] = path
                    return f"{self._public_url}/media/{name}"
        if self._media.url_template is not None:
            return self._media.url_template.replace("{id}", media_id)
        return None

    async def file(self, name: str) -> Path | None:
        """Give the file hosted under an unguessable name; a new one may take RESCAN_S to be found."""
        if name not in self._files and monotonic() - self._scanned_at >= RESCAN_S:
            self._scanned_at = monotonic()
            self._files |= await asyncio.to_thread(self._scan)
        return self._files.get(name)

    def _scan(self) -> dict[str, Path]:
        """List the folder; thousands of files take a while."""
        if self._media.directory is None:
            return {}
        try:
            paths = [path for path in self._media.directory.iterdir() if path.suffix in SUFFIXES]
        except OSError as error:
            log.error("media.directory", why=str(error))
            return {}
        return {unguessable(self._secret, "library", p.name) + p.suffix: p for p in paths}


class MediaServer:
    """Serves `/media/{name}`."""

    def __init__(self, runtime: Runtime, session: aiohttp.ClientSession) -> None:
        self._runtime = runtime
        self._session = session

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer GET and POST (Plivo always posts for documents of sounds)."""
        name = request.match_info["name"]
        if NAME.fullmatch(name) is None:
            raise web.HTTPNotFound(text=NOTHING)
        try:
            return await self._found(request, name)
        except StoreError as error:
            log.error("media.no_store", why=str(error))
            # For documents of sounds Plivo repeats what got this (its page on callback configuration).
            raise web.HTTPServiceUnavailable(
                text="The store of the bridge cannot be read: come again.\n"
            ) from None

    async def _found(self, request: web.Request, name: str) -> web.StreamResponse:
        now = self._runtime.clock.now()
        row = await self._runtime.store.media(name, now)
        if row is not None:
            return web.Response(body=row.content, content_type=row.content_type)
        path = await self._runtime.library.file(name)
        if path is not None:
            return web.FileResponse(path, headers={"Content-Type": SUFFIXES[path.suffix]})
        recording = await self._runtime.store.recording_named(name.removesuffix(".mp3"), now)
        if recording is not None:
            return await self._recording(request, recording)
        raise web.HTTPNotFound(text=NOTHING)

    async def _recording(self, request: web.Request, row: RecordingRow) -> web.StreamResponse:
        if not row.url:
            return web.Response(body=asset("silence"), content_type=WAV_TYPE)
        answering = spawn(self._answer(request, row), f"recording:{row.recording_id}")
        # aiohttp does not tell a handler that its client has gone.
        while not answering.done() and not _gone(request):
            await asyncio.wait({answering}, timeout=LOOK_S)
        if not answering.done():
            answering.cancel()
            log.info("recording.not_waited_for", app=row.app, recording=row.recording_id)
            return web.Response()
        response = answering.result()
        if response is None:
            raise web.HTTPNotFound(text="The recording could not be fetched from Plivo.\n")
        return response

    async def _answer(self, request: web.Request, row: RecordingRow) -> web.StreamResponse | None:
        found = await self._fetch(row)
        if found is None:
            return None
        async with found:
            return await _pass_on(request, found, row)

    async def _fetch(self, row: RecordingRow) -> aiohttp.ClientResponse | None:
        """Ask for the file until its host begins to answer with it; None = in vain."""
        why = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        found = await self._get(row.url)
                    except (aiohttp.ClientError, TimeoutError) as error:
                        why = type(error).__name__
                    else:
                        if found.status == web.HTTPOk.status_code:
                            return found
                        found.release()
                        why = f"status {found.status}"
                    await self._runtime.clock.sleep(RETRY_S)
        log.error("recording.unavailable", app=row.app, recording=row.recording_id, why=why)
        return None

    async def _get(self, url: str) -> aiohttp.ClientResponse:
        return await self._session.get(
            url,
            # Compressed, its length would not be that of what is passed on.
            headers={"Accept-Encoding": "identity", **self._credentials(url)},
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=READ_S),
        )

    def _credentials(self, url: str) -> dict[str, str]:
        """Give the account's credentials, but only for Plivo's own hosts over TLS, or ours in tests."""
        settings = self._runtime.settings
        if settings.plivo_auth_id is None or not settings.plivo_auth_tokens:
            return {}
        parts = urlsplit(url)
        host = parts.hostname or ""
        plivo = parts.scheme == "https" and (host == "plivo.com" or host.endswith(".plivo.com"))
        same = parts[:2] == urlsplit(settings.plivo_api_url)[:2]
        if not (plivo or same):
            return {}
        token = settings.plivo_auth_tokens[0].get_secret_value()
        login = b64encode(f"{settings.plivo_auth_id}:{token}".encode()).decode()
        return {"Authorization": f"Basic {login}"}


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _pass_on(
    request: web.Request, found: aiohttp.ClientResponse, row: RecordingRow
) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = found.content_type or "audio/mpeg"
    if found.content_length is not None and "Content-Encoding" not in found.headers:
        response.content_length = found.content_length
    try:
        async with asyncio.timeout(LONGEST_S):
            await response.prepare(request)
            async for chunk in found.content.iter_chunked(CHUNK_BYTES):
                await response.write(chunk)
            await response.write_eof()
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        why = type(error).__name__
        log.warning("recording.broken_off", app=row.app, recording=row.recording_id, why=why)
        if request.transport is not None:
            # The answer has begun: only a broken connection says that it is not the whole file.
            request.transport.abort()
    return response


NOTHING: Final = "There is no such file, or it has expired.\n"


__all__ = ["Library", "MediaServer"]
