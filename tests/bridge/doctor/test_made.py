"""Apps that were made through JSON-RPC are examined like those of the settings."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from support_doctor import Clinic
from support_provision import SALES, add
from support_rpc import basic

from bridge.app import Bridge
from bridge.doctor.findings import Finding
from bridge.doctor.made import with_made_apps
from bridge.errors import SettingsError
from bridge.provision.wanted import application_fields, application_name
from bridge.simulator.platform import Application
from bridge.store.protocol import Commit, RecordWrite

ALONE = {"apps": {}, "rpc_login": "legacy", "rpc_password": "correct horse battery"}


async def make(bridge: Bridge, url: str, *, password: str = "", number: str = "") -> str:
    """Make an app as apps.create does, and assign a number in the store; gives its hash."""
    app = await bridge.stored_apps.create("made", url, "me" if password else "", password)
    if number:
        did = RecordWrite("did", number, 0, b'{"app_id": "1"}', scope=app.hash)
        await bridge.store.commit(Commit(records=[did]))
    return app.hash


def by_check(found: list[Finding], app_hash: str) -> dict[str, str]:
    """Give the status of every check about an app."""
    return {finding.check: finding.status for finding in found if finding.subject == app_hash}


async def test_no_app_at_all(made: Clinic) -> None:
    """Where apps are only made through JSON-RPC and none is yet, nothing is asked, nothing fails."""
    made.more = ALONE
    async with made.running():
        found = await made.examine()

    assert {"failed"}.isdisjoint(finding.status for finding in found)
    skipped = {finding.check for finding in found if finding.status == "skipped"}
    assert {"ports", "public_url"} <= skipped


async def test_app_without_number(made: Clinic) -> None:
    """It is asked, its webhooks come here, and it needs no application yet."""
    made.more = ALONE
    async with made.running() as bridge:
        app_hash = await make(bridge, made.app.url)
        found = await made.examine()

    assert {
        "app": "ok",
        "application": "skipped",
        "numbers": "skipped",
        "public_url": "ok",
    } == by_check(found, app_hash)


@pytest.mark.parametrize("assigned", [True, False])
async def test_number_of_such_an_app(made: Clinic, *, assigned: bool) -> None:
    """Its number has to lead here; otherwise apps.assign_did mends that, not provision."""
    async with made.running() as bridge:
        app_hash = await make(bridge, made.app.url, number=f"+{SALES}")
        made.plivo.numbers[SALES] = Application("")
        if assigned:
            fields = application_fields(made.settings.public_url, app_hash)
            await _assign(made, app_hash, fields)
        found = await made.examine("application", "numbers", apps=[app_hash])

    statuses = {finding.status for finding in found}
    advice = {finding.advice for finding in found}
    assert ({"ok"} if assigned else {"failed"}) == statuses
    assert assigned or all("apps.assign_did" in one for one in advice)


async def _assign(made: Clinic, app_hash: str, fields: dict[str, str]) -> None:
    application = Application(
        fields["answer_url"], fields["hangup_url"], fields["fallback_answer_url"]
    )
    registry = made.plivo.api.registry
    app_id = add(made.plivo, application_name(app_hash), application)
    registry.assign(SALES, registry.applications()[app_id])


@pytest.mark.parametrize("key", [None, "a key of the store"])
async def test_password(made: Clinic, key: str | None) -> None:
    """A password is used where the settings hold its key; otherwise the app is not asked."""
    made.more = {} if key is None else {"store_key": SecretStr(key)}
    async with made.running() as bridge:
        app_hash = await make(bridge, made.app.url, password="open sesame")
        (finding,) = await made.examine("app", apps=[app_hash])

    assert ("ok" if key else "skipped") == finding.status
    sent = [headers["Authorization"] for headers in made.app.headers]
    assert ([basic("me", "open sesame")["Authorization"]] if key else []) == sent


async def test_key_that_has_changed(made: Clinic) -> None:
    """A password that cannot be opened is not sent, and said to be lost."""
    made.more = {"store_key": SecretStr("one key")}
    async with made.running() as bridge:
        app_hash = await make(bridge, made.app.url, password="open sesame")
        made.more = {"store_key": SecretStr("another key")}
        (finding,) = await made.examine("app", apps=[app_hash])

    assert finding.sentence.startswith("Its password cannot be read: it was sealed with another")


async def test_deleted_app(made: Clinic) -> None:
    """A deleted app is none."""
    async with made.running() as bridge:
        app_hash = await make(bridge, made.app.url)
        await bridge.stored_apps.delete(app_hash)
        settings, found = await with_made_apps(made.settings)
        with pytest.raises(SettingsError, match=f"There is no app {app_hash}; configured: SHOP"):
            await made.examine(apps=[app_hash])

    assert (["SHOP"], {}) == (list(settings.apps), found)


async def test_app_that_the_settings_pin_later(made: Clinic) -> None:
    """An app of the settings is what they say, whatever the store has under its hash."""
    async with made.running() as bridge:
        app_hash = await make(bridge, "https://former.example.com/rt")
        made.apps[app_hash] = {"url": made.app.url}
        settings, found = await with_made_apps(made.settings)

    assert (made.app.url, {}) == (settings.apps[app_hash].url, found)
