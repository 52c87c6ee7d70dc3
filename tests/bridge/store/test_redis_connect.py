"""Which servers a Redis store accepts, how it reaches them, and what it says of the others."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.asyncio.connection import Connection
from structlog.testing import capture_logs
from support_proxy import certificate, needs_openssl, proxy
from support_serve import SERVE, cli
from support_store import call, file, task
from support_valkey import (
    Valkey,
    free_port,
    needs_valkey,
    shared_cluster,
    shared_server,
    url_for,
    valkey,
)

from bridge.store import open_store, redis
from bridge.store._redis_dial import Dialler
from bridge.store._redis_server import COMMANDS
from bridge.store.protocol import Commit, Store, StoreUnavailable, Versioned
from bridge.store.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = needs_valkey


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store for a while."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def refusal(url: str) -> str:
    """Give the sentence with which a store does not open."""
    store = open_store(url)
    with pytest.raises(StoreUnavailable) as refused:
        await store.open()
    await store.close()
    return str(refused.value)


_HUNG_UP = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"


async def test_server_that_hangs_up_while_it_is_greeted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uvloop raises then is one more reason why the server cannot be used, and passes."""
    url = url_for(shared_server(), tmp_path)
    connect = Connection.connect
    faults = [RuntimeError(_HUNG_UP)]

    async def hang_up(self: Connection) -> None:
        if faults:
            raise faults.pop()
        await connect(self)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "connect", hang_up)

    assert "the handler is closed" in await refusal(url)
    assert await works(url)


async def test_connection_is_looked_for_whatever_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault nobody thought of is logged, and does not leave the bridge without its store."""
    faults: list[Exception] = []
    dial = Dialler.dial

    async def fail(self: Dialler) -> Connection:
        if faults:
            raise faults.pop()
        return await dial(self)

    monkeypatch.setattr(Dialler, "dial", fail)
    async with opened(url_for(shared_server(), tmp_path)) as store:
        await store.commit(Commit(call(1)))
        assert isinstance(store, RedisStore)
        faults += [KeyError("x"), AttributeError("y")]
        link = store._link
        assert link._wire is not None
        with capture_logs() as lines:
            link.lost(link._wire, "cut")
            await store.commit(Commit(call(1, 1)))

        assert Versioned(2, b"{}") == await store.load_call(1)
    assert [] == faults
    assert ["store.lost", "store.fault", "store.fault", "store.back"] == [
        line["event"] for line in lines
    ]


async def works(url: str) -> bool:
    """Write something and read it."""
    async with opened(url) as store:
        await store.commit(Commit(call(1, blob=b"there")))
        return await store.load_call(1) == Versioned(1, b"there")


# --- login, database, prefix ------------------------------------------------------------------


async def test_password_and_user_are_told_to_the_server() -> None:
    """The password of the server, or of a user of its own, opens it; another does not."""
    with valkey(
        "--requirepass", "s3cret", "--user", "me", "on", ">hunter2", "~*", "+@all"
    ) as server:
        at = f"127.0.0.1:{server.port}"

        assert await works(f"redis://:s3cret@{at}/0?prefix=a")
        assert await works(f"redis://me:hunter2@{at}/0?prefix=b")
        sentence = await refusal(f"redis://me:wrong@{at}/0")
        assert "check user and password in BRIDGE_STORE" in sentence
        assert "wrong" not in sentence
        assert "Authentication required" in await refusal(f"redis://{at}/0")


async def test_password_may_be_in_a_file(tmp_path: Path) -> None:
    """A file is read for each connection, so a password that changed is found without a restart."""
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    with valkey("--requirepass", "first") as server:
        async with opened(f"redis://127.0.0.1:{server.port}/0?password_file={secret}") as store:
            secret.write_text("second")
            server.kill()
            server.options = ("--requirepass", "second")
            server.start()
            await store.ping()
            await store.commit(Commit(call(1)))
            assert [1] == await store.live_calls()
        secret.unlink()
        gone = f"redis://127.0.0.1:{server.port}/0?password_file={secret}"
        assert "No such file" in await refusal(gone)


async def test_databases_and_prefixes_are_apart() -> None:
    """Deployments with another database or prefix share nothing, not even callids."""
    with valkey() as server:
        at = f"redis://127.0.0.1:{server.port}"
        for place in ("/0?prefix=a", "/0?prefix=b", "/3?prefix=a"):
            async with opened(at + place) as store:
                assert 1 == await store.allocate_callid()
                assert await works(at + place)
        assert "out of range" in await refusal(f"{at}/99999")


async def test_keys_of_a_deployment_have_one_hash_tag(tmp_path: Path) -> None:
    """Every key that a store writes is in the slot of its prefix."""
    url = url_for(shared_server(), tmp_path)
    tag = url.rpartition("=")[2]
    async with opened(url) as store:
        await store.allocate_callid()
        await store.commit(Commit(call(1), outbox=[task("k", lane="L")], media=[file("m", 9.0)]))
        await store.ping()
    keys = shared_server().say("KEYS", f"*{tag}*").split(b"\r\n")[2::2]

    assert 10 < len(keys)
    assert [] == [key for key in keys if not key.startswith(b"{%s}:" % tag.encode())]


# --- TLS ---------------------------------------------------------------------------------------


@needs_openssl
async def test_rediss_speaks_tls(tmp_path: Path) -> None:
    """A `rediss://` server must prove who it is, by a file of certificates or by the system's."""
    context, chain = certificate(tmp_path)
    url = url_for(shared_server(), tmp_path)
    prefix = url.rpartition("?")[2]
    async with proxy(shared_server().port, context) as tls:
        at = f"rediss://127.0.0.1:{tls.port}/0?{prefix}"

        assert await works(f"{at}&ssl_ca_certs={chain}")
        assert 1 < tls.reads
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(at)
    async with opened(url) as plain:
        assert [1] == await plain.live_calls()


async def test_rediss_to_a_server_without_tls_is_refused() -> None:
    """A server that speaks no TLS is named, and nothing hangs."""
    sentence = await refusal(f"rediss://127.0.0.1:{shared_server().port}/0")

    assert f"The Redis store 127.0.0.1:{shared_server().port} cannot be used" in sentence


# --- sentinels and clusters --------------------------------------------------------------------


def _sentinel(primary: Valkey) -> Valkey:
    """Run a sentinel that watches a server as `voice`."""
    sentinel = Valkey()
    config = sentinel.folder / "sentinel.conf"
    config.write_text(
        f"port {sentinel.port}\nbind 127.0.0.1\nsentinel monitor voice 127.0.0.1 {primary.port} 1\n"
    )
    return sentinel.start_as(str(config), "--sentinel")


async def test_sentinel_tells_where_the_primary_is() -> None:
    """The server is found by the name of its service, through any sentinel that answers."""
    with valkey() as primary:
        sentinel = _sentinel(primary)
        try:
            nobody = free_port()
            places = f"127.0.0.1:{nobody},127.0.0.1:{sentinel.port}"
            assert await works(f"redis+sentinel://{places}/voice/0?prefix=a")
            assert await works(f"redis://127.0.0.1:{primary.port}/0?prefix=b")
            unknown = await refusal(f"redis+sentinel://127.0.0.1:{sentinel.port}/music/0")
            assert "music of the sentinels" in unknown
            assert "No master found for 'music'" in unknown
        finally:
            sentinel.close()


async def test_change_of_the_primary_is_followed() -> None:
    """When sentinels make another server the primary, commits go on there."""
    with valkey() as old, valkey("--replicaof", f"127.0.0.1 {old.port}") as new:
        new.until(lambda: b"master_link_status:up" in new.say("INFO", "replication"))
        sentinel = _sentinel(old)
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/voice/0"
        try:
            async with opened(url) as store:
                await store.commit(Commit(call(1)))
                assert b":1" in old.say("WAIT", "1", "5000")
                sentinel.say("SENTINEL", "REMOVE", "voice")
                new.say("REPLICAOF", "NO", "ONE")
                old.say("REPLICAOF", "127.0.0.1", str(new.port))
                sentinel.say("SENTINEL", "MONITOR", "voice", "127.0.0.1", str(new.port), "1")
                # The old one answers READONLY from now on, which sends the store looking.
                await store.commit(Commit(call(1, 1, blob=b"two")))
                assert Versioned(2, b"two") == await store.load_call(1)
            assert b":1" in new.say("EXISTS", "{rtbridge}:live")
        finally:
            sentinel.close()


async def test_node_of_a_cluster_says_where_the_keys_are(tmp_path: Path) -> None:
    """A node that does not hold our slot sends us to the one that does."""
    owner = shared_cluster()
    with valkey("--cluster-enabled", "yes") as other:
        other.say("CLUSTER", "MEET", "127.0.0.1", str(owner.port))
        other.until(lambda: b"cluster_state:ok" in other.say("CLUSTER", "INFO"))
        url = url_for(other, tmp_path)
        assert await works(url)
    async with opened(url_for(owner, tmp_path)) as store:
        assert [1] == await store.live_calls()


# --- servers that will not do -----------------------------------------------------------------


async def test_missing_commands_are_named() -> None:
    """A server without a command the store needs is refused, and the command named."""
    with valkey("--rename-command", "EVALSHA", "") as server:
        sentence = await refusal(server.url)

    assert "EVALSHA" in sentence
    assert sentence.startswith(f"The Redis store 127.0.0.1:{server.port} ")


async def test_renamed_command_that_no_script_needs_is_named() -> None:
    """A command that is missed only once calls come is named at start as well."""
    with valkey("--rename-command", "ZCOUNT", "") as server:
        assert "does not know ZCOUNT: it is too old" in await refusal(server.url)


def test_every_command_in_use_is_asked_for() -> None:
    """What a script or the store itself sends to a server is looked for at start."""
    folder = Path(redis.__file__).parent
    scripts = "".join(path.read_text() for path in (folder / "redis_scripts").glob("*.lua"))
    used = set(re.findall(r"call\('([A-Z]+)'", scripts))
    used |= set(re.findall(r'ask\(\s*"([A-Z]+)"', (folder / "redis.py").read_text()))

    assert {"EVALSHA", "HGET", "ZADD"} <= used
    assert set() == used - set(COMMANDS)


async def test_server_that_deletes_keys_is_refused() -> None:
    """A server that may evict any key would lose calls."""
    with valkey("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        assert "set maxmemory-policy noeviction" in await refusal(server.url)
    with valkey("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru") as server:
        assert await works(server.url)
    # Without a limit of its memory it never comes to that.
    with valkey("--maxmemory-policy", "allkeys-lru") as server:
        assert await works(server.url)


async def test_full_server_says_so() -> None:
    """A commit that does not fit the server's memory is refused, and nothing of it is stored."""
    with valkey() as server:
        async with opened(server.url) as store:
            await store.commit(Commit(call(1)))
            server.say("CONFIG", "SET", "maxmemory", "1")
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match=r"OOM .*; raise its maxmemory") as full:
                    await store.commit(Commit(call(1, 1)))
                # Callers are asked to hold, as in any outage.
                assert full.value.down_s > 0.0
            assert Versioned(1, b"{}") == await store.load_call(1)
            server.say("CONFIG", "SET", "maxmemory", "0")
            await store.commit(Commit(call(1, 1)))


async def test_replica_is_refused_with_what_to_do() -> None:
    """A server that only copies another one cannot keep calls: it is refused at start."""
    with valkey() as primary, valkey("--replicaof", f"127.0.0.1 {primary.port}") as replica:
        sentence = await refusal(replica.url)

    assert "READONLY" in sentence
    assert sentence.endswith("name its primary in BRIDGE_STORE.")


async def test_what_is_no_sentinel_is_named() -> None:
    """Sentinels that are none, or not there, are told in one sentence without anything of the code."""
    server = await refusal(f"redis+sentinel://127.0.0.1:{shared_server().port}/voice")
    nobody = await refusal(f"redis+sentinel://127.0.0.1:{free_port()}/voice")

    assert server.endswith("it is a server and no sentinel: name it with redis://.")
    assert nobody.endswith(
        "No master found for 'voice'; name sentinels that run, and the service as they know it."
    )


async def test_user_who_may_too_little_is_told() -> None:
    """A user without a right the store needs is refused with the server's words."""
    with valkey("--user", "me", "on", ">pw", "~*", "+@all", "-@scripting") as server:
        sentence = await refusal(f"redis://me:pw@127.0.0.1:{server.port}/0")

    assert "NOPERM" in sentence


async def test_user_who_may_not_ask_about_the_server_may_use_it() -> None:
    """Rights to look at the server are not needed to keep calls in it."""
    with valkey(
        "--user", "me", "on", ">pw", "~{rtbridge}*", "+@all", "-command", "-info", "-client"
    ) as server:
        assert await works(f"redis://me:pw@127.0.0.1:{server.port}/0")


async def test_nobody_there_is_a_sentence() -> None:
    """Without a server the store says where it looked."""
    port = free_port()

    sentence = await refusal(f"redis://127.0.0.1:{port}/0")
    assert (
        f"The Redis store 127.0.0.1:{port} cannot be used: connection refused; "
        "start the server, or correct host and port in BRIDGE_STORE."
    ) == sentence


async def test_another_kind_of_server_is_a_sentence() -> None:
    """What is no Redis is refused, whatever it answers."""

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        assert f"127.0.0.1:{port} cannot be used" in await refusal(f"redis://127.0.0.1:{port}/0")
    finally:
        server.close()


async def test_missing_client_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the store says how to install it."""
    for module in ("redis", "redis.exceptions", "hiredis"):
        monkeypatch.setitem(sys.modules, module, None)

    assert "install plivo-rt-bridge[redis]" in await refusal("redis://127.0.0.1:1/0")


# --- the command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (f"redis://:hunter2@127.0.0.1:{free_port()}/0", "BRIDGE_STORE: The Redis store 127.0.0.1:"),
        ("redis://:hunter2@127.0.0.1:6379/zero", "must be redis://host:6379/0"),
        ("redis:/nowhere", "must be redis://host:6379/0"),
    ],
    # The free port is another one in each process that collects the tests.
    ids=["nobody there", "no database number", "no address"],
)
def test_serve_refuses_a_store_that_cannot_be_reached(store: str, expected: str) -> None:
    """A URL that is wrong or leads nowhere ends `serve` with status 2, a sentence and no secret."""
    ended = cli("serve", env={**SERVE, "BRIDGE_STORE": store})

    assert 2 == ended.returncode
    assert expected in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr
    assert b"hunter2" not in ended.stderr + ended.stdout
