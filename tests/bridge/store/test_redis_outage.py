"""What becomes of questions to a Redis store whose server stops, dies, or cannot be reached."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from support_proxy import proxy
from support_store import call, file, line, record, room, task
from support_valkey import Valkey, needs_valkey, valkey

from bridge.store import _redis_link, open_store, patience
from bridge.store.protocol import Commit, Conflict, Store, StoreUnavailable, Versioned
from bridge.store.redis import GLANCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = needs_valkey

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def server() -> Iterator[Valkey]:
    """Run a server that keeps everything it acknowledged."""
    with valkey(*ALWAYS) as made:
        yield made


@pytest.fixture
async def store(server: Valkey) -> AsyncIterator[Store]:
    """Open a store on it."""
    made = open_store(server.url)
    await made.open()
    yield made
    await made.close()


@asynccontextmanager
async def waiting(seconds: float) -> AsyncIterator[None]:
    """Be as patient as a webhook with so much time left."""
    token = patience.deadline.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        patience.deadline.reset(token)


# --- short outages -----------------------------------------------------------------------------


async def test_stopped_server_is_waited_for(store: Store, server: Valkey) -> None:
    """What is asked while the server sleeps is answered when it wakes up, in order."""
    await store.commit(Commit(call(1)))
    server.signal(signal.SIGSTOP)
    asked = asyncio.gather(*(store.commit(Commit(call(1, base))) for base in (1, 2, 3)))
    await asyncio.sleep(0)
    assert not asked.done()
    server.signal(signal.SIGCONT)
    await asked

    assert Versioned(4, b"{}") == await store.load_call(1)


async def test_server_that_sleeps_long_is_left_and_found_again(
    store: Store, server: Valkey
) -> None:
    """A connection on which nothing comes back is given up; commits sent on it are done once."""
    for callid in (1, 2, 3):
        await store.commit(Commit(call(callid)))
    server.signal(signal.SIGSTOP)
    with capture_logs() as logs:
        async with waiting(30.0):
            asked = asyncio.gather(*(store.commit(Commit(call(n, 1))) for n in (1, 2, 3)))
            await _until(lambda: "store.lost" in [entry["event"] for entry in logs])
            server.signal(signal.SIGCONT)
            await asked

        assert [Versioned(2, b"{}")] * 3 == [await store.load_call(n) for n in (1, 2, 3)]
    assert ["store.lost", "store.back"] == [entry["event"] for entry in logs]
    assert "it did not answer for 2 s" == logs[0]["why"]


async def test_time_in_which_nothing_runs_here_is_not_held_against_the_server(
    store: Store,
) -> None:
    """A process that stood still for longer than a probe waits still hears the answer."""
    asked = asyncio.gather(store.count_live(), store.ping())
    await asyncio.sleep(0)
    time.sleep(GLANCE_S + 0.2)  # noqa: ASYNC251 - the very thing that is looked at

    assert [0, None] == list(await asked)


async def test_who_has_no_time_left_waits_for_a_moment(store: Store, server: Valkey) -> None:
    """A webhook that is late is still answered by a server that is well, only slow for once."""
    server.signal(signal.SIGSTOP)
    async with waiting(-1.0):
        asked = asyncio.gather(store.commit(Commit(call(1))))
        assert not (await asyncio.wait({asked}, timeout=0.25))[0]
        server.signal(signal.SIGCONT)
        await asked


async def test_pauses_between_attempts_grow(
    store: Store, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stays away is asked less and less often, up to a limit."""
    pauses: list[float] = []

    class Factor:
        def __rmul__(self, pause: float) -> float:
            pauses.append(pause)
            return 0.0

    monkeypatch.setattr(_redis_link, "uniform", lambda *_: Factor())
    server.kill()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    await _until(lambda: len(pauses) >= 7)
    await asyncio.to_thread(server.start)
    await store.commit(Commit(call(1)))

    assert [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == pauses[:7]


async def test_connecting_takes_its_time_while_somebody_waits(
    store: Store, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait are looked after meanwhile, and that does not end the attempt to connect."""
    monkeypatch.setattr(_redis_link, "WATCH_S", 0.0)
    server.kill()
    with capture_logs() as logs:
        async with waiting(5.0), asyncio.timeout(20):
            asked = asyncio.gather(store.commit(Commit(call(1))))
            await _until(lambda: "store.lost" in [entry["event"] for entry in logs])
            await asyncio.to_thread(server.start)
            await asked

    assert Versioned(1, b"{}") == await store.load_call(1)


async def test_killed_server_is_waited_for(store: Store, server: Valkey) -> None:
    """A commit made while the server is gone is stored once it is back, with all that was before."""
    await store.commit(Commit(call(1), outbox=[task("a")], room=room("r", 0)))
    server.kill()
    asked = asyncio.gather(store.commit(Commit(call(1, 1, blob=b"two"))), store.load_room("r"))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)

    assert (None, Versioned(1, b"[]")) == tuple(await asked)
    assert Versioned(2, b"two") == await store.load_call(1)
    assert task("a") == await store.outbox_row("a")


async def test_server_killed_again_and_again_loses_nothing(store: Store, server: Valkey) -> None:
    """With every write flushed, whatever a server acknowledged before a kill is there after it."""
    safe = dict.fromkeys(range(1, 9), 0)

    async def caller(callid: int) -> None:
        for base in range(60):
            async with waiting(30.0):
                change = Commit(call(callid, base), history=[line(callid, base + 1)])
                await store.commit(change)
            safe[callid] = base + 1

    callers = asyncio.gather(*map(caller, safe))
    for fewest in (30, 150, 300):
        await _until(lambda fewest=fewest: sum(safe.values()) >= fewest)  # type: ignore[misc]
        server.kill()
        before = dict(safe)
        await asyncio.to_thread(server.start)
        async with waiting(30.0):
            for callid, version in before.items():
                state = await store.load_call(callid)
                assert (0 if state is None else state.version) >= version
    await callers

    for callid in safe:
        assert 60 == len(await store.history(callid))


@pytest.mark.parametrize(
    "change",
    [
        Commit(call(1, 1, blob=b"two"), history=[line(1, 2)], outbox=[task("x")]),
        Commit(room=room("r", 1, b"two"), outbox=[task("x")]),
        Commit(records=[record("d", 1, blob=b"two")], outbox=[task("x")]),
        Commit(outbox_swap=[(task("a"), task("a", 5.0))], outbox=[task("x")], exact=True),
        Commit(call(2, uuid="new"), outbox=[task("x")]),
    ],
    ids=["call", "room", "record", "swap", "new call"],
)
async def test_commit_whose_answer_is_lost_is_done_once(change: Commit) -> None:
    """A commit that was applied, but not answered, is sent again and not mistaken for another's."""
    with valkey() as server:
        async with proxy(server.port) as between:
            store = open_store(f"redis://127.0.0.1:{between.port}/0")
            await store.open()
            await store.commit(
                Commit(call(1), room("r", 0), outbox=[task("a")], records=[record("d")])
            )
            between.swallow = True
            await store.commit(change)
            assert not between.swallow
            with pytest.raises(Conflict):
                # What somebody else based on the old version is still refused.
                await store.commit(
                    Commit(call(1, 0), room("r", 0), records=[record("d")], exact=True)
                )
            versions = [
                (await store.load_call(1) or Versioned(0, b"")).version,
                (await store.load_room("r") or Versioned(0, b"")).version,
            ]
            assert task("x") == await store.outbox_row("x")
            await store.close()

    expected = [1 + (change.call is not None and change.call.callid == 1), 1 + bool(change.room)]
    assert expected == versions


async def test_forgotten_scripts_are_taught_again(store: Store, server: Valkey) -> None:
    """A server whose scripts were flushed learns them again, and no commit is lost."""
    await store.commit(Commit(call(1)))
    server.say("SCRIPT", "FLUSH")
    await asyncio.gather(*(store.commit(Commit(call(1, base))) for base in (1, 2, 3)))

    assert Versioned(4, b"{}") == await store.load_call(1)


async def test_killed_server_that_flushes_each_second_loses_nothing() -> None:
    """What a server acknowledged is with the system by then: its kill alone loses none of it."""
    with valkey("--appendonly", "yes", "--appendfsync", "everysec") as server:
        store = open_store(server.url)
        await store.open()
        for callid in range(1, 301):
            await store.commit(Commit(call(callid), outbox=[task(f"{callid}")]))
        server.kill()
        await asyncio.to_thread(server.start)

        assert list(range(1, 301)) == await store.live_calls()
        assert 300 == await store.outbox_size()
        await store.close()


# --- long outages ------------------------------------------------------------------------------


async def test_outage_beyond_patience_is_an_error_that_says_why(
    store: Store, server: Valkey
) -> None:
    """Whoever cannot wait longer hears what is wrong and for how long; nothing was stored."""
    await store.commit(Commit(call(1)))
    server.kill()
    async with waiting(0.6):
        with pytest.raises(StoreUnavailable, match="connection refused") as refused:
            await store.commit(Commit(call(1, 1)))
    assert 0.0 < refused.value.down_s
    assert f"The Redis store 127.0.0.1:{server.port} cannot be used: " in str(refused.value)

    await asyncio.to_thread(server.start)
    assert Versioned(1, b"{}") == await store.load_call(1)


async def test_probes_do_not_wait_for_a_server(store: Store, server: Valkey) -> None:
    """A ping and the counts of metrics fail soon, however patient their caller is."""
    server.signal(signal.SIGSTOP)
    async with waiting(300.0), asyncio.timeout(60):
        for ask in (store.ping, store.count_live, store.outbox_size):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await ask()
    server.signal(signal.SIGCONT)


async def test_store_closes_although_its_server_is_gone(server: Valkey) -> None:
    """Closing does not wait for a server that may never come back, and nobody is left waiting."""
    store = open_store(server.url)
    await store.open()
    server.kill()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    async with waiting(300.0):
        asked = asyncio.gather(store.commit(Commit(call(1))), return_exceptions=True)
        await asyncio.sleep(0)
        await store.close()

    (error,) = await asked
    assert isinstance(error, StoreUnavailable)
    with pytest.raises(StoreUnavailable, match="is not open"):
        await store.ping()


async def test_store_closes_although_its_server_sleeps(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a server that does not read: its connection is cut off, and is gone."""
    monkeypatch.setattr(_redis_link, "CLOSE_S", 0.05)
    store = open_store(server.url)
    await store.open()
    server.signal(signal.SIGSTOP)
    # More than the system takes, whose rest waits in the transport.
    asked = asyncio.gather(store.commit(Commit(media=[file("m", 9e9, bytes(20_000_000))])))
    await asyncio.sleep(0.1)
    wire = store._link._wire  # type: ignore[attr-defined]
    asked.cancel()
    store._link._sent.clear()  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        await store.close()
        await wire.gone.wait()
    server.signal(signal.SIGCONT)


# --- servers that forget -----------------------------------------------------------------------


async def test_server_without_persistence_forgets_calls_but_no_callid() -> None:
    """After a restart without AOF calls are gone, callids go on, and the secret is the same."""
    with valkey() as server:
        store = open_store(server.url)
        await store.open()
        secret = await store.secret()
        callid = await store.allocate_callid()
        await store.commit(Commit(call(callid), media=[file("m", 9e9)]))
        server.kill()
        await asyncio.to_thread(server.start)

        assert None is await store.load_call(callid)
        with pytest.raises(Conflict, match="the store has 0"):
            await store.commit(Commit(call(callid, 1)))
        assert callid + 1 == await store.allocate_callid()
        other = open_store(server.url)
        await other.open()
        assert secret == await other.secret() == await store.secret()
        await store.commit(Commit(call(callid + 1), media=[file("m", 9e9)]))
        assert file("m", 9e9) == await other.media("m", 0.0)
        await other.close()
        await store.close()


async def test_server_that_is_loading_is_waited_for(store: Store, server: Valkey) -> None:
    """A server that reads its file after a restart is asked again until it has done so."""
    for callid in range(1, 40):
        await store.commit(Commit(media=[file(f"m{callid}", 9e9, bytes(1_000_000))]))
    server.kill()
    again = asyncio.to_thread(server.start, "--key-load-delay", "20000")
    started = asyncio.gather(again)
    async with waiting(30.0):
        await store.commit(Commit(call(1)))
    await started

    assert [1] == await store.live_calls()


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - another process gives no event
            await asyncio.sleep(0.01)
