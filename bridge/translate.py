"""`rt-bridge translate`: one RT.Response in, the Plivo XML it becomes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from bridge import steps
from bridge.app import make_runtime
from bridge.clock import SystemClock
from bridge.settings import load_settings
from bridge.state import CallState
from bridge.store import open_store
from bridge.transaction import Transaction
from mappings._kernel.actions import FindRecording, Reply
from mappings._kernel.engine import Finished
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RecordingFound
from mappings._kernel.facts import EventReceived, dump
from mappings._rt.reader import ReplyError, read_response

if TYPE_CHECKING:
    from bridge.rt_client import RtApp
    from bridge.runtime import App, Runtime
    from bridge.settings_model import Settings

FAILURE = 1
USAGE = 2
#: Stands in for the settings a document needs when there are none.
EXAMPLE = {
    "BRIDGE_PUBLIC_URL": "https://bridge.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:9000/",
    "BRIDGE_VERIFY_SIGNATURES": "false",
    "BRIDGE_PLIVO_AUTH_ID": "MA00000000000000EXAMPLE",
    "BRIDGE_PLIVO_AUTH_TOKEN": "example",
}


def translate_main(body: bytes, *, app: str | None, settings: Settings | None) -> tuple[str, int]:
    """Translate one RT.Response with the settings of an app, or with example settings."""
    if settings is None:
        settings = load_settings(EXAMPLE).settings
    chosen = app or next(iter(settings.apps))
    if chosen not in settings.apps:
        return (
            f"There is no app {chosen!r} in the settings; there is {', '.join(settings.apps)}.\n",
            USAGE,
        )
    store = open_store("memory:", durability="normal")
    runtime = make_runtime(settings, store, bytes(32), SystemClock(), _NoApp(), None)
    return translate(runtime, runtime.apps[chosen], body)


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
    uuid = "00000000-0000-0000-0000-000000000000"
    state = CallState(1, app.hash, uuid, 0.0, caller_id="+33100000000")
    transaction = Transaction(runtime, app, state)
    try:
        outcome = steps.start(runtime, app, state, response)
        while not isinstance(outcome, Finished):
            state.log.extend(map(dump, outcome.new))
            if isinstance(outcome.action, Reply):
                transaction.hand_out(outcome.action.verbs)
                tree = etree.fromstring(transaction.document or b"")
                return etree.tostring(tree, pretty_print=True, encoding="unicode"), 0
            if not isinstance(outcome.action, FindRecording):
                return f"Plivo REST: {outcome.action}\n", 0
            event = RecordingFound(silent=False)
            outcome = steps.feed(state, event)
            state.log.append(dump(EventReceived(event)))
    except CommandRefused as refused:
        return f"{refused}\n", FAILURE
    if outcome.error:
        return f"{outcome.error}\n", FAILURE
    return f"No document: the command returns {outcome.result!r} at once.\n", 0


__all__ = ["translate", "translate_main"]
