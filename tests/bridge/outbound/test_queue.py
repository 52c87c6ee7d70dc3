"""Fair order, and the pace of dialling."""

from __future__ import annotations

from bridge.outbound.queue import FairQueue, Pace


def _taken(queue: FairQueue) -> list[str]:
    found = []
    while (token := queue.take()) is not None:
        found.append(token)
    return found


def test_apps_take_turns() -> None:
    """An app with one call does not wait behind the many of another; each goes oldest first."""
    queue = FairQueue()
    for token in ("a1", "a2", "a3"):
        queue.add("A", token)
    queue.add("B", "b1")
    queue.add("C", "c1")
    queue.add("B", "b2")

    assert 6 == len(queue)
    assert ["a1", "b1", "c1", "a2", "b2", "a3"] == _taken(queue)
    assert 0 == len(queue)


def test_a_call_waits_once() -> None:
    """What waits already is not added again, until it was taken."""
    queue = FairQueue()
    queue.add("A", "a1")
    queue.add("A", "a1", first=True)

    assert "a1" in queue
    assert ["a1"] == _taken(queue)
    assert "a1" not in queue
    queue.add("A", "a1")
    assert 1 == len(queue)


def test_a_call_put_back_is_the_next_of_its_app() -> None:
    """A call Plivo would not take yet goes before the others of its app."""
    queue = FairQueue()
    queue.add("A", "a2")
    queue.add("A", "a1", first=True)

    assert ["a1", "a2"] == _taken(queue)


def test_calls_leave_evenly() -> None:
    """At two calls per second one leaves every half second, the first at once."""
    pace = Pace(2.0)
    assert 0.0 == pace.wait_s(100.0)
    pace.left(100.0)

    assert 0.5 == pace.wait_s(100.0)
    assert 0.2 == round(pace.wait_s(100.3), 6)
    assert 0.0 == pace.wait_s(100.5)


def test_a_rate_below_one_is_kept() -> None:
    """Half a call per second is one every two seconds."""
    pace = Pace(0.5)
    pace.left(100.0)

    assert 2.0 == pace.wait_s(100.0)


def test_holds_grow_and_end_with_a_success() -> None:
    """Each hold in a row is twice as long, 30 s at most; a call that was taken starts over."""
    pace = Pace(2.0)
    held = [pace.hold(now) for now in (0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0)]

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == held
    assert 30.0 == pace.wait_s(61.0)
    pace.go()
    assert 1.0 == pace.hold(200.0)
