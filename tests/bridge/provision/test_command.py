from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from support_plivo import ACCOUNT
from support_provision import FREE, OLD, PUBLIC, SALES, SHOP, Desk, urls

from bridge.__main__ import main
from bridge.addresses import RETRIES
from bridge.provision.command import remarks
from bridge.settings import Settings
from bridge.simulator.platform import Application

APPLICATIONS = {"rt-bridge-SHOP": urls("SHOP"), "rt-bridge-SALES": urls("SALES")}


def old(office: Desk) -> dict[str, str]:
    """Give the fields of the application that is none of ours."""
    return office.shown()[0]["old-ivr"]


# --- plan -------------------------------------------------------------------------------------


async def test_plan_shows_what_would_be_made(office: Desk) -> None:
    """Each application with its fields, each number with what it gets; status 1, nothing changed."""
    before = office.shown()

    result = await office.provision("--plan")

    assert 1 == result.exit_code
    assert (
        f"Plivo account {ACCOUNT.auth_id}; state file {office.state}\n"
        "create application rt-bridge-SHOP\n"
        f"  + answer_url           {PUBLIC}/plivo/SHOP/answer{RETRIES}\n"
        "  + answer_method        POST\n"
        f"  + hangup_url           {PUBLIC}/plivo/SHOP/hangup{RETRIES}\n"
        "  + hangup_method        POST\n"
        f"  + fallback_answer_url  {PUBLIC}/plivo/SHOP/fallback{RETRIES}\n"
        "  + fallback_method      POST\n"
    ) == result.stdout.partition("create application rt-bridge-SALES")[0]
    assert result.stdout.endswith(
        f"assign number +{SHOP}\n"
        "  - application          (none)\n"
        "  + application          rt-bridge-SHOP\n"
        f"assign number +{SALES}\n"
        "  - application          (none)\n"
        "  + application          rt-bridge-SALES\n"
        "Plan: 2 applications to create, 2 numbers to assign.\n"
    )
    assert ([], before, False) == (office.writes(), office.shown(), office.state.exists())


async def test_nothing_to_do(office: Desk) -> None:
    """What was applied needs no plan: status 0, and no request that changes something."""
    await office.apply()
    count = len(office.writes())

    planned, applied = await office.provision("--plan"), await office.provision("--apply")

    assert (0, 0) == (planned.exit_code, applied.exit_code)
    assert planned.stdout.endswith("Nothing to do.\n")
    assert count == len(office.writes())


async def test_plan_as_json(office: Desk) -> None:
    """The same, for programs."""
    app_id = office.add("rt-bridge-SHOP", Application("https://me:pw@x.example.com/a?token=abc"))

    result = await office.provision("--plan", "--format", "json", "--app", "SHOP")

    shown: dict[str, Any] = json.loads(result.stdout)
    update, assign = shown["changes"]
    assert (1, "plan", "different", None) == (
        result.exit_code,
        shown["action"],
        shown["status"],
        shown["error"],
    )
    assert (ACCOUNT.auth_id, str(office.state)) == (shown["account"], shown["state"])
    assert ("update", "rt-bridge-SHOP", app_id) == (
        update["kind"],
        update["application"],
        update["app_id"],
    )
    assert {
        "field": "answer_url",
        "old": "https://x.example.com/a?token=***",
        "new": urls("SHOP")["answer_url"],
    } == update["fields"][0]
    assert ("assign", f"+{SHOP}", False) == (assign["kind"], assign["number"], assign["done"])


async def test_secrets_in_urls_of_others_are_not_shown(office: Desk) -> None:
    """A login and the values of a query are hidden in the plan."""
    office.add("rt-bridge-SHOP", Application("https://me:pw@x.example.com/a?token=abc#rc=1"))

    result = await office.provision("--plan")

    assert "- answer_url           https://x.example.com/a?token=***#rc=1\n" in result.stdout
    assert "abc" not in result.stdout
    assert "me:pw" not in result.stdout


@pytest.mark.parametrize(
    ("public_url", "api_url", "count"),
    [
        ("http://127.0.0.1:8080", "https://api.plivo.com", 1),
        ("http://127.0.0.1:8080", "http://127.0.0.1:9", 0),
        ("https://voice.example.com", "https://api.plivo.com", 0),
    ],
)
def test_a_public_url_on_loopback_is_remarked(public_url: str, api_url: str, count: int) -> None:
    """Plivo itself cannot reach this machine by that name; a simulator can."""
    settings = Settings.model_validate(
        {
            "public_url": public_url,
            "plivo_api_url": api_url,
            "plivo_auth_id": ACCOUNT.auth_id,
            "plivo_auth_tokens": [ACCOUNT.auth_token],
            "apps": {"SHOP": {"url": "http://127.0.0.1:9/rt"}},
        }
    )

    assert ["BRIDGE_PUBLIC_URL is on loopback, where Plivo cannot reach it."] * count == remarks(
        settings
    )


# --- apply ------------------------------------------------------------------------------------


async def test_apply_makes_it_so(office: Desk) -> None:
    """Every app has its application, every number its application; what is not ours stays."""
    before = old(office)

    result = await office.apply()

    applications, numbers = office.shown()
    assert 0 == result.exit_code, result.output
    assert {**APPLICATIONS, "old-ivr": before} == applications
    assert {SHOP: "rt-bridge-SHOP", SALES: "rt-bridge-SALES", FREE: "old-ivr"} == numbers
    assert [
        "done: create application rt-bridge-SHOP",
        "done: create application rt-bridge-SALES",
        f"done: assign number +{SHOP}",
        f"done: assign number +{SALES}",
    ] == [line for line in result.stdout.splitlines() if line.startswith("done")]


async def test_a_call_reaches_what_was_applied(office: Desk) -> None:
    """The next call of the number asks the answer URL of the app."""
    await office.apply()

    line = office.plivo.call("33612345678", SHOP)

    assert urls("SHOP")["answer_url"] == line.application.answer_url


async def test_only_what_differs_is_sent(office: Desk) -> None:
    """An application that needs another URL gets that field alone, so that its flags stay."""
    mine = urls("SHOP")
    app_id = office.add(
        "rt-bridge-SHOP",
        Application(
            mine["answer_url"], "https://old.example.com/over", mine["fallback_answer_url"]
        ),
        default_number_app=True,
        log_incoming_messages=False,
        public_uri=True,
    )

    result = await office.apply("--app", "SHOP")

    registered = office.plivo.api.registry.applications()[app_id]
    assert 0 == result.exit_code, result.output
    assert [
        ("POST Application", {"hangup_url": mine["hangup_url"]}),
        ("POST Number", {"app_id": app_id}),
    ] == office.writes()
    assert {"default_number_app": True, "log_incoming_messages": False, "public_uri": True} == (
        registered.more
    )


async def test_a_creation_sends_no_defaults(office: Desk) -> None:
    """Flags of the account, such as the default application, are left to Plivo."""
    await office.apply("--app", "SHOP")

    assert ("POST Application", {"app_name": "rt-bridge-SHOP", **urls("SHOP")}) == (
        office.writes()[0]
    )


async def test_another_public_url(office: Desk) -> None:
    """When the bridge moves, the URLs are changed and nothing else."""
    await office.apply()
    count = len(office.writes())

    result = await office.apply(public_url="https://new.example.com")

    changed = [body for _, body in office.writes()[count:]]
    assert 0 == result.exit_code, result.output
    assert [["answer_url", "hangup_url", "fallback_answer_url"]] * 2 == [list(b) for b in changed]
    assert urls("SHOP", "https://new.example.com") == office.shown()[0]["rt-bridge-SHOP"]


async def test_one_app_alone(office: Desk) -> None:
    """With --app the other apps and their numbers are not touched."""
    result = await office.apply("--app", "SALES")

    applications, numbers = office.shown()
    assert 0 == result.exit_code, result.output
    assert {"old-ivr", "rt-bridge-SALES"} == set(applications)
    assert {SHOP: "", SALES: "rt-bridge-SALES", FREE: "old-ivr"} == numbers


async def test_an_application_that_exists(office: Desk) -> None:
    """A setting names an application that is to be used; it keeps its id."""
    more = 'plivo_application = "old-ivr"'

    result = await office.apply("--app", "SALES", more=more)

    applications, numbers = office.shown()
    assert 0 == result.exit_code, result.output
    assert {"old-ivr": urls("SALES")} == applications
    assert {SHOP: "", SALES: "old-ivr", FREE: "old-ivr"} == numbers


async def test_accounts_of_several_pages(office: Desk) -> None:
    """Applications and numbers are found on whatever page Plivo lists them."""
    for number in range(45):
        office.add(f"other-{number}", Application(f"https://{number}.example.com/a"))
    app_id = office.add("rt-bridge-SHOP", Application("https://old.example.com/"))
    for number in range(45):
        office.plivo.numbers[str(44100000000 + number)] = OLD

    result = await office.apply("--app", "SHOP")
    undone = await office.undo()

    registered = office.plivo.api.registry.applications()[app_id]
    assert (0, 0) == (result.exit_code, undone.exit_code), result.output + undone.output
    assert f"change application rt-bridge-SHOP ({app_id})" in result.stdout
    assert "https://old.example.com/" == registered.application.answer_url
    assert "" == office.shown()[1][SHOP]


async def test_a_number_goes_from_one_of_our_apps_to_another(office: Desk) -> None:
    """Both are configured, so nobody has to allow it."""
    await office.apply()

    result = await office.apply(shop="[]", sales=json.dumps([f"+{SHOP}", f"+{SALES}"]))

    assert 0 == result.exit_code, result.output
    assert "rt-bridge-SALES" == office.shown()[1][SHOP]


async def test_a_number_that_is_configured_no_more(office: Desk) -> None:
    """It stays where it is, and is remarked."""
    await office.apply()

    result = await office.provision("--plan", shop="[]")

    assert 0 == result.exit_code
    assert (
        f"Note: +{SHOP} was given to rt-bridge-SHOP before and is configured for it no more: it "
        "stays as it is.\n"
    ) in result.stdout


# --- conflicts --------------------------------------------------------------------------------


@pytest.mark.parametrize("allow", [("--take", f"+{FREE}"), ("--force",)])
async def test_a_number_of_another_application(office: Desk, allow: tuple[str, ...]) -> None:
    """It is taken only when that is allowed; until then nothing at all is changed."""
    shop = json.dumps([f"+{SHOP}", f"+{FREE}"])
    before = office.shown()

    planned = await office.provision("--plan", shop=shop)
    refused = await office.apply(shop=shop)
    untouched = office.shown()
    taken = await office.apply(*allow, shop=shop)

    (owner,) = (
        one.app_id
        for one in office.plivo.api.registry.applications().values()
        if one.name == "old-ivr"
    )
    sentence = (
        f"Conflict: +{FREE} belongs to the application old-ivr ({owner}), which is not ours. Allow "
        f"it with --take +{FREE}.\n"
    )
    assert (1, 4, 0) == (planned.exit_code, refused.exit_code, taken.exit_code)
    assert sentence in planned.stdout
    assert sentence in refused.stdout
    assert "Nothing was changed.\n" == refused.stderr
    assert before == untouched
    assert "rt-bridge-SHOP" == office.shown()[1][FREE]


async def test_a_number_of_a_trunk(office: Desk) -> None:
    """What has a number may be no application; it is named by its id."""
    registry = office.plivo.api.registry
    trunk = office.add("trunk", Application("https://trunk.example.com/"))
    registry.assign(SHOP, registry.applications()[trunk])
    shown = registry.applications
    everything = shown()

    def without_trunk() -> Any:
        return {key: one for key, one in everything.items() if key != trunk}

    registry.applications = without_trunk  # type: ignore[method-assign]
    result = await office.apply()

    assert 4 == result.exit_code
    assert f"+{SHOP} belongs to {trunk}, which is not ours." in result.stdout


async def test_a_number_that_is_not_rented(office: Desk) -> None:
    """Nothing can allow that, so nothing is changed."""
    del office.plivo.numbers[SALES]

    result = await office.apply("--force")

    assert 4 == result.exit_code
    assert (
        f"Conflict: The account does not rent +{SALES}; rent it, or take it out of the settings.\n"
    ) in result.stdout
    assert [] == office.writes()


async def test_two_applications_of_one_name(office: Desk) -> None:
    """Nobody can tell which of them is meant."""
    ids = [office.add("rt-bridge-SHOP", Application(f"https://{n}.example.com/")) for n in "ab"]

    result = await office.apply("--force")

    assert 4 == result.exit_code
    assert (
        f"Conflict: 2 applications are named rt-bridge-SHOP ({', '.join(ids)}); keep one of them "
        "in the Plivo console.\n"
    ) in result.stdout
    assert [] == office.writes()


# --- usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("actions", [(), ("--plan", "--apply"), ("--apply", "--undo")])
async def test_one_action_is_needed(office: Desk, actions: tuple[str, ...]) -> None:
    """With none the usage is explained, and so with two, which nobody knows how to read: status 2."""
    result = await office.provision(*actions, "--yes")

    assert 2 == result.exit_code
    assert "Give one of --plan, --apply and --undo." in result.stderr
    assert [] == office.writes()


@pytest.mark.parametrize("output", ["text", "json"])
async def test_nobody_can_be_asked(office: Desk, output: str) -> None:
    """Without a terminal --yes is needed: status 2, nothing changed."""
    result = await office.provision("--apply", "--format", output)

    assert 2 == result.exit_code
    assert "Nothing was changed: give --yes where nobody can be asked." in result.output
    assert [] == office.writes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--app", "SHOE"), "There is no app SHOE; configured: SALES, SHOP."),
        (
            ("--take", "123"),
            "--take needs a number in E.164 form, for example --take +33123456789.",
        ),
        (
            ("--take", "+33100000000"),
            "--take names +33100000000, which no app here has as its number.",
        ),
    ],
)
async def test_wrong_options(office: Desk, arguments: tuple[str, ...], sentence: str) -> None:
    """Each is answered with a sentence: status 2."""
    result = await office.provision("--plan", *arguments)

    assert (2, f"{sentence}\n") == (result.exit_code, result.stderr)


async def test_wrong_settings(office: Desk) -> None:
    """They are answered as everywhere: one sentence each, status 2."""
    result = await office.provision("--plan", public_url="voice.example.com")

    assert 2 == result.exit_code
    assert result.stderr.startswith("BRIDGE_PUBLIC_URL")


async def test_settings_without_credentials(office: Desk) -> None:
    """A bridge may run without them, provisioning cannot."""
    off = "verify_signatures = false\nplivo_rest = false\n"
    config = office.environment()["BRIDGE_CONFIG"]
    text = (office.folder / "bridge.toml").read_text()
    kept = [line for line in text.splitlines() if not line.startswith("plivo_auth")]
    (office.folder / "bridge.toml").write_text(off + "\n".join(kept))

    result = CliRunner().invoke(main, ["provision", "--plan"], env={"BRIDGE_CONFIG": config})

    assert 2 == result.exit_code
    assert result.stderr.startswith("Set BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN")


async def test_apps_that_share_an_application(office: Desk) -> None:
    """Their calls could not be told apart: status 2."""
    result = await office.provision("--plan", more='plivo_application = "rt-bridge-SHOP"')

    sentence = (
        "The apps SHOP and SALES both have the Plivo application rt-bridge-SHOP; change "
        "plivo_application of one.\n"
    )
    assert (2, sentence) == (result.exit_code, result.stderr)
