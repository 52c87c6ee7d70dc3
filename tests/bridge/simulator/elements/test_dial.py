from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support_plivo import CALLED, CALLER, FOR_EVER, HANGUP, Life, Raw, XmlApp, wav

from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects, Rings
from bridge.simulator.causes import HUNG_UP_BY_API
from bridge.simulator.control import Legs, party_of, transfer
from bridge.simulator.document import Element
from bridge.simulator.elements.dial import dial as execute
from bridge.simulator.inputs import HungUp, Input, Key, Takes, Transferred
from bridge.simulator.line import Line
from bridge.simulator.platform import Plivo
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.tasks import background_tasks

ONE, TWO = "442079460101", "442079460102"
URLS = 'action="{url}/done" callbackUrl="{url}/told"'
#: (seconds, party or 0 for the caller, what happens)
Happening = tuple[float, int, Input]


def dial(*numbers: str, children: str = "", **attributes: str) -> str:
    """Write a Dial of these numbers that reports to /done and /told."""
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    inner = children or "".join(f"<Number>{number}</Number>" for number in numbers)
    return f"<Dial {URLS} {written}>{inner}</Dial>"


async def live(
    app: XmlApp,
    document: str,
    callees: dict[str, Callee] | None = None,
    happenings: tuple[Happening, ...] = (),
    profile: Profile = NORMAL,
    **options: Any,
) -> Life:
    """Let a call dial and live to its end; what is not known to ring any other way just rings."""
    app.documents = {"/done": HANGUP, **app.documents, "/answer": document}
    async with app.plivo(profile) as plivo:
        plivo.callees = callees or {}
        for name, value in options.items():
            setattr(plivo, name, value)
        line = plivo.call(CALLER, CALLED, application=app.application())
        for seconds, party, event in happenings:
            _let(plivo, line, seconds, party, event)
        assert await plivo.finish(FOR_EVER), f"the call did not end:\n{plivo.timeline}"
        return Life(plivo, line)


def _let(plivo: Plivo, line: Line, seconds: float, party: int, event: Input) -> None:
    plivo.later(seconds, lambda: (line if not party else line.legs[party - 1]).post(event))


def told(app: XmlApp) -> list[str]:
    """List the actions of the callbacks."""
    return [seen["DialAction"] for seen in app.of("/told")]


def states(life: Life, party: int = 1) -> list[str]:
    """List the states a party went through."""
    return [e.data["state"] for e in life.timeline.of("leg") if e.data["leg"] == party]


def result(app: XmlApp) -> tuple[str, ...]:
    """Give what the action was told of the Dial."""
    form = app.first("/done").form
    return tuple(form[name] for name in ("DialStatus", "DialHangupCause", "DialRingStatus"))


async def test_a_party_answers_and_hangs_up(app: XmlApp) -> None:
    """Pick-up, connection and hangup are reported, then the action; the caller lives on."""
    app.documents = {"/done": "<Speak>Goodbye</Speak><Hangup/>"}
    life = await live(app, dial(ONE), {ONE: Answers(4, talks=30)})

    assert ["answer", "connected", "hangup"] == told(app)
    assert ("completed", "NORMAL_CLEARING", "true") == result(app)
    assert ["ringing", "answered", "connected", "ended"] == states(life)
    assert [4.0] == life.when("leg", state="connected")
    assert [34.0] == life.when("leg", state="ended")
    assert "“Goodbye” (WOMAN en-US)" in life.timeline.texts("hears")
    assert [] == life.problems()


async def test_parameters_of_the_callbacks(app: XmlApp) -> None:
    """Every callback names both legs and both numbers, under the CallUUID of the caller."""
    life = await live(
        app,
        dial(ONE, digitsMatch="12"),
        {ONE: Answers(1, talks=61)},
        ((3, 0, Key("1")), (3.2, 0, Key("2"))),
    )
    party = life.line.legs[0]
    both = {
        "CallUUID": life.line.uuid,
        "DialALegUUID": life.line.uuid,
        "DialBLegUUID": party.uuid,
        "DialBLegFrom": CALLER,
        "DialBLegTo": ONE,
    }
    found = {
        seen["DialAction"]: {
            name: value
            for name, value in seen.form.items()
            if name.startswith("Dial") or name in {"CallUUID", "Event"}
        }
        for seen in app.of("/told")
    }

    assert {
        "answer": both
        | {"DialAction": "answer", "DialBLegStatus": "answer", "Event": "DialAnswer"},
        "connected": both
        | {"DialAction": "connected", "DialBLegStatus": "connected", "Event": "DialConnected"},
        "digits": both
        | {
            "DialAction": "digits",
            "DialBLegStatus": "connected",
            "Event": "DialDigits",
            "DialDigitsMatch": "12",
            "DialDigitsPressedBy": "ALeg",
        },
        "hangup": both
        | {
            "DialAction": "hangup",
            "DialBLegStatus": "hangup",
            "Event": "DialHangup",
            "DialBLegDuration": "61",
            "DialBLegBillDuration": "120",
            "DialBLegHangupCauseName": "Normal Hangup",
            "DialBLegHangupCauseCode": "4000",
            "DialBLegHangupSource": "Callee",
        },
    } == found
    assert "Not Applicable" == app.of("/told")[0]["STIRVerification"]


async def test_parameters_of_the_action(app: XmlApp) -> None:
    """The action names the two legs, and the party only if it was connected."""
    answered = await live(app, dial(ONE), {ONE: Answers(1, talks=1)})
    form = app.first("/done").form
    assert (answered.line.uuid, answered.line.legs[0].uuid, "in-progress") == (
        form["DialALegUUID"],
        form["DialBLegUUID"],
        form["CallStatus"],
    )
    app.seen.clear()
    await live(app, dial(ONE), {ONE: Busy()})
    assert ("", "ringing") == tuple(
        app.first("/done")[name] for name in ("DialBLegUUID", "CallStatus")
    )


@pytest.mark.parametrize(
    ("callee", "told_of", "states_seen", "at"),
    [
        (Busy(2), ("busy", "USER_BUSY", "false", "3010"), ["busy"], 2.0),
        (Rejects(2), ("busy", "CALL_REJECTED", "true", "3020"), ["ringing", "rejected"], 2.0),
        (NoAnswer(), ("no-answer", "NO_ANSWER", "true", "3000"), ["ringing", "no-answer"], 20.0),
        (Rings(), ("timeout", "NO_ANSWER", "true", "6010"), ["ringing", "no-answer"], 20.0),
        (Fails(), ("failed", "UNALLOCATED_NUMBER", "false", "3050"), ["failed"], 0.5),
        (Fails(5020, "X"), ("failed", "X", "false", "5020"), ["failed"], 0.5),
    ],
    ids=["busy", "rejected", "no answer", "ring timeout", "failed", "routing"],
)
async def test_a_party_that_does_not_answer(
    app: XmlApp, callee: Callee, told_of: tuple[str, ...], states_seen: list[str], at: float
) -> None:
    """Each way not to answer has its status, cause and state, and the caller was not answered."""
    life = await live(app, dial(ONE, timeout="20"), {ONE: callee})

    assert told_of == (*result(app), app.first("/told")["DialBLegHangupCauseCode"])
    assert states_seen == states(life)
    assert [at] == life.when("leg", state=states_seen[-1])
    assert ["hangup"] == told(app)
    assert "0" == app.first("/told")["DialBLegDuration"]


@pytest.mark.parametrize(
    ("event", "status", "state"),
    [
        (Takes("busy"), "busy", "busy"),
        (Takes("rejected"), "busy", "rejected"),
        (Takes("no-answer"), "no-answer", "no-answer"),
        (Takes("failed", 5000, "NETWORK_OUT_OF_ORDER"), "failed", "failed"),
        (HungUp(), "busy", "rejected"),
    ],
)
async def test_a_person_says_what_happens(
    app: XmlApp, event: Input, status: str, state: str
) -> None:
    """A phone that only rings does what is posted to its line; hanging up declines the call."""
    life = await live(app, dial(ONE), happenings=((7, 1, event),))

    assert status == app.first("/done")["DialStatus"]
    assert ["ringing", state] == states(life)
    assert [7.0] == life.when("leg", state=state)


async def test_a_person_answers_before_planned(app: XmlApp) -> None:
    """What is posted to a line comes before what its number would do later."""
    happenings = ((1.0, 1, Takes("answered")), (5.0, 1, HungUp()))
    life = await live(app, dial(ONE), {ONE: Answers(30)}, happenings)

    assert [1.0] == life.when("leg", state="connected")
    assert "Callee" == app.of("/told")[-1]["DialBLegHangupSource"]


async def test_the_first_answer_wins(app: XmlApp) -> None:
    """All ring together; the others end as losers, and report nothing."""
    life = await live(app, dial(ONE, TWO), {ONE: Answers(6), TWO: Answers(3, talks=5)})

    assert [ONE, TWO] == [e.data["number"] for e in life.timeline.of("dials")]
    assert ["ringing", "cancelled"] == states(life, 1)
    assert ["ringing", "answered", "connected", "ended"] == states(life, 2)
    loser, winner = life.line.legs
    assert ("LOSE_RACE", "9000", "Lost Race", "Plivo") == loser.ending
    assert winner.uuid == app.first("/done")["DialBLegUUID"]
    assert {winner.uuid} == {seen["DialBLegUUID"] for seen in app.of("/told")}


async def test_losers_may_report(app: XmlApp) -> None:
    """Where the profile says so, who lost the race is reported as hung up as well."""
    callees: dict[str, Callee] = {ONE: Rings(), TWO: Answers(3, talks=5)}
    life = await live(app, dial(ONE, TWO), callees, profile=HOSTILE)

    hangups = [s for s in app.of("/told") if s["DialAction"] == "hangup"]
    assert {"9000", "4000"} == {s["DialBLegHangupCauseCode"] for s in hangups}
    assert {leg.uuid for leg in life.line.legs} == {s["DialBLegUUID"] for s in hangups}


async def test_two_answer_in_the_same_instant(app: XmlApp) -> None:
    """Of two that answer at once exactly one is connected."""
    life = await live(app, dial(ONE, TWO), {ONE: Answers(3, talks=5), TWO: Answers(3, talks=5)})

    connected = life.timeline.of("leg")
    assert 1 == len([e for e in connected if e.data["state"] == "connected"])
    assert 1 == told(app).count("connected")
    assert [["4000", "9000"]] == [sorted(leg.ending[1] for leg in life.line.legs if leg.ending)]


async def test_all_fail(app: XmlApp) -> None:
    """When nobody answers the action hears of the last that was given up."""
    await live(app, dial(ONE, TWO), {ONE: Busy(1), TWO: Fails(after=9)})

    assert ("failed", "UNALLOCATED_NUMBER", "false") == result(app)


async def test_the_ring_limit(app: XmlApp) -> None:
    """A phone rings for 120 s at most, whatever the timeout says."""
    for timeout in ({"timeout": "300"}, {}):
        life = await live(app, dial(ONE, **timeout))
        assert [120.0] == life.when("leg", state="no-answer")


async def test_time_limit(app: XmlApp) -> None:
    """The time limit ends the party only."""
    app.documents = {"/done": '<Wait length="5"/><Hangup/>'}
    life = await live(app, dial(ONE, timeLimit="60"), {ONE: Answers(2)})

    assert [62.0] == life.when("leg", state="ended")
    assert ("completed", "ALLOTTED_TIMEOUT", "true") == result(app)
    assert "6000" == app.of("/told")[-1]["DialBLegHangupCauseCode"]
    assert [67.0] == life.when("ends", code="4000")


async def test_time_limit_is_four_hours(app: XmlApp) -> None:
    """Without a time limit parties talk for four hours."""
    application = app.application()
    app.documents = {"/answer": dial(ONE), "/done": HANGUP}
    async with app.plivo() as plivo:
        plivo.callees[ONE] = Answers(2)
        line = plivo.call(CALLER, CALLED, application=application)
        line.longest_s = 100_000.0
        assert await plivo.finish(FOR_EVER)
        assert [14_402.0] == Life(plivo, line).when("leg", state="ended")


async def test_hang_up_on_star(app: XmlApp) -> None:
    """The caller's star ends the party, once the two are connected."""
    happenings = ((1.0, 0, Key("*")), (9.0, 0, Key("*")))
    life = await live(app, dial(ONE, hangupOnStar="true"), {ONE: Answers(2)}, happenings)

    assert [9.0] == life.when("leg", state="ended")
    assert "Caller" == app.of("/told")[-1]["DialBLegHangupSource"]
    assert "completed" == app.first("/done")["DialStatus"]


async def test_star_without_the_attribute(app: XmlApp) -> None:
    """Without hangupOnStar a star is a key like any other."""
    life = await live(app, dial(ONE), {ONE: Answers(2, talks=20)}, ((9.0, 0, Key("*")),))

    assert [22.0] == life.when("leg", state="ended")


async def test_digits_of_both(app: XmlApp) -> None:
    """Each side has its own patterns; keys that are none are not reported."""
    life = await live(
        app,
        dial(ONE, digitsMatch="9,12", digitsMatchBLeg="#5"),
        {ONE: Answers(1, talks=30)},
        (
            *((at, 0, Key(key)) for at, key in ((2.0, "1"), (2.2, "2"), (3.0, "7"), (4.0, "9"))),
            *((at, 1, Key(key)) for at, key in ((6.0, "#"), (6.2, "5"), (7.0, "9"))),
            (10.0, 0, Key("1")),
            (14.0, 0, Key("2")),
        ),
    )
    found = [s for s in app.of("/told") if s["DialAction"] == "digits"]

    assert [("12", "ALeg"), ("9", "ALeg"), ("#5", "BLeg")] == [
        (s["DialDigitsMatch"], s["DialDigitsPressedBy"]) for s in found
    ]
    assert [] == life.problems()


@pytest.mark.parametrize(
    ("known", "caller_id", "refused"),
    [
        (None, "33999999999", False),
        (set(), "33999999999", True),
        ({"+33999999999"}, "33999999999", False),
        (set(), CALLED, False),
        (set(), "", False),
    ],
    ids=["any", "unknown", "verified", "rented", "the caller's own"],
)
async def test_caller_id(
    app: XmlApp, known: set[str] | None, caller_id: str, refused: bool
) -> None:
    """A caller id must be rented or verified, else the party fails with cause 3030 at once."""
    chosen = {"callerId": f"+{caller_id}"} if caller_id else {}
    life = await live(
        app,
        dial(ONE, **chosen),
        {ONE: Answers(1, talks=1)},
        caller_ids=known,
        numbers={CALLED: app.application()},
    )
    shown = life.timeline.of("dials")[0].data["caller_id"]

    assert (caller_id or CALLER) == shown
    assert ("3030" if refused else "4000") == app.of("/told")[-1]["DialBLegHangupCauseCode"]
    assert ("failed" if refused else "completed") == app.first("/done")["DialStatus"]
    assert refused == ("connected" not in states(life))


async def test_names_and_headers(app: XmlApp) -> None:
    """A callerName and SIP headers show in the requests of the dialled leg, such as confirmSound."""
    app.documents = {"/sound": "<Speak>A call for you</Speak>"}
    await live(
        app,
        dial(
            children='<User sipHeaders="two=2">sip:ada@example.com</User>',
            callerName="Ada",
            sipHeaders="one=1",
            confirmSound="{url}/sound",
        ),
        {"sip:ada@example.com": Answers(1, talks=1)},
    )
    form = app.first("/sound").form

    assert ("Ada", "1", "2", "sip:ada@example.com", "outbound", "POST") == (
        *(form[name] for name in ("CallerName", "X-PH-one", "X-PH-two", "To", "Direction")),
        app.first("/sound").method,
    )


async def test_confirm_sound(app: XmlApp) -> None:
    """Without a key the party hears the sound and is connected after it, not before."""
    app.documents = {"/sound": "<Wait length='2'/><Speak>123456789012345</Speak>"}
    life = await live(app, dial(ONE, confirmSound="{url}/sound"), {ONE: Answers(1, talks=5)})

    assert [1.0] == life.when("leg", state="answered")
    assert [4.0] == life.when("leg", state="connected")
    heard = [e for e in life.timeline.of("hears") if e.data.get("text") == "123456789012345"]
    assert [1] == [e.leg for e in heard]
    assert [CALLER + ": connected"] == [
        e.text for e in life.timeline.of("hears") if e.leg == 1 and e.data["element"] == "connected"
    ]
    assert ["answer", "connected", "hangup"] == told(app)


async def test_confirm_timeout(app: XmlApp) -> None:
    """A sound that lasts longer than confirmTimeout drops the party."""
    app.documents = {"/sound": '<Wait length="9"/>'}
    attributes = {"confirmSound": "{url}/sound", "confirmTimeout": "4"}
    life = await live(app, dial(ONE, **attributes), {ONE: Answers(1)})

    assert [5.0] == life.when("leg", state="ended")
    assert "no-answer" == app.first("/done")["DialStatus"]
    assert ["answer", "hangup"] == told(app)


@pytest.mark.parametrize(
    ("callee", "connected", "at"),
    [
        (Answers(1, talks=5, key="5"), True, 6.0),
        (Answers(1, talks=5, key="4"), False, 1.0),
        (Answers(1), False, 7.0),
    ],
    ids=["right", "wrong", "none"],
)
async def test_confirm_key(app: XmlApp, callee: Callee, connected: bool, at: float) -> None:
    """Only the right key connects; a wrong one, or none, drops the party with cause 9110."""
    app.documents = {"/sound": "<Speak>123456789012345</Speak>"}
    attributes = {"confirmSound": "{url}/sound", "confirmKey": "5"}
    life = await live(app, dial(ONE, **attributes), {ONE: callee})

    assert [at] == life.when("leg", state="ended")
    assert connected == ("connected" in states(life))
    assert connected == ("connected" in told(app))
    assert ("4000" if connected else "9110") == app.of("/told")[-1]["DialBLegHangupCauseCode"]
    assert ("completed" if connected else "no-answer") == app.first("/done")["DialStatus"]


async def test_others_ring_while_one_confirms(app: XmlApp) -> None:
    """Who answers later but confirms first is connected."""
    app.documents = {"/sound": '<Wait length="60"/>'}
    attributes = {"confirmSound": "{url}/sound", "confirmKey": "1"}
    callees: dict[str, Callee] = {ONE: Answers(1), TWO: Answers(5, talks=5, key="1")}
    life = await live(app, dial(ONE, TWO, **attributes), callees)

    assert ["ringing", "answered", "ended"] == states(life, 1)
    assert "9000" == (life.line.legs[0].ending or "")[1]
    assert [5.0] == life.when("leg", state="connected")


async def test_a_confirm_sound_that_does_not_come(app: XmlApp) -> None:
    """A failed fetch of the sound asks for no confirmation, and is a problem."""
    app.documents = {"/sound": Raw(status=500)}
    attributes = {"confirmSound": "{url}/sound", "confirmKey": "1"}
    life = await live(app, dial(ONE, **attributes), {ONE: Answers(1, talks=5)})

    assert [1.0] == life.when("leg", state="connected")
    assert ["confirmSound gave status 500"] == life.problems()


@pytest.mark.parametrize("music", ["", "real"])
async def test_ringing(app: XmlApp, music: str) -> None:
    """Without music the caller hears it ring."""
    life = await live(app, dial(ONE, **({"dialMusic": music} if music else {})), {ONE: Busy()})

    assert ["ringing"] == life.timeline.texts("hears")


async def test_dial_music(app: XmlApp) -> None:
    """A document of music is fetched with POST and heard by the caller from the start."""
    app.sounds = {"/music.wav": wav(3)}
    app.documents = {"/music": "<Play>{url}/music.wav</Play>"}
    life = await live(app, dial(ONE, dialMusic="{url}/music"), {ONE: Answers(20, talks=1)})

    heard = life.timeline.of("hears")[0]
    assert (0.0, f"{app.url}/music.wav", 0) == (heard.at, heard.data["url"], heard.leg)
    assert "POST" == app.first("/music").method
    assert [20.0] == life.when("leg", state="connected")


@pytest.mark.parametrize(("early", "at"), [("true", 0.0), ("false", 3.0)])
async def test_send_digits(app: XmlApp, early: str, at: float) -> None:
    """The sendDigits are played to the party once it answers, or as soon as it rings."""
    child = f'<Number sendDigits="1w2" sendOnPreanswer="{early}">{ONE}</Number>'
    life = await live(app, dial(children=child), {ONE: Answers(3, talks=1)})

    assert [at] == life.when("hears", tones="1w2")


async def test_the_caller_hangs_up_while_it_rings(app: XmlApp) -> None:
    """All parties are cancelled; the action is not fetched, the hangup URL is."""
    life = await live(app, dial(ONE, TWO), happenings=((8.0, 0, HungUp()),))

    assert [["ringing", "cancelled"]] * 2 == [states(life, 1), states(life, 2)]
    assert [("ORIGINATOR_CANCEL", "1000", "Canceled", "Caller")] * 2 == [
        leg.ending for leg in life.line.legs
    ]
    assert ["/answer", "/hangup", "/told", "/told"] == sorted(app.paths())
    assert {"completed"} == {seen["CallStatus"] for seen in app.of("/told")}


async def test_the_caller_hangs_up_while_they_talk(app: XmlApp) -> None:
    """The party ends with the caller, who is named as the source."""
    life = await live(app, dial(ONE), {ONE: Answers(2)}, ((8.0, 0, HungUp()),))

    assert [8.0] == life.when("leg", state="ended")
    assert ("4000", "Caller", "6") == tuple(
        app.of("/told")[-1][f"DialBLeg{name}"]
        for name in ("HangupCauseCode", "HangupSource", "Duration")
    )
    assert [] == app.of("/done")


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    ("profile", "redirect", "asked"),
    [
        (NORMAL, "true", False),
        (NORMAL, "false", True),
        (HOSTILE, "true", True),
        (HOSTILE, "false", False),
    ],
    ids=["normal", "normal report", "hostile", "hostile report"],
)
async def test_the_action_after_a_hangup(
    app: XmlApp, profile: Profile, redirect: str, asked: bool, connected: bool
) -> None:
    """Whether the action hears of a Dial that the hangup ended is up to the profile."""
    callee = Answers(2) if connected else Rings()
    await live(app, dial(ONE, redirect=redirect), {ONE: callee}, ((8.0, 0, HungUp()),), profile)
    forms = [
        tuple(s[name] for name in ("DialStatus", "CallStatus", "HangupCause"))
        for s in app.of("/done")
    ]

    status = "completed" if connected else "cancel"
    assert ([(status, "completed", "NORMAL_CLEARING")] if asked else []) == forms


async def test_redirect_false(app: XmlApp) -> None:
    """With redirect="false" the action is told in the background and the next element runs."""
    app.documents = {"/done": "<Speak>never</Speak>"}
    document = dial(ONE, redirect="false") + '<Speak>next</Speak><Wait length="2"/>'
    life = await live(app, document, {ONE: Answers(1, talks=3)})

    assert "completed" == app.first("/done")["DialStatus"]
    spoken = [e.data["text"] for e in life.timeline.of("hears") if e.data["element"] == "Speak"]
    assert ["next"] == spoken


async def test_several_dials(app: XmlApp) -> None:
    """Dials are tried in turn; parties are numbered over the whole call."""
    document = f"<Dial><Number>{ONE}</Number></Dial>" + dial(TWO)
    life = await live(app, document, {ONE: Busy(), TWO: Answers(1, talks=5)})

    assert [(1, ONE), (2, TWO)] == [
        (e.data["leg"], e.data["number"]) for e in life.timeline.of("dials")
    ]
    assert ["busy"] == states(life, 1)
    assert ["ringing", "answered", "connected", "ended"] == states(life, 2)
    assert [1, 2] == [leg.leg_number for leg in life.line.legs]


async def test_methods(app: XmlApp) -> None:
    """Action and callback have their own methods."""
    await live(app, dial(ONE, method="GET", callbackMethod="GET"), {ONE: Answers(1, talks=5)})

    assert {"GET"} == {s.method for path in ("/done", "/told") for s in app.of(path)}


async def test_no_callback_url(app: XmlApp) -> None:
    """Without URLs nothing is reported, and the next element runs."""
    document = f"<Dial><Number>{ONE}</Number></Dial><Hangup/>"
    life = await live(app, document, {ONE: Answers(1, talks=5)})

    assert ["/answer", "/hangup"] == app.paths()
    assert "4000" == life.code


async def test_a_transfer_while_they_talk(app: XmlApp) -> None:
    """A caller who is transferred leaves the party, who is hung up; no action is fetched."""
    app.documents = {"/else": "<Speak>elsewhere</Speak>"}
    event = Transferred(f"{app.url}/else")
    life = await live(app, dial(ONE), {ONE: Answers(2)}, ((8.0, 0, event),))

    assert [8.0] == life.when("leg", state="ended")
    assert [] == app.of("/done")
    assert 1 == len(app.of("/else"))
    assert "API Request" == app.of("/told")[-1]["DialBLegHangupSource"]


async def test_a_transfer_while_it_rings(app: XmlApp) -> None:
    """A transfer cancels what rings; an action without redirect still goes out."""
    app.documents = {"/else": HANGUP}
    event = Transferred(f"{app.url}/else")
    life = await live(app, dial(ONE, redirect="false"), happenings=((8.0, 0, event),))

    assert ["ringing", "cancelled"] == states(life)
    assert ["cancel"] == [seen["DialStatus"] for seen in app.of("/done")]


@pytest.mark.parametrize("legs", ["bleg", "both"])
async def test_a_transfer_of_the_party(app: XmlApp, legs: Legs) -> None:
    """A party that is transferred leaves the Dial and executes documents as a call of its own."""
    app.documents = {
        "/answer": dial(ONE),
        "/done": HANGUP,
        "/a": "<Speak>for the caller</Speak>",
        "/b": '<Speak>for the party</Speak><Wait length="30"/>',
    }
    async with app.plivo() as plivo:
        plivo.callees[ONE] = Answers(2)
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: party_of(line) is not None)
        assert transfer(plivo, line.uuid, legs, f"{app.url}/a", f"{app.url}/b")
        assert await plivo.finish(FOR_EVER)
        spoken = {(e.leg, e.data["text"]) for e in plivo.timeline.of("hears") if "text" in e.data}

    caller = {(0, "for the caller")} if legs == "both" else set()
    assert {(1, "for the party")} | caller == spoken
    assert (legs == "bleg") == bool(app.of("/done"))
    assert ("Transfer", line.legs[0].uuid) == tuple(
        app.first("/b")[name] for name in ("Event", "CallUUID")
    )


async def test_the_party_is_hung_up_through_rest(app: XmlApp) -> None:
    """A party is a call that REST can hang up; the caller goes on."""
    app.documents = {"/answer": dial(ONE), "/done": '<Wait length="3"/>'}
    async with app.plivo() as plivo:
        plivo.callees[ONE] = Answers(2)
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: party_of(line) is not None)
        assert plivo.hang_up(line.legs[0].uuid)
        assert await plivo.finish(FOR_EVER)

    assert "API Request" == app.of("/told")[-1]["DialBLegHangupSource"]
    assert "4010" == app.first("/hangup")["HangupCauseCode"]


async def test_a_call_hung_up_through_rest_cancels_by_rest(app: XmlApp) -> None:
    """A call that REST hangs up while it rings cancels its parties in the name of REST."""
    life = await live(app, dial(ONE), happenings=((3.0, 0, HungUp(HUNG_UP_BY_API)),))

    assert ("ORIGINATOR_CANCEL", "1000", "Canceled", "API Request") == life.line.legs[0].ending


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_hangups_at_any_instant(app: XmlApp, profile: Profile) -> None:
    """Whoever hangs up when, every line ends, is reported, and no task is left."""
    random = Random(f"hangups {profile.name}")
    app.documents = {"/sound": "<Speak>A call</Speak>"}
    for _ in range(40):
        app.seen.clear()
        key = random.choice(["", "1"])
        document = dial(
            ONE,
            TWO,
            redirect=random.choice(["true", "false"]),
            confirmSound="{url}/sound",
            **({"confirmKey": "1"} if key else {}),
        )
        after = random.choice([1.0, 2.0])
        choices: list[Callee] = [Answers(after, 2.0, "1"), Rings(), Busy(2.0), Rejects(1.0)]
        callees = {number: random.choice(choices) for number in (ONE, TWO)}
        instants = [0.0, 0.5, 1.0, 1.5, 2.0, 2.4666666, 4.0, random.uniform(0, 6)]
        who = random.choice([(0,), (0, 1), (1, 2), (0, 1, 2)])
        at = random.choice(instants)
        happenings = tuple((at, one, HungUp()) for one in who if one == 0 or at > 0)
        happenings += ((9.0, 0, HungUp()),)
        life = await live(app, document, callees, happenings, profile)

        assert all(one.over.is_set() for one in (life.line, *life.line.legs))
        assert [] == life.problems()
        assert 1 == len(app.of("/hangup"))
        for leg in life.line.legs:
            mine = [s["DialAction"] for s in app.of("/told") if s["DialBLegUUID"] == leg.uuid]
            lost = leg.ending is not None and leg.ending[1] == "9000"
            silent = lost and not profile.losers_report_hangup
            assert (0 if silent else 1) == mine.count("hangup")
            assert mine.count("connected") <= mine.count("answer") <= 1
    assert set() == background_tasks()


async def test_the_same_seed_gives_the_same_dial(app: XmlApp) -> None:
    """Under one seed a Dial with its ids happens twice in the same way."""
    seen = []
    for _ in range(2):
        callees: dict[str, Callee] = {ONE: Answers(1, talks=5), TWO: Rejects(0.5)}
        life = await live(app, dial(ONE, TWO), callees, profile=HOSTILE)
        seen.append([(e.at, e.kind, e.text, e.detail) for e in life.timeline.entries])

    assert seen[0] == seen[1]


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
async def test_nobody_to_call(app: XmlApp, profile: Profile) -> None:
    """A document whose Dial names nobody is refused; the element alone is skipped."""
    refused = await live(app, dial(children="<Extension>12</Extension>"), profile=profile)
    assert "8011" == refused.code
    nobody = Element("Dial", "", {"action": f"{app.url}/done"}, (), 1)

    assert await execute(refused.line, nobody) is None
    assert "Dial has nobody to call" == refused.problems()[-1]
    assert [] == app.of("/done")


async def test_a_transferred_party_dials(app: XmlApp) -> None:
    """A party that became a call dials others, who are numbered on in the same call."""
    app.documents = {
        "/answer": dial(ONE),
        "/done": '<Wait length="60"/>',
        "/b": f"<Dial><Number>{TWO}</Number></Dial><Hangup/>",
    }
    async with app.plivo() as plivo:
        plivo.callees = {ONE: Answers(1), TWO: Answers(1, talks=5)}
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: party_of(line) is not None)
        assert transfer(plivo, line.uuid, "bleg", bleg_url=f"{app.url}/b")
        assert await plivo.finish(FOR_EVER)
    life = Life(plivo, line)

    assert [(0, 1), (1, 2)] == [(e.leg, e.data["leg"]) for e in life.timeline.of("dials")]
    assert ["ringing", "answered", "connected", "ended"] == states(life, 2)
    assert line.legs[0] is line.legs[1].parent
    assert ["Answer XML"] == [
        s["DialBLegHangupSource"] for s in app.of("/told") if s["DialAction"] == "hangup"
    ]


async def test_keys_of_a_ringing_phone(app: XmlApp) -> None:
    """Keys on a phone that rings are heard by nobody."""
    life = await live(app, dial(ONE), {ONE: Answers(5, talks=1)}, ((2.0, 1, Key("1")),))

    assert [2.0] == life.when("does", action="lost")
    assert [5.0] == life.when("leg", state="connected")
