"""What is the plain transport's own: its pool, its timer, its limits on what it reads."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import NoReturn

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from support_rt import BODY, PLAY, WireApp, bound, chunked, failure_of, http, stall, url_of

from bridge.rt import dialling
from bridge.rt import plain as plain_module
from bridge.rt.connection import Connection
from bridge.rt.plain import PlainTransport
from bridge.rt_client import (
    AppDisconnected,
    AppReplyInvalid,
    AppReplyTooLarge,
    AppStatus,
    AppTimeout,
    AppUnreachable,
    RtApp,
)
from bridge.tasks import spawn


@pytest.fixture
async def plain() -> AsyncIterator[PlainTransport]:
    """Open a transport for one test."""
    async with PlainTransport.open() as opened:
        yield opened


@pytest.fixture
async def single() -> AsyncIterator[PlainTransport]:
    """Open a transport with one connection per host."""
    async with PlainTransport.open(connections_per_host=1) as opened:
        yield opened


class Names(AbstractResolver):
    """A resolver that knows one host; `go` holds it up when it is cleared."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the addresses."""
        self.asked += 1
        self.begun.set()
        await self.go.wait()
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        """Have nothing to close."""


def named(app: WireApp) -> RtApp:
    """Give the app under a host name."""
    return RtApp("X", app.url.replace("127.0.0.1", "app.example"))


async def test_a_reply_before_the_end_of_the_request_counts(plain: PlainTransport) -> None:
    """A server may refuse a body it has not read; what is left of it is never sent."""
    body = b"x" * 20_000_000
    refused, ended, received = asyncio.Event(), asyncio.Event(), 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(b"", status="413 Too Much"))
        await refused.wait()
        with suppress(ConnectionError):
            while part := await reader.read(65536):
                received += len(part)
        writer.transport.abort()
        ended.set()

    sock = bound()
    server = await asyncio.start_server(refuse, sock=sock)
    with pytest.raises(AppStatus, match="answered 413"):
        await plain.ask(RtApp("X", url_of(sock)), body, 5)
    refused.set()
    await ended.wait()
    server.close()
    await server.wait_closed()
    assert received < len(body)


@pytest.mark.parametrize("garbage", [b"garbage", b"HT", http(b"second"), b"\0"])
async def test_what_follows_a_reply_is_never_part_of_another(
    plain: PlainTransport, garbage: bytes
) -> None:
    """A reply with something behind it is read, and its connection not used again."""
    async with WireApp(http(b"first") + garbage, http(PLAY)).serving() as app:
        assert b"first" == await plain.ask(app.rt, BODY, 5)
        assert PLAY == await plain.ask(app.rt, BODY, 5)
    assert 2 == app.connections


async def test_what_nobody_asked_for_ends_the_connection(plain: PlainTransport) -> None:
    """Bytes on an idle connection could be taken for the next reply, so it is given up."""
    answered, closed = asyncio.Event(), asyncio.Event()

    async def say_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(PLAY))
        await answered.wait()
        writer.write(http(b"not asked for"))
        await reader.read()
        closed.set()

    async with WireApp(say_more, http(PLAY)).serving() as app:
        assert PLAY == await plain.ask(app.rt, BODY, 5)
        answered.set()
        await closed.wait()
        assert PLAY == await plain.ask(app.rt, BODY, 5)
    assert 2 == app.connections


async def test_an_interim_reply_leaves_nothing_behind(plain: PlainTransport) -> None:
    """The headers of an interim reply say nothing of the final one."""
    interim = b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\nLocation: /\r\n\r\n"
    async with WireApp(interim + http(PLAY), http(PLAY)).serving() as app:
        assert [PLAY, PLAY] == [await plain.ask(app.rt, BODY, 5) for _ in range(2)]


async def test_one_reply_leaves_nothing_behind_for_the_next(plain: PlainTransport) -> None:
    """Encoding, redirect and body of a reply are forgotten before the next on the connection."""
    answers = [
        http(gzip.compress(b"packed"), "Content-Encoding: gzip"),
        http(b"moved", "Location: /other", status="302 Found"),
        chunked(b"in ", b"parts"),
        http(b"", status="500 Oops"),
        http(PLAY),
    ]
    told: list[bytes | str] = []
    async with WireApp(*answers).serving() as app:
        for _ in answers:
            try:
                told.append(await plain.ask(app.rt, BODY, 5))
            except AppStatus as failure:
                told.append(failure.sentence.partition("answered ")[2] + failure.excerpt)
    assert [
        b"packed",
        "302 instead of 200; redirects, here to /other, are not followed.moved",
        b"in parts",
        "500 instead of 200.",
        PLAY,
    ] == told
    assert 1 == app.connections


@pytest.mark.parametrize(
    "status", ["101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade", "101 Bare"]
)
async def test_another_protocol_is_not_spoken(plain: PlainTransport, status: str) -> None:
    """A server that switches protocols gave no reply to a question."""
    app = WireApp(f"HTTP/1.1 {status}\r\n\r\nContent-Length: 1".encode())
    failure = await failure_of(plain, app)
    assert isinstance(failure, AppStatus)
    assert 101 == failure.status


def pouring(head: bytes, part: bytes) -> WireApp:
    """Make an app whose reply never ends."""

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()

    return WireApp(pour)


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n" * 999, id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-More: ", b"y" * 9999, id="one header"),
        pytest.param(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 999, id="interim replies"),
        pytest.param(chunked(b"x").removesuffix(b"\r\n"), b"X-More: yes\r\n" * 999, id="trailers"),
    ],
)
async def test_a_reply_that_never_gets_to_its_body_is_not_http(
    plain: PlainTransport, head: bytes, part: bytes
) -> None:
    """Memory and budget are not spent on a server that sends anything but a body."""
    failure = await failure_of(plain, pouring(head, part), budget_s=20)
    assert isinstance(failure, AppReplyInvalid)
    assert failure.sentence.endswith(" answered something that is not HTTP.")


async def test_an_endless_compressed_reply_is_cut(plain: PlainTransport) -> None:
    """What cannot fit in the limit any more is not waited for, compressed or not."""
    stored = gzip.compress(bytes(range(256)) * 20_000, compresslevel=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + stored
    failure = await failure_of(plain, pouring(head, b"\0" * 65536))
    assert isinstance(failure, AppReplyTooLarge)
    assert "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ" in failure.excerpt


async def test_idle_connections_are_closed(
    plain: PlainTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection nobody uses is closed before the server might do it."""
    monkeypatch.setattr(plain_module, "IDLE_S", 0.02)
    async with asyncio.timeout(5), WireApp(http(PLAY)).serving() as app:
        await plain.ask(app.rt, BODY, 5)
        await app.all_gone.wait()
        assert PLAY == await plain.ask(app.rt, BODY, 5)
    assert 2 == app.connections


async def test_an_idle_connection_that_is_too_old_is_not_used(
    plain: PlainTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause of the whole process the timer may come too late."""
    async with WireApp(http(PLAY)).serving() as app:
        monkeypatch.setattr(plain_module, "IDLE_S", -1.0)
        for _ in range(2):
            assert PLAY == await plain.ask(app.rt, BODY, 5)
    assert 2 == app.connections


async def test_a_connection_that_is_closing_is_not_used(plain: PlainTransport) -> None:
    """The event loop may know of a broken connection before it has told so."""
    async with WireApp(http(PLAY)).serving() as app:
        await plain.ask(app.rt, BODY, 5)
        (pool,) = plain._pools.values()
        (connection,) = pool.idle
        connection.transport.close()
        assert PLAY == await plain.ask(app.rt, BODY, 5)
    assert 2 == app.connections


async def test_a_connection_that_comes_about_too_late_is_closed() -> None:
    """Closing the transport while a connection is being made leaves no connection behind."""
    names = Names("127.0.0.1")
    names.go.clear()
    async with WireApp(http(PLAY)).serving() as app:
        transport = PlainTransport(names)
        asking = spawn(transport.ask(named(app), BODY, 5), "question")
        await names.begun.wait()
        (pool,) = transport._pools.values()
        # As if closing had found the lookup done and the connection under way.
        pool._dialler.close = lambda: None  # type: ignore[method-assign]
        await transport.close()
        names.go.set()
        with pytest.raises(AppUnreachable, match="the bridge is stopping"):
            await asking
    assert [] == app.bodies


async def test_every_question_has_its_own_budget(plain: PlainTransport) -> None:
    """One timer serves all, and each question ends when its own time is over."""
    async with WireApp(stall).serving() as app:
        ended: list[float] = []

        async def ask(budget_s: float) -> None:
            with pytest.raises(AppTimeout, match=f" within {budget_s} s"):
                await plain.ask(app.rt, BODY, budget_s)
            ended.append(budget_s)

        await asyncio.gather(*(ask(budget_s) for budget_s in (0.45, 0.15, 0.6, 0.3)))
        await plain.close()
    assert [0.15, 0.3, 0.45, 0.6] == ended


async def test_a_closed_connection_makes_room(single: PlainTransport) -> None:
    """Whoever waits may open a connection as soon as the last one is closed."""
    async with WireApp(http(PLAY, "Connection: close")).serving() as app:
        replies = await asyncio.gather(*(single.ask(app.rt, BODY, 5) for _ in range(5)))
    assert ([PLAY] * 5, 5) == (replies, app.connections)


async def test_giving_up_waiting_leaves_the_place_to_the_next(single: PlainTransport) -> None:
    """A cancelled question neither takes a connection nor keeps it from others."""
    release = asyncio.Event()

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(http(PLAY, "Connection: close"))
        await reader.read()

    async with WireApp(held, http(PLAY)).serving() as app, asyncio.TaskGroup() as group:
        first = group.create_task(single.ask(app.rt, b"1", 5))
        await app.asked.wait()
        second = group.create_task(single.ask(app.rt, b"2", 5))
        third = group.create_task(single.ask(app.rt, b"3", 5))
        await asyncio.sleep(0)
        second.cancel()
        release.set()
        assert [PLAY, PLAY] == [await first, await third]
    assert [b"1", b"3"] == app.bodies


@pytest.mark.parametrize("answer", [http(PLAY), http(PLAY, "Connection: close")])
async def test_a_place_given_to_one_who_is_cancelled_is_passed_on(
    single: PlainTransport, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being given a connection and taking it a question may be cancelled."""
    hand_over = plain_module._Pool._hand_over

    def give_and_cancel(pool: plain_module._Pool, connection: Connection | None) -> bool:
        given = hand_over(pool, connection)
        if given and not second.cancelled():
            second.cancel()
        return given

    async with WireApp(answer).serving() as app, asyncio.TaskGroup() as group:
        first = group.create_task(single.ask(app.rt, b"1", 5))
        second = group.create_task(single.ask(app.rt, b"2", 5))
        third = group.create_task(single.ask(app.rt, b"3", 5))
        monkeypatch.setattr(plain_module._Pool, "_hand_over", give_and_cancel)
        assert [PLAY, PLAY] == [await first, await third]
    assert second.cancelled()
    assert [b"1", b"3"] == app.bodies


async def test_a_cancelled_connection_attempt_frees_its_place() -> None:
    """Connecting counts towards the limit only as long as somebody wants the connection."""
    names = Names("127.0.0.1")
    names.go.clear()
    async with (
        WireApp(http(PLAY)).serving() as app,
        PlainTransport(names, connections_per_host=1) as transport,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(transport.ask(named(app), b"1", 5))
        second = group.create_task(transport.ask(named(app), b"2", 5))
        await asyncio.sleep(0)
        first.cancel()
        names.go.set()
        assert PLAY == await second
    assert [b"2"] == app.bodies


async def test_closing_ends_what_is_under_way(single: PlainTransport) -> None:
    """A question that was sent is disconnected, one that waits or comes later is unreachable."""
    async with WireApp(stall).serving() as app:
        sent = spawn(single.ask(app.rt, b"1", 5), "question 1")
        await app.asked.wait()
        waits = spawn(single.ask(app.rt, b"2", 5), "question 2")
        await asyncio.sleep(0)
        await single.close()
        with pytest.raises(AppDisconnected):
            await sent
        for late in (waits, single.ask(app.rt, b"3", 5)):
            with pytest.raises(AppUnreachable, match="the bridge is stopping"):
                await late
    assert [b"1"] == app.bodies


async def test_closing_ends_a_lookup(plain: PlainTransport) -> None:
    """A resolver that never answers does not hold up the end."""
    names = Names()
    names.go.clear()
    async with PlainTransport(names) as transport:
        late = spawn(transport.ask(RtApp("X", "http://app.example/"), BODY, 5), "question")
        await names.begun.wait()
    with pytest.raises(AppUnreachable):
        await late


async def test_every_address_of_a_host_is_tried() -> None:
    """An address that refuses is passed over for one that does not."""
    names = Names("::1", "127.0.0.2", "127.0.0.1")
    async with WireApp(http(PLAY)).serving() as app, PlainTransport(names) as transport:
        assert PLAY == await transport.ask(named(app), BODY, 5)
    assert 1 == names.asked


async def test_a_host_without_addresses_is_unreachable() -> None:
    """An empty answer of the resolver is as good as an error."""
    async with PlainTransport(Names()) as transport:
        with pytest.raises(AppUnreachable, match="its host name cannot be resolved"):
            await transport.ask(RtApp("X", "http://app.example/"), BODY, 0.05)


async def test_addresses_are_remembered_and_looked_up_once() -> None:
    """Many connections at once, and those soon after, need one lookup."""
    names = Names("127.0.0.1")
    async with (
        WireApp(http(PLAY, "Connection: close")).serving() as app,
        PlainTransport(names) as transport,
    ):
        await asyncio.gather(*(transport.ask(named(app), BODY, 5) for _ in range(8)))
        assert PLAY == await transport.ask(named(app), BODY, 5)
    assert (9, 1) == (app.connections, names.asked)


async def test_addresses_are_looked_up_again_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was looked up long ago may lead elsewhere by now."""
    monkeypatch.setattr(dialling, "_REMEMBERED_S", 0.0)
    names = Names("127.0.0.1")
    async with (
        WireApp(http(PLAY, "Connection: close")).serving() as app,
        PlainTransport(names) as transport,
    ):
        for _ in range(2):
            await transport.ask(named(app), BODY, 5)
    assert 2 == names.asked


async def test_a_host_that_moved_is_found() -> None:
    """After a refused connection the name is looked up afresh, within the budget."""
    names = Names("127.0.0.1")
    async with PlainTransport(names) as transport:
        async with WireApp(http(PLAY, "Connection: close")).serving() as app:
            await transport.ask(named(app), BODY, 5)
        with pytest.raises(AppUnreachable, match="Connection refused"):
            await transport.ask(named(app), BODY, 0.25)
    assert 1 < names.asked


async def test_any_failure_to_connect_is_unreachable(
    plain: PlainTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uvloop reports some failures of a socket as RuntimeError."""

    async def fail(*_args: object, **_more: object) -> NoReturn:
        raise RuntimeError("no socket today")

    monkeypatch.setattr(dialling, "start_connection", fail)
    with pytest.raises(AppUnreachable, match="cannot be reached: no socket today"):
        await plain.ask(RtApp("X", "http://127.0.0.1:9/"), BODY, 0.05)


async def test_many_apps_are_not_remembered_for_ever(
    plain: PlainTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads of requests are kept for the configured apps, not for every URL there ever was."""
    monkeypatch.setattr(plain_module, "_MOST_TARGETS", 3)
    with bound() as sock:
        for number in range(4):
            with pytest.raises(AppUnreachable):
                await plain.ask(RtApp("X", f"{url_of(sock)}&n={number}"), BODY, 0.05)
    assert 1 == len(plain._targets)
