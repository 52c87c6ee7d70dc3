"""Operators look at live calls, end them and break their commands, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_cdr import ONE, dialout, records
from support_e2e import Make, World, command, tts
from support_outbound import CALLEE, does, place

from bridge.operators import admin
from bridge.simulator.callees import Rings
from bridge.state import CallState, dump
from bridge.store.protocol import CallWrite, Commit, StoreUnavailable

TOKEN = "an-admin-token-of-24-let"
WAIT = command("wait", wait=30)
PLAY = command("play", media_id=tts("hello"))
ROOM = command("simple_conference", id="a & b", auto_leave_when_alone=False)


async def ask(
    world: World, method: str, path: str, token: str | None = TOKEN, **options: Any
) -> tuple[int, Any]:
    """Ask the admin listener; gives status and JSON."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{world.bridge.admin_port}{path}"
    async with world.plivo.session.request(method, url, headers=headers, **options) as response:
        return response.status, json.loads(await response.read())


async def code(world: World, method: str, path: str, **options: Any) -> tuple[int, str]:
    """Ask for something that is refused; gives status and code."""
    status, answer = await ask(world, method, path, **options)
    assert answer["error"]["message"].endswith(".")
    return status, answer["error"]["code"]


async def test_live_calls(make_world: Make, store: str) -> None:
    """Each live call is listed with who, since when and what it is at, numbers masked."""
    world = await make_world(WAIT, PLAY, store=store, admin_token=TOKEN)
    first = world.dial()
    await world.during(first, "Wait")
    await world.passes(12)
    second = world.dial("+33698765432")
    await world.during(second, "Speak")

    status, answer = await ask(world, "GET", "/admin/calls")
    newest, oldest = answer["calls"]
    assert (200, 2) == (status, answer["live"])
    assert [2, 1] == [newest["callid"], oldest["callid"]]
    assert {
        "callid": 1,
        "app": "DEFAULT",
        "uuid": first.line.uuid,
        "direction": "inbound",
        "from": "+336*****78",
        "to": "+331*****21",
        "since": "2026-01-05T10:00:00.000Z",
        "seconds": 12,
        "phase": "waiting",
        "command": "wait",
        "step": 1,
    } == oldest
    assert "play" == newest["command"]


async def test_live_calls_are_chosen(make_world: Make) -> None:
    """By app, and no more than asked for; ended calls are not among them."""
    world = await make_world(WAIT, WAIT, WAIT, more_apps=["OTHER"], admin_token=TOKEN)
    for number in range(3):
        call = world.dial(f"+3361234567{number}")
        await world.during(call, "Wait")
    await call.hang_up()
    await world.passes(2)

    async def found(query: str) -> list[int]:
        _, answer = await ask(world, "GET", f"/admin/calls?{query}")
        return [one["callid"] for one in answer["calls"]]

    assert [2, 1] == await found("")
    assert [2] == await found("limit=1")
    assert [] == await found("app=OTHER")
    assert [2, 1] == await found("app=DEFAULT")
    for limit in ("0", "x", "-1", "10001", "1" * 99, "١"):
        assert (400, "INVALID_PARAMS") == await code(world, "GET", f"/admin/calls?limit={limit}")


async def test_outbound_call_that_rings(make_world: Make) -> None:
    """A call that only rings is none yet: its app has not heard of it."""
    world = await make_world(plivo_rest=True, admin_token=TOKEN)
    does(world, Rings(), CALLEE)
    await place(world)
    await world.passes(3)

    assert (200, {"live": 0, "calls": []}) == await ask(world, "GET", "/admin/calls")


# --- hanging up ---------------------------------------------------------------------------------


async def test_hangup(make_world: Make) -> None:
    """Plivo hangs the call up, the app is told as ever, and the log says who asked for it."""
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")
    with capture_logs() as logs:
        status, answer = await ask(world, "POST", "/admin/calls/1/hangup")
    await world.finish()

    assert (200, {"callid": 1, "outcome": "HUNG_UP"}) == (
        status,
        {name: answer[name] for name in ("callid", "outcome")},
    )
    assert "Plivo hangs up call 1." == answer["message"]
    assert [call.line.uuid] == [
        entry.data["path"].split("/")[1] for entry in world.timeline.of("rest")
    ]
    (final,) = world.app.finals
    assert ("wait", "HANGUP") == (final["command"], final["call_status"])
    (cdr,) = await records(world)
    assert "API Request" == cdr.ended_by
    (line,) = [line for line in logs if line["event"] == "admin.action"]
    assert ("hangup", 1, "HUNG_UP", "127.0.0.1", "warning") == (
        *(line["action"], line["call"], line["outcome"]),
        *(line["peer"], line["log_level"]),
    )


async def test_hangup_of_a_conversation(make_world: Make) -> None:
    """Both legs of a dialled conversation end, and each record says by whom."""
    world = await make_world(dialout(ONE), plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await call.answer()
    await call.expect_leg(1, "connected")
    assert 200 == (await ask(world, "POST", "/admin/calls/1/hangup"))[0]
    await world.finish()

    assert ["API Request"] * 2 == [cdr.ended_by for cdr in await records(world)]


async def test_hangup_of_a_call_plivo_no_longer_knows(make_world: Make) -> None:
    """A call whose end the bridge never heard of is ended here, and its app is told."""
    faults = ["drop:hangup url"]
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN, faults=faults)
    call = world.dial()
    await world.during(call, "Wait")
    await call.hang_up()
    await call.expect_ended(by="caller")
    status, answer = await ask(world, "POST", "/admin/calls/1/hangup")
    await world.delivered()

    assert (200, "WAS_GONE") == (status, answer["outcome"])
    assert ["HANGUP"] == [final["call_status"] for final in world.app.finals]
    assert (404, "CALL_ENDED") == await code(world, "POST", "/admin/calls/1/hangup")


@pytest.mark.parametrize(
    "path",
    [
        "/admin/calls/7/hangup",
        "/admin/calls/0/break",
        f"/admin/calls/{2**63}/hangup",
        f"/admin/calls/{'9' * 999}/break",
    ],
    ids=["unknown", "none", "too large", "much too large"],
)
async def test_call_nobody_knows(make_world: Make, path: str) -> None:
    """A callid that was never given has its own code, and the attempt is logged."""
    world = await make_world(plivo_rest=True, admin_token=TOKEN)
    with capture_logs() as logs:
        assert (404, "CALL_NOT_FOUND") == await code(world, "POST", path)

    assert ["CALL_NOT_FOUND"] == [x["outcome"] for x in logs if x["event"] == "admin.action"]


async def test_call_that_is_over(make_world: Make) -> None:
    """An ended call cannot be ended again."""
    world = await make_world(plivo_rest=True, admin_token=TOKEN)
    world.dial()
    await world.finish()

    assert (404, "CALL_ENDED") == await code(world, "POST", "/admin/calls/1/hangup")


async def test_hangup_without_rest(make_world: Make) -> None:
    """Without Plivo's REST API nobody can be hung up."""
    world = await make_world(WAIT, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")

    assert (502, "REST_UNAVAILABLE") == await code(world, "POST", "/admin/calls/1/hangup")
    assert 1 == len(world.plivo.calls)


async def test_hangup_plivo_refuses(make_world: Make) -> None:
    """A failure of Plivo's is passed on, and the call goes on."""
    faults = ["rest_500:Call"]
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN, faults=faults)
    call = world.dial()
    await world.during(call, "Wait")
    status, name = await code(world, "POST", "/admin/calls/1/hangup")

    assert (502, "REST_REFUSED") == (status, name)
    assert 1 == len(world.plivo.calls)


async def test_hangup_plivo_does_not_answer(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever: after a while the outcome is unknown."""
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")

    async def never(_: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(admin, "BUDGET_S", 0.01)
    monkeypatch.setattr(world.bridge.runtime.rest, "hang_up_call", never)
    assert (504, "REST_UNKNOWN") == await code(world, "POST", "/admin/calls/1/hangup")


async def test_store_that_fails(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be read is said so, and is no fault of the token."""
    world = await make_world(admin_token=TOKEN)

    async def fails() -> list[int]:
        raise StoreUnavailable("The disk is gone.")

    monkeypatch.setattr(world.bridge.store, "live_calls", fails)
    status, answer = await ask(world, "GET", "/admin/calls")
    assert (503, "STORE_UNAVAILABLE", "The disk is gone.") == (
        status,
        *answer["error"].values(),
    )


async def test_calls_that_cannot_be_shown(make_world: Make) -> None:
    """One of another release, or gone meanwhile, does not hide the others."""
    world = await make_world(WAIT, admin_token=TOKEN)
    store = world.bridge.store
    for callid in (await store.allocate_callid(), await store.allocate_callid()):
        await store.commit(Commit(CallWrite(callid, "DEFAULT", f"u{callid}", 0, b"[", 0.0)))
    call = world.dial()
    await world.during(call, "Wait")
    listed = store.live_calls

    async def more() -> list[int]:
        return [*await listed(), 999]

    store.live_calls = more  # type: ignore[method-assign]
    _, answer = await ask(world, "GET", "/admin/calls")

    assert [3] == [one["callid"] for one in answer["calls"]]


async def test_more_calls_than_are_read_at_once(make_world: Make) -> None:
    """Hundreds of calls are listed whole."""
    world = await make_world(WAIT, admin_token=TOKEN)
    store = world.bridge.store
    for callid in range(1, 251):
        state = CallState(callid, "DEFAULT", f"u{callid}", world.clock.now())
        change = CallWrite(callid, "DEFAULT", state.uuid, 0, dump(state), world.clock.now())
        await store.commit(Commit(change))
    _, answer = await ask(world, "GET", "/admin/calls")

    assert list(range(250, 0, -1)) == [one["callid"] for one in answer["calls"]]
    assert {("asking", "")} == {(one["phase"], one["command"]) for one in answer["calls"]}


# --- breaking a command -------------------------------------------------------------------------


async def test_break(make_world: Make) -> None:
    """The running command ends and its app hears BREAK; the log says who asked for it."""
    world = await make_world(WAIT, PLAY, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")
    await world.passes(1)
    with capture_logs() as logs:
        status, answer = await ask(world, "POST", "/admin/calls/1/break")
    await call.expect_prompt("hello")
    await world.finish()

    assert (200, "BROKEN") == (status, answer["outcome"])
    assert "BREAK" == world.app.asked[1]["command_error"].partition(":")[0]
    assert ["break"] == [x["action"] for x in logs if x["event"] == "admin.action"]
    (cdr,) = await records(world)
    assert ("wait", "break", 1) == cdr.commands[0]


async def test_break_of_a_call_that_is_over(make_world: Make) -> None:
    """What cannot be broken is refused with its code."""
    world = await make_world(plivo_rest=True, admin_token=TOKEN)
    world.dial()
    await world.finish()

    assert (404, "CALL_ENDED") == await code(world, "POST", "/admin/calls/1/break")


# --- rooms --------------------------------------------------------------------------------------


async def test_close_a_room(make_rest_world: Make) -> None:
    """Everybody is sent out and goes on with CONFERENCE_CLOSED; the log names the calls."""
    world = await make_rest_world(ROOM, ROOM, PLAY, PLAY, admin_token=TOKEN)
    ann = world.dial("+33611111111")
    await ann.expect_room(members=1)
    bob = world.dial("+33622222222")
    await bob.expect_room(members=2)
    await bob.wait(1)
    with capture_logs() as logs:
        status, answer = await ask(world, "POST", "/admin/rooms/close?app=DEFAULT&room=a%20%26%20b")
    for call in (ann, bob):
        await call.expect_prompt("hello")
    await world.finish()

    assert (200, "CLOSED", [1, 2]) == (status, answer["outcome"], answer["calls"])
    closed = [r["command_result"] for r in world.app.asked if r["command"] == ROOM["command"]]
    assert ["CONFERENCE_CLOSED"] * 2 == closed
    assert [("close", [1, 2], "CLOSED")] == [
        (x["action"], x["calls"], x["outcome"]) for x in logs if x["event"] == "admin.action"
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?app=DEFAULT&room=42", (404, "ROOM_EMPTY")),
        ("?app=NONE&room=42", (404, "APP_NOT_FOUND")),
        ("", (404, "APP_NOT_FOUND")),
    ],
)
async def test_room_that_is_none(
    make_rest_world: Make, query: str, expected: tuple[int, str]
) -> None:
    """A room with nobody in it and an unknown app have codes of their own; the attempt is logged."""
    world = await make_rest_world(admin_token=TOKEN)
    with capture_logs() as logs:
        assert expected == await code(world, "POST", f"/admin/rooms/close{query}")

    assert [expected[1]] == [x["outcome"] for x in logs if x["event"] == "admin.action"]


async def test_room_that_plivo_says_nothing_of(make_rest_world: Make) -> None:
    """When Plivo cannot be asked who is there, or may not be, nobody is sent out."""
    path = "/admin/rooms/close?app=DEFAULT&room=a%20%26%20b"
    world = await make_rest_world(ROOM, admin_token=TOKEN, faults=["rest_500:Conference"])
    call = world.dial()
    await call.expect_room()
    assert (502, "REST_UNAVAILABLE") == await code(world, "POST", path)
    await world.passes(5)
    assert not call.is_over
    await call.hang_up()
    await world.finish()

    # It would wait for what the other bridge of this event loop still does.
    off = await make_rest_world(admin_token=TOKEN, plivo_rest=False, shutdown_grace_s=0.1)
    assert (502, "REST_UNAVAILABLE") == await code(off, "POST", path)


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/calls"),
        ("POST", "/admin/calls/1/hangup"),
        ("POST", "/admin/calls/1/break"),
        ("POST", "/admin/rooms/close"),
    ],
)
async def test_only_with_the_token(make_world: Make, method: str, path: str) -> None:
    """Without the token, or with another one, nothing is shown or done, and the log says so."""
    world = await make_world(WAIT, plivo_rest=True, admin_token=TOKEN)
    call = world.dial()
    await world.during(call, "Wait")
    for token in (None, "", TOKEN[:-1], TOKEN + "x", "é" * 24):
        with capture_logs() as logs:
            assert (401, "UNAUTHORIZED") == await code(world, method, path, token=token)
        assert ["admin.refused"] == [x["event"] for x in logs if x["event"].startswith("admin")]
    url = f"http://127.0.0.1:{world.bridge.admin_port}{path}?token={TOKEN}"
    async with world.plivo.session.request(method, url) as response:
        assert (401, "Bearer") == (response.status, response.headers["WWW-Authenticate"])

    assert [] == world.timeline.of("rest")


async def test_off_without_the_setting(make_world: Make) -> None:
    """A bridge without an admin token lets nobody in."""
    world = await make_world(WAIT)
    for token in (None, "", "None", TOKEN):
        assert (404, "ADMIN_OFF") == await code(world, "GET", "/admin/calls", token=token)
        path = "/admin/calls/1/hangup"
        assert (404, "ADMIN_OFF") == await code(world, "POST", path, token=token)


async def test_nothing_of_it_on_the_public_listener(make_world: Make) -> None:
    """What Plivo reaches has no such routes."""
    world = await make_world(admin_token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{world.bridge.port}/admin/calls"
    async with world.plivo.session.get(url, headers=headers) as response:
        assert 404 == response.status


@pytest.mark.parametrize("path", ["/admin/calls/1/hangup", "/admin/calls/1/break"])
async def test_actions_are_no_links(make_world: Make, path: str) -> None:
    """A GET, as a page or a preview makes it, does nothing even with the token."""
    world = await make_world(admin_token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{world.bridge.admin_port}{path}"
    async with world.plivo.session.get(url, headers=headers) as response:
        assert 405 == response.status
