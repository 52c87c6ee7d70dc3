"""Rooms end up with the same members however Plivo orders and repeats its callbacks."""

from __future__ import annotations

import json
import random
from copy import deepcopy

import pytest

from mappings._kernel.room import (
    MOST_GONE,
    MOST_OVER,
    Departed,
    Entered,
    Exited,
    KickMember,
    Listed,
    Looked,
    Member,
    Room,
    RoomEvent,
    dump,
    knows,
    load,
    step,
)


def member(number: int, *, conference: str = "conf-1", leaves: bool = True) -> Member:
    """Make member 1, 2, 3 … of a conference; each is a call of its own."""
    return Member(conference, f"m{number}", 100 + number, 7, leaves)


def entered(number: int, *, conference: str = "conf-1", leaves: bool = True) -> Entered:
    """Let a member enter."""
    return Entered(member(number, conference=conference, leaves=leaves))


def exited(number: int, *, conference: str = "conf-1") -> Exited:
    """Let a member leave."""
    return Exited(conference, f"m{number}")


def room_after(*events: RoomEvent) -> Room:
    """Let events happen to an empty room, whatever kicks they cause."""
    room = Room()
    for event in events:
        step(room, event)
    return room


def inside(room: Room) -> set[int]:
    """Name the calls in the room."""
    return {present.callid for present in room.members.values()}


def test_members_enter_and_exit() -> None:
    """Whoever entered and did not exit is in the room."""
    assert {101, 103} == inside(room_after(entered(1), entered(2), entered(3), exited(2)))


def test_entering_never_kicks() -> None:
    """The first to join is alone, and stays: auto-leave only applies when somebody leaves."""
    room = Room()

    assert [] == step(room, entered(1))
    assert [] == step(room, entered(1))
    assert [] == step(room, entered(2))


def test_the_one_who_is_left_is_kicked() -> None:
    """An exit that leaves one member who asked for it sends that one out."""
    room = room_after(entered(1), entered(2))

    assert [KickMember(member(1))] == step(room, exited(2))


def test_the_first_to_join_may_be_the_last_one() -> None:
    """Having joined first protects from nothing once somebody else was there."""
    room = room_after(entered(1), entered(2), exited(1))

    assert {102} == inside(room)
    assert [KickMember(member(1))] == step(room_after(entered(1), entered(2)), exited(2))


def test_only_who_asked_is_kicked() -> None:
    """A member who did not ask for auto-leave stays in the room alone."""
    room = room_after(entered(1, leaves=False), entered(2))

    assert [] == step(room, exited(2))
    assert {101} == inside(room)


def test_asking_is_not_inherited() -> None:
    """The wish of the one who left does not count for the one who is left."""
    assert [] == step(room_after(entered(1), entered(2, leaves=False)), exited(1))


def test_two_who_are_left_stay() -> None:
    """As long as two are left nobody is kicked."""
    room = room_after(entered(1), entered(2), entered(3))

    assert [] == step(room, exited(3))
    assert [KickMember(member(2))] == step(room, exited(1))


def test_last_exit_kicks_nobody() -> None:
    """An empty room has nobody to send out."""
    room = room_after(entered(1), entered(2), exited(1))

    assert [] == step(room, exited(2))
    assert set() == inside(room)


def test_kick_itself_changes_nothing() -> None:
    """The one to be sent out is in the room until Plivo says it has left."""
    room = room_after(entered(1), entered(2), exited(2))

    assert {101} == inside(room)
    assert [] == step(room, exited(1))
    assert set() == inside(room)


def test_enter_twice_is_one_member() -> None:
    """A repeated enter does nothing."""
    once = room_after(entered(1), entered(2))
    twice = room_after(entered(1), entered(2), entered(2), entered(1))

    assert once == twice


def test_repeated_enter_keeps_the_first_member() -> None:
    """A repetition does not rewrite what the room knows of a member."""
    room = room_after(entered(1))
    step(room, Entered(Member("conf-1", "m1", 999, 8, leave_when_alone=False)))

    assert {101} == inside(room)


def test_exit_twice_kicks_once() -> None:
    """A repeated exit does nothing, not even when one member is left."""
    room = room_after(entered(1), entered(2))

    assert [KickMember(member(1))] == step(room, exited(2))
    assert [] == step(room, exited(2))
    assert {101} == inside(room)


def test_late_enter_makes_no_ghost() -> None:
    """An exit that overtook its enter leaves a tombstone, which the late enter meets."""
    room = room_after(entered(1), exited(2), entered(2))

    assert {101} == inside(room)


def test_exit_before_its_enter_counts() -> None:
    """Two were there although only one entered first: the one who is left is sent out."""
    room = room_after(entered(1))

    assert [KickMember(member(1))] == step(room, exited(2))


def test_repeated_enter_after_the_exit_makes_no_ghost() -> None:
    """Plivo may repeat an enter after the member has left."""
    assert set() == inside(room_after(entered(1), exited(1), entered(1)))


def test_exit_into_an_unknown_room() -> None:
    """An exit nobody entered for leaves an empty room and kicks nobody."""
    room = Room()

    assert [] == step(room, exited(1))
    assert set() == inside(room)


def test_new_conference_replaces_the_former() -> None:
    """Another ConferenceUUID under the same name means that the former conference is over."""
    room = room_after(entered(1), entered(2), entered(3, conference="conf-2"))

    assert {103} == inside(room)


@pytest.mark.parametrize("left", [True, False])
def test_late_enter_into_the_former_conference_replaces_nobody(left: bool) -> None:
    """An enter of a conference that is over, reported late, leaves the members of the newer one."""
    room = room_after(entered(1), *([exited(1)] if left else []))
    step(room, entered(3, conference="conf-2"))
    step(room, entered(2))

    assert {103} == inside(room)
    assert [] == step(room, exited(2))
    step(room, entered(4, conference="conf-2"))
    assert [KickMember(member(3, conference="conf-2"))] == step(
        room, exited(4, conference="conf-2")
    )


def test_former_conferences_are_limited() -> None:
    """The room forgets its oldest conferences, so that a room in daily use stays small."""
    room = room_after(*(entered(1, conference=f"conf-{n}") for n in range(MOST_OVER + 5)))

    assert [f"conf-{n}" for n in range(4, MOST_OVER + 4)] == room.over
    assert f"conf-{MOST_OVER + 4}" == room.now


def test_exit_from_the_former_conference_kicks_nobody() -> None:
    """A late exit from a former conference says nothing about who is alone in the new one."""
    room = room_after(entered(1), entered(3, conference="conf-2"))

    assert [] == step(room, exited(1))
    assert {103} == inside(room)


def test_same_member_id_in_another_conference_is_another_member() -> None:
    """Member ids count per conference: a tombstone of one does not keep out the other."""
    room = room_after(entered(1), exited(1), entered(1, conference="conf-2"))

    assert {101} == inside(room)


def test_tombstones_are_limited() -> None:
    """The room forgets its oldest tombstones, so that a busy room stays small."""
    room = room_after(*(exited(number) for number in range(MOST_GONE + 10)))

    assert MOST_GONE == len(room.gone)
    assert "conf-1/m9" not in room.gone
    assert "conf-1/m10" == room.gone[0]


def test_room_survives_its_stored_form() -> None:
    """Written as JSON and read back, a room is the same and goes on the same."""
    room = room_after(entered(1), entered(2, leaves=False), entered(3), exited(3))
    again = load(json.loads(json.dumps(dump(room))))

    assert room == again
    assert step(room, exited(2)) == step(again, exited(2))
    assert room == again


def test_stored_form_of_an_empty_room() -> None:
    """A room without members has a stored form too."""
    stored = {
        "v": 1,
        "members": [],
        "since": [],
        "gone": [],
        "now": "",
        "over": [],
        "left": [],
        "left_at": 0.0,
        "met": False,
    }
    assert stored == dump(Room())
    assert Room() == load(stored)


def test_room_of_the_first_release_goes_on() -> None:
    """A room stored without the name of its conference takes that of its members."""
    row = ["conf-1", "m1", 101, 7, True]
    room = load({"v": 1, "members": [row], "gone": []})
    step(room, entered(3, conference="conf-2"))
    step(room, entered(2))

    assert {103} == inside(room)
    assert Room() == load({"v": 1, "members": [], "gone": []})


def test_reading_does_not_tie_the_room_to_what_was_read() -> None:
    """Stepping a loaded room leaves the stored value as it was."""
    stored = dump(room_after(entered(1), entered(2), exited(2)))
    before = deepcopy(stored)
    step(load(stored), exited(1))

    assert before == stored


@pytest.mark.parametrize("seed", range(40))
def test_any_order_with_duplicates_ends_the_same(seed: int) -> None:
    """However Plivo shuffles and repeats the callbacks of a conference, the same members remain."""
    chance = random.Random(seed)
    size = chance.randint(1, 20)
    gone = set(chance.sample(range(size), chance.randint(0, size)))
    happened: list[Entered | Exited] = [
        entered(number, leaves=chance.random() < 0.5) for number in range(size)
    ]
    happened += [exited(number) for number in gone]
    expected = {100 + number for number in set(range(size)) - gone}

    for _ in range(25):
        delivered = happened + chance.choices(happened, k=chance.randint(0, 2 * size))
        chance.shuffle(delivered)
        room = Room()
        for event in delivered:
            known = {*room.gone, *room.members}
            if isinstance(event, Exited):
                known = set(room.gone)
            kicks = step(room, event)
            room = load(json.loads(json.dumps(dump(room))))
            _check_kicks(room, event, kicks, known)
        assert expected == inside(room)


@pytest.mark.parametrize("seed", range(10))
def test_stragglers_of_a_former_conference_change_nothing(seed: int) -> None:
    """Once a newer conference was heard of, nothing of the one before touches its members."""
    chance = random.Random(seed)
    former = [entered(n) for n in range(5)] + [exited(n) for n in range(5)]
    newer = [entered(n, conference="conf-2") for n in range(10, 15)]
    first = chance.sample(former, 3)
    rest = [event for event in former if event not in first] + newer[1:]
    chance.shuffle(rest)
    room = room_after(*first, newer[0], *rest)

    assert ["conf-1"] == room.over
    assert {110, 111, 112, 113, 114} == inside(room)


def _check_kicks(
    room: Room, event: Entered | Exited, kicks: list[KickMember], known: set[str]
) -> None:
    """Hold every kick against the rules: on news, one left, others are gone, and it asked."""
    left = list(room.members.values())
    of = event.member if isinstance(event, Entered) else event
    news = f"{of.conference_uuid}/{of.member_id}" not in known
    due = news and bool(room.gone) and len(left) == 1 and left[0].leave_when_alone
    assert ([KickMember(left[0])] if due else []) == kicks


# --- what callbacks do not tell -----------------------------------------------------------------


def listed(number: int, *, since: float = 0.0, leaves: bool = True) -> Listed:
    """Let Plivo list a member."""
    return Listed(Member("", f"m{number}", 100 + number, 7, leaves, since))


def departed(number: int, at: float = 50.0, *, was_in: bool = True) -> Departed:
    """Let the call of a member go on or end."""
    return Departed(100 + number, 7, at, was_in)


def test_exit_that_overtakes_the_enter_of_who_is_left() -> None:
    """Whose enter is heard of only after the other one has left is alone all the same."""
    room = room_after(entered(1), exited(1))

    assert [KickMember(member(2))] == step(room, entered(2))


def test_first_of_the_next_conference_is_not_left_behind() -> None:
    """An enter into another conference is no enter into one that others have left."""
    room = room_after(entered(1), exited(1))

    assert [] == step(room, entered(2, conference="conf-2"))


def test_call_that_departs_leaves_the_room() -> None:
    """The end of its call is as good as the exit of a member, and comes once."""
    room = room_after(entered(1), entered(2))

    assert [KickMember(member(1))] == step(room, departed(2))
    assert [] == step(room, exited(2))
    assert [] == step(room, departed(2))
    assert knows(room, 102, 7)


def test_departure_of_one_who_was_never_heard_of() -> None:
    """Two lost callbacks are made up for by the call itself, which had surely been let in."""
    met = entered(1)

    assert [KickMember(member(1))] == step(room_after(met), departed(2))
    assert [] == step(room_after(met), departed(2, was_in=False))


def test_departure_before_the_other_one_came() -> None:
    """Who came after the last one had gone has met nobody."""
    came = Member("conf-1", "m1", 101, 7, leave_when_alone=True, since=60.0)

    assert [] == step(room_after(Entered(came)), departed(2, at=50.0))
    assert [KickMember(came)] == step(room_after(Entered(came)), departed(2, at=61.0))


def test_listed_member_takes_its_place() -> None:
    """A member Plivo lists is one of the newest conference, and counts from then on."""
    room = room_after(entered(1), listed(2))

    assert {101, 102} == inside(room)
    assert [KickMember(member(2))] == step(room, exited(1))


@pytest.mark.parametrize(("since", "kicked"), [(40.0, True), (50.0, False), (60.0, False)])
def test_listed_member_who_is_alone(since: float, kicked: bool) -> None:
    """It was left behind if it was there before the last one left; else it is the first of all."""
    room = room_after(entered(1), departed(1, at=50.0))
    kicks = step(room, listed(2, since=since))

    assert kicked == bool(kicks)
    assert {102} == inside(room)


def test_listed_member_that_has_left_already() -> None:
    """A list may lag behind the callbacks: who is known to be gone does not come back by it."""
    room = room_after(entered(1), entered(2), exited(2))

    assert [] == step(room, listed(2))
    assert {101} == inside(room)


def test_listed_member_is_known_by_its_call() -> None:
    """The callback that names its conference finds the member that was listed without one."""
    room = room_after(listed(2), entered(2), entered(1))

    assert {101, 102} == inside(room)
    assert 2 == len(room.members)
    assert [KickMember(member(2))] == step(room, exited(1))


def test_looking_again_finds_who_is_left() -> None:
    """A kick that came to nothing is due again at the next look; nobody else is."""
    room = room_after(entered(1), entered(2), exited(2))

    assert [KickMember(member(1))] == step(room, Looked())
    assert [] == step(room_after(entered(1)), Looked())
    assert [] == step(room_after(entered(1), entered(2)), Looked())


def test_knowing_who_was_in() -> None:
    """Whoever entered or left by a document was in the room by it; nobody else was."""
    room = room_after(entered(1), entered(2), exited(2))

    assert (True, True) == (knows(room, 101, 7), knows(room, 102, 7))
    assert (False, False) == (knows(room, 101, 8), knows(room, 103, 7))


def test_room_of_the_former_release_goes_on() -> None:
    """A room stored before it was known who had met whom sends out as it did."""
    rows = [["conf-1", f"m{n}", 100 + n, 7, True] for n in (1, 2)]
    room = load({"v": 1, "members": rows, "gone": [], "now": "conf-1", "over": []})

    assert [KickMember(member(1))] == step(room, exited(2))
