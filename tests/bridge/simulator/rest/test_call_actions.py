from __future__ import annotations

from typing import Any

import pytest
from support_plivo import ACCOUNT
from support_rest import Rest

from bridge.plivo.rest import PlivoRest
from bridge.simulator.callees import Answers
from bridge.simulator.inputs import HungUp, Talks

PARTY = "33600000001"


def heard(rest: Rest, leg: int = 0) -> list[str]:
    """List what a leg heard besides the greeting of the document."""
    told = [
        entry.data.get("text") or entry.data.get("url") or entry.data["tones"]
        for entry in rest.plivo.timeline.of("hears")
        if entry.leg == leg and entry.data["element"] in {"Speak", "Play", "DTMF"}
    ]
    return [str(one) for one in told if one != "Hello"]


async def test_a_call_is_recorded(rest: Rest) -> None:
    """Its end is reported in snake_case, under the api_id of the request."""
    line = await rest.call()
    started = await rest.sdk(
        rest.client.calls.record,
        line.uuid,
        time_limit=600,
        file_format="wav",
        callback_url=f"{rest.app.url}/recorded",
        record_channel_type="mono",
    )
    await rest.passes(10)
    await rest.sdk(rest.client.calls.stop_recording, line.uuid, None, None)
    await rest.passes(5)
    told = rest.app.first("/recorded")

    assert "call recording started" == started.message
    assert {
        "api_id": started.api_id,
        "call_uuid": line.uuid,
        "recording_id": started.recording_id,
        "record_url": started.url,
        "recording_duration": "10",
        "recording_duration_ms": "10000",
    }.items() <= told.form.items()
    assert 1 == rest.plivo.recordings[started.recording_id].channels
    assert [] == rest.plivo.timeline.texts("problem")


async def test_a_recording_ends_by_itself(rest: Rest) -> None:
    """After 60 s, unless it was given another limit; then there is nothing to stop."""
    line = await rest.call()
    started = await rest.sdk(rest.client.calls.record, line.uuid)
    await rest.passes(100)

    assert 60.0 == rest.plivo.recordings[started.recording_id].seconds
    status, body = await rest("DELETE", f"Call/{line.uuid}/Record/")
    assert (404, "no such recording is in progress") == (status, body["error"])


async def test_a_recording_is_transcribed(rest: Rest) -> None:
    """What was said during it is told to transcription_url, when a type was asked for."""
    line = await rest.call()
    urls = {"transcription_url": f"{rest.app.url}/text", "transcription_method": "GET"}
    await rest.sdk(rest.client.calls.record, line.uuid, transcription_type="auto", **urls)
    await rest.sdk(rest.client.calls.record, line.uuid, **urls)
    line.post(Talks(2, "hello there"))
    await rest.passes(10)
    await rest.sdk(rest.client.calls.stop_recording, line.uuid, None, None)
    await rest.passes(60)

    (told,) = rest.app.of("/text")
    assert ("GET", "hello there", "10", line.uuid) == (
        told.method,
        *(told[name] for name in ("transcription", "duration", "call_uuid")),
    )


async def test_one_of_two_recordings_is_stopped(rest: Rest) -> None:
    """By its URL; without one, all are."""
    line = await rest.call()
    client = PlivoRest(rest.plivo.session, rest.plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)
    first, second = [await client.start_recording(line.uuid, time_limit_s=600) for _ in range(2)]
    running = rest.plivo.recordings
    await rest.passes(1)
    await client.stop_recording(line.uuid, first.url)
    one = [running[started.recording_id].seconds >= 0 for started in (first, second)]
    await client.stop_recording(line.uuid)
    both = [running[started.recording_id].seconds >= 0 for started in (first, second)]

    assert ([True, False], [True, True]) == (one, both)


async def test_texts_sounds_and_digits(rest: Rest) -> None:
    """The call hears them beside its document."""
    line = await rest.call()
    spoken = await rest.sdk(
        rest.client.calls.speak, line.uuid, "Good day", voice="MAN", language="en-GB"
    )
    played = await rest.sdk(
        rest.client.calls.play, line.uuid, "http://a.example.com/1.wav,http://a.example.com/2.wav"
    )
    sent = await rest.sdk(rest.client.calls.send_digits, line.uuid, "1w2@200")
    await rest.passes(30)
    stopped = [(await rest("DELETE", f"Call/{line.uuid}/{name}/"))[0] for name in ("Play", "Speak")]

    assert ["speak started", "play started", "digits sent"] == [
        reply.message for reply in (spoken, played, sent)
    ]
    assert {
        "Good day",
        "http://a.example.com/1.wav",
        "http://a.example.com/2.wav",
        "1w2@200",
    } == set(heard(rest))
    assert [204, 204] == stopped
    assert not line.over.is_set()


async def test_the_party_can_be_reached(rest: Rest) -> None:
    """With legs or leg bleg it alone hears something, with both everybody; 404 while there is none."""
    rest.plivo.callees[PARTY] = Answers(1)
    alone = await rest.call()
    status, body = await rest("POST", f"Call/{alone.uuid}/DTMF/", {"digits": "1", "leg": "bleg"})
    alone.post(HungUp())
    line = await rest.call(f"<Speak>Hello</Speak><Dial><Number>{PARTY}</Number></Dial>")
    await rest.passes(5)
    await rest("POST", f"Call/{line.uuid}/DTMF/", {"digits": "9", "leg": "bleg"})
    await rest("POST", f"Call/{line.uuid}/Speak/", {"text": "All", "legs": "both"})
    await rest.passes(5)

    assert (404, True) == (status, body["error"].startswith("leg not found"))
    assert ["9", "All"] == heard(rest, 1)
    assert "All" in heard(rest)


@pytest.mark.parametrize(
    ("path", "fields", "error"),
    [
        ("Record", {"time_limit": 0}, "time_limit must be"),
        ("Record", {"file_format": "ogg"}, "file_format must be one of mp3, wav"),
        ("Record", {"callback_url": "x"}, "callback_url must be a URL"),
        ("Record", {"callback_method": "PUT"}, "callback_method must be"),
        ("Record", {"record_channel_type": "quad"}, "record_channel_type must be"),
        ("Record", {"transcription_type": "magic"}, "transcription_type must be"),
        ("Record", {"transcription_url": "x"}, "transcription_url must be"),
        ("Play", {}, "urls parameter not present"),
        ("Play", {"urls": "http://a.example.com/1.wav,x"}, "urls must be URLs"),
        ("Play", {"urls": "http://a.example.com/1.wav", "legs": "x"}, "legs must be"),
        ("Play", {"urls": "http://a.example.com/1.wav", "length": 0}, "length must be"),
        ("Play", {"urls": "http://a.example.com/1.wav", "loop": "x"}, "loop must be"),
        ("Speak", {}, "text parameter not present"),
        ("Speak", {"text": "x" * 3001}, "text may have 3000 characters"),
        ("Speak", {"text": "x", "mix": 3}, "mix must be"),
        ("Speak", {"text": "x", "type": "x"}, "type must be one of text, ssml"),
        ("DTMF", {}, "digits parameter not present"),
        ("DTMF", {"digits": "12A"}, "digits must be 0-9"),
        ("DTMF", {"digits": "1", "leg": "both"}, "leg must be one of aleg, bleg"),
    ],
)
async def test_bad_parameters_are_named(
    rest: Rest, path: str, fields: dict[str, Any], error: str
) -> None:
    """400 with a sentence, and the call hears and records nothing."""
    line = await rest.call()
    status, body = await rest("POST", f"Call/{line.uuid}/{path}/", fields)

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert ([], {}) == (heard(rest), rest.plivo.recordings)


@pytest.mark.parametrize("path", ["Record", "Play", "Speak", "DTMF", "Stream"])
async def test_calls_that_do_not_live(rest: Rest, path: str) -> None:
    """Every action on a call that is over is 404, whatever its parameters."""
    line = await rest.call("<Hangup/>")

    assert (404, "call not found") == (
        (reply := await rest("POST", f"Call/{line.uuid}/{path}/"))[0],
        reply[1]["error"],
    )
