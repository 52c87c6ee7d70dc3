"""A room knows its members whatever the order of Plivo's callbacks, and whom to send out."""

from __future__ import annotations

import itertools
import json

import pytest

from mappings._kernel.room import (
    MOST_GONE,
    Entered,
    Exited,
    KickMember,
    Member,
    Room,
    dump,
    load,
    step,
)

ANNE = Member("conf-1", "1", callid=11, step=3, leave_when_alone=True)
BILL = Member("conf-1", "2", callid=12, step=1, leave_when_alone=True)
STAY = Member("conf-1", "3", callid=13, step=2, leave_when_alone=False)


def exit_of(member: Member) -> Exited:
    """Write the callback of a member who left."""
    return Exited(member.conference_uuid, member.member_id)


def after(*events: Entered | Exited) -> tuple[Room, list[KickMember]]:
    """Give the room after these callbacks, and the kicks of the last one."""
    room = Room()
    kicks: list[KickMember] = []
    for event in events:
        kicks = step(room, event)
    return room, kicks


def members(room: Room) -> list[Member]:
    """List who is in the room."""
    return list(room.members.values())


def test_first_to_join_is_never_sent_out() -> None:
    """Being alone matters only when somebody leaves."""
    room, kicks = after(Entered(ANNE))

    assert ([ANNE], []) == (members(room), kicks)


def test_last_one_is_sent_out_if_it_asked_for_it() -> None:
    """An exit that leaves one behind kicks that one."""
    room, kicks = after(Entered(ANNE), Entered(BILL), exit_of(BILL))

    assert ([ANNE], [KickMember(ANNE)]) == (members(room), kicks)


def test_last_one_stays_if_it_did_not_ask() -> None:
    """auto_leave_when_alone is each member's own choice."""
    room, kicks = after(Entered(STAY), Entered(BILL), exit_of(BILL))

    assert ([STAY], []) == (members(room), kicks)


def test_two_who_are_left_stay() -> None:
    """Nobody is alone yet."""
    room, kicks = after(Entered(ANNE), Entered(BILL), Entered(STAY), exit_of(BILL))

    assert ([ANNE, STAY], []) == (members(room), kicks)


def test_exit_of_the_last_leaves_an_empty_room() -> None:
    """Nobody is left to be sent out."""
    room, kicks = after(Entered(ANNE), exit_of(ANNE))

    assert ([], []) == (members(room), kicks)


def test_repeated_enter_does_nothing() -> None:
    """Plivo repeats callbacks."""
    room, kicks = after(Entered(ANNE), Entered(ANNE))

    assert ([ANNE], []) == (members(room), kicks)


def test_repeated_exit_kicks_once() -> None:
    """The second report of the same exit is no second exit."""
    _, kicks = after(Entered(ANNE), Entered(BILL), exit_of(BILL), exit_of(BILL))

    assert [] == kicks


def test_late_enter_makes_no_ghost() -> None:
    """An exit that comes before its enter leaves a tombstone."""
    room, _ = after(exit_of(BILL), Entered(BILL))

    assert [] == members(room)


def test_exit_before_its_enter_counts() -> None:
    """Who came and went unseen left the other one alone."""
    _, kicks = after(Entered(ANNE), exit_of(BILL))

    assert [KickMember(ANNE)] == kicks


@pytest.mark.parametrize(
    "order",
    list(
        itertools.permutations(
            [Entered(ANNE), Entered(BILL), Entered(STAY), exit_of(BILL), exit_of(STAY)]
        )
    ),
)
def test_members_do_not_depend_on_the_order(order: tuple[Entered | Exited, ...]) -> None:
    """In whatever order the callbacks of one conference come, the same member is left."""
    room, _ = after(*order)

    assert [ANNE] == members(room)


def test_another_conference_under_the_same_name_starts_anew() -> None:
    """Members whose exit never came belong to a conference that is over."""
    again = Member("conf-2", "9", callid=14, step=1, leave_when_alone=True)
    room, _ = after(Entered(ANNE), Entered(BILL), Entered(again))

    assert [again] == members(room)


def test_exit_from_a_former_conference_sends_nobody_out() -> None:
    """A late exit of the former conference says nothing about who is alone in this one."""
    again = Member("conf-2", "9", callid=14, step=1, leave_when_alone=True)
    room, kicks = after(Entered(ANNE), Entered(again), exit_of(ANNE))

    assert ([again], []) == (members(room), kicks)


def test_tombstones_are_limited() -> None:
    """A room that lives for days does not grow."""
    room, _ = after(*(Exited("conf-1", str(number)) for number in range(MOST_GONE + 5)))

    assert MOST_GONE == len(room.gone)
    assert f"conf-1/{MOST_GONE + 4}" == room.gone[-1]


def test_room_survives_being_stored() -> None:
    """Members and tombstones come back equal."""
    room, _ = after(Entered(ANNE), Entered(STAY), Entered(BILL), exit_of(BILL))

    assert room == load(json.loads(json.dumps(dump(room))))


def test_stored_form_stays_as_it_is() -> None:
    """Stored rooms outlive a release."""
    room, _ = after(Entered(ANNE), exit_of(BILL))

    assert {"v": 1, "members": [["conf-1", "1", 11, 3, True]], "gone": ["conf-1/2"]} == dump(room)
