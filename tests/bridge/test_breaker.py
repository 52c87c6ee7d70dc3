from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.breaker import Breaker, BreakerState


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> float:
        """Give the time in s."""
        return self.s


def opened(time: Time, failures: int = 3, pause_s: float = 5.0) -> Breaker:
    """Make a breaker that has just opened."""
    breaker = Breaker(failures, pause_s, time.now)
    changes = []
    for _ in range(failures):
        probe = breaker.begin()
        assert probe is not None
        changes.append(breaker.failed(probe=probe))
    assert [False] * (failures - 1) + [True] == changes
    return breaker


def test_opens_after_failures_in_a_row() -> None:
    """It opens with so many failures in a row, and then nothing is put."""
    breaker = opened(Time())

    assert (BreakerState.OPEN, True, None) == (breaker.state, breaker.is_shut, breaker.begin())


def test_answer_in_between() -> None:
    """An answer between the failures begins the count anew, and is no change."""
    breaker = Breaker(2, 5, Time().now)

    changes = [breaker.failed(probe=False), breaker.answered(), breaker.failed(probe=False)]

    assert ([False] * 3, BreakerState.CLOSED, 1) == (changes, breaker.state, breaker.in_row)


def test_never_opens() -> None:
    """With 0 failures it stays closed for ever."""
    breaker = Breaker(0, 5, Time().now)

    assert not any(breaker.failed(probe=False) for _ in range(1000))
    assert (BreakerState.CLOSED, False) == (breaker.state, breaker.begin())


def test_one_probe_after_the_pause() -> None:
    """When the pause is over one single question is put, and the others wait for its outcome."""
    time = Time()
    breaker = opened(time)
    time.s += 4.999
    assert breaker.begin() is None

    time.s += 0.001
    assert (False, True) == (breaker.is_shut, breaker.begin())

    assert (True, None) == (breaker.is_shut, breaker.begin())
    assert BreakerState.PROBING is breaker.state


def test_probe_answered() -> None:
    """An answer to the probe closes it, which is told once."""
    time = Time()
    breaker = opened(time)
    time.s += 5
    assert breaker.begin()

    assert (True, False) == (breaker.answered(), breaker.answered())
    assert (False, 0) == (breaker.begin(), breaker.in_row)


def test_probe_failed() -> None:
    """A probe without an answer begins the pause anew, which is no change."""
    time = Time()
    breaker = opened(time)
    time.s += 5
    assert breaker.begin()

    assert not breaker.failed(probe=True)

    time.s += 4
    assert breaker.begin() is None
    time.s += 1
    assert breaker.begin()


def test_probe_abandoned() -> None:
    """A probe of which nothing became makes room for another one at once."""
    time = Time()
    breaker = opened(time)
    time.s += 5
    assert breaker.begin()

    breaker.abandoned(probe=True)

    assert breaker.begin()


def test_late_outcomes() -> None:
    """What fails late prolongs no pause, and an answer that comes late closes it all the same."""
    time = Time()
    breaker = opened(time)
    time.s += 4

    assert not breaker.failed(probe=False)

    time.s += 1
    assert breaker.begin()
    assert not breaker.failed(probe=False)
    breaker.abandoned(probe=False)
    assert (BreakerState.PROBING, True) == (breaker.state, breaker.is_shut)
    assert breaker.answered()
    assert BreakerState.CLOSED is breaker.state


def test_clock_set_back() -> None:
    """A clock that was set back does not keep it open."""
    time = Time()
    breaker = opened(time)
    time.s -= 3600

    assert breaker.begin()


@given(st.lists(st.sampled_from(["ask", "answer", "fail", "abandon", "wait"]), max_size=60))
def test_never_stuck(story: list[str]) -> None:
    """Whatever happens, at most one probe is out, and once all is over a pause brings the next."""
    time, out = Time(), list[bool]()
    breaker = Breaker(2, 5, time.now)
    for event in story:
        if event == "wait":
            time.s += 5
        elif event == "ask":
            probe = breaker.begin()
            if probe is not None:
                out.append(probe)
        elif out:
            probe = out.pop(0)
            if event == "answer":
                breaker.answered()
            elif event == "fail":
                breaker.failed(probe=probe)
            else:
                breaker.abandoned(probe=probe)
        if breaker.state is BreakerState.PROBING:
            assert 1 == sum(out)
    for probe in out:
        breaker.failed(probe=probe)
    time.s += 5

    assert breaker.begin() is not None
