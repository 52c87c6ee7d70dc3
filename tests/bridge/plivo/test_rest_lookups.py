"""Looking calls up, against the simulated platform over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support_plivo import ACCOUNT, CALLED, CALLER, XmlApp
from support_rest import WAITING

from bridge.plivo.rest import PlivoRest
from bridge.simulator.callees import Busy, NoAnswer
from bridge.simulator.clock import VirtualClock
from bridge.simulator.platform import Application, Plivo


@pytest.fixture
async def plivo() -> AsyncIterator[Plivo]:
    """Open a platform whose calls reach nobody."""
    async with Plivo(clock=VirtualClock(), account=ACCOUNT) as made:
        yield made


@pytest.fixture
def rest(plivo: Plivo) -> PlivoRest:
    """Give a client of its API."""
    return PlivoRest(plivo.session, plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)


def _call(plivo: Plivo, called: str = CALLED) -> str:
    return plivo.make_call(CALLER, called, Application("http://127.0.0.1:9/answer"))


async def _passes(plivo: Plivo, seconds: float) -> None:
    await plivo.clock.drive(lambda: False, plivo.clock.now() + seconds)


async def test_queued_call_is_told_from_a_live_one(plivo: Plivo, rest: PlivoRest) -> None:
    """A call that waits is found among those that wait, one that rings among the live ones."""
    plivo.default_callee = NoAnswer()
    uuids = [_call(plivo, f"3318765432{n}") for n in range(4)]
    await _passes(plivo, 0.3)

    assert await rest.live_call(uuids[0]) is not None
    assert await rest.queued_call(uuids[0]) is None
    assert await rest.live_call(uuids[3]) is None
    waiting = await rest.queued_call(uuids[3])
    assert waiting is not None
    assert "queued" == waiting.call_status


async def test_calls_between_two_numbers(plivo: Plivo, rest: PlivoRest) -> None:
    """Live and waiting calls between these numbers are listed, outbound ones alone."""
    plivo.default_callee = NoAnswer()
    app = XmlApp(documents={"/answer": WAITING})
    uuids = [_call(plivo), _call(plivo), _call(plivo, "33187654399"), _call(plivo)]
    plivo.call(CALLER, CALLED, application=app.application())
    await _passes(plivo, 0.3)

    found = await rest.live_calls(from_number=f"+{CALLER}", to_number=f"+{CALLED}")
    assert sorted([uuids[0], uuids[1], uuids[3]]) == sorted(found)
    assert [] == await rest.live_calls(from_number="+33100000000", to_number=f"+{CALLED}")


async def test_record_of_a_call_that_is_over(plivo: Plivo, rest: PlivoRest) -> None:
    """Cause and source are those of the hangup; a live or unknown call has no record."""
    plivo.default_callee = Busy()
    uuid = _call(plivo)
    await _passes(plivo, 0.3)
    assert await rest.call_record(uuid) is None
    await _passes(plivo, 10)
    found = await rest.call_record(uuid)

    assert found is not None
    assert ("3010", "Busy Line", "") == (found.cause_code, found.cause_name, found.answer_time)
    assert await rest.call_record("2f1a7c3e-0000-4000-8000-000000000000") is None
