"""Each element as the scripted caller executes it, against a server of fixed documents."""

from __future__ import annotations

import pytest
from support_xml_server import END, Server

from bridge.simulator.caller import When
from bridge.simulator.clock import VirtualClock
from bridge.simulator.script import (
    HangUp,
    LeaveRoom,
    LegAnswers,
    LegFails,
    Noise,
    Press,
    RecordFor,
    Say,
    Silence,
    Step,
)


@pytest.mark.parametrize(
    ("keys", "attributes", "digits"),
    [
        ("12#", "", "12"),
        ("123456", 'numDigits="4"', "1234"),
        ("12", "", "12"),
        ("#", "", ""),
        ("1*#", 'finishOnKey="*"', "1"),
        ("1#2", 'finishOnKey="none" numDigits="3"', "1#2"),
    ],
)
async def test_digits(server: Server, keys: str, attributes: str, digits: str) -> None:
    """Keys are submitted without the finishing one, and no more than asked for."""
    server.documents = {
        "/answer": f'<GetDigits action="{{url}}/keys" {attributes}/>',
        "/keys": END,
    }
    await server.caller(Press(keys)).run()

    assert digits == server.form("/keys")["Digits"]


@pytest.mark.parametrize("script", [[], [Silence()]])
async def test_silence(server: Server, script: list[Step]) -> None:
    """Without keys the next element runs, and time has passed."""
    clock = VirtualClock()
    began = clock.now()
    server.documents = {"/answer": '<GetDigits action="{url}/keys" timeout="7"/><Hangup/>'}
    await server.caller(*script, clock=clock).run()

    assert ["/answer", "/hangup"] == server.paths()
    assert 7 == clock.now() - began


async def test_speech(server: Server) -> None:
    """Speech is submitted with its confidence, the other kind of input empty."""
    server.documents = {
        "/answer": '<GetInput action="{url}/said" inputType="speech"/>',
        "/said": '<GetInput action="{url}/keys" inputType="dtmf"/>',
        "/keys": '<GetInput action="{url}/x" inputType="speech"/><Hangup/>',
    }
    await server.caller(Say("yes please"), Press("5"), Silence()).run()

    said, keys = server.form("/said"), server.form("/keys")
    assert ("speech", "yes please", "0.95", "") == (
        said["InputType"],
        said["Speech"],
        said["SpeechConfidenceScore"],
        said["Digits"],
    )
    assert ("dtmf", "5", "") == (keys["InputType"], keys["Digits"], keys["Speech"])
    assert ["/answer", "/said", "/keys", "/hangup"] == server.paths()


async def test_redirect_false(server: Server) -> None:
    """With redirect=false the action is only told, and the next element runs."""
    server.documents = {
        "/answer": '<GetDigits action="{url}/keys" redirect="false"/><Hangup/>',
        "/keys": "<Speak>never heard</Speak>",
    }
    caller = server.caller(Press("1#"))
    await caller.run()

    assert ["/answer", "/keys", "/hangup"] == server.paths()
    assert [] == caller.problems()


@pytest.mark.parametrize(
    ("when", "paths"),
    [
        (When.NOW, ["/answer", "/done", "/ready", "/hangup"]),
        (When.EARLY, ["/answer", "/ready", "/done", "/hangup"]),
        (When.LATE, ["/answer", "/done", "/hangup", "/ready"]),
        (When.TWICE, ["/answer", "/done", "/ready", "/ready", "/hangup"]),
        (When.NEVER, ["/answer", "/done", "/hangup"]),
    ],
)
async def test_recording(server: Server, when: When, paths: list[str]) -> None:
    """The callback of a recording comes when the test wants it."""
    server.documents = {
        "/answer": '<Record action="{url}/done" callbackUrl="{url}/ready" maxLength="9"/>',
        "/done": END,
    }
    await server.caller(RecordFor(30), callbacks={"recording": when}).run()

    assert paths == server.paths()
    assert ("9", "9000", "#") == tuple(
        server.form("/done")[name]
        for name in ("RecordingDuration", "RecordingDurationMs", "Digits")
    )


async def test_session_recording(server: Server) -> None:
    """A recording of the whole call reports at once, with -1, and its end to the callback alone."""
    server.documents = {
        "/answer": '<Record action="{url}/on" callbackUrl="{url}/ready" recordSession="true"/>',
        "/on": '<Wait length="5"/><Hangup/>',
    }
    await server.caller().run()

    assert ["/answer", "/on", "/ready", "/hangup"] == server.paths()
    assert "-1" == server.form("/on")["RecordingDuration"]
    assert server.form("/on")["RecordingID"] == server.form("/ready")["RecordingID"]
    assert "5" == server.form("/ready")["RecordingDuration"]


async def test_record_hang_up(server: Server) -> None:
    """A caller who hangs up during Record gets no action fetched; the callback still comes."""
    server.documents = {
        "/answer": '<Record action="{url}/done" callbackUrl="{url}/ready" maxLength="9"/>'
    }
    await server.caller(HangUp(after=3)).run()

    assert ["/answer", "/ready", "/hangup"] == server.paths()
    assert "3" == server.form("/ready")["RecordingDuration"]


async def test_dial(server: Server) -> None:
    """A bridged Dial reports answer, connected and hangup, then its action."""
    server.documents = {
        "/answer": '<Dial action="{url}/end" callbackUrl="{url}/told"><Number>331</Number></Dial>',
        "/end": END,
    }
    await server.caller(LegAnswers(8)).run()

    told = [form["DialAction"] for _, path, form in server.seen if path == "/told"]
    assert ["answer", "connected", "hangup"] == told
    assert ("completed", "true") == tuple(
        server.form("/end")[name] for name in ("DialStatus", "DialRingStatus")
    )


async def test_dial_failure(server: Server) -> None:
    """A number that cannot be reached gives its cause."""
    server.documents = {
        "/answer": '<Dial action="{url}/end"><Number>331</Number></Dial>',
        "/end": END,
    }
    await server.caller(LegFails(3050, "UNALLOCATED_NUMBER")).run()

    assert ("failed", "UNALLOCATED_NUMBER", "") == tuple(
        server.form("/end")[name] for name in ("DialStatus", "DialHangupCause", "DialBLegUUID")
    )


async def test_conference(server: Server) -> None:
    """A member's enter, exit and action name the same conference and member."""
    server.documents = {
        "/answer": '<Conference action="{url}/end" callbackUrl="{url}/told">r1</Conference>',
        "/end": END,
    }
    await server.caller(LeaveRoom()).run()

    told = [form for _, path, form in server.seen if path == "/told"]
    assert ["enter", "exit"] == [form["ConferenceAction"] for form in told]
    members = {
        (form["ConferenceName"], form["ConferenceUUID"], form["ConferenceMemberID"])
        for form in [*told, server.form("/end")]
    }
    assert 1 == len(members)


@pytest.mark.parametrize(("script", "elapsed"), [([], 2), ([Noise()], 10)])
async def test_listening_for_silence(server: Server, script: list[Step], elapsed: float) -> None:
    """A Wait for silence ends early in silence, and lasts its length in noise."""
    clock = VirtualClock()
    began = clock.now()
    server.documents = {"/answer": '<Wait length="10" silence="true" minSilence="2000"/><Hangup/>'}
    await server.caller(*script, clock=clock).run()

    assert elapsed == clock.now() - began
