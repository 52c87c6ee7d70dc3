from __future__ import annotations

import pytest
from support_plivo import FOR_EVER, HANGUP, XmlApp
from support_rooms import Meeting, begin, meet

from bridge.simulator.elements.multi_party_call import KICKED, MPC_ENDED
from bridge.simulator.inputs import HungUp, Key, Kicked, Transferred

ALL_EVENTS = "mpc-state-changes,participant-state-changes,participant-digit-input-events"


def mpc(number: int, **attributes: str) -> str:
    """Write a MultiPartyCall that reports to /told{number} and goes on at /done{number}."""
    known = {
        "role": "Agent",
        "statusCallbackUrl": f"{{url}}/told{number}",
        "onExitActionUrl": f"{{url}}/done{number}",
    }
    written = " ".join(f'{name}="{value}"' for name, value in (known | attributes).items() if value)
    return f"<MultiPartyCall {written}>team</MultiPartyCall>"


def events(app: XmlApp, call: int) -> list[str]:
    """List the events a participant reported."""
    return [seen["EventName"] for seen in app.of(f"/told{call}")]


async def test_two_meet(app: XmlApp) -> None:
    """Joining and leaving are reported, numbered over the whole call, and its begin and end too."""
    app.documents = {"/done1": HANGUP}
    meeting = await meet(
        app,
        mpc(1, stayAlone="true"),
        mpc(2, stayAlone="true", role="Customer"),
        happenings=((5, 2, Kicked()), (9, 1, Kicked())),
    )

    assert ["MPCInitialized", "ParticipantJoin", "MPCStart", "ParticipantExit", "MPCEnd"] == events(
        app, 1
    )
    assert ["ParticipantJoin", "ParticipantExit"] == events(app, 2)
    told = [*app.of("/told1"), *app.of("/told2")]
    assert [str(number) for number in range(1, 8)] == sorted(s["SequenceNumber"] for s in told)
    assert 1 == len({seen["MPCUUID"] for seen in told})
    assert "9" == app.of("/told1")[-1]["MPCDuration"]
    assert [] == meeting.problems()
    assert {} == meeting.plivo.multi_party_calls


async def test_parameters_of_the_action(app: XmlApp) -> None:
    """The action names call, member and role, and when it joined and left."""
    meeting = await meet(app, mpc(1, role="customer"), happenings=((65, 1, Kicked()),))
    form = app.first("/done1").form

    assert (
        "team",
        meeting.lines[0].uuid,
        "Customer",
        "2026-01-05 10:00:00+00:00",
        "2026-01-05 10:01:05+00:00",
    ) == tuple(
        form[name]
        for name in (
            "MPCFriendlyName",
            "ParticipantCallUUID",
            "ParticipantRole",
            "ParticipantJoinTime",
            "ParticipantEndTime",
        )
    )
    assert form["MemberID"] == app.first("/told1")["MemberID"]


@pytest.mark.parametrize("how", ["hangup", "transfer"])
async def test_no_action_after_hangup_or_transfer(app: XmlApp, how: str) -> None:
    """After a hangup or a transfer the action is not asked; the exit is reported."""
    app.documents = {"/else": HANGUP}
    event = HungUp() if how == "hangup" else Transferred(f"{app.url}/else")
    await meet(app, mpc(1), happenings=((5, 1, event),))

    assert [] == app.of("/done1")
    assert (how == "transfer") == bool(app.of("/else"))
    assert ["ParticipantExit", "MPCEnd"] == events(app, 1)[-2:]


async def test_end_mpc_on_exit(app: XmlApp) -> None:
    """A marked participant ends the call for the others, who go on or are hung up."""
    meeting = await meet(
        app,
        mpc(1, endMpcOnExit="true"),
        mpc(2),
        mpc(3, onExitActionUrl=""),
        happenings=((9, 1, HungUp()),),
    )

    assert ["MPC Ended"] == [
        seen["ParticipantExitCause"] for seen in app.of("/told2") if "Exit" in seen["EventName"]
    ]
    assert meeting.went_on(2)
    assert MPC_ENDED == meeting.lines[2].ending


@pytest.mark.parametrize(("stay", "left"), [("", 5.0), ("true", 20.0)])
async def test_stay_alone(app: XmlApp, stay: str, left: float) -> None:
    """Unlike in a Conference who is left alone leaves, unless stayAlone says otherwise."""
    meeting = await meet(
        app,
        mpc(1, stayAlone=stay),
        mpc(2, stayAlone=stay),
        happenings=((5, 2, HungUp()), (20, 1, HungUp())),
    )

    assert [left] == meeting.left(1)


async def test_start_mpc_on_enter(app: XmlApp) -> None:
    """The call starts with the first participant that starts it."""
    await meet(
        app,
        mpc(1, startMpcOnEnter="false"),
        mpc(2),
        happenings=((5, 2, HungUp()), (5, 1, HungUp())),
    )

    assert "MPCStart" not in events(app, 1)
    assert "MPCStart" in events(app, 2)


async def test_max_participants(app: XmlApp) -> None:
    """Who finds the call full goes on with the next element."""
    document = mpc(3) + "<Speak>full</Speak>"
    meeting = await meet(
        app,
        mpc(1, maxParticipants="2"),
        mpc(2),
        document,
        happenings=((9, 1, HungUp()), (9, 2, HungUp())),
    )

    assert [(2.0, "full")] == meeting.heard(3, "Speak")
    assert [] == events(app, 3)


async def test_max_duration(app: XmlApp) -> None:
    """The call ends when its time is up."""
    meeting = await meet(app, mpc(1, maxDuration="300"))

    assert [300.0] == meeting.left(1)
    assert meeting.went_on(1)


async def test_kicked_without_an_action(app: XmlApp) -> None:
    """Who is kicked and has no action is hung up with cause 4030."""
    meeting = await meet(app, mpc(1, onExitActionUrl=""), happenings=((5, 1, Kicked()),))

    assert KICKED == meeting.lines[0].ending


async def test_chosen_events(app: XmlApp) -> None:
    """Only the events asked for are reported, keys among them."""
    await meet(
        app,
        mpc(1, statusCallbackEvents="participant-digit-input-events", statusCallbackMethod="GET"),
        happenings=((3, 1, Key("7")), (5, 1, HungUp())),
    )

    assert [("GET", "ParticipantDigitInput", "7")] == [
        (seen.method, seen["EventName"], seen["DigitInput"]) for seen in app.of("/told1")
    ]


@pytest.mark.parametrize(("sound", "heard"), [("", "beep:1"), ("beep:2", "beep:2"), ("none", None)])
async def test_enter_sound(app: XmlApp, sound: str, heard: str | None) -> None:
    """A beep is heard on entering unless another sound, or none, is asked for."""
    meeting = await meet(app, mpc(1, enterSound=sound), happenings=((5, 1, HungUp()),))

    assert ([(0.0, heard)] if heard else []) == meeting.heard(1, "beep")


async def test_what_is_not_simulated(app: XmlApp) -> None:
    """What is not simulated is said loudly, each time."""
    meeting = await meet(
        app,
        mpc(1, record="true", hold="true", relayDTMFInputs="false", waitMusicMethod="GET"),
        happenings=((5, 1, HungUp()),),
    )

    assert [
        "MultiPartyCall: hold=true is not simulated",
        "MultiPartyCall: record=true is not simulated",
    ] == sorted(meeting.problems())


async def test_a_call_is_no_conference(app: XmlApp) -> None:
    """A MultiPartyCall and a Conference of one name are two rooms."""
    async with app.plivo() as plivo:
        meeting = Meeting(app, plivo)
        begin(
            meeting,
            mpc(1),
            "<Conference>team</Conference>",
            happenings=((9, 1, HungUp()), (9, 2, HungUp())),
        )
        both = lambda: bool(plivo.rooms and plivo.multi_party_calls)  # noqa: E731
        assert await plivo.clock.drive(both)
        assert await plivo.finish(FOR_EVER)
