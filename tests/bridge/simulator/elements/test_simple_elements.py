"""Elements without input: Speak, Play, PreAnswer, Wait, DTMF, Redirect, Hangup."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_plivo import CALLED, CALLER, HANGUP, Raw, XmlApp, keys, wav

from bridge.simulator.inputs import HungUp, Input, MachineBeeps, Talks
from bridge.simulator.line import LONGEST_S
from bridge.simulator.profile import HOSTILE, NORMAL, Profile

#: 30 characters, which take 2 s.
TEXT = "123456789 123456789 1234567890"

Script = list[tuple[float, Input]]


@pytest.mark.parametrize(("loop", "seconds"), [("", 2.0), ('loop="3"', 6.0)])
async def test_speak(app: XmlApp, loop: str, seconds: float) -> None:
    """A text takes its time, as often as it is repeated; keys do not interrupt it."""
    app.documents = {"/answer": f"<Speak {loop}>{TEXT}</Speak><Redirect>{{url}}/n</Redirect>"}
    life = await app.live(keys("1", 0.5))

    assert [seconds] == [round(at, 3) for at in life.when("asks", label="redirect")]
    assert [0.0] == life.when("hears", text=TEXT, voice="WOMAN", language="en-US")
    assert [0.5] == life.when("does", action="lost")


async def test_voice_language_and_markup_of_speak(app: XmlApp) -> None:
    """The timeline says how a text is spoken; marked-up speech is its text."""
    app.documents = {
        "/answer": '<Speak voice="Polly.Lea" language="fr-FR">Bonjour <break/>\n'
        '<emphasis level="strong">à tous</emphasis></Speak>'
    }
    life = await app.live()

    assert [0.0] == life.when("hears", text="Bonjour à tous", voice="Polly.Lea", language="fr-FR")


@pytest.mark.parametrize(("loop", "seconds"), [("", 1.5), ('loop="2"', 3.0)])
async def test_play(app: XmlApp, loop: str, seconds: float) -> None:
    """A file is fetched and takes its own length, as often as it is repeated."""
    app.sounds = {"/a.wav": wav(1.5)}
    app.documents = {"/answer": f"<Play {loop}>{{url}}/a.wav</Play><Hangup/>"}
    life = await app.live(keys("1", 0.5))

    assert seconds == life.seconds
    assert [0.0] == life.when("fetches", status=200, content_type="audio/wav")


@pytest.mark.parametrize("loop", ["", 'loop="5"', 'loop="0"'])
async def test_a_file_that_does_not_come_is_skipped(app: XmlApp, loop: str) -> None:
    """A file that cannot be fetched is asked for twice, and then the next element runs."""
    app.documents = {"/answer": f"<Play {loop}>{{url}}/none.wav</Play><Wait/><Hangup/>"}
    life = await app.live()

    assert (1.0, "4000") == (life.seconds, life.code)
    assert [f"{app.url}/none.wav gave status 404 and application/octet-stream, 0 bytes"] == (
        life.problems()
    )


async def test_a_file_that_is_no_sound(app: XmlApp) -> None:
    """A web page instead of a sound is a problem, and is skipped."""
    app.documents = {"/answer": "<Play>{url}/page</Play><Hangup/>", "/page": HANGUP}
    life = await app.live()

    assert (0.0, 1) == (life.seconds, len(life.problems()))


async def test_a_file_elsewhere_is_not_fetched(app: XmlApp) -> None:
    """A file of another server counts as 2 s; a simulation reaches for nobody outside."""
    app.documents = {"/answer": "<Play>https://elsewhere.example/a.mp3</Play><Hangup/>"}
    life = await app.live()

    assert (2.0, []) == (life.seconds, life.timeline.of("fetches"))


@pytest.mark.parametrize(
    "element", [f'<Speak loop="0">{TEXT}</Speak>', '<Play loop="0">{url}/a.wav</Play>']
)
async def test_for_ever(app: XmlApp, element: str) -> None:
    """With loop="0" only the end of the call is the end."""
    app.sounds = {"/a.wav": wav(1.5)}
    app.documents = {"/answer": f"{element}<Redirect>{{url}}/next</Redirect>"}
    life = await app.live()

    assert (LONGEST_S, []) == (life.seconds, app.of("/next"))


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("<Wait length='4'/>", "ringing"),
        (f"<PreAnswer><Speak>{TEXT}{TEXT}</Speak></PreAnswer>", "ringing"),
        ("<PreAnswer><Wait length='4'/></PreAnswer>", "ringing"),
        ("<Hangup schedule='100'/><Wait length='4'/>", "ringing"),
        ('<Message src="33100" dst="33200">Hi</Message><Wait length="4"/>', "ringing"),
        (f"<Speak>{TEXT}{TEXT}</Speak>", "in-progress"),
        ('<Play loop="2">https://elsewhere.example/a.mp3</Play>', "in-progress"),
        ("<DTMF>1</DTMF><Wait length='4'/>", "in-progress"),
        ('<GetDigits timeout="4"/>', "in-progress"),
        ('<Record timeout="4"/>', "in-progress"),
    ],
)
async def test_what_answers_a_call(app: XmlApp, first: str, status: str) -> None:
    """Leading Wait and PreAnswer leave the caller ringing, what needs the caller answers."""
    app.documents = {"/answer": f"{first}<Redirect>{{url}}/next</Redirect>", "/next": HANGUP}
    await app.live(profile=replace(NORMAL, redirect_answers=False))

    assert status == app.first("/next")["CallStatus"]


@pytest.mark.parametrize(("profile", "status"), [(NORMAL, "in-progress"), (HOSTILE, "ringing")])
async def test_whether_a_redirect_answers_a_call(
    app: XmlApp, profile: Profile, status: str
) -> None:
    """The profile decides; the framework answers."""
    app.documents = {"/answer": "<Wait/><Redirect>{url}/next</Redirect>", "/next": HANGUP}
    await app.live(profile=profile)

    assert status == app.first("/next")["CallStatus"]


async def test_the_time_of_the_answer(app: XmlApp) -> None:
    """The hangup request counts from the answer, which comes after leading Waits."""
    app.documents = {"/answer": f"<Wait length='10'/><Speak>{TEXT}</Speak><Hangup/>"}
    await app.live()

    end = app.first("/hangup")
    assert ("2", "60", "2026-01-05 10:00:00", "2026-01-05 10:00:10", "2026-01-05 10:00:12") == (
        *(end[name] for name in ("Duration", "BillDuration", "StartTime")),
        *(end[name] for name in ("AnswerTime", "EndTime")),
    )


async def test_pre_answer_plays_its_children_in_order(app: XmlApp) -> None:
    """Speak, Play and Wait are heard one after the other before the call is answered."""
    app.sounds = {"/a.wav": wav(1.5)}
    app.documents = {
        "/answer": f"<PreAnswer><Speak>{TEXT}</Speak><Wait length='3'/><Wait/>"
        "<Play>{url}/a.wav</Play></PreAnswer><Speak>Answered</Speak>"
    }
    life = await app.live()

    assert [0.0, 6.0, 7.5] == [
        round(entry.at, 3) for entry in life.timeline.of("hears") if entry.data["element"] != "Wait"
    ]


@pytest.mark.parametrize(
    ("attributes", "script", "seconds"),
    [
        ("", [], 1.0),
        ('length="7"', [], 7.0),
        ('length="7"', [(1, Talks(2))], 7.0),
        ('length="7" silence="false"', [], 7.0),
        ('length="7" silence="true"', [], 7.0),
        ('length="9" silence="true" minSilence="2000"', [], 2.0),
        ('length="9" silence="true" minSilence="2000"', [(1, Talks(2))], 5.0),
        ('length="9" silence="true" minSilence="2000"', [(1, Talks(3, "Hi")), (2, Talks(1))], 6.0),
        ('length="9" silence="true" minSilence="2000"', [(1, Talks(20))], 9.0),
        ('length="9" silence="true" minSilence="500"', [(0.4, Talks(0.1)), (0.9, Talks(1))], 2.4),
        ('length="9" silence="true" minSilence="2000"', keys("12", 1), 2.0),
        ('length="9" beep="true"', [], 9.0),
        ('length="9" beep="true"', [(4, MachineBeeps())], 4.0),
        ('length="9" beep="true"', [(1, Talks(1)), *keys("1", 2), (4, MachineBeeps())], 4.0),
        ('length="9" beep="false"', [(4, MachineBeeps())], 9.0),
    ],
)
async def test_wait(app: XmlApp, attributes: str, script: Script, seconds: float) -> None:
    """Wait lasts its length (1 s), or until it was silent long enough, or until a machine beeps."""
    app.documents = {"/answer": f"<Wait {attributes}/><Hangup/>"}
    life = await app.live(script)

    assert seconds == life.seconds


async def test_a_silence_that_began_before_the_wait(app: XmlApp) -> None:
    """Sound that goes on from before counts; silence from before does not."""
    wait = '<Wait length="9" silence="true" minSilence="2000"/><Hangup/>'
    app.documents = {"/answer": f"<Wait length='3'/>{wait}"}

    assert 5.0 == (await app.live([(1, Talks(1))])).seconds
    assert 6.0 == (await app.live([(1, Talks(3))])).seconds


@pytest.mark.parametrize(
    ("attributes", "tones", "seconds"),
    [
        ("", "1234", 0.3),
        ('async="true"', "wW1234", 0.5 + 1.0 + 0.3),
        ('async="false"', "12", 0.6),
        ('async="false"', "1wW#", 2.1),
    ],
)
async def test_dtmf(app: XmlApp, attributes: str, tones: str, seconds: float) -> None:
    """Tones are sent; unless async="false" the next element runs after the first of them."""
    app.documents = {"/answer": f"<DTMF {attributes}>{tones}</DTMF><Hangup/>"}
    life = await app.live()

    assert seconds == life.seconds
    assert [0.0] == life.when("hears", element="DTMF", tones=tones)


@pytest.mark.parametrize(("attributes", "method"), [("", "POST"), ('method="GET"', "GET")])
async def test_redirect(app: XmlApp, attributes: str, method: str) -> None:
    """Redirect asks for the next document with Event=Redirect; nothing after it runs."""
    app.documents = {
        "/answer": f"<Redirect {attributes}>{{url}}/next?a=1</Redirect><Speak>never</Speak>",
        "/next": HANGUP,
    }
    life = await app.live()

    asked = app.first("/next")
    assert (method, "Redirect", "1") == (asked.method, asked["Event"], asked.query["a"])
    assert [] == life.when("hears")


@pytest.mark.parametrize(
    ("before", "attributes", "cause", "code"),
    [
        ("", "", "NORMAL_CLEARING", "4000"),
        ("", 'reason="rejected"', "CALL_REJECTED", "3020"),
        ("", 'reason="busy"', "USER_BUSY", "3010"),
        ("<Wait/>", 'reason="busy"', "USER_BUSY", "3010"),
        (f"<Speak>{TEXT}</Speak>", 'reason="busy"', "NORMAL_CLEARING", "4000"),
    ],
)
async def test_hangup(app: XmlApp, before: str, attributes: str, cause: str, code: str) -> None:
    """Hangup ends the call without answering it; its reason only counts before the answer."""
    app.documents = {"/answer": f"{before}<Hangup {attributes}/><Speak>never</Speak>"}
    life = await app.live()

    end = app.first("/hangup")
    assert (cause, code, "Answer XML") == (
        *(end[name] for name in ("HangupCause", "HangupCauseCode")),
        end["HangupSource"],
    )
    assert [] == life.when("hears", text="never")


async def test_a_call_that_was_never_answered_costs_nothing(app: XmlApp) -> None:
    """A refused call has no AnswerTime and no duration."""
    app.documents = {"/answer": '<Wait length="20"/><Hangup reason="rejected"/>'}
    await app.live()

    end = app.first("/hangup")
    assert ("0", "0", "0.00000", False) == (
        *(end[name] for name in ("Duration", "BillDuration", "TotalCost")),
        "AnswerTime" in end.form,
    )


@pytest.mark.parametrize(
    ("document", "seconds", "code"),
    [
        ('<Hangup schedule="60"/><Speak loop="0">On and on</Speak>', 60.0, "6000"),
        ('<Hangup schedule="60" reason="rejected"/><Wait length="5"/>', 5.0, "4010"),
        ('<Wait length="5"/><Hangup schedule="60"/>', 5.0, "4010"),
        ('<Hangup schedule="9"/><Redirect>{url}/next</Redirect>', 9.0, "6000"),
    ],
)
async def test_a_scheduled_hangup(app: XmlApp, document: str, seconds: float, code: str) -> None:
    """It hangs up later while the next elements run, over documents too; as the last one at once."""
    app.documents = {"/answer": document, "/next": '<Wait length="600"/>'}
    life = await app.live()

    assert (seconds, code) == (life.seconds, life.code)


async def test_a_hangup_while_a_file_is_waited_for(app: XmlApp) -> None:
    """A caller who hangs up does not wait for a file that is late."""
    app.sounds = {"/a.wav": wav(1.5)}
    app.documents = {"/answer": "<Play>{url}/a.wav</Play><Hangup/>"}
    life = await app.live([(3, HungUp())], faults=["slow_media:a.wav=60"])

    assert (3.0, "Caller") == (life.seconds, app.first("/hangup")["HangupSource"])


async def test_a_file_that_is_ready_later(app: XmlApp) -> None:
    """A server may hold a file back until it is ready in virtual time; the call waits for it."""

    async def ready(_: object) -> Raw:
        await plivo.clock.sleep(5)
        return Raw(wav(1.5), content_type="audio/wav")

    app.documents = {"/answer": "<Play>{url}/a.wav</Play><Hangup/>"}
    app.files = {"/a.wav": ready}
    async with app.plivo() as plivo:
        plivo.call(CALLER, CALLED, application=app.application())
        assert await plivo.finish()

    assert [6.5] == [entry.at for entry in plivo.timeline.of("ends")]


async def test_a_document_of_sounds_with_other_elements(app: XmlApp) -> None:
    """Where only sounds are wanted other elements are a problem, and the sounds play all the same."""
    app.documents = {
        "/answer": '<Dial dialMusic="{url}/music" timeout="9"><Number>33100</Number></Dial>',
        "/music": "<Speak>Please wait</Speak><Redirect>{url}/next</Redirect>",
    }
    life = await app.live()

    assert life.when("hears", text="Please wait")
    assert [] == app.of("/next")
    assert ["dialMusic: line 1: Did not expect element Redirect there."] == life.problems()


@pytest.mark.parametrize(
    "music", [Raw(status=500), Raw(b"<oops>"), Raw(b"<Response><Reject/></Response>")]
)
async def test_a_document_of_sounds_that_is_no_use(app: XmlApp, music: Raw) -> None:
    """Whatever is wrong with a document of sounds, it is silence and the call goes on."""
    app.documents = {
        "/answer": '<Dial dialMusic="{url}/music" timeout="9"><Number>33100</Number></Dial>',
        "/music": music,
    }
    life = await app.live()

    assert ([], 1, "4010") == (
        life.when("hears", element="Speak"),
        len(life.problems()),
        life.code,
    )
