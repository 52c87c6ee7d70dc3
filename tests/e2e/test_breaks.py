"""calls.realtime_break on the simulated platform: every command that waits for the caller."""

from __future__ import annotations

import asyncio
import io
import wave
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stamina
from support_e2e import HANGUP, Gate, Json, Make, World, command, tts

from bridge.breaks import AGAIN_AFTER_S, MOST_TRANSFERS, BreakOutcome
from bridge.plivo.rest_errors import PlivoTimeout, PlivoUnavailable
from bridge.simulator.profile import HOSTILE, NORMAL, Profile
from bridge.testing.call import Call
from bridge.transaction import Transaction

NEXT = command("play", media_id=tts("Broken off"))
WAIT = command("wait", wait=30)
PARTY = "+33699999999"
ROOM = command("simple_conference", id="1")
PROFILES = [NORMAL, HOSTILE]

Then = Callable[[World, Call], Awaitable[object]]


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Repeat REST requests at once: their number is the product's, only the pauses are left out."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@dataclass(frozen=True)
class Blocking:
    """A command that waits, and what makes sure that it does."""

    reply: Json
    until: Then


async def _speaks(_: World, call: Call) -> None:
    await call.expect_prompt("A long text")


async def _listens(_: World, call: Call) -> None:
    await call.expect_listening()
    await call.wait(1)


async def _records(_: World, call: Call) -> None:
    await call.expect_recording()
    await call.wait(2)


async def _waits(world: World, call: Call) -> None:
    await world.during(call, "Wait")
    await call.wait(1)


async def _plays(_: World, call: Call) -> None:
    await call.expect_played("/media/")


async def _sends(_: World, call: Call) -> None:
    await call.expect_tones("1")


async def _rings(_: World, call: Call) -> None:
    await call.expect_leg(1, "ringing")


async def _talks(_: World, call: Call) -> None:
    await call.answer()
    await call.expect_leg(1, "connected")
    await call.wait(5)


async def _is_in(_: World, call: Call) -> None:
    await call.expect_room(members=1)
    await call.wait(5)


def _wav(seconds: int) -> str:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000 * seconds))
    return b64encode(held.getvalue()).decode()


LONG = tts("A long text " * 100)
BLOCKING = {
    "play": Blocking(command("play", media_id=LONG), _speaks),
    "read": Blocking(command("read", media_id=tts("Age?")), _listens),
    "record": Blocking(command("record", media_id=tts("Speak"), max_duration=60), _records),
    "wait": Blocking(WAIT, _waits),
    "wait_for_silence": Blocking(
        command("wait_for_silence", silence_ms=5000, iterations=10, timeout=300), _waits
    ),
    "play_talk_detect": Blocking(command("play_talk_detect", media_id=LONG), _speaks),
    "play_wav_data": Blocking(command("play_wav_data", audio_data=_wav(30)), _plays),
    "send_dtmf": Blocking(command("send_dtmf", digits="123456789", timeout_ms=5000), _sends),
    "dialout ringing": Blocking(command("dialout", targets=[{"number": PARTY}]), _rings),
    "dialout connected": Blocking(command("dialout", targets=[{"number": PARTY}]), _talks),
    "conference": Blocking(command("conference", id=1), _is_in),
    "simple_conference": Blocking(ROOM, _is_in),
}


async def broken(world: World, callid: int = 1, app: str | None = None) -> BreakOutcome:
    """Break the command of a call."""
    return await world.bridge.breaks.break_command(callid, app=app)


def told(world: World, callid: int = 1) -> list[tuple[str, str, object]]:
    """List command, code of the error, and result that the app was told of a call."""
    return [
        (r["command"], r["command_error"].partition(":")[0], r["command_result"])
        for r in world.app.asked
        if r["command"] and r["callid"] == callid
    ]


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
@pytest.mark.parametrize("name", BLOCKING)
async def test_every_blocking_command(make_rest_world: Make, name: str, profile: Profile) -> None:
    """The app hears BREAK with an empty result, and its next command is heard at once."""
    blocking = BLOCKING[name]
    world = await make_rest_world(blocking.reply, NEXT, profile=profile)
    call = world.dial()
    await blocking.until(world, call)
    outcome = await broken(world)
    await call.expect_prompt("Broken off", within=3)
    await world.finish()

    assert ("BROKEN", True, False) == (outcome.code, outcome.broken, outcome.is_error)
    assert (blocking.reply["command"], "BREAK", "") == told(world)[0]
    assert ("play", "", "0") == told(world)[1]
    assert 2 == len(told(world))
    assert 1 == len(world.asked_of_rest("POST", f"Call/{call.line.uuid}/"))


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
async def test_play_record(make_rest_world: Make, profile: Profile) -> None:
    """A recording that is being played back is broken off."""

    async def play_back(request: Json) -> Json:
        return command("play_record", media_file=request["command_result"])

    record = command("record", media_id=tts("Speak"), max_duration=60)
    world = await make_rest_world(record, play_back, NEXT, profile=profile)
    call = world.dial()
    await call.speak(40)
    await call.expect_played("/media/")
    outcome = await broken(world)
    await call.expect_prompt("Broken off", within=3)
    await world.finish()

    assert outcome.broken
    assert ("play_record", "BREAK", "") == told(world)[1]


async def test_party_of_a_dialout_is_let_go(make_rest_world: Make) -> None:
    """Whoever was dialled does not stay on the line alone."""
    world = await make_rest_world(BLOCKING["dialout connected"].reply, NEXT)
    call = world.dial()
    await _talks(world, call)
    await broken(world)
    await call.expect_leg(1, "ended")
    await world.finish()


async def test_others_in_the_room_hear_of_it(make_rest_world: Make) -> None:
    """Whose conference is broken leaves the room, and the one who is left is sent out."""
    world = await make_rest_world(ROOM, ROOM, NEXT, faults=["drop:exit"])
    ann = world.dial("+33611111111")
    await ann.expect_room(members=1)
    bob = world.dial("+33622222222")
    await bob.expect_room(members=2)
    await bob.wait(10)
    assert (await broken(world, 2)).broken
    await ann.expect_result("LAST_PARTICIPANT")
    await world.finish()

    assert ("simple_conference", "BREAK", "") == told(world, 2)[0]


# --- nothing to break ---------------------------------------------------------------------------


async def test_between_two_commands(make_rest_world: Make) -> None:
    """While the app is being asked there is nothing to break, and Plivo is left alone."""
    gate = Gate(HANGUP)
    world = await make_rest_world(gate, direct=True)
    world.dial()
    await world.app.heard(1)
    outcome = await broken(world)
    gate.open()
    await world.finish()

    assert ("NOTHING_RUNS", False, False) == (outcome.code, outcome.broken, outcome.is_error)
    assert [] == world.timeline.of("rest")


async def test_call_that_nobody_knows(make_rest_world: Make) -> None:
    """An unknown, a foreign and an ended call each have their code, and Plivo is not asked."""
    world = await make_rest_world(WAIT)
    call = world.dial()
    await _waits(world, call)
    unknown, foreign = await broken(world, 4711), await broken(world, 1, "SHOP")
    mine = await broken(world, 1, "DEFAULT")
    await world.finish()
    ended = await broken(world)

    assert ["CALL_NOT_FOUND", "CALL_OF_ANOTHER_APP", "BROKEN", "CALL_ENDED"] == [
        outcome.code for outcome in (unknown, foreign, mine, ended)
    ]
    assert 1 == len(world.timeline.of("rest"))


async def test_without_rest(make_world: Make) -> None:
    """Only Plivo's REST API can transfer a call."""
    world = await make_world(WAIT)
    call = world.dial()
    await _waits(world, call)
    outcome = await broken(world)

    assert ("REST_UNAVAILABLE", True) == (outcome.code, outcome.is_error)
    await call.hang_up()
    await world.finish()
    assert [] == told(world)


async def test_call_plivo_has_lost(make_rest_world: Make) -> None:
    """A call that Plivo does not know any more has ended, whatever we have heard so far."""
    world = await make_rest_world(WAIT)
    await world.leg().request(world.application.answer_url)
    outcome = await broken(world)

    assert "CALL_ENDED" == outcome.code
    assert {} == (await _state(world)).inbox


async def _state(world: World, callid: int = 1) -> Any:
    state = await world.bridge.session.read(callid)
    assert state is not None
    return state


async def test_call_that_still_rings(make_rest_world: Make) -> None:
    """Of a call that was not answered Plivo's 404 does not say that it is over."""
    world = await make_rest_world(command("dialout", targets=[{"number": PARTY}]))
    await world.leg(status="ringing").request(world.application.answer_url)
    outcome = await broken(world)

    assert ("NOT_ANSWERED", True) == (outcome.code, outcome.is_error)


async def test_limit_of_transfers(make_rest_world: Make) -> None:
    """One transfer more than Plivo allows would end the call: it is refused instead."""
    world = await make_rest_world(*[WAIT] * (MOST_TRANSFERS + 1))
    call = world.dial()
    for _ in range(MOST_TRANSFERS):
        await _waits(world, call)
        assert (await broken(world)).broken
        await call.expect_error("BREAK")
    await _waits(world, call)
    outcome = await broken(world)

    assert ("TRANSFER_LIMIT", True) == (outcome.code, outcome.is_error)
    assert not call.is_over
    assert MOST_TRANSFERS == len(world.timeline.of("rest"))
    await call.hang_up()
    await world.finish()


# --- races --------------------------------------------------------------------------------------


def _before_the_transfer(world: World, does: Callable[[], Awaitable[object]]) -> None:
    """Let something happen between the stored intention and Plivo's carrying it out."""
    rest = world.bridge.runtime.rest
    assert rest is not None
    transfer = rest.transfer_call

    async def late(*given: Any, **options: Any) -> None:
        await does()
        await transfer(*given, **options)

    rest.transfer_call = late  # type: ignore[method-assign]


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
async def test_command_that_ends_first(make_rest_world: Make, profile: Profile) -> None:
    """Keys that come before the transfer are the result; the next command is not broken for it."""
    world = await make_rest_world(
        command("read", media_id=tts("Age?"), max_digits=2), NEXT, profile=profile
    )
    call = world.dial()
    await _listens(world, call)

    async def presses() -> None:
        await call.press("42")
        await call.expect_prompt("Broken off")

    _before_the_transfer(world, presses)
    outcome = await broken(world)
    await world.finish()

    assert ("FINISHED_FIRST", False, False) == (outcome.code, outcome.broken, outcome.is_error)
    assert [("read", "", "42"), ("play", "", "0")] == told(world)
    assert ["Age?", "Broken off", "Broken off"] == world.spoken(call)


async def test_caller_who_hangs_up_first(make_rest_world: Make) -> None:
    """A call that ends before the transfer has ended: one final request, without BREAK."""
    world = await make_rest_world(WAIT, NEXT)
    call = world.dial()
    await _waits(world, call)
    _before_the_transfer(world, call.hang_up)
    outcome = await broken(world)
    await world.finish()

    assert "CALL_ENDED" == outcome.code
    assert [("wait", "", "")] == [
        (f["command"], f["command_error"], f["command_result"]) for f in world.app.finals
    ]


async def test_keys_after_plivo_has_accepted(make_rest_world: Make) -> None:
    """Once the transfer was accepted, an action that was on its way is the end that was asked for."""
    world = await make_rest_world(command("read", media_id=tts("Age?")), WAIT)
    await world.leg(uuid="u1").request(world.application.answer_url)
    rest = world.bridge.runtime.rest
    assert rest is not None

    async def accepted(*_: Any, **__: Any) -> None:
        """Say yes, as Plivo does some time before it asks for the document."""

    rest.transfer_call = accepted  # type: ignore[method-assign]
    first, second = await broken(world), await broken(world)
    url = f"{world.application.answer_url.removesuffix('/answer')}/1/1/digits"
    action = await world.leg(uuid="u1").request(url, {"Digits": "42"})
    transferred = await world.leg(uuid="u1").request(
        url.replace("digits", "break"), {"Event": "Transfer"}
    )

    assert ["BROKEN", "BROKEN"] == [first.code, second.code]
    assert [("read", "BREAK", "")] == told(world)
    assert action.body == transferred.body
    assert 1 == (await _state(world)).transfers


async def test_two_breaks_at_once(make_rest_world: Make) -> None:
    """Two who ask at the same time break one command, with one transfer."""
    world = await make_rest_world(WAIT, WAIT)
    call = world.dial()
    await _waits(world, call)
    outcomes = await asyncio.gather(broken(world), broken(world))
    await call.expect_error("BREAK")
    await call.hang_up()
    await world.finish()

    assert "BROKEN" == outcomes[0].code
    assert outcomes[1].code in {"BROKEN", "NOTHING_RUNS"}
    assert 1 == len(world.timeline.of("rest"))
    assert [("wait", "BREAK", "")] == told(world)


async def test_late_transfer_says_the_newest_document_again(make_rest_world: Make) -> None:
    """A transfer that comes when the call is two commands further breaks none of them."""
    world = await make_rest_world(WAIT, WAIT, WAIT)
    await world.leg(uuid="u1").request(world.application.answer_url)
    base = world.application.answer_url.removesuffix("/answer")
    for step in (1, 2):
        newest = await world.leg(uuid="u1").request(f"{base}/1/{step}/next")
    late = await world.leg(uuid="u1").request(f"{base}/1/1/break", {"Event": "Transfer"})

    assert newest.body == late.body
    assert [("wait", "", "0")] * 2 == told(world)


@pytest.mark.parametrize("profile", PROFILES, ids=["normal", "hostile"])
@pytest.mark.parametrize(
    "fault",
    [
        "duplicate:transfer",
        "drop:transfer#1",
        "delay:transfer=3#1",
        "duplicate:action",
        "rest_500:Call#1",
        "rest_lost:Call#1",
        "rest_429:Call#1",
    ],
)
@pytest.mark.parametrize("name", ["read", "record", "simple_conference", "dialout connected"])
async def test_faults(make_rest_world: Make, name: str, fault: str, profile: Profile) -> None:
    """Whatever is doubled, lost or late, the app hears BREAK once, and then goes on."""
    blocking = BLOCKING[name]
    world = await make_rest_world(blocking.reply, NEXT, faults=[fault], profile=profile)
    call = world.dial()
    await blocking.until(world, call)
    outcome = await broken(world)
    await call.expect_prompt("Broken off")
    await world.finish()

    assert "BROKEN" == outcome.code
    assert [(blocking.reply["command"], "BREAK", ""), ("play", "", "0")] == told(world)


# --- failures and kills -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlivoUnavailable("transfer", "no connection", sent=False), "REST_UNAVAILABLE"),
        (ValueError("no such id"), "REST_REFUSED"),
    ],
)
async def test_transfer_that_was_not_made(
    make_rest_world: Make, error: Exception, code: str
) -> None:
    """What Plivo surely did not do is taken back: the command goes on to its own end."""
    world = await make_rest_world(command("read", media_id=tts("Age?"), max_digits=1), NEXT)
    call = world.dial()
    await _listens(world, call)

    async def fails() -> None:
        raise error

    _before_the_transfer(world, fails)
    outcome = await broken(world)
    await world.passes(2 * AGAIN_AFTER_S)
    await call.press("4")
    await world.finish()

    assert (code, True) == (outcome.code, outcome.is_error)
    assert ("read", "", "4") == told(world)[0]


async def test_transfer_of_which_nothing_is_known(make_rest_world: Make) -> None:
    """A time-out is reported as unknown, and the bridge sees to it that the command ends."""
    world = await make_rest_world(WAIT, NEXT)
    call = world.dial()
    await _waits(world, call)
    errors: list[Exception] = [PlivoTimeout("transfer", "no answer")]

    async def fails_once() -> None:
        if errors:
            raise errors.pop()

    _before_the_transfer(world, fails_once)
    outcome = await broken(world)
    await call.expect_error("BREAK", within=2 * AGAIN_AFTER_S)
    await world.finish()

    assert ("REST_UNKNOWN", True) == (outcome.code, outcome.is_error)
    assert 1 == len(world.timeline.of("rest"))


async def test_last_transfer_is_not_repeated(make_rest_world: Make) -> None:
    """A break whose answer is lost is not carried out again when Plivo would end the call for it."""
    world = await make_rest_world(command("read", media_id=LONG, max_digits=1), NEXT)
    call = world.dial()
    await _listens(world, call)
    state = await _state(world)
    state.transfers = MOST_TRANSFERS - 1
    await Transaction(world.bridge.runtime, world.bridge.runtime.apps["DEFAULT"], state).commit()
    asked = []

    async def never() -> None:
        asked.append(world.clock.now())
        raise PlivoTimeout("transfer", "no answer")

    _before_the_transfer(world, never)
    outcome = await broken(world)
    await world.passes(4 * AGAIN_AFTER_S)
    state = await _state(world)

    assert ("REST_UNKNOWN", 1) == (outcome.code, len(asked))
    assert (MOST_TRANSFERS, None) == (state.transfers, state.inbox.get("break"))
    await call.press("4")
    await world.finish()
    assert ("read", "", "4") == told(world)[0]


async def test_break_is_given_up_in_the_end(make_rest_world: Make) -> None:
    """When Plivo never answers, the command ends by itself, as if nothing had been asked."""
    world = await make_rest_world(command("read", media_id=LONG, max_digits=1), NEXT)
    call = world.dial()
    await _listens(world, call)

    async def never() -> None:
        raise PlivoTimeout("transfer", "no answer")

    _before_the_transfer(world, never)
    await broken(world)
    await world.passes(150)
    state = await _state(world)
    rows = await world.bridge.store.due(world.clock.now() + 9999, 9)
    assert ("read", None) == (state.command, state.inbox.get("break"))
    assert [] == [row for row in rows if row.kind == "break"]

    await call.press("4")
    await world.finish()
    assert [("read", "", "4"), ("play", "", "0")] == told(world)


async def test_caller_hangs_up_while_broken(make_rest_world: Make) -> None:
    """A caller who hangs up during the transfer is told of once, and nothing stays behind."""
    world = await make_rest_world(WAIT, NEXT, faults=["hang_up:transfer"])
    call = world.dial()
    await _waits(world, call)
    await broken(world)
    await world.finish()

    assert 1 == len(world.app.finals)
