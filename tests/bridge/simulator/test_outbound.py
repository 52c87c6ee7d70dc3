from __future__ import annotations

from random import Random
from typing import Any, Unpack

import pytest
from support_plivo import FOR_EVER, Life, XmlApp

from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects, Rings
from bridge.simulator.inputs import HungUp, Input, Key, Takes
from bridge.simulator.outbound import CallOptions, Departures, OutboundLine
from bridge.simulator.platform import Application, Plivo
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.tasks import background_tasks

FROM, TO = "33187654321", "442079460101"
#: s from the request to the first ring, when nothing is queued.
DIALLING_S = 0.1


def application(app: XmlApp) -> Application:
    """Give URLs for the answer, the ring and the end of a call."""
    return app.application(ring_url=f"{app.url}/ring")


def line_of(plivo: Plivo, uuid: str) -> OutboundLine:
    """Give the line of a call that was just made."""
    line = plivo.find(uuid)
    assert isinstance(line, OutboundLine)
    return line


async def live(
    app: XmlApp,
    callee: Callee,
    profile: Profile = NORMAL,
    happenings: tuple[tuple[float, Input], ...] = (),
    **options: Unpack[CallOptions],
) -> Life:
    """Make a call and let it live to its end."""
    async with app.plivo(profile) as plivo:
        plivo.callees[TO] = callee
        line = line_of(plivo, plivo.make_call(f"+{FROM}", f"+{TO}", application(app), **options))
        for seconds, event in happenings:
            plivo.later(seconds, lambda event=event: line.post(event))  # type: ignore[misc]
        assert await plivo.finish(FOR_EVER), f"the call did not end:\n{plivo.timeline}"
        return Life(plivo, line)


async def test_an_answered_call(app: XmlApp) -> None:
    """A call rings, is answered, executes its document, and ends: four requests."""
    app.documents = {"/answer": "<Speak>Hello</Speak><Hangup/>"}
    life = await live(app, Answers(7))
    ring, answer, end = app.seen

    assert [("/ring", "Ring", "ringing"), ("/answer", "StartApp", "in-progress")] == [
        (seen.path, seen["Event"], seen["CallStatus"]) for seen in (ring, answer)
    ]
    assert ("/hangup", "completed", "4000", "Answer XML") == (
        end.path,
        *(end[name] for name in ("CallStatus", "HangupCauseCode", "HangupSource")),
    )
    assert ["ringing", "answered"] == [e.data["state"] for e in life.timeline.of("leg")]
    assert [7 + DIALLING_S] == life.when("leg", state="answered")
    assert [] == life.problems()


async def test_parameters(app: XmlApp) -> None:
    """The ring request has a plus in From and no A leg; the others name both, equal to the call."""
    app.documents = {"/answer": "<Hangup/>"}
    life = await live(app, Answers(1), caller_name="Shop")
    ring, answer, end = (seen.form for seen in app.seen)
    uuid = life.line.uuid

    assert (f"+{FROM}", TO, uuid, uuid, "outbound", "Shop") == tuple(
        ring[name] for name in ("From", "To", "CallUUID", "RequestUUID", "Direction", "CallerName")
    )
    assert [] == [name for name in ring if name.startswith("ALeg")]
    for form in (answer, end):
        assert (FROM, uuid, uuid, uuid) == tuple(
            form[name] for name in ("From", "RequestUUID", "ALegUUID", "ALegRequestUUID")
        )


async def test_ids_may_differ(app: XmlApp) -> None:
    """Where the profile says so RequestUUID, ALegUUID and CallUUID are three."""
    app.documents = {"/answer": "<Hangup/>"}
    async with app.plivo(HOSTILE) as plivo:
        plivo.callees[TO] = Answers(1)
        request_uuid = plivo.make_call(FROM, TO, application(app))
        line = line_of(plivo, request_uuid)
        assert line is plivo.find(line.uuid)
        assert await plivo.finish(FOR_EVER)
    form = app.first("/answer").form

    assert request_uuid == form["RequestUUID"]
    assert 3 == len({form["RequestUUID"], form["ALegUUID"], form["CallUUID"]})
    assert request_uuid == form["ALegRequestUUID"]


async def test_duration_counts_from_the_answer(app: XmlApp) -> None:
    """Ringing is neither counted nor billed."""
    app.documents = {"/answer": '<Wait length="50"/><Hangup/>'}
    await live(app, Answers(30))

    assert ("50", "60") == tuple(app.first("/hangup")[n] for n in ("Duration", "BillDuration"))


@pytest.mark.parametrize(
    ("callee", "told", "rings"),
    [
        (Busy(), ("busy", "USER_BUSY", "3010", "Carrier"), False),
        (Rejects(), ("busy", "CALL_REJECTED", "3020", "Carrier"), True),
        (NoAnswer(), ("no-answer", "NO_ANSWER", "3000", "Carrier"), True),
        (Rings(), ("timeout", "NO_ANSWER", "6010", "Plivo"), True),
        (Fails(), ("failed", "UNALLOCATED_NUMBER", "3050", "Carrier"), False),
    ],
    ids=["busy", "rejected", "no answer", "ring timeout", "failed"],
)
async def test_an_unanswered_call(
    app: XmlApp, callee: Callee, told: tuple[str, ...], rings: bool
) -> None:
    """Only the hangup URL hears of a call that nobody answered, with status and cause."""
    await live(app, callee)
    form = app.first("/hangup").form

    assert (["/ring"] if rings else []) + ["/hangup"] == app.paths()
    names = ("CallStatus", "HangupCause", "HangupCauseCode", "HangupSource")
    assert told == tuple(form[name] for name in names)
    assert ("0", "0") == (form["Duration"], form["BillDuration"])
    assert "AnswerTime" not in form


@pytest.mark.parametrize(("options", "at"), [({}, 120.0), ({"ring_timeout": 15}, 15.0)])
async def test_ring_timeout(app: XmlApp, options: CallOptions, at: float) -> None:
    """A phone rings for 120 s unless the call says less."""
    life = await live(app, Rings(), **options)

    assert [at + DIALLING_S] == life.when("ends")


async def test_time_limit(app: XmlApp) -> None:
    """The time limit counts from the answer."""
    app.documents = {"/answer": '<Wait length="900"/>'}
    life = await live(app, Answers(10), time_limit=60)

    assert [70 + DIALLING_S] == life.when("ends")
    assert "6000" == life.code


async def test_the_person_hangs_up(app: XmlApp) -> None:
    """A callee that hangs up is the source of the hangup, whoever says so."""
    app.documents = {"/answer": '<Wait length="900"/>'}
    for callee, happenings in (
        (Answers(1, talks=5.0), ()),
        (Answers(1), ((6.1, HungUp()),)),
    ):
        life = await live(app, callee, happenings=happenings)
        assert ([6.1], "Callee") == (life.when("ends"), app.seen[-1]["HangupSource"])


async def test_a_person_decides(app: XmlApp) -> None:
    """A test answers or declines a ringing call."""
    app.documents = {"/answer": "<Hangup/>"}
    answered = await live(app, Rings(), happenings=((5.0, Takes("answered")),))
    assert [5.0] == answered.when("leg", state="answered")
    declined = await live(app, Rings(), happenings=((5.0, HungUp()),))
    assert ([5.0], "3020") == (declined.when("ends"), declined.code)


async def test_keys_reach_the_document(app: XmlApp) -> None:
    """An answered call is a call like any other: its person presses keys."""
    app.documents = {
        "/answer": '<GetDigits action="{url}/keys" numDigits="2"/>',
        "/keys": "<Hangup/>",
    }
    await live(app, Answers(1), happenings=((3.0, Key("4")), (3.3, Key("2"))))

    assert "42" == app.first("/keys")["Digits"]


async def test_calls_per_second(app: XmlApp) -> None:
    """Two calls leave in a second, the others are queued and leave later."""
    async with app.plivo() as plivo:
        uuids = [plivo.make_call(FROM, f"{TO}{number}", application(app)) for number in range(5)]
        lines = [line_of(plivo, uuid) for uuid in uuids]
        assert [False, False, True, True, True] == [line.queued for line in lines]
        assert {"queued"} == {line.leg.status for line in lines}
        plivo.default_callee = Rings()
        assert await plivo.finish(FOR_EVER)
        begun = Life(plivo, lines[0]).when("leg", state="ringing")

    assert [0.1, 0.1, 1.1, 1.1, 2.1] == begun
    assert [False] * 5 == [line.queued for line in lines]


def test_departures() -> None:
    """No second holds more calls than allowed, and a pause uses up nothing."""
    departures = Departures(per_second=2)

    assert [0.0, 0.0, 1.0, 1.0, 2.0] == [departures.next(0.0) for _ in range(5)]
    assert [9.0, 9.0, 10.0] == [departures.next(9.0) for _ in range(3)]
    assert [0.0, 1.0] == [Departures(1).next(0.0), _second(Departures(1))]


def _second(departures: Departures) -> float:
    departures.next(0.0)
    return departures.next(0.5)


@pytest.mark.parametrize(("seconds", "rings"), [(0.05, False), (8.0, True)])
async def test_cancel(app: XmlApp, seconds: float, rings: bool) -> None:
    """A queued or ringing call that REST ends was cancelled, and its end is told."""
    async with app.plivo() as plivo:
        uuid = plivo.make_call(FROM, TO, application(app))
        plivo.later(seconds, lambda: plivo.hang_up(uuid))
        assert await plivo.finish(FOR_EVER)
    form = app.first("/hangup").form

    assert rings == ("/ring" in app.paths())
    assert ("cancel", "ORIGINATOR_CANCEL", "1000", "API Request") == tuple(
        form[name] for name in ("CallStatus", "HangupCause", "HangupCauseCode", "HangupSource")
    )
    assert not plivo.hang_up(uuid)


async def test_hang_up_an_answered_call(app: XmlApp) -> None:
    """An answered call that REST ends is completed."""
    app.documents = {"/answer": '<Wait length="900"/>'}
    async with app.plivo(HOSTILE) as plivo:
        plivo.callees[TO] = Answers(1)
        uuid = plivo.make_call(FROM, TO, application(app))
        plivo.later(8, lambda: plivo.hang_up(uuid))
        assert await plivo.finish(FOR_EVER)

    assert ("completed", "4000") == tuple(
        app.first("/hangup")[name] for name in ("CallStatus", "HangupCauseCode")
    )


async def test_unknown_caller_id(app: XmlApp) -> None:
    """A call from a number that is neither rented nor verified fails with cause 3030."""
    async with app.plivo() as plivo:
        plivo.caller_ids = set()
        plivo.callees[TO] = Answers(1)
        plivo.make_call(FROM, TO, application(app))
        assert await plivo.finish(FOR_EVER)

    assert ["/hangup"] == app.paths()
    assert ("failed", "3030") == tuple(
        app.first("/hangup")[name] for name in ("CallStatus", "HangupCauseCode")
    )


async def test_hangup_on_ring(app: XmlApp) -> None:
    """A call may be given up so many s after it began to ring."""
    life = await live(app, Rings(), hangup_on_ring=4)

    assert [4 + DIALLING_S] == life.when("ends")
    assert "cancel" == app.first("/hangup")["CallStatus"]


@pytest.mark.parametrize(("early", "at"), [(True, DIALLING_S), (False, 3 + DIALLING_S)])
async def test_send_digits(app: XmlApp, early: bool, at: float) -> None:
    """Digits are sent once the call is answered, or as soon as it rings."""
    app.documents = {"/answer": "<Hangup/>"}
    life = await live(app, Answers(3), send_digits="1w2", send_on_preanswer=early)

    assert [at] == life.when("hears", tones="1w2")


@pytest.mark.parametrize("machine", [True, False])
async def test_machine_detection_before_the_answer_url(app: XmlApp, machine: bool) -> None:
    """Without an URL of its own the answer URL waits for the verdict and hears it."""
    app.documents = {"/answer": "<Hangup/>"}
    life = await live(
        app, Answers(3, machine=machine), machine_detection="true", machine_detection_time=4000
    )

    assert ("true" if machine else "false") == app.first("/answer")["Machine"]
    assert [(7.1 if machine else 4.1)] == life.when("asks")


async def test_machine_detection_that_hangs_up(app: XmlApp) -> None:
    """A machine is hung up with cause 9100, and the answer URL is never asked."""
    await live(app, Answers(3, machine=True), machine_detection="hangup")

    assert [] == app.of("/answer")
    assert "9100" == app.first("/hangup")["HangupCauseCode"]


@pytest.mark.parametrize(
    ("wanted", "machine", "told", "code"),
    [
        ("true", True, ("true", "continue"), "4000"),
        ("true", False, ("false", "continue"), "4000"),
        ("hangup", True, ("true", "hangup"), "9100"),
    ],
)
async def test_machine_detection_beside_the_call(
    app: XmlApp, wanted: Any, machine: bool, told: tuple[str, str], code: str
) -> None:
    """With an URL of its own the verdict comes while the document runs."""
    app.documents = {"/answer": '<Wait length="20"/><Hangup/>'}
    await live(
        app,
        Answers(3, machine=machine),
        machine_detection=wanted,
        machine_detection_url=f"{app.url}/machine",
    )
    verdict = app.first("/machine")

    assert ("MachineDetection", *told) == tuple(
        verdict[name] for name in ("Event", "Machine", "IfMachine")
    )
    assert "Machine" not in app.first("/answer").form
    assert code == app.first("/hangup")["HangupCauseCode"]


async def test_sip_headers(app: XmlApp) -> None:
    """Headers of the call come back with every request."""
    app.documents = {"/answer": "<Hangup/>"}
    await live(app, Answers(1), sip_headers="a=1,b=2")

    assert {("1", "2")} == {(seen["X-PH-a"], seen["X-PH-b"]) for seen in app.seen}


async def test_without_a_hangup_url(app: XmlApp) -> None:
    """Without a hangup URL the answer URL hears of the end."""
    async with app.plivo() as plivo:
        plivo.callees[TO] = Busy()
        plivo.make_call(FROM, TO, Application(f"{app.url}/answer"))
        assert await plivo.finish(FOR_EVER)

    assert ["Hangup"] == [seen["Event"] for seen in app.of("/answer")]


async def test_the_timeline(app: XmlApp) -> None:
    """A call that is made is dialled with its numbers."""
    life = await live(app, Busy())

    assert [(TO, FROM, 0)] == [
        (e.data["number"], e.data["caller_id"], e.data["leg"]) for e in life.timeline.of("dials")
    ]


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_ends_at_any_instant(app: XmlApp, profile: Profile) -> None:
    """However and whenever a call is ended, its end is told once and no task is left."""
    random = Random(f"outbound {profile.name}")
    app.documents = {"/answer": '<Wait length="4"/>'}
    for _ in range(30):
        app.seen.clear()
        callees: list[Callee] = [Answers(2.0), Rings(), Busy(2.0), Rejects(2.0), NoAnswer()]
        async with app.plivo(profile, seed=random.randrange(99)) as plivo:
            plivo.callees[TO] = random.choice(callees)
            uuid = plivo.make_call(FROM, TO, application(app), ring_timeout=5)
            line = line_of(plivo, uuid)
            at = random.choice([0.0, 0.1, 2.0, 2.1, 3.0, 5.1, 6.1, random.uniform(0, 7)])
            end: Any = random.choice(
                [
                    lambda: plivo.hang_up(uuid),  # noqa: B023 -- called before the next round
                    lambda: line.post(HungUp()),  # noqa: B023
                ]
            )
            plivo.later(at, end)
            assert await plivo.finish(FOR_EVER)
            assert [] == plivo.timeline.texts("problem")
        assert 1 == len(app.of("/hangup"))
        assert len(app.of("/ring")) <= 1
        status = app.first("/hangup")["CallStatus"]
        assert (status == "completed") == (line.leg.answered is not None)
    assert set() == background_tasks()
