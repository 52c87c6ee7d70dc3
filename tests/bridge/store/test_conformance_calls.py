"""What every store does with calls, their history and rooms."""

from __future__ import annotations

import asyncio

import pytest
from support_store import Reopen, call, file, line, recording, room, task

from bridge.store.protocol import Commit, Conflict, RoomWrite, Store, StoreUnavailable, Versioned

_BYTES = bytes(range(256)) + "déjà vu ☎ \x00".encode()


# --- calls ------------------------------------------------------------------------------------


async def test_call_is_found_as_it_was_written(store: Store) -> None:
    """A new call has version 1, its blob byte for byte, and is found by app and CallUUID."""
    await store.commit(Commit(call(1, blob=_BYTES)))

    assert Versioned(1, _BYTES) == await store.load_call(1)
    assert 1 == await store.find_call("APP", "u1")


async def test_version_grows_by_one(store: Store) -> None:
    """Each commit replaces the blob and raises the version by one."""
    for base in range(5):
        await store.commit(Commit(call(7, base, blob=b"%d" % base)))

    assert Versioned(5, b"4") == await store.load_call(7)


@pytest.mark.parametrize("callid", [0, -1, 2, 2**63, 10**30])
async def test_unknown_call_is_none(store: Store, callid: int) -> None:
    """A callid nobody has, however absurd, has no state, no history and no documents."""
    await store.commit(Commit(call(1), history=[line(1, 1, step=1, document=b"<Response/>")]))

    assert None is await store.load_call(callid)
    assert [] == await store.history(callid)
    assert None is await store.document(callid, 1)


async def test_call_uuid_belongs_to_its_app(store: Store) -> None:
    """The same CallUUID in two apps names two calls, and none in a third."""
    await store.commit(Commit(call(1, uuid="same", app="A")))
    await store.commit(Commit(call(2, uuid="same", app="B")))

    assert [1, 2, None] == [await store.find_call(app, "same") for app in "ABC"]


@pytest.mark.parametrize("uuid", ["dé☎jà", "a'b\"; --", "nul\x00inside", " "])
async def test_call_uuid_may_hold_any_text(store: Store, uuid: str) -> None:
    """Quotes, control and non-ASCII characters of a CallUUID are kept and compared exactly."""
    await store.commit(Commit(call(1, uuid=uuid)))

    assert 1 == await store.find_call("APP", uuid)
    assert None is await store.find_call("APP", uuid + "x")


async def test_call_without_uuid_gets_one_later(store: Store) -> None:
    """Calls that Plivo has not named yet share the empty CallUUID and are found once named."""
    await store.commit(Commit(call(1, uuid="")))
    await store.commit(Commit(call(2, uuid="")))

    assert None is await store.find_call("APP", "")
    await store.commit(Commit(call(2, 1, uuid="named")))
    assert 2 == await store.find_call("APP", "named")


async def test_renamed_call_is_not_found_by_its_old_name(store: Store) -> None:
    """A changed CallUUID replaces the old one, which another call may then take."""
    await store.commit(Commit(call(1, uuid="old")))
    await store.commit(Commit(call(1, 1, uuid="new")))
    await store.commit(Commit(call(2, uuid="old")))

    assert [2, 1] == [await store.find_call("APP", uuid) for uuid in ("old", "new")]


@pytest.mark.parametrize(("callid", "base"), [(1, 0), (1, 1), (1, 3), (2, 1), (2, 9)])
async def test_wrong_version_is_a_conflict(store: Store, callid: int, base: int) -> None:
    """A commit based on any version but the stored one is refused and changes nothing."""
    await store.commit(Commit(call(1)))
    await store.commit(Commit(call(1, 1, blob=b"two")))

    with pytest.raises(Conflict, match=f"Call {callid} .* version {base}"):
        await store.commit(Commit(call(callid, base, uuid="other", blob=b"lost", ended=5.0)))

    assert Versioned(2, b"two") == await store.load_call(1)
    assert None is await store.load_call(2)
    assert [1, None] == [await store.find_call("APP", uuid) for uuid in ("u1", "other")]
    assert [1] == await store.live_calls()


@pytest.mark.parametrize("base", [0, 1])
async def test_taken_call_uuid_is_a_conflict(store: Store, base: int) -> None:
    """A CallUUID that names another call of the app is refused, for a new call and an old one."""
    await store.commit(Commit(call(1, uuid="taken")))
    if base:
        await store.commit(Commit(call(2, uuid="own")))

    with pytest.raises(Conflict, match="belongs to call 1"):
        await store.commit(Commit(call(2, base, uuid="taken", blob=b"lost")))

    assert 1 == await store.find_call("APP", "taken")
    assert (Versioned(1, b"{}") if base else None) == await store.load_call(2)


async def test_ended_call_is_still_there(store: Store) -> None:
    """A call that ended no longer counts as live but keeps its state, name and versions."""
    await store.commit(Commit(call(1)))
    await store.commit(Commit(call(1, 1, blob=b"end", ended=130.0)))
    await store.commit(Commit(call(1, 2, blob=b"late", ended=130.0)))

    assert ([], 0) == (await store.live_calls(), await store.count_live())
    assert Versioned(3, b"late") == await store.load_call(1)
    assert 1 == await store.find_call("APP", "u1")


async def test_ended_call_may_live_again(store: Store) -> None:
    """A commit without `ended_at` makes an ended call live."""
    await store.commit(Commit(call(1, ended=130.0)))
    await store.commit(Commit(call(1, 1)))

    assert [1] == await store.live_calls()
    assert 0 == await store.purge(1000.0, 1000.0)


async def test_many_ended_calls_are_all_kept(store: Store) -> None:
    """States of calls that ended long ago stay as readable as recent ones."""
    for callid in range(1, 1102):
        await store.commit(Commit(call(callid, ended=5.0, blob=b"%d" % callid)))

    assert [Versioned(1, b"%d" % n) for n in (1, 500, 1101)] == [
        await store.load_call(n) for n in (1, 500, 1101)
    ]
    assert [1, 500, 1101] == [await store.find_call("APP", f"u{n}") for n in (1, 500, 1101)]


async def test_live_calls_are_listed_and_counted(store: Store) -> None:
    """Live calls are listed in ascending order, whatever the order of their commits."""
    for callid in (30, 4, 17):
        await store.commit(Commit(call(callid)))
    await store.commit(Commit(call(4, 1, ended=9.0)))

    assert [17, 30] == await store.live_calls()
    assert 2 == await store.count_live()


async def test_stale_calls_come_oldest_first(store: Store) -> None:
    """Live calls touched before a time are listed oldest first, ended and recent ones never."""
    for callid, at in ((1, 50.0), (2, 20.0), (3, 20.0), (4, 60.0), (5, 10.0)):
        await store.commit(Commit(call(callid, at=at)))
    await store.commit(Commit(call(5, 1, at=10.0, ended=10.0)))

    assert [2, 3, 1] == await store.stale_calls(60.0, 10)
    assert [2, 3] == await store.stale_calls(60.0, 2)
    await store.commit(Commit(call(2, 1, at=99.0)))
    assert [3, 1] == await store.stale_calls(60.0, 10)


# --- callids ----------------------------------------------------------------------------------


async def test_callids_count_from_one(store: Store) -> None:
    """Callids are 1, 2, 3 and so on, also when many are asked for at once."""
    first = [await store.allocate_callid() for _ in range(3)]
    rest = await asyncio.gather(*(store.allocate_callid() for _ in range(300)))

    assert [1, 2, 3] == first
    assert list(range(4, 304)) == sorted(rest)


# --- history ----------------------------------------------------------------------------------


async def test_history_is_in_order_and_exact(store: Store) -> None:
    """Lines come back in order of `seq` with every field as it was written, per call."""
    lines = [line(1, 2, body=_BYTES), line(1, 10, step=4, document=_BYTES), line(1, 9)]
    await store.commit(Commit(call(1), history=lines))
    await store.commit(Commit(call(2), history=[line(2, 1)]))

    assert [lines[0], lines[2], lines[1]] == await store.history(1)
    assert [line(2, 1)] == await store.history(2)


async def test_history_line_of_a_known_seq_is_replaced(store: Store) -> None:
    """The later line of two with the same call and `seq` is the one that is kept."""
    await store.commit(Commit(history=[line(1, 1, body=b"a"), line(1, 1, body=b"b")]))
    await store.commit(Commit(history=[line(1, 1, body=b"c")]))

    assert [line(1, 1, body=b"c")] == await store.history(1)


async def test_document_is_the_first_of_its_step(store: Store) -> None:
    """A step keeps the document it was first written with; an empty one is a document."""
    await store.commit(
        Commit(
            history=[
                line(1, 1, step=1),
                line(1, 3, step=1, document=b"later"),
                line(1, 2, step=1, document=b"first"),
                line(1, 4, step=2, document=b""),
                line(2, 1, step=3, document=b"another call's"),
            ]
        )
    )

    assert [b"first", b"", None] == [await store.document(1, step) for step in (1, 2, 3)]


# --- rooms ------------------------------------------------------------------------------------


async def test_room_is_created_changed_and_deleted(store: Store) -> None:
    """A room has version 1 when created, grows by one, and is gone after a commit without blob."""
    await store.commit(Commit(room=room("A/lobby", 0, _BYTES)))
    assert Versioned(1, _BYTES) == await store.load_room("A/lobby")

    await store.commit(Commit(room=room("A/lobby", 1, b"two")))
    assert Versioned(2, b"two") == await store.load_room("A/lobby")
    assert None is await store.load_room("B/lobby")

    await store.commit(Commit(room=room("A/lobby", 2, None)))
    assert None is await store.load_room("A/lobby")

    await store.commit(Commit(room=room("A/lobby", 0, b"again")))
    assert Versioned(1, b"again") == await store.load_room("A/lobby")


@pytest.mark.parametrize(
    "write", [room("r", 0), room("r", 1), room("r", 3), room("r", 1, None), room("new", 1)]
)
async def test_wrong_room_version_is_a_conflict(store: Store, write: RoomWrite) -> None:
    """A commit based on any version of a room but the stored one is refused."""
    await store.commit(Commit(room=room("r", 0)))
    await store.commit(Commit(room=room("r", 1, b"two")))

    with pytest.raises(Conflict, match=f"Room {write.key} .* version {write.base}"):
        await store.commit(Commit(room=write))

    assert Versioned(2, b"two") == await store.load_room("r")
    assert None is await store.load_room("new")


async def test_absent_room_may_be_deleted(store: Store) -> None:
    """Deleting a room on base 0 asserts that there is none."""
    await store.commit(Commit(room=room("r", 0, None)))

    assert None is await store.load_room("r")


# --- whole or not at all ----------------------------------------------------------------------


def _everything(callid: int, base: int, room_base: int) -> Commit:
    return Commit(
        call(callid, base, blob=b"new"),
        room("r", room_base, b"new"),
        history=[line(callid, 50, step=50, document=b"new")],
        outbox=[task("new")],
        outbox_swap=[(task("old"), None)],
        media=[file("new.wav", 500.0)],
        recordings=[recording("new")],
    )


@pytest.mark.parametrize(("base", "room_base"), [(0, 1), (2, 1), (1, 0), (1, 2), (0, 0)])
async def test_refused_commit_changes_nothing(store: Store, base: int, room_base: int) -> None:
    """When call or room conflict, neither they nor any other row of the commit is written."""
    await store.commit(Commit(call(1), room("r", 0), outbox=[task("old")]))

    with pytest.raises(Conflict):
        await store.commit(_everything(1, base, room_base))

    assert Versioned(1, b"{}") == await store.load_call(1)
    assert Versioned(1, b"[]") == await store.load_room("r")
    assert [] == await store.history(1)
    assert [task("old")] == await store.due(1e9, 10)
    assert None is await store.media("new.wav", 0.0)
    assert None is await store.recording("APP", "new", 0.0)


async def test_accepted_commit_changes_everything(store: Store) -> None:
    """All parts of one commit are there when it returns."""
    await store.commit(Commit(call(1), room("r", 0), outbox=[task("old")]))

    await store.commit(_everything(1, 1, 1))

    assert Versioned(2, b"new") == await store.load_call(1)
    assert Versioned(2, b"new") == await store.load_room("r")
    assert b"new" == await store.document(1, 50)
    assert [task("new")] == await store.due(1e9, 10)
    assert file("new.wav", 500.0) == await store.media("new.wav", 0.0)
    assert recording("new") == await store.recording("APP", "new", 0.0)


async def test_conflict_in_a_group_concerns_its_own_commit(store: Store) -> None:
    """Of commits made at the same moment, only those that conflict are refused."""
    await store.commit(Commit(call(50)))
    changes = [Commit(call(n), outbox=[task(f"k{n}")]) for n in range(1, 101)]
    changes[49].outbox.append(task("lost"))

    answers = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)

    assert [49] == [n for n, answer in enumerate(answers) if isinstance(answer, Conflict)]
    assert 99 == answers.count(None)
    assert 99 == await store.outbox_size()
    assert list(range(1, 101)) == await store.live_calls()


async def test_racing_commits_of_one_call_have_one_winner(store: Store) -> None:
    """Of several commits on the same version exactly one is accepted."""
    await store.commit(Commit(call(1)))
    changes = [Commit(call(1, 1, blob=b"%d" % n), history=[line(1, n)]) for n in range(20)]

    answers = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)

    (winner,) = [n for n, answer in enumerate(answers) if answer is None]
    assert Versioned(2, b"%d" % winner) == await store.load_call(1)
    assert [line(1, winner)] == await store.history(1)


async def test_chained_commits_need_not_wait_for_each_other(store: Store) -> None:
    """Commits that build on one another may be under way together; they are applied in order."""
    changes = [Commit(call(1, base, uuid=f"u{base // 4}", blob=b"%d" % base)) for base in range(9)]

    await asyncio.gather(*map(store.commit, changes))

    assert Versioned(9, b"8") == await store.load_call(1)
    assert [None, None, 1] == [await store.find_call("APP", f"u{n}") for n in range(3)]


async def test_cancelled_caller_leaves_the_store_whole(store: Store) -> None:
    """A commit whose caller is cancelled is applied whole or not at all, and others go on."""
    commit = asyncio.gather(store.commit(Commit(call(1), history=[line(1, 1)])))
    await asyncio.sleep(0)
    commit.cancel()
    await asyncio.gather(commit, return_exceptions=True)
    await store.commit(Commit(call(2)))

    applied = await store.load_call(1) is not None
    assert applied == bool(await store.history(1))
    assert applied == (1 in await store.live_calls())


# --- open and close ---------------------------------------------------------------------------


async def test_secret_is_32_random_bytes(store: Store) -> None:
    """The secret has 32 bytes, is not constant, and stays."""
    secret = await store.secret()

    assert (32, True) == (len(secret), len(set(secret)) > 8)
    assert secret == await store.secret()


async def test_open_store_answers_a_ping(store: Store) -> None:
    """Pinging changes nothing that can be read."""
    await store.ping()

    assert ([], 0) == (await store.live_calls(), await store.outbox_size())


async def test_closed_store_refuses_everything(store: Store) -> None:
    """After `close`, which may be repeated, every method raises StoreUnavailable."""
    await store.close()
    await store.close()

    attempts = [
        store.ping(),
        store.secret(),
        store.allocate_callid(),
        store.commit(Commit()),
        store.find_call("APP", "u1"),
        store.load_call(1),
        store.load_room("r"),
        store.history(1),
        store.document(1, 1),
        store.due(0.0, 1),
        store.next_due(),
        store.outbox_row("k"),
        store.outbox_size(),
        store.media("m", 0.0),
        store.recording("APP", "r", 0.0),
        store.recording_named("r", 0.0),
        store.live_calls(),
        store.count_live(),
        store.stale_calls(0.0, 1),
        store.purge(0.0, 0.0),
    ]
    answers = await asyncio.gather(*attempts, return_exceptions=True)

    assert [StoreUnavailable] * 20 == [type(answer) for answer in answers]


async def test_commits_begun_before_close_are_finished(reopen: Reopen) -> None:
    """Closing waits for what was begun, and all of it is there afterwards."""
    store = await reopen()
    commits = asyncio.gather(*(store.commit(Commit(call(n))) for n in range(1, 51)))
    await asyncio.sleep(0)
    store = await reopen()

    assert [None] * 50 == await commits
    assert list(range(1, 51)) == await store.live_calls()


async def test_everything_survives_a_restart(reopen: Reopen) -> None:
    """All that was committed reads the same after closing and opening."""
    store = await reopen()
    secret = await store.secret()
    await store.commit(Commit(call(1, blob=_BYTES, at=7.0), room("r", 0, _BYTES)))
    await store.commit(Commit(call(2, uuid="é"), history=[line(2, 1, step=1, document=_BYTES)]))
    await store.commit(Commit(call(2, 1, uuid="é", blob=b"end", ended=9.0), outbox=[task("k", 3)]))
    await store.commit(Commit(media=[file("m", 50.0, _BYTES)]))
    await store.commit(Commit(recordings=[recording("rec", url="https://x", ready=True)]))
    await store.commit(Commit(room=room("r", 1, b"two")))

    store = await reopen()

    assert secret == await store.secret()
    assert [Versioned(1, _BYTES), Versioned(2, b"end")] == [
        await store.load_call(1),
        await store.load_call(2),
    ]
    assert [1, 2] == [await store.find_call("APP", uuid) for uuid in ("u1", "é")]
    assert ([1], 1) == (await store.live_calls(), await store.count_live())
    assert [1] == await store.stale_calls(8.0, 5)
    assert Versioned(2, b"two") == await store.load_room("r")
    assert [line(2, 1, step=1, document=_BYTES)] == await store.history(2)
    assert ([task("k", 3)], 3.0) == (await store.due(3.0, 5), await store.next_due())
    assert file("m", 50.0, _BYTES) == await store.media("m", 49.0)
    assert recording("rec", url="https://x", ready=True) == await store.recording_named("rec", 0.0)


async def test_versions_go_on_after_a_restart(reopen: Reopen) -> None:
    """A restarted store accepts the next version of what it had, and refuses any other."""
    store = await reopen()
    await store.commit(Commit(call(1), room("r", 0)))
    store = await reopen()

    with pytest.raises(Conflict):
        await store.commit(Commit(call(1), room("r", 1)))
    await store.commit(Commit(call(1, 1), room("r", 1)))

    assert Versioned(2, b"{}") == await store.load_call(1)


async def test_callids_go_on_after_a_restart(reopen: Reopen) -> None:
    """Closing in order loses no callid, and none is given twice."""
    given = []
    for count in (1, 40, 3):
        store = await reopen()
        given += [await store.allocate_callid() for _ in range(count)]

    assert list(range(1, 45)) == given
