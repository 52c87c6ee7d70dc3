from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bridge.testing.codegen.story import Step, Story, StoryError, tell
from bridge.testing.recording import Header, RecordedTurn

Recorded = Callable[..., list[RecordedTurn]]
PLAIN = Header(redact="none")


def steps(turns: list[RecordedTurn], header: Header = PLAIN) -> list[Step]:
    """Tell a call and give all its steps."""
    return [step for chapter in tell(turns, header).chapters for step in chapter.steps]


def hears(element: str, at: float = 0, leg: int = 0, **what: Any) -> dict[str, Any]:
    """Write an entry about something heard."""
    return {"at": at, "kind": "hears", "leg": leg, "element": element, **what}


def does(action: str, at: float = 0, leg: int = 0, **what: Any) -> dict[str, Any]:
    """Write an entry about something done."""
    return {"at": at, "kind": "does", "leg": leg, "action": action, **what}


def leg(number: int, state: str, code: str = "") -> list[dict[str, Any]]:
    """Write what is recorded when a party reaches a state."""
    ending = [{"kind": "ends", "leg": number, "code": code}] if code else []
    return [*ending, {"kind": "leg", "leg": number, "state": state}]


def test_story_begins_with_who_called_whom(recorded: Recorded) -> None:
    """Numbers and the caller's name are those of the first request."""
    story = tell(recorded(hears("Speak", text="Hi"), cli_name="Jean"), PLAIN)

    assert ("+33187654321", "+33612345678", "Jean") == (
        story.called,
        story.caller,
        story.caller_name,
    )


def test_chapters_are_the_commands_of_the_app(recorded: Recorded) -> None:
    """What happened before a turn was brought about by the command of the turn before."""
    first, *_ = recorded({"kind": "records", "seconds": -1})
    replied = first.model_copy(update={"reply": {"command": "play", "command_id": "wel\ncome"}})
    last = recorded(hears("Speak", text="Hi"))[0].model_copy(
        update={"number": 2, "after": ({"kind": "ends", "leg": 0, "code": "4000"},)}
    )

    chapters = tell([replied, last], PLAIN).chapters

    assert ["the call begins", "play (wel come)"] == [chapter.title for chapter in chapters]
    assert (
        Step("expect_prompt", ("Hi",)),
        Step("expect_ended", (), {"code": 4000}),
    ) == chapters[1].steps


def test_what_is_heard_is_expected(recorded: Recorded) -> None:
    """Texts, files and tones; what the simulation plays by itself is left out."""
    assert [
        Step("expect_prompt", ("Hello you",)),
        Step("expect_played", ("https://h/12.wav",)),
        Step("expect_tones", ("12#",)),
    ] == steps(
        recorded(
            hears("Speak", text=" Hello\n you "),
            hears("Play", url="https://h/12.wav?sig=***"),
            hears("Play", url="https://h/media/3033970bac48d953c9cb93a6770f62.wav"),
            hears("DTMF", tones="12#"),
            hears("beep"),
            hears("Speak", text=" "),
        )
    )


def test_long_prompts_are_expected_by_their_beginning(recorded: Recorded) -> None:
    """A prompt is cut between two words."""
    (step,) = steps(recorded(hears("Speak", text="word " * 200)))

    assert (("word " * 60).strip(),) == step.positional


def test_loops_are_expected_once(recorded: Recorded) -> None:
    """Three attempts are three prompts, the music of an empty room is one."""
    assert 3 == len(steps(recorded(*[hears("Speak", text="Your age?")] * 3)))
    assert 1 == len(steps(recorded(*[hears("Speak", text="You are alone.")] * 11)))


def test_keys_of_one_input_are_pressed_at_once(recorded: Recorded) -> None:
    """Keys are joined until something is heard in between, or another party presses."""
    assert [
        Step("press", ("42#",)),
        Step("expect_prompt", ("Again",)),
        Step("press", ("7",)),
        Step("press", ("1",), leg=1),
    ] == steps(
        recorded(
            *(does("press", keys=key) for key in "42#"),
            hears("Speak", text="Again"),
            does("press", keys="7"),
            does("press", keys="1", leg=1),
        )
    )


def test_speaking_ends_with_the_key_that_was_pressed(recorded: Recorded) -> None:
    """Without a key the caller falls silent."""
    assert [
        Step("expect_recording"),
        Step("speak", (4.0,)),
        Step("speak", (3.0,), {"key": "*"}),
        Step("speak", (2.0,), {"key": ""}),
        Step("say", ("yes",)),
    ] == steps(
        recorded(
            {"kind": "records", "seconds": -1.0},
            does("speak", seconds=4.0),
            does("press", keys="#"),
            {"kind": "records", "seconds": 4.0},
            does("speak", seconds=3.0),
            does("press", keys="*"),
            does("speak", seconds=2.0),
            does("say", text="yes"),
        )
    )


def test_pauses_of_people_are_waited_for(recorded: Recorded) -> None:
    """Hanging up and noise have a time of their own, long waits get a limit that is long enough."""
    assert [
        Step("expect_prompt", ("a",)),
        Step("wait", (2.5,)),
        Step("make_noise", (1,)),
        Step("expect_prompt", ("b",), {"within": 70}),
        Step("wait", (90.0,)),
        Step("press", ("1",)),
        Step("wait", (3.0,)),
        Step("hang_up"),
    ] == steps(
        recorded(
            hears("Speak", text="a"),
            does("noise", at=2.5, seconds=1),
            hears("Speak", at=62.0, text="b"),
            does("press", at=162.0, keys="1"),
            does("hang_up", at=165.0),
        )
    )


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([does("answer", leg=1), *leg(1, "answered")], [Step("answer", (), {"leg": 1})]),
        (leg(1, "answered"), [Step("answer", (), {"leg": 1})]),
        (leg(2, "connected"), [Step("expect_leg", (2, "connected"))]),
        (leg(1, "busy", "3010"), [Step("busy", (), {"leg": 1})]),
        (leg(1, "rejected", "3020"), [Step("reject", (), {"leg": 1})]),
        (leg(1, "failed", "3050"), [Step("fail", (), {"leg": 1})]),
        (leg(1, "failed", "3030"), [Step("fail", (), {"leg": 1, "code": 3030})]),
        (
            leg(1, "no-answer", "3000"),
            [Step("no_answer", (), {"leg": 1}), Step("expect_leg", (1, "no-answer"))],
        ),
        (leg(1, "no-answer", "6010"), [Step("expect_leg", (1, "no-answer"))]),
        (leg(1, "cancelled", "4000"), []),
        ([does("hang_up", leg=2)], [Step("hang_up", leg=2)]),
    ],
)
def test_parties_do_what_they_did(
    recorded: Recorded, entries: list[dict[str, Any]], expected: list[Step]
) -> None:
    """Every outcome of a dialled party becomes the action that brings it about, once."""
    assert expected == [s for s in steps(recorded(*entries)) if s.method != "expect_ended"]


def test_numbers_dialled_are_expected_in_order(recorded: Recorded) -> None:
    """At once is one expectation, one after the other is one each; numbers have a plus."""
    dials = [
        {"kind": "dials", "number": f"3319900000{n}", "caller_id": "33187654321"} for n in (1, 2)
    ]
    caller_id = {"caller_id": "+33187654321"}

    assert [Step("expect_dialled", (("+33199000001", "+33199000002"),), caller_id)] == steps(
        recorded(*dials)
    )
    assert [
        Step("expect_dialled", (("+33199000001",),), caller_id),
        Step("busy", (), {"leg": 1}),
        Step("expect_dialled", (("+33199000002",),), caller_id),
    ] == steps(recorded(dials[0], *leg(1, "busy"), dials[1]))
    assert [Step("expect_dialled", (("sip:a@b", "112"),))] == steps(
        recorded({"kind": "dials", "number": "sip:a@b"}, {"kind": "dials", "number": "112"})
    )


def test_masks_are_not_expected_of_the_app(recorded: Recorded) -> None:
    """Of the app's own numbers only those kept can be expected; those of the call come back."""
    call = recorded(
        {"kind": "dials", "leg": 1, "number": "33199000001", "caller_id": "33187654321"},
        {"kind": "dials", "leg": 2, "number": "33199000002", "caller_id": "33199000003"},
        {"kind": "dials", "leg": 3, "number": "33199000002", "caller_id": "33612345678"},
        hears("Speak", text="You are +33612345678, call +33199000001 now."),
        hears("Speak", text="+33199000001 is busy."),
        hears("Speak", text="Call +33 1 99 00 00 02 now."),
    )

    assert [
        Step("expect_leg", (1, "ringing")),
        Step("expect_dialled", (("+33199000002",),)),
        Step("expect_dialled", (("+33199000002",),), {"caller_id": "+33612345678"}),
        Step("expect_prompt", ("You are +33612345678, call",)),
        Step("expect_prompt", ("Call +33 1 99 00 00 02 now.",)),
    ] == steps(call, Header(redact="numbers", kept=("+33199000002",)))


def test_rooms_and_ends_are_expected(recorded: Recorded) -> None:
    """Entering with the number of members; the end with who ended it and Plivo's code."""
    assert [
        Step("expect_room", (), {"members": 2}),
        Step("expect_room"),
        Step("expect_ended", (), {"by": "caller", "code": 4000}),
        Step("expect_ended"),
    ] == steps(
        recorded(
            {"kind": "room", "action": "enter", "members": 2},
            {"kind": "room", "action": "exit", "members": 1},
            {"kind": "room", "action": "enter"},
            {"kind": "ends", "source": "Caller", "code": "4000"},
            {"kind": "ends", "source": "Nobody", "code": ""},
            {"kind": "ends", "source": "Callee", "code": "4000", "leg": 1},
        )
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"command": "read", "command_result": "42"}, [Step("expect_result", ("42",))]),
        (
            {"command": "dialout", "command_result": "NOANSWER"},
            [Step("expect_result", ("NOANSWER",))],
        ),
        ({"command": "play", "command_result": "0"}, []),
        ({"command": "record", "command_result": "rec1"}, []),
        ({"command": "read", "command_result": ""}, []),
        (
            {"command": "read", "command_error": "INVALID_PARAMS: read.attempts: …"},
            [Step("expect_error", ("INVALID_PARAMS",))],
        ),
    ],
)
def test_results_that_say_something_are_expected(
    recorded: Recorded, request_: dict[str, Any], expected: list[Step]
) -> None:
    """Keys, outcomes and errors are expected; names that differ in every run are not."""
    assert [Step("expect_prompt", ("x",)), *expected] == steps(
        recorded(hears("Speak", text="x"), **request_)
    )


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "what the caller heard and did was not recorded; it can be verified, not generated"),
        (
            {"request_hash": "X"},
            "it was placed by the app, and a test begins with a phone that calls",
        ),
    ],
)
def test_calls_that_cannot_become_tests_are_refused(
    recorded: Recorded, request_: dict[str, Any], sentence: str
) -> None:
    """Without the phone's side, or without a phone that called, there is nothing to write."""
    with pytest.raises(StoryError) as caught:
        tell(recorded(**request_), PLAIN)

    assert sentence == str(caught.value)


def test_story_without_numbers(recorded: Recorded) -> None:
    """A hidden caller is told as one."""
    story: Story = tell(recorded(hears("Speak", text="x"), cli_number=""), PLAIN)

    assert "" == story.caller
