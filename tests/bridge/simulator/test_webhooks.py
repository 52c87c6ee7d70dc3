"""Requests of the platform: signed, patient as their URL says, in an order that a seed decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs, unquote

import pytest
from support_plivo import HANGUP, Life, Raw, XmlApp, keys, says, wav

from bridge.simulator.inputs import HungUp, Key
from bridge.simulator.leg import Answer
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.simulator.webhooks import Patience

ROUND_TRIP = (
    '<Record action="{url}/done" callbackUrl="{url}/ready" maxLength="9"/>'
    "<Redirect>{url}/next</Redirect>"
)


@asynccontextmanager
async def bad_server(behaviour: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve one document badly: "silent", "half", "reset"; gives its URL and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if behaviour == "half":
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 99\r\n\r\n<R"
            )
            await writer.drain()
        if behaviour != "silent":
            writer.close()
            return
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/bad", asked
    finally:
        server.close()


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Patience(2.0, 40.0, 55.0, 1, frozenset({"ct", "rt"}))),
        ("#", Patience()),
        ("#ct=500&rt=3000&tt=9000&rc=4", Patience(0.5, 3.0, 9.0, 4)),
        ("#rp=4xx,5xx", Patience(on=frozenset({"4xx", "5xx"}))),
        ("#rp=all&er=frankfurt", Patience(on=frozenset({"all"}))),
        ("#ct=1&rt=1&tt=1", Patience(0.1, 0.1, 0.1)),
        ("#ct=99999&rt=99999&tt=99999&rc=9", Patience(10.0, 40.0, 55.0, 5)),
        ("#rc=0", Patience(retries=0)),
        ("#ct=soon&rc=-1&what=ever&rp=", Patience()),
    ],
)
def test_patience_of_a_url(fragment: str, expected: Patience) -> None:
    """The fragment sets time-outs and retries inside Plivo's ranges; what it gets wrong is ignored."""
    assert expected == Patience.of(f"https://a.example/x?b=1{fragment}")


@pytest.mark.parametrize(
    ("policy", "answer", "repeats"),
    [
        ("", Answer(0, b"", "", 0, "connect"), True),
        ("", Answer(0, b"", "", 0, "read"), True),
        ("", Answer(0, b"", "", 0, "part"), False),
        ("", Answer(404, b"", "", 0), False),
        ("", Answer(503, b"", "", 0), False),
        ("#rp=ct", Answer(0, b"", "", 0, "read"), False),
        ("#rp=rt", Answer(0, b"", "", 0, "connect"), False),
        ("#rp=4xx", Answer(404, b"", "", 0), True),
        ("#rp=4xx", Answer(503, b"", "", 0), False),
        ("#rp=5xx", Answer(503, b"", "", 0), True),
        ("#rp=all", Answer(404, b"", "", 0), True),
        ("#rp=all", Answer(0, b"", "", 0, "part"), False),
        ("#rp=all", Answer(200, b"", "", 0), False),
        ("#rp=all", Answer(302, b"", "", 0), False),
    ],
)
def test_what_is_repeated(policy: str, answer: Answer, repeats: bool) -> None:
    """By default time-outs are repeated, never an answer that broke off, never a 200."""
    assert repeats == Patience.of(f"https://a.example/{policy}").repeats(answer)


@pytest.mark.parametrize(
    ("fragment", "failures", "attempts", "code"),
    [
        ("", 1, 1, "7011"),
        ("#rc=1&rp=5xx", 1, 2, "4000"),
        ("#rc=3&rp=all", 3, 4, "4000"),
        ("#rc=3&rp=all", 9, 4, "7011"),
        ("#rc=0&rp=all", 9, 1, "7011"),
    ],
)
async def test_statuses_are_repeated_when_the_url_says_so(
    app: XmlApp, fragment: str, failures: int, attempts: int, code: str
) -> None:
    """A failing document is asked for again as often as its fragment says, and never by default."""
    app.documents = {"/answer": [*[Raw(status=503)] * failures, HANGUP]}
    life = await app.live(application=app.application(answer_url=f"/answer{fragment}"))

    assert (attempts, code) == (len(app.of("/answer")), life.code)
    assert list(range(1, attempts + 1)) == [
        entry.data["attempt"] for entry in life.timeline.of("asks")
    ]


@pytest.mark.parametrize(("repeated", "nonces"), [(False, 3), (True, 1)])
async def test_nonces_of_repetitions(app: XmlApp, repeated: bool, nonces: int) -> None:
    """Whether a repetition carries a new nonce is up to the profile; its parameters are the same."""
    fragment = "#rc=2&rp=all"
    app.documents = {
        "/answer": [Raw(status=500), Raw(status=500), HANGUP],
        "/hangup": [Raw(status=500), Raw(status=500), Raw()],
    }
    application = app.application(answer_url=f"/answer{fragment}", hangup_url=f"/hangup{fragment}")
    await app.live(profile=replace(NORMAL, nonce_repeated=repeated), application=application)

    for path in ("/answer", "/hangup"):
        assert nonces == len({seen.nonce for seen in app.of(path)})
        assert 1 == len({tuple(seen.form.items()) for seen in app.of(path)})


async def test_a_notification_that_fails_is_a_problem(app: XmlApp) -> None:
    """Notifications are repeated as well; the last failure is in the timeline."""
    app.documents = {"/answer": HANGUP, "/hangup": Raw(b"out of order", 500)}
    application = app.application(hangup_url="/hangup#rc=2&rp=5xx")
    life = await app.live(application=application)

    assert 3 == len(app.of("/hangup"))
    assert ["hangup url gave status 500: out of order"] == life.problems()


@pytest.mark.parametrize(
    ("behaviour", "fragment", "attempts"),
    [
        ("silent", "#rt=100&rc=2", 3),
        ("silent", "#rt=100&rc=2&rp=ct", 1),
        ("silent", "#rt=100&rc=5&tt=250", 3),
        ("reset", "#rc=2", 3),
        ("half", "#rc=2&rp=all", 1),
    ],
)
async def test_servers_that_do_not_answer(
    app: XmlApp, behaviour: str, fragment: str, attempts: int
) -> None:
    """Silence is repeated until the time in all is spent; half an answer is not."""
    async with bad_server(behaviour) as (url, asked):
        life = await app.live(application=app.application(answer_url=f"{url}{fragment}"))

    assert (attempts, "7011") == (len(asked), life.code)
    assert all(entry.data["reason"] for entry in life.timeline.of("asks"))


async def test_nobody_listens_at_the_address(app: XmlApp) -> None:
    """A connection that is refused is tried twice by default."""
    life = await app.live(application=app.application(answer_url="http://127.0.0.1:1/answer"))

    assert ([1, 2], "7011") == (
        [entry.data["attempt"] for entry in life.timeline.of("asks")],
        life.code,
    )


async def test_get_puts_everything_in_the_query(app: XmlApp) -> None:
    """A GET has its parameters in the query, besides those of the URL, and no body."""
    app.documents = {"/answer": HANGUP}
    application = app.application(answer_url="/answer?tenant=7", answer_method="GET")
    await app.live(application=application)

    asked = app.first("/answer")
    assert ("7", "StartApp", b"") == (asked.query["tenant"], asked.query["Event"], asked.body)


@pytest.mark.parametrize(("copied", "in_body"), [(False, None), (True, ["7"])])
async def test_the_query_of_a_post(app: XmlApp, copied: bool, in_body: list[str] | None) -> None:
    """Whether a POST repeats the query of its URL in its body is up to the profile."""
    app.documents = {"/answer": HANGUP}
    await app.live(
        profile=replace(NORMAL, query_copied_into_body=copied),
        application=app.application(answer_url="/answer?tenant=7"),
    )

    asked = app.first("/answer")
    assert in_body == parse_qs(asked.body.decode()).get("tenant")
    assert "7" == asked.query["tenant"]


async def test_a_duplicate_of_a_document(app: XmlApp) -> None:
    """Two equal requests at once must get the same document; another one is a problem."""
    app.documents = {"/answer": ['<Wait length="1"/>', '<Wait length="2"/>']}
    life = await app.live(faults=["duplicate:answer"])

    assert 2 == len(app.of("/answer"))
    assert 1 == len({seen.nonce for seen in app.of("/answer")})
    assert ["the same answer request got two different documents"] == life.problems()


async def test_a_duplicate_that_gets_the_same_document(app: XmlApp) -> None:
    """A server that knows the request again is no problem."""
    app.documents = {"/answer": HANGUP}
    life = await app.live(faults=["duplicate"])

    assert ["/answer", "/answer", "/hangup", "/hangup"] == app.paths()
    assert ([], ["answer is asked twice", "hangup url comes twice"]) == (
        life.problems(),
        life.timeline.texts("fault"),
    )


@pytest.mark.parametrize("fault", ["drop:answer#1", "delay:answer#1"])
async def test_a_lost_answer_is_asked_for_again(app: XmlApp, fault: str) -> None:
    """A document whose answer got lost on the way is asked for again."""
    app.documents = {"/answer": HANGUP}
    life = await app.live(faults=[fault])

    assert (2, "4000") == (len(app.of("/answer")), life.code)
    assert ["the answer to answer is lost"] == life.timeline.texts("fault")


async def test_an_answer_is_not_lost_when_nothing_is_repeated(app: XmlApp) -> None:
    """Without retries the fault does not strike, for the call would be over."""
    app.documents = {"/answer": HANGUP}
    application = app.application(answer_url="/answer#rc=0")
    life = await app.live(application=application, faults=["drop:answer"])

    assert (1, "4000") == (len(app.of("/answer")), life.code)


async def test_a_notification_that_is_dropped(app: XmlApp) -> None:
    """A dropped notification never comes."""
    app.documents = {"/answer": ROUND_TRIP, "/done": HANGUP}
    life = await app.live([says("Hi", 1), (3, Key("#"))], faults=["drop:recording"])

    assert ([], ["recording is lost"]) == (app.of("/ready"), life.timeline.texts("fault"))


async def test_a_notification_that_is_late(app: XmlApp) -> None:
    """A delayed notification comes so many s later."""
    app.documents = {"/answer": ROUND_TRIP, "/done": '<Wait length="60"/>'}
    life = await app.live([says("Hi", 1), (3, Key("#"))], faults=["delay:recording=20"])

    (at,) = life.when("tells", name="recording")
    assert 24 < at < 24.1


@pytest.mark.parametrize(
    ("seconds", "order"), [(10, ["/hangup", "/ready"]), (0.01, ["/ready", "/hangup"])]
)
async def test_a_notification_that_lets_another_one_pass(
    app: XmlApp, seconds: float, order: list[str]
) -> None:
    """A reordered notification waits until another one of the call was sent, or so many s."""
    app.documents = {"/answer": ROUND_TRIP}
    profile = replace(NORMAL, recording_ready_s=0.0)
    await app.live([(3, HungUp())], profile, faults=[f"reorder:recording={seconds}"])

    assert ["/answer", *order] == app.paths()


@pytest.mark.parametrize("shuffled", [False, True])
async def test_an_order_that_nobody_promises(app: XmlApp, shuffled: bool) -> None:
    """Hangup and recording callback come in one order, or in any where the profile shuffles."""
    app.documents = {"/answer": ROUND_TRIP}
    profile = replace(NORMAL, order_shuffled=shuffled, recording_ready_s=0.3)
    orders = set()
    for seed in range(12):
        app.seen.clear()
        await app.live([(3, HungUp())], profile, seed=seed)
        orders.add(tuple(app.paths()))

    assert (2 if shuffled else 1) == len(orders)


async def test_a_late_file(app: XmlApp) -> None:
    """A slow file begins to play later."""
    app.sounds = {"/a.wav": wav(1.5)}
    app.documents = {"/answer": "<Play>{url}/a.wav</Play><Hangup/>"}
    life = await app.live(faults=["slow_media:a.wav=7"])

    assert (8.5, [7.0]) == (life.seconds, life.when("fetches"))


def story(life: Life) -> list[tuple[object, ...]]:
    """Give a timeline without what real time decides: durations of HTTP, and the port of a server."""
    port = life.plivo.media_url
    return [
        (
            *(entry.at, entry.kind, entry.call, entry.leg, entry.text),
            unquote(entry.detail).replace(port, ""),
            repr(entry.data).replace(port, ""),
        )
        for entry in life.timeline.entries
    ]


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=lambda profile: profile.name)
async def test_a_seed_decides_about_everything(app: XmlApp, profile: Profile) -> None:
    """The same seed gives the same timeline to the last id, another seed another one."""
    app.documents = {
        "/answer": '<GetDigits action="{url}/keys" retries="2">'
        "<Speak>Say a number</Speak></GetDigits>",
        "/keys": ROUND_TRIP,
        "/done": '<Wait length="9"/>',
        "/next": HANGUP,
    }
    script = [*keys("12#", 1), says("Hello", 5), *keys("#", 9)]
    faults = ["delay=2@0.3", "duplicate@0.3", "reorder@0.3"]
    first, again, other = [
        story(await app.live(script, profile, faults=faults, seed=seed)) for seed in (3, 3, 4)
    ]

    assert first == again
    assert first != other


async def test_signatures_pass_the_official_sdk(app: XmlApp) -> None:
    """Signatures of a POST without query, with query and of a GET all pass the official SDK."""
    app.documents = {
        "/answer": "<Redirect method='GET'>{url}/n?b=2&amp;a=1</Redirect>",
        "/n": HANGUP,
    }
    life = await app.live(application=app.application(answer_url="/answer?x=%2B33&y=a+b"))

    assert (3, []) == (len(app.seen), life.problems())
