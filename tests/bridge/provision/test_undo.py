from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from support_plivo import ACCOUNT
from support_provision import FREE, SALES, SHOP, Desk, urls

from bridge.simulator.platform import Application

OTHERS = Application("https://a.example.com/a", "https://a.example.com/h", "", "GET")


def change(office: Desk, name: str, **fields: Any) -> None:
    """Let somebody change an application in the Plivo console."""
    registry = office.plivo.api.registry
    (found,) = (one for one in registry.applications().values() if one.name == name)
    registry.change(found, **fields)


def assign(office: Desk, number: str, name: str) -> None:
    """Let somebody assign a number in the Plivo console."""
    registry = office.plivo.api.registry
    (found,) = (one for one in registry.applications().values() if one.name == name)
    registry.assign(number, found)


async def test_undo_puts_everything_back(office: Desk) -> None:
    """What was created is deleted, what was changed is as before, every number has what it had."""
    office.add("rt-bridge-SHOP", OTHERS)
    shop = json.dumps([f"+{SHOP}", f"+{FREE}"])
    before = office.shown()
    applied = await office.apply("--force", shop=shop)
    changed = office.shown()

    result = await office.undo(shop=shop)

    assert (0, 0) == (applied.exit_code, result.exit_code), applied.output + result.output
    assert before != changed
    assert before == office.shown()
    assert not office.state.exists()


async def test_undo_without_anything_to_put_back(office: Desk) -> None:
    """There was no apply: status 0, and nothing is changed."""
    result = await office.undo()

    assert (0, []) == (result.exit_code, office.writes())
    assert result.stdout.endswith("Nothing to do.\n")


async def test_undo_after_several_applies(office: Desk) -> None:
    """What was there before the first one comes back."""
    office.add("rt-bridge-SHOP", OTHERS)
    before = office.shown()
    for host in ("one", "two", "three"):
        await office.apply(public_url=f"https://{host}.example.com")

    result = await office.undo()

    assert 0 == result.exit_code, result.output
    assert before == office.shown()


async def test_undo_sends_only_what_was_changed(office: Desk) -> None:
    """Of an application only the fields that differ are sent back."""
    app_id = office.add("rt-bridge-SHOP", OTHERS)
    await office.apply("--app", "SHOP")
    count = len(office.writes())

    await office.undo()

    assert [
        ("POST Number", {"app_id": ""}),
        (
            "POST Application",
            {
                "answer_url": OTHERS.answer_url,
                "answer_method": "GET",
                "hangup_url": OTHERS.hangup_url,
                "fallback_answer_url": "",
            },
        ),
    ] == office.writes()[count:]
    assert app_id in office.plivo.api.registry.applications()


async def test_undo_of_one_app(office: Desk) -> None:
    """With --app the rest stays, and can be put back later."""
    before = office.shown()
    await office.apply()

    one = await office.undo("--app", "SHOP")
    between = office.shown()
    rest = await office.undo()

    assert (0, 0) == (one.exit_code, rest.exit_code), one.output + rest.output
    assert ({"old-ivr", "rt-bridge-SALES"}, "", "rt-bridge-SALES") == (
        set(between[0]),
        between[1][SHOP],
        between[1][SALES],
    )
    assert before == office.shown()


async def test_undo_deletes_no_endpoints(office: Desk) -> None:
    """Endpoints of an application that is deleted stay."""
    await office.apply("--app", "SHOP")

    await office.undo()

    assert ("DELETE Application", {"cascade": False}) == office.writes()[-1]


# --- what others did since --------------------------------------------------------------------


async def test_a_field_that_somebody_changed_since(office: Desk) -> None:
    """It is overwritten only with --force."""
    office.add("rt-bridge-SHOP", OTHERS)
    before = office.shown()
    await office.apply()
    change(office, "rt-bridge-SHOP", answer_url="https://new.example.com/")

    refused = await office.undo()
    forced = await office.undo("--force")

    assert (4, 0) == (refused.exit_code, forced.exit_code), forced.output
    assert (
        "Conflict: Somebody changed answer_url of rt-bridge-SHOP since. Allow it with --force.\n"
    ) in refused.stdout
    assert before == office.shown()


async def test_a_number_that_somebody_assigned_since(office: Desk) -> None:
    """It is taken back only when that is allowed."""
    before = office.shown()
    await office.apply()
    assign(office, SHOP, "old-ivr")

    refused = await office.undo()
    taken = await office.undo("--take", SHOP)

    assert (4, 0) == (refused.exit_code, taken.exit_code), taken.output
    assert f"Conflict: +{SHOP} was given to rt-bridge-SHOP, and belongs to" in refused.stdout
    assert before == office.shown()


async def test_an_application_that_somebody_needs_now(office: Desk) -> None:
    """It was created, and is not deleted under a number that got it from somebody else."""
    await office.apply()
    assign(office, FREE, "rt-bridge-SHOP")

    refused = await office.undo()
    forced = await office.undo("--force")

    assert (4, 0) == (refused.exit_code, forced.exit_code)
    assert (
        f"Conflict: rt-bridge-SHOP was created and would be deleted, and +{FREE} would be without "
        "an application. Allow it with --force.\n"
    ) in refused.stdout
    assert {SHOP: "", SALES: "", FREE: ""} == office.shown()[1]


async def test_what_is_gone(office: Desk) -> None:
    """Nothing can be put back on what was deleted or given back; it is remarked."""
    office.add("rt-bridge-SHOP", OTHERS)
    await office.apply()
    registry = office.plivo.api.registry
    for one in list(registry.applications().values()):
        if one.name != "old-ivr":
            registry.remove(one)
    del office.plivo.numbers[SALES]

    result = await office.undo()

    assert 0 == result.exit_code, result.output
    assert (
        f"Note: +{SALES} is rented no more: there is nothing to put back.\n"
        "Note: rt-bridge-SHOP exists no more: there is nothing to put back.\n"
    ) in result.stdout
    assert not office.state.exists()


async def test_a_change_between_two_applies(office: Desk) -> None:
    """What somebody changed, and the second apply changed again, is what comes back."""
    office.add("rt-bridge-SHOP", OTHERS)
    await office.apply("--app", "SHOP")
    change(office, "rt-bridge-SHOP", answer_url="https://new.example.com/")
    assign(office, SHOP, "old-ivr")
    await office.apply("--app", "SHOP", "--force")

    result = await office.undo()

    applications, numbers = office.shown()
    assert 0 == result.exit_code, result.output
    assert ("https://new.example.com/", OTHERS.hangup_url) == (
        applications["rt-bridge-SHOP"]["answer_url"],
        applications["rt-bridge-SHOP"]["hangup_url"],
    )
    assert "old-ivr" == numbers[SHOP]


async def test_plivo_that_assigns_another_application(
    office: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that had none must have none: it is looked at, because no page promises that."""
    await office.apply()
    registry = office.plivo.api.registry
    (default,) = (one for one in registry.applications().values() if one.name == "old-ivr")
    real = registry.assign

    def assign_default(number: str, registered: Any) -> None:
        real(number, registered or default)

    monkeypatch.setattr(registry, "assign", assign_default)
    refused = await office.undo()
    monkeypatch.setattr(registry, "assign", real)
    done = await office.undo("--take", SHOP)

    assert (3, 0) == (refused.exit_code, done.exit_code), done.output
    assert (
        f"+{SHOP} had no application, and Plivo gave it {default.app_id} instead of none; take "
        "that away in the Plivo console, then repeat --undo.\n"
    ) == refused.stderr
    assert {SHOP: "", SALES: "", FREE: "old-ivr"} == office.shown()[1]


# --- the file ---------------------------------------------------------------------------------


async def test_the_state_is_its_owners(office: Desk) -> None:
    """It can be read by nobody else, and holds no token."""
    await office.apply()

    assert 0o600 == stat.S_IMODE(office.state.stat().st_mode)
    assert ACCOUNT.auth_token not in office.state.read_text()
    assert {"version", "api_url", "auth_id", "applications", "numbers"} == set(office.saved)
    assert {"bridge.toml", office.state.name} == {path.name for path in office.folder.iterdir()}


async def test_the_state_elsewhere(office: Desk) -> None:
    """--state names another file."""
    elsewhere = office.folder / "elsewhere.json"

    await office.apply("--state", str(elsewhere))
    found = elsewhere.exists(), office.state.exists()
    result = await office.undo("--state", str(elsewhere))

    assert ((True, False), 0) == (found, result.exit_code)
    assert urls("SHOP") not in office.shown()[0].values()


async def test_the_state_of_another_account(office: Desk) -> None:
    """It is not used: status 2."""
    await office.apply()
    text = office.state.read_text().replace(ACCOUNT.auth_id, "MAYYYYYYYYYYYYYYYYYY")
    office.state.write_text(text)

    result = await office.undo()

    assert 2 == result.exit_code
    assert f"{office.state} is about the account MAYYYYYYYYYYYYYYYYYY" in result.stderr


@pytest.mark.parametrize("content", ["", "{}", "no JSON", '{"version": 2}'])
async def test_a_state_that_is_none(office: Desk, content: str) -> None:
    """Nothing is changed by it: status 2."""
    office.state.write_text(content)

    result = await office.apply()

    assert (2, []) == (result.exit_code, office.writes())
    assert f"{office.state} is no state of rt-bridge provision" in result.stderr


async def test_a_state_that_cannot_be_written(office: Desk) -> None:
    """No request is made whose change could not be put back: status 2."""
    missing = office.folder / "missing" / "state.json"

    result = await office.apply("--state", str(missing))

    assert (2, []) == (result.exit_code, office.writes())
    assert f"{missing} cannot be used (No such file or directory); make it" in result.stderr


async def test_a_state_that_is_a_directory(office: Desk) -> None:
    """It is refused as wrong usage before anything is asked."""
    result = await office.apply("--state", str(office.folder))

    assert (2, []) == (result.exit_code, office.writes())
