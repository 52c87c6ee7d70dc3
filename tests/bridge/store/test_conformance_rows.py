"""What every store does with the outbox, hosted files, recordings, and what is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_store import Reopen, call, file, line, recording, room, task

from bridge.store.protocol import Commit, Conflict, OutboxRow, Store, Versioned

# --- outbox -----------------------------------------------------------------------------------


async def test_due_rows_come_earliest_first(store: Store) -> None:
    """Rows due by now are listed by time, then by key, up to the limit."""
    rows = [task("d", 5.0), task("b", 2.0), task("a", 2.0), task("é", -1.0), task("c", 5.5)]
    await store.commit(Commit(outbox=rows))

    assert ["é", "a", "b", "d"] == [row.key for row in await store.due(5.0, 10)]
    assert ["é", "a"] == [row.key for row in await store.due(5.0, 2)]
    assert [] == await store.due(-2.0, 10)
    assert (-1.0, 5) == (await store.next_due(), await store.outbox_size())


async def test_empty_outbox_has_no_next_time(store: Store) -> None:
    """Without rows nothing is due, ever."""
    await store.commit(Commit(outbox=[task("a", 1.0)]))
    await store.commit(Commit(outbox_swap=[(task("a", 1.0), None)]))

    assert (None, 0, []) == (
        await store.next_due(),
        await store.outbox_size(),
        await store.due(1e12, 5),
    )


async def test_outbox_key_is_idempotent(store: Store) -> None:
    """A row of a known key replaces the old one in every field."""
    await store.commit(Commit(outbox=[task("k", 1.0, body=b"old"), task("k", 3.0)]))
    await store.commit(Commit(outbox=[task("k", 2.0, body=bytes(range(256)), attempts=3)]))

    expected = task("k", 2.0, body=bytes(range(256)), attempts=3)
    assert expected == await store.outbox_row("k")
    assert [expected] == await store.due(9.0, 9)
    assert 2.0 == await store.next_due()


async def test_finished_outbox_rows_are_gone(store: Store) -> None:
    """A row without a successor is deleted; one that is unknown does no harm."""
    await store.commit(Commit(outbox=[task("a"), task("b")]))
    await store.commit(Commit(outbox_swap=[(task("a"), None), (task("never"), None)]))

    assert None is await store.outbox_row("a")
    assert task("b") == await store.outbox_row("b")


async def test_outbox_row_is_replaced_by_its_successor(store: Store) -> None:
    """A row that is still as it was read becomes the new one."""
    await store.commit(Commit(outbox=[task("a", 1.0, lane="A")]))
    successor = task("a", 9.0, body=b"", attempts=1, lane="B")
    await store.commit(Commit(outbox_swap=[(task("a", 1.0, lane="A"), successor)]))

    assert successor == await store.outbox_row("a")
    assert 1 == await store.outbox_size()


@pytest.mark.parametrize("successor", [None, task("a", 7.0)])
@pytest.mark.parametrize(
    "meanwhile",
    [
        task("a", 2.0),
        task("a", 1.0, body=b"frozen"),
        task("a", 1.0, attempts=1),
        task("a", 1.0, lane="B"),
        OutboxRow("a", "kick", 1, 1.0, b"body"),
        OutboxRow("a", "final", 2, 1.0, b"body"),
    ],
)
async def test_outbox_row_that_changed_meanwhile_is_left_alone(
    store: Store, meanwhile: OutboxRow, successor: OutboxRow | None
) -> None:
    """A row that differs in anything from what was read is neither deleted nor replaced."""
    await store.commit(Commit(outbox=[meanwhile]))
    await store.commit(Commit(outbox_swap=[(task("a", 1.0), successor)]))

    assert meanwhile == await store.outbox_row("a")


async def test_outbox_row_that_is_gone_has_no_successor(store: Store) -> None:
    """A row deleted meanwhile does not come back."""
    await store.commit(Commit(outbox_swap=[(task("a", 1.0), task("a", 7.0))]))

    assert 0 == await store.outbox_size()


async def test_outbox_row_put_back_in_the_commit_that_finishes_it_stays(store: Store) -> None:
    """A key both finished and put by one commit is in the outbox with the new row."""
    await store.commit(Commit(outbox=[task("a", 1.0)]))
    change = Commit(outbox=[task("a", 9.0, attempts=1)], outbox_swap=[(task("a", 1.0), None)])
    await store.commit(change)

    assert task("a", 9.0, attempts=1) == await store.outbox_row("a")


async def test_full_lanes_are_left_out(store: Store) -> None:
    """However many rows of full lanes are due earlier, those of the others are given."""
    many = [task(f"dead{n}", -5.0, lane="dead") for n in range(300)]
    others = [task("é", 3.0, lane="é"), task("b", 2.0), task("a", 2.0, lane="alive")]
    await store.commit(Commit(outbox=[*many, *others]))

    assert ["a", "b", "é"] == [row.key for row in await store.due(3.0, 9, {"dead", "never"})]
    assert ["b"] == [row.key for row in await store.due(2.5, 9, ["dead", "alive"])]
    assert [] == await store.due(9.0, 9, {"dead", "alive", "é", ""})
    assert {"dead"} == {row.lane for row in await store.due(3.0, 300)}


async def test_next_time_after_another(store: Store) -> None:
    """What is overdue already can be skipped when asking for the next time."""
    rows = [task("a", 1.0, lane="A"), task("b", 2.0, lane="B"), task("c", 5.0, lane="A")]
    await store.commit(Commit(outbox=rows))

    assert [1.0, 2.0, 5.0, None] == [await store.next_due(after) for after in (0.9, 1.0, 2.0, 5.0)]


async def test_claimed_rows_come_like_due_ones(store: Store) -> None:
    """A claim gives what is due by now out of the lanes that are not full, earliest first."""
    rows = [
        task("c", 5.0),
        task("é", 2.0),
        task("a", 2.0),
        task("d", 6.0),
        task("f", 1.0, lane="F"),
    ]
    await store.commit(Commit(outbox=rows))

    assert ["a", "é"] == [row.key for row in await store.claim(5.0, 99.0, 2, {"F"})]


async def test_claimed_row_can_be_swapped_as_it_was_given(store: Store) -> None:
    """What a claim gives is what is stored, so whoever claimed it can finish it."""
    await store.commit(Commit(outbox=[task("a", 1.0, attempts=3, lane="L")]))
    (row,) = await store.claim(1.0, 30.0, 9)

    assert row == await store.outbox_row("a")
    await store.commit(Commit(outbox_swap=[(row, None)]))
    assert 0 == await store.outbox_size()


async def test_exact_swap_is_done_like_another(store: Store) -> None:
    """A row that is still as it was read is swapped, and one that was swapped so already stays."""
    await store.commit(Commit(outbox=[task("a", 1.0)]))
    frozen = task("a", 1.0, body=b"frozen")
    for _ in range(2):
        await store.commit(Commit(outbox_swap=[(task("a", 1.0), frozen)], exact=True))

    assert frozen == await store.outbox_row("a")


@pytest.mark.parametrize("successor", [None, task("a", 7.0)])
@pytest.mark.parametrize("held", [[], [task("a", 2.0)]])
async def test_exact_swap_of_a_row_that_changed_is_a_conflict(
    store: Store, held: list[OutboxRow], successor: OutboxRow | None
) -> None:
    """Nothing of an exact commit is written when its row is gone or another."""
    await store.commit(Commit(outbox=held))
    change = Commit(
        call(1), outbox=[task("b")], outbox_swap=[(task("a", 1.0), successor)], exact=True
    )
    with pytest.raises(Conflict, match="The outbox row a is no longer"):
        await store.commit(change)

    assert held == await store.due(1e9, 9)
    assert None is await store.load_call(1)


# --- hosted files -----------------------------------------------------------------------------


async def test_file_is_there_until_it_expires(store: Store) -> None:
    """A hosted file is given byte for byte before its expiry and not from then on."""
    row = file("a.wav", 50.0, bytes(range(256)) * 1000)
    await store.commit(Commit(media=[row]))

    assert row == await store.media("a.wav", 49.999)
    assert None is await store.media("a.wav", 50.0)
    assert None is await store.media("b.wav", 0.0)


async def test_file_keeps_its_later_expiry(store: Store) -> None:
    """Asking again for less time does not shorten the life of a file."""
    await store.commit(Commit(media=[file("a", 50.0)]))
    await store.commit(Commit(media=[file("a", 40.0)]))

    assert file("a", 50.0) == await store.media("a", 45.0)


@pytest.mark.parametrize(
    ("at", "expected"),
    [(100.0, 200.0), (149.0, 200.0), (151.0, 251.0), (250.0, 350.0)],
)
async def test_file_is_rewritten_when_half_its_time_is_over(
    store: Store, at: float, expected: float
) -> None:
    """A file asked for again for 100 s is prolonged only when less than half of that is left."""
    await store.commit(Commit(call(1, at=100.0), media=[file("a", 200.0)]))
    await store.commit(Commit(call(2, at=at), media=[file("a", at + 100.0)]))

    row = await store.media("a", 0.0)
    assert row is not None
    assert expected == row.expires_at


async def test_file_of_a_commit_without_a_call_is_prolonged(store: Store) -> None:
    """Without a call there is no time to compare with: a later expiry is always taken."""
    await store.commit(Commit(media=[file("a", 200.0)]))
    await store.commit(Commit(media=[file("a", 201.0)]))

    assert file("a", 201.0) == await store.media("a", 0.0)


async def test_purged_file_can_be_hosted_again(store: Store) -> None:
    """The name of a deleted file is free, also for a shorter time than before."""
    await store.commit(Commit(media=[file("a", 50.0)]))
    await store.purge(60.0, 0.0)
    await store.commit(Commit(media=[file("a", 40.0)]))

    assert file("a", 40.0) == await store.media("a", 30.0)


async def test_file_keeps_its_later_expiry_after_a_restart(reopen: Reopen) -> None:
    """A restarted store knows for how long it holds a file."""
    store = await reopen()
    await store.commit(Commit(media=[file("a", 50.0)]))
    store = await reopen()
    await store.commit(Commit(media=[file("a", 40.0)]))

    assert file("a", 50.0) == await store.media("a", 45.0)


# --- recordings -------------------------------------------------------------------------------


async def test_recording_is_there_until_it_expires(store: Store) -> None:
    """A recording is found by app and name, or by name, before its expiry."""
    row = recording("r", 50.0, url="https://media.plivo.com/é.wav", ready=True)
    await store.commit(Commit(recordings=[row]))

    assert row == await store.recording("APP", "r", 49.0)
    assert row == await store.recording_named("r", 49.0)
    assert None is await store.recording("APP", "r", 50.0)
    assert None is await store.recording_named("r", 50.0)


async def test_recording_is_updated(store: Store) -> None:
    """A recording written again replaces the old row."""
    await store.commit(Commit(recordings=[recording("r")]))
    await store.commit(Commit(recordings=[recording("r", 2000.0, url="https://x", ready=True)]))

    expected = recording("r", 2000.0, url="https://x", ready=True)
    assert expected == await store.recording("APP", "r", 1500.0)


async def test_recording_is_out_of_reach_of_other_apps(store: Store) -> None:
    """No app reads or replaces a recording of the same name of another."""
    mine, theirs = recording("r", url="mine"), recording("r", url="theirs", app="B")
    await store.commit(Commit(recordings=[mine]))
    await store.commit(Commit(recordings=[theirs]))

    assert mine == await store.recording("APP", "r", 0.0)
    assert theirs == await store.recording("B", "r", 0.0)
    assert None is await store.recording("C", "r", 0.0)
    assert mine == await store.recording_named("r", 0.0)


async def test_expired_recording_does_not_hide_another_of_its_name(store: Store) -> None:
    """Looking a name up skips what has expired."""
    theirs = recording("r", 90.0, app="B")
    await store.commit(Commit(recordings=[recording("r", 10.0), theirs]))

    assert theirs == await store.recording_named("r", 50.0)


# --- purge ------------------------------------------------------------------------------------


async def test_purge_deletes_calls_that_ended_before(store: Store) -> None:
    """Calls ended before the time are gone with history and CallUUID; others are untouched."""
    for callid, ended in ((1, 10.0), (2, 19.9), (3, 20.0), (4, None)):
        await store.commit(Commit(call(callid, ended=ended), history=[line(callid, 1)]))

    assert 2 == await store.purge(0.0, 20.0)

    assert [None, None] == [await store.load_call(n) for n in (1, 2)]
    assert [None, None, 3, 4] == [await store.find_call("APP", f"u{n}") for n in (1, 2, 3, 4)]
    assert [[], [], [line(3, 1)], [line(4, 1)]] == [await store.history(n) for n in (1, 2, 3, 4)]
    assert 0 == await store.purge(0.0, 20.0)


async def test_purge_deletes_what_expired(store: Store) -> None:
    """Files and recordings are deleted from their expiry on, and nothing else is."""
    await store.commit(
        Commit(
            room=room("r", 0),
            outbox=[task("k", 1.0)],
            media=[file("old", 10.0), file("new", 11.0)],
            recordings=[recording("old", 10.0), recording("new", 11.0)],
        )
    )

    assert 0 == await store.purge(10.0, 0.0)

    assert [None, file("new", 11.0)] == [await store.media(n, 0.0) for n in ("old", "new")]
    assert [None, recording("new", 11.0)] == [
        await store.recording_named(n, 0.0) for n in ("old", "new")
    ]
    assert task("k", 1.0) == await store.outbox_row("k")
    assert Versioned(1, b"[]") == await store.load_room("r")


async def test_purge_of_much_deletes_all_of_it(store: Store) -> None:
    """More calls, lines, files and recordings than fit one transaction are all deleted."""
    for callid in range(1, 6):
        lines = [line(callid, seq) for seq in range(300)]
        await store.commit(Commit(call(callid, ended=1.0), history=lines))
    for callid in range(6, 1200):
        await store.commit(Commit(call(callid, ended=1.0)))
    await store.commit(
        Commit(
            media=[file(f"m{n}", 1.0) for n in range(120)],
            recordings=[recording(f"r{n}", 1.0) for n in range(1100)],
        )
    )

    assert 1199 == await store.purge(2.0, 2.0)

    assert [] == await store.history(3)
    assert [None, None] == [await store.load_call(n) for n in (3, 1199)]
    assert [None, None] == [await store.media(f"m{n}", 0.0) for n in (0, 119)]
    assert [None, None] == [await store.recording_named(f"r{n}", 0.0) for n in (0, 1099)]


async def test_purged_callid_is_not_reused_by_a_late_step(store: Store) -> None:
    """A step of a call that was purged meanwhile is refused instead of reviving it."""
    await store.commit(Commit(call(1, ended=1.0)))
    await store.purge(0.0, 2.0)

    with pytest.raises(Conflict, match="the store has 0"):
        await store.commit(Commit(call(1, 1, ended=1.0)))


async def test_outbox_rows_are_counted_by_kind(store: Store) -> None:
    """A count may be limited to some kinds of rows."""
    rows = [replace(task(key), kind=kind) for key, kind in (("a", "x"), ("b", "y"), ("c", "x"))]
    await store.commit(Commit(outbox=rows))

    assert 3 == await store.outbox_size()
    assert 2 == await store.outbox_size(("x",))
    assert 3 == await store.outbox_size(("x", "y"))
    assert 0 == await store.outbox_size(("z",))
