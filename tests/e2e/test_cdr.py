"""Call records over real HTTP: one per leg, whatever Plivo tells, repeats, delays or forgets."""

from __future__ import annotations

import pytest
from support_cdr import ONE, TWO, dialout, ended, records
from support_e2e import HANGUP, Make, World, command, link, tts
from support_outbound import CALLEE, SHOWN, does, place

from bridge.cdr.record import KIND, Cdr, load
from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects
from bridge.simulator.platform import digits
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.store.protocol import Commit, StoreUnavailable

PLAY = command("play", media_id=tts("hello"))
each_profile = pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=lambda one: one.name)


async def only(world: World) -> Cdr:
    """Give the record when there is exactly one."""
    (cdr,) = await records(world)
    return cdr


@each_profile
async def test_answered_call(make_world: Make, store: str, profile: Profile) -> None:
    """The record says who, when, how long, who ended it and what was run."""
    read = command("read", media_id=tts("code"), max_digits=4, attempts=1)
    world = await make_world(PLAY, PLAY, read, HANGUP, store=store, profile=profile)
    began = world.clock.now()
    call = world.dial()
    await call.press("4711")
    await call.expect_ended(by="app")
    await world.finish()

    cdr = await only(world)
    state = await world.bridge.session.read(1)
    assert state is not None
    assert (1, 0, "DEFAULT", "inbound", "+33612345678", "+33187654321") == (
        *(cdr.callid, cdr.leg, cdr.app, cdr.direction),
        *(cdr.caller, cdr.called),
    )
    assert (call.line.uuid, None, "") == (cdr.uuid, cdr.request_hash, cdr.cdr_field)
    assert ("HANGUP", "4000", "Normal Hangup", "Answer XML") == (
        *(cdr.status, cdr.cause_code),
        *(cdr.cause, cdr.ended_by),
    )
    assert [("play", "ok", 2), ("read", "ok", 1), ("hangup", "hangup", 1)] == cdr.commands
    assert (state.started_at, state.ended_at) == (cdr.started_at, cdr.ended_at)
    assert began <= cdr.started_at <= (cdr.answered_at or 0) < cdr.ended_at
    assert cdr.duration == pytest.approx(cdr.ended_at - (cdr.answered_at or 0), abs=1)
    assert 60 == cdr.billed
    assert "4711" not in repr(await world.bridge.store.list_records(KIND))


async def test_caller_hangs_up_during_a_command(make_world: Make) -> None:
    """The command the caller left is cut short, and the caller ended the call."""
    world = await make_world(command("wait", wait=30))
    call = world.dial()
    await call.wait(12)
    await call.hang_up()
    await world.finish()

    cdr = await only(world)
    assert ("Caller", 12, [("wait", "hangup", 1)]) == (cdr.ended_by, cdr.duration, cdr.commands)


async def test_call_that_was_never_answered(make_world: Make) -> None:
    """A caller who is gone while it rings has a record without an answer."""
    world = await make_world(dialout(ONE))
    call = world.dial()
    await call.expect_leg(1, "ringing")
    await call.hang_up()
    await world.finish()

    cdr, leg = await records(world)
    assert (None, 0, 0) == (cdr.answered_at, cdr.duration, cdr.billed)
    assert (None, 0, "NOANSWER") == (leg.answered_at, leg.duration, leg.status)


async def test_call_its_app_never_heard_of(make_world: Make) -> None:
    """There is no record of a call that ended before its answer request."""
    world = await make_world()
    leg = world.leg(status="completed")
    await leg.request(world.application.hangup_url, {"Event": "Hangup"})

    assert [] == await records(world)


# --- dialled legs -------------------------------------------------------------------------------


@each_profile
async def test_every_dialled_leg_has_a_record(make_world: Make, profile: Profile) -> None:
    """Whoever was rung is listed in order, with the time that was talked and the cdr_field."""
    world = await make_world(dialout(ONE, TWO, cdr_field="K7"), profile=profile)
    world.rig.callee(ONE).busy()
    call = world.dial()
    await call.answer(leg=2)
    await call.expect_leg(2, "connected")
    await call.wait(42)
    await call.leg(2).hang_up()
    await world.finish()

    cdr, first, second = await records(world)
    assert [(0, "inbound"), (1, "dialled"), (2, "dialled")] == [
        (one.leg, one.direction) for one in (cdr, first, second)
    ]
    assert [("BUSY", "3010", 0), ("HANGUP", "4000", 42)] == [ended(first), ended(second)]
    assert ["+33187654321"] * 2 == [first.caller, second.caller]
    assert [ONE, TWO] == [first.called, second.called]
    assert ["", "K7", "K7"] == [cdr.cdr_field, first.cdr_field, second.cdr_field]
    assert [leg.uuid for leg in call.line.legs] == [first.uuid, second.uuid]
    assert (None, "Carrier", "Callee") == (first.answered_at, first.ended_by, second.ended_by)
    assert 42 == pytest.approx(second.ended_at - (second.answered_at or 0), abs=1)
    assert cdr.started_at <= first.started_at < first.ended_at <= second.started_at
    assert [("dialout", "hangup", 1)] == cdr.commands


@pytest.mark.parametrize(
    ("callee", "expected"),
    [
        (Busy(), ("BUSY", "3010", 0)),
        (NoAnswer(), ("NOANSWER", "3000", 0)),
        (Rejects(), ("CONGESTION", "3020", 0)),
        (Fails(3050, "UNALLOCATED_NUMBER"), ("CONGESTION", "3050", 0)),
    ],
)
@each_profile
async def test_leg_that_did_not_answer(
    make_world: Make, callee: Callee, expected: tuple[str, str, int], profile: Profile
) -> None:
    """The record has the RT word for it and Plivo's cause."""
    world = await make_world(dialout(ONE), HANGUP, profile=profile)
    world.plivo.callees[digits(ONE)] = callee
    world.dial()
    await world.finish()

    cdr, leg = await records(world)
    assert expected == ended(leg)
    assert ("dialout", "NOANSWER", 1) == cdr.commands[0]


async def test_leg_that_refused_the_whisper(make_world: Make) -> None:
    """Somebody who picks up and is never connected does not count as talked to."""
    world = await make_world(dialout(ONE, whisper=tts("A call for you")), HANGUP)
    call = world.dial()
    await call.answer(leg=1)
    await call.leg(1).hang_up()
    await world.finish()

    leg = (await records(world))[1]
    assert leg.answered_at is not None
    assert leg.dial_status != "completed"


@pytest.mark.parametrize(
    "fault",
    [
        "drop:hangup",
        "drop:answer",
        "duplicate:hangup",
        "duplicate:answer",
        "delay:hangup=20",
        "delay:answer=90",
        "reorder:answer",
    ],
)
async def test_callbacks_about_a_leg_in_any_shape(make_world: Make, fault: str) -> None:
    """Lost, doubled, late and swapped callbacks leave one record per leg that says it talked."""
    world = await make_world(dialout(ONE), faults=[fault])
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.wait(30)
    await call.leg(1).hang_up()
    await world.finish()
    await world.passes(120)

    _, leg = await records(world)
    assert "HANGUP" == leg.status
    assert 30 == pytest.approx(leg.duration, abs=2)
    assert leg.ended_at - 30 == pytest.approx(leg.answered_at, abs=2)
    assert ("" if fault == "drop:hangup" else "4000") == leg.cause_code


async def test_caller_leaves_a_conversation(make_world: Make) -> None:
    """The leg that talked ends with the call, and what Plivo tells later is added."""
    world = await make_world(dialout(ONE), faults=["delay:hangup=20"])
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.wait(30)
    await call.hang_up()
    await call.expect_ended(by="caller")
    await world.passes(5)
    before = (await records(world))[1]
    await world.finish()
    after = (await records(world))[1]

    assert [("HANGUP", "", 30), ("HANGUP", "4000", 30)] == [ended(before), ended(after)]
    assert (before.answered_at, before.ended_at) == (after.answered_at, after.ended_at)
    assert ("", 60) == (before.ended_by, after.billed)


async def test_callback_of_another_app_changes_nothing(make_world: Make) -> None:
    """A leg's record is only told by webhooks of its own app."""
    world = await make_world(dialout(ONE), more_apps=["OTHER"])
    world.rig.callee(ONE).busy()
    world.dial()
    await world.finish()
    before = await records(world)
    url = "https://bridge.example.com/plivo/OTHER/1/1/notice/dial/x"
    form = {"DialAction": "hangup", "DialBLegDuration": "999"}
    await world.leg().request(url, form)

    assert before == await records(world)


async def test_end_that_an_action_reports_first(make_world: Make) -> None:
    """What the hangup webhook says later is added to the record, once."""
    world = await make_world(dialout(ONE), faults=["drop:hangup url", "drop:hangup"])
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.wait(20)
    first = link(world.documents(call)[0], "action")
    leg = world.leg(uuid=call.line.uuid)
    await leg.request(first, {"CallStatus": "completed", "HangupCause": "NORMAL_CLEARING"})
    before = (await records(world))[0]
    told = {"Event": "Hangup", "CallStatus": "completed", "Duration": "19", "BillDuration": "60"}
    told |= {"HangupSource": "Caller", "HangupCauseCode": "4000", "AnswerTime": "2026-01-05"}
    for duration in ("19", "999"):
        await leg.request(world.application.hangup_url, told | {"Duration": duration})
    after = (await records(world))[0]

    assert ("", None, "NORMAL_CLEARING") == (before.ended_by, before.billed, before.cause)
    assert 20 == pytest.approx(before.duration, abs=1)
    assert ("Caller", 60, "4000", 19) == (
        *(after.ended_by, after.billed),
        *(after.cause_code, after.duration),
    )
    assert (before.started_at, before.ended_at) == (after.started_at, after.ended_at)
    assert before.commands == after.commands == [("dialout", "hangup", 1)]


@pytest.mark.parametrize("form", [{}, {"DialAction": "hangup", "DialBLegDuration": "a\0b" * 999}])
async def test_callback_about_no_leg(make_world: Make, form: dict[str, str]) -> None:
    """A notification about something that was never dialled leaves no record."""
    world = await make_world(PLAY, HANGUP)
    world.dial()
    await world.finish()
    for step in (0, 1, 7):
        url = f"https://bridge.example.com/plivo/DEFAULT/1/{step}/notice/dial/x"
        assert 200 == (await world.leg().request(url, form)).status

    assert [0] == [cdr.leg for cdr in await records(world)]


# --- outbound calls -----------------------------------------------------------------------------


async def test_outbound_call(make_world: Make) -> None:
    """An answered outbound call has its request hash and cdr_field, and lasts from the answer."""
    world = await make_world(command("wait", wait=20), plivo_rest=True)
    does(world, Answers(after=3, talks=10))
    token = await place(world)
    await world.delivered()

    cdr = await only(world)
    assert ("outbound", SHOWN, CALLEE, token, "42") == (
        *(cdr.direction, cdr.caller, cdr.called),
        *(cdr.request_hash, cdr.cdr_field),
    )
    assert ("HANGUP", "Callee") == (cdr.status, cdr.ended_by)
    assert 10 == pytest.approx(cdr.duration, abs=1)
    assert (cdr.answered_at or 0) - cdr.started_at >= 3


@pytest.mark.parametrize(
    ("callee", "status", "code"), [(Busy(), "BUSY", "3010"), (NoAnswer(), "NOANSWER", "3000")]
)
async def test_outbound_call_that_never_got_up(
    make_world: Make, callee: Callee, status: str, code: str
) -> None:
    """It has one record as well, without an answer and without commands."""
    world = await make_world(plivo_rest=True)
    does(world, callee)
    await place(world)
    await world.delivered()

    cdr = await only(world)
    assert (status, code, 0) == ended(cdr)
    assert (None, []) == (cdr.answered_at, cdr.commands)


async def test_outbound_call_nobody_heard_of(make_world: Make) -> None:
    """A call that Plivo refused has a record in the commit that gives it up."""
    world = await make_world(plivo_rest=True, faults=["rest_500:Call#1"])
    await place(world)
    await world.delivered()

    cdr = await only(world)
    assert ("REJECTED", "Unknown", None) == (cdr.status, cdr.ended_by, cdr.answered_at)


# --- how they are kept --------------------------------------------------------------------------


async def test_repeated_hangup_changes_nothing(make_world: Make) -> None:
    """A hangup webhook that comes twice or again later writes no second record."""
    world = await make_world(PLAY, HANGUP, faults=["duplicate:hangup url"])
    call = world.dial()
    await world.finish()
    before = await world.bridge.store.list_records(KIND)
    form = {"Event": "Hangup", "CallStatus": "completed", "Duration": "999"}
    await world.leg(uuid=call.line.uuid).request(world.application.hangup_url, form)

    assert before == await world.bridge.store.list_records(KIND)
    assert [1] == [row.version for row in before]


async def test_records_survive_a_restart(make_world: Make) -> None:
    """A late callback reaches the record of a leg through another process."""
    world = await make_world(dialout(ONE), HANGUP, store="sqlite", faults=["drop:hangup"])
    world.rig.callee(ONE).busy()
    call = world.dial()
    await world.finish()
    await world.restart()
    before = (await records(world))[1]
    url = link(world.documents(call)[0], "callbackUrl")
    told = {"DialAction": "hangup", "DialBLegHangupCauseCode": "3010"}
    await world.leg(uuid=call.line.uuid).request(url, told)

    assert ["", "3010"] == [cdr.cause_code for cdr in (before, (await records(world))[1])]


async def test_records_expire(make_world: Make) -> None:
    """A record is kept for as long as the setting says, counted from the end of its leg."""
    world = await make_world(PLAY, HANGUP, cdr_retention_s=3600)
    world.dial()
    await world.finish()
    (row,) = await world.bridge.store.list_records(KIND)

    assert row.expires_at == load(row).ended_at + 3600
    await world.passes(3800)
    assert [] == await records(world)


async def test_no_records_on_demand(make_world: Make) -> None:
    """With a retention of 0 nothing is written, whatever Plivo tells."""
    world = await make_world(dialout(ONE), cdr_retention_s=0)
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.leg(1).hang_up()
    await world.finish()

    assert [] == await records(world)


async def test_stored_redacted(make_world: Make) -> None:
    """With cdr_redact no full number gets into a record, amended ones included."""
    world = await make_world(dialout(ONE), cdr_redact=True)
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.leg(1).hang_up()
    await world.finish()

    found = await records(world)
    assert [("+336*****78", "+331*****21"), ("+331*****21", "+442*****01")] == [
        (cdr.caller, cdr.called) for cdr in found
    ]


async def test_record_and_end_are_one_commit(make_world: Make) -> None:
    """When the store fails at the end of a call there is neither record nor end, and then both."""
    world = await make_world(PLAY, HANGUP, faults=["drop:hangup url"])
    whole = world.bridge.store.commit
    refused: list[Commit] = []

    async def commit(change: Commit) -> None:
        if change.records and not refused:
            refused.append(change)
            raise StoreUnavailable("The disk is full.")
        await whole(change)

    world.bridge.store.commit = commit  # type: ignore[method-assign]
    call = world.dial()
    await call.expect_ended(by="app")
    ended = {"Event": "Hangup", "CallStatus": "completed", "Duration": "3"}
    leg = world.leg(uuid=call.line.uuid)
    first = await leg.request(world.application.hangup_url, ended)
    assert (503, [], []) == (first.status, await records(world), world.app.finals)
    second = await leg.request(world.application.hangup_url, ended)
    await world.delivered()

    (change,) = refused
    assert change.call is not None
    assert (200, 1) == (second.status, change.call.callid)
    assert ["final"] == [row.kind for row in change.outbox]
    assert 3 == (await only(world)).duration
