"""The REST client against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import stamina
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pytest_aiohttp import AiohttpServer

from bridge.plivo.rest import (
    Conference,
    ConferenceMember,
    LiveCall,
    PlivoNotFound,
    PlivoRefused,
    PlivoRest,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
    Recording,
)

_AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
_TOKEN = "t0ken-that-must-stay-here"
_LOGIN = base64.b64encode(f"{_AUTH_ID}:{_TOKEN}".encode()).decode()
_UUID = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
_ROOT = f"/v1/Account/{_AUTH_ID}"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Seen = tuple[str, str, Any]


@dataclass
class _Plivo:
    """A server that answers from a list, keeps what it was asked, and may fall silent."""

    answers: list[web.Response | _Handler] = field(default_factory=list)
    seen: list[_Seen] = field(default_factory=list)
    logins: set[str | None] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def say(self, status: int, body: object = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        self.answers.append(web.Response(status=status, text=text))

    def fall_silent(self) -> None:
        async def silent(request: web.Request) -> web.Response:
            await self.over.wait()
            return web.Response()

        self.answers.append(silent)

    def cut_off(self) -> None:
        async def cut(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.answers.append(cut)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.seen.append((request.method, request.raw_path, json.loads(body) if body else None))
        self.logins.add(request.headers.get("Authorization"))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, web.Response) else await answer(request)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Repeat at once: the number of attempts is the product's, only the pauses are left out."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
async def plivo(aiohttp_server: AiohttpServer) -> AsyncIterator[_Plivo]:
    """Run the server for one test, and let go of silent requests at its end."""
    fake = _Plivo()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", fake.handle)
    server = await aiohttp_server(app)
    fake.url = f"http://{server.host}:{server.port}"
    yield fake
    fake.over.set()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client session to one test."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def rest(plivo: _Plivo, session: aiohttp.ClientSession) -> PlivoRest:
    """Make a client that is as patient as in production."""
    return PlivoRest(session, f"{plivo.url}/", _AUTH_ID, _TOKEN)


@pytest.fixture
def hasty(plivo: _Plivo, session: aiohttp.ClientSession) -> PlivoRest:
    """Make a client that soon gives up waiting for an answer."""
    return PlivoRest(session, plivo.url, _AUTH_ID, _TOKEN, timeout_s=0.3)


async def test_make_call_sends_the_given_parameters_only(plivo: _Plivo, rest: PlivoRest) -> None:
    """Numbers lose their "+", each URL gets its method, and what is not given is not sent."""
    plivo.say(201, {"message": "call fired", "request_uuid": "r-1", "api_id": "a"})
    request_uuid = await rest.make_call(
        from_number="+33187654321",
        to_number="+33612345678",
        answer_url="https://b.example/answer?t=1#rc=3",
        hangup_url="https://b.example/hangup",
        ring_timeout_s=30,
    )
    assert request_uuid == "r-1"
    body = {
        "from": "33187654321",
        "to": "33612345678",
        "answer_url": "https://b.example/answer?t=1#rc=3",
        "answer_method": "POST",
        "hangup_url": "https://b.example/hangup",
        "hangup_method": "POST",
        "ring_timeout": 30,
    }
    assert plivo.seen == [("POST", f"{_ROOT}/Call/", body)]
    assert plivo.logins == {f"Basic {_LOGIN}"}


async def test_make_call_passes_every_option(plivo: _Plivo, rest: PlivoRest) -> None:
    """Ring and fallback URLs, caller name and time limit reach Plivo under its names."""
    plivo.say(201, {"request_uuid": "r-1"})
    await rest.make_call(
        from_number="1",
        to_number="2",
        answer_url="https://b.example/a",
        ring_url="https://b.example/r",
        fallback_url="https://b.example/f",
        caller_name="Zoë",
        time_limit_s=3600,
    )
    [(_, _, body)] = plivo.seen
    assert body == {
        "from": "1",
        "to": "2",
        "answer_url": "https://b.example/a",
        "answer_method": "POST",
        "ring_url": "https://b.example/r",
        "ring_method": "POST",
        "fallback_url": "https://b.example/f",
        "fallback_method": "POST",
        "caller_name": "Zoë",
        "time_limit": 3600,
    }


@pytest.mark.parametrize("to_number", ["33612345678<33612345679", "33612345678,33612345679"])
async def test_make_call_dials_one_number(plivo: _Plivo, rest: PlivoRest, to_number: str) -> None:
    """A list of numbers, which would place several calls, is refused before anything is sent."""
    with pytest.raises(ValueError, match="one number"):
        await rest.make_call(from_number="1", to_number=to_number, answer_url="https://b.example/")
    assert plivo.seen == []


async def test_hang_up_names_the_call(plivo: _Plivo, rest: PlivoRest) -> None:
    """One call is ended by its uuid, with no body."""
    plivo.say(204)
    await rest.hang_up_call(_UUID)
    assert plivo.seen == [("DELETE", f"{_ROOT}/Call/{_UUID}/", None)]


async def test_transfer_moves_one_leg_or_both(plivo: _Plivo, rest: PlivoRest) -> None:
    """Without a URL for it the dialled party stays out of the transfer."""
    plivo.say(202, {"message": "call transferred"})
    plivo.say(202, {"message": "call transferred"})
    await rest.transfer_call(_UUID, "https://b.example/a")
    await rest.transfer_call(_UUID, "https://b.example/a", "https://b.example/b")
    aleg = {"aleg_url": "https://b.example/a", "aleg_method": "POST"}
    bleg = {"bleg_url": "https://b.example/b", "bleg_method": "POST"}
    assert plivo.seen == [
        ("POST", f"{_ROOT}/Call/{_UUID}/", {"legs": "aleg", **aleg}),
        ("POST", f"{_ROOT}/Call/{_UUID}/", {"legs": "both", **aleg, **bleg}),
    ]


async def test_start_recording_returns_url_and_id(plivo: _Plivo, rest: PlivoRest) -> None:
    """The limit is always sent, since Plivo's own would cut the recording at one minute."""
    plivo.say(202, {"url": "https://media.plivo.com/r.mp3", "recording_id": "r1", "api_id": "a"})
    recording = await rest.start_recording(_UUID, time_limit_s=86400)
    assert recording == Recording(url="https://media.plivo.com/r.mp3", recording_id="r1")
    body = {"time_limit": 86400, "file_format": "mp3", "record_channel_type": "stereo"}
    assert plivo.seen == [("POST", f"{_ROOT}/Call/{_UUID}/Record/", body)]


async def test_start_recording_passes_every_option(plivo: _Plivo, rest: PlivoRest) -> None:
    """Format, channels, callback and transcription reach Plivo under its names."""
    plivo.say(202, {"url": "", "recording_id": "r1"})
    await rest.start_recording(
        _UUID,
        time_limit_s=60,
        file_format="wav",
        record_channel_type="mono",
        callback_url="https://b.example/c",
        transcription_type="auto",
        transcription_url="https://b.example/t",
    )
    [(_, _, body)] = plivo.seen
    assert body == {
        "time_limit": 60,
        "file_format": "wav",
        "record_channel_type": "mono",
        "callback_url": "https://b.example/c",
        "callback_method": "POST",
        "transcription_type": "auto",
        "transcription_url": "https://b.example/t",
        "transcription_method": "POST",
    }


async def test_stop_recording_names_one_or_all(plivo: _Plivo, rest: PlivoRest) -> None:
    """With a URL one recording of the call stops, without it all of them."""
    plivo.say(204)
    plivo.say(204)
    await rest.stop_recording(_UUID, "https://media.plivo.com/r.mp3")
    await rest.stop_recording(_UUID)
    path = f"{_ROOT}/Call/{_UUID}/Record/"
    assert plivo.seen == [
        ("DELETE", path, {"URL": "https://media.plivo.com/r.mp3"}),
        ("DELETE", path, None),
    ]


@pytest.mark.parametrize("digits", ["1234567890*#", "1w2W3", "1@500w2@500", "9@2000"])
async def test_digits_are_sent_on_the_leg(plivo: _Plivo, rest: PlivoRest, digits: str) -> None:
    """Tones, pauses and durations of tones go out as they are."""
    plivo.say(202, {"message": "digits sent"})
    await rest.send_digits(_UUID, digits, "bleg")
    body = {"digits": digits, "leg": "bleg"}
    assert plivo.seen == [("POST", f"{_ROOT}/Call/{_UUID}/DTMF/", body)]


@pytest.mark.parametrize("digits", ["", "12a4711", "@100", "1 2", "1\n"])
async def test_other_digits_are_refused_unseen(
    plivo: _Plivo,
    rest: PlivoRest,
    digits: str,
) -> None:
    """What Plivo cannot send is refused by us, and the digits are not repeated."""
    with pytest.raises(ValueError, match=r"must be 0-9") as caught:
        await rest.send_digits(_UUID, digits)
    assert "4711" not in str(caught.value)
    assert plivo.seen == []


async def test_kick_names_room_and_member(plivo: _Plivo, rest: PlivoRest) -> None:
    """The room's name is encoded so that none of it can become another path."""
    plivo.say(202, {"message": "kicked", "member_id": "10"})
    await rest.kick_member("Zoë's room?%2F#", "10")
    path = f"{_ROOT}/Conference/Zo%C3%AB%27s%20room%3F%252F%23/Member/10/Kick/"
    assert plivo.seen == [("POST", path, {})]


async def test_get_conference_reads_counts_written_as_text(plivo: _Plivo, rest: PlivoRest) -> None:
    """Plivo writes the count as text; the client gives a number and the members."""
    members = [{"member_id": 10, "call_uuid": _UUID, "muted": False}, {"member_id": "11"}]
    plivo.say(
        200,
        {
            "conference_name": "room",
            "conference_run_time": "590",
            "conference_member_count": "2",
            "members": members,
            "api_id": "a",
        },
    )
    found = await rest.get_conference("room")
    assert found == Conference(
        conference_name="room",
        conference_member_count=2,
        members=(
            ConferenceMember(member_id="10", call_uuid=_UUID),
            ConferenceMember(member_id="11"),
        ),
    )
    assert plivo.seen == [("GET", f"{_ROOT}/Conference/room/", None)]


async def test_a_conference_may_list_no_members(plivo: _Plivo, rest: PlivoRest) -> None:
    """A null list of members is an empty one."""
    plivo.say(200, {"conference_name": "r", "conference_member_count": 0, "members": None})
    found = await rest.get_conference("r")
    assert found is not None
    assert found.members == ()


async def test_what_is_not_there_is_none(plivo: _Plivo, rest: PlivoRest) -> None:
    """An empty room and a call that is over are answers, not errors."""
    plivo.say(404, {"error": "conference not found"})
    plivo.say(404, {"error": "call not found"})
    assert await rest.get_conference("room") is None
    assert await rest.live_call(_UUID) is None
    assert len(plivo.seen) == 2


async def test_live_call_asks_for_live_state(plivo: _Plivo, rest: PlivoRest) -> None:
    """The live view is asked for, not the record of a finished call."""
    plivo.say(
        200,
        {
            "call_uuid": _UUID,
            "call_status": "in-progress",
            "direction": "outbound",
            "from": "33187654321",
            "to": "33612345678",
            "request_uuid": "r-1",
        },
    )
    found = await rest.live_call(_UUID)
    assert found == LiveCall.model_validate(
        {
            "call_uuid": _UUID,
            "call_status": "in-progress",
            "direction": "outbound",
            "from": "33187654321",
            "to": "33612345678",
            "request_uuid": "r-1",
        }
    )
    assert plivo.seen == [("GET", f"{_ROOT}/Call/{_UUID}/?status=live", None)]


_BAD_IDS = ["", " ", "\t", ".", "..", "/", "a/b", "../Conference", "a\\b", "/Call/"]


@pytest.mark.parametrize("bad", _BAD_IDS)
async def test_no_id_can_turn_into_everything(plivo: _Plivo, rest: PlivoRest, bad: str) -> None:
    """An empty or path-like id is refused by every method before anything is sent."""
    operations: list[Callable[[], Awaitable[object]]] = [
        lambda: rest.hang_up_call(bad),
        lambda: rest.transfer_call(bad, "https://b.example/"),
        lambda: rest.start_recording(bad, time_limit_s=60),
        lambda: rest.stop_recording(bad),
        lambda: rest.send_digits(bad, "1"),
        lambda: rest.kick_member(bad, "10"),
        lambda: rest.get_conference(bad),
        lambda: rest.live_call(bad),
    ]
    for operation in operations:
        with pytest.raises(ValueError, match="an id must not be empty"):
            await operation()
    assert plivo.seen == []


@pytest.mark.parametrize("bad", ["all", "ALL", "1,2", "", ".", "1/2", "[u'all']", "1\n"])
async def test_only_one_member_can_be_kicked(plivo: _Plivo, rest: PlivoRest, bad: str) -> None:
    """Plivo's ways of naming several members at once cannot be said."""
    with pytest.raises(ValueError, match="one member"):
        await rest.kick_member("room", bad)
    assert plivo.seen == []


def _repeatable(rest: PlivoRest) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "hang_up_call": lambda: rest.hang_up_call(_UUID),
        "transfer_call": lambda: rest.transfer_call(_UUID, "https://b.example/"),
        "stop_recording": lambda: rest.stop_recording(_UUID),
        "kick_member": lambda: rest.kick_member("room", "10"),
        "live_call": lambda: rest.live_call(_UUID),
        "get_conference": lambda: rest.get_conference("room"),
    }


def _once_only(rest: PlivoRest) -> dict[str, Callable[[], Awaitable[object]]]:
    url = "https://b.example/"
    return {
        "make_call": lambda: rest.make_call(from_number="1", to_number="2", answer_url=url),
        "start_recording": lambda: rest.start_recording(_UUID, time_limit_s=60),
        "send_digits": lambda: rest.send_digits(_UUID, "1"),
    }


_ANSWER = {
    "request_uuid": "r",
    "url": "u",
    "recording_id": "r",
    "call_uuid": "u",
    "call_status": "ringing",
    "conference_name": "room",
    "conference_member_count": "0",
}
_REPEATABLE_NAMES = [
    "hang_up_call",
    "transfer_call",
    "stop_recording",
    "kick_member",
    "live_call",
    "get_conference",
]
_ONCE_ONLY_NAMES = ["make_call", "start_recording", "send_digits"]


@pytest.mark.parametrize("name", _REPEATABLE_NAMES)
async def test_harmless_requests_are_repeated(plivo: _Plivo, rest: PlivoRest, name: str) -> None:
    """After a server error and a cut connection the same request is sent again and succeeds."""
    plivo.say(503, "upstream")
    plivo.cut_off()
    plivo.say(200, _ANSWER)
    await _repeatable(rest)[name]()
    assert len(plivo.seen) == 3
    assert plivo.seen[1:] == plivo.seen[:1] * 2


@pytest.mark.parametrize("name", _REPEATABLE_NAMES)
async def test_repeating_ends_after_three_attempts(
    plivo: _Plivo,
    rest: PlivoRest,
    name: str,
) -> None:
    """A lasting failure is reported with the last answer."""
    for _ in range(3):
        plivo.say(500, {"error": "internal"})
    with pytest.raises(PlivoUnavailable, match="500 internal"):
        await _repeatable(rest)[name]()
    assert len(plivo.seen) == 3


async def test_a_time_out_is_repeated_where_harmless(plivo: _Plivo, hasty: PlivoRest) -> None:
    """A hang-up that got no answer is sent again."""
    plivo.fall_silent()
    plivo.say(204)
    await hasty.hang_up_call(_UUID)
    assert len(plivo.seen) == 2


@pytest.mark.parametrize("name", _ONCE_ONLY_NAMES)
async def test_requests_that_act_go_out_once(
    plivo: _Plivo,
    rest: PlivoRest,
    hasty: PlivoRest,
    name: str,
) -> None:
    """A server error, a cut connection and silence are reported, never answered by a second try."""
    operation = _once_only(rest)[name]
    plivo.say(500, {"error": "internal"})
    with pytest.raises(PlivoUnavailable) as server_error:
        await operation()
    plivo.cut_off()
    with pytest.raises(PlivoUnavailable) as cut:
        await operation()
    plivo.fall_silent()
    with pytest.raises(PlivoTimeout, match=r"no answer in 0\.3 s") as silence:
        await _once_only(hasty)[name]()
    assert len(plivo.seen) == 3
    assert [e.value.maybe_done for e in (server_error, cut, silence)] == [True, True, True]
    assert server_error.value.status == 500
    assert cut.value.status is None


@pytest.mark.parametrize("name", _REPEATABLE_NAMES + _ONCE_ONLY_NAMES)
async def test_throttling_is_waited_out_by_all(plivo: _Plivo, rest: PlivoRest, name: str) -> None:
    """429 means that nothing was done, so even a call to make is tried again."""
    plivo.say(429, {"error": "slow down"})
    plivo.say(429, "Too Many Requests")
    plivo.say(200, _ANSWER)
    await (_repeatable(rest) | _once_only(rest))[name]()
    assert len(plivo.seen) == 3


async def test_lasting_throttling_is_reported_as_not_done(plivo: _Plivo, rest: PlivoRest) -> None:
    """A call that was throttled to the end was surely not placed."""
    for _ in range(3):
        plivo.say(429, {"error": "slow down"})
    with pytest.raises(PlivoThrottled, match="slow down") as caught:
        await _once_only(rest)["make_call"]()
    assert caught.value.maybe_done is False
    assert len(plivo.seen) == 3


@pytest.mark.parametrize("name", ["hang_up_call", "stop_recording", "kick_member"])
async def test_gone_after_an_unknown_outcome_is_done(
    plivo: _Plivo,
    rest: PlivoRest,
    name: str,
) -> None:
    """When a first try that got no answer is followed by 404, the thing was ended by it."""
    plivo.cut_off()
    plivo.say(404, {"error": "not found"})
    await _repeatable(rest)[name]()
    assert len(plivo.seen) == 2


@pytest.mark.parametrize("name", _REPEATABLE_NAMES + _ONCE_ONLY_NAMES)
async def test_a_cut_connection_is_one_attempt(
    plivo: _Plivo,
    session: aiohttp.ClientSession,
    name: str,
) -> None:
    """The HTTP library repeats nothing behind our back: three attempts are three requests."""
    rest = PlivoRest(session, plivo.url, _AUTH_ID, _TOKEN)
    for _ in range(6):
        plivo.cut_off()
    with pytest.raises(PlivoUnavailable, match="ClientConnectionError"):
        await (_repeatable(rest) | _once_only(rest))[name]()
    assert len(plivo.seen) == (1 if name in _ONCE_ONLY_NAMES else 3)


async def test_gone_is_an_error_for_a_transfer(plivo: _Plivo, rest: PlivoRest) -> None:
    """A call that is gone was not transferred, however the first try ended."""
    plivo.cut_off()
    plivo.say(404, {"error": "call not found"})
    with pytest.raises(PlivoNotFound):
        await rest.transfer_call(_UUID, "https://b.example/")
    assert len(plivo.seen) == 2


async def test_an_unknown_call_is_not_found_at_once(plivo: _Plivo, rest: PlivoRest) -> None:
    """404 on the first try is the caller's to handle, and is not repeated."""
    plivo.say(404, {"error": "call not found"})
    with pytest.raises(PlivoNotFound, match="call not found"):
        await rest.hang_up_call(_UUID)
    assert len(plivo.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 405, 409, 422])
async def test_a_refusal_is_final(plivo: _Plivo, rest: PlivoRest, status: int) -> None:
    """What Plivo refuses is not sent again."""
    plivo.say(status, {"error": "no"})
    with pytest.raises(PlivoRefused, match=f"hang up call {_UUID}: {status} no") as caught:
        await rest.hang_up_call(_UUID)
    assert caught.value.status == status
    assert len(plivo.seen) == 1


async def test_redirects_are_not_followed(plivo: _Plivo, rest: PlivoRest) -> None:
    """The credentials never travel to where a redirect points."""
    plivo.answers.append(web.Response(status=307, headers={"Location": f"{plivo.url}/elsewhere"}))
    with pytest.raises(PlivoRefused, match="307"):
        await rest.hang_up_call(_UUID)
    assert [path for _, path, _ in plivo.seen] == [f"{_ROOT}/Call/{_UUID}/"]


@pytest.mark.parametrize("garbage", ["", "<html>OK</html>", "[]", "{}", '{"request_uuid": ""}'])
async def test_an_unreadable_success_may_have_been_done(
    plivo: _Plivo,
    rest: PlivoRest,
    garbage: str,
) -> None:
    """A 2xx without what was asked for counts as an unknown outcome."""
    plivo.say(201, garbage)
    with pytest.raises(PlivoUnavailable, match="make call: unreadable answer") as caught:
        await _once_only(rest)["make_call"]()
    assert caught.value.sent is True
    assert len(plivo.seen) == 1


async def test_a_refused_connection_was_surely_not_sent(session: aiohttp.ClientSession) -> None:
    """When nobody listens nothing can have happened."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    rest = PlivoRest(session, f"http://127.0.0.1:{port}", _AUTH_ID, _TOKEN)
    with pytest.raises(PlivoUnavailable, match=f"cannot connect to 127.0.0.1:{port} ") as caught:
        await _once_only(rest)["make_call"]()
    assert caught.value.sent is False
    assert caught.value.maybe_done is False


class _DeadResolver(AbstractResolver):
    """A name service that never answers."""

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        never: asyncio.Future[list[ResolveResult]] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        return None


async def test_a_connection_that_never_opens_was_surely_not_sent() -> None:
    """Time spent before the connection stands is told apart from time spent waiting for an answer."""
    connector = aiohttp.TCPConnector(resolver=_DeadResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        rest = PlivoRest(session, "http://api.plivo.test", _AUTH_ID, _TOKEN, timeout_s=0.1)
        with pytest.raises(PlivoUnavailable, match="ConnectionTimeoutError") as caught:
            await _once_only(rest)["make_call"]()
    assert caught.value.sent is False


def _everything_attached(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error!s} {error!r} {error.args!r} {vars(error)!r}\n"
        error = error.__cause__ or error.__context__
    return said


async def test_no_error_carries_the_credentials(plivo: _Plivo, hasty: PlivoRest) -> None:
    """Neither the error, nor anything chained to it, nor the client's repr shows the token."""
    plivo.say(401, {"error": f"bad token {_TOKEN} in Basic {_LOGIN}"})
    plivo.cut_off()
    plivo.fall_silent()
    plivo.say(201, "rubbish")
    operation = _once_only(hasty)["make_call"]
    said = repr(hasty)
    for _ in range(4):
        with pytest.raises(PlivoRestError) as caught:
            await operation()
        said += _everything_attached(caught.value)
    assert len(plivo.seen) == 4
    assert _TOKEN not in said
    assert _LOGIN not in said
    assert said.count("make call") >= 4


@pytest.mark.parametrize(
    ("base_url", "auth_id"),
    [
        ("", _AUTH_ID),
        ("api.plivo.com", _AUTH_ID),
        ("ftp://api.plivo.com", _AUTH_ID),
        ("https://", _AUTH_ID),
        ("https://user:pw@api.plivo.com", _AUTH_ID),
        ("https://api.plivo.com?x=1", _AUTH_ID),
        ("https://api.plivo.com/#x", _AUTH_ID),
        ("https://api.plivo.com", ""),
        ("https://api.plivo.com", "../.."),
    ],
)
async def test_a_wrong_address_or_account_is_refused_at_once(
    session: aiohttp.ClientSession,
    base_url: str,
    auth_id: str,
) -> None:
    """The client cannot be made for a URL or an account that would send requests astray."""
    with pytest.raises(ValueError, match=r"base_url must|an id must"):
        PlivoRest(session, base_url, auth_id, _TOKEN)
