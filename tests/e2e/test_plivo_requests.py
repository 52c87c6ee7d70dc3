"""What Plivo sends in all its variety, and what somebody else sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from support_e2e import PUBLIC, Make, World, command, link, names, tts

from bridge.simulator.leg import BUSY
from bridge.simulator.platform import Application
from bridge.simulator.profile import NORMAL

HELLO = command("play", media_id=tts("Hello"))


async def untouched(world: World) -> bool:
    """Tell whether a request left no trace: no call, no message, no question to the app."""
    store = world.bridge.store
    nothing = await store.load_call(1) is None and await store.outbox_size() == 0
    return nothing and world.app.requests == []


async def test_get(make_world: Make, store: str) -> None:
    """A call works when every URL is fetched with GET."""
    world = await make_world(command("read", media_id=tts("Age?"), max_digits=2), store=store)
    leg = world.leg(method="GET")
    answer = await leg.request(world.application.answer_url, {"Event": "StartApp"})
    answer = await leg.request(link(answer.body, "action"), {"Digits": "42"})
    leg.status = "completed"
    hangup = leg.hangup_parameters(BUSY, world.clock.now())
    end = await leg.request(world.application.hangup_url, hangup)

    assert ["Hangup"] == names(answer.body)
    assert (200, b"") == (end.status, end.body)
    assert "42" == world.app.results()[1]
    assert 1 == len(await world.delivered())


async def test_hangup_on_answer_url(make_world: Make, store: str) -> None:
    """Without a hangup URL Plivo reports the end on the answer URL, which then asks nobody."""
    world = await make_world(HELLO, store=store)
    application = Application(f"{PUBLIC}/plivo/DEFAULT/answer")
    call = world.dial(application=application)
    await call.expect_prompt("Hello")
    await call.hang_up()
    await world.finish()

    assert 1 == len(world.documents(call))
    assert ["UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


async def test_document_headers(make_world: Make) -> None:
    """Documents are sent as XML, in UTF-8."""
    world = await make_world(command("play", media_id=tts("Grüße, 你好")))
    answer = await world.leg().request(world.application.answer_url)

    assert (200, "application/xml") == (answer.status, answer.content_type)
    assert answer.body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert "Grüße, 你好" in answer.body.decode()


async def test_unknown_parameters(make_world: Make) -> None:
    """Parameters nobody has heard of, blank ones and strange ones change nothing."""
    world = await make_world(HELLO, profile=replace(NORMAL, unknown_parameters=True))
    world.dial(extra={"X-PH-Segment": "gold", "NewIn2027": "", "Émoji": "😀 & <x>"})
    await world.finish()

    assert ["UP", "UP", "HANGUP"] == [request["call_status"] for request in world.app.requests]


async def test_unknown_event(make_world: Make) -> None:
    """An answer request whose Event nobody has heard of starts the call."""
    world = await make_world(HELLO)
    answer = await world.leg().request(world.application.answer_url, {"Event": "Whatever"})

    assert ["Speak", "Redirect"] == names(answer.body)
    assert ["UP"] == [request["call_status"] for request in world.app.requests]


async def test_query_of_the_operator(make_world: Make) -> None:
    """A query typed into Plivo behind the URL is signed and kept."""
    world = await make_world(HELLO)
    application = Application(f"{PUBLIC}/plivo/DEFAULT/answer?tenant=7&empty=")
    world.dial(application=application)
    await world.finish()

    assert 3 == len(world.app.requests)


async def test_public_url_with_a_path(make_world: Make) -> None:
    """With a path in the public URL requests are taken with and without it (stripping proxies)."""
    public = f"{PUBLIC}/voice"
    world = await make_world(*[HELLO] * 4, public_url=public)
    real = f"http://127.0.0.1:{world.bridge.port}"
    for via in ({public: real}, {public: f"{real}/voice"}):
        leg = world.leg()
        leg.via = via
        answer = await leg.request(f"{public}/plivo/DEFAULT/answer")

        assert 200 == answer.status
        assert link(answer.body).startswith(f"{public}/plivo/DEFAULT/")
        answer = await leg.request(link(answer.body))
        assert 200 == answer.status


@pytest.mark.parametrize("path", ["answer", "hangup", "fallback", "ring", "1/1/next"])
@pytest.mark.parametrize("token", ["", "another-token"])
async def test_unsigned(make_world: Make, store: str, path: str, token: str) -> None:
    """Whatever is not signed with the account's token gets 403 and leaves no trace."""
    world = await make_world(store=store)
    leg = world.leg(direction="outbound")
    url = f"{PUBLIC}/plivo/DEFAULT/{path}"
    if token:
        answer = await leg.request(url, token=token)
    else:
        answer = await leg.send("POST", url, list(leg.parameters().items()))

    assert 403 == answer.status
    assert answer.body.startswith(b"The Plivo signature is missing or wrong")
    assert await untouched(world)


async def test_unsigned_in_the_middle(make_world: Make) -> None:
    """An unsigned continuation does not move a live call."""
    world = await make_world(HELLO)
    leg = world.leg()
    answer = await leg.request(world.application.answer_url)
    refused = await leg.request(link(answer.body), token="another-token")
    again = await leg.request(world.application.answer_url)

    assert 403 == refused.status
    assert answer.body == again.body
    assert 1 == len(world.app.requests)


async def test_changed_after_signing(make_world: Make) -> None:
    """A parameter that was changed on the way breaks the signature."""
    world = await make_world()
    leg = world.leg()
    pairs = list(leg.parameters().items())
    url = f"{PUBLIC}/plivo/DEFAULT/answer"
    answer = await leg.request(url, {"To": "33999999999"}, token="another-token")
    changed = await leg.send("POST", url, [*pairs, ("X", "1")], {"X-Plivo-Signature-V3": "x"})

    assert (403, 403) == (answer.status, changed.status)
    assert await untouched(world)


async def test_rotated_token(make_world: Make) -> None:
    """While a token is being rotated both the old and the new one are good."""
    world = await make_world(HELLO, HELLO, plivo_auth_tokens=["new-one", "old-one"])
    statuses = [
        (await world.leg().request(world.application.answer_url, token=token)).status
        for token in ("new-one", "old-one", "older-one")
    ]

    assert [200, 200, 403] == statuses


async def test_signatures_off(make_world: Make) -> None:
    """With signatures off an unsigned call is served."""
    world = await make_world(HELLO, verify_signatures=False)
    leg = world.leg()
    answer = await leg.send(
        "POST", f"{PUBLIC}/plivo/DEFAULT/answer", list(leg.parameters().items())
    )

    assert ["Speak", "Redirect"] == names(answer.body)


@pytest.mark.parametrize(
    ("pairs", "status", "sentence"),
    [
        ([], 400, "CallUUID is missing"),
        ([("CallUUID", "")], 400, "CallUUID is missing"),
        ([("CallUUID", "x" * 129)], 400, "CallUUID is missing"),
        ([("CallUUID", "a\nb")], 400, "CallUUID is missing"),
        ([(f"p{n}", "1") for n in range(501)], 400, "at most 500 fields"),
        ([("CallUUID", "u"), ("Junk", "x" * 300_000)], 413, ""),
    ],
    ids=["empty", "blank", "long", "control", "many fields", "huge"],
)
async def test_malformed(
    make_world: Make, pairs: list[tuple[str, str]], status: int, sentence: str
) -> None:
    """A request that is none of Plivo's gets a 4xx with a sentence, and leaves no trace."""
    world = await make_world()
    answer = await world.leg().request(world.application.answer_url, dict(pairs), bare=True)

    assert status == answer.status
    assert sentence in answer.body.decode()
    assert await untouched(world)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"CallUUID": "u"}'),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("application/x-www-form-urlencoded", b"\xff\xfe%zz=%"),
        ("application/x-www-form-urlencoded", b"CallUUID"),
    ],
)
async def test_strange_bodies(make_world: Make, content_type: str, body: bytes) -> None:
    """Bodies that are no form of Plivo's are refused in a sentence."""
    world = await make_world(verify_signatures=False)
    url = f"http://127.0.0.1:{world.bridge.port}/plivo/DEFAULT/answer"
    headers = {"Content-Type": content_type}
    async with world.plivo.session.post(url, data=body, headers=headers) as response:
        status, text = response.status, await response.text()

    assert 400 == status
    assert text.endswith(".\n")
    assert await untouched(world)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plivo/NOBODY/answer", 404),
        ("/plivo/NOBODY/hangup", 404),
        ("/plivo/NOBODY/1/1/next", 404),
        ("/plivo/DEFAULT/1/1/nonsense", 404),
        ("/plivo/DEFAULT/1/1/notice/nonsense/m1", 404),
        ("/plivo/DEFAULT/x/1/next", 404),
        ("/plivo/DEFAULT/12345678901234567890/1/next", 404),
        ("/plivo/DEFAULT", 404),
        ("/", 404),
        ("/media/nothing.wav", 404),
    ],
)
async def test_wrong_paths(make_world: Make, path: str, status: int) -> None:
    """Another app, another continuation or another path is 404."""
    world = await make_world()
    answer = await world.leg(direction="outbound").request(f"{PUBLIC}{path}")

    assert status == answer.status
    assert await untouched(world)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
async def test_other_methods(make_world: Make, method: str) -> None:
    """Only GET and POST are Plivo's."""
    world = await make_world(verify_signatures=False)
    leg = world.leg()
    pairs = urlencode(leg.parameters())
    answer = await leg.send(method, f"{PUBLIC}/plivo/DEFAULT/answer?{pairs}")

    assert 405 == answer.status
    assert await untouched(world)


@pytest.mark.parametrize(("callid", "step"), [(1, 1), (7, 0), (999_999_999_999_999_999, 3)])
async def test_unknown_callid(make_world: Make, callid: int, step: int) -> None:
    """A continuation of a call that is not in the store gets a farewell document."""
    world = await make_world()
    answer = await world.leg().request(f"{PUBLIC}/plivo/DEFAULT/{callid}/{step}/next")

    assert (200, ["Hangup"]) == (answer.status, names(answer.body))
    assert [] == world.app.requests


async def test_step_of_another_call(make_world: Make) -> None:
    """A continuation with the CallUUID of another call does not move the one it names."""
    world = await make_world(HELLO)
    answer = await world.leg().request(world.application.answer_url)
    stranger = await world.leg().request(link(answer.body))

    assert ["Hangup"] == names(stranger.body)
    assert 1 == len(world.app.requests)


async def test_step_of_another_app(make_world: Make) -> None:
    """A continuation under another app's hash does not move the call."""
    world = await make_world(HELLO, more_apps=["SHOP"])
    leg = world.leg()
    answer = await leg.request(world.application.answer_url)
    stranger = await leg.request(link(answer.body).replace("/DEFAULT/", "/SHOP/"))

    assert ["Hangup"] == names(stranger.body)
    assert 1 == len(world.app.requests)


async def test_step_in_the_future(make_world: Make) -> None:
    """A continuation of a document that was never handed out leads back to the call."""
    world = await make_world(HELLO)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    answer = await leg.request(f"{PUBLIC}/plivo/DEFAULT/1/9/next")

    assert ["Wait", "Redirect"] == names(answer.body)
    assert link(answer.body).startswith(f"{PUBLIC}/plivo/DEFAULT/1/1/next")
    assert 1 == len(world.app.requests)


@pytest.mark.parametrize(
    "keys", ["42", "4 2", "42\x00", "4two2"], ids=["plain", "blank", "control", "letters"]
)
async def test_hostile_digits(make_world: Make, keys: str) -> None:
    """Of what claims to be digits only keys of a telephone reach the app."""
    world = await make_world(command("read", max_digits=2))
    leg = world.leg()
    answer = await leg.request(world.application.answer_url)
    await leg.request(link(answer.body, "action"), {"Digits": keys})

    assert "42" == world.app.results()[1]


@pytest.mark.parametrize("extra", [{"CallStatus": "ringing"}, {"Event": "Ring"}])
async def test_ring_url(make_world: Make, extra: Any) -> None:
    """The ring URL of an outbound call is taken note of, and asks nobody."""
    world = await make_world()
    leg = world.leg(direction="outbound", called="+33612345678")
    answer = await leg.request(f"{PUBLIC}/plivo/DEFAULT/ring", extra)

    assert (200, b"") == (answer.status, answer.body)
    assert await untouched(world)


async def test_plus_everywhere(make_world: Make) -> None:
    """Numbers with "+" in one request and without in the next are the same call."""
    world = await make_world(command("read", max_digits=2))
    leg = world.leg()
    answer = await leg.request(world.application.answer_url)
    leg.caller, leg.called = f"+{leg.caller}", f"+{leg.called}"
    await leg.request(link(answer.body, "action"), {"Digits": "11"})

    assert ["+33612345678"] * 2 == [request["cli_number"] for request in world.app.requests]
    assert "11" == world.app.results()[1]
