"""conference: a welcome, a PIN if there is one, then a room until star is pressed.

| parameter | type | meaning |
|---|---|---|
| id | text or number | the room: calls with the same id meet |
| welcome | rt_media | heard first of all |
| pin_code | up to 10 digits | what has to be typed, with `#` after it; empty = no question |
| pin_prompt | rt_media | the question, asked again until a PIN is typed |
| pin_error | rt_media | heard after a wrong PIN |
| pin_valid | rt_media | heard after the right PIN |
| pin_max_tries | int | how often the PIN is asked for |
| pin_wait | int | s to wait for a key |
| user_join, user_leave | rt_media | heard in the room when somebody joins or leaves |
| waiting | rt_media | heard again and again by whoever is alone |
| auto_leave_when_alone | bool | leave when everybody else has left; not when joining first |
| auto_leave_announce | rt_media | heard after having left for being alone |

| result | meaning |
|---|---|
| "CONFERENCE_CLOSED" | the room was closed |
| "LAST_PARTICIPANT" | the caller was the last one and was sent out |
| "LEFT_CONFERENCE" | the caller pressed star |
| "PIN_ERROR" | a PIN was typed, but never the right one |
| "PIN_TIMEOUT" | no PIN was typed |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import Broken, ConferenceLeft, DigitsReceived, DocumentEnded, HungUp

WELCOME = "TTS|TTS_EN-GB_DANIEL|Welcome."
PIN: dict[str, Any] = {
    "id": "7",
    "pin_code": "1234",
    "pin_prompt": "TTS|TTS_EN-GB_DANIEL|PIN?",
    "pin_error": "TTS|TTS_EN-GB_DANIEL|Wrong.",
    "pin_valid": "TTS|TTS_EN-GB_DANIEL|Right.",
}
ROOM = """
    <Response>
      <Conference action="https://bridge.test/next/conference"
        callbackUrl="https://bridge.test/notice/room" hangupOnStar="true" stayAlone="true"
        maxMembers="20" timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
ROOM_LEFT_WHEN_ALONE = """
    <Response>
      <Conference action="https://bridge.test/next/conference"
        callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
        stayAlone="true" maxMembers="20"
        timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
ASK = """
    <Response>
      <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
        numDigits="20" finishOnKey="#" retries="1" log="false">
        <Speak voice="MAN" language="en-GB">PIN?</Speak>
      </GetDigits>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
WRONG_ASK = """
    <Response>
      <Speak voice="MAN" language="en-GB">Wrong.</Speak>
      <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
        numDigits="20" finishOnKey="#" retries="1" log="false">
        <Speak voice="MAN" language="en-GB">PIN?</Speak>
      </GetDigits>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
WRONG = """
    <Response>
      <Speak voice="MAN" language="en-GB">Wrong.</Speak>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
RIGHT_ROOM = """
    <Response>
      <Speak voice="MAN" language="en-GB">Right.</Speak>
      <Conference action="https://bridge.test/next/conference"
        callbackUrl="https://bridge.test/notice/room" hangupOnStar="true" stayAlone="true"
        maxMembers="20" timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
SILENT_ASK = """
    <Response>
      <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
        numDigits="20" finishOnKey="#" retries="1" log="false"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
DAY_MS = 86_400_000


# --- the room -----------------------------------------------------------------------------------


def test_star_leaves_the_room() -> None:
    """Whoever comes out of the room without having been sent out pressed star."""
    assert (
        Playbook("conference", {"id": "7"})
        >> Document(ROOM)
        << ConferenceLeft("", "conf-1", 60_000)
        >> Result("LEFT_CONFERENCE")
    )


@pytest.mark.parametrize("reason", ["LAST_PARTICIPANT", "CONFERENCE_CLOSED"])
@pytest.mark.parametrize("elapsed_ms", [60_000, DAY_MS])
def test_reason_of_the_bridge_is_the_result(reason: Any, elapsed_ms: int) -> None:
    """Whom the bridge sent out comes with its reason, which goes before the clock."""
    assert (
        Playbook("conference", {"id": "7"})
        >> Document(ROOM)
        << ConferenceLeft(reason, "conf-1", elapsed_ms)
        >> Result(reason)
    )


@pytest.mark.parametrize(
    ("elapsed_ms", "result"),
    [(DAY_MS - 1, "LEFT_CONFERENCE"), (DAY_MS, "CONFERENCE_CLOSED")],
)
def test_room_closed_by_time(elapsed_ms: int, result: str) -> None:
    """After the 24 h a room lasts at Plivo, it was closed and nobody pressed star."""
    assert (
        Playbook("conference", {"id": "7"})
        >> Document(ROOM)
        << ConferenceLeft("", "conf-1", elapsed_ms)
        >> Result(result)
    )


def test_full_room_is_an_error() -> None:
    """Plivo skips Conference when the room is full, and the document comes to its end."""
    assert (
        Playbook("conference", {"id": "7"})
        >> Document(ROOM)
        << DocumentEnded(300)
        >> Error("ROOM_FULL", "the room 7 already has 20 members")
    )


@pytest.mark.parametrize("room_id", ["7", 7])
def test_id_may_be_a_number(room_id: object) -> None:
    """The number 7 and the text "7" are the same room, and that of simple_conference too."""
    assert Playbook("conference", {"id": room_id}) >> Document(ROOM) >> ...


@pytest.mark.parametrize("sent", [True, "true", "TRUE", 1, "1"])
def test_leaving_when_alone(sent: object) -> None:
    """auto_leave_when_alone sends the room's notices where kicks are decided."""
    assert (
        Playbook("conference", {"id": "7", "auto_leave_when_alone": sent})
        >> Document(ROOM_LEFT_WHEN_ALONE)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", 60_000)
        >> Result("LAST_PARTICIPANT")
    )


@pytest.mark.parametrize("sent", [None, "", False, "false", 0, "0"])
def test_staying_alone_is_the_default(sent: object) -> None:
    """auto_leave_when_alone is false when left out."""
    params = {"id": "7", "auto_leave_when_alone": sent}

    assert Playbook("conference", params) >> Document(ROOM) >> ...


def test_without_rest_the_room_itself_ends() -> None:
    """Nobody can be kicked without REST: stayAlone="false" ends the room for the last one."""
    assert (
        Playbook("conference", {"id": "7", "auto_leave_when_alone": True}, rest=False)
        >> Document("""
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
                stayAlone="false" maxMembers="20"
                timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", 60_000)
        >> Result("LAST_PARTICIPANT")
    )


def test_without_rest_one_may_stay_alone() -> None:
    """Without REST, a caller who did not ask to leave keeps the room open."""
    assert Playbook("conference", {"id": "7"}, rest=False) >> Document(ROOM) >> ...


ALONE: dict[str, Any] = {
    "id": "7",
    "auto_leave_when_alone": True,
    "auto_leave_announce": "TTS|TTS_EN-GB_DANIEL|You are alone.",
}


def test_last_participant_hears_why() -> None:
    """auto_leave_announce is played to the one who was sent out, before the result."""
    assert (
        Playbook("conference", ALONE)
        >> Document(ROOM_LEFT_WHEN_ALONE)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", 60_000)
        >> Document("""
            <Response>
              <Speak voice="MAN" language="en-GB">You are alone.</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2000)
        >> Result("LAST_PARTICIPANT")
    )


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (ConferenceLeft("", "conf-1", 60_000), "LEFT_CONFERENCE"),
        (ConferenceLeft("CONFERENCE_CLOSED", "conf-1", 60_000), "CONFERENCE_CLOSED"),
        (ConferenceLeft("", "conf-1", DAY_MS), "CONFERENCE_CLOSED"),
    ],
)
def test_only_the_last_participant_hears_why(event: ConferenceLeft, result: str) -> None:
    """Whoever left in another way does not hear auto_leave_announce."""
    assert (
        Playbook("conference", ALONE) >> Document(ROOM_LEFT_WHEN_ALONE) << event >> Result(result)
    )


# --- sounds -------------------------------------------------------------------------------------


def test_welcome_comes_before_the_room() -> None:
    """Without a PIN, the welcome is followed by the room in one document."""
    assert (
        Playbook(
            "conference", {"id": "7", "welcome": 42}, library={"42": "https://media.test/42.mp3"}
        )
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room" hangupOnStar="true"
                stayAlone="true" maxMembers="20"
                timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << ConferenceLeft("", "conf-1", 60_000)
        >> Result("LEFT_CONFERENCE")
    )


@pytest.mark.parametrize(
    ("param", "attribute"),
    [("user_join", "enterSound"), ("user_leave", "exitSound"), ("waiting", "waitSound")],
)
def test_sound_of_the_room(param: str, attribute: str) -> None:
    """Each sound of the room is a hosted document of sounds."""
    assert (
        Playbook("conference", {"id": "7", param: "TTS|TTS_EN-GB_DANIEL|Bing"})
        >> Document(
            f"""
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room" hangupOnStar="true"
                stayAlone="true" maxMembers="20" timeLimit="86400"
                {attribute}="https://bridge.test/sounds/1">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            sounds=('<Response><Speak voice="MAN" language="en-GB">Bing</Speak></Response>',),
        )
        >> ...
    )


def test_three_sounds_of_the_room() -> None:
    """Joining, leaving and waiting have sounds of their own."""
    params = {
        "id": "7",
        "user_join": 1,
        "user_leave": "2",
        "waiting": "TTS|TTS_EN-GB_DANIEL|Patience",
    }
    library = {"1": "https://media.test/in.mp3", "2": "https://media.test/out.mp3"}
    assert (
        Playbook("conference", params, library=library)
        >> Document(
            """
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room" hangupOnStar="true"
                stayAlone="true" maxMembers="20" timeLimit="86400"
                enterSound="https://bridge.test/sounds/1"
                exitSound="https://bridge.test/sounds/2"
                waitSound="https://bridge.test/sounds/3">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
            """,
            sounds=(
                "<Response><Play>https://media.test/in.mp3</Play></Response>",
                "<Response><Play>https://media.test/out.mp3</Play></Response>",
                '<Response><Speak voice="MAN" language="en-GB">Patience</Speak></Response>',
            ),
        )
        >> ...
    )


@pytest.mark.parametrize(
    "param",
    [
        "welcome",
        "pin_prompt",
        "pin_error",
        "pin_valid",
        "user_join",
        "user_leave",
        "waiting",
        "auto_leave_announce",
    ],
)
def test_unknown_media_is_an_error(param: str) -> None:
    """Every sound is looked up before the caller is asked for anything."""
    assert Playbook("conference", {"id": "7", "pin_code": "1", param: 9}) >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 9: add it to the bridge's media settings"
    )


@pytest.mark.parametrize("nothing", [0, "0", "", None])
def test_no_media(nothing: object) -> None:
    """Sounds that are left out in any spelling leave nothing behind."""
    params = {
        "id": "7",
        "welcome": nothing,
        "pin_code": "",
        "pin_prompt": nothing,
        "pin_error": nothing,
        "pin_valid": nothing,
        "user_join": nothing,
        "user_leave": nothing,
        "waiting": nothing,
        "auto_leave_announce": nothing,
    }
    assert Playbook("conference", params) >> Document(ROOM) >> ...


# --- the PIN ------------------------------------------------------------------------------------


def test_right_pin_at_once() -> None:
    """The right PIN leads to pin_valid and the room in one document."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("1234", 4000)
        >> Document(RIGHT_ROOM)
        << ConferenceLeft("", "conf-1", 60_000)
        >> Result("LEFT_CONFERENCE")
    )


def test_welcome_comes_before_the_first_question_only() -> None:
    """The welcome is not repeated with the question, nor before the room."""
    assert (
        Playbook("conference", {**PIN, "welcome": WELCOME})
        >> Document("""
            <Response>
              <Speak voice="MAN" language="en-GB">Welcome.</Speak>
              <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
                numDigits="20" finishOnKey="#" retries="1" log="false">
                <Speak voice="MAN" language="en-GB">PIN?</Speak>
              </GetDigits>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(7000)
        >> Document(ASK)
        << DigitsReceived("1234", 4000)
        >> Document(RIGHT_ROOM)
        >> ...
    )


def test_right_pin_after_a_wrong_one() -> None:
    """A wrong PIN is answered with pin_error and the question again."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("9999", 4000)
        >> Document(WRONG_ASK)
        << DigitsReceived("1234", 4000)
        >> Document(RIGHT_ROOM)
        << ConferenceLeft("", "conf-1", 60_000)
        >> Result("LEFT_CONFERENCE")
    )


def test_right_pin_at_the_last_try() -> None:
    """The third try is as good as the first."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("9999")
        >> Document(WRONG_ASK)
        << DocumentEnded(6000)
        >> Document(ASK)
        << DigitsReceived("1234")
        >> Document(RIGHT_ROOM)
        >> ...
    )


def test_wrong_until_the_last_try() -> None:
    """Three wrong PINs are PIN_ERROR; pin_error is heard after each of them."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("1")
        >> Document(WRONG_ASK)
        << DigitsReceived("12345")
        >> Document(WRONG_ASK)
        << DigitsReceived("4321")
        >> Document(WRONG)
        << DocumentEnded(1000)
        >> Result("PIN_ERROR")
    )


def test_silence_until_the_last_try() -> None:
    """Without any PIN the question is asked three times, then PIN_TIMEOUT without pin_error."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Result("PIN_TIMEOUT")
    )


def test_silence_then_a_wrong_pin() -> None:
    """One wrong PIN among the tries makes it PIN_ERROR."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Document(ASK)
        << DigitsReceived("9999")
        >> Document(WRONG)
        << DocumentEnded(1000)
        >> Result("PIN_ERROR")
    )


def test_a_wrong_pin_then_silence() -> None:
    """Silence at the end does not undo the wrong PIN, and is not answered with pin_error."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("9999")
        >> Document(WRONG_ASK)
        << DocumentEnded(7000)
        >> Document(ASK)
        << DocumentEnded(6000)
        >> Result("PIN_ERROR")
    )


def test_hash_alone_is_no_pin() -> None:
    """`#` without a key before it uses up a try like silence."""
    assert (
        Playbook("conference", {**PIN, "pin_max_tries": 2})
        >> Document(ASK)
        << DigitsReceived("")
        >> Document(ASK)
        << DigitsReceived("")
        >> Result("PIN_TIMEOUT")
    )


def test_hash_alone_then_a_wrong_pin() -> None:
    """`#` alone does not count as a PIN, the wrong one after it does."""
    assert (
        Playbook("conference", {**PIN, "pin_max_tries": 2})
        >> Document(ASK)
        << DigitsReceived("")
        >> Document(ASK)
        << DigitsReceived("*")
        >> Document(WRONG)
        << DocumentEnded(1000)
        >> Result("PIN_ERROR")
    )


def test_wrong_pin_without_pin_error() -> None:
    """Without pin_error the question simply comes again, and the end comes at once."""
    params = {**PIN, "pin_error": "", "pin_max_tries": 2}
    assert (
        Playbook("conference", params)
        >> Document(ASK)
        << DigitsReceived("9999")
        >> Document(ASK)
        << DigitsReceived("9999")
        >> Result("PIN_ERROR")
    )


def test_silent_question() -> None:
    """Without sounds the PIN is awaited in silence, and the room follows the right one."""
    assert (
        Playbook("conference", {"id": "7", "pin_code": "1234"})
        >> Document(SILENT_ASK)
        << DigitsReceived("1234")
        >> Document(ROOM)
        >> ...
    )


def test_event_of_another_verb_is_no_pin() -> None:
    """Whatever brings the call back without keys uses up a try."""
    assert (
        Playbook("conference", {**PIN, "pin_max_tries": 1})
        >> Document(ASK)
        << ConferenceLeft("", "conf-1", 1)
        >> Result("PIN_TIMEOUT")
    )


def test_full_room_after_the_right_pin() -> None:
    """Whether there is room is only known once Plivo tries."""
    assert (
        Playbook("conference", PIN)
        >> Document(ASK)
        << DigitsReceived("1234")
        >> Document(RIGHT_ROOM)
        << DocumentEnded(900)
        >> Error("ROOM_FULL", "the room 7 already has 20 members")
    )


@pytest.mark.parametrize(("sent", "tries"), [(1, 1), (2, 2), ("2", 2), (0, 3), (None, 3), ("", 3)])
def test_pin_max_tries(sent: object, tries: int) -> None:
    """pin_max_tries is how often the question is asked; 0 and nothing mean 3."""
    playbook = Playbook("conference", {**PIN, "pin_max_tries": sent})
    for _ in range(tries):
        playbook = playbook >> Document(ASK) << DocumentEnded(6000)

    assert playbook >> Result("PIN_TIMEOUT")


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(1, "1"), ("7", "7"), (300, "300"), (0, "5"), (None, "5"), ("", "5")],
)
def test_pin_wait(sent: object, seconds: str) -> None:
    """pin_wait is the time for the first and for every further key; 0 and nothing mean 5 s."""
    assert (
        Playbook("conference", {"id": "7", "pin_code": "1234", "pin_wait": sent})
        >> Document(f"""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="{seconds}"
                digitTimeout="{seconds}" numDigits="20" finishOnKey="#" retries="1" log="false"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("sent", "typed"), [("0", "0"), ("0000000000", "0000000000"), (1234, "1234"), ("0007", "0007")]
)
def test_pin_code(sent: object, typed: str) -> None:
    """A PIN has 1 to 10 digits, as text or as a number; leading zeros count."""
    assert (
        Playbook("conference", {"id": "7", "pin_code": sent})
        >> Document(SILENT_ASK)
        << DigitsReceived(typed)
        >> Document(ROOM)
        >> ...
    )


@pytest.mark.parametrize("sent", ["", None])
def test_no_pin_code(sent: object) -> None:
    """An empty PIN joins without a question."""
    assert Playbook("conference", {**PIN, "pin_code": sent}) >> Document(ROOM) >> ...


# --- what is refused, and how it may end ----------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "conference.id: Field required"),
        ({"id": ""}, "conference.id: Field required"),
        ({"id": "x" * 201}, "conference.id: String should have at most 200 characters"),
        (
            {"id": "7", "pin_code": "12345678901"},
            "conference.pin_code: String should match pattern '^[0-9]{0,10}$'",
        ),
        (
            {"id": "7", "pin_code": "12#4"},
            "conference.pin_code: String should match pattern '^[0-9]{0,10}$'",
        ),
        (
            {"id": "7", "pin_max_tries": -1},
            "conference.pin_max_tries: Input should be greater than or equal to 0",
        ),
        (
            {"id": "7", "pin_max_tries": 101},
            "conference.pin_max_tries: Input should be less than or equal to 100",
        ),
        (
            {"id": "7", "pin_wait": -1},
            "conference.pin_wait: Input should be greater than or equal to 0",
        ),
        (
            {"id": "7", "pin_wait": 301},
            "conference.pin_wait: Input should be less than or equal to 300",
        ),
        (
            {"id": "7", "auto_leave_when_alone": "maybe"},
            "conference.auto_leave_when_alone: Input should be a valid boolean, unable to interpret input",
        ),
        (
            {"id": "7", "welcome": "hello"},
            (
                "conference.welcome: a media id (a number), 0 or empty for no media, "
                "or TTS|VOICE|text is expected, not other text"
            ),
        ),
    ],
)
def test_bad_params(params: dict[str, Any], sentence: str) -> None:
    """A param that is missing or out of range is refused with its name."""
    assert Playbook("conference", params) >> Error("INVALID_PARAMS", sentence)


def test_hang_up_during_the_question() -> None:
    """A caller who hangs up while typing ends the command without a result."""
    assert Playbook("conference", PIN) >> Document(ASK) << HungUp() >> CallEnded()


def test_hang_up_in_the_room() -> None:
    """A caller who hangs up in the room ends the command without a result."""
    assert Playbook("conference", {"id": "7"}) >> Document(ROOM) << HungUp() >> CallEnded()


def test_break_in_the_room() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("conference", {"id": "7"})
        >> Document(ROOM)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
