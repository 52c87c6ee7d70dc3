"""Stream: a WebSocket to the application, attribute by attribute and frame by frame."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from support_plivo import ACCOUNT, CALLED, CALLER, HANGUP, Life, XmlApp, happens, keys

from bridge.plivo.signature import verify
from bridge.simulator.inputs import HungUp, Input, Talks, Transferred
from bridge.simulator.profile import NORMAL, Profile

Frame = dict[str, Any]
BOTH = 'bidirectional="true"'
NO_FORMAT = (
    "is none of audio/x-l16 at 8000, audio/x-l16 at 16000, audio/x-mulaw at 8000 "
    "(contentType has no rate)."
)


@dataclass
class Service:
    """The application's end of streams: keeps every frame, and reacts to the first of a kind."""

    url: str = ""
    frames: list[Frame] = field(default_factory=list)
    refusals: int = 0
    attempts: int = 0
    reactions: dict[str, list[Any]] = field(default_factory=dict)
    closes: WSCloseCode | None = None
    closes_on: str = "dtmf"
    signed: list[bool] = field(default_factory=list)

    def of(self, event: str) -> list[Frame]:
        """Give the frames of a kind."""
        return [frame for frame in self.frames if frame["event"] == event]

    @property
    def stream_id(self) -> str:
        """Give the id the start frame told."""
        return str(self.of("start")[0]["start"]["streamId"])

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Take a connection and its frames."""
        self.attempts += 1
        if self.attempts <= self.refusals:
            return web.Response(status=503)
        self.signed.append(
            verify(
                "GET",
                f"{self.url}{http.raw_path.removeprefix('/stream')}",
                [],
                http.headers["X-Plivo-Signature-V3-Nonce"],
                http.headers["X-Plivo-Signature-V3"],
                ACCOUNT.auth_token,
            )
        )
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            frame = json.loads(message.data)
            self.frames.append(frame)
            for reaction in self.reactions.pop(frame["event"], ()):
                told = reaction(self) if callable(reaction) else reaction
                if isinstance(told, bytes):
                    await socket.send_bytes(told)
                else:
                    await socket.send_str(told if isinstance(told, str) else json.dumps(told))
            if self.closes is not None and frame["event"] == self.closes_on:
                await socket.close(code=self.closes)
        return socket


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Run the application's end for one test."""
    made = Service()
    app = web.Application()
    app.router.add_get("/stream", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/stream"
    yield made
    await runner.cleanup()


async def live(
    app: XmlApp,
    service: Service,
    attributes: str = "",
    after: str = '<Wait length="50"/>',
    *,
    script: list[tuple[float, Input]] | None = None,
    profile: Profile = NORMAL,
) -> Life:
    """Live through a call with one stream; the caller hangs up after 5.5 s at the latest."""
    app.documents["/answer"] = (
        f'<Stream statusCallbackUrl="{{url}}/status" {attributes}>{service.url}</Stream>{after}'
    )
    return await app.live([*(script or ()), (5.5, HungUp())], profile)


def audio(seconds: float, kind: str = "audio/x-mulaw", rate: int = 8000) -> Frame:
    """Make a playAudio frame."""
    payload = b64encode(bytes(int(seconds * rate * (1 if kind.endswith("mulaw") else 2)))).decode()
    media = {"contentType": kind, "sampleRate": rate, "payload": payload}
    return {"event": "playAudio", "media": media}


def checkpoint(name: str) -> Callable[[Service], Frame]:
    """Make a checkpoint frame of the stream at hand."""
    return lambda service: {"event": "checkpoint", "streamId": service.stream_id, "name": name}


def clear(service: Service) -> Frame:
    """Make a clearAudio frame of the stream at hand."""
    return {"event": "clearAudio", "streamId": service.stream_id}


def statuses(app: XmlApp) -> list[str]:
    """List what the status callback heard."""
    return [seen["Event"] for seen in app.of("/status")]


async def test_the_start_frame(app: XmlApp, service: Service) -> None:
    """It names call, stream, account, tracks and format, with the defaults of the element."""
    life = await live(app, service)

    start = service.frames[0]
    assert {
        "event": "start",
        "sequenceNumber": 0,
        "start": {
            "callId": life.line.uuid,
            "streamId": service.stream_id,
            "accountId": ACCOUNT.auth_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000},
        },
        "extra_headers": "",
    } == start
    assert [True] == service.signed


async def test_a_stream_beside_the_call(app: XmlApp, service: Service) -> None:
    """The next element runs at once; media come every s; the end of the call is told to nobody."""
    life = await live(app, service)

    assert 5.5 == life.seconds
    assert [1, 2, 3, 4, 5] == [frame["media"]["chunk"] for frame in service.of("media")]
    assert list(range(6)) == [frame["sequenceNumber"] for frame in service.frames]
    assert ["StartStream"] == statuses(app)
    told = app.first("/status")
    assert (life.line.uuid, CALLER, CALLED, service.url, service.stream_id, "", "", "POST") == (
        *(told[name] for name in ("CallUUID", "From", "To", "ServiceURL", "StreamID")),
        *(told[name] for name in ("Error", "ExtraHeaders")),
        told.method,
    )
    assert told["Timestamp"].startswith("2026-01-05 10:00:00")


async def test_its_callback_by_get(app: XmlApp, service: Service) -> None:
    """The status callback is asked with the method of the document."""
    await live(app, service, 'statusCallbackMethod="GET"')

    assert "GET" == app.first("/status").method


@pytest.mark.parametrize(
    ("encoding", "rate", "size"),
    [("audio/x-l16", 8000, 320), ("audio/x-l16", 16000, 640), ("audio/x-mulaw", 8000, 160)],
)
async def test_formats(app: XmlApp, service: Service, encoding: str, rate: int, size: int) -> None:
    """A frame holds 20 ms: silence, or loud sound while the caller talks."""
    kind = f"{encoding};rate={rate}"
    await live(app, service, f'contentType="{kind}"', script=[(2.5, Talks(1))])

    assert {"encoding": encoding, "sampleRate": rate} == service.frames[0]["start"]["mediaFormat"]
    payloads = [b64decode(frame["media"]["payload"]) for frame in service.of("media")]
    assert {size} == {len(payload) for payload in payloads}
    silence = payloads[0]
    assert [True, True, False, True, True] == [payload == silence for payload in payloads]
    assert 1 == len(set(silence))


@pytest.mark.parametrize(
    ("track", "tracks"),
    [("inbound", ["inbound"]), ("outbound", ["outbound"]), ("both", ["inbound", "outbound"])],
)
async def test_tracks(app: XmlApp, service: Service, track: str, tracks: list[str]) -> None:
    """Each track has frames of its own."""
    await live(app, service, f'audioTrack="{track}"', script=[(1.5, HungUp())])

    assert tracks == service.frames[0]["start"]["tracks"]
    assert tracks == [frame["media"]["track"] for frame in service.of("media")]


async def test_extra_headers(app: XmlApp, service: Service) -> None:
    """They go with the start frame, with media, and with the status callback, as written."""
    await live(app, service, 'extraHeaders="a=1,b=2"', script=[(1.5, HungUp())])

    assert ["a=1,b=2"] * 2 == [frame["extra_headers"] for frame in service.frames]
    assert "a=1,b=2" == app.first("/status")["ExtraHeaders"]


async def test_how_often_media_come(app: XmlApp, service: Service) -> None:
    """A simulation can have frames every 20 ms as Plivo sends them."""
    app.documents["/answer"] = f'<Stream>{service.url}</Stream><Wait length="1"/>'
    async with app.plivo() as plivo:
        plivo.media_every_s = 0.02
        plivo.call(CALLER, CALLED, application=app.application())
        assert await plivo.finish()

    assert len(service.of("media")) in {49, 50}


async def test_keys_reach_the_application(app: XmlApp, service: Service) -> None:
    """Each key pressed on the call is a dtmf frame."""
    await live(app, service, script=keys("4#", 2.5))

    assert [("4", "inbound"), ("#", "inbound")] == [
        (frame["dtmf"]["digit"], frame["dtmf"]["track"]) for frame in service.of("dtmf")
    ]
    assert {service.stream_id} == {frame["streamId"] for frame in service.of("dtmf")}


async def test_audio_and_checkpoints(app: XmlApp, service: Service) -> None:
    """A checkpoint is confirmed once all audio before it was played, to frame and callback."""
    service.reactions = {
        "start": [checkpoint("first"), audio(1.5), audio(0.5), checkpoint("second")],
    }
    life = await live(app, service, BOTH)

    assert ["first", "second"] == [frame["name"] for frame in service.of("playedStream")]
    assert [0.0] == life.when("hears", element="Stream")
    played = [
        round(entry.at, 3)
        for entry in life.timeline.of("streams")
        if entry.data.get("frame", {}).get("event") == "playedStream"
    ]
    assert [0.0, 2.0] == played
    assert ["StartStream", "PlayedStream", "PlayedStream"] == statuses(app)
    assert "first" == app.of("/status")[1]["Name"]


async def test_clearing_audio(app: XmlApp, service: Service) -> None:
    """Cleared audio is never confirmed as played; what is sent afterwards is."""
    service.reactions = {
        "start": [audio(1.5), audio(0.5), checkpoint("cleared")],
        "dtmf": [clear, audio(0.5), checkpoint("kept")],
    }
    life = await live(app, service, BOTH, script=keys("1", 1.5))

    assert ["kept"] == [frame["name"] for frame in service.of("playedStream")]
    assert 1 == len(service.of("clearedAudio"))
    assert [0.0, 1.5] == life.when("hears", element="Stream")
    assert ["StartStream", "ClearedAudio", "PlayedStream"] == statuses(app)


async def test_tones_for_the_caller(app: XmlApp, service: Service) -> None:
    """With sendDTMF keys are pressed for the caller to hear."""
    service.reactions = {"start": [{"event": "sendDTMF", "dtmf": "12w#"}]}
    life = await live(app, service, BOTH)

    assert [0.0] == life.when("hears", element="Stream", tones="12w#")


@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        (b"\x00", "A message must be text, not binary."),
        ("oops", "A message must be JSON: Expecting value: line 1 column 1 (char 0)."),
        ("[]", "A message must be a JSON object."),
        (" " * 65_536 + "{}", "A message may have 65536 bytes; this one has 65538."),
        (
            {"event": "media"},
            "event must be one of playAudio, checkpoint, clearAudio, sendDTMF, not 'media'.",
        ),
        (
            {"event": "checkpoint", "name": "a"},
            "checkpoint must have the streamId of the start frame.",
        ),
        ({"event": "clearAudio"}, "clearAudio must have the streamId of the start frame."),
        (
            lambda service: {"event": "checkpoint", "streamId": service.stream_id},
            "checkpoint: name must be text that is not empty, not None.",
        ),
        (
            {"event": "sendDTMF", "dtmf": "12A"},
            "sendDTMF: dtmf holds 0-9, *, #, w and W, not '12A'.",
        ),
        (
            {"event": "sendDTMF", "dtmf": 12},
            "sendDTMF: dtmf must be text that is not empty, not 12.",
        ),
        ({"event": "playAudio"}, "playAudio: media must be an object."),
        (
            audio(0.1, "audio/x-l16;rate=8000"),
            f"playAudio: contentType 'audio/x-l16;rate=8000' with sampleRate 8000 {NO_FORMAT}",
        ),
        (
            audio(0.1, "audio/x-mulaw", 16_000),
            f"playAudio: contentType 'audio/x-mulaw' with sampleRate 16000 {NO_FORMAT}",
        ),
        (
            audio(3),
            "playAudio: payload may have 16384 characters; this one has 32000.",
        ),
    ],
)
async def test_frames_that_break_a_rule(
    app: XmlApp, service: Service, frame: Any, rule: str
) -> None:
    """A bad frame is a problem that names the rule, and has no other effect."""
    service.reactions = {"start": [frame]}
    life = await live(app, service, BOTH)

    assert [f"Stream: {rule}"] == life.problems()
    assert [] == life.when("hears", element="Stream")


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ("", "playAudio: payload must be base64 text."),
        (7, "playAudio: payload must be base64 text."),
        ("a*", "playAudio: payload is not base64: Only base64 data is allowed."),
        (
            b64encode(b"RIFF0000").decode(),
            "playAudio: payload must be raw audio; this one has a WAV header.",
        ),
        (
            b64encode(b"odd").decode(),
            "playAudio: l16 has two bytes a sample; this payload has 3.",
        ),
    ],
)
async def test_payloads_that_break_a_rule(
    app: XmlApp, service: Service, payload: object, rule: str
) -> None:
    """Audio must be raw samples, whole ones, in base64."""
    frame = audio(0.1, "audio/x-l16")
    frame["media"]["payload"] = payload
    service.reactions = {"start": [frame]}
    life = await live(app, service, BOTH)

    assert [f"Stream: {rule}"] == life.problems()


async def test_a_frame_of_another_stream(app: XmlApp, service: Service) -> None:
    """A streamId that is given must be the one of the start frame."""
    service.reactions = {"start": [{**audio(0.1), "streamId": "another"}]}
    life = await live(app, service, BOTH)

    assert [
        f"Stream: playAudio: 'another' is not the streamId of this stream, {service.stream_id}."
    ] == (life.problems())


async def test_a_rate_written_as_text(app: XmlApp, service: Service) -> None:
    """The rate of playAudio may be text, as one page shows it."""
    frame = audio(1)
    frame["media"]["sampleRate"] = "8000"
    service.reactions = {"start": [frame]}
    life = await live(app, service, BOTH)

    assert ([], [0.0]) == (life.problems(), life.when("hears", element="Stream"))


async def test_too_much_audio(app: XmlApp, service: Service) -> None:
    """More than 40 s of audio that wait to be played are a problem."""
    service.reactions = {"start": [audio(1.5) for _ in range(27)]}
    life = await live(app, service, BOTH)

    assert [
        "Stream: playAudio overflows the buffer of 40 s: 39 s of audio are waiting."
    ] == life.problems()


async def test_a_stream_that_only_listens_takes_nothing(app: XmlApp, service: Service) -> None:
    """Messages to a stream that is not bidirectional are a problem."""
    service.reactions = {"start": [audio(0.1)]}
    life = await live(app, service)

    assert ['Stream: Only a stream with bidirectional="true" takes messages.'] == life.problems()


@pytest.mark.parametrize(
    ("code", "dropped", "event"),
    [
        (WSCloseCode.OK, True, "DroppedStream"),
        (WSCloseCode.OK, False, "StopStream"),
        (WSCloseCode.INTERNAL_ERROR, False, "DroppedStream"),
    ],
)
async def test_the_application_closes(
    app: XmlApp, service: Service, code: WSCloseCode, dropped: bool, event: str
) -> None:
    """Without keepCallAlive the call goes on; what the callback calls it is up to the profile."""
    profile = replace(NORMAL, closed_stream_is_dropped=dropped)
    lost = "Connection disconnected with the remote service"
    error = lost if event == "DroppedStream" else ""
    service.closes = code
    life = await live(app, service, script=keys("1", 2.5), profile=profile)

    assert (["StartStream", event], error) == (statuses(app), app.of("/status")[-1]["Error"])
    assert (5.5, 2) == (life.seconds, len(service.of("media")))


async def test_keep_call_alive(app: XmlApp, service: Service) -> None:
    """With keepCallAlive the next element runs when the stream is over."""
    service.closes = WSCloseCode.OK
    app.documents["/next"] = HANGUP
    after = "<Redirect>{url}/next</Redirect>"
    attributes = f'{BOTH} keepCallAlive="true"'
    life = await live(app, service, attributes, after, script=keys("1", 4.5))

    assert [4.5] == life.when("asks", label="redirect")
    assert [] == life.when("does", action="lost")


@pytest.mark.parametrize(("keep", "seconds"), [('keepCallAlive="false"', 0.0), ("", 0.0)])
async def test_without_keep_call_alive_a_last_stream_hangs_up(
    app: XmlApp, service: Service, keep: str, seconds: float
) -> None:
    """By default a Stream at the end of a document does not keep the call."""
    life = await live(app, service, f"{BOTH} {keep}", "")

    assert (seconds, "4010") == (life.seconds, life.code)


@pytest.mark.parametrize(("stop", "frames"), [(False, 0), (True, 1)])
async def test_stream_timeout(app: XmlApp, service: Service, stop: bool, frames: int) -> None:
    """After streamTimeout the stream is stopped, and the call goes on with the next element."""
    app.documents["/next"] = HANGUP
    life = await live(
        app,
        service,
        f'{BOTH} keepCallAlive="true" streamTimeout="3"',
        "<Redirect>{url}/next</Redirect>",
        profile=replace(NORMAL, stop_frame_sent=stop),
    )

    assert [3.0] == life.when("asks", label="redirect")
    assert ["StartStream", "StopStream"] == statuses(app)
    assert frames == len(service.of("stop"))


@pytest.mark.parametrize(("stop", "frames"), [(False, 0), (True, 1)])
async def test_the_call_ends(app: XmlApp, service: Service, stop: bool, frames: int) -> None:
    """When the call ends the WebSocket closes, and no status callback says so."""
    profile = replace(NORMAL, stop_frame_sent=stop)
    await live(app, service, script=[(2.5, HungUp())], profile=profile)

    assert (["StartStream"], frames) == (statuses(app), len(service.of("stop")))


async def test_stopping_it_from_outside(app: XmlApp, service: Service) -> None:
    """A stream can be stopped by its id, as REST does."""
    app.documents["/answer"] = (
        f'<Stream statusCallbackUrl="{{url}}/status">{service.url}</Stream><Wait length="9"/>'
    )
    async with app.plivo() as plivo:
        line = plivo.call(CALLER, CALLED, application=app.application())
        await plivo.clock.drive(lambda: False, plivo.clock.now() + 3)
        assert line.stream is not None
        line.stream.stop()
        assert await plivo.finish()

    assert ["StartStream", "StopStream"] == statuses(app)


async def test_connecting_is_tried_again(app: XmlApp, service: Service) -> None:
    """A refused connection is tried twice more."""
    service.refusals = 2
    life = await live(app, service)

    assert (3, ["StartStream"]) == (service.attempts, statuses(app))
    assert [2.0] == life.when("streams", action="sends")


@pytest.mark.parametrize("keep", ["", f'{BOTH} keepCallAlive="true"'])
async def test_a_service_that_cannot_be_reached(app: XmlApp, service: Service, keep: str) -> None:
    """After three attempts the stream counts as dropped, and the next element runs."""
    service.refusals = 3
    app.documents["/next"] = '<Wait length="5"/>'
    life = await live(app, service, keep, "<Redirect>{url}/next</Redirect>")

    assert (3, ["DroppedStream"]) == (service.attempts, statuses(app))
    assert "Could not establish connection with the remote service" == app.first("/status")["Error"]
    assert [2.0 if keep else 0.0] == life.when("asks", label="redirect")


async def test_a_call_that_ends_while_connecting(app: XmlApp, service: Service) -> None:
    """No attempt follows the end of the call, and nothing is told."""
    service.refusals = 1
    await live(app, service, script=[(0.5, HungUp())])

    assert (1, [], []) == (service.attempts, statuses(app), service.frames)


async def test_one_stream_at_a_time(app: XmlApp, service: Service) -> None:
    """A second Stream is a problem and is skipped."""
    life = await live(app, service, after=f"<Stream>{service.url}</Stream><Wait length='2'/>")

    assert ["Stream: the call has a stream already"] == life.problems()
    assert (1, 2.0) == (service.attempts, life.seconds)


async def test_a_stream_after_a_stream(app: XmlApp, service: Service) -> None:
    """Once a stream is over the call can have another one."""
    after = f'<Wait length="3"/><Stream>{service.url}</Stream><Wait length="2"/>'
    life = await live(app, service, 'streamTimeout="2"', after)

    assert (2, [], 5.0) == (service.attempts, life.problems(), life.seconds)


async def test_a_stream_survives_a_transfer(app: XmlApp, service: Service) -> None:
    """A call is moved on by transferring it first and closing the WebSocket then."""
    app.documents["/new"] = '<Wait length="30"/>'
    life = await live(
        app,
        service,
        f'{BOTH} keepCallAlive="true"',
        "",
        script=[(2.5, Transferred(f"{app.url}/new"))],
    )

    assert (5.5, 5) == (life.seconds, len(service.of("media")))


async def test_a_public_address(app: XmlApp, service: Service) -> None:
    """A wss URL below the public address is reached where that is really served."""
    app.documents["/answer"] = "<Stream>wss://public.example/stream</Stream><Wait length='1'/>"
    async with app.plivo() as plivo:
        plivo.via["https://public.example"] = f"http{service.url.removeprefix('ws')}".removesuffix(
            "/stream"
        )
        service.url = "wss://public.example/stream"
        plivo.call(CALLER, CALLED, application=app.application())
        happens(plivo.lines[0], 0.5, HungUp())
        assert await plivo.finish()

    assert [True] == service.signed
