"""Hosted files come whole or not at all, and no stranger or silent host costs more than a moment."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from support_e2e import listening, settings_for

from bridge import media
from bridge.app import make_runtime
from bridge.clock import SystemClock
from bridge.media import Library, MediaServer
from bridge.rt_client import AiohttpTransport
from bridge.runtime import Runtime
from bridge.settings_model import MediaSettings
from bridge.store.memory import MemoryStore
from bridge.store.protocol import Commit, MediaRow, RecordingRow
from bridge.testing.rig import ACCOUNT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NAME = "m" + "0a" * 15
SECRET = b"s" * 32
LOGIN = aiohttp.encode_basic_auth(ACCOUNT.auth_id, ACCOUNT.auth_token)
SOUND = bytes(range(256)) * 1000


class Hosts:
    """The bridge's media route, in front of a host of recordings that behaves as told."""

    def __init__(self, stack: AsyncExitStack, folder: Path | None) -> None:
        self._stack = stack
        self._folder = folder
        self.store = MemoryStore()
        self.asked: list[web.Request] = []
        self.base = ""

    async def start(self, handler: Handler, *, api: bool = True, path: str = "/r.mp3") -> None:
        """Serve recordings by this handler; `api` = under the base URL of Plivo's API."""

        async def counted(request: web.Request) -> web.StreamResponse:
            self.asked.append(request)
            return await handler(request)

        upstream = web.Application()
        upstream.router.add_get("/{path:.*}", counted)
        host = await self._stack.enter_async_context(listening(upstream))
        await self.serve(host + path, api_url=host if api else "https://api.plivo.com")

    async def serve(self, url: str, api_url: str = "https://api.plivo.com") -> None:
        """Serve a recording that is said to be at this URL."""
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        await self.store.open()
        until = SystemClock().now() + 3600
        row = RecordingRow(NAME, "DEFAULT", url, "r1", ready=True, expires_at=until)
        await self.store.commit(Commit(recordings=[row]))
        transport = await self._stack.enter_async_context(AiohttpTransport.open())
        app = web.Application()
        self.runtime = self._runtime(api_url, transport)
        app.router.add_get("/media/{name}", MediaServer(self.runtime, session).serve)
        self.base = await self._stack.enter_async_context(listening(app)) + "/media/"

    def _runtime(self, api_url: str, transport: AiohttpTransport) -> Runtime:
        values = {"media": {"directory": self._folder}} if self._folder else {}
        apps = {"DEFAULT": {"url": "https://app.example.com/rt"}}
        settings = settings_for("memory:", api_url, {"apps": apps, **values})
        return make_runtime(settings, self.store, SECRET, SystemClock(), transport, None)

    async def fetch(self, name: str = f"{NAME}.mp3") -> tuple[int, bytes, str]:
        """Fetch a file as Plivo does; gives status, content and type."""
        async with aiohttp.ClientSession() as session, session.get(self.base + name) as answer:
            return answer.status, await answer.read(), answer.content_type


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    """Give hosts that are stopped at the end."""
    async with AsyncExitStack() as stack:
        yield Hosts(stack, None)


async def sound(_: web.Request) -> web.Response:
    """Answer with the file."""
    return web.Response(body=SOUND, content_type="audio/mpeg")


async def silent(_: web.Request) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


# --- recordings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("api", [True, False])
async def test_recording_is_passed_on(hosts: Hosts, api: bool) -> None:
    """Plivo gets the whole file; its credentials go to its own API and to nobody else."""
    await hosts.start(sound, api=api)

    assert (200, SOUND, "audio/mpeg") == await hosts.fetch()
    (asked,) = hosts.asked
    login = LOGIN if api else None
    assert login == asked.headers.get("Authorization")
    assert "identity" == asked.headers["Accept-Encoding"]


async def test_recording_without_a_file_is_silence(hosts: Hosts) -> None:
    """What was never recorded is played as a moment of silence."""
    await hosts.serve("")
    status, content, kind = await hosts.fetch()

    assert (200, b"RIFF", "audio/wav") == (status, content[:4], kind)


async def test_recording_that_is_not_ready_yet(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Plivo does not have the file it is asked again."""
    monkeypatch.setattr(media, "RETRY_S", 0.01)

    async def soon(request: web.Request) -> web.Response:
        return await sound(request) if len(hosts.asked) > 2 else web.Response(status=404)

    await hosts.start(soon)

    assert (200, SOUND, "audio/mpeg") == await hosts.fetch()
    assert 3 == len(hosts.asked)


async def test_host_that_never_answers(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes the request and says nothing ends in a 404 when patience does."""
    monkeypatch.setattr(media, "PATIENCE_S", 0.3)
    monkeypatch.setattr(media, "READ_S", 0.1)
    monkeypatch.setattr(media, "RETRY_S", 0.01)
    await hosts.start(silent)
    with capture_logs() as logs:
        status, _, _ = await hosts.fetch()

    assert 404 == status
    assert len(hosts.asked) > 1
    assert ("recording.unavailable", "SocketTimeoutError") == (logs[0]["event"], logs[0]["why"])


async def test_patience_ends_during_an_attempt(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long one attempt may take, the whole takes no longer than patience."""
    monkeypatch.setattr(media, "PATIENCE_S", 0.1)
    await hosts.start(silent)
    status, _, _ = await hosts.fetch()

    assert (404, 1) == (status, len(hosts.asked))


async def test_host_that_falls_silent(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose second half never comes is broken off: half a file must not look whole."""
    monkeypatch.setattr(media, "READ_S", 0.1)

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(SOUND)
        return await silent(request)

    await hosts.start(half)
    with capture_logs() as logs, pytest.raises(aiohttp.ClientPayloadError):
        await hosts.fetch()

    assert ("recording.broken_off", "SocketTimeoutError") == (logs[0]["event"], logs[0]["why"])


async def test_passing_on_takes_no_longer_than_plivo_listens(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that sends a byte now and then does not keep a handler for ever."""
    monkeypatch.setattr(media, "LONGEST_S", 0.2)

    async def drop_by_drop(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    await hosts.start(drop_by_drop)
    with capture_logs() as logs, pytest.raises(aiohttp.ClientPayloadError):
        await hosts.fetch()

    assert ("recording.broken_off", "TimeoutError") == (logs[0]["event"], logs[0]["why"])


async def test_compressed_file_comes_whole(hosts: Hosts) -> None:
    """A host that compresses all the same announces a length that is not the file's."""

    async def compressed(_: web.Request) -> web.Response:
        body = gzip.compress(SOUND)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    await hosts.start(compressed)
    status, content, _ = await hosts.fetch()

    assert (200, SOUND) == (status, content)


def url_of(server: asyncio.Server) -> str:
    """Give the address of a file there."""
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/r.mp3"


async def test_file_that_is_cut_off(hosts: Hosts) -> None:
    """A file shorter than announced is broken off for Plivo too."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await hosts.serve(url_of(server))
        with pytest.raises(aiohttp.ClientPayloadError):
            await hosts.fetch()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["before", "during the answer"]
)
async def test_nothing_is_fetched_for_a_client_that_is_gone(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """When Plivo hangs up, so does the bridge, though the host might answer some day."""
    monkeypatch.setattr(media, "LOOK_S", 0.01)
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        asked.set()
        await reader.read()
        closed.set()
        writer.close()

    asked = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(5):
        await hosts.serve(url_of(server))
        address = hosts.base.removeprefix("http://").partition("/")[0].split(":")
        _, client = await asyncio.open_connection(address[0], int(address[1]))
        client.write(f"GET /media/{NAME}.mp3 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asked.wait()
        client.close()
        await closed.wait()
    assert closed.is_set()


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "nothing.wav",
        "0" * 31 + ".mp3",
        "0" * 30 + ".MP3",
        "..%2Fetc%2Fpasswd",
        "m" + "0" * 30 + ".",
    ],
)
async def test_name_that_can_be_none_of_ours(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Names that the bridge never gives are refused without a look at store or folder."""
    await hosts.serve("")

    async def asked(*_: object) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(hosts.store, "media", asked)

    assert 404 == (await hosts.fetch(name))[0]


async def test_name_that_is_unknown(hosts: Hosts) -> None:
    """A well-formed name that stands for nothing is 404."""
    await hosts.serve("")

    assert 404 == (await hosts.fetch("0" * 30 + ".wav"))[0]


async def test_hosted_file(hosts: Hosts) -> None:
    """A file made for a call is served with its type."""
    await hosts.serve("")
    name = "b" * 30 + ".xml"
    row = MediaRow(name, "application/xml", b"<Response/>", SystemClock().now() + 60)
    await hosts.store.commit(Commit(media=[row]))

    assert (200, b"<Response/>", "application/xml") == await hosts.fetch(name)


# --- library --------------------------------------------------------------------------------------


def library_of(folder: Path | None) -> Library:
    """Make the library of a bridge that has just started."""
    values = {"apps": {"DEFAULT": {"url": "https://app.example.com/rt"}}}
    settings = settings_for("memory:", "https://api.plivo.com", values)
    media_settings = MediaSettings.model_construct(directory=folder)
    return Library(settings.model_copy(update={"media": media_settings}), SECRET)


async def test_library_file_is_served(tmp_path: Path) -> None:
    """A file of the folder has an unguessable name, which a restarted bridge knows too."""
    (tmp_path / "7.mp3").write_bytes(b"ID3")
    (tmp_path / "notes.txt").write_text("not a sound")
    url = library_of(tmp_path).url_of("7") or ""
    name = url.rpartition("/")[2]
    async with AsyncExitStack() as stack:
        hosts = Hosts(stack, tmp_path)
        await hosts.serve("")

        assert (200, b"ID3", "audio/mpeg") == await hosts.fetch(name)


async def test_folder_is_listed_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many unknown names are asked for, the folder is listed once in some seconds."""
    library = library_of(tmp_path)
    (tmp_path / "7.mp3").write_bytes(b"ID3")
    name = (library_of(tmp_path).url_of("7") or "").rpartition("/")[2]
    listed: list[int] = []
    scan = library._scan

    def counted() -> dict[str, Path]:
        listed.append(1)
        return scan()

    monkeypatch.setattr(library, "_scan", counted)
    assert [None] * 100 == [await library.file(f"{number:030x}.mp3") for number in range(100)]
    assert [] == listed
    monkeypatch.setattr(media, "RESCAN_S", 0.0)

    assert tmp_path / "7.mp3" == await library.file(name)
    assert tmp_path / "7.mp3" == await library.file(name)
    assert [1] == listed


async def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    """A folder that vanished is logged, and what was not found stays unknown."""
    with capture_logs() as logs:
        library = library_of(tmp_path / "gone")

    assert None is await library.file("0" * 30 + ".mp3")
    assert ["media.directory"] == [line["event"] for line in logs]


def test_library_without_a_folder() -> None:
    """Without a folder a media id is unknown, unless the settings name a URL."""
    assert None is library_of(None).url_of("7")
