from __future__ import annotations

import asyncio

import aiohttp
import pytest
from support_plivo import ACCOUNT, CALLED, CALLER, Raw, XmlApp
from support_rest import LOGIN, WAITING, Rest

from bridge.plivo.rest import PlivoRest, PlivoThrottled, PlivoUnavailable
from bridge.simulator.faults import Faults
from bridge.simulator.platform import Plivo
from bridge.simulator.rest.api import MOST_REQUESTS, ROUTES, WINDOW_S

UNKNOWN = "Call/00000000-0000-4000-8000-000000000000/"


async def test_credentials_are_needed(rest: Rest) -> None:
    """Without the account's credentials every path is 401, whether it exists or not."""
    wrong = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT.auth_id, "wrong")}
    bearer = {"Authorization": f"Bearer {ACCOUNT.auth_token}"}
    for login in (None, wrong, bearer):
        for path in ("Call/", "Nothing/"):
            status, body = await rest("GET", path, login=login)

            assert 401 == status
            assert "authentication failed" in body["error"]


@pytest.mark.parametrize(("account", "status"), [("MAYYYYYYYYYYYYYYYYYY", 403), ("x", 404)])
async def test_another_account_is_closed(rest: Rest, account: str, status: int) -> None:
    """Good credentials open their own account only."""
    given, body = await rest("GET", "Call/", account=account)

    assert status == given
    assert account in body["error"]


async def test_every_reply_has_its_own_api_id(rest: Rest) -> None:
    """Good and bad replies carry an api_id that no other reply has."""
    replies = [(await rest("GET", path))[1] for path in ("Call/", "Call/", "No/", UNKNOWN)]

    assert 4 == len({reply["api_id"] for reply in replies})


@pytest.mark.parametrize("path", ["Nothing/", "Endpoint/", "Call/a/b/c/d/", "Call//Record/", "/"])
async def test_unknown_paths_are_404(rest: Rest, path: str) -> None:
    """What the API does not have is a JSON 404."""
    status, body = await rest("GET", path)

    assert 404 == status
    assert "not found" in body["error"]


async def test_the_slash_at_the_end_matters(rest: Rest) -> None:
    """A path without it is not found, and told why."""
    status, body = await rest("GET", "Call")

    assert (404, "not found: Call; paths of the API end with a slash") == (status, body["error"])


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "Call/"), ("POST", "Recording/"), ("GET", "Request/x/")]
)
async def test_other_methods_are_405(rest: Rest, method: str, path: str) -> None:
    """A path that exists, with a method it does not have."""
    status, body = await rest(method, path)

    assert (405, f"method {method} not allowed") == (status, body["error"])


@pytest.mark.parametrize("raw", [b"{", b"[1]", b"from=1", b'"x"', b"\xff"])
async def test_bodies_are_json_objects(rest: Rest, raw: bytes) -> None:
    """Anything else is 400."""
    status, body = await rest("POST", "Call/", raw=raw)

    assert 400 == status
    assert "JSON" in body["error"]


async def test_an_empty_body_is_one_without_parameters(rest: Rest) -> None:
    """What is missing is then named."""
    assert (400, True) == (
        (reply := await rest("POST", "Application/"))[0],
        reply[1]["error"].startswith("app_name "),
    )


async def test_the_rate_is_limited_in_virtual_time(rest: Rest) -> None:
    """After 300 requests in 5 s comes 429 until time has passed; the refused ones do not count."""
    first = [(await rest("GET", "Conference/"))[0] for _ in range(MOST_REQUESTS)]
    refused = [(await rest("GET", "Conference/"))[0] for _ in range(3)]
    await rest.passes(WINDOW_S - 0.1)
    early = (await rest("GET", "Conference/"))[0]
    await rest.passes(0.1)
    late = (await rest("GET", "Conference/"))[0]

    assert [200] * MOST_REQUESTS == first
    assert [429, 429, 429, 429, 200] == [*refused, early, late]


async def test_requests_without_credentials_do_not_use_up_the_rate(rest: Rest) -> None:
    """A stranger cannot lock the account out."""
    for _ in range(MOST_REQUESTS):
        await rest("GET", "Conference/", login=None)

    assert 200 == (await rest("GET", "Conference/"))[0]


async def test_every_request_is_in_the_timeline(rest: Rest) -> None:
    """With method, path, parameters, status and reply, under the call it is about."""
    line = await rest.call()
    await rest("POST", f"Call/{line.uuid}/DTMF/", {"digits": "12"})
    await rest("GET", "Call/?status=live&limit=1")
    await rest("GET", "Call/", login=None)
    sent, listed, foreign = rest.plivo.timeline.of("rest")

    assert (line.number, "POST", {"digits": "12"}, 202, "digits sent") == (
        sent.call,
        sent.data["method"],
        sent.data["body"],
        sent.data["status"],
        sent.data["reply"]["message"],
    )
    assert f"Call/{line.uuid}/DTMF/" == sent.data["path"]
    assert (0, {"status": "live", "limit": "1"}) == (listed.call, listed.data["body"])
    assert ("GET Call/ → 401", {}) == (foreign.text, foreign.data["body"])
    assert ACCOUNT.auth_token not in str(rest.plivo.timeline)


async def test_asynchronous_requests_send_their_result(rest: Rest) -> None:
    """With callback_url the reply says so at once, and the result is posted there, signed."""
    url = f"{rest.app.url}/told"
    good = await rest("GET", f"Conference/?callback_url={url}")
    await rest.passes(1)
    bad = await rest("DELETE", UNKNOWN, {"callback_url": url, "callback_method": "GET"})
    assert await rest.plivo.finish()
    first, second = rest.app.seen

    assert [(202, "async api spawned")] * 2 == [(s, b["message"]) for s, b in (good, bad)]
    assert ("POST", "[]", good[1]["api_id"]) == (
        first.method,
        first["conferences"],
        first["api_id"],
    )
    assert ("GET", "call not found") == (second.method, second["error"])
    assert [200, 200] == [entry.data["status"] for entry in rest.plivo.timeline.of("tells")]


async def test_a_result_nobody_takes_is_a_problem(rest: Rest) -> None:
    """It is sent again as often as the fragment of the URL asks for, and given up then."""
    rest.app.documents["/told"] = Raw(b"", 404)
    url = f"{rest.app.url}/told#rc=2&rp=4xx"
    await rest("DELETE", "Conference/x/", {"callback_url": url})
    assert await rest.plivo.finish()

    assert ["api callback gave status 404"] == rest.plivo.timeline.texts("problem")
    assert [1, 2, 3] == [entry.data["attempt"] for entry in rest.plivo.timeline.of("tells")]
    assert [404] * 3 == [entry.data["status"] for entry in rest.plivo.timeline.of("tells")]


async def test_callback_url_must_be_a_url(rest: Rest) -> None:
    """Nothing is done then."""
    status, body = await rest("DELETE", "Call/", {"callback_url": "ftp://x"})

    assert (400, True) == (status, body["error"].startswith("callback_url must be a URL"))
    assert [] == rest.plivo.timeline.texts("problem")


def test_routes_are_told_apart() -> None:
    """No method and path is served twice."""
    known = [(route.method, route.path) for route in ROUTES]

    assert sorted(set(known)) == sorted(known)


# --- faults -------------------------------------------------------------------------------------


async def test_a_request_fails_before_anything_is_done(rest: Rest) -> None:
    """rest_500 strikes the named request; the one after it is carried out."""
    rest.plivo.faults = Faults.parse(["rest_500:DTMF#1"], 1)
    line = await rest.call()
    path = f"Call/{line.uuid}/DTMF/"
    replies = [(await rest("POST", path, {"digits": "1"}))[0] for _ in range(2)]

    assert [500, 202] == replies
    assert 1 == len([e for e in rest.plivo.timeline.of("hears") if e.data["element"] == "DTMF"])
    (fault,) = rest.plivo.timeline.of("fault")
    assert ("rest_500", "DTMF") == (fault.data["fault"], fault.data["name"])


async def test_a_request_is_carried_out_and_its_answer_lost(rest: Rest) -> None:
    """rest_lost does the work and answers 500; so the second attempt finds nothing."""
    rest.plivo.faults = Faults.parse(["rest_lost:Call#1"], 1)
    line = await rest.call()
    path = f"Call/{line.uuid}/"
    first, _ = await rest("DELETE", path)
    await rest.passes(1)
    second, _ = await rest("DELETE", path)

    assert line.over.is_set()
    assert [500, 404] == [first, second]


async def test_our_client_repeats_what_may_be_repeated(rest: Rest) -> None:
    """429 is repeated for everything, 500 only where a second time does no harm."""
    rest.plivo.faults = Faults.parse(
        ["rest_429:DTMF#1", "rest_500:Conference", "rest_500:DTMF#2"], 1
    )
    line = await rest.call()
    client = PlivoRest(rest.plivo.session, rest.plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)

    await client.send_digits(line.uuid, "1")
    with pytest.raises(PlivoUnavailable):
        await client.send_digits(line.uuid, "1")
    with pytest.raises(PlivoUnavailable):
        await client.get_conference("room")
    paths = [path.split("/")[-2 if "Call" in path else 0] for _, path, _ in rest.notes()]
    assert ["DTMF", "DTMF", "DTMF", "Conference", "Conference", "Conference"] == paths


async def test_throttled_for_good(rest: Rest) -> None:
    """A client that is refused again and again hears of it."""
    rest.plivo.faults = Faults.parse(["rest_429"], 1)
    client = PlivoRest(rest.plivo.session, rest.plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)

    with pytest.raises(PlivoThrottled):
        await client.get_conference("room")
    assert [429, 429, 429] == [status for _, _, status in rest.notes()]


# --- the server ---------------------------------------------------------------------------------


async def test_the_server_lives_as_long_as_the_platform(app: XmlApp) -> None:
    """Its address is known inside `async with`; afterwards nobody answers there."""
    async with app.plivo() as plivo, aiohttp.ClientSession(headers=LOGIN) as session:
        url = f"{plivo.api_url}/v1/Account/{ACCOUNT.auth_id}/Call/"
        async with session.get(url) as response:
            assert 200 == response.status
        assert plivo.api_url == plivo.media_url
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_the_address_can_be_chosen() -> None:
    """A port that is taken is an OSError, and the platform is closed again."""
    async with Plivo(host="127.0.0.1") as first:
        port = int(first.api_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await Plivo(port=port).__aenter__()


async def test_files_of_recordings_are_on_the_same_server(rest: Rest) -> None:
    """The URL of a recording is on it, without a slash and without credentials."""
    line = await rest.call()
    _, started = await rest("POST", f"Call/{line.uuid}/Record/", {"file_format": "wav"})
    await rest.passes(5)
    await rest("DELETE", f"Call/{line.uuid}/Record/")
    await rest.passes(5)
    async with rest.plivo.session.get(started["url"]) as response:
        body = await response.read()

    assert (200, "audio/wav", b"RIFF") == (response.status, response.content_type, body[:4])
    assert started["url"].startswith(rest.plivo.api_url)


async def test_ending_every_call_is_a_problem(rest: Rest) -> None:
    """DELETE Call/ without a uuid really ends all calls, and no client should ever do it."""
    lines = [await rest.call(caller=f"3361234567{n}") for n in range(2)]
    status, _ = await rest("DELETE", "Call/")
    await rest.passes(1)

    assert (204, [True, True]) == (status, [line.over.is_set() for line in lines])
    (problem,) = rest.plivo.timeline.of("problem")
    assert "DELETE Call/ without a uuid ended every call: 2" == problem.text
    assert (0, 2) == (problem.call, problem.data["ended"])


async def test_requests_at_the_same_time(rest: Rest) -> None:
    """Many requests at once are all answered, and time stands still meanwhile."""
    await rest.call(WAITING)
    before = rest.plivo.clock.now()
    replies = await asyncio.gather(*(rest("GET", "Call/?status=live") for _ in range(20)))

    assert [200] * 20 == [status for status, _ in replies]
    assert before == rest.plivo.clock.now()
    assert (CALLER, CALLED) == (rest.plivo.lines[0].leg.caller, rest.plivo.lines[0].leg.called)
