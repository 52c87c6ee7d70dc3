from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support_plivo import CALLED, CALLER, FOR_EVER, XmlApp, wav

from bridge.simulator import control
from bridge.simulator.callees import Answers
from bridge.simulator.control import MOST_TRANSFERS, Report
from bridge.simulator.line import Line
from bridge.simulator.platform import Plivo

OTHER = "442079460101"


@pytest.fixture
async def plivo(app: XmlApp) -> AsyncIterator[Plivo]:
    """Give a platform whose calls wait for 900 s, and let them end afterwards."""
    app.documents.setdefault("/answer", '<Wait length="900"/>')
    async with app.plivo() as made:
        yield made
        control.hang_up_all(made)
        assert await made.finish(FOR_EVER)
        assert [] == made.timeline.texts("problem")


async def called(app: XmlApp, plivo: Plivo) -> Line:
    """Let a call begin, and live for 2 s."""
    line = plivo.call(CALLER, CALLED, application=app.application())
    await settle(plivo, 2)
    return line


async def bridged(app: XmlApp, plivo: Plivo) -> Line:
    """Let a call begin and be connected with a party."""
    app.documents["/answer"] = f"<Dial><Number>{OTHER}</Number></Dial>"
    plivo.callees[OTHER] = Answers(1)
    return await called(app, plivo)


async def settle(plivo: Plivo, seconds: float = 1.0) -> None:
    """Let time pass."""
    await plivo.clock.drive(lambda: False, plivo.clock.now() + seconds)


async def test_hang_up(app: XmlApp, plivo: Plivo) -> None:
    """REST hangs up a live call, once."""
    line = await called(app, plivo)
    assert plivo.hang_up(line.uuid)
    await settle(plivo)

    assert "API Request" == app.first("/hangup")["HangupSource"]
    assert not plivo.hang_up(line.uuid)


async def test_hang_up_all(app: XmlApp, plivo: Plivo) -> None:
    """Deleting no call in particular deletes every call."""
    for _ in range(3):
        await called(app, plivo)
    assert 3 == control.hang_up_all(plivo)
    await settle(plivo)

    assert 3 == len(app.of("/hangup"))


async def test_transfer(app: XmlApp, plivo: Plivo) -> None:
    """A transferred call goes on at the new URL, asked for with the method of the request."""
    app.documents["/else"] = '<Wait length="900"/>'
    line = await called(app, plivo)
    assert control.transfer(plivo, line.uuid, "aleg", f"{app.url}/else", aleg_method="GET")
    await settle(plivo)

    assert ("GET", "Transfer") == (app.first("/else").method, app.first("/else")["Event"])


async def test_too_many_transfers(app: XmlApp, plivo: Plivo) -> None:
    """A call survives 70 transfers; one more ends it with cause 2060."""
    app.documents["/else"] = '<Wait length="900"/>'
    line = await called(app, plivo)
    for _ in range(MOST_TRANSFERS):
        assert control.transfer(plivo, line.uuid, "aleg", f"{app.url}/else")
        await settle(plivo, 0.01)
    assert line.ending is None
    assert control.transfer(plivo, line.uuid, "aleg", f"{app.url}/else")
    await settle(plivo)

    assert 70 == len(app.of("/else"))
    assert "2060" == app.first("/hangup")["HangupCauseCode"]


async def test_transfers_that_cannot_be(app: XmlApp, plivo: Plivo) -> None:
    """Only live calls are transferred, only a connected party, and never without a URL."""
    url = f"{app.url}/else"
    line = await called(app, plivo)
    ringing = plivo.make_call(CALLED, OTHER, app.application())

    assert not control.transfer(plivo, "no-such-call", "aleg", url)
    assert not control.transfer(plivo, line.uuid, "bleg", bleg_url=url)
    assert not control.transfer(plivo, line.uuid, "both", url, url)
    assert not control.transfer(plivo, ringing, "aleg", url)
    with pytest.raises(ValueError, match="legs=both needs aleg_url and bleg_url"):
        control.transfer(plivo, line.uuid, "both", url)


async def test_transfer_of_a_party_by_its_own_id(app: XmlApp, plivo: Plivo) -> None:
    """A party is a call with a CallUUID; transferred by that, it leaves its Dial."""
    app.documents |= {"/else": '<Wait length="900"/>', "/done": '<Wait length="900"/>'}
    line = await bridged(app, plivo)
    app.documents["/answer"] = '<Wait length="900"/>'
    party = control.party_of(line)
    assert party is not None
    assert control.transfer(plivo, party.uuid, "aleg", f"{app.url}/else")
    await settle(plivo)

    assert party.uuid == app.first("/else")["CallUUID"]
    assert control.party_of(line) is None
    assert party.ending is None
    assert "4010" == app.first("/hangup")["HangupCauseCode"]


@pytest.mark.parametrize(("time_limit", "seconds"), [(60.0, 60), (5.0, 5), (800.0, 100)])
async def test_record(app: XmlApp, plivo: Plivo, time_limit: float, seconds: int) -> None:
    """A recording ends with its limit or with its call, and is reported in snake_case."""
    line = await called(app, plivo)
    report = Report(f"{app.url}/recorded", api_id="api-1")
    recording = control.start_recording(line, report, time_limit=time_limit, file_format="wav")
    await settle(plivo, 100)
    plivo.hang_up(line.uuid)
    await settle(plivo, 5)
    form = dict(app.first("/recorded").form)
    lasted = int(form.pop("recording_end_ms")) - int(form.pop("recording_start_ms"))

    assert 1000 * seconds == lasted
    assert {
        "api_id": "api-1",
        "call_uuid": line.uuid,
        "record_url": recording.url,
        "recording_id": recording.recording_id,
        "recording_duration": str(seconds),
        "recording_duration_ms": str(1000 * seconds),
    } == form
    assert recording.url.endswith(f"{recording.recording_id}.wav")
    assert recording is plivo.recordings[recording.recording_id]
    assert 1 == len(app.of("/recorded"))


async def test_stop_recording(app: XmlApp, plivo: Plivo) -> None:
    """One recording is stopped by its URL, all of them without one."""
    line = await called(app, plivo)
    first, second = (control.start_recording(line, Report()) for _ in range(2))
    await settle(plivo, 3)
    assert control.stop_recording(line, first.url)
    assert (3.0, -1.0) == (first.seconds, second.seconds)
    assert not control.stop_recording(line, first.url)
    assert control.stop_recording(line)

    assert 3.0 == second.seconds
    assert not control.stop_recording(line)


async def test_speak_and_play(app: XmlApp, plivo: Plivo) -> None:
    """What REST speaks and plays is heard by the legs it names, beside the document."""
    app.sounds = {"/a.wav": wav(1), "/b.wav": wav(1)}
    line = await bridged(app, plivo)
    assert control.speak(line, "for both", "both", voice="MAN")
    assert control.speak(line, "for the party", "bleg")
    assert control.play(line, [f"{app.url}/a.wav", f"{app.url}/b.wav"])
    await settle(plivo, 5)
    heard = [
        (entry.leg, entry.data.get("text") or entry.data["url"].removeprefix(app.url))
        for entry in plivo.timeline.of("hears")
        if entry.data["element"] in {"Speak", "Play"}
    ]

    assert [
        (0, "/a.wav"),
        (0, "/b.wav"),
        (0, "for both"),
        (1, "for both"),
        (1, "for the party"),
    ] == sorted(heard)


async def test_send_digits(app: XmlApp, plivo: Plivo) -> None:
    """Tones go to the call or to its party."""
    line = await bridged(app, plivo)
    assert control.send_digits(line, "12@500")
    assert control.send_digits(line, "3", "bleg")

    assert [(0, "12@500"), (1, "3")] == [
        (entry.leg, entry.data["tones"])
        for entry in plivo.timeline.of("hears")
        if entry.data["element"] == "DTMF"
    ]


async def test_no_party(app: XmlApp, plivo: Plivo) -> None:
    """A call that is connected with nobody has no B leg to talk to."""
    line = await called(app, plivo)

    assert control.party_of(line) is None
    assert not control.speak(line, "hello", "bleg")
    assert not control.send_digits(line, "1", "bleg")
