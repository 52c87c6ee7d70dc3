"""What every store does with records."""

from __future__ import annotations

import pytest
from support_store import Reopen, call, line, record, room, task

from bridge.store.protocol import Commit, Conflict, RecordRow, RecordWrite, Store, Versioned


async def _put(store: Store, *writes: RecordWrite) -> None:
    await store.commit(Commit(records=list(writes)))


async def _keys(store: Store, **query: object) -> list[str]:
    return [row.key for row in await store.list_records("cdr", **query)]  # type: ignore[arg-type]


async def test_record_is_given_as_it_was_written(store: Store) -> None:
    """Every field of a new record comes back, with version 1."""
    blob = bytes(range(256))
    await _put(store, record("é", blob=blob, sort=-1.5, scope="APP", expires_at=9.0))

    expected = RecordRow("cdr", "é", 1, blob, -1.5, "APP", 9.0)
    assert expected == await store.load_record("cdr", "é")
    assert [expected] == await store.list_records("cdr")


async def test_kinds_are_apart(store: Store) -> None:
    """Records of two kinds share neither keys nor lists."""
    await _put(store, record("a", kind="app", blob=b"1"), record("a", kind="intent", blob=b"2"))

    rows = [await store.load_record(kind, "a") for kind in ("app", "intent", "cdr")]
    assert [b"1", b"2", None] == [None if row is None else row.blob for row in rows]
    assert [[b"1"], []] == [
        [row.blob for row in await store.list_records(kind)] for kind in ("app", "cdr")
    ]


async def test_record_is_replaced_in_every_field(store: Store) -> None:
    """A write on the stored version replaces the record and its place in the lists."""
    await _put(store, record("a", sort=1.0, scope="A", expires_at=1.0), record("b", sort=2.0))
    await _put(store, record("a", 1, blob=b"new", sort=3.0, scope="B"))

    assert RecordRow("cdr", "a", 2, b"new", 3.0, "B", None) == await store.load_record("cdr", "a")
    assert ["b", "a"] == await _keys(store)
    assert [] == await _keys(store, scope="A")


@pytest.mark.parametrize(("base", "found"), [(0, 2), (1, 2), (3, 2)])
async def test_wrong_version_is_a_conflict(store: Store, base: int, found: int) -> None:
    """A write on any other version changes nothing and names what is there."""
    await _put(store, record("a"))
    await _put(store, record("a", 1))

    with pytest.raises(
        Conflict, match=f"The cdr a was not written on version {base}: the store has {found}"
    ):
        await _put(store, record("a", base, blob=b"lost"))
    assert RecordRow("cdr", "a", 2, b"{}") == await store.load_record("cdr", "a")


async def test_conflict_of_a_record_undoes_the_whole_commit(store: Store) -> None:
    """With one stale record nothing of a commit is written, whatever else it has."""
    await _put(store, record("b"))
    change = Commit(
        call(1),
        room("r", 0),
        history=[line(1, 1)],
        outbox=[task("k")],
        records=[record("a"), record("b", 4)],
    )
    with pytest.raises(Conflict):
        await store.commit(change)

    assert None is await store.load_record("cdr", "a")
    assert (None, None, [], None) == (
        await store.load_call(1),
        await store.load_room("r"),
        await store.history(1),
        await store.outbox_row("k"),
    )


async def test_conflict_of_the_call_undoes_its_records(store: Store) -> None:
    """A stale call keeps the records of its commit from being written."""
    with pytest.raises(Conflict):
        await store.commit(Commit(call(1, 3), records=[record("a")]))

    assert None is await store.load_record("cdr", "a")


async def test_record_is_committed_with_the_call(store: Store) -> None:
    """A call and its record are written together."""
    await store.commit(Commit(call(1), records=[record("a", scope="APP")]))

    assert Versioned(1, b"{}") == await store.load_call(1)
    assert ["a"] == await _keys(store, scope="APP")


async def test_deleted_record_is_gone(store: Store) -> None:
    """A deleted record is in no list, and the next of its name begins anew."""
    await _put(store, record("a"))
    await _put(store, record("a", 1, blob=None))

    assert (None, []) == (await store.load_record("cdr", "a"), await _keys(store))
    with pytest.raises(Conflict, match="the store has 0"):
        await _put(store, record("a", 2))
    await _put(store, record("a", blob=b"again"))
    assert RecordRow("cdr", "a", 1, b"again") == await store.load_record("cdr", "a")


async def test_deleting_on_a_wrong_version_is_a_conflict(store: Store) -> None:
    """What changed meanwhile is not deleted; what never was cannot be."""
    await _put(store, record("a"))

    for write in (record("a", 2, blob=None), record("b", 1, blob=None)):
        with pytest.raises(Conflict):
            await _put(store, write)
    assert ["a"] == await _keys(store)


async def test_records_are_listed_in_order(store: Store) -> None:
    """Lists go by `sort`, then by key, either way, up to the limit."""
    await _put(
        store,
        record("d", sort=5.0),
        record("b", sort=2.0, scope="B"),
        record("a", sort=2.0),
        record("é", sort=-1.0, scope="B"),
    )

    assert ["é", "a", "b", "d"] == await _keys(store)
    assert ["d", "b", "a", "é"] == await _keys(store, newest_first=True)
    assert ["é", "a"] == await _keys(store, limit=2)
    assert ["é", "b"] == await _keys(store, scope="B")
    assert ["a", "d"] == await _keys(store, scope="")


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("scope", [None, "A"])
async def test_pages_join_without_gap_or_overlap(
    store: Store, newest_first: bool, scope: str | None
) -> None:
    """Asking on behind the last record of each page gives every record once."""
    await _put(
        store, *(record(f"{n:02}", sort=float(n // 5), scope="AB"[n % 2]) for n in range(40))
    )
    query = {"scope": scope, "newest_first": newest_first}
    whole = await _keys(store, **query)

    paged: list[str] = []
    after: tuple[float, str] | None = None
    while page := await store.list_records(
        "cdr", scope=scope, after=after, limit=3, newest_first=newest_first
    ):
        paged += [row.key for row in page]
        after = page[-1].sort, page[-1].key
    assert (40 if scope is None else 20) == len(whole)
    assert whole == paged


async def test_list_has_a_limit_of_its_own(store: Store) -> None:
    """Without another limit a list ends after 100 records."""
    await _put(store, *(record(f"{n:03}") for n in range(130)))

    assert [f"{n:03}" for n in range(100)] == await _keys(store)


async def test_records_of_a_scope_are_counted(store: Store) -> None:
    """The count is that of the list: of one kind and scope, after changes of scope and deletions."""
    await _put(store, record("a", scope="x"), record("b", scope="x"), record("c", scope="y"))
    await _put(store, record("a", kind="other", scope="x"))
    assert [2, 1, 0] == [await store.count_records("cdr", scope) for scope in ("x", "y", "z")]
    await _put(store, record("b", 1, scope="y"), record("c", 1, blob=None, scope="y"))

    assert [1, 1, 0] == [await store.count_records("cdr", scope) for scope in ("x", "y", "")]


async def test_purge_deletes_expired_records(store: Store) -> None:
    """Records are given until they are purged, from their expiry on; the others stay."""
    await _put(store, record("old", expires_at=10.0), record("new", expires_at=10.1), record("a"))
    assert ["a", "new", "old"] == await _keys(store)
    await store.purge(10.0, 0.0)

    assert ["a", "new"] == await _keys(store)
    assert None is await store.load_record("cdr", "old")


async def test_purge_of_many_records_deletes_all(store: Store) -> None:
    """More records than fit one transaction are all deleted."""
    await _put(store, *(record(f"{n}", expires_at=1.0) for n in range(1100)), record("stays"))
    await store.purge(1.0, 0.0)

    assert ["stays"] == await _keys(store)


async def test_records_survive_a_restart(reopen: Reopen) -> None:
    """A restarted store has the records as they were last committed."""
    store = await reopen()
    await _put(store, record("a", sort=1.0), record("b"))
    await _put(store, record("a", 1, blob=b"2", sort=2.0), record("b", 1, blob=None))
    store = await reopen()

    assert [RecordRow("cdr", "a", 2, b"2", 2.0)] == await store.list_records("cdr")
    await _put(store, record("a", 2))
