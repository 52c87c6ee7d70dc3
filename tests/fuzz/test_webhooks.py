"""Hostile HTTP from both sides: whoever calls the bridge, and whatever the app answers."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from random import Random
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from fuzz import hostile
from fuzz.raw_http import FORM, KINDS, RawApp, exchange, random_path, random_request
from fuzz.replies import random_reply
from pydantic import SecretStr
from structlog.testing import capture_logs
from yarl import URL

from bridge.app import Bridge
from bridge.plivo.schema import ends_safely, problems
from bridge.plivo.signature import sign
from bridge.settings import AppSettings, Listen, Settings
from bridge.store.memory import MemoryStore

CASES: Final = min(20_000, int(os.environ.get("RT_BRIDGE_FUZZ", "300")))
SEED: Final = int(os.environ.get("RT_BRIDGE_FUZZ_SEED", "1"))
AT_ONCE: Final = 16
APP: Final = "FUZZ"
TOKEN: Final = "fuzz-token"
#: A final request that may have arrived is repeated after 1, 10 and 60 s (docs/adr/0004).
MOST_WAITED_S: Final = 150.0
#: Log lines that tell of a fault in the bridge.
FAULTS: Final = frozenset({"webhook.fault", "task.failed", "outbox.failed", "outbox.fault"})
PUBLIC: Final = "https://bridge.example.com"


@asynccontextmanager
async def bridge_for(
    app_port: int, settings: dict[str, Any] | None = None, **app: Any
) -> AsyncIterator[Bridge]:
    """Start a bridge in this process, on the store in memory."""
    bridge = Bridge(
        Settings(
            public_url=PUBLIC,
            listen=Listen("127.0.0.1", 0),
            admin_listen=Listen("127.0.0.1", 0),
            plivo_rest=False,
            plivo_auth_id="MAFUZZ",
            plivo_auth_tokens=(SecretStr(TOKEN),),
            store="memory:",
            app_timeout_s=0.5,
            webhook_budget_s=2,
            **(settings or {}),
            recording_grace_s=0.2,
            apps={APP: AppSettings(url=f"http://127.0.0.1:{app_port}/", **app)},
        )
    )
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


class Signed:
    """Sends requests with Plivo's signature to one bridge."""

    def __init__(self, bridge: Bridge, session: aiohttp.ClientSession) -> None:
        self._bridge = bridge
        self._session = session

    async def send(
        self, path: str, form: dict[str, str], method: str = "POST"
    ) -> tuple[int, bytes]:
        """Send a form; give the status and the body."""
        pairs = list(form.items())
        body = BytesIO(urlencode(pairs).encode())
        headers = {
            "Content-Type": FORM,
            "X-Plivo-Signature-V3": sign(method, PUBLIC + path, pairs, "1", TOKEN),
            "X-Plivo-Signature-V3-Nonce": "1",
        }
        url = URL(f"http://127.0.0.1:{self._bridge.port}{path}", encoded=True)
        async with self._session.request(method, url, data=body, headers=headers) as response:
            return response.status, await response.read()


async def _nobody(_: bytes) -> bytes:
    raise AssertionError("the app was asked")


async def _in_turns(cases: int, run: Any) -> None:
    """Run `run(number)` for every case, a few at a time, and name the one that failed."""
    numbers = iter(range(cases))

    async def work() -> None:
        for number in numbers:
            try:
                await run(number)
            except Exception as fault:
                fault.add_note(f"RT_BRIDGE_FUZZ_SEED={SEED}, case {number}")
                raise

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


def _faults(logs: Any) -> list[Any]:
    return [line for line in logs if line["event"] in FAULTS]


def _contents(bridge: Bridge) -> str:
    assert isinstance(bridge.store, MemoryStore)
    return repr(vars(bridge.store))


@pytest.mark.slow
async def test_unsigned_requests_change_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    """Malformed and unsigned requests get a 4xx or no answer, and leave no trace in the store."""
    statuses: Counter[int] = Counter()

    async def run(number: int) -> None:
        request, complete = random_request(Random(f"{SEED}/unsigned/{number}"), APP)
        answer = await exchange(bridge.port, request, complete=complete)
        assert answer or not complete, request[:2000]
        answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        if answer:
            status = int(answer.split(b" ", 2)[1])
            assert 400 <= status < 500, (request[:2000], answer)
            statuses[status] += 1
        assert b"Traceback" not in answer, (request[:2000], answer)

    with capture_logs() as logs:
        async with RawApp(_nobody) as app, bridge_for(app.port) as bridge:
            before = _contents(bridge)
            await _in_turns(CASES, run)
            assert before == _contents(bridge)

    record_property("inputs", CASES)
    assert [] == _faults(logs)
    # Otherwise the requests are so broken that the handlers were never reached.
    assert {400, 403, 404} <= set(statuses), statuses


@pytest.mark.slow
async def test_signed_requests_get_documents(
    record_property: Callable[[str, object], None],
) -> None:
    """Signed requests with absurd paths and forms get a valid document, nothing, or a 4xx."""
    statuses: Counter[int] = Counter()
    rng = Random(SEED)

    async def answer(_: bytes) -> bytes:
        body = random_reply(rng)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def run(number: int) -> None:
        own = Random(f"{SEED}/signed/{number}")
        path = random_path(own, APP, callid=str(own.randint(1, 30)))
        if not path.startswith("/") or own.random() < 0.3:
            path = f"/plivo/{APP}/{own.choice(('answer', 'answer', 'hangup', 'fallback', 'ring'))}"
        elif own.random() < 0.5:
            path = f"/plivo/{APP}/{own.randint(1, 30)}/{own.randint(0, 3)}/{own.choice(KINDS[:6])}"
        form = _form(own)
        status, body = await plivo.send(path, form)
        statuses[status] += 1
        assert status == 200 or 400 <= status < 500, (path, form, status, body)
        assert b"Traceback" not in body
        if status == 200 and body:
            assert [] == problems(body), (path, form, body)
            assert ends_safely(body)

    with capture_logs() as logs:
        async with (
            RawApp(answer) as app,
            bridge_for(app.port) as bridge,
            aiohttp.ClientSession() as session,
        ):
            plivo = Signed(bridge, session)
            await _in_turns(CASES, run)

    record_property("inputs", CASES)
    assert [] == _faults(logs)
    assert statuses[200] > CASES // 3, statuses


async def test_fault_before_the_form_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a fault in the signature check itself is answered with a document that comes back."""

    def fail(*_: object) -> bool:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("bridge.webhooks.verify", fail)
    path = f"/plivo/{APP}/answer"
    async with (
        RawApp(_nobody) as app,
        bridge_for(app.port) as bridge,
        aiohttp.ClientSession() as session,
    ):
        status, document = await Signed(bridge, session).send(path, {"CallUUID": "b1c2"})

    assert (200, []) == (status, problems(document))
    assert f"<Redirect>{PUBLIC}{path}#".encode() in document


def _form(rng: Random) -> dict[str, str]:
    form = {
        "CallUUID": f"uuid-{rng.randint(1, 30)}",
        "From": rng.choice(("33123456789", "+33123456789", "sip:a@b", "anonymous", "")),
        "To": "33170000000",
        "Direction": rng.choice(("inbound", "outbound", "")),
        "CallStatus": rng.choice(("ringing", "in-progress", "completed")),
        "Digits": rng.choice(("", "1", "12#")),
    }
    for _ in range(rng.randint(0, 4)):
        name = rng.choice((*form, "Event", "RecordUrl", "Speech", "DialStatus", "ConferenceUUID"))
        form[name] = hostile.text(rng).encode("utf-8", "replace").decode()
    return form


@pytest.mark.slow
@pytest.mark.parametrize("on_failure", ["hangup", "say"])
async def test_hostile_replies_never_silence_the_caller(
    on_failure: str, record_property: Callable[[str, object], None]
) -> None:
    """Whatever bytes the app answers, the caller gets a valid document, and the app the HANGUP."""
    finals: defaultdict[int, list[bytes]] = defaultdict(list)
    asked: Counter[str] = Counter()

    async def answer(body: bytes) -> bytes:
        number = body.partition(b'"cli_number":"+')[2].partition(b'"')[0].decode()
        if b'"call_status":"HANGUP"' in body:
            callid = int(body.partition(b'"callid":')[2].partition(b",")[0])
            finals[callid].append(body)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        asked[number] += 1
        own = Random(f"{SEED}/reply/{number}/{asked[number]}")
        # The first calls see every kind of answer once, as their first.
        first = int(number[-8:]) if asked[number] == 1 else len(REPLIES)
        known = list(REPLIES)
        kind = own.choice((*known, *["command"] * 12)) if first >= len(known) else known[first]
        if kind == "nothing" and own.random() < 0.5:
            await asyncio.sleep(0.7)  # longer than the app has to answer
        reply = random_reply(own)
        return REPLIES[kind].replace(b"%n", str(len(reply)).encode()).replace(b"%b", reply)

    async def run(number: int) -> None:
        own = Random(f"{SEED}/call/{number}")
        form = {
            "CallUUID": f"uuid-{number}",
            "From": f"3361{number:08}",
            "To": "33170000000",
            "Direction": "inbound",
            "CallStatus": "in-progress",
        }
        path = f"/plivo/{APP}/answer"
        for _ in range(3):
            status, document = await plivo.send(path, form)
            assert status == 200, (path, document)
            assert [] == problems(document), document
            assert ends_safely(document)
            urls = [part.partition(b"#")[0].decode() for part in document.split(PUBLIC.encode())]
            steps = [url for url in urls if "/notice/" not in url and url.startswith("/plivo/")]
            if not steps:
                break
            path, form = urlsplit(own.choice(steps)).path, {**form, "Digits": "1"}
        over = {**form, "CallStatus": "completed", "Event": "Hangup"}
        assert (200, b"") == await plivo.send(f"/plivo/{APP}/hangup", over)

    calls = max(CASES // 3, len(REPLIES))
    with capture_logs() as logs:
        async with (
            RawApp(answer) as app,
            bridge_for(app.port, on_failure=on_failure, breaker_failures=0) as bridge,
            aiohttp.ClientSession() as session,
        ):
            plivo = Signed(bridge, session)
            await _in_turns(calls, run)
            async with asyncio.timeout(MOST_WAITED_S):
                while await bridge.store.outbox_size(("final",)):  # noqa: ASYNC110 -- only the store knows
                    await asyncio.sleep(0.1)

    record_property("inputs", asked.total())
    assert [] == _faults(logs)
    # A machine that stalls for longer than the app may take makes it answer too late.
    postponed = Counter(line["call"] for line in logs if line["event"] == "hangup.postponed")
    repeated = {call: len(bodies) - 1 for call, bodies in finals.items() if len(bodies) > 1}
    assert [] == [call for call, times in repeated.items() if times > postponed[call]]
    assert {1} == {len(set(bodies)) for bodies in finals.values()}
    # An app that hangs up where it did not say so loses what is sent at that moment, four times in a
    # row once in a while; then it is not told any more. Of a call whose first question had no
    # connection in time it never heard.
    lost = {line["call"] for line in logs if line["event"] == "hangup.unconfirmed"}
    untold = {line["call"] for line in logs if line["event"] == "hangup.untold"}
    assert set() == untold & set(finals)
    assert set(range(1, calls + 1)) == lost | untold | set(finals)
    assert len(lost) <= calls // 50


#: Answers of an app: %b is the body, %n its length.
REPLIES: Final = {
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n%b",
    "bad gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %n\r\n\r\n%b",
    "command": b"HTTP/1.1 200 OK\r\nContent-Length: %n\r\n\r\n%b",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %n\r\n\r\n%b",
    "cookies": b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: a=\x01;;=\r\n" * 40 + b"\r\n%b",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "error page": b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n<h1>Warning: %b</h1>",
    "headers only": b"HTTP/1.1 200 OK\r\nContent-Length: %n\r\n\r\n",
    "huge": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_100_000,
    "huge header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n%b",
    "no http": b"%b",
    "no length": b"HTTP/1.0 200 OK\r\n\r\n%b",
    "nothing": b"",
    "null bytes": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + bytes(9),
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
    "status": b"HTTP/1.1 204 No Content\r\n\r\n",
    "strange status": b"HTTP/1.1 999 \xff\r\nContent-Length: 0\r\n\r\n",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n%b",
    "warning first": b"HTTP/1.1 200 OK\r\n\r\nNotice: undefined %b",
}
