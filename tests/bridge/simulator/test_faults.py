"""How faults are written, and when they strike."""

from __future__ import annotations

from random import Random

import pytest

from bridge.simulator.faults import WHATS, Fault, FaultError, Faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("duplicate", Fault("duplicate")),
        ("duplicate:recording", Fault("duplicate", "recording")),
        ("delay:exit=5", Fault("delay", "exit", 5.0)),
        ("delay:exit=0.5", Fault("delay", "exit", 0.5)),
        ("drop:enter@0.5", Fault("drop", "enter", share=0.5)),
        ("drop@.25", Fault("drop", share=0.25)),
        ("hang_up#7", Fault("hang_up", nth=7)),
        ("hang-up#7", Fault("hang_up", nth=7)),
        ("reorder:hangup url=9@1#2", Fault("reorder", "hangup url", 9.0, 1.0, 2)),
        ("slow-media:my-file_1.wav=20", Fault("slow_media", "my-file_1.wav", 20.0)),
        (" rest_429:Kick ", Fault("rest_429", "Kick")),
    ],
)
def test_how_a_fault_is_written(text: str, fault: Fault) -> None:
    """What, name, seconds, share and the how-manieth; names keep their hyphens."""
    assert fault == Fault.parse(text)


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("rest", ["", ":a*", ":a=7", ":a=0.5@0.25", "#3", ":hangup url=9#2"])
def test_a_fault_can_be_written_and_read_again(what: str, rest: str) -> None:
    """The text of a fault reads as the same fault."""
    fault = Fault.parse(f"{what}{rest}")

    assert fault == Fault.parse(str(fault))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "there are duplicate, delay"),
        ("duplicated", "did you mean duplicate?"),
        ("rest_501", "did you mean rest_"),
        ("delay=soon", "did you mean delay?"),
        ("delay=1.2.3", "did you mean delay?"),
        ("delay@0.5=2", "did you mean delay?"),
        ("drop#0", "did you mean drop?"),
        ("drop@0", "the share after @ is more than 0"),
        ("drop@1.5", "the share after @ is more than 0"),
    ],
)
def test_what_is_no_fault(text: str, hint: str) -> None:
    """A text that describes no fault is refused with what to write instead."""
    with pytest.raises(FaultError, match=r"“.*”") as refused:
        Fault.parse(text)

    assert hint in str(refused.value)


def test_a_fault_strikes_at_its_kind_and_name() -> None:
    """Other kinds and other names are left alone; a name is a pattern."""
    faults = Faults.parse(["drop:ex*"], 1)

    assert [True, True, False, False] == [
        faults.strike("drop", "exit") is not None,
        faults.strike("drop", "example") is not None,
        faults.strike("drop", "enter") is not None,
        faults.strike("delay", "exit") is not None,
    ]


def test_the_nth_of_each_name() -> None:
    """A fault for the nth request counts each name by itself."""
    faults = Faults.parse(["drop#2"], 1)
    names = ["enter", "exit", "enter", "exit", "exit"]

    assert [False, False, True, True, False] == [
        faults.strike("drop", name) is not None for name in names
    ]


def test_several_of_one_name() -> None:
    """Each rule counts all requests, so that the first three can be struck by three rules."""
    faults = Faults.parse([f"rest_500:Conference#{number}" for number in (1, 2, 3)], 1)

    struck = [faults.strike("rest_500", "Conference") for _ in range(5)]
    assert [1, 2, 3, None, None] == [rule and rule.nth for rule in struck]


def test_a_share_strikes_about_that_often() -> None:
    """A share is the probability of each request, and the seed decides which ones are struck."""
    rule = Fault.parse("drop@0.25")

    def struck(seed: int) -> list[bool]:
        faults = Faults((rule,), Random(seed))
        return [faults.strike("drop", "x") is not None for _ in range(2000)]

    assert struck(1) == struck(1) != struck(2)
    assert 400 < sum(struck(1)) < 600


def test_the_first_rule_that_strikes_counts() -> None:
    """Of several rules the first one strikes, with its own seconds."""
    faults = Faults.parse(["delay:exit=1", "delay=2"], 1)

    assert [1.0, 2.0] == [
        rule.seconds
        for name in ("exit", "enter")
        if (rule := faults.strike("delay", name)) is not None
    ]


def test_without_rules_nothing_strikes() -> None:
    """No rules, no faults."""
    assert [None] * len(WHATS) == [Faults().strike(what, "x") for what in WHATS]
