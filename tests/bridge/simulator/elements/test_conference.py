from __future__ import annotations

from random import Random

import pytest
from support_plivo import FOR_EVER, Raw, XmlApp, wav
from support_rooms import ROOM, Happening, Meeting, begin, conference, meet

from bridge.simulator.inputs import HungUp, Input, Key, Kicked, Talks, Transferred
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.simulator.rooms import LONGEST_S
from bridge.tasks import background_tasks

STAR = Key("*")
PROFILES = pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])


async def test_two_meet(app: XmlApp) -> None:
    """Who comes and goes is reported with the same room and member; the last one is marked."""
    meeting = await meet(
        app,
        conference(1, hangupOnStar="true"),
        conference(2, hangupOnStar="true"),
        happenings=((5, 2, STAR), (8, 1, STAR)),
    )

    assert [["enter", "exit"]] * 2 == [meeting.actions(1), meeting.actions(2)]
    assert [5.0] == meeting.left(2)
    assert [8.0] == meeting.left(1)
    first, second = (app.first(f"/done{number}").form for number in (1, 2))
    assert (ROOM, first["ConferenceUUID"]) == (second["ConferenceName"], second["ConferenceUUID"])
    assert first["ConferenceMemberID"] != second["ConferenceMemberID"]
    assert [("true", "true"), ("false", "false")] == [
        (
            meeting.told(call, "enter")[0]["ConferenceFirstMember"],
            meeting.told(call, "exit")[0]["ConferenceLastMember"],
        )
        for call in (1, 2)
    ]
    assert [] == meeting.problems()


async def test_parameters(app: XmlApp) -> None:
    """Callbacks name the action, the room, the member and the call; the action has no reason."""
    meeting = await meet(app, conference(1), happenings=((3, 1, Kicked()),))
    names = ("ConferenceName", "ConferenceUUID", "ConferenceMemberID")
    room = {name: app.first("/done1")[name] for name in names}
    enters, exits = meeting.told(1)

    assert room | {"ConferenceFirstMember": "true", "ConferenceAction": "enter"} == {
        name: value for name, value in enters.form.items() if name.startswith("Conference")
    }
    assert room | {"ConferenceLastMember": "true", "ConferenceAction": "exit"} == {
        name: value for name, value in exits.form.items() if name.startswith("Conference")
    }
    assert ("ConferenceEnter", "ConferenceExit") == (enters["Event"], exits["Event"])
    assert {meeting.lines[0].uuid} == {s["CallUUID"] for s in (enters, exits)}
    assert room == {
        name: value
        for name, value in app.first("/done1").form.items()
        if name.startswith(("Conference", "Record"))
    }


async def test_timeline(app: XmlApp) -> None:
    """The timeline counts who is in the room after each change."""
    meeting = await meet(
        app, conference(1), conference(2), happenings=((5, 1, Kicked()), (6, 2, HungUp()))
    )

    assert [(1, "enter", 1), (2, "enter", 2), (1, "exit", 1), (2, "exit", 0)] == [
        (entry.call, entry.data["action"], entry.data["members"])
        for entry in meeting.plivo.timeline.of("room")
    ]


async def test_a_new_conference_has_a_new_id(app: XmlApp) -> None:
    """Once everybody left, the next one of that name is another conference."""
    meeting = await meet(
        app,
        conference(1),
        conference(2),
        happenings=((2, 1, Kicked()), (12, 2, Kicked())),
        every=10,
    )
    uuids = {meeting.told(call)[0]["ConferenceUUID"] for call in (1, 2)}

    assert 2 == len(uuids)
    assert {} == meeting.plivo.rooms


@pytest.mark.parametrize("star", ["true", ""])
async def test_hang_up_on_star(app: XmlApp, star: str) -> None:
    """The star leaves the room only where hangupOnStar says so."""
    meeting = await meet(
        app, conference(1, hangupOnStar=star), happenings=((3, 1, STAR), (9, 1, HungUp()))
    )

    assert [3.0 if star else 9.0] == meeting.left(1)
    assert bool(star) == meeting.went_on(1)


async def test_sounds(app: XmlApp) -> None:
    """The sounds of a room are documents fetched with POST; the whole room hears who comes and goes."""
    app.sounds = {"/in.wav": wav(1)}
    app.documents = {
        "/in": "<Play>{url}/in.wav</Play>",
        "/out": "<Speak>gone</Speak>",
        "/wait": "<Speak>alone</Speak>",
    }
    sounds = {"enterSound": "{url}/in", "exitSound": "{url}/out", "waitSound": "{url}/wait"}
    meeting = await meet(
        app,
        conference(1, **sounds),
        conference(2, **sounds),
        happenings=((5, 2, Kicked()), (20, 1, Kicked())),
    )

    assert [(0.0, f"{app.url}/in.wav"), (1.0, f"{app.url}/in.wav")] == meeting.heard(1, "Play")
    assert [(1.0, f"{app.url}/in.wav")] == meeting.heard(2, "Play")
    assert [(0.0, "alone"), (5.0, "alone"), (5.0, "gone")] == sorted(meeting.heard(1, "Speak"))
    assert {"POST"} == {s.method for path in ("/in", "/out", "/wait") for s in app.of(path)}
    assert meeting.lines[0].uuid == app.first("/wait")["CallUUID"]


async def test_beeps(app: XmlApp) -> None:
    """One and two beeps need no document."""
    meeting = await meet(
        app,
        conference(1),
        conference(2, enterSound="beep:1", exitSound="beep:2"),
        happenings=((5, 2, Kicked()), (9, 1, Kicked())),
    )

    assert [(1.0, "beep:1"), (5.0, "beep:2")] == meeting.heard(1, "beep")
    assert [(1.0, "beep:1")] == meeting.heard(2, "beep")


async def test_a_wait_sound_that_does_not_come(app: XmlApp) -> None:
    """A sound that fails is silence, and a problem."""
    app.documents = {"/wait": Raw(status=404)}
    meeting = await meet(app, conference(1, waitSound="{url}/wait"), happenings=((5, 1, Kicked()),))

    assert ["waitSound gave status 404"] == meeting.problems()
    assert meeting.went_on(1)


async def test_start_conference_on_enter(app: XmlApp) -> None:
    """Members wait until somebody comes who starts the conference."""
    app.documents = {"/wait": "<Speak>wait</Speak>"}
    waiting = {"waitSound": "{url}/wait", "startConferenceOnEnter": "false"}
    meeting = await meet(
        app,
        conference(1, **waiting),
        conference(2, **waiting),
        conference(3, waitSound="{url}/wait"),
        happenings=((5, 3, Kicked()), (6, 2, Kicked()), (7, 1, Kicked())),
    )

    assert [(0.0, "wait"), (6.0, "wait")] == meeting.heard(1, "Speak")
    assert [(1.0, "wait")] == meeting.heard(2, "Speak")
    assert [] == meeting.heard(3, "Speak")


@pytest.mark.parametrize(
    ("profile", "left", "went_on"),
    [(NORMAL, 5.0, True), (HOSTILE, 5.0, False)],
    ids=["they go on", "they are hung up"],
)
async def test_end_conference_on_exit(
    app: XmlApp, profile: Profile, left: float, went_on: bool
) -> None:
    """When the marked member leaves, the others leave too; the profile says whether they live on."""
    meeting = await meet(
        app,
        conference(1, endConferenceOnExit="true"),
        conference(2),
        happenings=((5, 1, Kicked()),),
        profile=profile,
    )

    assert [left] == meeting.left(2)
    assert went_on == (
        meeting.code(2) == "4000" and app.first("/hangup2")["HangupSource"] != "Plivo"
    )
    assert ["enter", "exit"] == sorted(meeting.actions(2))


@pytest.mark.parametrize(
    ("profile", "left"), [(NORMAL, 5.0), (HOSTILE, 9.0)], ids=["the first", "the last"]
)
async def test_several_marked_members(app: XmlApp, profile: Profile, left: float) -> None:
    """With several marked members the first or the last that leaves ends the room."""
    marked = {"endConferenceOnExit": "true"}
    meeting = await meet(
        app,
        conference(1, **marked),
        conference(2, **marked),
        conference(3),
        happenings=((5, 1, HungUp()), (9, 2, HungUp()), (20, 3, HungUp())),
        profile=profile,
    )

    assert [left] == meeting.left(3)


@pytest.mark.parametrize(
    ("stay", "left"),
    [
        (("false", "true"), 5.0),
        (("true", "false"), 5.0),
        (("true", "true"), 20.0),
        (("", ""), 20.0),
    ],
)
async def test_stay_alone(app: XmlApp, stay: tuple[str, str], left: float) -> None:
    """One member with stayAlone="false" sets it for the room: the one who is left leaves too."""
    meeting = await meet(
        app,
        conference(1, stayAlone=stay[0]),
        conference(2, stayAlone=stay[1]),
        happenings=((5, 2, Kicked()), (20, 1, Kicked())),
    )

    assert [left] == meeting.left(1)
    assert meeting.went_on(1)


async def test_the_first_may_wait(app: XmlApp) -> None:
    """With stayAlone="false" nobody is sent out before two have met."""
    meeting = await meet(app, conference(1, stayAlone="false"), happenings=((600, 1, Kicked()),))

    assert [600.0] == meeting.left(1)


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["skipped", "asked"])
async def test_a_full_room(app: XmlApp, profile: Profile) -> None:
    """Who finds the room full goes on with the next element, or with an action without ids."""
    document = conference(3, maxMembers="20") + "<Speak>full</Speak>"
    meeting = await meet(
        app,
        conference(1, maxMembers="2"),
        conference(2, maxMembers="9"),
        document,
        happenings=((5, 1, HungUp()), (5, 2, HungUp())),
        profile=profile,
    )

    assert [] == meeting.actions(3)
    assert (profile is NORMAL) == bool(meeting.heard(3, "Speak"))
    asked = [
        (
            s["ConferenceName"],
            s.form.get("ConferenceUUID", ""),
            s.form.get("ConferenceMemberID", ""),
        )
        for s in app.of("/done3")
    ]
    assert ([] if profile is NORMAL else [(ROOM, "", "")]) == asked


async def test_twenty_members(app: XmlApp) -> None:
    """A room without maxMembers holds 20."""
    documents = [conference(number) for number in range(1, 22)]
    happenings: tuple[Happening, ...] = tuple((60, number, HungUp()) for number in range(1, 22))
    meeting = await meet(app, *documents, happenings=happenings)

    assert [20] == sorted({e.data["members"] for e in meeting.plivo.timeline.of("room")})[-1:]
    assert [] == meeting.actions(21)


async def test_time_limit(app: XmlApp) -> None:
    """When the time of a room is up everybody goes on."""
    meeting = await meet(app, conference(1, timeLimit="30"), conference(2))

    assert [[30.0]] * 2 == [meeting.left(1), meeting.left(2)]
    assert meeting.went_on(1)
    assert meeting.went_on(2)


async def test_a_room_lasts_a_day(app: XmlApp) -> None:
    """When no member names a limit, a day is the limit."""
    async with app.plivo() as plivo:
        meeting = Meeting(app, plivo)
        begin(meeting, conference(1))
        meeting.lines[0].longest_s = 2 * LONGEST_S
        assert await plivo.finish(FOR_EVER)

    assert [LONGEST_S] == meeting.left(1)


async def test_time_limit_of_the_last_joiner(app: XmlApp) -> None:
    """A room has one timer, which each member that names a limit sets anew."""
    meeting = await meet(
        app, conference(1, timeLimit="30"), conference(2, timeLimit="60"), conference(3), every=10
    )

    assert [[70.0]] * 3 == [meeting.left(call) for call in (1, 2, 3)]


async def test_no_time_limit(app: XmlApp) -> None:
    """A limit of 0 is none: only the length of the call itself ends it."""
    meeting = await meet(app, conference(1, timeLimit="0"))

    assert ("6000", [14_400.0]) == (meeting.code(1), meeting.left(1))


async def test_muted(app: XmlApp) -> None:
    """A muted member never has the floor."""
    meeting = await meet(
        app,
        conference(1, muted="true", floorEvent="true"),
        conference(2, floorEvent="true"),
        conference(3),
        happenings=(
            (4, 1, Talks(1)),
            (5, 2, Talks(1)),
            (6, 3, Talks(1)),
            (7, 2, Talks(1)),
            (8, 2, Talks(1)),
            *((9, number, HungUp()) for number in (1, 2, 3)),
        ),
    )

    assert [] == meeting.told(1, "floor")
    assert ["ConferenceFloor"] * 2 == [s["Event"] for s in meeting.told(2, "floor")]
    assert [] == meeting.told(3, "floor")


async def test_digits_match(app: XmlApp) -> None:
    """Patterns are reported; all other keys are heard by the others."""
    keys = ((2.0, "9"), (2.2, "9"), (4.0, "5"), (6.0, "#"), (6.2, "0"), (8.0, "#"), (8.3, "1"))
    meeting = await meet(
        app,
        conference(1, digitsMatch="#0,99,000"),
        conference(2),
        happenings=(*((at, 1, Key(key)) for at, key in keys), (12, 1, HungUp()), (12, 2, HungUp())),
    )

    assert ["99", "#0"] == [s["ConferenceDigitsMatch"] for s in meeting.told(1, "digits")]
    assert [(4.0, "5"), (8.3, "#1")] == meeting.heard(2, "DTMF")
    assert [] == meeting.heard(1, "DTMF")


async def test_relay_dtmf(app: XmlApp) -> None:
    """With relayDTMF="false" nobody hears the keys."""
    meeting = await meet(
        app,
        conference(1, relayDTMF="false"),
        conference(2),
        happenings=((3, 1, Key("5")), (5, 1, HungUp()), (5, 2, HungUp())),
    )

    assert [] == meeting.heard(2, "DTMF")


async def test_star_and_patterns(app: XmlApp) -> None:
    """A star that is a pattern is reported before its member leaves."""
    meeting = await meet(
        app, conference(1, hangupOnStar="true", digitsMatch="*"), happenings=((3, 1, STAR),)
    )

    assert ["enter", "digits", "exit"] == meeting.actions(1)


async def test_send_digits(app: XmlApp) -> None:
    """The sendDigits are played to the member when it enters."""
    meeting = await meet(app, conference(1, sendDigits="12"), happenings=((3, 1, Kicked()),))

    assert [(0.0, "12")] == meeting.heard(1, "DTMF")


async def test_record(app: XmlApp) -> None:
    """A recording of the room is reported when it begins and when it ends, without any member."""
    meeting = await meet(
        app,
        conference(1, record="true", recordFileFormat="wav"),
        conference(2),
        happenings=((11, 1, Kicked()), (31, 2, Kicked())),
    )
    begins, ends = meeting.told(1, "record")
    action = app.first("/done1").form

    assert ("-1", "-1") == (begins["RecordingDuration"], begins["RecordingDurationMs"])
    assert ("31", "31000") == (ends["RecordingDuration"], ends["RecordingDurationMs"])
    assert 31_000 == int(ends["RecordingEndMs"]) - int(ends["RecordingStartMs"])
    assert {(action["RecordUrl"], action["RecordingID"])} == {
        (s["RecordUrl"], s["RecordingID"]) for s in (begins, ends)
    }
    assert action["RecordUrl"].endswith(".wav")
    assert {"ConferenceRecordStart", "ConferenceRecordStop"} == {begins["Event"], ends["Event"]}
    assert set() == {"CallUUID", "ConferenceMemberID", "From"} & set(ends.form)
    assert "RecordUrl" not in app.first("/done2").form
    assert ROOM == meeting.plivo.recordings[action["RecordingID"]].conference_name
    assert [-1, 31.0] == [e.data["seconds"] for e in meeting.plivo.timeline.of("records")]


async def test_one_recording_of_a_room(app: XmlApp) -> None:
    """A second member that asks for a recording gets the one that runs."""
    meeting = await meet(
        app,
        conference(1, record="true"),
        conference(2, record="true"),
        happenings=((5, 1, Kicked()), (6, 2, Kicked())),
    )

    assert 1 == len(meeting.plivo.recordings)
    assert app.first("/done1")["RecordingID"] == app.first("/done2")["RecordingID"]


async def test_redirect_false(app: XmlApp) -> None:
    """With redirect="false" the action is told, and the next element runs."""
    app.documents = {"/done1": "<Speak>never</Speak>"}
    document = conference(1, redirect="false") + "<Speak>next</Speak>"
    meeting = await meet(app, document, happenings=((5, 1, Kicked()),))

    assert [(5.0, "next")] == meeting.heard(1, "Speak")
    assert meeting.went_on(1)


async def test_methods(app: XmlApp) -> None:
    """Action and callback have their own methods."""
    meeting = await meet(
        app, conference(1, method="GET", callbackMethod="GET"), happenings=((5, 1, Kicked()),)
    )

    assert {"GET"} == {s.method for s in (*meeting.told(1), app.first("/done1"))}


async def test_without_urls(app: XmlApp) -> None:
    """Without URLs nothing is reported, and the next element runs."""
    document = "<Conference>r1</Conference><Speak>next</Speak>"
    meeting = await meet(app, document, happenings=((5, 1, Kicked()),))

    assert [(5.0, "next")] == meeting.heard(1, "Speak")
    assert ["/answer1", "/hangup1"] == app.paths()


@pytest.mark.parametrize("redirect", ["true", "false"])
@PROFILES
async def test_a_hangup(app: XmlApp, profile: Profile, redirect: str) -> None:
    """A member that hangs up is reported to have left; the profile says whether its action is asked."""
    meeting = await meet(
        app, conference(1, redirect=redirect), happenings=((5, 1, HungUp()),), profile=profile
    )

    assert ["completed"] == [s["CallStatus"] for s in meeting.told(1, "exit")]
    assert (profile is HOSTILE) == meeting.went_on(1)
    assert 1 == len(app.of("/hangup1"))


@pytest.mark.parametrize("redirect", ["true", "false"])
async def test_a_transfer(app: XmlApp, redirect: str) -> None:
    """A member that is transferred leaves; only an action without redirect is told."""
    app.documents = {"/else": "<Hangup/>"}
    event = Transferred(f"{app.url}/else")
    meeting = await meet(app, conference(1, redirect=redirect), happenings=((5, 1, event),))

    assert ["enter", "exit"] == meeting.actions(1)
    assert (redirect == "false") == meeting.went_on(1)
    assert "Transfer" == app.first("/else")["Event"]


@PROFILES
async def test_members_come_and_go_at_any_instant(app: XmlApp, profile: Profile) -> None:
    """However members leave, each enter has its exit, rooms end empty, and no task is left."""
    random = Random(f"rooms {profile.name}")
    events: list[Input] = [HungUp(), Kicked(), STAR, Transferred(f"{app.url}/else")]
    app.documents = {"/else": "<Hangup/>", "/sound": "<Speak>sound</Speak>"}
    for _ in range(25):
        app.seen.clear()
        many = random.randint(1, 4)
        documents = [
            conference(
                number,
                hangupOnStar="true",
                stayAlone=random.choice(["true", "false"]),
                endConferenceOnExit=random.choice(["true", "false", "false"]),
                startConferenceOnEnter=random.choice(["true", "false"]),
                waitSound=random.choice(["", "{url}/sound"]),
                exitSound=random.choice(["", "{url}/sound", "beep:1"]),
                maxMembers=random.choice(["", "1", "2"]),
                timeLimit=random.choice(["", "3"]),
            )
            for number in range(1, many + 1)
        ]
        happenings: tuple[Happening, ...] = tuple(
            (random.choice([4.0, 4.0, 5.0, random.uniform(3, 6)]), number, random.choice(events))
            for number in range(1, many + 1)
        )
        happenings += tuple((9, number, HungUp()) for number in range(1, many + 1))
        meeting = await meet(app, *documents, happenings=happenings, profile=profile)

        assert {} == meeting.plivo.rooms
        assert [] == meeting.problems()
        for number in range(1, many + 1):
            assert meeting.actions(number).count("enter") == meeting.actions(number).count("exit")
            assert 1 == len(app.of(f"/hangup{number}"))
    assert set() == background_tasks()


async def test_the_same_seed_gives_the_same_meeting(app: XmlApp) -> None:
    """Under one seed calls meet twice in the same way, ids and delays included."""
    app.documents = {"/wait": "<Speak>alone</Speak>"}
    seen = []
    for _ in range(2):
        documents = [conference(n, waitSound="{url}/wait", exitSound="beep:1") for n in (1, 2, 3)]
        happenings = ((5.0, 2, Kicked()), (6.0, 1, HungUp()), (7.0, 3, HungUp()))
        meeting = await meet(app, *documents, happenings=happenings, profile=HOSTILE, seed=7)
        seen.append(
            [(e.at, e.call, e.kind, e.text, e.detail) for e in meeting.plivo.timeline.entries]
        )

    assert seen[0] == seen[1]


async def test_slow_exit_sounds_keep_nobody(app: XmlApp) -> None:
    """Who leaves goes on at once although the file of the exit sound comes late."""
    app.sounds = {"/out.wav": wav(1)}
    app.documents = {"/out": "<Play>{url}/out.wav</Play>"}
    meeting = await meet(
        app,
        conference(1),
        conference(2, exitSound="{url}/out"),
        happenings=((5, 2, Kicked()), (30, 1, Kicked())),
        faults=["slow_media=10"],
    )

    assert [5.0] == [round(e.at, 3) for e in meeting.plivo.timeline.of("ends", call=2)]
    assert [(5.0, f"{app.url}/out.wav")] == meeting.heard(1, "Play")
