from __future__ import annotations

from typing import Any

import pytest
from plivo.exceptions import ResourceNotFoundError, ValidationError
from support_plivo import CALLED, CALLER
from support_rest import Rest

from bridge.simulator.platform import Application

ANSWER = "https://app.example.com/answer"


async def create(rest: Rest, name: str = "shop", **fields: Any) -> str:
    """Create an application through the SDK; gives its id."""
    made = await rest.sdk(rest.client.applications.create, name, **{"answer_url": ANSWER, **fields})
    assert "created" == made.message
    return str(made.app_id)


async def test_life_of_an_application(rest: Rest) -> None:
    """Created, shown, changed, listed and deleted by the official SDK."""
    app_id = await create(rest, answer_method="GET")
    shown = await rest.sdk(rest.client.applications.get, app_id)
    changed = await rest.sdk(
        rest.client.applications.update, app_id, fallback_answer_url="https://b.example.com/f"
    )
    again = await rest.sdk(rest.client.applications.get, app_id)
    listed = [one.app_id for one in await rest.sdk(rest.client.applications.list)]
    await rest.sdk(rest.client.applications.delete, app_id, cascade=True)

    assert 17 == len(app_id)
    assert (ANSWER, "GET", "shop") == (shown.answer_url, shown.answer_method, shown.app_name)
    assert ANSWER == shown.hangup_url
    assert f"sip:{app_id}@app.plivo.com" == shown.sip_uri
    assert "changed" == changed.message
    assert (ANSWER, "https://b.example.com/f") == (again.answer_url, again.fallback_answer_url)
    assert [app_id] == listed
    with pytest.raises(ResourceNotFoundError, match="application not found"):
        await rest.sdk(rest.client.applications.get, app_id)


async def test_an_update_changes_what_is_sent_and_nothing_else(rest: Rest) -> None:
    """A raw update of one field leaves the rest; that of the SDK sends methods and flags as well."""
    app_id = await create(rest, answer_method="GET", default_number_app=True)
    path = f"Application/{app_id}/"
    status, _ = await rest("POST", path, {"hangup_url": "https://b.example.com/h"})
    _, raw = await rest("GET", path)
    await rest.sdk(rest.client.applications.update, app_id)
    _, reset = await rest("GET", path)

    assert 202 == status
    assert ("GET", True) == (raw["answer_method"], raw["default_app"])
    assert "https://b.example.com/h" == raw["hangup_url"] == reset["hangup_url"]
    assert ("POST", False) == (reset["answer_method"], reset["default_app"])


async def test_only_one_application_is_the_default(rest: Rest) -> None:
    """A new default takes the place of the old one."""
    ids = [await create(rest, name, default_number_app=True) for name in ("first", "second")]
    defaults = [
        one.app_id for one in await rest.sdk(rest.client.applications.list) if one.default_app
    ]

    assert ids[1:] == defaults


async def test_applications_of_numbers_are_listed(rest: Rest) -> None:
    """What a test wrote into `numbers` is one application for all numbers that share it."""
    shared = Application.at("https://bridge.example.com")
    other = Application.at("https://bridge.example.com", "SHOP")
    rest.plivo.numbers = {"1": shared, "2": shared, "3": other}
    listed = await rest.sdk(rest.client.applications.list)

    assert [shared.answer_url, other.answer_url] == [one.answer_url for one in listed]
    assert [shared.fallback_url, other.fallback_url] == [one.fallback_answer_url for one in listed]
    again = await rest.sdk(rest.client.applications.list)
    assert [one.app_id for one in listed] == [one.app_id for one in again]


async def test_a_change_reaches_the_next_call(rest: Rest) -> None:
    """The number of a changed application gets its documents elsewhere; running calls do not."""
    rest.app.documents = {"/old": "<Hangup/>", "/new": "<Hangup/>"}
    rest.plivo.numbers[CALLED] = rest.app.application(answer_url="/old")
    (one,) = await rest.sdk(rest.client.applications.list)
    rest.plivo.call(CALLER, CALLED)
    await rest.passes(5)
    await rest("POST", f"Application/{one.app_id}/", {"answer_url": f"{rest.app.url}/new"})
    rest.plivo.call(CALLER, CALLED)
    await rest.passes(5)

    assert ["/old", "/hangup", "/new", "/hangup"] == rest.app.paths()


async def test_a_deleted_application_leaves_its_numbers_alone(rest: Rest) -> None:
    """They stay rented, and have none."""
    rest.plivo.numbers = {CALLED: Application.at("https://bridge.example.com")}
    (one,) = await rest.sdk(rest.client.applications.list)
    await rest.sdk(rest.client.applications.delete, one.app_id)
    number = await rest.sdk(rest.client.numbers.get, CALLED)

    assert None is number.application
    assert 0 == len(await rest.sdk(rest.client.applications.list))


async def test_pages(rest: Rest) -> None:
    """A list has 20 objects at most and says where the next ones are; the SDK walks over it."""
    for number in range(45):
        await rest("POST", "Application/", {"app_name": f"n{number}", "answer_url": ANSWER})
    _, first = await rest("GET", "Application/?app_name=n")
    _, last = await rest("GET", "Application/?limit=20&offset=40")
    walked = await rest.sdk(lambda: [one.app_name for one in rest.client.applications])

    base = rest.plivo.api.base
    assert {
        "limit": 20,
        "offset": 0,
        "next": f"{base}/Application/?app_name=n&limit=20&offset=20",
        "previous": None,
        "total_count": 45,
    } == first["meta"]
    assert (None, f"{base}/Application/?limit=20&offset=20", 5) == (
        last["meta"]["next"],
        last["meta"]["previous"],
        len(last["objects"]),
    )
    assert [f"n{number}" for number in range(45)] == walked


@pytest.mark.parametrize(
    ("query", "named"),
    [("limit=21", "limit"), ("limit=0", "limit"), ("offset=-1", "offset"), ("limit=x", "limit")],
)
async def test_pages_have_bounds(rest: Rest, query: str, named: str) -> None:
    """A limit is 1 to 20, an offset 0 or more, both whole."""
    status, body = await rest("GET", f"Application/?{query}")

    assert (400, True) == (status, body["error"].startswith(f"{named} must be a whole number"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "app_name parameter not present"),
        ({"app_name": "a b"}, "app_name may have letters"),
        ({"app_name": True}, "app_name must be a string"),
        ({"app_name": "taken"}, "app_name 'taken' belongs to another application"),
        ({"app_name": "n", "answer_url": "x"}, "answer_url must be a URL"),
        ({"app_name": "n", "answer_method": "PUT"}, "answer_method must be one of GET, POST"),
        ({"app_name": "n", "default_number_app": "perhaps"}, "default_number_app must be true or"),
        ({"app_name": "n", "message_url": "x:y"}, "message_url must be a URL"),
    ],
)
async def test_bad_parameters_are_named(rest: Rest, fields: dict[str, Any], error: str) -> None:
    """400, a sentence that begins with the parameter, and nothing is created."""
    await create(rest, "taken")
    status, body = await rest("POST", "Application/", fields)

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert 1 == len(await rest.sdk(rest.client.applications.list))


async def test_a_bad_update_changes_nothing(rest: Rest) -> None:
    """One wrong parameter keeps the others from being taken over."""
    app_id = await create(rest)
    status, _ = await rest(
        "POST",
        f"Application/{app_id}/",
        {"default_number_app": True, "answer_method": "GET", "message_url": "nonsense"},
    )
    _, shown = await rest("GET", f"Application/{app_id}/")

    assert (400, False, "POST") == (status, shown["default_app"], shown["answer_method"])


async def test_what_is_only_kept(rest: Rest) -> None:
    """Fields that mean nothing to calls are shown as they were given."""
    app_id = await create(rest)
    given = {
        "message_url": ANSWER,
        "message_method": "GET",
        "subaccount": "SA1",
        "public_uri": True,
    }
    await rest("POST", f"Application/{app_id}/", given)
    _, shown = await rest("GET", f"Application/{app_id}/")
    _, listed = await rest("GET", "Application/?subaccount=SA1")
    _, others = await rest("GET", "Application/?subaccount=SA2")

    assert (ANSWER, "GET", "SA1", True) == (
        shown["message_url"],
        shown["message_method"],
        shown["sub_account"],
        shown["public_uri"],
    )
    assert [1, 0] == [len(listed["objects"]), len(others["objects"])]


async def test_endpoints_may_move_on_deletion(rest: Rest) -> None:
    """new_endpoint_application must exist; unknown ids are 404."""
    app_id, other = await create(rest), await create(rest, "other")
    delete = rest.client.applications.delete
    with pytest.raises(ValidationError, match="new_endpoint_application is no application"):
        await rest.sdk(delete, app_id, new_endpoint_application="1")
    await rest.sdk(delete, app_id, new_endpoint_application=other)

    for method in ("GET", "POST", "DELETE"):
        status, _ = await rest(method, f"Application/{app_id}/")
        assert 404 == status
