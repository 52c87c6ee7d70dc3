from __future__ import annotations

from typing import Any

import pytest
from plivo.exceptions import ResourceNotFoundError, ValidationError
from support_plivo import CALLED, CALLER
from support_rest import Rest

from bridge.simulator.platform import Application

SHOP = Application.at("https://bridge.example.com", "SHOP")


@pytest.fixture
async def app_id(rest: Rest) -> str:
    """Rent two numbers, the second without an application of its own; gives the id of the first's."""
    rest.plivo.numbers = {CALLED: SHOP, "33900000000": Application("")}
    (one,) = await rest.sdk(rest.client.applications.list)
    return str(one.app_id)


async def test_numbers_are_listed(rest: Rest, app_id: str) -> None:
    """Each with the path of its application, or null."""
    listed = await rest.sdk(rest.client.numbers.list)

    assert [CALLED, "33900000000"] == [one.number for one in listed]
    assert [f"{rest.plivo.api.base}/Application/{app_id}/", None] == [
        one.application for one in listed
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"number_startswith": "339"}, 1),
        ({"number_startswith": "+33"}, 2),
        ({"type": "tollfree"}, 0),
        ({"type": "local"}, 2),
        ({"services": "voice"}, 2),
        ({"services": ["voice", "sms"]}, 0),
        ({"alias": "desk"}, 0),
    ],
)
async def test_filters(rest: Rest, app_id: str, query: dict[str, Any], found: int) -> None:
    """A list may be narrowed."""
    assert app_id
    assert found == len(await rest.sdk(rest.client.numbers.list, **query))


async def test_a_number_gets_an_application(rest: Rest, app_id: str) -> None:
    """The next call to it asks that application; its spelling with a plus means the same number."""
    changed = await rest.sdk(rest.client.numbers.update, "+33900000000", app_id=app_id)
    shown = await rest.sdk(rest.client.numbers.get, "33900000000")

    assert "changed" == changed.message
    assert str(shown.application).endswith(f"/{app_id}/")
    assert SHOP is rest.plivo.numbers["33900000000"]


@pytest.mark.parametrize("nothing", [None, ""])
async def test_a_number_loses_its_application(rest: Rest, app_id: str, nothing: str | None) -> None:
    """It stays rented, and a call to it reaches nobody: cause 7011."""
    assert app_id
    status, _ = await rest("POST", f"Number/{CALLED}/", {"app_id": nothing})
    line = rest.plivo.call(CALLER, CALLED)
    await rest.passes(5)

    assert 202 == status
    assert line.ending is not None
    assert "7011" == line.ending[1]
    assert None is (await rest.sdk(rest.client.numbers.get, CALLED)).application


async def test_an_alias(rest: Rest, app_id: str) -> None:
    """It can be given and taken, and does not touch the application."""
    await rest.sdk(rest.client.numbers.update, CALLED, alias="desk")
    (found,) = await rest.sdk(rest.client.numbers.list, alias="desk")
    await rest("POST", f"Number/{CALLED}/", {"alias": None})
    after = await rest.sdk(rest.client.numbers.get, CALLED)

    assert (CALLED, "desk", None) == (found.number, found.alias, after.alias)
    assert str(after.application).endswith(f"/{app_id}/")


async def test_a_number_is_given_back(rest: Rest, app_id: str) -> None:
    """Then nobody rents it any more."""
    assert app_id
    await rest.sdk(rest.client.numbers.delete, CALLED)

    assert CALLED not in rest.plivo.numbers
    with pytest.raises(ResourceNotFoundError, match="number not found"):
        await rest.sdk(rest.client.numbers.get, CALLED)


async def test_an_application_that_does_not_exist(rest: Rest, app_id: str) -> None:
    """It is refused, and the number keeps what it has."""
    assert app_id
    with pytest.raises(ValidationError, match="app_id is no application: '1'"):
        await rest.sdk(rest.client.numbers.update, CALLED, app_id="1")
    status, body = await rest("GET", "Number/?services=fax")

    assert SHOP is rest.plivo.numbers[CALLED]
    assert (400, "services knows voice, sms and mms, not fax") == (status, body["error"])
