"""simple_conference: meet the other calls that join the same room, until star is pressed.

| parameter | type | meaning |
|---|---|---|
| id | text or number | the room: calls with the same id meet |
| auto_leave_when_alone | bool | leave when everybody else has left; not when joining first |

Results are not documented; those of `conference` that need no PIN are given:

| result | meaning |
|---|---|
| "CONFERENCE_CLOSED" | the room was closed |
| "LAST_PARTICIPANT" | the caller was the last one and was sent out |
| "LEFT_CONFERENCE" | the caller pressed star |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import Broken, ConferenceLeft, DigitsReceived, DocumentEnded, HungUp
from mappings.simple_conference import room_name

ROOM_7 = """
    <Response>
      <Conference action="https://bridge.test/next/conference"
        callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
        stayAlone="true" maxMembers="20" timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
ROOM_7_STAYING = """
    <Response>
      <Conference action="https://bridge.test/next/conference"
        callbackUrl="https://bridge.test/notice/room" hangupOnStar="true"
        stayAlone="true" maxMembers="20" timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
DAY_MS = 86_400_000


def test_star_leaves_the_room() -> None:
    """Whoever comes out of the room without having been sent out pressed star."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << ConferenceLeft("", "conf-1", 60_000)
        >> Result("LEFT_CONFERENCE")
    )


def test_last_participant_is_sent_out() -> None:
    """The reason the bridge gave when it sent the caller out is the result."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", 60_000)
        >> Result("LAST_PARTICIPANT")
    )


def test_room_closed_by_the_bridge() -> None:
    """A room the bridge closed is CONFERENCE_CLOSED."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << ConferenceLeft("CONFERENCE_CLOSED", "conf-1", 60_000)
        >> Result("CONFERENCE_CLOSED")
    )


@pytest.mark.parametrize(
    ("elapsed_ms", "result"),
    [
        (DAY_MS - 1, "LEFT_CONFERENCE"),
        (DAY_MS, "CONFERENCE_CLOSED"),
        (DAY_MS + 5000, "CONFERENCE_CLOSED"),
    ],
)
def test_room_closed_by_time(elapsed_ms: int, result: str) -> None:
    """After the 24 h a room lasts at Plivo, it was closed and nobody pressed star."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << ConferenceLeft("", "conf-1", elapsed_ms)
        >> Result(result)
    )


def test_sent_out_after_a_day_is_still_sent_out() -> None:
    """A reason of ours goes before the clock."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", DAY_MS)
        >> Result("LAST_PARTICIPANT")
    )


@pytest.mark.parametrize("event", [DocumentEnded(300), DigitsReceived("1", 300)])
def test_full_room_is_an_error(event: DocumentEnded | DigitsReceived) -> None:
    """Plivo skips Conference when the room is full; whatever comes then means the caller is not in."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << event
        >> Error("ROOM_FULL", "the room 7 already has 20 members")
    )


@pytest.mark.parametrize("sent", [None, "", True, "true", "TRUE", 1, "1", "yes", "on"])
def test_leaving_when_alone_is_the_default(sent: object) -> None:
    """The param auto_leave_when_alone is true when left out; the room's notices then go where kicks are decided."""
    params = {"id": "7", "auto_leave_when_alone": sent}

    assert Playbook("simple_conference", params) >> Document(ROOM_7) >> ...


@pytest.mark.parametrize("sent", [False, "false", "False", 0, "0", "no", "off"])
def test_staying_alone(sent: object) -> None:
    """With auto_leave_when_alone false the caller stays in the room, in any spelling of false."""
    params = {"id": "7", "auto_leave_when_alone": sent}

    assert Playbook("simple_conference", params) >> Document(ROOM_7_STAYING) >> ...


def test_without_rest_the_room_itself_ends() -> None:
    """Nobody can be kicked without REST: stayAlone="false" ends the room for the last one."""
    assert (
        Playbook("simple_conference", {"id": "7"}, rest=False)
        >> Document("""
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
                stayAlone="false" maxMembers="20" timeLimit="86400">rt100a5131f3d65eced0f9c26ce5df7a</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << ConferenceLeft("LAST_PARTICIPANT", "conf-1", 60_000)
        >> Result("LAST_PARTICIPANT")
    )


def test_without_rest_one_may_stay_alone() -> None:
    """Without REST, a caller who did not ask to leave keeps the room open."""
    params = {"id": "7", "auto_leave_when_alone": False}

    assert Playbook("simple_conference", params, rest=False) >> Document(ROOM_7_STAYING) >> ...


@pytest.mark.parametrize("room_id", ["7", 7])
def test_id_may_be_a_number(room_id: object) -> None:
    """The number 7 and the text "7" are the same room."""
    assert Playbook("simple_conference", {"id": room_id}) >> Document(ROOM_7) >> ...


def test_room_of_another_app_is_another_room() -> None:
    """The same id means another room for another app."""
    assert (
        Playbook("simple_conference", {"id": "7"}, scope="APP2")
        >> Document("""
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
                stayAlone="true" maxMembers="20" timeLimit="86400">rt74fe206cbda0fd9a2bf7aba5018859</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_room_may_be_shared() -> None:
    """Apps that share rooms have the same, empty scope and so the same room."""
    assert (
        Playbook("simple_conference", {"id": "7"}, scope="")
        >> Document("""
            <Response>
              <Conference action="https://bridge.test/next/conference"
                callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"
                stayAlone="true" maxMembers="20" timeLimit="86400">rt797427cf8368051fe7b8e3e9d5ade9</Conference>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize("room_id", ["7", "équipe", "a/b?c#d", "<&>", " ", "x" * 200, "\ud800"])
def test_any_id_becomes_a_legal_room_name(room_id: str) -> None:
    """Whatever characters the id has, Plivo sees letters and digits, and few of them."""
    name = room_name("APP1", room_id)

    assert 32 == len(name)
    assert name.isascii()
    assert name.isalnum()


def test_scope_and_id_do_not_run_into_each_other() -> None:
    """The app "A" with the id "B1" is not the app "AB" with the id "1"."""
    assert room_name("A", "B1") != room_name("AB", "1")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "simple_conference.id: Field required"),
        ({"id": ""}, "simple_conference.id: Field required"),
        ({"id": None}, "simple_conference.id: Field required"),
        (
            {"id": "x" * 201},
            "simple_conference.id: String should have at most 200 characters",
        ),
        (
            {"id": "7", "auto_leave_when_alone": "maybe"},
            "simple_conference.auto_leave_when_alone: Input should be a valid boolean, unable to interpret input",
        ),
    ],
)
def test_bad_params(params: dict[str, Any], sentence: str) -> None:
    """A param that is missing or makes no sense is refused with its name."""
    assert Playbook("simple_conference", params) >> Error("INVALID_PARAMS", sentence)


def test_hang_up_in_the_room() -> None:
    """A caller who hangs up in the room ends the command without a result."""
    assert Playbook("simple_conference", {"id": "7"}) >> Document(ROOM_7) << HungUp() >> CallEnded()


def test_break_in_the_room() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("simple_conference", {"id": "7"})
        >> Document(ROOM_7)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
