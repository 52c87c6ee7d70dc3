"""Media: the library behind rt_media ids, and the hosted files Plivo fetches.

A hosted file is reachable by its unguessable name alone, until it expires. A recording is fetched
from Plivo when it is played: it may not be ready yet and may need the account's credentials, while
Plivo's Play would fail silently (plivo-facts 2.2, 2.5).
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web

from bridge.addresses import WAV_TYPE, unguessable
from bridge.assets import asset

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.runtime import Runtime
    from bridge.settings import Settings
    from bridge.store.protocol import RecordingRow

log = structlog.get_logger()

SUFFIXES: Final = {".mp3": "audio/mpeg", ".wav": "audio/wav"}
#: How long a fresh recording is waited for; Plivo reads a file for up to 120 s (plivo-facts 1.6).
PATIENCE_S: Final = 20.0
RETRY_S: Final = 0.5
CHUNK_BYTES: Final = 65_536


class Library:
    """The media library: an id means a configured URL, a file we host, or a URL by template."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._media = settings.media
        self._public_url = settings.public_url
        self._secret = secret
        self._files: dict[str, Path] = {}

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

    def file(self, name: str) -> Path | None:
        """Give the file hosted under an unguessable name."""
        found = self._files.get(name)
        if found is None and self._media.directory is not None:
            # After a restart the names are known again only once the folder was looked at.
            for path in self._media.directory.iterdir():
                if path.suffix in SUFFIXES:
                    known = unguessable(self._secret, "library", path.name) + path.suffix
                    self._files[known] = path
            found = self._files.get(name)
        return found


class MediaServer:
    """Serves `/media/{name}`."""

    def __init__(self, runtime: Runtime, session: aiohttp.ClientSession) -> None:
        self._runtime = runtime
        self._session = session

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer GET and POST (Plivo always posts for documents of sounds)."""
        name = request.match_info["name"]
        now = self._runtime.clock.now()
        row = await self._runtime.store.media(name, now)
        if row is not None:
            return web.Response(body=row.content, content_type=row.content_type)
        path = self._runtime.library.file(name)
        if path is not None:
            return web.FileResponse(path, headers={"Content-Type": SUFFIXES[path.suffix]})
        recording = await self._runtime.store.recording_named(name.removesuffix(".mp3"), now)
        if recording is not None:
            return await self._recording(request, recording)
        raise web.HTTPNotFound(text="There is no such file, or it has expired.\n")

    async def _recording(self, request: web.Request, row: RecordingRow) -> web.StreamResponse:
        if not row.url:
            return web.Response(body=asset("silence"), content_type=WAV_TYPE)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        why = ""
        while asyncio.get_running_loop().time() < deadline:
            try:
                found = await self._session.get(row.url, headers=self._credentials(row.url))
            except (aiohttp.ClientError, TimeoutError) as error:
                why = type(error).__name__
            else:
                async with found:
                    if found.status == web.HTTPOk.status_code:
                        return await _pass_on(request, found)
                    why = f"status {found.status}"
            await self._runtime.clock.sleep(RETRY_S)
        log.error("recording.unavailable", app=row.app, recording=row.recording_id, why=why)
        raise web.HTTPNotFound(text="The recording could not be fetched from Plivo.\n")

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


async def _pass_on(request: web.Request, found: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = found.content_type or "audio/mpeg"
    if found.content_length is not None:
        response.content_length = found.content_length
    await response.prepare(request)
    async for chunk in found.content.iter_chunked(CHUNK_BYTES):
        await response.write(chunk)
    await response.write_eof()
    return response


__all__ = ["Library", "MediaServer"]
