"""The client of applications and numbers against the simulated REST API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support_plivo import ACCOUNT

from bridge.plivo.rest_account import PAGE, AccountNumber, AccountRest, Application
from bridge.plivo.rest_errors import PlivoNotFound, PlivoRefused
from bridge.simulator.clock import VirtualClock
from bridge.simulator.platform import Application as Simulated
from bridge.simulator.platform import Plivo

NUMBER = "33187654321"
ANSWER = "https://a.example.com/answer"


@pytest.fixture
async def plivo() -> AsyncIterator[Plivo]:
    """Run an account with one number."""
    async with Plivo(clock=VirtualClock(), account=ACCOUNT, seed=1) as made:
        made.numbers[NUMBER] = Simulated("")
        yield made


@pytest.fixture
def rest(plivo: Plivo) -> AccountRest:
    """Make its client."""
    return AccountRest(plivo.session, plivo.api_url, ACCOUNT.auth_id, ACCOUNT.auth_token)


async def test_life_of_an_application(rest: AccountRest) -> None:
    """Created, listed, changed and deleted; what is not given is not changed."""
    app_id = await rest.create_application("shop", {"answer_url": ANSWER, "answer_method": "GET"})
    created = await rest.applications()
    await rest.update_application(app_id, {"fallback_answer_url": "https://b.example.com/"})
    changed = await rest.applications()
    await rest.delete_application(app_id)

    first = Application(
        app_id=app_id,
        app_name="shop",
        answer_url=ANSWER,
        answer_method="GET",
        hangup_url=ANSWER,
        hangup_method="POST",
        fallback_method="POST",
    )
    assert [first] == created
    assert [first.model_copy(update={"fallback_answer_url": "https://b.example.com/"})] == changed
    assert [] == await rest.applications()


async def test_a_number_gets_an_application_and_loses_it(rest: AccountRest) -> None:
    """Its application is known by its id; without one it is empty."""
    app_id = await rest.create_application("shop", {"answer_url": ANSWER})
    await rest.assign_number(f"+{NUMBER}", app_id)
    assigned = await rest.number(NUMBER)
    await rest.assign_number(NUMBER, "")

    assert AccountNumber(number=NUMBER, application=app_id) == assigned
    assert [AccountNumber(number=NUMBER)] == await rest.numbers()


async def test_numbers_and_applications_of_others(rest: AccountRest) -> None:
    """A number nobody rents is None; an unknown application is refused."""
    assert None is await rest.number("+33100000000")
    with pytest.raises(PlivoRefused, match=r"assign number 33187654321: 400 app_id"):
        await rest.assign_number(NUMBER, "1")
    with pytest.raises(PlivoNotFound, match="delete application 1: 404"):
        await rest.delete_application("1")


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 1])
async def test_lists_are_read_to_their_end(rest: AccountRest, plivo: Plivo, count: int) -> None:
    """However many pages there are."""
    plivo.numbers = {str(33100000000 + n): Simulated(f"{ANSWER}/{n}") for n in range(count)}

    numbers, applications = await rest.numbers(), await rest.applications()

    assert list(plivo.numbers) == [one.number for one in numbers]
    assert {one.app_id for one in applications} == {one.app_id for one in numbers}
    assert count == len(applications)


@pytest.mark.parametrize("app_id", ["", ".", "..", "a/b", " "])
async def test_an_id_names_one_application(rest: AccountRest, plivo: Plivo, app_id: str) -> None:
    """Nothing is sent that could mean all of them."""
    with pytest.raises(ValueError, match="an id must not be empty"):
        await rest.delete_application(app_id)

    assert [] == plivo.timeline.of("rest")
