"""What requests of a call carry, and in which order a call is told."""

from __future__ import annotations

from support_plivo import HANGUP, XmlApp


async def test_parameters(app: XmlApp) -> None:
    """The answer request carries the parameters of real ones: numbers bare, all of them strings."""
    app.documents = {"/answer": HANGUP}
    async with app.plivo() as plivo:
        line = plivo.call(
            "+33612345678", "+33187654321", caller_name="Ada", application=app.application()
        )
        assert await plivo.finish()

    assert {
        "CallUUID": line.uuid,
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
    } == app.first("/answer").form


async def test_hangup_parameters(app: XmlApp) -> None:
    """The hangup request says how long the call was, how it ended and by whom."""
    app.documents = {"/answer": f'<Speak>!</Speak><Wait length="61"/>{HANGUP}'}
    await app.live()
    form = app.first("/hangup")

    assert ("Hangup", "completed", "61", "120") == tuple(
        form[name] for name in ("Event", "CallStatus", "Duration", "BillDuration")
    )
    assert ("NORMAL_CLEARING", "4000", "Normal Hangup", "Answer XML") == tuple(
        form[f"Hangup{name}"] for name in ("Cause", "CauseCode", "CauseName", "Source")
    )
    assert ("2026-01-05 10:00:00", "2026-01-05 10:01:01") == (form["StartTime"], form["EndTime"])


async def test_nonces(app: XmlApp) -> None:
    """Every request has a nonce of its own, of 20 digits."""
    app.documents = {"/answer": "<Redirect>{url}/two</Redirect>", "/two": HANGUP}
    await app.live()

    nonces = {seen.nonce for seen in app.seen}
    assert 3 == len(nonces)
    assert all(len(nonce) == 20 and nonce.isdigit() for nonce in nonces)


async def test_fragment(app: XmlApp) -> None:
    """The retry settings behind a URL are not sent."""
    app.documents = {"/answer": "<Redirect>{url}/two#rt=3000&amp;rc=2</Redirect>", "/two": HANGUP}
    life = await app.live()

    assert ["/answer", "/two", "/hangup"] == app.paths()
    assert [] == life.problems()


async def test_timeline(app: XmlApp) -> None:
    """The timeline reads in the order in which things happened."""
    app.documents = {
        "/answer": "<Speak>Hello</Speak><Redirect>{url}/two</Redirect>",
        "/two": f"<DTMF>12</DTMF>{HANGUP}",
    }
    life = await app.live()

    assert ["does", "asks", "gets", "hears", "asks", "gets", "hears", "ends", "tells"] == [
        entry.kind for entry in life.timeline.entries
    ]
    assert "“Hello” (WOMAN en-US)" in str(life.timeline)
    assert "<Speak>Hello</Speak>" in life.timeline.details("gets")[0]
