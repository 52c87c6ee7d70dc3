from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import settings_for

from bridge.app import make_runtime
from bridge.asking import LINE_SHARE, SILENCES, Question, ask
from bridge.breaker import BreakerState
from bridge.rt_client import (
    AppBusy,
    AppDisconnected,
    AppFailure,
    AppReplyTooLarge,
    AppStatus,
    AppTimeout,
    AppUnreachable,
    RtApp,
)
from bridge.runtime import App, Runtime
from bridge.simulator.clock import VirtualClock
from bridge.store.memory import MemoryStore
from bridge.tasks import spawn

DOWN = AppUnreachable("refused")


@dataclass
class Apps:
    """Apps that answer what the test says: b"", an exception, or what is given once it is let go."""

    outcome: Any = b"{}"
    asked: list[str] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waits: bool = False

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """Answer."""
        self.asked.append(app.hash)
        self.budgets.append(budget_s)
        if self.waits:
            await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return bytes(self.outcome)


@dataclass
class Office:
    """A runtime, and its apps."""

    runtime: Runtime
    apps: Apps
    clock: VirtualClock

    @property
    def app(self) -> App:
        """Give the one app."""
        return self.runtime.apps["ONE"]

    async def ask(self, question: Question = "first", name: str = "ONE") -> bytes:
        """Ask an app."""
        return await ask(self.runtime, self.runtime.apps[name], b"?", question)

    async def code(self, question: Question = "first") -> str:
        """Ask, and give the code of the failure, "" when there is none."""
        try:
            await self.ask(question)
        except AppFailure as failure:
            return failure.code
        return ""

    @property
    def state(self) -> BreakerState:
        """Give the state of the breaker of the one app."""
        return self.runtime.desks.of(self.runtime, self.app).breaker.state


Make = Callable[..., Office]


@pytest.fixture
def office() -> Make:
    """Give a function that makes a runtime whose two apps have these settings."""

    def make(**app: Any) -> Office:
        one = {"url": "http://127.0.0.1:9/", **app}
        settings = settings_for(
            "memory:", "https://api.plivo.com", {"apps": {"ONE": one, "TWO": one}}
        )
        clock, apps = VirtualClock(), Apps()
        return Office(
            make_runtime(settings, MemoryStore(), bytes(32), clock, apps, None), apps, clock
        )

    return make


async def turns() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_the_time_there_is(office: Make) -> None:
    """An app with a free place has all of its time to answer."""
    here = office()

    assert b"{}" == await here.ask()
    assert ([5.0], ["ONE"]) == (here.apps.budgets, here.apps.asked)


async def test_time_in_the_line_counts(office: Make) -> None:
    """The time a question waited for a place is not there for the answer, half of it at least is."""
    here = office(max_questions=1)
    here.apps.waits = True
    first = spawn(here.ask(), "first")
    await turns()
    second = spawn(here.ask(), "second")
    await turns()
    assert (1, 1) == (
        len(here.apps.asked),
        here.runtime.desks.of(here.runtime, here.app).line.waiting,
    )

    here.apps.gate.set()
    await asyncio.gather(first, second)

    assert 5.0 == here.apps.budgets[0]
    assert 5.0 * (1 - LINE_SHARE) <= here.apps.budgets[1] < 5.0


async def test_too_many_questions(office: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited in vain is told that the app is busy, and the app was not asked."""
    monkeypatch.setattr("bridge.asking.LINE_SHARE", 0.0)
    here = office(max_questions=1)
    here.apps.waits = True
    first = spawn(here.ask(), "first")
    await turns()

    with pytest.raises(AppBusy, match="it has 1 questions to answer already") as busy:
        await here.ask()

    assert ("APP_BUSY", False, 1) == (busy.value.code, busy.value.delivered, len(here.apps.asked))
    here.apps.gate.set()
    await first
    assert "" == await here.code()


async def test_other_apps_do_not_notice(office: Make) -> None:
    """An app whose places are all taken takes none of another's, nor does its open breaker."""
    here = office(max_questions=1, breaker_failures=1)
    here.apps.waits = True
    stuck = spawn(here.ask(), "stuck")
    await turns()
    here.apps.waits = False

    assert b"{}" == await here.ask(name="TWO")

    here.apps.outcome = DOWN
    here.apps.gate.set()
    with pytest.raises(AppUnreachable):
        await stuck
    here.apps.outcome = b"{}"
    assert ("APP_SUSPENDED", b"{}") == (await here.code(), await here.ask(name="TWO"))


@pytest.mark.parametrize("failure", [DOWN, AppTimeout("slow"), AppDisconnected("gone")])
async def test_silence_opens(office: Make, failure: AppFailure) -> None:
    """Failures without any answer suspend the app, which is logged once."""
    assert isinstance(failure, SILENCES)
    here = office(breaker_failures=3)
    here.apps.outcome = failure
    with capture_logs() as logs:
        codes = [await here.code() for _ in range(6)]

    assert [failure.code] * 3 + ["APP_SUSPENDED"] * 3 == codes
    assert 3 == len(here.apps.asked)
    expected = {"event": "breaker.opened", "app": "ONE", "failures": 3, "why": str(failure)}
    assert [{**expected, "log_level": "error"}] == logs


@pytest.mark.parametrize("failure", [AppStatus(500, "oops"), AppReplyTooLarge("too much")])
async def test_bad_answers_do_not_open(office: Make, failure: AppFailure) -> None:
    """An app that answers, be it nonsense, is asked for ever."""
    here = office(breaker_failures=2)
    here.apps.outcome = failure

    assert [failure.code] * 20 == [await here.code() for _ in range(20)]
    assert BreakerState.CLOSED is here.state


async def test_recovery(office: Make) -> None:
    """After the pause one question finds out that the app is back, which is logged once."""
    here = office(breaker_failures=1, breaker_pause_s=30)
    here.apps.outcome = DOWN
    assert ["APP_UNREACHABLE", "APP_SUSPENDED"] == [await here.code(), await here.code()]
    await here.clock.drive(lambda: False, here.clock.now() + 30)

    assert ["APP_UNREACHABLE", "APP_SUSPENDED"] == [await here.code(), await here.code()]

    await here.clock.drive(lambda: False, here.clock.now() + 30)
    here.apps.outcome, here.apps.waits = b"{}", True
    with capture_logs() as logs:
        probe = spawn(here.ask(), "probe")
        await turns()
        assert (BreakerState.PROBING, "APP_SUSPENDED") == (here.state, await here.code())
        here.apps.gate.set()
        assert (b"{}", "") == (await probe, await here.code())

    assert ["breaker.closed"] == [line["event"] for line in logs]


async def test_opens_while_others_wait(office: Make) -> None:
    """Who waits for a place while the app is found silent is told so at once and asks nothing."""
    here = office(max_questions=1, breaker_failures=1)
    here.apps.waits, here.apps.outcome = True, DOWN
    tasks = [spawn(here.code(), "somebody") for _ in range(4)]
    await turns()
    here.apps.gate.set()

    assert ["APP_UNREACHABLE", *["APP_SUSPENDED"] * 3] == await asyncio.gather(*tasks)
    assert 1 == len(here.apps.asked)


async def test_cancelled_probe(office: Make) -> None:
    """A probe that is cancelled leaves its place and the probing to the next question."""
    here = office(max_questions=1, breaker_failures=1)
    here.apps.outcome = DOWN
    await here.code()
    await here.clock.drive(lambda: False, here.clock.now() + 5)
    here.apps.waits, here.apps.outcome = True, b"{}"
    probe = spawn(here.ask(), "probe")
    await turns()
    probe.cancel()
    await asyncio.wait([probe])
    here.apps.waits = False

    assert ("", BreakerState.CLOSED) == (await here.code(), here.state)


async def test_final_requests_keep_their_schedule(office: Make) -> None:
    """A final request is put to a suspended app as well, and its answer ends the suspension."""
    here = office(breaker_failures=1)
    here.apps.outcome = DOWN
    codes = [await here.code(), await here.code("final"), await here.code("later")]
    assert ["APP_UNREACHABLE", "APP_UNREACHABLE", "APP_SUSPENDED"] == codes

    here.apps.outcome = b"{}"

    assert ["APP_SUSPENDED", "", ""] == [
        await here.code(),
        await here.code("final"),
        await here.code(),
    ]


async def test_moved_app(office: Make) -> None:
    """An app that has moved elsewhere is asked there at once, within the same number of places."""
    here = office(breaker_failures=1, max_questions=1)
    here.apps.outcome = DOWN
    await here.code()
    assert "APP_SUSPENDED" == await here.code()
    line = here.runtime.desks.of(here.runtime, here.app).line

    rt = RtApp("ONE", "http://127.0.0.1:10/")
    here.runtime.apps["ONE"] = replace(here.app, rt=rt)
    here.apps.outcome = b"{}"

    assert "" == await here.code()
    assert line is here.runtime.desks.of(here.runtime, here.app).line
    assert [("ONE", rt)] == [(name, desk.rt) for name, desk in here.runtime.desks]
