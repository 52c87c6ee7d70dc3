"""Apps and their numbers through the JSON-RPC API, with CALLR's official Python SDK."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import PUBLIC, Json, Make, RecordingApp, command, tts
from support_outbound import dialled, does
from support_rpc import APP, CALLEE, DID, Rpc, make_rpc

from bridge.json_rpc.errors import Code
from bridge.plivo.rest_errors import PlivoTimeout
from bridge.simulator.callees import Answers
from bridge.store.protocol import Conflict, StoreUnavailable

PLAIN = DID.removeprefix("+")


async def create(rpc: Rpc, **changes: Any) -> Json:
    """Make an app as the SDK's README does, that answers where the app of the test does."""
    options = {"url": rpc.world.app.url, **changes}
    made: Json = await rpc.call("apps.create", "REALTIME10", "Your app name", options)
    return made


async def test_created_app(make_world: Make) -> None:
    """The App object has what the SDKs read: hash, name, package, object, numbers and dates."""
    rpc = await make_rpc(make_world)
    options = {"url": "https://me.example.com/rt", "login": "me", "password": "sesame"}
    made = await rpc.call("apps.create", "REALTIME10", "Your app name", options)

    token = made.pop("hash")
    assert token.isalnum()
    assert {
        "name": "Your app name",
        "package": {"name": "REALTIME10", "type": "VOICE", "has_did": True},
        "p": {
            "url": "https://me.example.com/rt",
            "login": "me",
            "password": None,
            "data_format": "JSON",
        },
        "did": [],
        "date_creation": "2026-01-05 10:00:00",
        "date_update": "2026-01-05 10:00:00",
    } == made
    assert {"hash": token, **made} == await rpc.call("apps.get", token)


async def test_created_app_works_at_once(make_world: Make) -> None:
    """A number that is assigned to a new app is answered by it, with its login."""
    rpc = await make_rpc(make_world, command("play", media_id=tts("hello")))
    made = await create(rpc, login="me", password="sesame")
    assert True is await rpc.call("apps.assign_did", made["hash"], DID)
    rpc.world.dial()
    await rpc.world.delivered()

    assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}
    expected = f"Basic {base64.b64encode(b'me:sesame').decode()}"
    assert {expected} == {headers["Authorization"] for headers in rpc.world.app.headers}


async def test_created_app_survives_a_restart(make_world: Make) -> None:
    """After a restart the app answers calls, and is listed, as before."""
    rpc = await make_rpc(make_world, store="sqlite", shutdown_grace_s=0)
    made = await create(rpc, login="me", password="sesame")
    await rpc.call("apps.assign_did", made["hash"], DID)
    await rpc.world.restart()
    rpc = Rpc(rpc.world)
    rpc.world.dial()
    await rpc.world.delivered()

    assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}
    shown = await rpc.call("apps.get", made["hash"])
    assert (made["p"], [DID]) == (shown["p"], [one["intl_number"] for one in shown["did"]])


async def test_created_app_makes_calls(make_world: Make) -> None:
    """An app made through the API calls out like any other."""
    rpc = await make_rpc(make_world)
    does(rpc.world, Answers(after=3, talks=30))
    made = await create(rpc)
    target = {"number": CALLEE, "timeout": 30}
    await rpc.call("calls.realtime", made["hash"], target, {"cli": DID})
    await rpc.world.delivered()

    assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}


async def test_deleted_app_with_outbound_calls(make_world: Make) -> None:
    """A phone that rings when its app is deleted reaches it; what still waits is not dialled."""
    rpc = await make_rpc(make_world, command("play", media_id=tts("Hello")))
    made = await create(rpc)
    numbers = [f"+3369999000{n}" for n in range(4)]
    tokens = []
    for number in numbers:
        does(rpc.world, Answers(after=3, talks=30), number)
        tokens.append(
            await rpc.call("calls.realtime", made["hash"], {"number": number}, {"cli": DID})
        )
    await rpc.world.passes(0.2)
    assert True is await rpc.call("apps.delete", made["hash"])
    await rpc.world.delivered(4)

    statuses = {
        token: [r["call_status"] for r in rpc.world.app.requests if r["request_hash"] == token]
        for token in tokens
    }
    assert ["UP", "UP", "HANGUP"] == statuses.pop(tokens[0])
    assert [["REJECTED"]] * 3 == list(statuses.values())
    assert [numbers[0].removeprefix("+")] == [number for _, number in dialled(rpc.world)]


async def test_edited_app_answers_elsewhere(make_world: Make) -> None:
    """What is given is changed, null is left alone, and the next call goes to the new URL."""
    rpc = await make_rpc(make_world)
    made = await create(rpc, url="http://127.0.0.1:9/nobody", login="me", password="sesame")
    await rpc.call("apps.assign_did", made["hash"], DID)
    await rpc.world.passes(60)
    changes = {"url": rpc.world.app.url, "login": None, "password": None}
    edited = await rpc.call("apps.edit", made["hash"], None, changes)
    rpc.world.dial()
    await rpc.world.delivered()

    assert ("Your app name", rpc.world.app.url, "me") == (
        edited["name"],
        edited["p"]["url"],
        edited["p"]["login"],
    )
    assert edited["date_creation"] < edited["date_update"]
    assert rpc.world.app.headers[0]["Authorization"].startswith("Basic ")
    renamed = await rpc.call("apps.edit", made["hash"], "Other", None)
    assert ("Other", edited["p"]) == (renamed["name"], renamed["p"])


async def test_deleted_app_takes_no_calls(make_world: Make) -> None:
    """A call of a deleted app goes on to its end; a new one is not answered."""
    rpc = await make_rpc(make_world, command("wait", wait=10))
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], DID)
    application = rpc.world.plivo.numbers[PLAIN]
    rpc.world.dial()
    await rpc.world.passes(2)
    await rpc.call("apps.unassign_did", made["hash"], DID)
    assert True is await rpc.call("apps.delete", made["hash"])
    await rpc.world.delivered()
    assert ["UP", "UP", "HANGUP"] == [one["call_status"] for one in rpc.world.app.requests]

    rpc.world.plivo.call("33612345678", PLAIN, application=application)
    await rpc.world.passes(120)
    assert 3 == len(rpc.world.app.requests)
    for method in ("apps.get", "apps.delete"):
        assert Code.APP_NOT_FOUND == (await rpc.fails(method, made["hash"]))[0]


async def test_app_with_numbers_is_not_deleted(make_world: Make) -> None:
    """Callers would reach nobody, so the numbers have to go first."""
    rpc = await make_rpc(make_world)
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], DID)

    code, message = await rpc.fails("apps.delete", made["hash"])
    assert (Code.APP_IN_USE, True) == (code, DID in message)


async def test_list_of_apps(make_world: Make) -> None:
    """The apps of the settings come first; numbers are listed when asked for."""
    rpc = await make_rpc(make_world)
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], DID)
    without, plain = await rpc.call("apps.get_list", False), await rpc.call("apps.get_list")
    full = await rpc.call("apps.get_list", True)

    assert without == plain
    assert [APP, made["hash"]] == [one["hash"] for one in full]
    assert [[], []] == [one["did"] for one in plain]
    (did,) = full[1]["did"]
    assert {"hash": DID, "intl_number": DID, "local_number": DID, "app": made["hash"]} == did


async def test_app_of_the_settings_is_pinned(make_world: Make) -> None:
    """It can be seen, without its password, and neither be changed nor deleted."""
    rpc = await make_rpc(make_world, app={"login": "me", "password": "sesame"})
    shown = await rpc.call("apps.get", APP)

    assert {"login": "me", "password": None} == {
        name: shown["p"][name] for name in ("login", "password")
    }
    wanted: list[tuple[Any, ...]] = [("apps.edit", APP, "Mine", {}), ("apps.delete", APP)]
    for params in wanted:
        code, message = await rpc.fails(*params)
        assert (Code.APP_PINNED, True) == (code, "change it there" in message)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (("CALLTRACKING10", "x", {"url": "https://x/"}), "package must be REALTIME10"),
        (("REALTIME10", "", {"url": "https://x/"}), "name is missing"),
        (("REALTIME10", "x" * 300, {"url": "https://x/"}), "name must be one line"),
        (("REALTIME10", "x\ny", {"url": "https://x/"}), "name must be one line"),
        (("REALTIME10", "x", {}), "object.url is missing"),
        (("REALTIME10", "x"), "object.url is missing"),
        (("REALTIME10", "x", []), "object.url is missing"),
        (("REALTIME10", "x", {"url": "nowhere"}), "url must be an absolute URL"),
        (("REALTIME10", "x", {"url": 5}), "object.url must be a string"),
        (("REALTIME10", "x", {"url": "https://x/" + "y" * 2039}), "object.url must have at most"),
        (("REALTIME10", "x", {"url": "https://x/", "data_format": "XML"}), "must be JSON"),
        (("REALTIME10", "x", {"url": "https://x/", "password": "p"}), "a password needs a login"),
        (("REALTIME10", "x", {"url": "https://x/", "login": "a:b"}), "a login without a colon"),
        (("REALTIME10", "x", {"url": "https://x/"}, 1), "too many parameters"),
        ((["REALTIME10"], "x", {"url": "https://x/"}), "package must be a string"),
    ],
)
async def test_bad_apps(make_world: Make, params: Any, sentence: str) -> None:
    """Each fault names the parameter, and no app is made."""
    rpc = await make_rpc(make_world)

    code, message = await rpc.fails("apps.create", *params)
    assert (Code.INVALID_PARAMS, True) == (code, sentence in message), message
    assert [] == await rpc.world.bridge.store.list_records("app")


async def test_unknown_apps(make_world: Make) -> None:
    """Every method that names an app has the same code for one that does not exist."""
    rpc = await make_rpc(make_world)
    wanted: list[tuple[Any, ...]] = [
        ("apps.get", "NOSUCH"),
        ("apps.edit", "NOSUCH", "x", {}),
        ("apps.delete", "NOSUCH"),
        ("apps.assign_did", "NOSUCH", DID),
    ]
    for params in wanted:
        assert Code.APP_NOT_FOUND == (await rpc.fails(*params))[0], params


# --- numbers ------------------------------------------------------------------------------------


async def test_assigned_number(make_world: Make) -> None:
    """The number gets the application of the app, which is made with all three URLs."""
    rpc = await make_rpc(make_world)
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], "33 1 87 65 43 21")
    application = rpc.world.plivo.numbers[PLAIN]

    base, fragment = f"{PUBLIC}/plivo/{made['hash']}", "#ct=2000&rt=10000&tt=55000&rc=5&rp=all"
    assert [f"{base}/{name}{fragment}" for name in ("answer", "hangup", "fallback")] == [
        application.answer_url,
        application.hangup_url,
        application.fallback_url,
    ]


async def test_application_is_made_once(make_world: Make) -> None:
    """A second number of an app gets the same application, corrected where it differs."""
    rpc = await make_rpc(make_world)
    rpc.world.plivo.numbers["33187654399"] = rpc.world.plivo.numbers[PLAIN]
    await rpc.call("apps.assign_did", APP, DID)
    first = rpc.world.plivo.numbers[PLAIN]
    await rpc.call("apps.assign_did", APP, "+33187654399")
    await rpc.call("apps.assign_did", APP, DID)

    assert first is rpc.world.plivo.numbers["33187654399"]
    posts = rpc.world.asked_of_rest("POST", "Application/")
    assert ["rt-bridge-DEFAULT"] == [body.get("app_name") for body in posts]


@pytest.mark.parametrize("params", [(DID,), (APP, DID)])
@pytest.mark.parametrize("method", ["apps.unassign_did", "apps.remove_did"])
async def test_unassigned_number(make_world: Make, method: str, params: Any) -> None:
    """The number has no application any more, and the app no number."""
    rpc = await make_rpc(make_world)
    await rpc.call("apps.assign_did", APP, DID)
    assert True is await rpc.call(method, *params)

    assert "" == rpc.world.plivo.numbers[PLAIN].answer_url
    assert [] == (await rpc.call("apps.get", APP))["did"]
    code, message = await rpc.fails(method, *params)
    assert (Code.DID_NOT_ASSIGNED, True) == (code, DID in message)


async def test_number_that_somebody_took_is_left_alone(make_world: Make) -> None:
    """What was given to another application meanwhile is not taken away from it."""
    rpc = await make_rpc(make_world)
    before = rpc.world.plivo.numbers[PLAIN]
    await rpc.call("apps.assign_did", APP, DID)
    rpc.world.plivo.numbers[PLAIN] = before
    assert True is await rpc.call("apps.unassign_did", APP, DID)

    assert before is rpc.world.plivo.numbers[PLAIN]


async def test_number_moves_from_app_to_app(make_world: Make) -> None:
    """A number belongs to the app it was assigned to last."""
    rpc = await make_rpc(make_world)
    made = await create(rpc)
    await rpc.call("apps.assign_did", APP, DID)
    await rpc.call("apps.assign_did", made["hash"], DID)

    dids = {one["hash"]: one["did"] for one in await rpc.call("apps.get_list", True)}
    assert ([], 1) == (dids[APP], len(dids[made["hash"]]))
    assert Code.DID_NOT_ASSIGNED == (await rpc.fails("apps.unassign_did", APP, DID))[0]


async def test_numbers_of_the_settings_stay(make_world: Make) -> None:
    """What the settings give to an app, the API neither gives to another one nor takes away."""
    rpc = await make_rpc(make_world, app={"numbers": [DID]})
    made = await create(rpc)
    before = rpc.world.plivo.numbers[PLAIN]
    pinned = f"DID_PINNED: the settings give {DID} to the app {APP}: change it there"

    assert (Code.DID_PINNED, pinned) == await rpc.fails("apps.assign_did", made["hash"], DID)
    assert before is rpc.world.plivo.numbers[PLAIN]
    assert True is await rpc.call("apps.assign_did", APP, DID)
    for params in ((DID,), (APP, DID)):
        assert (Code.DID_PINNED, pinned) == await rpc.fails("apps.unassign_did", *params)
    code, _ = await rpc.fails("apps.unassign_did", made["hash"], DID)
    assert Code.DID_NOT_ASSIGNED == code
    assert rpc.world.plivo.numbers[PLAIN].answer_url.startswith(f"{PUBLIC}/plivo/{APP}/")


@pytest.mark.parametrize(
    ("number", "code"),
    [("+33111111111", Code.DID_NOT_FOUND), ("hello", Code.INVALID_NUMBER), ("", -32602)],
)
@pytest.mark.parametrize("method", ["apps.assign_did"])
async def test_numbers_that_are_none(make_world: Make, method: str, number: str, code: int) -> None:
    """A number the account does not rent, and what is no number, have their own codes."""
    rpc = await make_rpc(make_world)

    assert code == (await rpc.fails(method, APP, number))[0]
    assert [] == await rpc.world.bridge.store.list_records("did")
    assert [] == rpc.world.asked_of_rest("POST", "Application/")


async def test_numbers_without_rest(make_world: Make) -> None:
    """Numbers are Plivo's: without its REST API they cannot be assigned."""
    rpc = await make_rpc(make_world, plivo_rest=False)

    assert Code.REST_UNAVAILABLE == (await rpc.fails("apps.assign_did", APP, DID))[0]
    assert Code.REST_UNAVAILABLE == (await rpc.fails("apps.unassign_did", APP, DID))[0]


@pytest.mark.parametrize("error", [Conflict("changed"), StoreUnavailable("the disk is full")])
async def test_assignment_that_cannot_be_stored_is_undone(
    make_world: Make, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """When the store fails after Plivo was changed, Plivo is put back as it was."""
    rpc = await make_rpc(make_world)
    before = rpc.world.plivo.numbers[PLAIN]

    async def fail(_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(rpc.world.bridge.store, "commit", fail)
        assert Code.STORE_UNAVAILABLE == (await rpc.fails("apps.assign_did", APP, DID))[0]

    assert before is rpc.world.plivo.numbers[PLAIN]
    assert ["rt-bridge-DEFAULT"] not in [
        one.get("app_name") for one in rpc.world.asked_of_rest("GET", "Application/")
    ]
    assert 1 == len(rpc.world.asked_of_rest("DELETE", "Application/"))


async def test_unassignment_that_cannot_be_stored_is_undone(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the store fails after the number was taken away, the app gets it back."""
    rpc = await make_rpc(make_world)
    await rpc.call("apps.assign_did", APP, DID)
    mine = rpc.world.plivo.numbers[PLAIN]

    async def fail(_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rpc.world.bridge.store, "commit", fail)
        assert Code.STORE_UNAVAILABLE == (await rpc.fails("apps.unassign_did", APP, DID))[0]

    assert mine is rpc.world.plivo.numbers[PLAIN]
    assert [DID] == [one["hash"] for one in (await rpc.call("apps.get", APP))["did"]]


async def test_failed_assignment_leaves_everything_as_it_was(make_world: Make) -> None:
    """When Plivo refuses to assign, the application that was made for it is deleted again."""
    rpc = await make_rpc(make_world, faults=["rest_500:Number#2", "rest_500:Number#2"])
    before = rpc.world.plivo.numbers[PLAIN]
    rest = rpc.world.bridge.api.account
    assert rest is not None
    assign = rest.assign_number

    async def fails_first(number: str, app_id: str) -> None:
        rest.assign_number = assign  # type: ignore[method-assign]
        raise PlivoTimeout("assign number", f"no answer for {number} and {app_id}")

    rest.assign_number = fails_first  # type: ignore[method-assign]
    assert Code.REST_UNKNOWN == (await rpc.fails("apps.assign_did", APP, DID))[0]

    assert before is rpc.world.plivo.numbers[PLAIN]
    assert [] == await rpc.world.bridge.store.list_records("did")
    assert 1 == len(rpc.world.asked_of_rest("DELETE", "Application/"))


async def test_assignments_at_once(make_world: Make) -> None:
    """Two numbers assigned at the same time share the one application that is made."""
    rpc = await make_rpc(make_world)
    rpc.world.plivo.numbers["33187654399"] = rpc.world.plivo.numbers[PLAIN]
    numbers = [DID, "+33187654399"]
    await asyncio.gather(*(rpc.call("apps.assign_did", APP, one) for one in numbers))

    assert rpc.world.plivo.numbers[PLAIN] is rpc.world.plivo.numbers["33187654399"]
    assert 1 == len(rpc.world.asked_of_rest("POST", "Application/"))


async def test_apps_alone_through_the_api(make_world: Make) -> None:
    """A bridge whose settings name no app at all serves those that are made."""
    rpc = await make_rpc(make_world, apps={})
    assert [] == await rpc.call("apps.get_list", True)
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], DID)
    rpc.world.dial()
    await rpc.world.delivered()

    assert isinstance(rpc.world.app, RecordingApp)
    assert {made["hash"]} == {one["app"] for one in rpc.world.app.requests}


async def test_application_with_other_urls_is_corrected(make_world: Make) -> None:
    """An application of the app's name gets our URLs where it has others, and keeps the rest."""
    rpc = await make_rpc(make_world)
    rest = rpc.world.bridge.api.account
    assert rest is not None
    await rest.create_application("rt-bridge-DEFAULT", {"answer_url": "https://old.example.com/"})
    await rpc.call("apps.assign_did", APP, DID)

    assert rpc.world.plivo.numbers[PLAIN].answer_url.startswith(f"{PUBLIC}/plivo/DEFAULT/answer")
    assert 1 == len([one for one in await rest.applications() if one.name == "rt-bridge-DEFAULT"])


async def test_what_cannot_be_put_back_is_logged(make_world: Make) -> None:
    """When Plivo fails twice, the log names the number and what it had."""
    rpc = await make_rpc(make_world)
    rest = rpc.world.bridge.api.account
    assert rest is not None

    async def fails(number: str, app_id: str) -> None:
        raise PlivoTimeout("assign number", f"no answer for {number} and {app_id}")

    rest.assign_number = fails  # type: ignore[method-assign]
    with capture_logs() as logs:
        assert Code.REST_UNKNOWN == (await rpc.fails("apps.assign_did", APP, DID))[0]

    (line,) = [line for line in logs if line["event"] == "did.not_restored"]
    assert line["application"].isdigit()


async def test_deleted_app_is_told_of_its_calls_by_another_process(make_world: Make) -> None:
    """A process that never heard of an app before it was deleted still ends its calls."""
    rpc = await make_rpc(make_world, command("wait", wait=10))
    made = await create(rpc)
    await rpc.call("apps.assign_did", made["hash"], DID)
    call = rpc.world.dial()
    await rpc.world.passes(2)
    await rpc.call("apps.unassign_did", DID)
    await rpc.call("apps.delete", made["hash"])
    bridge = rpc.world.bridge
    del bridge.runtime.apps[made["hash"]]
    bridge.stored_apps._merged.clear()
    await call.hang_up()
    await rpc.world.delivered()

    assert ["UP", "HANGUP"] == [one["call_status"] for one in rpc.world.app.requests]
