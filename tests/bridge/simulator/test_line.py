"""The life of a line: documents one after the other, hangups, transfers, crashes, time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from support_plivo import CALLED, CALLER, FOR_EVER, HANGUP, Raw, XmlApp, happens, keys

from bridge.simulator import elements
from bridge.simulator.clock import RealTime
from bridge.simulator.document import Element
from bridge.simulator.inputs import HungUp, Key, Talks, Transferred
from bridge.simulator.line import LONGEST_S, Line
from bridge.simulator.profile import HOSTILE, NORMAL
from bridge.tasks import background_tasks


async def test_a_call_begins_ringing_and_ends_completed(app: XmlApp) -> None:
    """The answer URL hears StartApp of a ringing call, the hangup URL its end and its cause."""
    app.documents = {"/answer": '<Speak>Hello</Speak><Hangup reason="busy"/>'}
    await app.live()

    begin, end = app.seen
    assert ("POST", "/answer", "StartApp", "ringing", CALLER, CALLED, "inbound") == (
        begin.method,
        begin.path,
        *(begin[name] for name in ("Event", "CallStatus", "From", "To", "Direction")),
    )
    assert ("/hangup", "Hangup", "completed", "NORMAL_CLEARING", "4000", "Answer XML") == (
        end.path,
        *(end[name] for name in ("Event", "CallStatus", "HangupCause", "HangupCauseCode")),
        end["HangupSource"],
    )
    assert begin["CallUUID"] == end["CallUUID"]


@pytest.mark.parametrize("document", ["<Response/>", "<Response></Response>", "<Wait/>"])
async def test_a_document_that_runs_out_hangs_up(app: XmlApp, document: str) -> None:
    """The end of a document ends the call with cause 4010, even when nothing was in it."""
    app.documents = {"/answer": document}
    life = await app.live()

    assert ("4010", "End Of XML Instructions") == (
        life.code,
        app.first("/hangup")["HangupCauseName"],
    )
    assert [] == life.problems()


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        (1, ""),
        (2, '<GetDigits action="{url}/x" numDigits="1"/>'),
        (4, "<Redirect>{url}/x</Redirect>"),
    ],
)
@pytest.mark.parametrize(
    ("thousand", "bad"),
    [
        (701, Raw(b"broken", 500)),
        (701, Raw(b"moved", 302)),
        (801, Raw(b"")),
        (801, Raw(b"<Response><Hangup/></Response>", content_type="application/json")),
        (801, Raw(b"<html>")),
        (801, Raw(b"<Response><hangup/></Response>")),
        (801, Raw(b"<Response>" + b" " * 100_000 + b"</Response>")),
    ],
)
async def test_a_document_that_does_not_come_or_is_wrong_ends_the_call(
    app: XmlApp, label: int, answer: str, thousand: int, bad: Raw
) -> None:
    """Each kind of URL has its own cause for not being reached and for an invalid document."""
    app.documents = {"/answer": answer or bad, "/x": bad}
    life = await app.live([(1, Key("7"))])

    assert f"{thousand}{label}" == life.code
    assert (["/answer", "/x"] if answer else ["/answer"]) == app.paths()[:-1]
    assert "Error" == app.first("/hangup")["HangupSource"]
    assert 1 == len(life.problems())


async def test_a_transfer_to_nowhere_has_its_own_cause(app: XmlApp) -> None:
    """A transfer whose document does not come ends the call with 7013."""
    app.documents = {"/answer": '<Wait length="60"/>', "/x": Raw(status=404)}
    life = await app.live([(5, Transferred(f"{app.url}/x"))])

    assert ("7013", 5.0) == (life.code, life.seconds)


@pytest.mark.parametrize("bad", [Raw(status=503), Raw(b"<oops/>"), Raw(b"")])
async def test_the_fallback_steps_in_for_the_answer(app: XmlApp, bad: Raw) -> None:
    """A failing answer URL is replaced by the fallback URL, which hears the same."""
    app.documents = {"/answer": bad, "/instead": HANGUP}
    life = await app.live(application=app.application(fallback_url="/instead"))

    assert ["/answer", "/instead", "/hangup"] == app.paths()
    assert dict(app.first("/answer").form) == dict(app.first("/instead").form)
    assert "4000" == life.code


async def test_a_failing_fallback_ends_the_call(app: XmlApp) -> None:
    """When both fail the call ends as it does without a fallback."""
    app.documents = {"/answer": Raw(status=500), "/instead": Raw(b"<oops/>")}
    life = await app.live(application=app.application(fallback_url="/instead"))

    assert "8011" == life.code


async def test_without_a_hangup_url_the_answer_url_hears_the_end(app: XmlApp) -> None:
    """Plivo sends Event=Hangup to the answer URL when an application has no hangup URL."""
    app.documents = {"/answer": HANGUP}
    await app.live(application=app.application(hangup_url=""))

    assert ["StartApp", "Hangup"] == [seen["Event"] for seen in app.of("/answer")]


async def test_methods_of_the_application(app: XmlApp) -> None:
    """Answer and hangup URL are asked with the methods typed into the application."""
    app.documents = {"/answer": HANGUP}
    await app.live(application=app.application(answer_method="GET", hangup_method="GET"))

    assert ["GET", "GET"] == [seen.method for seen in app.seen]


async def test_a_hangup_breaks_off_whatever_runs(app: XmlApp) -> None:
    """The caller may hang up at any moment; the rest of the document never runs."""
    app.documents = {"/answer": '<Wait length="60"/><Redirect>{url}/x</Redirect>'}
    life = await app.live([(7, HungUp())])

    assert (7.0, "Caller") == (life.seconds, app.first("/hangup")["HangupSource"])
    assert ["/answer", "/hangup"] == app.paths()


async def test_the_document_of_a_call_that_was_hung_up_is_thrown_away(app: XmlApp) -> None:
    """A hangup while a document is in flight wins, be the document good or bad."""
    for document in ("<Speak>never heard</Speak>", Raw(status=500)):
        app.documents = {"/answer": document}
        life = await app.live(faults=["hang_up:answer"])

        assert ("4000", []) == (life.code, life.timeline.of("hears"))


async def test_a_transfer_replaces_the_document(app: XmlApp) -> None:
    """A transfer breaks off the element; the new URL hears Event=Transfer."""
    app.documents = {
        "/answer": '<Wait length="60"/><Speak>never heard</Speak>',
        "/new": "<Speak>Here</Speak>",
    }
    life = await app.live([(4, Transferred(f"{app.url}/new", "GET"))])

    assert ("GET", "Transfer") == (app.first("/new").method, app.first("/new")["Event"])
    assert [4.0] == life.when("hears", element="Speak", text="Here")
    assert [] == life.when("hears", text="never heard")


async def test_a_transfer_during_a_transfer(app: XmlApp) -> None:
    """A transfer that comes while another one is in flight wins."""
    line: list[Line] = []

    async def first(_: object) -> str:
        line[0].post(Transferred(f"{app.url}/second"))
        return "<Speak>never heard</Speak>"

    app.documents = {"/answer": '<Wait length="9"/>', "/first": first, "/second": HANGUP}
    async with app.plivo() as plivo:
        line.append(plivo.call(CALLER, CALLED, application=app.application()))
        happens(line[0], 2, Transferred(f"{app.url}/first"))
        assert await plivo.finish()

    assert ["/answer", "/first", "/second", "/hangup"] == app.paths()
    assert [] == plivo.timeline.of("hears", call=2)


async def test_a_transfer_while_the_first_document_is_in_flight(app: XmlApp) -> None:
    """A call can be transferred before it has its first document."""
    line: list[Line] = []

    async def answer(_: object) -> str:
        line[0].post(Transferred(f"{app.url}/new"))
        return HANGUP

    app.documents = {"/answer": answer, "/new": HANGUP}
    async with app.plivo() as plivo:
        line.append(plivo.call(CALLER, CALLED, application=app.application()))
        assert await plivo.finish()

    assert ["/answer", "/new", "/hangup"] == app.paths()


async def test_a_call_has_a_longest_time(app: XmlApp) -> None:
    """After four hours Plivo hangs up, cause 6000."""
    app.documents = {"/answer": '<Wait length="99999"/>'}
    life = await app.live()

    assert (LONGEST_S, "6000") == (life.seconds, life.code)


async def test_documents_without_end_are_given_up(
    app: XmlApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that only goes from document to document ends with Loop Detected."""
    monkeypatch.setattr("bridge.simulator.line.MOST_DOCUMENTS", 20)
    app.documents = {"/answer": "<Redirect>{url}/answer</Redirect>"}
    life = await app.live()

    assert ("2060", 20 + 1) == (life.code, len(app.of("/answer")))
    assert ["20 documents and no end"] == life.problems()


async def test_a_crash_in_an_element_ends_the_call(
    app: XmlApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the simulator is a problem in the timeline, and the call ends instead of hanging."""

    async def broken(_line: Line, _element: Element) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setitem(elements.HANDLERS, "Wait", broken)
    app.documents = {"/answer": "<Wait/>"}
    life = await app.live()

    assert ["the simulator failed in Wait: ZeroDivisionError('of all things')"] == life.problems()
    assert ("5010", "/hangup") == (life.code, app.seen[-1].path)


async def test_a_crash_of_a_timer_is_a_problem(app: XmlApp) -> None:
    """What breaks in the background is in the timeline as well, and nothing hangs."""

    def broken() -> None:
        raise KeyError("lost")

    app.documents = {"/answer": '<Wait length="9"/>'}
    async with app.plivo() as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        line.later(2, broken)
        assert await plivo.finish()

    assert ["the simulator failed in timer: KeyError('lost')"] == plivo.timeline.texts("problem")


async def test_timers_of_a_line_end_with_it(app: XmlApp) -> None:
    """What was due after the end of a call does not happen, and no task is left over."""
    happened: list[str] = []
    app.documents = {"/answer": '<Hangup schedule="500"/><Wait length="5"/>'}
    async with app.plivo() as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        line.later(3, lambda: happened.append("in time"))
        line.later(600, lambda: happened.append("too late"))
        line.when_over(lambda: happened.append("over"))
        assert await plivo.finish()
        assert not await plivo.clock.drive(lambda: False)
        assert plivo.clock.now() - plivo.began < 10

    assert ["in time", "over"] == happened


async def test_a_platform_that_ends_takes_its_calls_along(app: XmlApp) -> None:
    """Leaving the platform in the middle of a call leaves no task behind."""
    app.documents = {"/answer": '<Wait length="500"/>'}
    async with app.plivo() as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 10)
        assert not line.over.is_set()

    assert set() == background_tasks()


async def test_an_unused_platform_has_no_http_client(app: XmlApp) -> None:
    """Outside of `async with` the platform says how to use it."""
    with pytest.raises(RuntimeError, match="async with"):
        _ = app.plivo().session


async def test_real_time(app: XmlApp) -> None:
    """Under the machine's own clock a call takes as long as it says."""
    app.documents = {
        "/answer": '<GetDigits action="{url}/keys" timeout="5" numDigits="2"/>',
        "/keys": HANGUP,
    }
    loop = asyncio.get_running_loop()
    async with app.plivo(clock=RealTime()) as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        begun = loop.time()
        for seconds, event in keys("42", 0.1, 0.1):
            happens(line, seconds, event)
        assert await plivo.finish(30)
        assert loop.time() - begun > 0.2

    assert "42" == app.first("/keys")["Digits"]


async def test_real_time_gives_up(app: XmlApp) -> None:
    """Under the machine's own clock too, waiting has an end."""
    app.documents = {"/answer": '<Wait length="500"/>'}
    async with app.plivo(clock=RealTime()) as plivo:
        plivo.call(CALLER, CALLED, application=app.application())
        assert not await plivo.finish(0.1)


async def test_keys_nobody_listens_for(app: XmlApp) -> None:
    """A key pressed during Speak is lost, and the timeline says so."""
    app.documents = {
        "/answer": '<Wait length="5"/><GetDigits action="{url}/keys"/>',
        "/keys": HANGUP,
    }
    life = await app.live(keys("4", 2))

    assert [2.0] == life.when("does", action="lost", keys="4")
    assert [] == app.of("/keys")


async def test_keys_typed_ahead(app: XmlApp) -> None:
    """Where the platform keeps early keys, the next GetDigits gets them, in order."""
    app.documents = {
        "/answer": "<Wait length='3'/><Redirect>{url}/next</Redirect>",
        "/next": '<Speak>Long enough to press</Speak><GetDigits action="{url}/keys"/>',
        "/keys": HANGUP,
    }
    kept = replace(NORMAL, type_ahead_kept=True)
    await app.live([*keys("4", 2), *keys("2", 3.5), *keys("#", 8)], kept)

    assert "42" == app.first("/keys")["Digits"]


@pytest.mark.parametrize(("profile", "form"), [(NORMAL, "33612345678"), (HOSTILE, "+33612345678")])
async def test_numbers_with_a_plus(app: XmlApp, profile: object, form: str) -> None:
    """Whether numbers carry a plus is up to the profile."""
    app.documents = {"/answer": HANGUP}
    await app.live(profile=profile)  # type: ignore[arg-type]

    assert form == app.first("/answer")["From"]


async def test_unknown_parameters(app: XmlApp) -> None:
    """A hostile platform sends a parameter that no page names, a normal one does not."""
    app.documents = {"/answer": HANGUP}
    await app.live()
    await app.live(profile=HOSTILE)

    assert [False, True] == ["X-PH-Unheard-Of" in seen.form for seen in app.of("/answer")]


async def test_nothing_happens_to_a_line_that_is_over(app: XmlApp) -> None:
    """Keys and words after the hangup go nowhere."""
    app.documents = {"/answer": HANGUP}
    life = await app.live()
    life.line.post(Key("1"))
    life.line.post(Talks(5, "Hello?"))

    assert [] == life.line.said


async def test_hanging_up_by_uuid(app: XmlApp) -> None:
    """A live call can be hung up by its CallUUID, another one cannot."""
    app.documents = {"/answer": '<Wait length="500"/>'}
    async with app.plivo() as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 5)
        assert [False, True] == [plivo.hang_up("nobody"), plivo.hang_up(line.uuid)]
        assert await plivo.finish(FOR_EVER)
        assert not plivo.hang_up(line.uuid)

    assert "API Request" == app.first("/hangup")["HangupSource"]
