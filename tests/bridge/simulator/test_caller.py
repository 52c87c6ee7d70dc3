"""The scripted caller against a server of fixed documents, on loopback."""

from __future__ import annotations

from random import Random
from typing import Any

import aiohttp
import pytest
from support_xml_server import END, Server

from bridge.simulator.caller import Application, ScriptedCaller
from bridge.simulator.exchange import Exchange, HungUpByApi, Transferred
from bridge.simulator.leg import BUSY, Account, Leg
from bridge.simulator.script import Press, Stay, Step


async def test_parameters(server: Server) -> None:
    """The answer request carries the parameters of real ones: numbers bare, all of them strings."""
    server.documents = {"/answer": END}
    caller = server.caller(leg={"caller_name": "Ada"})
    await caller.run()

    assert {
        "CallUUID": caller.leg.uuid,
        "From": "33612345678",
        "To": "33187654321",
        "Direction": "inbound",
        "CallStatus": "ringing",
        "CallerName": "Ada",
        "SessionStart": "2026-01-05 10:00:00.000000",
        "BillRate": "0.005",
        "ParentAuthID": "MAXXXXXXXXXXXXXXXXXX",
        "RouteType": "Domestic_Anchored",
        "CountryCode": "FR",
        "STIRVerification": "Not Applicable",
        "STIRAttestation": "",
        "Event": "StartApp",
    } == server.form("/answer")


async def test_hangup_parameters(server: Server) -> None:
    """The hangup request says how long the call was, how it ended and by whom."""
    server.documents = {"/answer": '<Wait length="61"/><Hangup/>'}
    await server.caller().run()
    form = server.form("/hangup")

    assert ("Hangup", "completed", "61", "120") == (
        form["Event"],
        form["CallStatus"],
        form["Duration"],
        form["BillDuration"],
    )
    assert ("NORMAL_CLEARING", "4000", "Normal Hangup", "Answer XML") == (
        form["HangupCause"],
        form["HangupCauseCode"],
        form["HangupCauseName"],
        form["HangupSource"],
    )
    assert "2026-01-05 10:01:01" == form["EndTime"]


async def test_outbound_parameters(server: Server) -> None:
    """An outbound leg is in progress when it is answered, and names its request."""
    server.documents = {"/answer": END}
    await server.caller(leg={"direction": "outbound", "request_uuid": "req-1"}).run()
    form = server.form("/answer")

    assert ("outbound", "in-progress", "req-1") == (
        form["Direction"],
        form["CallStatus"],
        form["RequestUUID"],
    )


async def test_never_answered(server: Server) -> None:
    """A call that never got up sends the hangup request alone, without an answer time."""
    await server.caller(leg={"direction": "outbound", "status": "busy"}).hang_up(BUSY)

    assert ["/hangup"] == server.paths()
    form = server.form("/hangup")
    assert ("busy", "0", "USER_BUSY") == (form["CallStatus"], form["Duration"], form["HangupCause"])
    assert "AnswerTime" not in form


async def test_nonces(server: Server) -> None:
    """Every request has a nonce of its own, of 20 digits."""
    server.documents = {"/answer": "<Redirect>{url}/two</Redirect>", "/two": END}
    await server.caller().run()

    assert 3 == len(set(server.nonces))
    assert all(len(nonce) == 20 and nonce.isdigit() for nonce in server.nonces)


async def test_fragment(server: Server) -> None:
    """The retry settings behind a URL are not sent."""
    server.documents = {"/answer": "<Redirect>{url}/two#rt=3000&amp;rc=2</Redirect>", "/two": END}
    caller = server.caller()
    await caller.run()

    assert ["/answer", "/two", "/hangup"] == server.paths()
    assert [] == caller.problems()


async def test_methods(server: Server) -> None:
    """Elements choose their method; everything is in the query with GET."""
    server.documents = {
        "/answer": '<GetDigits action="{url}/keys" method="GET" numDigits="2"/>',
        "/keys": '<Redirect method="GET">{url}/two</Redirect>',
        "/two": END,
    }
    caller = server.caller(Press("12"))
    await caller.run()

    assert [("GET", "/keys"), ("GET", "/two")] == [(m, p) for m, p, _ in server.seen[1:3]]
    assert "12" == server.form("/keys")["Digits"]
    assert caller.leg.uuid == server.form("/two")["CallUUID"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("<Say>Hi</Say>", "Say"),
        ('<Wait length="0"/>', "Wait does not take"),
        ("plain text", "line 1"),
        ('<!DOCTYPE x [<!ENTITY e "e">]><Response/>', "document type declaration"),
        ("", "empty"),
        ((500, "<Hangup/>"), "status 500"),
    ],
)
async def test_refused_documents(server: Server, document: Any, problem: str) -> None:
    """What Plivo might refuse ends the call, with a problem and the cause Plivo gives."""
    server.documents = {"/answer": document}
    caller = server.caller()
    await caller.run()

    assert problem in " ".join(caller.problems())
    assert server.form("/hangup")["HangupCauseCode"] in {"7011", "8011"}


async def test_fallback(server: Server) -> None:
    """When the answer URL fails the fallback URL is asked."""
    server.documents = {"/answer": (500, END), "/fallback": END}
    caller = server.caller(fallback=f"{server.url}/fallback")
    await caller.run()

    assert ["/answer", "/fallback", "/hangup"] == server.paths()


async def test_no_server() -> None:
    """A server that is not there is a problem, not an exception."""
    async with aiohttp.ClientSession() as session:
        leg = Leg(session, Account(), Random(1))
        caller = ScriptedCaller(leg, Application("http://127.0.0.1:1/answer"))
        await caller.run()

    assert caller.problems()[0].startswith("the answer URL gave status 0")


@pytest.mark.parametrize(
    ("document", "script", "problem"),
    [
        ('<Record action="{url}/x" maxLength="5"/>', [Press("1")], "Record comes where the script"),
        (END, [Press("1")], "the call ended before Press"),
        ("<Redirect>{url}/answer</Redirect>", [], "300 documents and no end"),
        ("<Play>{url}/missing</Play><Hangup/>", [], "gave status 404 and"),
        ("<PreAnswer><Speak>Hi</Speak></PreAnswer><Hangup/>", [], "PreAnswer is not simulated"),
    ],
)
async def test_problems(server: Server, document: str, script: list[Step], problem: str) -> None:
    """What goes other than scripted, or cannot be simulated, is a problem in the timeline."""
    server.documents = {"/answer": document}
    caller = server.caller(*script)
    await caller.run()

    assert problem in " ".join(caller.problems()), str(caller.timeline)


async def test_acted_on_from_outside(server: Server) -> None:
    """A call can be transferred, then hung up, by somebody else."""
    server.documents = {
        "/answer": '<GetDigits action="{url}/keys"/><Hangup/>',
        "/elsewhere": '<GetDigits action="{url}/keys"/><Hangup/>',
    }
    exchange = Exchange(Random(2))
    caller = server.caller(Stay(), Stay(), exchange=exchange)
    caller.interrupt(Transferred(f"{server.url}/elsewhere"))
    caller.interrupt(HungUpByApi())
    await caller.run()

    assert ["/answer", "/elsewhere", "/hangup"] == server.paths()
    assert "Transfer" == server.form("/elsewhere")["Event"]
    assert "API Request" == server.form("/hangup")["HangupSource"]


@pytest.mark.parametrize(
    ("attribute", "code"), [("", "4000"), ('reason="busy"', "3010"), ('reason="rejected"', "3020")]
)
async def test_hangup_reason(server: Server, attribute: str, code: str) -> None:
    """Before the call is answered Hangup can refuse it."""
    server.documents = {"/answer": f"<Hangup {attribute}/>"}
    await server.caller().run()

    assert code == server.form("/hangup")["HangupCauseCode"]


async def test_end_of_document(server: Server) -> None:
    """A document that runs out ends the call with a cause of its own."""
    server.documents = {"/answer": "<Speak>Bye</Speak>"}
    await server.caller().run()

    assert "4010" == server.form("/hangup")["HangupCauseCode"]


async def test_timeline(server: Server) -> None:
    """The timeline reads in the order in which things happened."""
    server.documents = {
        "/answer": "<Speak>Hello</Speak><Redirect>{url}/two</Redirect>",
        "/two": "<DTMF>12</DTMF><Hangup/>",
    }
    caller = server.caller()
    await caller.run()

    assert ["asks", "gets", "hears", "asks", "gets", "hears", "ends", "tells"] == [
        entry.kind for entry in caller.timeline.entries
    ]
    assert "“Hello” (WOMAN en-US)" in str(caller.timeline)
    assert "<Speak>Hello</Speak>" in caller.timeline.details("gets")[0]
