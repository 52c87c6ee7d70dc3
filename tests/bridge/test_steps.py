from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support_e2e import HANGUP, Json, World, command, link, names, tts, world
from support_shell import RestStub, Shell, shell

from bridge import steps
from bridge.state import CallState, dump, load
from bridge.store.protocol import CallWrite, Commit
from mappings._kernel.actions import Reply
from mappings._kernel.engine import Finished
from mappings._plivo.verbs import Wait
from mappings.registry import COMMANDS

QUESTION = command("read", "ask", {"a": 1}, media_id=tts("Age?"), max_digits=2, attempts=2)
DIVERGED = (
    "REPLAY_DIVERGED: the command could not be resumed by this version of the bridge; "
    "the call goes on"
)
BUG = "BRIDGE_ERROR: a fault in the bridge ended the command; the call goes on"

Change = Callable[[CallState], None]


def start_of(state: CallState) -> list[Any]:
    """Give the stored start of the open command."""
    assert state.start is not None
    return state.start


def newer_format(state: CallState) -> None:
    """Write the start as a release with another format would."""
    start_of(state)[0] = 99


def newer_version(state: CallState) -> None:
    """Write the start of a version of the command that only a newer release has."""
    start_of(state)[2] = 99


def unknown_command(state: CallState) -> None:
    """Write the start of a command this release lacks."""
    start_of(state)[1] = "levitate"


def params_no_longer_accepted(state: CallState) -> None:
    """Write params that another release took."""
    start_of(state)[4]["max_digits"] = 900


def inputs_no_longer_enough(state: CallState) -> None:
    """Write a snapshot without what this release needs."""
    del start_of(state)[5]["scope"]


def unknown_event(state: CallState) -> None:
    """Write an event only a newer release knows."""
    state.log.append(["e", "PigeonReceived", "coo"])


def unknown_fact(state: CallState) -> None:
    """Write a kind of fact only a newer release knows."""
    state.log.append(["z", 1])


def other_action(state: CallState) -> None:
    """Write that the command did something else than it does."""
    state.log[0][2] = "000000000000"


def other_shape(state: CallState) -> None:
    """Write a start that is not even shaped like ours."""
    state.start = [99, {"command": "read"}]


def damaged_facts(state: CallState) -> None:
    """Write facts with nothing in them."""
    state.log = [[], ["e"], ["a"]]


def damaged_inputs(state: CallState) -> None:
    """Write a snapshot whose values are of other kinds."""
    start_of(state)[5]["voices"] = {"TTS_EN-GB_SERENA": []}


UNREADABLE: list[Change] = [
    other_shape,
    damaged_facts,
    damaged_inputs,
    newer_format,
    newer_version,
    unknown_command,
    params_no_longer_accepted,
    inputs_no_longer_enough,
    unknown_event,
    unknown_fact,
    other_action,
]


async def rewrite(store: Any, callid: int, change: Change) -> None:
    """Put a changed state into the store, as another release would have left it."""
    stored = await store.load_call(callid)
    state = load(stored.blob, stored.version)
    change(state)
    await store.commit(
        Commit(
            call=CallWrite(callid, state.app, state.uuid, stored.version, dump(state), 1000.0, None)
        )
    )


@pytest.fixture
async def make_world(tmp_path: Path) -> AsyncIterator[Any]:
    """Give a function that starts a world on a SQLite file."""
    async with AsyncExitStack() as stack:

        async def make(*replies: Json) -> World:
            made = world(replies, folder=tmp_path, store="sqlite")
            return await stack.enter_async_context(made)

        yield make


@pytest.mark.parametrize("change", UNREADABLE)
async def test_log_of_another_release(make_world: Any, change: Change) -> None:
    """What another release wrote ends the command with REPLAY_DIVERGED; the call goes on."""
    world = await make_world(QUESTION, command("play", media_id=tts("Sorry")), HANGUP)
    leg = world.leg()
    first = await leg.request(world.application.answer_url, {"Event": "StartApp"})
    await rewrite(world.bridge.store, 1, change)
    await world.restart()
    leg.via = world.leg().via
    second = await leg.request(link(first.body, "action"), {"Digits": "42"})
    third = await leg.request(link(second.body))

    assert [200, 200, 200] == [first.status, second.status, third.status]
    assert ["GetDigits", "Speak", "Redirect"] == names(first.body)[:1] + names(second.body)
    assert ["Hangup"] == names(third.body)
    told = world.app.asked[1]
    assert ("read", "ask", "", DIVERGED) == (
        told["command"],
        told["command_id"],
        told["command_result"],
        told["command_error"],
    )
    assert {"a": 1} == told["variables"]
    assert "" == world.app.asked[2]["command_error"]


async def test_call_that_ends_in_a_command_of_another_release(make_world: Any) -> None:
    """Even when the log cannot be read the app is told that the call is over, once."""
    world = await make_world(QUESTION)
    leg = world.leg()
    await leg.request(world.application.answer_url, {"Event": "StartApp"})
    await rewrite(world.bridge.store, 1, newer_format)
    await world.restart()
    leg.via = world.leg().via
    leg.status = "completed"
    end = await leg.request(world.application.hangup_url, {"Event": "Hangup"})

    assert 200 == end.status
    (final,) = await world.delivered()
    assert "HANGUP" == final["call_status"]


async def test_rest_action_of_another_release() -> None:
    """A REST action whose log cannot be read is not performed; the command ends in the same way."""
    rest = RestStub()
    async with shell(command("hangup_callid", callid=99), rest) as world:
        callid = await world.answer("uuid-1")
        world.rt.reply = HANGUP
        state = await world.state(callid)
        state.running, state.start = None, [99, "hangup_callid", 1, "1", {"callid": 99}, {}]

        assert Finished("", DIVERGED, (), ()) == steps.feed(state)


def test_step_without_a_command_is_a_fault() -> None:
    """Feeding a call that runs nothing is a mistake of the shell."""
    with pytest.raises(AssertionError, match="call 7 has no open command"):
        steps.feed(CallState(7, "DEFAULT", "uuid", 0.0))


async def stored_start(world: Shell, uuid: str = "uuid-1") -> list[Any]:
    """Give the start of the command a new call runs."""
    return start_of(await world.state(await world.answer(uuid)))


async def test_unknown_params_are_not_stored() -> None:
    """Only params the command knows are kept, under whichever name the app gave them."""
    reply = command("send_dtmf", digit="12", timeout_ms="500", colour="blue", nested={"a": [1]})
    async with shell(reply) as world:
        assert {"digit": "12", "timeout_ms": "500"} == (await stored_start(world))[4]


async def test_replaced_voice_is_logged() -> None:
    """A voice Plivo does not have is logged once per step that starts with it, with the reason."""
    reply = command("play", media_id="TTS|TTS_XX-YY_NOBODY|Hi")
    async with shell(reply) as world:
        with capture_logs() as logs:
            start = await stored_start(world)

        assert {"TTS_XX-YY_NOBODY": ["WOMAN", "en-US"]} == start[5]["voices"]
        (line,) = [line for line in logs if line["event"] == "voice.replaced"]
        assert ("warning", 1, "DEFAULT") == (line["log_level"], line["call"], line["app"])
        assert line["why"].startswith("The voice 'TTS_XX-YY_NOBODY' names no language")


async def test_voice_of_the_settings_is_not_logged() -> None:
    """A voice the operator mapped is exact."""
    reply = command("play", media_id="TTS|TTS_XX-YY_NOBODY|Hi")
    async with shell(reply, voices={"TTS_XX-YY_NOBODY": "Polly.Amy"}) as world:
        with capture_logs() as logs:
            start = await stored_start(world)

        assert {"TTS_XX-YY_NOBODY": ["Polly.Amy", "en-GB"]} == start[5]["voices"]
        assert [] == [line for line in logs if line["event"] == "voice.replaced"]


async def test_library_is_looked_up_when_the_command_starts() -> None:
    """The address of a media id is part of the snapshot and an unknown id fails."""
    url = "https://media.example.com/7.mp3"
    reply = command("conference", id="a", welcome=7, waiting=8)
    async with shell(reply, media={"library": {"7": url, "8": f"{url}?8"}}) as world:
        assert {"7": url, "8": f"{url}?8"} == (await stored_start(world))[5]["library"]
    async with shell(command("play", media_id=9)) as world:
        await world.answer("uuid-1")
        assert "1" == world.rt.sent[1]["command_result"]


async def test_snapshot_holds_what_the_app_may_set() -> None:
    """Caller id, room scope and the way `read` ends come from the app's settings."""
    reply = command("wait", wait=1)
    app = {
        "blocked_caller_id": "+33900000001",
        "share_rooms": True,
        "partial_read": "exact",
        "dial_music_url": "https://media.example.com/hold.mp3",
    }
    async with shell(reply) as plain, shell(reply, app=app) as special:
        usual, other = (await stored_start(plain))[5], (await stored_start(special))[5]

    assert ("DEFAULT", "+33187654321") == (usual["scope"], usual["caller_id"])
    assert usual.keys().isdisjoint({"partial_read", "dial_music_url"})
    assert app == {
        "blocked_caller_id": other["caller_id"],
        "share_rooms": other["scope"] == "",
        "partial_read": other["partial_read"],
        "dial_music_url": other["dial_music_url"],
    }


async def test_names_of_commands_differ() -> None:
    """Each command of each call has a name of its own, which nobody can guess."""
    async with shell(command("wait", wait=1)) as world:
        found = {(await stored_start(world, f"uuid-{number}"))[5]["name"] for number in range(3)}
        callid = await world.answer("uuid-0")
        await world.resume(callid, "next")
        found.add(start_of(await world.state(callid))[5]["name"])

    assert 4 == len(found)
    assert {31} == {len(name) for name in found}


def fails_at_once(*_: object) -> Any:
    """Stand in for a mapping with a fault before it does anything."""
    yield 1 / 0


def fails_later(*_: object) -> Any:
    """Stand in for a mapping with a fault in how it takes an answer."""
    event = yield Reply(Wait(1))
    raise ValueError(event)


@pytest.mark.parametrize("flow", [fails_at_once, fails_later])
async def test_fault_in_a_mapping(monkeypatch: pytest.MonkeyPatch, flow: Any) -> None:
    """A mapping that raises ends its command with BRIDGE_ERROR; its fault is logged, no keys are."""
    read = next(known for known in COMMANDS if known.name == "read")
    monkeypatch.setitem(read.__dict__, "flow", flow)
    async with shell(QUESTION) as world:
        with capture_logs() as logs:
            callid = await world.answer("uuid-1")
            if flow is fails_later:
                world.rt.reply = HANGUP
                await world.resume(callid, "digits", Digits="42")

    assert BUG == world.rt.sent[1]["command_error"]
    (line, *_) = [line for line in logs if line["event"] == "command.bug"]
    assert "read" == line["command"]
    assert "42" not in line["why"]


async def test_long_names_of_voices_are_not_kept() -> None:
    """An app that makes up voices of any length takes no memory with them."""
    for name, kept in (("TTS_EN-GB_SERENA", 1), ("TTS_EN-GB_" + "x" * 100, 0)):
        async with shell(command("play", media_id=f"TTS|{name}|Hi")) as world:
            await stored_start(world)

            assert kept == len(world.runtime.voices)
