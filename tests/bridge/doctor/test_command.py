from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support_doctor import Clinic
from support_plivo import ACCOUNT
from support_serve import Serving, cli

from bridge.__main__ import main
from bridge.doctor.findings import CHECKS


def environment(made: Clinic, **changes: str) -> dict[str, str]:
    """Write the settings of a deployment as variables."""
    settings = made.settings
    return {
        "BRIDGE_PUBLIC_URL": settings.public_url,
        "BRIDGE_LISTEN": str(settings.listen),
        "BRIDGE_ADMIN_LISTEN": str(settings.admin_listen),
        "BRIDGE_PLIVO_AUTH_ID": ACCOUNT.auth_id,
        "BRIDGE_PLIVO_AUTH_TOKEN": ACCOUNT.auth_token,
        "BRIDGE_PLIVO_API_URL": settings.plivo_api_url,
        "BRIDGE_PLIVO_REST": "true",
        "BRIDGE_STORE": settings.store,
        "BRIDGE_APP_HASH": "SHOP",
        "BRIDGE_APP_URL": made.app.url,
        "BRIDGE_APP_NUMBERS": "+33187654321",
        **changes,
    }


async def doctor(made: Clinic, *arguments: str, **changes: str) -> Result:
    """Run the command, while everything answers."""
    env = environment(made, **changes)
    return await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *arguments], env=env)


@pytest.mark.slow
async def test_beside_a_running_bridge(made: Clinic) -> None:
    """`rt-bridge serve` in one process, the doctor in another, a proxy before both: ready."""
    settings = environment(made) | {"BRIDGE_LISTEN": "127.0.0.1:0"}
    async with Serving(**settings) as serving:
        ready = await serving.ready()
        listen, admin = ready["listen"], ready["admin"]
        made.proxy.upstream = f"http://{listen}"
        made.ports = int(listen.rpartition(":")[2]), int(admin.rpartition(":")[2])
        made.provision()
        done = await asyncio.to_thread(cli, "doctor", env=environment(made))
        stopped = await serving.stop()
    idle = await asyncio.to_thread(cli, "doctor", env=environment(made))

    assert (0, 0) == (done.returncode, stopped), done.stdout + done.stderr
    assert b"" == done.stderr
    assert done.stdout.endswith(b"Ready.\n")
    assert (
        f"ok       public_url SHOP: {made.proxy.url} leads to this bridge, and signatures are "
        "right.\n"
    ) in done.stdout.decode()
    assert 1 == idle.returncode
    assert idle.stdout.endswith(b"Not ready: 1 check failed.\n")


async def test_text(made: Clinic) -> None:
    """A line for each finding, and below it what to do and where it is explained."""
    made.more["store"] = "memory:"

    result = await doctor(made, "--skip", "public_url", "--skip", "ports", "--skip", "clock")

    lines = result.stdout.splitlines()
    assert 1 == result.exit_code
    assert [
        "warning  settings: BRIDGE_STORE is memory: live calls are lost when the bridge stops.",
        "         See docs/settings.md. (docs/doctor.md#settings)",
        "ok       store: The store memory can be written.",
        "skipped  media: No media directory is configured.",
        "skipped  ports: Not wanted.",
    ] == lines[:5]
    sentence = "Plivo has no application rt-bridge-SHOP, and none with our answer URL."
    assert [
        f"failed   application SHOP: {sentence}",
        "         Run rt-bridge provision --plan, then --apply. (docs/doctor.md#application)",
        "failed   numbers SHOP: The account does not rent +33187654321.",
        "         Rent them, or correct the numbers in the settings. (docs/doctor.md#numbers)",
        "skipped  public_url: Not wanted.",
        "Not ready: 2 checks failed.",
    ] == lines[-6:]


async def test_json(made: Clinic) -> None:
    """One object: whether it is ready, and every finding."""
    made.provision()

    result = await doctor(made, "--format", "json", "--skip", "public_url", "--app", "SHOP")

    shown: dict[str, Any] = json.loads(result.stdout)
    assert (0, True) == (result.exit_code, shown["ready"])
    assert list(CHECKS) == list(dict.fromkeys(one["check"] for one in shown["checks"]))
    assert {
        "check": "numbers",
        "subject": "SHOP",
        "status": "ok",
        "sentence": "1 number belongs to this app.",
        "advice": None,
        "doc": "docs/doctor.md#numbers",
    } in shown["checks"]


async def test_a_dry_call_has_to_be_wanted(made: Clinic) -> None:
    """Only with --dry-call the app hears of a new call."""
    others = [part for check in CHECKS[1:] if check != "app" for part in ("--skip", check)]

    await doctor(made, *others)
    await doctor(made, *others, "--dry-call")

    assert ["HANGUP", "UP", "HANGUP"] == [one["call_status"] for one in made.app.requests]


@pytest.mark.parametrize("output", ["text", "json"])
async def test_wrong_settings(made: Clinic, output: str) -> None:
    """Each fault is a failed check: status 2, and nothing else is looked at."""
    result = await doctor(made, "--format", output, BRIDGE_PUBLIC_URL="x", BRIDGE_LOG_LEVEL="loud")

    assert 2 == result.exit_code
    assert [] == made.app.requests
    if output == "json":
        shown = json.loads(result.stdout)
        assert [("settings", "failed")] * 2 == [
            (one["check"], one["status"]) for one in shown["checks"]
        ]
        assert not shown["ready"]
    else:
        assert "failed   settings: BRIDGE_PUBLIC_URL" in result.stdout
        assert "failed   settings: BRIDGE_LOG_LEVEL" in result.stdout


async def test_an_unknown_app(made: Clinic) -> None:
    """Status 2, and which apps there are."""
    result = await doctor(made, "--app", "SHOE")

    assert 2 == result.exit_code
    assert "There is no app SHOE; configured: SHOP." in result.stdout


async def test_an_unknown_check(made: Clinic) -> None:
    """Status 2, and which checks there are."""
    result = await doctor(made, "--skip", "weather")

    assert 2 == result.exit_code
    assert "public_url" in result.stderr


async def test_retries_are_not_printed(made: Clinic, capfd: pytest.CaptureFixture[str]) -> None:
    """Log lines about requests that were repeated do not come between the findings."""
    result = await doctor(
        made, "--format", "json", "--skip", "public_url", BRIDGE_PLIVO_API_URL="http://127.0.0.1:9"
    )

    assert not json.loads(result.stdout)["ready"]
    assert ("", "") == capfd.readouterr()
