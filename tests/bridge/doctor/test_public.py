"""Whether the public URL leads to this bridge, and what answers there when it does not."""

from __future__ import annotations

import itertools
import json

import pytest
from aiohttp import web
from support_doctor import Clinic
from support_e2e import listening
from support_plivo import ACCOUNT

from bridge.app import Bridge
from bridge.doctor.findings import Finding
from bridge.health import INSTANCE
from bridge.webhooks import NO_CALL


async def test_it_leads_here(made: Clinic) -> None:
    """A signed request comes to the process behind the admin listener, an unsigned one is refused."""
    async with made.running():
        found = await made.examine("public_url")

    assert [
        Finding(
            "public_url",
            "ok",
            f"{made.proxy.url} leads to this bridge, and signatures are right.",
            "",
            "SHOP",
        ),
        Finding("public_url", "ok", "Requests without a signature are refused."),
    ] == found


@pytest.mark.parametrize("stripping", [False, True])
async def test_it_has_a_path(made: Clinic, stripping: bool) -> None:
    """A proxy may take the path away, or leave it."""
    path = "/voice/in"
    made.proxy.strip = path if stripping else ""
    made.more["public_url"] = made.proxy.url + path

    async with made.running():
        found = await made.examine("public_url")

    assert ["ok", "ok"] == [finding.status for finding in found], found


async def test_nothing_answers(made: Clinic) -> None:
    """The bridge does not run, or nothing listens there."""
    made.more["public_url"] = "http://127.0.0.1:9"

    idle = await made.one("public_url")
    async with made.running():
        running = await made.one("public_url")

    assert (
        "failed",
        "Nothing answers at http://127.0.0.1:9: Connection refused.",
        "Start rt-bridge serve, and let BRIDGE_PUBLIC_URL lead to BRIDGE_LISTEN.",
    ) == (idle.status, idle.sentence, idle.advice)
    assert (
        "failed",
        "Let BRIDGE_PUBLIC_URL lead to BRIDGE_LISTEN: check its host, port and proxy.",
    ) == (running.status, running.advice)


async def test_a_proxy_without_a_bridge(made: Clinic) -> None:
    """Its error page is no bridge."""
    made.proxy.upstream = "http://127.0.0.1:9"

    finding = await made.one("public_url")

    assert "failed" == finding.status
    assert (
        f"What answers at {made.proxy.url} is no bridge of this version (status 502: Bad gateway)."
    ) == finding.sentence


async def test_a_long_page(made: Clinic) -> None:
    """Of a long page only the beginning is shown, and that it goes on."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="Welcome\n" * 100)

    made.proxy.change = page

    finding = await made.one("public_url")

    assert finding.sentence.endswith("Welcome Welcome…).")


async def test_a_redirect(made: Clinic) -> None:
    """Plivo signs the URL it was given, so a redirect is no way to the bridge."""

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "https://voice.example.com/x?k=1"})

    made.proxy.change = redirect

    finding = await made.one("public_url")

    assert "failed" == finding.status
    assert finding.sentence.endswith("a redirect to https://voice.example.com/x?k=***.")
    assert finding.advice.startswith("Set BRIDGE_PUBLIC_URL to where the redirect leads")


async def test_another_token(made: Clinic) -> None:
    """A bridge with another token does not accept our signature."""
    async with made.running():
        made.more["plivo_auth_tokens"] = ["another"]
        finding = await made.one("public_url")

    assert "failed" == finding.status
    assert finding.sentence.endswith("and does not accept our signature.")


async def test_a_token_that_is_being_rotated(made: Clinic) -> None:
    """The first token signs; the bridge accepts every one it has."""
    made.more["plivo_auth_tokens"] = ["old-one", ACCOUNT.auth_token]
    async with made.running():
        made.more["plivo_auth_tokens"] = [ACCOUNT.auth_token]
        found = await made.examine("public_url")

    assert ["ok", "ok"] == [finding.status for finding in found]


async def test_another_bridge(made: Clinic) -> None:
    """A bridge with the same token, but another process than that of the admin listener."""
    async with made.running():
        ports = made.ports
        made.ports = (0, 0)
        other = Bridge(
            made.settings.model_copy(update={"store": "memory:", "shutdown_grace_s": 0.0})
        )
        await other.start()
        made.ports = ports
        made.proxy.upstream = f"http://127.0.0.1:{other.port}"
        finding = await made.one("public_url")
        await other.stop()

    assert ("failed", f"Another bridge answers at {made.proxy.url}, with the same token.") == (
        finding.status,
        finding.sentence,
    )


@pytest.mark.parametrize(("ours", "status"), [((1, 0), "ok"), ((0, 0, 1), "ok"), ((0,), "warning")])
async def test_replicas(made: Clinic, ours: tuple[int, ...], status: str) -> None:
    """With a shared store it is enough that this process is among those that answer."""
    turns = itertools.cycle(ours)

    async def balance(http: web.Request) -> web.Response:
        if not http.headers.get("X-Plivo-Signature-V3"):
            return web.Response(status=403)
        name = bridge.session.runtime.instance if next(turns) else "another"
        return web.Response(headers={INSTANCE: name})

    made.proxy.change = balance
    async with made.running() as bridge:
        made.more["store"] = "redis://127.0.0.1:9/0"
        found = await made.examine("public_url")

    assert [status, "ok"] == [finding.status for finding in found], found


async def test_a_bridge_on_another_machine(made: Clinic) -> None:
    """Without the admin listener nobody can say which bridge it is."""
    async with made.running():
        made.ports = (made.ports[0], 9)
        found = await made.examine("public_url")

    assert ["warning", "ok"] == [finding.status for finding in found]
    assert found[0].sentence.endswith(
        "which one is unknown, as nothing answers at 127.0.0.1:9 (Connection refused)."
    )


async def test_an_app_the_running_bridge_does_not_know(made: Clinic) -> None:
    """Its settings are older than those that are examined."""
    async with made.running():
        made.apps["SALES"] = {"url": made.app.url}
        found = await made.examine("public_url")

    assert [("SHOP", "ok"), ("SALES", "failed"), ("", "ok")] == [
        (finding.subject, finding.status) for finding in found
    ]
    assert "Restart rt-bridge serve with these settings." == found[1].advice


async def test_a_bridge_that_verifies_nothing(made: Clinic) -> None:
    """It runs with signatures off although the settings want them; or they do not."""
    async with made.running(verify_signatures=False):
        wanted = await made.examine("public_url")
        made.more["verify_signatures"] = False
        unwanted = await made.examine("public_url")

    assert ["ok", "failed"] == [finding.status for finding in wanted]
    assert wanted[1].sentence.startswith("A request without a signature was not refused")
    assert ["ok", "skipped"] == [finding.status for finding in unwanted]


async def test_an_unsigned_probe_learns_nothing(made: Clinic) -> None:
    """The name of the process is told to signed requests alone, and on the admin listener."""
    async with made.running() as bridge:
        assert made.proxy.session is not None
        url = f"http://127.0.0.1:{bridge.port}/plivo/SHOP/{NO_CALL}/0/next"
        async with made.proxy.session.post(url, data={"CallUUID": "x"}) as response:
            unsigned = response.status, INSTANCE in response.headers
        admin = f"http://127.0.0.1:{bridge.admin_port}/healthz"
        async with made.proxy.session.get(admin) as response:
            named = response.headers[INSTANCE]

    assert (403, False) == unsigned
    assert (32, bridge.session.runtime.instance) == (len(named), named)


@pytest.mark.parametrize("body", ["no JSON", json.dumps({"status": "ready"}), "[]"])
async def test_something_else_on_the_admin_listener(made: Clinic, body: str) -> None:
    """It may even answer with a name: without the report of a bridge it is none."""

    async def answer(http: web.Request) -> web.Response:
        headers = {INSTANCE: "x"} if http.path == "/healthz" else {}
        return web.Response(text=body, content_type="application/json", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with made.running(), listening(app) as url:
        made.ports = (made.ports[0], int(url.rpartition(":")[2]))
        found = await made.examine("public_url")

    assert "warning" == found[0].status
    assert f"as 127.0.0.1:{made.ports[1]} is answered by something else" in found[0].sentence
