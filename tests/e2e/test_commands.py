"""Commands over the wire whose results depend on time, on files, or on what the caller says."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from support_e2e import HANGUP, PUBLIC, Make, command, link, names, tts

from bridge.assets import asset

SILENCE = command("wait_for_silence", silence_ms=2000, iterations=2, timeout=20)


@pytest.mark.parametrize(
    ("noise_s", "result"), [(0, "SILENCE"), (30, "TIMEOUT")], ids=["quiet", "loud"]
)
async def test_wait_for_silence(make_world: Make, noise_s: float, result: str) -> None:
    """Silence is told from noise by how long the wait took."""
    world = await make_world(SILENCE, HANGUP)
    call = world.dial()
    await call.make_noise(noise_s)
    await call.expect_result(result)
    await world.finish()

    assert ["", result] == world.app.results()


async def test_caller_talks_over_a_sound(make_world: Make) -> None:
    """A caller who talks over the sound is noticed, and it stops."""
    story = "A long story. " * 20
    world = await make_world(command("play_talk_detect", media_id=tts(story)), HANGUP)
    call = world.dial()
    await call.say("hello there")
    await world.finish()

    assert ["", "TALK"] == world.app.results()
    assert world.clock.now() - world.plivo.began < len(story) / 15


async def test_caller_listens_to_a_sound(make_world: Make) -> None:
    """Who listens to the whole of it gives "0"."""
    world = await make_world(command("play_talk_detect", media_id=tts("A long story")), HANGUP)
    world.dial()
    await world.finish()

    assert ["", "0"] == [str(result) for result in world.app.results()]


@pytest.mark.parametrize(
    ("partial", "keys", "result"),
    [
        ("keys", "12", "12"),
        ("timeout", "12", "TIMEOUT"),
        ("timeout", "1234", "1234"),
        ("timeout", "12#", "TIMEOUT"),
        ("exact", "12", "TIMEOUT"),
        ("exact", "12#", "12"),
        ("exact", "#", ""),
    ],
)
async def test_partial_read(make_world: Make, partial: str, keys: str, result: str) -> None:
    """What digits without # are worth is the app's choice."""
    read = command("read", media_id=tts("Code?"), max_digits=4, attempts=1)
    world = await make_world(read, HANGUP, app={"partial_read": partial})
    call = world.dial()
    await call.press(keys)
    await call.expect_result(result)
    await world.finish()

    assert ["", result] == world.app.results()


async def test_wav_data(make_world: Make) -> None:
    """Sound that comes with the command is hosted where Plivo finds it."""
    wav = base64.b64encode(asset("silence")).decode()
    world = await make_world(command("play_wav_data", audio_data=wav), HANGUP)
    world.dial()
    await world.finish()

    assert ["audio/wav, 3244 bytes"] == world.timeline.texts("fetches")
    assert ["", "0"] == world.app.results()


async def test_bad_wav_data(make_world: Make) -> None:
    """Sound that is none gives "1", and the call goes on."""
    wav = base64.b64encode(b"RIFF but not quite").decode()
    world = await make_world(command("play_wav_data", audio_data=wav), HANGUP)
    world.dial()
    await world.finish()

    assert ["", "1"] == world.app.results()


async def test_media_directory(make_world: Make, tmp_path: Path) -> None:
    """The old platform's media ids are files of a directory, hosted under unguessable names."""
    (tmp_path / "12.wav").write_bytes(asset("silence"))
    world = await make_world(
        command("play", media_id=12), HANGUP, media={"directory": str(tmp_path)}, store="sqlite"
    )
    document = (await world.leg().request(world.application.answer_url)).body
    url = link(document, "Play")
    await world.restart()
    leg = world.leg()
    found = await leg.send("GET", url)
    guessed = await leg.send("GET", url.rpartition("/")[0] + "/12.wav")

    assert (200, "audio/wav", asset("silence")) == (found.status, found.content_type, found.body)
    assert 404 == guessed.status


@pytest.mark.parametrize(
    ("media", "url"),
    [
        ({"library": {"12": "https://cdn.example.com/a.mp3"}}, "https://cdn.example.com/a.mp3"),
        ({"url_template": "https://cdn.example.com/{id}.wav"}, "https://cdn.example.com/12.wav"),
    ],
)
async def test_media_library(make_world: Make, media: Any, url: str) -> None:
    """Media ids may be URLs of single files, or of all by a template."""
    world = await make_world(command("play", media_id="12"), HANGUP, media=media)
    call = world.dial()
    await call.expect_played(url)
    await world.finish()

    assert url == link(world.documents(call)[0], "Play")


async def test_file_that_cannot_be_fetched(make_world: Make) -> None:
    """Plivo skips a file that gives 404 and reports nothing, so the result of play is "0"."""
    gone = f"{PUBLIC}/media/gone.wav"
    world = await make_world(
        command("play", media_id="12"), HANGUP, media={"library": {"12": gone}}
    )
    call = world.dial()
    await call.expect_played(gone)
    await call.expect_result("0")
    await call.expect_ended(by="app")

    assert gone == link(world.documents(call)[0], "Play")
    (problem,) = world.timeline.texts("problem")
    assert f"{gone} gave status 404" in problem
    assert ["", "0"] == world.app.results()


async def test_long_text(make_world: Make) -> None:
    """A text longer than Plivo speaks at once is split, and nothing of it is lost."""
    text = " ".join(f"word{number}" for number in range(1000))
    world = await make_world(command("play", media_id=tts(text)), HANGUP)
    call = world.dial()
    await world.finish()

    said = world.spoken(call)
    assert 1 < len(said)
    assert text == " ".join(said)


async def test_markup_in_text(make_world: Make) -> None:
    """A text with markup, control characters and emoji reaches the caller as text."""
    world = await make_world(command("play", media_id=tts("a < b & c\x00 > “d” 😀")), HANGUP)
    call = world.dial()
    await call.expect_ended(by="app")

    assert ["“a < b & c > “d” 😀” (WOMAN en-GB)"] == world.timeline.texts("hears")


async def test_recording_that_plivo_does_not_have(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that never becomes ready ends in a 404, not in a request that hangs."""
    monkeypatch.setattr("bridge.media.PATIENCE_S", 0.2)
    world = await make_world(command("record"), HANGUP)
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    gone = {"RecordUrl": "http://127.0.0.1:1/gone.mp3", "RecordingID": "gone"}
    await leg.request(link(document, "action"), gone)
    name = world.app.results()[1]
    answer = await world.ticking(leg.send("GET", f"{PUBLIC}/media/{name}.mp3"))

    assert 404 == answer.status


async def test_hangup_never_reported(make_world: Make, store: str) -> None:
    """A call Plivo no longer knows is ended although its hangup webhook never came."""
    world = await make_world(
        command("wait", wait=30), store=store, plivo_rest=True, faults=["drop:hangup url"]
    )
    call = world.dial()
    await call.wait(10)
    await call.hang_up()
    await world.finish(20_000)

    (final,) = await world.delivered()
    assert ("wait", "HANGUP") == (final["command"], final["call_status"])
    assert 1 == len(world.asked_of_rest("GET", f"Call/{call.line.uuid}/"))


async def test_long_call(make_world: Make) -> None:
    """A call Plivo still has is left alone, however long nothing was heard of it."""
    dialout = command("dialout", targets=[{"number": "+442079460101", "timeout": 10}])
    world = await make_world(dialout, plivo_rest=True, stale_call_after_s=600.0)
    call = world.dial()
    await call.answer()
    await call.wait(3600)

    looks = world.timeline.of("rest", call=call.number)
    assert 1 < len(looks)
    assert {200} == {look.data["status"] for look in looks}
    assert [] == world.app.finals
    await call.leg(1).hang_up()
    await world.finish()
    assert ["dialout"] == [final["command"] for final in world.app.finals]


async def test_stopping_waits_for_the_webhook(make_world: Make) -> None:
    """A bridge that is told to stop first answers the webhooks it has."""
    opened = asyncio.Event()

    async def gate(_: object) -> dict[str, Any]:
        await opened.wait()
        return command("play", media_id=tts("Hello"))

    world = await make_world(gate)
    asking = asyncio.gather(world.leg().request(world.application.answer_url))
    await world.app.heard(1)
    stopping = asyncio.gather(world.bridge.stop())
    opened.set()
    (answer,) = await asking
    await stopping

    assert ["Speak", "Redirect"] == names(answer.body)
