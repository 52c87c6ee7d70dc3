"""Plivo's side: clock, credentials, applications and numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from support_doctor import Clinic
from support_e2e import listening
from support_plivo import ACCOUNT
from support_provision import FREE, SHOP, add

from bridge.addresses import RETRIES
from bridge.simulator.faults import Faults
from bridge.simulator.platform import Application

# --- clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_s", "status", "sentence"),
    [
        (0, "ok", "This clock and Plivo's agree: it is "),
        (-30, "warning", "This clock is 30 s ahead of Plivo's."),
        (30, "warning", "This clock is 30 s behind Plivo's."),
        (3600, "failed", "This clock is 3600 s behind Plivo's."),
    ],
)
async def test_clock(made: Clinic, ahead_s: int, status: str, sentence: str) -> None:
    """It is compared with the Date header of Plivo's API, which has whole seconds."""

    async def answer(_: web.Request) -> web.Response:
        date = datetime.now(UTC) + timedelta(seconds=ahead_s + 0.5)
        return web.Response(status=404, headers={"Date": format_datetime(date, usegmt=True)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with listening(app) as url:
        made.more["plivo_api_url"] = url
        finding = await made.one("clock", skip=("public_url", "credentials"))

    about = finding.sentence
    for near in (-1, 1):
        about = about.replace(f"{abs(ahead_s) + near} s", f"{abs(ahead_s)} s")
    assert status == finding.status
    assert about.startswith(sentence)


@pytest.mark.parametrize("told", ["soon", ""])
async def test_a_clock_nobody_tells(made: Clinic, told: str) -> None:
    """A header that is no date says nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": told})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with listening(app) as url:
        made.more["plivo_api_url"] = url
        finding = await made.one("clock")

    assert ("skipped", f"{url} does not tell the time.") == (finding.status, finding.sentence)


async def test_plivo_out_of_reach(made: Clinic) -> None:
    """Nobody tells the time, and the credentials cannot be tried."""
    made.more["plivo_api_url"] = "http://127.0.0.1:9"

    clock, credentials, *others = await made.examine(
        "clock", "credentials", "application", "numbers"
    )

    assert ("skipped", "http://127.0.0.1:9 does not tell the time: Connection refused.") == (
        clock.status,
        clock.sentence,
    )
    assert ("failed", "See whether this machine reaches BRIDGE_PLIVO_API_URL.") == (
        credentials.status,
        credentials.advice,
    )
    assert [("skipped", "Plivo was not asked.")] * 2 == [(f.status, f.sentence) for f in others]


# --- credentials ------------------------------------------------------------------------------


async def test_wrong_credentials(made: Clinic) -> None:
    """Plivo refuses them, and they are not repeated."""
    made.more["plivo_auth_tokens"] = ["wr0ng-t0ken"]

    finding = await made.one("credentials")

    assert "failed" == finding.status
    assert finding.sentence.startswith("Plivo: list applications: 401 authentication failed")
    assert finding.advice.startswith("Copy BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN")
    assert "wr0ng-t0ken" not in repr(finding)


async def test_no_credentials(made: Clinic) -> None:
    """A bridge may do without them."""
    made.more |= {
        "plivo_auth_id": None,
        "plivo_auth_tokens": None,
        "verify_signatures": False,
        "plivo_rest": False,
    }

    found = await made.examine("credentials", "application", "numbers")

    assert [("skipped", "No Plivo credentials are configured.")] * 3 == [
        (finding.status, finding.sentence) for finding in found
    ]


async def test_right_credentials(made: Clinic) -> None:
    """They are tried by listing the applications."""
    finding = await made.one("credentials")

    assert ("ok", f"Plivo accepts the credentials of {ACCOUNT.auth_id}.") == (
        finding.status,
        finding.sentence,
    )


# --- application ------------------------------------------------------------------------------


async def test_an_application_as_provisioned(made: Clinic) -> None:
    """Its URLs are ours."""
    made.provision()

    finding = await made.one("application")

    assert ("ok", "SHOP") == (finding.status, finding.subject)
    assert finding.sentence.startswith("The application rt-bridge-SHOP (")


async def test_an_application_somebody_made_by_hand(made: Clinic) -> None:
    """Whatever its name is: it asks our answer URL."""
    base = f"{made.proxy.url}/plivo/SHOP"
    app_id = add(
        made.plivo,
        "by-hand",
        Application(f"{base}/answer", f"{base}/hangup", f"{base}/fallback", "GET", "GET"),
    )

    finding = await made.one("application")

    assert ("warning", f"The application by-hand ({app_id}) has our URLs, without our retry") == (
        finding.status,
        finding.sentence.removesuffix(" fragments."),
    )


async def test_no_application(made: Clinic) -> None:
    """Plivo does not know of the bridge."""
    finding = await made.one("application")

    assert (
        "failed",
        "Plivo has no application rt-bridge-SHOP, and none with our answer URL.",
        "Run rt-bridge provision --plan, then --apply.",
    ) == (finding.status, finding.sentence, finding.advice)


@pytest.mark.parametrize(
    ("changes", "status", "end"),
    [
        ({"hangup_url": ""}, "warning", "has no hangup URL of its own."),
        (
            {"fallback_url": ""},
            "warning",
            "has no fallback URL: a call fails when the answer URL does.",
        ),
        (
            {"answer_url": "https://other.example.com/"},
            "failed",
            "has another answer_url than ours.",
        ),
        (
            {"hangup_url": "https://other.example.com/", "fallback_url": ""},
            "failed",
            "has another hangup_url and fallback_answer_url than ours.",
        ),
    ],
)
async def test_other_urls(made: Clinic, changes: dict[str, str], status: str, end: str) -> None:
    """What hinders calls has failed, what makes them less safe is a warning."""
    made.provision(**changes)

    finding = await made.one("application")

    assert status == finding.status
    assert finding.sentence.endswith(end), finding


async def test_methods_may_be_either(made: Clinic) -> None:
    """The bridge takes GET as well as POST."""
    made.provision(answer_method="GET")

    assert "ok" == (await made.one("application")).status


async def test_the_one_of_two_that_asks_us(made: Clinic) -> None:
    """An application that has our name but not our URL is not the one that counts."""
    base = f"{made.proxy.url}/plivo/SHOP"
    add(made.plivo, "rt-bridge-SHOP", Application("https://old.example.com/"))
    app_id = add(
        made.plivo,
        "by-hand",
        Application(
            f"{base}/answer{RETRIES}", f"{base}/hangup{RETRIES}", f"{base}/fallback{RETRIES}"
        ),
    )

    finding = await made.one("application")

    assert ("ok", f"The application by-hand ({app_id}) has our URLs.") == (
        finding.status,
        finding.sentence,
    )


# --- numbers ----------------------------------------------------------------------------------


async def test_numbers_as_provisioned(made: Clinic) -> None:
    """They belong to the app."""
    made.apps["SHOP"] = {"url": made.app.url, "numbers": [f"+{SHOP}", f"+{FREE}"]}
    made.provision()

    finding = await made.one("numbers")

    assert ("ok", "2 numbers belong to this app.") == (finding.status, finding.sentence)


async def test_numbers_that_are_elsewhere_or_nowhere(made: Clinic) -> None:
    """Each kind is a finding of its own."""
    made.provision()
    made.plivo.numbers[FREE] = Application("https://old.example.com/")
    made.apps["SHOP"] = {
        "url": made.app.url,
        "numbers": [f"+{SHOP}", f"+{FREE}", "+33100000000"],
    }

    found = await made.examine("numbers")

    assert [
        ("failed", "The account does not rent +33100000000."),
        ("failed", f"Calls of +{FREE} do not come to this app."),
    ] == [(finding.status, finding.sentence) for finding in found]


async def test_an_app_without_numbers(made: Clinic) -> None:
    """There is nothing to look at."""
    made.apps["SHOP"] = {"url": made.app.url}

    finding = await made.one("numbers")

    assert ("skipped", "No numbers are configured for this app.") == (
        finding.status,
        finding.sentence,
    )


async def test_numbers_that_plivo_does_not_tell(made: Clinic) -> None:
    """Plivo fails in the middle of it."""
    made.provision()
    made.plivo.faults = Faults.parse(["rest_500:Number"], seed=1)

    finding = await made.one("numbers")

    assert ("failed", "Repeat this command.") == (finding.status, finding.advice)
    assert finding.sentence.startswith(f"Plivo: get number {SHOP}: 500")


@pytest.mark.parametrize("fault", ["rest_500", "rest_429", "rest_lost"])
async def test_one_failure_of_plivo(made: Clinic, fault: str) -> None:
    """What is only read is asked for again."""
    made.provision()
    made.plivo.faults = Faults.parse([f"{fault}:*#1"], seed=1)

    found = await made.examine("credentials", "application", "numbers")

    assert ["ok"] * 3 == [finding.status for finding in found]
