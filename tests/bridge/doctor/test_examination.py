from __future__ import annotations

from support_doctor import Clinic
from support_plivo import ACCOUNT

from bridge.doctor.findings import CHECKS, Finding


async def test_a_deployment_in_order(made: Clinic) -> None:
    """Every check is made, in order, and finds nothing to complain of but plain HTTP on loopback."""
    async with made.running():
        made.provision()

        found = await made.examine()

    assert sorted(CHECKS) == sorted({finding.check for finding in found})
    assert [
        ("settings", "ok"),
        ("store", "ok"),
        ("media", "skipped"),
        ("ports", "ok"),
        ("ports", "ok"),
        ("app", "ok"),
        ("clock", "ok"),
        ("credentials", "ok"),
        ("application", "ok"),
        ("numbers", "ok"),
        ("public_url", "ok"),
        ("public_url", "ok"),
    ] == [(finding.check, finding.status) for finding in found], found


async def test_the_doctor_changes_nothing(made: Clinic) -> None:
    """Plivo is only read, the app hears of an end alone, and the bridge has no call."""
    async with made.running() as bridge:
        made.provision()

        await made.examine()

        assert 0 == await bridge.store.count_live()
        assert 0 == await bridge.store.outbox_size()
    assert {"GET"} == {entry.data["method"] for entry in made.plivo.timeline.of("rest")}
    assert ["HANGUP"] == [request["call_status"] for request in made.app.requests]


async def test_checks_that_are_skipped(made: Clinic) -> None:
    """They are listed as skipped and ask nobody."""
    skip = tuple(check for check in CHECKS if check != "settings")

    found = await made.examine(skip=skip)

    assert [Finding(check, "skipped", "Not wanted.") for check in skip] == found[1:]
    assert [] == made.app.requests
    assert [] == made.plivo.timeline.of("rest")


async def test_one_of_several_checks_is_skipped(made: Clinic) -> None:
    """Credentials are needed to look at applications, and are not shown when nobody wants them."""
    made.provision()

    found = await made.examine("credentials", "application", skip=("credentials",))

    assert ["skipped", "ok"] == [finding.status for finding in found]


async def test_warnings_of_the_settings(made: Clinic) -> None:
    """They are findings, and the settings are valid all the same."""
    made.more["store"] = "memory:"

    finding = await made.one("settings")

    assert (
        "warning",
        "BRIDGE_STORE is memory: live calls are lost when the bridge stops.",
        "docs/doctor.md#settings",
    ) == (finding.status, finding.sentence, finding.doc)


async def test_one_app_of_several(made: Clinic) -> None:
    """With --app the others are not asked."""
    made.apps["SALES"] = {"url": "http://127.0.0.1:9/rt"}

    found = await made.examine("app", apps=("SHOP",))

    assert [("SHOP", "ok")] == [(finding.subject, finding.status) for finding in found]


async def test_every_app(made: Clinic) -> None:
    """Without it each has its own finding."""
    made.apps["SALES"] = {"url": "http://127.0.0.1:9/rt"}

    found = await made.examine("app", "application", "numbers")

    assert [("SHOP", "ok"), ("SALES", "failed")] == [
        (finding.subject, finding.status) for finding in found if finding.check == "app"
    ]
    assert ["SHOP", "SALES"] == [f.subject for f in found if f.check == "application"]
    assert ACCOUNT.auth_token not in repr(found)
