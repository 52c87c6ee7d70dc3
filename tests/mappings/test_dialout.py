"""dialout: call numbers one after the other and join the first that answers to the caller.

| parameter | type | meaning |
|---|---|---|
| targets | list of {number, timeout} | whom to ring, in this order; timeout in s, 5 to 300 |
| cli | E.164 or "BLOCKED" | the number the callee sees |
| ringtone | "MUSIC" or "RING" | what the caller hears meanwhile |
| whisper | rt_media | what the callee hears before the calls are joined |
| cdr_field | up to 32 letters and digits | the app's own mark for its records |

| result | meaning |
|---|---|
| "NOANSWER" | nobody answered |

After a conversation both calls end, so that the app sees HANGUP instead of a result.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import Note
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import Broken, DialEnded, DigitsReceived, DocumentEnded, HungUp
from mappings.dialout import dialout

ALICE = "+33612345678"
BOB = "+447890123456"
OWN = "+33100000000"
RING_ALICE = """
    <Response>
      <Dial action="https://bridge.test/next/dial" callbackUrl="https://bridge.test/notice/dial"
        timeout="30" timeLimit="14400" dialMusic="real" callerId="33100000000">
        <Number>33612345678</Number>
      </Dial>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
RING_BOB = """
    <Response>
      <Dial action="https://bridge.test/next/dial" callbackUrl="https://bridge.test/notice/dial"
        timeout="20" timeLimit="14400" dialMusic="real" callerId="33100000000">
        <Number>447890123456</Number>
      </Dial>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
HANG_UP = "<Response><Hangup/></Response>"
ONE: dict[str, Any] = {"targets": [{"number": ALICE}]}
TWO: dict[str, Any] = {"targets": [{"number": ALICE}, {"number": BOB, "timeout": 20}]}


def test_conversation_over_hangs_up() -> None:
    """When the joined calls part, the caller's call ends too, and there is no result."""
    assert (
        Playbook("dialout", ONE, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded("completed", "NORMAL_CLEARING", 90_000)
        >> Document(HANG_UP)
        << HungUp()
        >> CallEnded()
    )


def test_hang_up_that_brings_the_call_back_ends_empty() -> None:
    """Should Plivo fetch a document after Hangup, the command has nothing more to do."""
    assert (
        Playbook("dialout", ONE, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded("completed")
        >> Document(HANG_UP)
        << DocumentEnded(1)
        >> Result("")
    )


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("busy", "USER_BUSY"),
        ("no-answer", "NO_ANSWER"),
        ("failed", "UNALLOCATED_NUMBER"),
        ("timeout", "ORIGINATOR_CANCEL"),
        ("cancel", ""),
        ("", ""),
    ],
)
def test_target_that_was_not_reached_makes_room_for_the_next(status: str, cause: str) -> None:
    """Whatever kept a target from answering, the next one is rung."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded(status, cause, 30_000)
        >> Document(RING_BOB)
        << DialEnded("completed", "NORMAL_CLEARING", 60_000)
        >> Document(HANG_UP)
        << HungUp()
        >> CallEnded()
    )


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "timeout", "cancel"])
def test_nobody_answered(status: str) -> None:
    """After the last target the result is NOANSWER, however that one failed."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded("no-answer", "NO_ANSWER", 30_000)
        >> Document(RING_BOB)
        << DialEnded(status, "", 20_000)
        >> Result("NOANSWER")
    )


def test_fall_through_counts_as_no_answer() -> None:
    """A Dial whose action was never fetched leaves the target unreached."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN)
        >> Document(RING_ALICE)
        << DocumentEnded(100)
        >> Document(RING_BOB)
        << DocumentEnded(100)
        >> Result("NOANSWER")
    )


def test_event_of_another_verb_counts_as_no_answer() -> None:
    """Keys are no answer of a target."""
    assert (
        Playbook("dialout", ONE, caller_id=OWN)
        >> Document(RING_ALICE)
        << DigitsReceived("1")
        >> Result("NOANSWER")
    )


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (5, "5"),
        (30, "30"),
        ("45", "45"),
        (120, "120"),
        (121, "120"),
        (300, "120"),
        (None, "30"),
        ("", "30"),
    ],
)
def test_target_timeout(sent: object, seconds: str) -> None:
    """The timeout is the ring time: 5 to 300 s, 30 when left out, cut at the 120 s Plivo rings."""
    assert (
        Playbook("dialout", {"targets": [{"number": ALICE, "timeout": sent}]}, caller_id=OWN)
        >> Document(f"""
            <Response>
              <Dial action="https://bridge.test/next/dial"
                callbackUrl="https://bridge.test/notice/dial" timeout="{seconds}"
                timeLimit="14400" dialMusic="real" callerId="33100000000">
                <Number>33612345678</Number>
              </Dial>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    "number", ["+33612345678", "33612345678", 33612345678, "0033612345678", "+33 6 12 34 56 78"]
)
def test_target_number(number: object) -> None:
    """A number may lack its plus, be a JSON number or hold spaces."""
    assert (
        Playbook("dialout", {"targets": [{"number": number}]}, caller_id=OWN)
        >> Document(RING_ALICE)
        >> ...
    )


def test_unknown_fields_of_a_target_are_ignored() -> None:
    """A target may carry what only the app understands."""
    assert (
        Playbook("dialout", {"targets": [{"number": ALICE, "who": "Alice"}]}, caller_id=OWN)
        >> Document(RING_ALICE)
        >> ...
    )


@pytest.mark.parametrize("cli", ["+447890123456", "447890123456", 447890123456])
def test_cli_is_presented(cli: object) -> None:
    """A number in cli is what the callee sees."""
    assert (
        Playbook("dialout", {**ONE, "cli": cli}, caller_id=OWN)
        >> Document("""
            <Response>
              <Dial action="https://bridge.test/next/dial"
                callbackUrl="https://bridge.test/notice/dial" timeout="30" timeLimit="14400"
                dialMusic="real" callerId="447890123456">
                <Number>33612345678</Number>
              </Dial>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize("cli", ["BLOCKED", "blocked", "", None])
def test_blocked_presents_the_number_of_the_account(cli: object) -> None:
    """BLOCKED, the default, presents the configured number or the call's own, as the bridge finds it."""
    assert Playbook("dialout", {**ONE, "cli": cli}, caller_id=OWN) >> Document(RING_ALICE) >> ...


def test_blocked_never_presents_the_caller() -> None:
    """Without any number to present, Plivo would show the caller's: the command is refused."""
    assert Playbook("dialout", {**ONE, "cli": "BLOCKED"}, caller_id="") >> Error(
        "INVALID_PARAMS",
        "dialout.cli: BLOCKED has no number to stand in for the caller's: "
        "set BRIDGE_APP_BLOCKED_CALLER_ID",
    )


@pytest.mark.parametrize("cause", ["3030", "UNKNOWN_CALLER_ID", "Unknown Caller ID"])
def test_refused_caller_id_is_noted(cause: str) -> None:
    """A caller id the account may not present is logged under its own code; the next is rung."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded("failed", cause, 200)
        >> Does(Note("CALLER_ID_REFUSED", "dialout.cli: Plivo refused the caller id for target 0"))
        >> Document(RING_BOB)
        << DialEnded("failed", cause, 200)
        >> Does(Note("CALLER_ID_REFUSED", "dialout.cli: Plivo refused the caller id for target 1"))
        >> Result("NOANSWER")
    )


@pytest.mark.parametrize("params", [{}, {"ringtone": "RING"}, {"ringtone": None}])
def test_ring_is_the_real_tone(params: dict[str, Any]) -> None:
    """RING, the default, lets the caller hear the tone of the called network."""
    assert Playbook("dialout", {**ONE, **params}, caller_id=OWN) >> Document(RING_ALICE) >> ...


def test_music_is_our_own() -> None:
    """MUSIC plays the music the bridge ships, as a document of sounds."""
    assert (
        Playbook("dialout", {**ONE, "ringtone": "MUSIC"}, caller_id=OWN)
        >> Document(
            """
            <Response>
              <Dial action="https://bridge.test/next/dial"
                callbackUrl="https://bridge.test/notice/dial" timeout="30" timeLimit="14400"
                dialMusic="https://bridge.test/sounds/1" callerId="33100000000">
                <Number>33612345678</Number>
              </Dial>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            sounds=("<Response><Play>https://bridge.test/asset/music.wav</Play></Response>",),
        )
        >> ...
    )


def test_music_may_be_configured() -> None:
    """With a music file in the settings, MUSIC plays that."""
    assert (
        Playbook(
            "dialout",
            {**ONE, "ringtone": "MUSIC"},
            caller_id=OWN,
            dial_music_url="https://media.test/hold.mp3",
        )
        >> Document(
            """
            <Response>
              <Dial action="https://bridge.test/next/dial"
                callbackUrl="https://bridge.test/notice/dial" timeout="30" timeLimit="14400"
                dialMusic="https://bridge.test/sounds/1" callerId="33100000000">
                <Number>33612345678</Number>
              </Dial>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            sounds=("<Response><Play>https://media.test/hold.mp3</Play></Response>",),
        )
        >> ...
    )


WHISPERED = """
    <Response>
      <Dial action="https://bridge.test/next/dial" callbackUrl="https://bridge.test/notice/dial"
        timeout="30" timeLimit="14400" dialMusic="real" callerId="33100000000"
        confirmSound="https://bridge.test/sounds/1">
        <Number>33612345678</Number>
      </Dial>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


def test_whisper_says_a_text() -> None:
    """A text is said to the callee before the calls are joined."""
    assert (
        Playbook("dialout", {**ONE, "whisper": "TTS|TTS_EN-GB_DANIEL|A shop call"}, caller_id=OWN)
        >> Document(
            WHISPERED,
            sounds=(
                '<Response><Speak voice="MAN" language="en-GB">A shop call</Speak></Response>',
            ),
        )
        >> ...
    )


@pytest.mark.parametrize("whisper", [7, "7"])
def test_whisper_plays_a_file(whisper: object) -> None:
    """A library id is played to the callee."""
    assert (
        Playbook(
            "dialout",
            {**ONE, "whisper": whisper},
            caller_id=OWN,
            library={"7": "https://media.test/7.mp3"},
        )
        >> Document(
            WHISPERED, sounds=("<Response><Play>https://media.test/7.mp3</Play></Response>",)
        )
        >> ...
    )


def test_whisper_and_music_are_two_documents() -> None:
    """The callee's sound and the caller's music do not mix, and every target gets both."""
    sounds = (
        "<Response><Play>https://bridge.test/asset/music.wav</Play></Response>",
        '<Response><Speak voice="MAN" language="en-GB">Hello</Speak></Response>',
    )
    first, second = (
        Document(
            f"""
            <Response>
              <Dial action="https://bridge.test/next/dial"
                callbackUrl="https://bridge.test/notice/dial" timeout="{seconds}"
                timeLimit="14400" dialMusic="https://bridge.test/sounds/1"
                confirmSound="https://bridge.test/sounds/2" callerId="33100000000">
                <Number>{number}</Number>
              </Dial>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            sounds=sounds,
        )
        for number, seconds in (("33612345678", 30), ("447890123456", 20))
    )
    params = {**TWO, "whisper": "TTS|TTS_EN-GB_DANIEL|Hello", "ringtone": "MUSIC"}
    assert (
        Playbook("dialout", params, caller_id=OWN)
        >> first
        << DialEnded("busy", "USER_BUSY", 900)
        >> second
        << DialEnded("busy", "USER_BUSY", 900)
        >> Result("NOANSWER")
    )


@pytest.mark.parametrize("whisper", [0, "0", "", None, False])
def test_no_whisper(whisper: object) -> None:
    """No media means the calls are joined at once."""
    assert (
        Playbook("dialout", {**ONE, "whisper": whisper}, caller_id=OWN)
        >> Document(RING_ALICE)
        >> ...
    )


def test_unknown_whisper_is_an_error() -> None:
    """A callee must not be called for a sound that does not exist."""
    assert Playbook("dialout", {**ONE, "whisper": 7}, caller_id=OWN) >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 7: add it to the bridge's media settings"
    )


@pytest.mark.parametrize("mark", ["", "000CUSTOMFIELD42", "a" * 32, 42, None])
def test_cdr_field_does_not_change_the_call(mark: object) -> None:
    """cdr_field is for the records; Plivo never sees it."""
    assert (
        Playbook("dialout", {**ONE, "cdr_field": mark}, caller_id=OWN)
        >> Document(RING_ALICE)
        >> ...
    )


def test_cdr_field_and_outcome_are_in_the_history() -> None:
    """The history of the call tells which mark went with which target, and how each one ended."""
    playbook = (
        Playbook("dialout", {**TWO, "cdr_field": "ORDER42"}, caller_id=OWN)
        >> Document(RING_ALICE)
        << DialEnded("busy", "USER_BUSY", 900)
        >> Document(RING_BOB)
        << DialEnded("no-answer", "NO_ANSWER", 20_000)
        >> Result("NOANSWER")
    )
    assert playbook
    history = json.loads(playbook.history("made up here"))

    _, name, _, _, params, _ = history["start"]
    assert "dialout" == name
    assert "ORDER42" == params["cdr_field"]
    assert [ALICE, BOB] == [target["number"] for target in params["targets"]]
    assert [
        ["e", "DialEnded", "busy", "USER_BUSY", 900],
        ["e", "DialEnded", "no-answer", "NO_ANSWER", 20_000],
    ] == [fact for fact in history["facts"] if fact[0] == "e"]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "dialout.targets: Field required"),
        ({"targets": []}, "dialout.targets: 1 to 100 targets are expected, not 0"),
        (
            {"targets": [{"number": ALICE}] * 101},
            "dialout.targets: 1 to 100 targets are expected, not 101",
        ),
        ({"targets": [{}]}, "dialout.targets.0.number: Field required"),
        (
            {"targets": [{"number": ALICE}, {"number": "12"}]},
            'dialout.targets.1.number: must be an international number such as "+33612345678": 7 to 15 digits',
        ),
        (
            {"targets": [{"number": ALICE, "timeout": 4}]},
            "dialout.targets.0.timeout: Input should be greater than or equal to 5",
        ),
        (
            {"targets": [{"number": ALICE, "timeout": 301}]},
            "dialout.targets.0.timeout: Input should be less than or equal to 300",
        ),
        (
            {**ONE, "cli": "anonymous"},
            'dialout.cli: must be an international number such as "+33612345678": 7 to 15 digits',
        ),
        ({**ONE, "ringtone": "BEEP"}, "dialout.ringtone: Input should be 'MUSIC' or 'RING'"),
        (
            {**ONE, "cdr_field": "a" * 33},
            "dialout.cdr_field: String should match pattern '^[A-Za-z0-9]{0,32}$'",
        ),
        (
            {**ONE, "cdr_field": "order 42"},
            "dialout.cdr_field: String should match pattern '^[A-Za-z0-9]{0,32}$'",
        ),
    ],
)
def test_bad_params(params: dict[str, Any], sentence: str) -> None:
    """A param that is missing or out of its documented range is refused with its name."""
    assert Playbook("dialout", params, caller_id=OWN) >> Error("INVALID_PARAMS", sentence)


def test_hang_up_while_ringing() -> None:
    """A caller who gives up while a target rings ends the command without a result."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN) >> Document(RING_ALICE) << HungUp() >> CallEnded()
    )


def test_break_while_ringing() -> None:
    """calls.realtime_break ends the command with an error, and no further target is rung."""
    assert (
        Playbook("dialout", TWO, caller_id=OWN)
        >> Document(RING_ALICE)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )


@pytest.mark.parametrize("number", [33612345678, 33612345678.0])
def test_number_of_json(number: float) -> None:
    """A target written as a JSON number is the number of that value."""
    params = dialout.read_params({"targets": [{"number": number}], "cli": number})

    assert ("+33612345678", "+33612345678") == (params.targets[0].number, params.cli)


@pytest.mark.parametrize("number", [-33612345678, 33612345678.5, True, [], None])
def test_number_that_is_none(number: object) -> None:
    """A negative number, a fraction or no number at all is refused by the name of the param."""
    with pytest.raises(CommandRefused, match=r"^INVALID_PARAMS: dialout\.targets\.0\.number: "):
        dialout.read_params({"targets": [{"number": number}]})
