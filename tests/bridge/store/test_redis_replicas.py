"""Several processes on one Redis store."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support_proxy import proxy
from support_store import call, file, line, record, recording, task
from support_valkey import needs_valkey, shared_server, url_for

from bridge.store import open_store
from bridge.store.protocol import Commit, Conflict, Store, Versioned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = needs_valkey

_WORKER = Path(__file__).with_name("pause_worker.py")
_ROOT = _WORKER.parents[3]


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[list[Store]]:
    """Open three stores with the same URL."""
    stores = [open_store(url_for(shared_server(), tmp_path)) for _ in range(3)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


async def test_what_one_commits_all_can_read(replicas: list[Store]) -> None:
    """Calls, documents, files, recordings and records of one replica are there for the others."""
    first, *others = replicas
    await first.commit(
        Commit(
            call(1),
            history=[line(1, 1, step=1, document=b"<Response/>")],
            media=[file("m", 9e9)],
            recordings=[recording("r", 9e9)],
            records=[record("cdr")],
        )
    )
    for store in others:
        assert Versioned(1, b"{}") == await store.load_call(1)
        assert b"<Response/>" == await store.document(1, 1)
        assert file("m", 9e9) == await store.media("m", 0.0)
        assert recording("r", 9e9) == await store.recording("APP", "r", 0.0)
        assert 1 == len(await store.list_records("cdr"))


async def test_secret_is_shared(replicas: list[Store]) -> None:
    """All replicas have the secret of the first one."""
    secrets = {await store.secret() for store in replicas}

    assert 1 == len(secrets)
    assert 32 == len(secrets.pop())


async def test_callids_are_given_once(replicas: list[Store]) -> None:
    """However many replicas ask at once, callids are 1, 2, 3 and so on, each given once."""
    given = await asyncio.gather(*(replicas[n % 3].allocate_callid() for n in range(300)))

    assert list(range(1, 301)) == sorted(given)


async def test_same_step_at_several_replicas_is_taken_once(replicas: list[Store]) -> None:
    """Of the replicas that take a step of a call at once one wins; the others change nothing."""
    await replicas[0].commit(Commit(call(1)))
    for base in range(1, 30):
        blobs = [b"%d at %d" % (base, n) for n in range(3)]
        answers = await asyncio.gather(
            *(
                store.commit(Commit(call(1, base, blob=blob), outbox=[task(f"{base}-{n}")]))
                for n, (store, blob) in enumerate(zip(replicas, blobs, strict=True))
            ),
            return_exceptions=True,
        )
        (winner,) = [n for n, answer in enumerate(answers) if answer is None]
        assert 2 == sum(isinstance(answer, Conflict) for answer in answers)
        assert Versioned(base + 1, blobs[winner]) == await replicas[winner - 1].load_call(1)
        assert base == await replicas[0].outbox_size()


async def test_same_call_is_created_once(replicas: list[Store]) -> None:
    """Of the replicas that get the first request of a call at once one creates it."""
    callids = [await store.allocate_callid() for store in replicas]
    writes = [call(callid, uuid="same") for callid in callids]
    answers = await asyncio.gather(
        *(store.commit(Commit(write)) for store, write in zip(replicas, writes, strict=True)),
        return_exceptions=True,
    )
    (winner,) = [n for n, answer in enumerate(answers) if answer is None]

    assert callids[winner] == await replicas[winner - 1].find_call("APP", "same")
    assert [callids[winner]] == await replicas[0].live_calls()


async def test_stopped_replica_cannot_overwrite(replicas: list[Store], tmp_path: Path) -> None:
    """A process that slept through a newer step is refused, whatever it had read before."""
    store = replicas[0]
    await store.commit(Commit(call(1)))
    url = url_for(shared_server(), tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    worker = await asyncio.create_subprocess_exec(
        sys.executable, str(_WORKER), url, stdin=PIPE, stdout=PIPE, env=environment
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert b"read\n" == await worker.stdout.readline()
    worker.send_signal(signal.SIGSTOP)
    worker.stdin.write(b"go on\n")
    await worker.stdin.drain()
    await store.commit(Commit(call(1, 1, blob=b"newer")))
    worker.send_signal(signal.SIGCONT)
    said = await worker.stdout.readline()
    assert 0 == await worker.wait()

    assert b"Call 1 was not written on version 1: the store has 2.\n" == said
    assert Versioned(2, b"newer") == await store.load_call(1)
    assert [] == await store.history(1)


# --- the outbox --------------------------------------------------------------------------------


async def test_each_due_row_is_claimed_by_one_replica(replicas: list[Store]) -> None:
    """Replicas that look at once share what is due: nothing twice, nothing left."""
    keys = {f"k{n}" for n in range(100)}
    await replicas[0].commit(Commit(outbox=[task(key, 1.0, lane=key[1]) for key in keys]))

    claimed: list[str] = []
    while found := await asyncio.gather(*(store.claim(1.0, 30.0, 7) for store in replicas)):
        claimed += [row.key for rows in found for row in rows]
        if not any(found):
            break
    assert keys == set(claimed)
    assert 100 == len(claimed)


async def test_row_of_a_replica_that_died_comes_back(replicas: list[Store]) -> None:
    """Nobody is given a claimed row until the claim is over, and then somebody is."""
    first, second, _ = replicas
    await first.commit(Commit(outbox=[task("a", 1.0, attempts=2)]))
    (row,) = await first.claim(1.0, 16.0, 9)

    assert task("a", 16.0, attempts=2) == row
    assert (16.0, []) == (await second.next_due(1.0), await second.claim(15.9, 40.0, 9))
    assert [task("a", 40.0, attempts=2)] == await second.claim(16.0, 40.0, 9)
    # The first one lived after all, and slept: what it does now has no effect.
    await first.commit(Commit(outbox_swap=[(row, None)]))
    with pytest.raises(Conflict):
        await first.commit(Commit(outbox_swap=[(row, task("a", body=b"frozen"))], exact=True))
    assert task("a", 40.0, attempts=2) == await second.outbox_row("a")


# --- the end of things -------------------------------------------------------------------------


async def test_old_calls_are_purged_and_counted_once(replicas: list[Store], tmp_path: Path) -> None:
    """Replicas that purge at once delete everything that is over, and each of it once."""
    for callid in range(1, 501):
        await replicas[0].commit(Commit(call(callid, ended=1.0), history=[line(callid, 1)]))
    await replicas[0].commit(Commit(call(501)))

    counts = await asyncio.gather(*(store.purge(2.0, 2.0) for store in replicas))
    assert 500 == sum(counts)
    assert [501] == await replicas[1].live_calls()
    prefix = url_for(shared_server(), tmp_path).rpartition("=")[2]
    assert b"*0\r\n" == shared_server().say("KEYS", f"{{{prefix}}}:h:*")


async def test_file_that_another_replica_prolonged_is_kept(replicas: list[Store]) -> None:
    """A replica that remembers less than the server does not shorten the life of a file."""
    first, second, _ = replicas
    await first.commit(Commit(media=[file("a", 50.0)]))
    await second.commit(Commit(media=[file("a", 90.0)]))
    await first.commit(Commit(media=[file("a", 60.0)]))

    assert file("a", 90.0) == await first.media("a", 0.0)


# --- round trips -------------------------------------------------------------------------------


async def test_concurrent_commits_share_a_round_trip(tmp_path: Path) -> None:
    """What is asked in one turn of the event loop leaves in one write, however much it is."""
    url = url_for(shared_server(), tmp_path)
    async with proxy(shared_server().port) as between:
        store = open_store(url.replace(str(shared_server().port), str(between.port)))
        await store.open()
        before = between.reads
        await asyncio.gather(*(store.commit(Commit(call(n))) for n in range(1, 201)))
        reads = between.reads - before
        assert list(range(1, 201)) == await store.live_calls()
        await store.close()

    # A write of some 30 KB may be read in a few pieces, but not in 200.
    assert 10 > reads


async def test_known_file_is_not_sent_again(tmp_path: Path) -> None:
    """The content of a hosted file crosses the network once, not with every call that plays it."""
    url = url_for(shared_server(), tmp_path)
    async with proxy(shared_server().port) as between:
        store = open_store(url.replace(str(shared_server().port), str(between.port)))
        await store.open()
        large = file("music", 1000.0, bytes(3_000_000))
        await store.commit(Commit(media=[large]))
        first = between.bytes
        await store.commit(Commit(call(1, at=10.0), media=[large]))
        again = between.bytes - first
        assert large == await store.media("music", 0.0)
        await store.close()

    assert 3_000_000 < first
    assert 2_000 > again
