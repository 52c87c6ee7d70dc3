"""The harness measures what it says: nothing here depends on how fast anything is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import cast

import plivo.utils
import pytest
from aiohttp.test_utils import TestClient, TestServer
from werkzeug.test import TestResponse

from benchmarks import __main__ as command
from benchmarks import documents, latency, rig, stub, throughput
from benchmarks.figures import Spread, percentile, ratios
from benchmarks.load import Load
from benchmarks.memory import stored_bytes
from benchmarks.micro import PAIRS
from benchmarks.processes import Cores, Server, choose_cores, pin
from benchmarks.report import Report, judge
from benchmarks.servers import bare, direct, naive
from benchmarks.ticks import Beat
from benchmarks.webhooks import (
    ANSWER_URL,
    AUTH_TOKEN,
    PUBLIC_URL,
    Call,
    action_url,
    calls,
    fixed_turns,
    signature,
)
from benchmarks.wire import ReplyReader, UnexpectedReply, message_bounds, reply
from bridge.plivo.signature import verify

XML = stub.REPLIES["xml"]


@asynccontextmanager
async def _serving(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """Serve a protocol on a free port of loopback, and give the port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class _Scripted(asyncio.Protocol):
    """Answers every piece of data with the same bytes, and may close after it."""

    def __init__(self, answer: bytes, *, close: bool = False) -> None:
        self.answer = answer
        self.close = close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)
        if self.close:
            self.transport.close()


def _request(raw: bytes) -> tuple[str, dict[str, str], dict[str, str]]:
    """Take a request apart: URL, headers, form fields."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert str(len(body)) == headers["Content-Length"]
    fields = dict(pair.split("=", 1) for pair in body.decode().split("&"))
    return PUBLIC_URL + first.split()[1], headers, fields


# --- wire ---------------------------------------------------------------------------------------


def test_reply_in_pieces() -> None:
    """A reply is complete at its last byte, however it is cut."""
    reader = ReplyReader()
    bodies = [reader.feed(XML[at : at + 1]) for at in range(len(XML))]

    assert [None] * (len(XML) - 1) + [documents.PLIVO_XML] == bodies
    assert not reader.closing


def test_reply_that_closes() -> None:
    """A server that closes after its reply is noticed."""
    reader = ReplyReader()

    assert b"x" == reader.feed(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx"
    )
    assert reader.closing


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", "b'HTTP/1.1 403 Forbidden'"),
        (XML + XML, "more than one reply"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", "chunked"),
    ],
)
def test_reply_that_spoils_a_sample(raw: bytes, sentence: str) -> None:
    """Another status, a second reply and a chunked body are errors that say so."""
    with pytest.raises(UnexpectedReply, match=sentence):
        ReplyReader().feed(raw)


def test_message_without_body() -> None:
    """A message without Content-Length ends with its head."""
    raw = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    assert (len(raw), len(raw)) == message_bounds(raw)
    assert message_bounds(raw[:-1]) is None


def test_sizes_of_the_fixed_bodies() -> None:
    """The fixed bodies have the sizes the comparison is defined with."""
    sizes = [len(documents.RT_REPLY), len(documents.RT_REQUEST), len(documents.PLIVO_XML)]

    assert [255, 333, 500] == sizes
    assert "read" == json.loads(documents.RT_REPLY)["command"]
    assert len(documents.DIGITS) == json.loads(documents.RT_REPLY)["params"]["max_digits"]


# --- Plivo's side -------------------------------------------------------------------------------


def test_answer_request() -> None:
    """A call starts with a signed answer request that the official SDK accepts."""
    url, headers, fields = _request(calls(1)[0].request)
    _, _, turn = _request(fixed_turns(1)[0].request)

    assert ANSWER_URL == url
    assert 14 == len(fields)
    assert fields.keys() | {"Digits"} == turn.keys()
    decoded = {name: value.replace("+", " ").replace("%3A", ":") for name, value in fields.items()}
    assert plivo.utils.validate_v3_signature(
        "POST",
        url,
        headers["X-Plivo-Signature-V3-Nonce"],
        AUTH_TOKEN,
        headers["X-Plivo-Signature-V3"],
        decoded,
    )


def test_callers_differ() -> None:
    """Every call has its own CallUUID, and another seed gives others."""
    uuids = [
        _request(call.request)[2]["CallUUID"] for seed in (1, 2) for call in calls(50, seed=seed)
    ]

    assert 100 == len(set(uuids))


@pytest.mark.parametrize("query", ["", "?b=2%20x&a=1&b=1"])
def test_signature_is_what_the_bridge_checks(query: str) -> None:
    """The generator's own signing agrees with the bridge's check, query or not."""
    url = f"{PUBLIC_URL}/plivo/DEFAULT/1/2/digits{query}"
    made = signature(url, "Digits12From33", "77").decode()

    assert verify("POST", url, [("From", "33"), ("Digits", "12")], "77", made, AUTH_TOKEN)
    assert not verify("POST", url, [("From", "34"), ("Digits", "12")], "77", made, AUTH_TOKEN)


def test_turn_follows_the_document() -> None:
    """The next turn goes to the action of the document, unescaped and without its fragment."""
    call = Call({"From": "33"})
    call.replied(
        b'<Response><GetDigits timeout="4" action="https://voice.example.com/p/1?a=1&amp;b=2#rc=5">'
        b"</GetDigits></Response>"
    )
    url, headers, fields = _request(call.request)

    assert f"{PUBLIC_URL}/p/1?a=1&b=2" == url
    assert documents.DIGITS == fields["Digits"]
    assert verify(
        "POST",
        url,
        [(name, value) for name, value in fields.items()],
        headers["X-Plivo-Signature-V3-Nonce"],
        headers["X-Plivo-Signature-V3"],
        AUTH_TOKEN,
    )


@pytest.mark.parametrize(
    "document",
    [
        b"<Response><Hangup/></Response>",
        b'<Response><GetDigits action="https://elsewhere.example/1"/></Response>',
    ],
)
def test_document_that_ends_the_benchmark(document: bytes) -> None:
    """A document without GetDigits, or with an address elsewhere, is an error."""
    with pytest.raises(UnexpectedReply):
        action_url(document)


# --- load ---------------------------------------------------------------------------------------


async def test_closed_loop_counts_every_reply() -> None:
    """A closed-loop sample counts as many replies as the server gave."""
    server = stub.Stub(XML)
    async with _serving(server.connection) as port:
        load = Load(port, fixed_turns(20), connections=4)
        first = await load.run_for(0.05)
        second = await load.run_for(0.05)
        await load.close()

    assert 0 < first.replies <= first.total
    assert server.posts == first.total + second.total
    assert first.replies / first.seconds == first.rate


async def test_once_sends_every_job_once() -> None:
    """Sending once takes every job exactly once, also when connections outnumber them."""
    for count, connections in ((20, 4), (3, 8)):
        server = stub.Stub(XML)
        async with _serving(server.connection) as port:
            load = Load(port, fixed_turns(count), connections=connections)
            before = Counter(map(id, load.jobs))
            await load.run_once()
            await load.close()

        assert count == server.posts
        assert before == Counter(map(id, load.jobs))


async def test_open_loop_sends_the_rate() -> None:
    """An open-loop run sends rate x seconds requests and times each."""
    server = stub.Stub(XML)
    async with _serving(server.connection) as port:
        load = Load(port, fixed_turns(20), connections=4)
        times = await load.run_at(400, 0.1)
        await load.close()

    assert 40 == len(times) == server.posts
    assert all(time > 0 for time in times)


async def test_open_loop_waits_for_a_connection() -> None:
    """Requests that are due while every connection is busy wait their turn, and none is lost."""
    server = stub.Stub(XML)
    async with _serving(server.connection) as port:
        load = Load(port, fixed_turns(2), connections=1)
        times = await load.run_at(50_000, 0.002)
        await load.close()

    assert 100 == len(times) == server.posts


async def test_server_that_closes_every_connection() -> None:
    """A server without keep-alive gets a new connection for every request."""
    answer = XML.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with _serving(lambda: _Scripted(answer, close=True)) as port:
        load = Load(port, fixed_turns(5), connections=2)
        await load.run_once()
        times = await load.run_at(500, 0.02)
        await load.close()

    assert 10 == len(times)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (reply(b"<Response/>", "application/xml"), "Not a GetDigits document"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "500 Oops"),
        (b"", "closed a busy connection"),
    ],
)
async def test_wrong_reply_ends_the_run(answer: bytes, sentence: str) -> None:
    """A wrong document, another status and a broken connection end the run with a sentence."""
    async with _serving(lambda: _Scripted(answer, close=True)) as port:
        load = Load(port, fixed_turns(5), connections=2)
        with pytest.raises(UnexpectedReply, match=sentence):
            await load.run_for(5)
        await load.close()


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
async def test_beat(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat counts every interval that passed, with the kernel's timer or without."""
    monkeypatch.setattr("benchmarks.ticks.sys.platform", platform)
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    enough: asyncio.Future[None] = loop.create_future()

    def on_beat(count: int) -> None:
        seen.append(count)
        if sum(seen) >= 5:
            beat.stop()
            enough.set_result(None)

    # A start in the past: what is missed is made up for in one call.
    beat = Beat(loop.time() - 0.004, 0.002, on_beat)
    await enough

    assert seen[0] >= 2
    assert all(count >= 1 for count in seen)


# --- servers ------------------------------------------------------------------------------------


async def test_bare_proxy() -> None:
    """The bare proxy asks the app once per form and answers the fixed document."""
    app = stub.Stub(stub.REPLIES["app"])
    async with (
        _serving(app.connection) as port,
        TestClient(TestServer(bare.application(port))) as client,
    ):
        answer = await client.post("/plivo/DEFAULT/turn", data={"Digits": "1"})

        assert documents.PLIVO_XML == await answer.read()
    assert 1 == app.posts


async def test_direct_answer() -> None:
    """The direct server answers a signed turn and refuses a forged one."""
    async with TestClient(TestServer(direct.application())) as client:
        assert client.port is not None
        load = Load(client.port, fixed_turns(2), connections=1)
        await load.run_once()
        await load.close()
        forged = {"X-Plivo-Signature-V3": "AAAA", "X-Plivo-Signature-V3-Nonce": "1"}
        answer = await client.post("/plivo/DEFAULT/turn", data={"Digits": "1"}, headers=forged)

    assert 403 == answer.status


async def test_naive_bridge() -> None:
    """The naive bridge checks the signature, asks the app, and answers GetDigits."""
    turn = fixed_turns(1)[0]
    head, _, body = turn.request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    app = stub.Stub(stub.REPLIES["app"])
    async with _serving(app.connection) as port:
        client = naive.application(port).test_client()

        def post(changed: dict[str, str]) -> TestResponse:
            return client.post("/plivo/DEFAULT/turn", data=body, headers=headers | changed)

        answer = await asyncio.to_thread(post, {})
        forged = await asyncio.to_thread(post, {"X-Plivo-Signature-V3-Nonce": "1"})

    turn.replied(answer.data)
    assert (200, 403) == (answer.status_code, forged.status_code)
    assert 1 == app.posts


@pytest.mark.parametrize("name", PAIRS)
def test_both_sides_of_a_pair_do_the_same(name: str) -> None:
    """What is compared in tight loops has the same result."""
    ours, other, essence = PAIRS[name]

    assert essence(other()) == essence(ours())


# --- processes and runs -------------------------------------------------------------------------


def test_server_process(tmp_path: Path) -> None:
    """A server process is awaited, has memory and CPU time, and its end is waited for."""
    with rig.Rig(tmp_path, Cores(None, None)) as run:
        server = run.start("floor")
        rss, cpu, posts = server.rss_bytes(), server.cpu_seconds(), run.app_posts()

    assert 0 == posts
    if sys.platform == "linux":
        assert rss > 2**20
        assert cpu >= 0
        assert 0 == server.rss_bytes()
        assert math.isnan(server.cpu_seconds())


def test_server_that_does_not_start(tmp_path: Path) -> None:
    """A server that ends at once is reported with what it wrote."""
    server = Server("broken", ["-c", "exit('no luck')"], port=1, core=None, directory=tmp_path)

    with pytest.raises(RuntimeError, match="broken did not start:\nno luck"):
        server.__enter__()


def test_throughput_run(tmp_path: Path) -> None:
    """A whole run in small starts the servers, samples them in every round and proves the hops."""
    with rig.Rig(tmp_path, Cores(None, None)) as run, asyncio.Runner() as runner:
        report = throughput.measure_throughput(
            run, runner, rounds=2, seconds=0.02, only=("bare", "direct")
        )

    assert {"bare", "direct"} == report.samples["rps"].keys()
    assert all(2 == len(values) for values in report.samples["rps"].values())


def test_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores are split between server and load; with one nothing is pinned."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7}, raising=False)
    assert Cores(3, 5) == choose_cores()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3}, raising=False)
    assert Cores(None, None) == choose_cores()
    monkeypatch.delattr(os, "sched_getaffinity")
    assert Cores(None, None) == choose_cores()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin")
def test_pin_is_undone() -> None:
    """Pinning lasts as long as its block."""
    before = os.sched_getaffinity(0)
    core = min(before)
    with pin(core):
        assert {core} == os.sched_getaffinity(0)

    assert before == os.sched_getaffinity(0)


@pytest.mark.parametrize("given", [["--variants", "bare,quick"], ["--rounds", "0"]])
def test_wrong_arguments(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that make no sense are refused before anything starts."""
    with pytest.raises(SystemExit) as ended:
        command.main(given)

    assert 2 == ended.value.code
    assert "error:" in capsys.readouterr().err


def test_json_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures are printed with their aims, and written with their samples."""
    path = tmp_path / "figures.json"

    assert 0 == command.main(["--quick", "--rounds", "1", "--only", "micro", "--json", str(path)])
    written = json.loads(path.read_text())
    assert set(PAIRS) == written["parts"]["micro"]["samples"].keys()
    assert ">= 1.7" in capsys.readouterr().out


# --- figures ------------------------------------------------------------------------------------


def test_percentiles() -> None:
    """A percentile is a value that occurred: the smallest that so many do not exceed."""
    values = random.Random(1).sample(range(1, 101), 100)

    assert [1, 50, 99, 100] == [percentile(values, percent) for percent in (0, 50, 99, 99.9)]
    assert 7 == percentile([7], 99)


def test_ratios_are_taken_within_a_round() -> None:
    """Ratios pair samples of one round, so a slow round changes nothing."""
    assert Spread(2, 2, 2) == ratios([20, 2, 200], [10, 1, 100])
    assert Spread(3, 2, 4) == Spread.of([5, 1, 3, 2, 4])
    assert "3.0 [2.0 to 4.0]" == Spread(3, 2, 4).text(1)
    with pytest.raises(ValueError, match="zip"):
        ratios([1], [1, 2])


def test_aims() -> None:
    """A row tells whether its aim is met."""
    report = Report("H", [judge("a", "2.0", 2, least=2), judge("b", "3.0", 3, most=2, aim="few")])

    assert ["met", "missed"] == [row.verdict for row in report.rows]
    assert [
        "H",
        "-",
        "   measured  aim",
        "a       2.0  >= 2  met",
        "b       3.0  few   missed",
    ] == report.table().splitlines()


def test_stored_bytes(tmp_path: Path) -> None:
    """The sizes of all tables add up to the file, checkpoint included."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
        database.execute("CREATE INDEX i ON t (body)")
        rows = [(hashlib.sha256(str(n).encode()).digest(),) for n in range(500)]
        database.executemany("INSERT INTO t (body) VALUES (?)", rows)
        database.execute("DELETE FROM t WHERE id > 400")
        database.commit()
    sizes = stored_bytes(path)

    assert path.stat().st_size == sum(sizes.values())
    assert max(sizes, key=sizes.__getitem__) in {"t", "all"}


def test_latency_is_compared_within_a_round() -> None:
    """One stalled window changes the difference of everything together, not the judged one."""
    bare_windows = [[1.0] * 200, [1.0] * 200, [1.0] * 200]
    windows = {"bare": bare_windows, "bridge": [[1.25] * 200, [900.0] * 200, [1.25] * 200]}
    report = latency.report_of({200: windows})
    judged = [row for row in report.rows if row.verdict]

    assert [("added by the bridge over bare at 200/s, p99", 0.25, "met")] == [
        (row.figure, row.value, row.verdict) for row in judged
    ]
    assert "all rounds together +899.00" in judged[0].text
