"""Recordings and their transcripts over real HTTP: indexed, kept, and passed on to the app's webhook."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from support_e2e import HANGUP, Make, World, command, link, listening

from bridge.recordings import index, transcripts
from bridge.recordings.index import Recording
from bridge.recordings.transcripts import Transcript, signature
from bridge.simulator.inputs import Talks
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.store.protocol import RecordRow

START = command("start_call_recording", transcription=True)
WAIT = command("wait", wait=30)
SECRET = "a-secret-of-24-characters"
each_way = pytest.mark.parametrize("rest", [True, False], ids=["REST", "XML"])
each_profile = pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=lambda one: one.name)


@dataclass
class Hook:
    """The webhook of an app: what it was posted, and what it answers (then 200)."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        """Take note and answer."""
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        status = self.answers.pop(0) if self.answers else 200
        headers = {"Location": self.url} if status == 302 else {}
        return web.Response(status=status, headers=headers)

    @property
    def posted(self) -> list[Any]:
        """List what was posted."""
        return [json.loads(body) for body in self.bodies]


def documented() -> list[str]:
    """List the members of the sample in docs/operators.md."""
    page = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
    sample = page.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    return list(json.loads(sample))


@asynccontextmanager
async def hook(*answers: int) -> AsyncIterator[Hook]:
    """Serve a webhook."""
    one = Hook(answers=list(answers))
    app = web.Application()
    app.router.add_post("/transcripts", one.serve)
    async with listening(app) as url:
        one.url = f"{url}/transcripts"
        yield one


async def rows(world: World, kind: str) -> list[RecordRow]:
    """List the records of a kind."""
    return await world.bridge.store.list_records(kind)


async def known(world: World) -> list[Recording]:
    """List the recordings in the index."""
    return [index.load(row) for row in await rows(world, index.KIND)]


async def heard(world: World) -> list[Transcript]:
    """List the transcripts."""
    return [transcripts.load(row) for row in await rows(world, transcripts.KIND)]


async def talk(world: World, text: str = "My name is Bond.", seconds: float = 12) -> None:
    """Let somebody call, say something while the call is recorded, and hang up."""
    call = world.dial()
    await world.during(call, "Wait")
    call.line.post(Talks(2, text))
    await call.wait(seconds)
    await call.hang_up()
    await call.expect_ended(by="caller")
    await world.delivered()
    await world.passes(60)


# --- the index ----------------------------------------------------------------------------------


@each_profile
async def test_recording_of_the_caller(make_world: Make, store: str, profile: Profile) -> None:
    """A recording by `record` is listed under the name its app got, with its length and file."""
    world = await make_world(
        command("record", max_duration=60), HANGUP, store=store, profile=profile
    )
    call = world.dial()
    await call.expect_recording()
    await call.speak(7)
    await world.finish()
    await world.passes(60)

    (name,) = [r["command_result"] for r in world.app.requests if r["command"] == "record"]
    (one,) = await known(world)
    (file,) = world.plivo.recordings.values()
    assert Recording(name, "DEFAULT", 1, file.recording_id, "caller", 0, file.url, 0) == replace(
        one, begun_at=0, seconds=0
    )
    assert one.seconds == pytest.approx(7, abs=1)
    assert [] == await heard(world)


async def test_nothing_recorded(make_world: Make) -> None:
    """What holds nothing is no recording."""
    world = await make_world(command("record"), HANGUP)
    leg = world.leg()
    first = await leg.request(world.application.answer_url)
    await leg.request(link(first.body))

    assert "" != world.app.requests[1]["command_result"]
    assert [] == await known(world)


@each_way
async def test_recording_of_the_call(make_world: Make, rest: bool) -> None:
    """It is listed from its start, with its length once Plivo reports the end."""
    world = await make_world(START, WAIT, plivo_rest=rest)
    call = world.dial()
    await world.during(call, "Wait")
    (running,) = await known(world)
    await call.wait(20)
    await call.hang_up()
    await world.finish()
    await world.passes(60)
    (over,) = await known(world)

    ((recording_id, file),) = world.plivo.recordings.items()
    assert (recording_id, recording_id, "call", None, True) == (
        *(running.name, running.recording_id),
        *(running.of, running.seconds, running.transcribed),
    )
    assert file.url == running.url == over.url
    assert running.begun_at == over.begun_at
    assert over.seconds == pytest.approx(file.seconds, abs=1)


@each_way
@pytest.mark.parametrize("fault", ["duplicate:recording", "delay:recording=90", "drop:recording"])
async def test_report_of_the_end_in_any_shape(make_world: Make, rest: bool, fault: str) -> None:
    """Doubled, late and lost reports leave one entry; a transcript tells the length as well."""
    world = await make_world(START, WAIT, plivo_rest=rest, faults=[fault])
    await talk(world)
    await world.passes(120)

    (one,) = await known(world)
    assert 12 == pytest.approx(one.seconds, abs=2)


@pytest.mark.parametrize(
    ("path", "form", "seconds"),
    [
        ("DEFAULT/1", {"record_url": "https://x", "recording_duration_ms": "8000"}, 8),
        ("DEFAULT/1", {"RecordUrl": "https://x", "RecordingDuration": "8.0"}, 8),
        ("DEFAULT/1", {"recording_duration": "-1", "recording_duration_ms": "-1"}, None),
        ("DEFAULT/1", {"recording_duration": "soon"}, None),
        ("OTHER/1", {"recording_duration": "8"}, None),
        ("DEFAULT/7", {"recording_duration": "8"}, None),
        ("DEFAULT/1", {"recording_duration": "8", "recording_id": ""}, None),
    ],
)
async def test_reports_as_they_may_come(
    make_world: Make, path: str, form: dict[str, str], seconds: float | None
) -> None:
    """REST and XML spell them differently; what says nothing, or of another call, adds nothing."""
    faults = ["drop:recording", "drop:transcription"]
    world = await make_world(START, WAIT, plivo_rest=True, more_apps=["OTHER"], faults=faults)
    await talk(world)
    (before,) = await known(world)
    url = f"https://bridge.example.com/plivo/{path}/1/notice/call_recording/m1"
    whole = {"call_uuid": "some-uuid", "recording_id": before.name, **form}
    assert 200 == (await world.leg().request(url, whole, bare=True)).status

    assert [seconds] == [one.seconds for one in await known(world)]


async def test_recording_of_another_call(make_world: Make) -> None:
    """A report cannot change the entry of a recording that another call made."""
    world = await make_world(START, WAIT, HANGUP, plivo_rest=True)
    await talk(world)
    before = await known(world)
    world.dial("+33698765432")
    await world.delivered(2)
    form = {"call_uuid": "some-uuid", "recording_id": before[0].name, "recording_duration": "999"}
    url = "https://bridge.example.com/plivo/DEFAULT/2/1/notice/call_recording/m1"
    assert 200 == (await world.leg().request(url, form, bare=True)).status

    assert before == await known(world)


# --- transcripts --------------------------------------------------------------------------------


@each_way
@each_profile
async def test_transcript_is_kept(make_world: Make, rest: bool, profile: Profile) -> None:
    """What was said is stored under the name of the recording and expires with it."""
    world = await make_world(START, WAIT, plivo_rest=rest, profile=profile, recording_ttl_s=7200)
    with capture_logs() as logs:
        await talk(world)

    (recording,), (transcript,) = await known(world), await heard(world)
    assert (recording.name, "My name is Bond.", "") == (
        *(transcript.name, transcript.text),
        transcript.error,
    )
    (entry,), (row,) = await rows(world, index.KIND), await rows(world, transcripts.KIND)
    assert (entry.expires_at, "DEFAULT") == (row.expires_at, row.scope)
    assert transcript.received_at + 7200 == row.expires_at
    assert "Bond" not in repr(logs)
    await world.passes(7400)
    assert ([], []) == (await known(world), await heard(world))


@each_way
async def test_nobody_asked_for_it(make_world: Make, rest: bool) -> None:
    """Without `transcription` Plivo is not asked, and nothing is kept or awaited."""
    start = command("start_call_recording")
    world = await make_world(start, WAIT, plivo_rest=rest)
    await talk(world)

    assert [] == [e for e in world.timeline.of("tells") if e.data["name"] == "transcription"]
    assert [False] == [one.transcribed for one in await known(world)]


async def test_plivo_cannot_transcribe(make_world: Make) -> None:
    """A failure is kept as one, with Plivo's reason, and passed on."""
    async with hook() as at:
        app = {"transcript_url": at.url}
        world = await make_world(
            START, WAIT, plivo_rest=True, app=app, faults=["drop:transcription"]
        )
        await talk(world)
        await told(world, {"transcription": "", "error": "Recording too long"})
        await world.passes(5)

    (transcript,) = await heard(world)
    assert ("", "Recording too long") == (transcript.text, transcript.error)
    assert [("", "Recording too long")] == [(p["transcript"], p["error"]) for p in at.posted]


async def told(world: World, form: dict[str, str], **changed: str) -> int:
    """Send a transcript by hand, to the URL Plivo was given; gives the status."""
    (asked,) = world.asked_of_rest("POST", "Record")
    url = asked["transcription_url"].replace("/1/", changed.pop("callid", "/1/"), 1)
    url = url.replace("/DEFAULT/", changed.pop("app", "/DEFAULT/"))
    (recording_id,) = world.plivo.recordings
    whole = {"recording_id": recording_id, "call_uuid": "some-uuid", "duration": "12", **form}
    answer = await world.leg().request(url, whole, bare=True, **changed)  # type: ignore[arg-type]
    return answer.status


async def test_repetitions(make_world: Make) -> None:
    """The same text again changes nothing and is not posted again; another one replaces it."""
    async with hook() as at:
        world = await make_world(
            *(START, WAIT),
            plivo_rest=True,
            app={"transcript_url": at.url},
            faults=["duplicate:transcription"],
        )
        await talk(world)
        before = await rows(world, transcripts.KIND)
        for _ in range(2):
            assert 200 == await told(world, {"transcription": "My name is Bond.", "error": ""})
        assert before == await rows(world, transcripts.KIND)
        await told(world, {"transcription": "My name is James Bond."})
        await world.passes(5)

    texts = ["My name is Bond.", "My name is James Bond."]
    assert texts == [posted["transcript"] for posted in at.posted]
    assert [texts[1]] == [one.text for one in await heard(world)]


async def test_before_the_recording_is_over(make_world: Make) -> None:
    """A transcript that overtakes the report of the recording loses nothing of either."""
    world = await make_world(START, WAIT, plivo_rest=True, faults=["delay:recording=300"])
    await talk(world)
    assert 1 == len(await heard(world))
    await world.passes(600)

    (one,) = await known(world)
    assert one.url.startswith("http")
    assert one.seconds == pytest.approx(12, abs=2)


async def test_whose_recording_nobody_remembers(make_world: Make) -> None:
    """A transcript of a recording that is not in the index brings its own entry."""
    world = await make_world(START, WAIT, plivo_rest=True, faults=["drop:transcription"])
    await talk(world)
    await told(world, {"transcription": "x", "recording_id": "another"})

    assert {"another"} == {one.name for one in await heard(world)}
    assert ("another", 12.0) in [(one.name, one.seconds) for one in await known(world)]


@pytest.mark.parametrize(
    ("changed", "form"),
    [
        ({"callid": "/7/"}, {"transcription": "x"}),
        ({"app": "/OTHER/"}, {"transcription": "x"}),
        ({}, {"recording_id": "", "transcription": "x"}),
        ({}, {"duration": "12"}),
        ({}, {"recording_id": " ", "error": "x"}),
    ],
)
async def test_transcripts_of_nothing(
    make_world: Make, changed: dict[str, str], form: dict[str, str]
) -> None:
    """Of another app's or an unknown call, or without a recording, nothing is kept."""
    faults = ["drop:transcription"]
    world = await make_world(START, WAIT, plivo_rest=True, more_apps=["OTHER"], faults=faults)
    await talk(world)
    assert 200 == await told(world, form, **changed)

    assert [] == await heard(world)


async def test_only_what_plivo_has_signed(make_world: Make) -> None:
    """A transcript with another signature is refused and leaves no trace."""
    world = await make_world(START, WAIT, plivo_rest=True, faults=["drop:transcription"])
    await talk(world)

    assert 403 == await told(world, {"transcription": "x"}, token="another-token")
    assert [] == await heard(world)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_long_transcripts(make_world: Make) -> None:
    """Hours of speech are more than any other webhook may hold; there is a limit all the same."""
    world = await make_world(
        START, WAIT, plivo_rest=True, max_webhook_bytes=16_384, faults=["drop:transcription"]
    )
    await talk(world)
    assert 200 == await told(world, {"transcription": "word " * 60_000})
    assert 413 == await told(world, {"transcription": "word " * 250_000})

    assert [300_000] == [len(one.text) for one in await heard(world)]


# --- the app's webhook --------------------------------------------------------------------------


async def test_app_is_told(make_world: Make, store: str) -> None:
    """The app gets one signed JSON object that says whose transcript it is."""
    async with hook() as at:
        app = {"transcript_url": at.url, "transcript_secret": SECRET}
        world = await make_world(START, WAIT, plivo_rest=True, app=app, store=store)
        await talk(world)

    (posted,), ((recording_id, file),) = at.posted, world.plivo.recordings.items()
    assert {
        "event": "transcript",
        "app": "DEFAULT",
        "callid": 1,
        "request_hash": None,
        "recording": recording_id,
        "recording_id": recording_id,
        "url": file.url,
        "seconds": pytest.approx(12, abs=2),
        "transcript": "My name is Bond.",
        "error": "",
    } == {name: value for name, value in posted.items() if name != "received"}
    assert posted["received"].startswith("2026-01-05T10:")
    assert documented() == list(posted)
    (headers,) = at.headers
    moment = headers[transcripts.TIMESTAMP]
    assert signature(SECRET.encode(), moment, at.bodies[0]) == headers[transcripts.SIGNATURE]
    assert "application/json" == headers["Content-Type"]
    assert 0 == await world.bridge.store.outbox_size(["transcript"])


async def test_without_a_secret_nothing_is_signed(make_world: Make) -> None:
    """No secret, no signature."""
    async with hook() as at:
        world = await make_world(START, WAIT, plivo_rest=True, app={"transcript_url": at.url})
        await talk(world)

    assert [False] == [transcripts.SIGNATURE in headers for headers in at.headers]


def test_signature_is_as_documented() -> None:
    """Others can compute it: HMAC-SHA256 in hex over time, dot and body."""
    # printf '1717164000.{}' | openssl dgst -sha256 -hmac key
    expected = "001622917a8d3511a5a415a3a9a79ab1b20c8a81befdd5652285da0de933dd15"
    assert expected == signature(b"key", "1717164000", b"{}")


@pytest.mark.parametrize("status", [500, 503, 302, 429, 408])
async def test_webhook_that_fails_is_tried_again(make_world: Make, status: int) -> None:
    """The very same bytes are posted until the webhook takes them."""
    async with hook(status, status) as at:
        app = {"transcript_url": at.url, "transcript_secret": SECRET}
        world = await make_world(START, WAIT, plivo_rest=True, app=app)
        await talk(world)
        await world.passes(120)

    assert 3 == len(at.bodies)
    assert 1 == len(set(at.bodies))


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_webhook_that_refuses_is_left_alone(make_world: Make, status: int) -> None:
    """What is refused for good is not sent again, and the transcript stays."""
    async with hook(status) as at:
        with capture_logs() as logs:
            world = await make_world(START, WAIT, plivo_rest=True, app={"transcript_url": at.url})
            await talk(world)
            await world.passes(120)

    assert (1, 1) == (len(at.bodies), len(await heard(world)))
    assert [f"status {status}"] == [x["why"] for x in logs if x["event"] == "transcript.dropped"]


async def test_webhook_that_is_down_for_long(make_world: Make) -> None:
    """It is tried for as long as final requests are, and keeps no call from its final request."""
    app = {"transcript_url": "http://127.0.0.1:1/transcripts"}
    with capture_logs() as logs:
        world = await make_world(START, WAIT, plivo_rest=True, app=app, hangup_retry_for_s=1800)
        await talk(world)
        second = world.dial("+33698765432")
        await world.during(second, "Hangup")
        await world.delivered(2)
        await world.passes(2400)

    events = [line["event"] for line in logs if line["event"].startswith("transcript.")]
    assert "transcript.dropped" == events[-1]
    assert 20 < events.count("transcript.postponed") < 60
    assert 0 == await world.bridge.store.outbox_size(["transcript"])
    assert 2 == len(world.app.finals)


async def test_restart_loses_nothing(make_world: Make) -> None:
    """What a webhook has not taken before a restart is posted after it."""
    async with hook(500) as at:
        app = {"transcript_url": at.url}
        world = await make_world(START, WAIT, plivo_rest=True, app=app, store="sqlite")
        call = world.dial()
        await world.during(call, "Wait")
        call.line.post(Talks(2, "Hello there."))
        await call.wait(5)
        await call.hang_up()
        await world.delivered()

        async def tried() -> bool:
            return bool(at.bodies)

        await world.until(tried)
        await world.restart()
        await world.passes(30)

    assert ["Hello there."] * 2 == [posted["transcript"] for posted in at.posted]


async def test_app_that_wants_none_any_more(make_world: Make) -> None:
    """A transcript whose webhook was taken out of the settings is dropped with a line in the log."""
    async with hook(500) as at:
        with capture_logs() as logs:
            world = await make_world(
                START, WAIT, plivo_rest=True, app={"transcript_url": at.url}, direct=True
            )
            call = world.dial()
            await world.during(call, "Wait")
            call.line.post(Talks(2, "Hello there."))
            await call.wait(5)
            await call.hang_up()
            await world.delivered()

            async def tried() -> bool:
                return bool(at.bodies)

            await world.until(tried)
            del world.bridge.runtime.apps["DEFAULT"]
            await world.passes(30)

    assert ["its app has no transcript_url any more"] == [
        line["why"] for line in logs if line["event"] == "transcript.dropped"
    ]
