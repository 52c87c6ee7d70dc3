"""`rt-bridge translate`: one RT.Response in, the Plivo XML it becomes out."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, assert_never

import structlog
from lxml import etree
from pydantic_core import to_json

from bridge import steps
from bridge.app import make_runtime
from bridge.clock import SystemClock
from bridge.settings import load_settings
from bridge.state import CallState
from bridge.store import open_store
from bridge.transaction import Transaction
from mappings._kernel.actions import (
    FindRecording,
    HangUpCall,
    Note,
    Reply,
    StartRecording,
    StopRecording,
)
from mappings._kernel.engine import Finished
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RecordingFound
from mappings._kernel.facts import EventReceived, dump
from mappings._rt.reader import ReplyError, read_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.rt_client import RtApp
    from bridge.runtime import App, Runtime
    from bridge.settings_model import Settings
    from mappings._kernel.actions import Effect, RestAction

FAILURE: Final = 1
USAGE: Final = 2
#: The call the command is translated for: live, from this number, and being recorded.
CALL_UUID: Final = "00000000-0000-0000-0000-000000000000"
CALLER_ID: Final = "+33100000000"
RECORDING_ID: Final = "11111111-1111-1111-1111-111111111111"
#: Stands in for the settings a document needs when there are none.
EXAMPLE: Final = {
    "BRIDGE_PUBLIC_URL": "https://bridge.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:9000/",
    "BRIDGE_VERIFY_SIGNATURES": "false",
    "BRIDGE_PLIVO_AUTH_ID": "MA00000000000000EXAMPLE",
    "BRIDGE_PLIVO_AUTH_TOKEN": "example",
}


def translate_main(body: bytes, *, app: str | None, settings: Settings | None) -> tuple[str, int]:
    """Translate one RT.Response with the settings of an app, or with example settings.

    Gives what to print and the exit status; what else is worth knowing goes to standard error.
    """
    if settings is None:
        settings = load_settings(EXAMPLE).settings
    chosen = app or next(iter(settings.apps))
    if chosen not in settings.apps:
        return (
            f"There is no app {chosen!r} in the settings; there is {', '.join(settings.apps)}.\n",
            USAGE,
        )
    store = open_store("memory:", durability="normal")
    with _notes():
        runtime = make_runtime(settings, store, bytes(32), SystemClock(), _NoApp(), None)
        return translate(runtime, runtime.apps[chosen], body)


@contextmanager
def _notes() -> Iterator[None]:
    """Turn what the shell would log into sentences: standard output holds the XML alone."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(
        processors=[_note],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        if before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**before)


def _note(_logger: object, _method: str, event: structlog.typing.EventDict) -> NoReturn:
    _say(event.get("why", event["event"]))
    raise structlog.DropEvent


def _say(sentence: str) -> None:
    sys.stderr.write(f"Note: {sentence}\n")


class _NoApp:
    """The transport of a translation: there is no app to ask."""

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """Refuse."""
        raise AssertionError(app, body, budget_s)


def translate(runtime: Runtime, app: App, body: bytes) -> tuple[str, int]:
    """Give what to print and the exit status: 0 with XML or a result, 1 with the app's error."""
    try:
        response = read_response(body)
    except ReplyError as error:
        return f"APP_INVALID_REPLY: {error.sentence}\n{error.excerpt}\n", FAILURE
    state = CallState(1, app.hash, CALL_UUID, 0.0, caller_id=CALLER_ID, call_recording=RECORDING_ID)
    transaction = Transaction(runtime, app, state)
    try:
        outcome = steps.start(runtime, app, state, response)
        while not isinstance(outcome, Finished):
            _mention(outcome.effects)
            state.log.extend(map(dump, outcome.new))
            match outcome.action:
                case Reply(verbs=verbs):
                    transaction.hand_out(verbs)
                    tree = etree.fromstring(transaction.document or b"")
                    return etree.tostring(tree, pretty_print=True, encoding="unicode"), 0
                case FindRecording(name=name):
                    _say(f"the recording {name} is taken as known to the bridge.")
                    event = RecordingFound(silent=False)
                    outcome = steps.feed(state, event)
                    state.log.append(dump(EventReceived(event)))
                case action:
                    wish = _wish(action)
                    return f"No document: the command asks Plivo's REST API to {wish}.\n", 0
    except CommandRefused as refused:
        return f"{refused}\n", FAILURE
    _mention(outcome.effects)
    if outcome.error:
        return f"{outcome.error}\n", FAILURE
    result = to_json(outcome.result).decode()
    return f"No document: the command returns {result} at once.\n", 0


def _mention(effects: Sequence[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, Note):
            _say(f"{effect.text} ({effect.code}).")


def _wish(action: RestAction) -> str:
    match action:
        case HangUpCall():
            return f"hang up call {action.callid}"
        case StartRecording():
            return f"record the call for at most {action.time_limit} s"
        case StopRecording():
            return f"stop the recording {action.recording_id} of the call"
        case _:
            assert_never(action)


__all__ = ["translate", "translate_main"]
