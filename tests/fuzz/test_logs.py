"""What strangers, apps and callers send over HTTP: an answer, and a log without anything secret."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import pytest
import structlog
from aiohttp import ClientSession
from fuzz.raw_http import SHORT, RawApp, exchange
from fuzz.replies import random_reply
from fuzz.rpc import APP_PASSWORD, KEY, LOGIN, PASSWORD, SECRETS, body, check, credentials
from fuzz.test_edges import Log
from fuzz.test_webhooks import APP, TOKEN, Signed, bridge_for
from pydantic import SecretStr
from support_logs import forget_loggers

from bridge.telemetry import configure_logging

CASES: Final = min(20_000, int(os.environ.get("RT_BRIDGE_FUZZ", "400")))
SEED: Final = int(os.environ.get("RT_BRIDGE_FUZZ_SEED", "1"))
AT_ONCE: Final = 16
#: What a caller typed and who it is: in the forms, in no line.
PIN: Final = "8306417295"
NUMBER: Final = "33698765432"
CALLER_NAME: Final = "Rosalind Quux"


RPC: Final[dict[str, Any]] = {
    "rpc_login": LOGIN,
    "rpc_password": SecretStr(PASSWORD),
    "rpc_api_keys": (SecretStr(KEY),),
}


class SecretLog(Log):
    """A log that may hold none of these either."""

    words = (*SECRETS, TOKEN, PIN, NUMBER, CALLER_NAME, "Traceback")


@pytest.fixture
def log() -> Iterator[SecretLog]:
    """Log as in production, down to the last level."""
    forget_loggers()
    stream = SecretLog()
    configure_logging("json", "debug", stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()


async def in_turns(run: Callable[[int], Any]) -> None:
    """Run every case, a few at a time, and name the one that failed."""
    numbers = iter(range(CASES))

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


class Answers:
    """An app that answers hostile things, or prints what it was asked with into its reply."""

    def __init__(self) -> None:
        self._rng = Random(SEED)

    async def __call__(self, asked: bytes) -> bytes:
        """Answer."""
        content = random_reply(self._rng)
        if self._rng.random() < 0.3:
            content = f"Warning: no such card {PIN} of +{NUMBER} in {CALLER_NAME}".encode()[:44]
            content += b" in /app.php\n" + asked
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


@pytest.mark.slow
async def test_json_rpc_over_http(
    log: SecretLog, record_property: Callable[[str, object], None]
) -> None:
    """Whatever is posted to the API is answered with 200 and JSON, or is no HTTP; nothing leaks."""
    outcomes: Counter[str] = Counter()

    async def run(number: int) -> None:
        rng = Random(f"{SEED}/rpc/{number}")
        content = body(rng)
        head = [f"Authorization: {credentials(rng)}", f"Content-Length: {len(content)}"]
        whim = rng.random()
        if whim < 0.05:
            head[-1] = "Content-Length: 10000000"
        elif whim < 0.1:
            head.append(rng.choice(("Expect: ", "Expect: 100-continue", "Content-Type: \x7f")))
        lines = "\r\n".join(
            ["POST /json-rpc/v1.1/ HTTP/1.1", "Host: x", "Connection: close", *head]
        )
        request = lines.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + content
        answer = await exchange(bridge.port, request, complete=whim >= 0.05)
        answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not answer:
            # A refusal does not wait for the end of a long request, and may be overtaken.
            assert whim < 0.05 or len(request) >= SHORT, request
            return
        status = int(answer.split(b" ", 2)[1])
        content = answer.partition(b"\r\n\r\n")[2]
        # What is no HTTP never reaches the API.
        outcomes["no HTTP" if status == 400 else check(status, content)] += 1

    async with RawApp(Answers()) as app, bridge_for(app.port, RPC) as bridge:
        await in_turns(run)

    record_property("inputs", CASES)
    assert {"result", "PARSE_ERROR", "INVALID_PARAMS", "UNAUTHORIZED", "no HTTP"} <= set(outcomes)
    assert [] == log.leaks
    # Each that reached the API has its line.
    assert log.lines >= outcomes.total() - outcomes["no HTTP"]


@pytest.mark.slow
async def test_calls_in_the_log(
    log: SecretLog, record_property: Callable[[str, object], None]
) -> None:
    """Keys, numbers and names of callers are in the forms of every webhook, and in no line."""
    statuses: Counter[int] = Counter()

    async def run(number: int) -> None:
        rng = Random(f"{SEED}/log/{number}")
        form = {
            "CallUUID": f"uuid-{rng.randrange(50)}",
            "From": rng.choice((NUMBER, f"+{NUMBER}", f"sip:{NUMBER}@example.com")),
            "To": NUMBER,
            "CallerName": CALLER_NAME,
            "Direction": "inbound",
            "CallStatus": rng.choice(("ringing", "in-progress", "completed")),
            "Digits": PIN,
            "Speech": f"my card is {PIN}",
            "DialBLegTo": NUMBER,
        }
        where = rng.choice(("answer", "hangup", "ring", f"{rng.randint(1, 20)}/1/digits"))
        status, _ = await plivo.send(f"/plivo/{APP}/{where}", form)
        statuses[status] += 1
        assert status == 200 or 400 <= status < 500

    settings: dict[str, Any] = {"login": "user", "password": SecretStr(APP_PASSWORD)}
    async with (
        RawApp(Answers()) as app,
        bridge_for(app.port, **settings) as bridge,
        ClientSession() as session,
    ):
        plivo = Signed(bridge, session)
        await in_turns(run)

    record_property("inputs", CASES)
    assert statuses[200] > CASES // 2
    assert [] == log.leaks
    assert log.lines >= CASES
