"""What every way to the apps does alike, tried on each of them over real sockets."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import zlib

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr
from support_rt import (
    BODY,
    PLAY,
    READ,
    Kind,
    Transport,
    WireApp,
    bound,
    chunked,
    cut_off,
    failure_of,
    http,
    stall,
    url_of,
)

from bridge.rt.plain import PlainTransport
from bridge.rt_client import (
    AiohttpTransport,
    AppDisconnected,
    AppFailure,
    AppInterrupted,
    AppReplyInvalid,
    AppReplyTooLarge,
    AppStatus,
    AppTimeout,
    AppUnreachable,
    RtApp,
)
from bridge.settings_model import AppSettings
from mappings._rt.reader import ReplyError, RtResponse, read_response
from mappings._rt.request import FIELDS


async def test_the_request_on_the_wire_is_that_of_the_rt_page(transport: Transport) -> None:
    """The app gets a POST with the headers of the RT page, no others, and the body's very bytes."""
    async with WireApp(http(PLAY)).serving() as app:
        await transport.ask(app.rt, BODY, 5)
    request_line, *headers = app.heads[0].split("\r\n")
    assert "POST /rt?key=secret HTTP/1.1" == request_line
    assert [
        "",
        "",
        "Accept: */*",
        f"Content-Length: {len(BODY)}",
        "Content-Type: application/json",
        "Host: " + app.url.split("/")[2],
    ] == sorted(headers)
    assert BODY == app.bodies[0]
    assert FIELDS == tuple(json.loads(app.bodies[0]))


@pytest.mark.parametrize(
    ("login", "password"), [("zoé", "pâss:€ 😀"), ("bridge", ""), ("a" * 200, "b" * 200)]
)
async def test_basic_auth_is_sent_in_utf_8(transport: Transport, login: str, password: str) -> None:
    """Login and password of the settings become one HTTP Basic header, and stay out of repr."""
    async with WireApp(http(PLAY)).serving() as app:
        settings = AppSettings(url=app.url, login=login, password=SecretStr(password))
        rt_app = RtApp.from_settings("4346423A", settings)
        await transport.ask(rt_app, BODY, 5)
    value = app.heads[0].split("Authorization: Basic ")[1].split("\r\n")[0]
    assert f"{login}:{password}" == base64.b64decode(value).decode()
    assert "Basic" not in repr(rt_app)


def test_an_app_without_login_has_no_authorization() -> None:
    """Without a login in the settings no Authorization header is made."""
    settings = AppSettings(url="https://app.example/rt")
    assert RtApp("X", "https://app.example/rt") == RtApp.from_settings("X", settings)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(PLAY, "Content-Type: application/json"), id="application/json"),
        pytest.param(http(PLAY, "Content-Type: text/html; charset=iso-8859-1"), id="text/html"),
        pytest.param(http(PLAY, "Content-Type: complete nonsense"), id="nonsense content type"),
        pytest.param(http(PLAY), id="no content type"),
        pytest.param(http(b"\xef\xbb\xbf" + PLAY), id="byte order mark"),
        pytest.param(http(b"\r\n " + PLAY + b"\n\n"), id="white space around"),
        pytest.param(http(PLAY[:-1] + b',"more":1}'), id="unknown field"),
        pytest.param(chunked(PLAY), id="chunked"),
        pytest.param(chunked(*(PLAY[i : i + 1] for i in range(len(PLAY)))), id="one byte chunks"),
        pytest.param(http(PLAY, "Connection: close"), id="Connection: close"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + PLAY, id="body until the connection closes"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + PLAY, id="HTTP/1.0"),
        pytest.param(http(gzip.compress(PLAY), "Content-Encoding: gzip"), id="gzip"),
        pytest.param(http(gzip.compress(PLAY), "content-encoding: GZIP"), id="gzip in capitals"),
        pytest.param(
            http(gzip.compress(PLAY[:9]) + gzip.compress(PLAY[9:]), "Content-Encoding: gzip"),
            id="two gzip members",
        ),
        pytest.param(http(zlib.compress(PLAY), "Content-Encoding: deflate"), id="deflate"),
        pytest.param(
            http(zlib.compress(PLAY)[2:-4], "Content-Encoding: deflate"), id="deflate unwrapped"
        ),
        pytest.param(http(PLAY, "Content-Encoding: utf-8"), id="no known encoding"),
        pytest.param(
            http(PLAY, "Upgrade: h2,h2c", "Connection: Upgrade, Keep-Alive"), id="offer of HTTP/2"
        ),
        pytest.param(http(PLAY, status="200"), id="no reason"),
        pytest.param(http(PLAY).replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(http(PLAY, "X-Long: one\r\n two"), id="folded header"),
        pytest.param(chunked(PLAY).replace(b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"), id="trailers"),
        pytest.param(b"\r\n" + http(PLAY), id="an empty line first"),
        pytest.param(http(PLAY, "Set-Cookie: PHPSESSID=1; path=/"), id="cookie"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + http(PLAY), id="100 Continue first"),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + http(PLAY),
            id="103 Early Hints first",
        ),
    ],
)
async def test_every_dialect_of_http_gives_the_same_reply(
    transport: Transport, answer: bytes
) -> None:
    """However the app's server frames a reply, two in a row are read, without a cookie coming back."""
    async with WireApp(answer).serving() as app:
        replies = [read_response(await transport.ask(app.rt, BODY, 5)) for _ in range(2)]
    assert [READ, READ] == replies
    assert [BODY, BODY] == app.bodies
    assert "Cookie" not in "".join(app.heads)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(PLAY, "Content-Type: application/json"), id="sized"),
        pytest.param(chunked(PLAY[:20], PLAY[20:]), id="chunked"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" + http(gzip.compress(PLAY), "Content-Encoding: gzip"),
            id="interim and gzip",
        ),
    ],
)
async def test_a_reply_may_arrive_byte_by_byte(transport: Transport, answer: bytes) -> None:
    """Wherever the network cuts a reply, it is the same reply."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with WireApp(drip).serving() as app:
        assert PLAY == await transport.ask(app.rt, BODY, 5)
        await transport.close()


@pytest.mark.parametrize(
    ("url", "request_line", "host"),
    [
        ("http://127.0.0.1:{}", "POST / HTTP/1.1", "127.0.0.1:{}"),
        ("http://127.0.0.1:{}?b=2", "POST /?b=2 HTTP/1.1", "127.0.0.1:{}"),
        ("http://localhost:{}/é?q=ü%20a+b", "POST /%C3%A9?q=%C3%BC%20a+b HTTP/1.1", "localhost:{}"),
        ("http://LOCALHOST:{}/a%2Fb/%7e?%zz", "POST /a%2Fb/~?%25zz HTTP/1.1", "localhost:{}"),
        ("http://127.0.0.1:{}/a;b,c!$&'()*+=:@", "POST /a;b,c!$&'()*+=:@ HTTP/1.1", "127.0.0.1:{}"),
        ("http://127.0.0.1:{}/x y#part", "POST /x%20y HTTP/1.1", "127.0.0.1:{}"),
        ("http://127.0.0.1:{}/a\r\nX-Evil: 1", "POST /aX-Evil:%201 HTTP/1.1", "127.0.0.1:{}"),
    ],
)
async def test_the_url_becomes_the_request_line(
    transport: Transport, url: str, request_line: str, host: str
) -> None:
    """What a request line cannot hold is percent-encoded, the rest stays as it was written."""
    async with WireApp(http(PLAY)).serving() as app:
        port = app.url.split(":")[2].split("/")[0]
        assert PLAY == await transport.ask(RtApp("X", url.format(port)), BODY, 5)
    head = app.heads[0].split("\r\n")
    assert [request_line, f"Host: {host.format(port)}"] == head[:2]
    assert 5 == len([line for line in head if line]), "no header may come from the URL"


async def test_an_app_may_listen_on_ipv6(transport: Transport) -> None:
    """An address in brackets is connected to, and sent as Host with its brackets."""
    sock = socket.socket(socket.AF_INET6)
    try:
        sock.bind(("::1", 0))
    except OSError:
        sock.close()
        pytest.skip("this machine has no IPv6")
    port = sock.getsockname()[1]
    async with WireApp(http(PLAY)).serving(sock) as app:
        assert PLAY == await transport.ask(RtApp("X", f"http://[::1]:{port}/"), BODY, 5)
    assert f"\r\nHost: [::1]:{port}\r\n" in app.heads[0]


async def test_apps_on_one_host_share_connections(transport: Transport) -> None:
    """Path, query and login are no part of what a connection is kept for."""
    async with WireApp(http(PLAY)).serving() as app:
        for rt_app in (app.rt, RtApp("Y", app.url + "&z=1", "Basic YTpi")):
            assert PLAY == await transport.ask(rt_app, BODY, 5)
    assert 1 == app.connections
    assert [False, True] == ["Authorization" in head for head in app.heads]


async def test_a_server_that_closes_idle_connections_is_asked_on_another(
    transport: Transport,
) -> None:
    """A kept connection whose server has closed it meanwhile is noticed before it is used."""
    closed = asyncio.Event()

    async def keep_then_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(PLAY))
        writer.write_eof()
        await reader.read()
        closed.set()

    async with WireApp(keep_then_close, http(PLAY)).serving() as app:
        assert PLAY == await transport.ask(app.rt, BODY, 5)
        await closed.wait()
        assert PLAY == await transport.ask(app.rt, BODY, 5)
    assert (2, 2) == (app.connections, len(app.bodies))


async def test_those_who_wait_for_a_connection_get_it_in_turn(kind: Kind) -> None:
    """One connection serves all who wait for it, first come first served."""
    async with (
        WireApp(http(PLAY)).serving() as app,
        kind.open(connections_per_host=1) as transport,
    ):
        bodies = [b"%d" % number for number in range(20)]
        replies = await asyncio.gather(*(transport.ask(app.rt, body, 5) for body in bodies))
    assert [PLAY] * 20 == replies
    assert bodies == app.bodies
    assert 1 == app.connections


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"command":"wait"', RtResponse("wait", "0", {}, "{}")),
        (
            '"command":"wait","command_id":null,"params":null,"variables":null',
            RtResponse("wait", "0", {}, "{}"),
        ),
        ('"command":"wait","params":[],"variables":[]', RtResponse("wait", "0", {}, "{}")),
        (
            '"command":"wait","command_id":"ask_age","params":{"wait":"3"}',
            RtResponse("wait", '"ask_age"', {"wait": "3"}, "{}"),
        ),
        (
            '"command":"wait","command_id":9223372036854775808,"variables":{"é":[1e400,null]}',
            RtResponse("wait", "9223372036854775808", {}, '{"é":[1e400,null]}'),
        ),
    ],
)
async def test_every_dialect_of_the_reply_is_read_from_the_wire(
    transport: Transport, fields: str, expected: RtResponse
) -> None:
    """What legacy apps leave out or spell differently is read from a real response."""
    async with WireApp(http(f"{{{fields}}}".encode())).serving() as app:
        assert expected == read_response(await transport.ask(app.rt, BODY, 5))


async def test_connections_are_kept_alive(transport: Transport) -> None:
    """Requests one after the other share a connection unless the app closes it."""
    async with WireApp(http(PLAY)).serving() as kept:
        for _ in range(3):
            await transport.ask(kept.rt, BODY, 5)
    async with WireApp(http(PLAY, "Connection: close")).serving() as closed:
        for _ in range(3):
            await transport.ask(closed.rt, BODY, 5)
    assert (1, 3) == (kept.connections, closed.connections)


async def test_warnings_before_the_json_are_the_readers_complaint(
    transport: Transport,
) -> None:
    """A PHP warning before the JSON becomes APP_INVALID_REPLY with the text that precedes it."""
    page = b"<br />\n<b>Warning</b>: Undefined variable $x<br />\n" + PLAY
    async with WireApp(http(page)).serving() as app:
        reply = await transport.ask(app.rt, BODY, 5)
    with pytest.raises(ReplyError) as caught:
        read_response(reply)
    failure = AppReplyInvalid.of(caught.value)
    assert (
        "51 characters of text precede the JSON object; does the app print warnings into its reply?"
    ) == failure.sentence
    assert failure.excerpt.startswith("<br /> <b>Warning</b>: Undefined variable $x<br /> {")
    assert ("APP_INVALID_REPLY", True) == (failure.code, failure.delivered)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("500 Internal Server Error", b"<b>Fatal error</b>:\n  Uncaught"),
        ("500 Internal Server Error", PLAY),
        ("503 Service Unavailable", b""),
        ("404 Not Found", b"not here"),
        ("401 Unauthorized", b""),
        ("201 Created", PLAY),
        ("204 No Content", b""),
    ],
)
async def test_another_status_than_200_is_a_failure(
    transport: Transport, status: str, body: bytes
) -> None:
    """Whatever comes with it, a status other than 200 is APP_STATUS and asked once."""
    app = WireApp(http(body, status=status))
    failure = await failure_of(transport, app)
    assert isinstance(failure, AppStatus)
    assert ("APP_STATUS", True, int(status[:3])) == (
        failure.code,
        failure.delivered,
        failure.status,
    )
    masked = app.url.replace("secret", "***")
    assert f"The app at {masked} answered {status[:3]} instead of 200." == failure.sentence
    assert body.decode().replace("\n", " ") == failure.excerpt
    assert 1 == len(app.bodies)


async def test_redirects_are_not_followed(transport: Transport) -> None:
    """A redirect is a failure that names where it leads, without the query's values."""
    async with WireApp(http(PLAY)).serving() as other:
        location = f"Location: {other.url}"
        app = WireApp(http(b"moved", location, status="302 Found"))
        failure = await failure_of(transport, app)
        assert other.bodies == []
    assert isinstance(failure, AppStatus)
    assert 302 == failure.status
    target = other.url.replace("secret", "***")
    assert failure.sentence.endswith(
        f" answered 302 instead of 200; redirects, here to {target}, are not followed."
    )


async def test_a_slow_app_fails_when_the_budget_is_spent(transport: Transport) -> None:
    """An app that never answers is APP_TIMEOUT, delivered or not, and is asked once."""
    app = WireApp(stall)
    failure = await failure_of(transport, app, budget_s=0.1)
    assert isinstance(failure, AppTimeout)
    assert ("APP_TIMEOUT", None, "") == (failure.code, failure.delivered, failure.excerpt)
    assert failure.sentence.endswith(" did not answer within 0.1 s.")
    assert [BODY] == app.bodies


async def test_without_any_budget_the_app_times_out(transport: Transport) -> None:
    """A budget of nothing ends at once instead of never."""
    with bound() as sock:
        sock.listen()
        with pytest.raises(AppFailure) as caught:
            await transport.ask(RtApp("X", url_of(sock)), BODY, 0)
    assert isinstance(caught.value, AppTimeout | AppUnreachable)


async def test_a_slow_body_counts_towards_the_budget(transport: Transport) -> None:
    """Headers in time do not help when the body stops half way."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(PLAY)[:-10])
        await reader.read()

    failure = await failure_of(transport, WireApp(half), budget_s=0.1)
    assert isinstance(failure, AppTimeout)


async def test_a_cancelled_question_stays_cancelled(transport: Transport) -> None:
    """A time-out around the transport is the caller's own, not a failure of the app."""
    async with WireApp(stall).serving() as app:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await transport.ask(app.rt, BODY, 5)
        await app.all_gone.wait()


async def test_a_refused_connection_is_tried_again_within_the_budget(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that starts while the bridge waits gets the request, once."""
    sock = bound()
    app = WireApp(http(PLAY))
    pauses: list[float] = []
    async with asyncio.timeout(5):
        serving = app.serving(sock)
        real_sleep = asyncio.sleep

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                await serving.__aenter__()
            await real_sleep(0)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        reply = await transport.ask(RtApp("X", url_of(sock)), BODY, 5)
        monkeypatch.undo()
        await serving.__aexit__(None, None, None)
    assert PLAY == reply
    assert [0.1, 0.2, 0.4] == pauses
    assert [BODY] == app.bodies


async def test_an_app_that_stays_down_is_unreachable(transport: Transport) -> None:
    """When trying again would exceed the budget, APP_UNREACHABLE is raised before it is spent."""
    begun = asyncio.get_running_loop().time()
    with bound() as sock, pytest.raises(AppUnreachable) as caught:
        await transport.ask(RtApp("X", url_of(sock)), BODY, 0.25)
    assert asyncio.get_running_loop().time() - begun < 0.25
    assert ("APP_UNREACHABLE", False) == (caught.value.code, caught.value.delivered)
    assert caught.value.sentence.endswith(" cannot be reached: Connection refused.")


class ScriptedResolver(AbstractResolver):
    """A resolver that fails, or waits for ever."""

    def __init__(self, error: OSError | None) -> None:
        self.error = error
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give no address."""
        self.asked += 1
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error or OSError(host, port, family)

    async def close(self) -> None:
        """Have nothing to close."""


def resolving_with(kind: Kind, resolver: AbstractResolver) -> Transport:
    """Open a transport with a resolver of ours."""
    if kind is PlainTransport:
        return PlainTransport(resolver)
    return AiohttpTransport(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver))
    )


async def ask_unresolvable(
    kind: Kind, error: OSError | None, budget_s: float
) -> tuple[AppFailure, int]:
    """Ask an app whose host name has no address."""
    resolver = ScriptedResolver(error)
    async with resolving_with(kind, resolver) as transport:
        with pytest.raises(AppFailure) as caught:
            await transport.ask(RtApp("X", "http://app.example/"), BODY, budget_s)
    return caught.value, resolver.asked


async def test_an_unknown_host_is_tried_again(kind: Kind) -> None:
    """A name that does not resolve is tried again and then reported as such."""
    failure, asked = await ask_unresolvable(kind, OSError(-2, "Name or service not known"), 0.25)
    assert isinstance(failure, AppUnreachable)
    assert failure.sentence.endswith(" cannot be reached: its host name cannot be resolved.")
    assert 2 == asked


async def test_a_connection_that_hangs_is_unreachable(kind: Kind) -> None:
    """When not even a connection comes about in time, surely nothing was delivered."""
    # Long enough for the two time-outs to come apart on a busy machine.
    failure, asked = await ask_unresolvable(kind, None, 1.0)
    assert isinstance(failure, AppUnreachable)
    assert failure.sentence.endswith(" cannot be reached: no connection came about in time.")
    assert 1 == asked


async def test_connections_to_one_app_are_limited(kind: Kind) -> None:
    """With every connection busy a request waits for a free one, within its budget."""
    async with (
        kind.open(connections_per_host=1) as transport,
        WireApp(stall).serving() as app,
    ):
        first, second = await asyncio.gather(
            transport.ask(app.rt, BODY, 1.6),
            transport.ask(app.rt, BODY, 0.8),
            return_exceptions=True,
        )
        await app.all_gone.wait()
    assert isinstance(first, AppTimeout)
    assert isinstance(second, AppUnreachable)
    assert 1 == len(app.bodies)


@pytest.mark.parametrize("url", ["ftp://app.example/", "http://", "http:///rt"])
async def test_a_url_that_is_not_http_is_unreachable(transport: Transport, url: str) -> None:
    """A URL no request can be sent to is a failure, not a crash."""
    with pytest.raises(AppUnreachable, match="its URL is not one of HTTP"):
        await transport.ask(RtApp("X", url), BODY, 5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="before the reply"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="in the headers"),
        pytest.param(http(PLAY)[:-10], id="in the body"),
        pytest.param(chunked(PLAY)[:-10], id="in a chunk"),
        pytest.param(chunked(PLAY)[:-5], id="before the last chunk"),
    ],
)
async def test_a_connection_that_breaks_is_disconnected(
    transport: Transport, answer: bytes
) -> None:
    """A reset at any point of the reply is APP_DISCONNECTED, and the app is not asked twice."""
    app = WireApp(cut_off(answer))
    failure = await failure_of(transport, app)
    assert isinstance(failure, AppDisconnected)
    assert ("APP_DISCONNECTED", None) == (failure.code, failure.delivered)
    assert failure.sentence.endswith(" closed the connection before its reply was complete.")
    assert 1 == len(app.bodies)


async def test_a_kept_connection_that_dies_is_not_asked_again(transport: Transport) -> None:
    """A kept connection closed on the second request fails it: the app may have seen it."""
    app = WireApp(http(PLAY), cut_off(b""))
    async with app.serving():
        assert PLAY == await transport.ask(app.rt, BODY, 5)
        with pytest.raises(AppDisconnected):
            await transport.ask(app.rt, BODY, 5)
        await app.all_gone.wait()
    assert (2, 1) == (len(app.bodies), app.connections)


async def test_an_endless_reply_is_cut(transport: Transport) -> None:
    """Beyond the limit reading stops and the connection is closed, so that even 10 GB do no harm."""

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    failure = await failure_of(transport, WireApp(pour))
    assert isinstance(failure, AppReplyTooLarge)
    assert ("APP_TOO_LARGE", True, "x" * 200) == (
        failure.code,
        failure.delivered,
        failure.excerpt,
    )
    assert failure.sentence.endswith(" answered more than 1048576 bytes.")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(b" " * 10_000_000), id="10 MB"),
        pytest.param(chunked(*[b" " * 100_000] * 100), id="10 MB in chunks"),
        pytest.param(
            http(gzip.compress(b" " * 10_000_000), "Content-Encoding: gzip"), id="10 MB compressed"
        ),
    ],
)
async def test_a_large_reply_is_refused(transport: Transport, answer: bytes) -> None:
    """10 MB are too much however they travel."""
    assert isinstance(await failure_of(transport, WireApp(answer)), AppReplyTooLarge)


async def test_the_limit_itself_is_allowed(kind: Kind) -> None:
    """A reply of exactly the limit is read, one more byte is too large."""
    async with (
        WireApp(http(PLAY), http(PLAY + b" ")).serving() as app,
        kind.open(max_reply_bytes=len(PLAY)) as transport,
    ):
        assert PLAY == await transport.ask(app.rt, BODY, 5)
        with pytest.raises(AppReplyTooLarge):
            await transport.ask(app.rt, BODY, 5)


async def test_a_large_error_page_is_still_a_status(transport: Transport) -> None:
    """The status matters more than the size of the page that comes with it."""
    app = WireApp(http(b"x" * 10_000_000, status="500 Oops"))
    failure = await failure_of(transport, app)
    assert isinstance(failure, AppStatus)
    assert "x" * 200 == failure.excerpt


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", " answered something that is not HTTP."),
        (
            http(b"\x1f\x8b not gzip", "Content-Encoding: gzip"),
            " answered a body that cannot be decompressed.",
        ),
    ],
)
async def test_what_is_not_http_is_an_invalid_reply(
    transport: Transport, answer: bytes, sentence: str
) -> None:
    """Bytes that are no HTTP, or no gzip where gzip is said to be, are APP_INVALID_REPLY."""
    failure = await failure_of(transport, WireApp(answer))
    assert isinstance(failure, AppReplyInvalid)
    assert failure.sentence.endswith(sentence)


def test_every_failure_has_its_own_code() -> None:
    """The codes are stable and distinct."""
    kinds: list[type[AppFailure]] = [
        AppUnreachable,
        AppTimeout,
        AppDisconnected,
        AppStatus,
        AppReplyTooLarge,
        AppReplyInvalid,
        AppInterrupted,
    ]
    assert [
        ("APP_UNREACHABLE", False),
        ("APP_TIMEOUT", None),
        ("APP_DISCONNECTED", None),
        ("APP_STATUS", True),
        ("APP_TOO_LARGE", True),
        ("APP_INVALID_REPLY", True),
        ("APP_INTERRUPTED", None),
    ] == [(kind.code, kind.delivered) for kind in kinds]
