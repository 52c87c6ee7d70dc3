"""What the explorer calls a failure."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.simulator.clock import VirtualClock
from bridge.simulator.platform import Plivo
from bridge.simulator.timeline import Entry, Kind
from bridge.testing.contract import Contract
from bridge.testing.explore.watch import Limits, Watch
from bridge.testing.rig import Rig

LIMITS = Limits(repeats=3, turns=5)


@pytest.fixture
def rig() -> Rig:
    """Give a rig without a bridge, on which entries are put by hand."""
    bridge: Any = None
    return Rig(Plivo(clock=VirtualClock()), bridge, Contract(), 1)


def add(rig: Rig, kind: Kind, at: float = 0.0, **data: Any) -> None:
    """Put an entry into the timeline."""
    rig.timeline.add(Entry(at, kind, f"a {kind}", data=data))


def turn(rig: Rig, result: str = "TIMEOUT", **reply: Any) -> None:
    """Put a turn into the timeline."""
    request = {"callid": 1, "call_status": "UP", "command": "read", "command_result": result}
    add(rig, "app", at=9.0, request=request, reply={"command": "read", "command_id": "age"} | reply)


def code(watch: Watch) -> str:
    """Name what was found."""
    return watch.finding.code if watch.finding is not None else ""


def test_same_reply_to_the_same_result_again_and_again_is_a_loop(rig: Rig) -> None:
    """The third one of three is a LOOP, and the sentence names command and label."""
    watch = Watch(rig, LIMITS)
    turn(rig)
    turn(rig)
    assert "" == code(watch)
    turn(rig)
    assert watch.finding is not None
    assert (
        "LOOP",
        "The app gave the same reply, read (age), 3 times within 9 s, while nobody did anything.",
        2,
    ) == (watch.finding.code, watch.finding.sentence, watch.finding.entry)


def test_loop_may_have_several_replies(rig: Rig) -> None:
    """Two replies that take turns are a loop as well."""
    watch = Watch(rig, LIMITS)
    for number in range(4):
        turn(rig, params={"number": number % 2})
    assert "" == code(watch)
    turn(rig, params={"number": 0})
    assert "LOOP" == code(watch)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("does", {"action": "press", "keys": "1"}),
        ("does", {"action": "hang_up"}),
        ("leg", {"leg": 1, "state": "rejected"}),
    ],
)
def test_loop_begins_anew_when_somebody_does_something(
    rig: Rig, kind: Kind, data: dict[str, Any]
) -> None:
    """Keys, and what parties do, are progress; replies before do not count."""
    watch = Watch(rig, LIMITS)
    for _ in range(3):
        turn(rig)
        add(rig, kind, **data)
        turn(rig)
    assert "" == code(watch)


def test_silence_is_not_something_that_is_done(rig: Rig) -> None:
    """That the platform notes that nothing was pressed does not end a loop."""
    watch = Watch(rig, LIMITS)
    for _ in range(3):
        turn(rig)
        add(rig, "does", action="silence", seconds=5)
    assert "LOOP" == code(watch)


def test_replies_that_differ_and_never_end_are_found(rig: Rig) -> None:
    """So many turns while nobody does anything are ENDLESS."""
    watch = Watch(rig, LIMITS)
    for number in range(4):
        turn(rig, variables={"count": number})
    assert "" == code(watch)
    turn(rig, variables={"count": 5})
    assert "ENDLESS" == code(watch)


def test_problem_of_the_simulation_is_a_fault_of_the_bridge(rig: Rig) -> None:
    """A problem is reported as BRIDGE, unless injected faults explain it."""
    healthy, faulty = Watch(rig, LIMITS), Watch(rig, LIMITS, faulty=True)
    add(rig, "problem")
    assert ("BRIDGE", "") == (code(healthy), code(faulty))
