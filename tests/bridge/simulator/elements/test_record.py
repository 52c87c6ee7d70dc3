"""Record, attribute by attribute, and both answers to what nobody documents about it."""

from __future__ import annotations

import base64
import io
import wave
from dataclasses import replace

import aiohttp
import pytest
from support_plivo import ACCOUNT, CALLED, CALLER, HANGUP, XmlApp, happens, keys, says

from bridge.simulator.callees import Answers
from bridge.simulator.clock import MONDAY
from bridge.simulator.inputs import HungUp, Key, Talks, Transferred
from bridge.simulator.platform import Plivo
from bridge.simulator.profile import NORMAL, Profile

DONE = '<Record action="{url}/done" callbackUrl="{url}/ready" %s/><Hangup/>'
TIMES = ("RecordingDuration", "RecordingDurationMs", "RecordingStartMs", "RecordingEndMs")


def times(form: object) -> tuple[str, ...]:
    """Give what a request says about the length of a recording."""
    return tuple(form[name] for name in TIMES)  # type: ignore[index]


async def test_a_message_ended_by_a_key(app: XmlApp) -> None:
    """The action gets length, instants and the key; the callback gets the same without Digits."""
    app.documents = {"/answer": DONE % 'finishOnKey="#"', "/done": HANGUP}
    life = await app.live([says("Hello", 1, 3), *keys("#", 5)])

    done, ready = app.first("/done"), app.first("/ready")
    begin = int(1000 * MONDAY)
    assert ("5", "5000", str(begin), str(begin + 5000)) == times(done)
    assert ("#", "Redirect", "POST") == (done["Digits"], done["Event"], done.method)
    assert times(done) == times(ready)
    assert "Digits" not in ready.form
    recording = life.plivo.recordings[done["RecordingID"]]
    assert done["RecordUrl"] == ready["RecordUrl"] == recording.url
    assert recording.url.endswith(f"/{ACCOUNT.auth_id}/Recording/{recording.recording_id}.mp3")


async def test_the_callback_comes_when_the_file_is_ready(app: XmlApp) -> None:
    """The action is asked at once, the callback when the file can be fetched."""
    app.documents = {"/answer": DONE % "", "/done": '<Wait length="20"/>'}
    late = replace(NORMAL, recording_ready_s=8.0)
    life = await app.live([says("Hello", 1), *keys("#", 5)], late)

    assert ["/answer", "/done", "/ready", "/hangup"] == app.paths()
    (told,) = life.when("tells", name="recording")
    assert 5 + 8 < told < 5 + 8 + 0.1
    assert MONDAY + 5 + 8 == life.plivo.recordings[app.first("/done")["RecordingID"]].ready_at


async def test_the_callback_may_come_first(app: XmlApp) -> None:
    """Some platforms tell of the file before they ask what to do next; it is ready then."""
    app.documents = {"/answer": DONE % "", "/done": HANGUP}
    life = await app.live(
        [says("Hello", 1), *keys("#", 5)],
        replace(NORMAL, recording_callback_first=True, recording_ready_s=8.0),
    )

    assert ["/answer", "/ready", "/done", "/hangup"] == app.paths()
    assert MONDAY + 5 == life.plivo.recordings[app.first("/done")["RecordingID"]].ready_at


@pytest.mark.parametrize(
    ("attributes", "script", "seconds"),
    [
        ("", [says("a", 2, 3)], 5 + 15),
        ('timeout="4"', [says("a", 2, 3)], 5 + 4),
        ('timeout="4"', [says("a", 2, 3), says("b", 8, 1)], 9 + 4),
        ('timeout="4"', [says("a", 2, 3), says("b", 3, 1)], 5 + 4),
        ('timeout="4"', [says("a", 2, 30)], 32 + 4),
        ('timeout="4"', [(2, Talks(3))], 5 + 4),
        ("", [says("a", 0, 500)], 60),
        ('maxLength="2"', [says("a", 0, 500)], 2),
        ('maxLength="9" timeout="30"', [says("a", 1, 1)], 9),
    ],
)
async def test_when_a_recording_ends(
    app: XmlApp, attributes: str, script: list[object], seconds: float
) -> None:
    """It ends after 15 s of silence or 60 s in all, or as the document says; noise counts as sound."""
    app.documents = {"/answer": DONE % attributes, "/done": HANGUP}
    life = await app.live(script)  # type: ignore[arg-type]

    assert [seconds] == life.when("asks", label="action")
    assert (str(int(seconds)), "") == (
        app.first("/done")["RecordingDuration"],
        app.first("/done")["Digits"],
    )


@pytest.mark.parametrize(
    ("attributes", "profile_keys", "pressed", "key"),
    [
        ("", "#", "1#", "#"),
        ("", "1234567890*#", "1#", "1"),
        ('finishOnKey="*"', "1234567890*#", "1#*", "*"),
    ],
)
async def test_which_keys_end_a_recording(
    app: XmlApp, attributes: str, profile_keys: str, pressed: str, key: str
) -> None:
    """The key finishOnKey ends it; without it the pages disagree, so the profile says which keys do."""
    app.documents = {"/answer": DONE % attributes, "/done": HANGUP}
    profile = replace(NORMAL, record_finish_keys=profile_keys)
    await app.live([says("a", 0, 5), *keys(pressed, 3)], profile)

    assert key == app.first("/done")["Digits"]


@pytest.mark.parametrize(("attributes", "beeps"), [("", 1), ('playBeep="false"', 0)])
async def test_the_beep(app: XmlApp, attributes: str, beeps: int) -> None:
    """It beeps before recording unless told otherwise."""
    app.documents = {"/answer": DONE % attributes}
    life = await app.live()

    assert beeps == len(life.when("hears", element="beep"))


@pytest.mark.parametrize(
    ("reaches", "paths"),
    [
        (True, ["/answer", "/done", "/ready", "/hangup"]),
        (False, ["/answer", "/next", "/hangup"]),
    ],
)
async def test_a_caller_who_never_speaks(app: XmlApp, reaches: bool, paths: list[str]) -> None:
    """After the silence either the action is asked or the next element runs."""
    app.documents = {
        "/answer": '<Record action="{url}/done" callbackUrl="{url}/ready"/>'
        "<Redirect>{url}/next</Redirect>",
        "/done": '<Wait length="5"/>',
        "/next": HANGUP,
    }
    life = await app.live(profile=replace(NORMAL, silent_record_reaches_action=reaches))

    assert paths == app.paths()
    assert [15.0] == life.when("asks", label="action" if reaches else "redirect")


async def test_without_an_action(app: XmlApp) -> None:
    """Without an action the next element runs; the callback still comes."""
    app.documents = {"/answer": '<Record callbackUrl="{url}/ready"/><Wait length="9"/>'}
    await app.live([says("a", 1), *keys("#", 3)])

    assert ["/answer", "/ready", "/hangup"] == app.paths()


async def test_redirect_false(app: XmlApp) -> None:
    """With redirect="false" the action is told, and the next element runs at once."""
    app.documents = {
        "/answer": '<Record action="{url}/done" redirect="false"/><Wait length="9"/>',
        "/done": "<Speak>never heard</Speak>",
    }
    life = await app.live([says("a", 1), *keys("#", 3)])

    assert ["/answer", "/done", "/hangup"] == app.paths()
    assert [3.0] == life.when("hears", element="Wait")
    assert [] == life.when("hears", element="Speak")


async def test_methods(app: XmlApp) -> None:
    """Action and callback are asked with the methods of the document."""
    app.documents = {"/answer": DONE % 'method="GET" callbackMethod="GET"', "/done": HANGUP}
    await app.live([says("a", 1), *keys("#", 3)])

    assert ["GET", "GET"] == [app.first("/done").method, app.first("/ready").method]


@pytest.mark.parametrize(
    ("redirect", "profile", "asked"),
    [
        ("true", NORMAL, False),
        ("true", replace(NORMAL, record_action_after_hangup=True), True),
        ("false", NORMAL, True),
        ("false", replace(NORMAL, record_report_after_hangup=False), False),
    ],
)
async def test_hanging_up_while_recording(
    app: XmlApp, redirect: str, profile: Profile, asked: bool
) -> None:
    """The callback comes in any case; whether the action is asked as well is up to the profile."""
    app.documents = {"/answer": DONE % f'redirect="{redirect}"'}
    life = await app.live([says("a", 1, 9), (4, HungUp())], profile)

    assert asked == ("/done" in app.paths())
    ready = app.first("/ready")
    assert ("4", "completed") == (ready["RecordingDuration"], ready["CallStatus"])
    for done in app.of("/done"):
        assert ("4", "completed", "NORMAL_CLEARING") == (
            done["RecordingDuration"],
            done["CallStatus"],
            done["HangupCause"],
        )
    assert 4.0 == life.seconds


async def test_a_transfer_while_recording(app: XmlApp) -> None:
    """A transfer drops the action of redirect="true" and sends the one of redirect="false"."""
    app.documents = {
        "/answer": DONE % "",
        "/other": DONE.replace("/done", "/other-done") % 'redirect="false"',
        "/end": '<Wait length="5"/>',
    }
    await app.live([(4, Transferred(f"{app.url}/other")), (9, Transferred(f"{app.url}/end"))])

    assert [] == app.of("/done")
    assert "5" == app.first("/other-done")["RecordingDuration"]
    assert ["4", "5"] == [seen["RecordingDuration"] for seen in app.of("/ready")]


async def test_a_session_is_recorded_to_its_end(app: XmlApp) -> None:
    """With recordSession the action is asked at once with -1, the end goes to the callback alone."""
    app.documents = {
        "/answer": DONE % 'recordSession="true" maxLength="3600" finishOnKey="#" timeout="2"',
        "/done": '<Wait length="100"/>',
    }
    life = await app.live([(3, Key("#")), (33, HungUp())])

    assert ["/answer", "/done", "/hangup", "/ready"] == app.paths()
    done, ready = app.first("/done"), app.first("/ready")
    assert ("-1",) * 4 == times(done)
    assert "Digits" not in done.form
    assert ("33", "completed") == (ready["RecordingDuration"], ready["CallStatus"])
    assert done["RecordingID"] == ready["RecordingID"]
    assert [] == life.when("hears", element="beep")


async def test_a_session_is_recorded_for_a_minute_at_most(app: XmlApp) -> None:
    """Without maxLength a recording in the background ends after 60 s as well."""
    app.documents = {
        "/answer": '<Record recordSession="true" callbackUrl="{url}/ready"/><Wait length="100"/>'
    }
    life = await app.live()

    assert ["/answer", "/ready", "/hangup"] == app.paths()
    assert [0.0, 60.0] == life.when("records")
    assert "60" == app.first("/ready")["RecordingDuration"]


async def test_a_conversation_is_recorded(app: XmlApp) -> None:
    """With startOnDialAnswer it records from the connection of the next Dial to its end."""
    app.documents = {
        "/answer": '<Record startOnDialAnswer="true" redirect="false" action="{url}/done" '
        'callbackUrl="{url}/ready" maxLength="3600"/><Dial><Number>33100</Number></Dial>'
        '<Wait length="30"/>',
    }
    async with app.plivo() as plivo:
        plivo.callees["33100"] = Answers(after=4, talks=10)
        plivo.call(CALLER, CALLED, application=app.application())
        assert await plivo.finish(100)
        begin, end = (round(entry.at) for entry in plivo.timeline.of("records"))

    assert ("-1",) * 4 == times(app.first("/done"))
    assert ("10", app.first("/done")["RecordingID"]) == (
        app.first("/ready")["RecordingDuration"],
        app.first("/ready")["RecordingID"],
    )
    assert 10 == end - begin


async def test_a_conversation_that_never_was_is_not_recorded(app: XmlApp) -> None:
    """When nobody answers the next Dial, there is no recording and no callback."""
    app.documents = {
        "/answer": '<Record startOnDialAnswer="true" callbackUrl="{url}/ready"/>'
        '<Dial timeout="5"><Number>33100</Number></Dial>',
    }
    life = await app.live()

    assert ([], []) == (app.of("/ready"), life.timeline.of("records"))
    assert {} == life.plivo.recordings


async def test_transcription(app: XmlApp) -> None:
    """What was said while recording is reported to transcriptionUrl, later and in snake_case."""
    app.documents = {
        "/answer": DONE % 'transcriptionType="auto" transcriptionUrl="{url}/text"',
        "/done": HANGUP,
    }
    await app.live([says("Hello", 1, 2), (4, Talks(1)), says("world", 5, 2), *keys("#", 8)])

    told = app.first("/text")
    assert {
        "transcription": "Hello world",
        "transcription_charge": "0.00950",
        "transcription_rate": "0.0095",
        "duration": "8",
        "call_uuid": app.first("/answer")["CallUUID"],
        "recording_id": app.first("/done")["RecordingID"],
        "error": "",
    } == told.form
    assert "POST" == told.method


@pytest.mark.parametrize(
    ("length", "error"),
    [("0.5", None), ("14400", "Recording duration too long for transcription")],
)
async def test_lengths_that_are_not_transcribed(
    app: XmlApp, length: str, error: str | None
) -> None:
    """Half a second is too short to be transcribed, four hours are too long."""
    app.documents = {
        "/answer": '<Record recordSession="true" maxLength="86400" transcriptionType="auto" '
        'transcriptionUrl="{url}/text" transcriptionMethod="GET"/><Wait length="99999"/>',
    }
    await app.live([(float(length), HungUp())])

    assert ([] if error is None else [("GET", error)]) == [
        (seen.method, seen["error"]) for seen in app.of("/text")
    ]


async def test_no_transcription_unless_asked_for(app: XmlApp) -> None:
    """A transcriptionUrl alone brings nothing: transcriptionType turns transcription on."""
    app.documents = {"/answer": DONE % 'transcriptionUrl="{url}/text"', "/done": HANGUP}
    await app.live([says("Hello", 1), *keys("#", 3)])

    assert [] == app.of("/text")


@pytest.mark.parametrize(("decimal", "duration"), [(False, "2"), (True, "2.5")])
async def test_decimal_durations(app: XmlApp, decimal: bool, duration: str) -> None:
    """Whether durations have decimals is up to the profile; milliseconds are exact in any case."""
    app.documents = {"/answer": DONE % "", "/done": HANGUP}
    await app.live([says("a", 1), *keys("#", 2.5)], replace(NORMAL, decimal_durations=decimal))

    assert (duration, "2500") == times(app.first("/done"))[:2]


async def recorded(app: XmlApp, plivo: Plivo, attributes: str) -> str:
    """Record 2.5 s and give the URL of the file."""
    app.documents = {"/answer": DONE % attributes, "/done": '<Wait length="600"/>'}
    line = plivo.call(CALLER, CALLED, application=app.application())
    happens(line, 0.5, Talks(1))
    happens(line, 2.5, Key("#"))
    assert await plivo.clock.drive(lambda: bool(app.of("/done")), plivo.clock.now() + 10)
    return app.first("/done")["RecordUrl"]


async def get(url: str, login: str = "") -> tuple[int, str, bytes]:
    """Fetch a file."""
    given = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=given if login else {}) as response,
    ):
        return response.status, response.content_type, await response.read()


@pytest.mark.parametrize(("channel", "channels"), [("", 2), ('recordChannelType="mono"', 1)])
async def test_the_file_of_a_recording(app: XmlApp, channel: str, channels: int) -> None:
    """A WAV file has the length of the recording, in stereo unless mono was asked for."""
    async with app.plivo() as plivo:
        url = await recorded(app, plivo, f'fileFormat="wav" {channel}')
        assert url.startswith(f"{plivo.media_url}/v1/Account/{ACCOUNT.auth_id}/Recording/")
        assert 404 == (await get(url))[0]
        await plivo.clock.drive(lambda: False, plivo.clock.now() + NORMAL.recording_ready_s)
        status, kind, body = await get(url)

    assert (200, "audio/wav") == (status, kind)
    with wave.open(io.BytesIO(body)) as file:
        assert (channels, 2.5) == (file.getnchannels(), file.getnframes() / file.getframerate())


async def test_an_mp3_file(app: XmlApp) -> None:
    """Recordings are MP3 unless WAV was asked for: frames of silence, as many as it lasts."""
    async with app.plivo() as plivo:
        url = await recorded(app, plivo, "")
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 2)
        _, kind, body = await get(url)

    assert ("audio/mpeg", ".mp3") == (kind, url[-4:])
    assert (b"\xff\xfb", 2.5) == (body[:2], round(len(body) / 104 * 1152 / 44_100, 1))


async def test_credentials_for_recordings(app: XmlApp) -> None:
    """Where the account demands it, a file is given only to Auth ID and Auth Token."""
    profile = replace(NORMAL, recordings_need_login=True)
    login = f"{ACCOUNT.auth_id}:{ACCOUNT.auth_token}"
    async with app.plivo(profile) as plivo:
        url = await recorded(app, plivo, "")
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 2)
        statuses = [(await get(url, given))[0] for given in ("", "somebody:else", login)]

    assert [401, 401, 200] == statuses


async def test_recordings_that_are_not_there(app: XmlApp) -> None:
    """Unknown recordings, other accounts and recordings that still run have no file."""
    async with app.plivo() as plivo:
        app.documents = {"/answer": '<Record recordSession="true"/><Wait length="50"/>'}
        plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 5)
        (running,) = plivo.recordings.values()
        assert 404 == (await get(running.url))[0]
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 50)
        path = f"{plivo.media_url}/v1/Account/{ACCOUNT.auth_id}/Recording"
        foreign = running.url.replace(ACCOUNT.auth_id, "MAYYYYYYYYYYYYYYYYYY")
        assert [404, 404, 200] == [
            (await get(url))[0] for url in (f"{path}/unknown.mp3", foreign, running.url)
        ]
