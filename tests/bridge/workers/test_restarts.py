from __future__ import annotations

from bridge.workers.restarts import LONGEST_PAUSE_S, WELL_S, Restarts


def test_worker_that_was_well_is_replaced_at_once() -> None:
    """However often that happens, there is no pause after a life that was long enough."""
    restarts = Restarts()

    assert [0.0] * 50 == [restarts.ended(WELL_S, served=True) for _ in range(50)]
    assert 0 == restarts.in_vain


def test_pauses_grow() -> None:
    """The first short life costs no pause, every further one twice as long a pause, up to a limit."""
    restarts = Restarts()
    pauses = [restarts.ended(1.0, served=True) for _ in range(200)]

    assert [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S] == pauses[:8]
    assert {LONGEST_PAUSE_S} == set(pauses[8:])


def test_pauses_begin_anew_after_a_long_life() -> None:
    """A worker that was well at last makes the short lives before it forgotten."""
    restarts = Restarts()
    for _ in range(5):
        restarts.ended(1.0, served=True)
    restarts.ended(WELL_S, served=True)

    assert [0.0, 0.5] == [restarts.ended(1.0, served=True) for _ in range(2)]


def test_starts_in_vain_are_counted() -> None:
    """Starts that came to nothing count in a row, however long they took; one that served ends the row."""
    restarts = Restarts()
    counted = []
    for served in (False, False, True, False):
        restarts.ended(60.0, served=served)
        counted.append(restarts.in_vain)

    assert [1, 2, 0, 1] == counted
