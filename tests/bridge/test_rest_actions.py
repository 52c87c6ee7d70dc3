"""Whatever comes of a REST action is an event the mapping can decide on, never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import aiohttp
import pytest
from support_e2e import command
from support_shell import Shell, shell

from bridge import rest_actions, steps
from bridge.plivo.rest import PlivoRest, Recording
from bridge.plivo.rest_errors import (
    PlivoNotFound,
    PlivoRefused,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
)
from bridge.rest_actions import BUDGET_S, RestActions
from bridge.state import CallState, dump
from bridge.store.protocol import CallWrite, Commit
from mappings._kernel.actions import HangUpCall, RestAction, StartRecording, StopRecording
from mappings._kernel.events import Event, RestDone, RestFailed, RestUnknown

ODD = "../../Conference"


@dataclass
class Account:
    """Plivo's REST API: does what it is asked, or raises `outcome`."""

    outcome: Exception | asyncio.Event | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def _act(self, *asked: Any) -> None:
        self.asked.append(asked)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is not None:
            await self.outcome.wait()

    async def hang_up_call(self, uuid: str) -> None:
        """End a call."""
        await self._act("hang up", uuid)

    async def start_recording(self, uuid: str, **options: Any) -> Recording:
        """Start a recording."""
        for name in ("callback_url", "transcription_url"):
            # Of the notification only its kind is the same every time.
            url = options.pop(name, None)
            options[name] = url and url.partition("/notice/")[2].partition("/")[0]
        await self._act("record", uuid, options)
        return Recording(url="https://media.plivo.com/r.mp3", recording_id="r1")

    async def stop_recording(self, uuid: str, url: str | None = None) -> None:
        """Stop one recording of a call, or all of them."""
        await self._act("stop", uuid, *([url] if url else []))


@pytest.fixture
async def here() -> AsyncIterator[Shell]:
    """Start a shell with one call, callid 1 and CallUUID u1."""
    async with shell(command("wait", wait=5)) as made:
        await made.answer("u1")
        yield made


async def perform(here: Shell, action: RestAction, rest: object, uuid: str = "u1") -> Event:
    """Perform an action for call 1."""
    runtime = replace(here.runtime, rest=cast("PlivoRest | None", rest))
    state = await here.state(1)
    # As in a turn, in which the open command was read.
    if state.start is not None:
        steps.feed(state)
    state.uuid = uuid
    return await RestActions(runtime).perform(here.app, state, action)


@pytest.mark.parametrize(
    ("action", "expected", "asked"),
    [
        (HangUpCall(1), RestDone(), ("hang up", "u1")),
        (StopRecording("r1"), RestDone("r1"), ("stop", "u1")),
        (
            StartRecording(60, stereo=True, transcribe=True),
            RestDone("r1", "https://media.plivo.com/r.mp3"),
            (
                "record",
                "u1",
                {
                    "time_limit_s": 60,
                    "record_channel_type": "stereo",
                    "transcription_type": "auto",
                    "callback_url": "call_recording",
                    "transcription_url": "transcript",
                },
            ),
        ),
        (
            StartRecording(7, stereo=False, transcribe=False),
            RestDone("r1", "https://media.plivo.com/r.mp3"),
            (
                "record",
                "u1",
                {
                    "time_limit_s": 7,
                    "record_channel_type": "mono",
                    "transcription_type": None,
                    "callback_url": "call_recording",
                    "transcription_url": None,
                },
            ),
        ),
    ],
)
async def test_action_is_performed(
    here: Shell, action: RestAction, expected: Event, asked: tuple[Any, ...]
) -> None:
    """What the mapping wants is asked of Plivo, for the call it concerns."""
    account = Account()

    assert expected == await perform(here, action, account)
    assert [asked] == account.asked


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (PlivoRefused("stop", "bad", 400), RestFailed("REST_REFUSED", "stop: 400 bad")),
        (PlivoThrottled("stop", "slow", 429), RestFailed("REST_REFUSED", "stop: 429 slow")),
        (
            PlivoUnavailable("stop", "refused", sent=False),
            RestFailed("REST_UNAVAILABLE", "stop: refused"),
        ),
        (PlivoUnavailable("stop", "broken", sent=True), RestUnknown("stop: broken")),
        (PlivoTimeout("stop", "no answer"), RestUnknown("stop: no answer")),
        (ValueError("no single thing"), RestFailed("REST_REFUSED", "no single thing")),
    ],
)
async def test_failure_is_an_event(here: Shell, outcome: Exception, expected: Event) -> None:
    """A definite no, a maybe, and a refusal of the client itself are told apart."""
    assert expected == await perform(here, StopRecording("r1"), Account(outcome))


async def test_without_rest(here: Shell) -> None:
    """Where REST is switched off every action fails with the code for that."""
    expected = RestFailed("REST_UNAVAILABLE", "BRIDGE_PLIVO_REST is false")

    assert expected == await perform(here, StopRecording("r1"), None)


async def test_answer_that_takes_too_long(here: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action ends within its budget, which is shorter than that of a webhook."""
    assert BUDGET_S < here.runtime.settings.webhook_budget_s
    monkeypatch.setattr(rest_actions, "BUDGET_S", 0.01)
    event = await perform(here, StopRecording("r1"), Account(asyncio.Event()))

    assert RestUnknown("Plivo did not answer within 0.01 s") == event


@pytest.mark.parametrize(
    "action", [StopRecording("r1"), StartRecording(60, stereo=True, transcribe=False)]
)
async def test_call_with_a_name_that_leads_elsewhere(here: Shell, action: RestAction) -> None:
    """The real client refuses a CallUUID that is a path; nothing is sent and nothing is raised."""
    async with aiohttp.ClientSession() as session:
        rest = PlivoRest(session, "http://127.0.0.1:1", "MAXXXXXXXXXXXXXXXXXX", "token")
        event = await perform(here, action, rest, ODD)

    assert isinstance(event, RestFailed)
    assert "REST_REFUSED" == event.code


async def test_hanging_up_a_call_with_such_a_name(here: Shell) -> None:
    """The same holds for the name of another call."""
    odd = CallState(7, here.app.hash, ODD, 100.0)
    await here.store.commit(Commit(CallWrite(7, odd.app, ODD, 0, dump(odd), 100.0)))
    async with aiohttp.ClientSession() as session:
        rest = PlivoRest(session, "http://127.0.0.1:1", "MAXXXXXXXXXXXXXXXXXX", "token")
        event = await perform(here, HangUpCall(odd.callid), rest)

    assert isinstance(event, RestFailed)
    assert "REST_REFUSED" == event.code


async def code_of(here: Shell, callid: int, account: Account) -> str:
    """Give the code of the failure to hang a call up."""
    event = await perform(here, HangUpCall(callid), account)
    assert isinstance(event, RestFailed)
    assert event.message.startswith("hangup_callid.callid: ")
    return event.code


async def test_call_that_is_not_there(here: Shell) -> None:
    """An unknown call and one that is over, at Plivo or for us too, are told apart."""
    account = Account(PlivoNotFound("hang up", "gone", 404))
    assert "CALL_ENDED" == await code_of(here, 1, account)
    assert "CALL_NOT_FOUND" == await code_of(here, 99, account)
    await here.hang_up("u1")
    assert "CALL_ENDED" == await code_of(here, 1, account)

    assert [("hang up", "u1")] == account.asked


@pytest.mark.parametrize("ended", [False, True])
async def test_hang_up_that_a_restart_interrupted(here: Shell, ended: bool) -> None:
    """A call that is over when its hang-up is repeated was ended by the first attempt."""
    account = Account(PlivoNotFound("hang up", "gone", 404))
    if ended:
        await here.hang_up("u1")
    runtime = replace(here.runtime, rest=cast("PlivoRest", account))
    state = CallState(2, here.app.hash, "u2", 100.0)
    event = await RestActions(runtime).perform(here.app, state, HangUpCall(1), again=True)

    assert RestDone() == event


async def test_recordings_that_were_started_are_stopped(here: Shell) -> None:
    """Each is stopped by its own URL, and one that is over already is passed over."""
    account = Account(PlivoNotFound("stop", "gone", 404))
    runtime = replace(here.runtime, rest=cast("PlivoRest", account))
    state = CallState(1, here.app.hash, "u1", 100.0, recordings=[["r1", "url-1"], ["r2", "url-2"]])
    event = await RestActions(runtime).perform(here.app, state, StopRecording("r2"))

    assert RestDone("r2") == event
    assert [("stop", "u1", "url-1"), ("stop", "u1", "url-2")] == account.asked


async def test_call_of_another_app(here: Shell) -> None:
    """An app cannot hang up the calls of another."""
    account = Account()
    state = await here.state(1)
    foreign = CallState(2, "SHOP", "u2", state.started_at)
    runtime = replace(here.runtime, rest=cast("PlivoRest", account))
    app = replace(here.app, hash="SHOP")
    event = await RestActions(runtime).perform(app, foreign, HangUpCall(1))

    assert isinstance(event, RestFailed)
    assert ("CALL_OF_ANOTHER_APP", []) == (event.code, account.asked)


async def test_call_of_another_app_within_the_account(here: Shell) -> None:
    """With hangup_scope = account it can."""
    account = Account()
    foreign = CallState(2, "SHOP", "u2", 100.0)
    runtime = replace(here.runtime, rest=cast("PlivoRest", account))
    settings = here.app.settings.model_copy(update={"hangup_scope": "account"})
    app = replace(here.app, hash="SHOP", settings=settings)

    assert RestDone() == await RestActions(runtime).perform(app, foreign, HangUpCall(1))
    assert [("hang up", "u1")] == account.asked
