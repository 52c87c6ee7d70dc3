from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from pydantic_core import to_json

from bridge.doctor.patient import Running
from bridge.place import Place
from bridge.settings import Settings
from bridge.workers.front import Front
from bridge.workers.seat import PEER
from bridge.workers.totals import Snapshot, Totals
from bridge.workers.worker import Answer, Unanswered

OK = {"status": "ready", "checks": {"store": "ok", "process": "ok"}, "waiting": {"outbound": 0}}
LOST = {"status": "not ready", "checks": {"store": "It is gone.", "process": "ok"}}


@dataclass
class Worker:
    """One that answers by path, or does not; keeps what it was asked."""

    number: int
    answers: Mapping[str, Answer] = field(default_factory=dict)
    served: bool = True
    able: bool = True
    instance: str = ""
    snapshot: Snapshot = field(default_factory=dict)
    asked: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Give any number."""
        return 1000 + self.number

    async def ask(
        self,
        method: str,
        target: str,
        _timeout_s: float,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Answer."""
        self.asked.append((method, target, headers or {}, body))
        answer = self.answers.get(target.partition("?")[0])
        if answer is None:
            raise Unanswered(f"Worker {self.number} did not answer within 1 s.")
        return answer


class Crew:
    """Some workers."""

    size = 3
    replaced = 4

    def __init__(self) -> None:
        self.workers: dict[int, Any] = {}
        self.totals = Totals()

    def add(self, number: int, report: object = None, **other: Any) -> Worker:
        """Add one that reports so."""
        answers = {} if report is None else {"/readyz": Answer(200, {}, to_json(report))}
        self.workers[number] = worker = Worker(number, answers, **other)
        return worker


@pytest.fixture
def crew() -> Crew:
    """Give a crew without anybody."""
    return Crew()


@pytest.fixture
async def client(crew: Crew) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client of its admin listener."""
    front = Front(crew)
    place = Place(
        Settings.model_validate(
            {
                "public_url": "https://voice.example.com",
                "admin_listen": "127.0.0.1:0",
                "verify_signatures": False,
                "plivo_rest": False,
                "apps": {"SHOP": {"url": "http://127.0.0.1:9/"}},
            }
        )
    )
    await front.open(place)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{place.admin_port}") as session:
        yield session
    await front.close()


Told = tuple[int, dict[str, Any]]


async def readyz(client: aiohttp.ClientSession, query: str = "") -> Told:
    """Ask whether it is ready."""
    async with client.get("/readyz" + query) as response:
        return response.status, await response.json()


async def test_ready_when_one_is(client: aiohttp.ClientSession, crew: Crew) -> None:
    """One ready worker is enough; its checks are those of all, and each is listed."""
    crew.add(1, LOST)
    crew.add(2, OK)
    status, told = await readyz(client)

    assert (200, "ready", OK["checks"], OK["waiting"]) == (
        status,
        told["status"],
        told["checks"],
        told["waiting"],
    )
    assert {
        "1": {"pid": 1001, **LOST},
        "2": {"pid": 1002, **OK},
        "3": {"status": "restarting"},
    } == told["workers"]


async def test_not_ready_when_none_is(client: aiohttp.ClientSession, crew: Crew) -> None:
    """The reason is that of one which gave any; one that does not answer, or nonsense, is not ready."""
    crew.add(1, [OK])
    crew.add(2)
    crew.add(3, LOST, served=False)
    status, told = await readyz(client)

    assert (503, "not ready", {"process": "It answered 200."}) == (
        status,
        told["status"],
        told["checks"],
    )
    silent = {"process": "Worker 2 did not answer within 1 s."}
    assert {"pid": 1002, "status": "not ready", "checks": silent} == told["workers"]["2"]
    assert {"pid": 1003, "status": "starting"} == told["workers"]["3"]


async def test_nobody_is_there(client: aiohttp.ClientSession) -> None:
    """Without any worker the supervisor lives and is not ready."""
    status, told = await readyz(client)
    async with client.get("/healthz") as alive:
        assert (200, b'{"status": "ok"}') == (alive.status, await alive.read())
        assert "starting" == alive.headers["X-RT-Bridge-Instance"]

    assert (503, {"workers": "none serves"}) == (status, told["checks"])


async def test_query_is_passed_on(client: aiohttp.ClientSession, crew: Crew) -> None:
    """Who wants every app to be listed gets that of every worker."""
    worker = crew.add(1, OK)
    await readyz(client, "?verbose")

    assert ["/readyz?verbose"] == [target for _, target, _, _ in worker.asked]


async def test_all_workers_are_named(client: aiohttp.ClientSession, crew: Crew) -> None:
    """By the names of its workers `rt-bridge doctor` knows each of them for this bridge."""
    for number, name in ((1, "abc"), (2, ""), (3, "def")):
        crew.add(number, instance=name)
    async with client.get("/healthz") as alive:
        told = alive.headers["X-RT-Bridge-Instance"]

    running = Running(told)
    assert [True, False, True] == [running.is_named(name) for name in ("abc", "", "def")]


async def test_metrics_of_a_worker_that_does_not_answer(
    client: aiohttp.ClientSession, crew: Crew
) -> None:
    """Its counts stay in the sum as they were last seen; how many serve and were replaced is told."""
    body = b"# TYPE seen_total counter\nseen_total 3\n"
    crew.add(1).answers = {"/metrics": Answer(200, {}, body)}
    silent = crew.add(2, able=False)
    async with client.get("/metrics") as response:
        first = (await response.text()).splitlines()
    silent.snapshot = crew.workers[1].snapshot
    async with client.get("/metrics") as response:
        second = (await response.text()).splitlines()

    assert {"rt_bridge_workers 1.0", "rt_bridge_workers_replaced_total 4.0"} <= set(first)
    assert ("seen_total 3.0", "seen_total 6.0") == (first[-1], second[-1])


async def test_what_operators_want_is_passed_on(client: aiohttp.ClientSession, crew: Crew) -> None:
    """A worker gets the request with its token and who asked, and nothing else of its head."""
    body = b'{"error":{}}'
    headers = {"Content-Type": "application/json", "WWW-Authenticate": "Bearer", "Server": "x"}
    worker = crew.add(1)
    worker.answers = {"/admin/calls/7/hangup": Answer(401, headers, body)}
    sent = {"Authorization": "Bearer secret", PEER: "192.0.2.1", "Cookie": "a=b"}
    url = "/admin/calls/7/hangup?x=a%26b"
    async with client.post(url, data=b"{}", headers=sent) as response:
        assert (401, body) == (response.status, await response.read())
        assert ("Bearer", "application/json") == (
            response.headers["WWW-Authenticate"],
            response.headers["Content-Type"],
        )
        assert "x" != response.headers["Server"]
    ((method, target, given, data),) = worker.asked

    assert ("POST", url, b"{}") == (method, target, data)
    assert {"Authorization": "Bearer secret", PEER: "127.0.0.1"} == {
        name: value for name, value in given.items() if name != "Content-Type"
    }


async def test_workers_take_turns(client: aiohttp.ClientSession, crew: Crew) -> None:
    """Requests of operators go to those that serve, one after the other, rather than to one that stops."""
    answers = {"/admin/calls": Answer(200, {}, b"{}")}
    for number, able in ((1, True), (2, False), (3, True)):
        crew.add(number, able=able).answers = answers
    for _ in range(4):
        async with client.get("/admin/calls") as response:
            assert 200 == response.status

    assert [2, 0, 2] == [len(crew.workers[number].asked) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("served", "status", "code"), [(False, 503, "NO_WORKER"), (True, 502, "WORKER_LOST")]
)
async def test_operators_are_told_why_not(
    client: aiohttp.ClientSession, crew: Crew, served: bool, status: int, code: str
) -> None:
    """Without a worker, or when it goes away, they get a code and a sentence."""
    crew.add(1, served=served)
    async with client.post("/admin/calls/7/hangup") as response:
        told = await response.json()

    assert (status, code) == (response.status, told["error"]["code"])
    assert told["error"]["message"].endswith(".")


async def test_nothing_else_is_there(client: aiohttp.ClientSession, crew: Crew) -> None:
    """Only what is an operator's is passed on."""
    worker = crew.add(1, OK)
    for path in ("/", "/plivo/SHOP/answer", "/json-rpc/v1.1/", "/admin"):
        async with client.post(path) as response:
            assert 404 == response.status

    assert [] == worker.asked
