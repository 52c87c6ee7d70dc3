"""Calls that are reached from outside of them: by another call, through JSON-RPC, by an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import BridgeError
from bridge.reconcile import removed_app
from bridge.replicas import settled
from bridge.state import CallState, Phase, load
from bridge.stays import stay_of
from bridge.transaction import Transaction

if TYPE_CHECKING:
    from bridge.locks import Locks
    from bridge.runtime import Runtime


class CallRefused(BridgeError):  # noqa: N818 - named for what happened
    """The call cannot be reached; `code` is stable, the message a sentence.

    The codes are CALL_NOT_FOUND (nobody knows it), CALL_ENDED and CALL_OF_ANOTHER_APP.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


async def live_call(runtime: Runtime, callid: int, *, app: str | None) -> CallState:
    """Give a call that has not ended, of this app (a hash) or, with None, of any. Raises CallRefused."""
    stored = await runtime.store.load_call(callid)
    if stored is None:
        raise CallRefused("CALL_NOT_FOUND", f"there is no call {callid}")
    state = load(stored.blob, stored.version)
    if app is not None and state.app != app:
        raise CallRefused("CALL_OF_ANOTHER_APP", f"call {callid} is one of another app")
    if state.phase is Phase.ENDED:
        raise CallRefused("CALL_ENDED", f"call {callid} has ended")
    return state


async def mark_hung_up(runtime: Runtime, locks: Locks, callid: int) -> None:
    """Store that we are about to hang up a call, if it is in a conference room.

    Plivo says as little of a call that is hung up through its API as of one whose conference is
    ended there; without the mark, the final request would tell of a room that was closed.
    """

    async def attempt() -> None:
        async with locks[callid]:
            stored = await runtime.store.load_call(callid)
            state = None if stored is None else load(stored.blob, stored.version)
            if state is None or "hung_up" in state.inbox or stay_of(state) is None:
                return
            state.inbox["hung_up"] = True
            app = runtime.apps.get(state.app) or removed_app(state.app)
            await Transaction(runtime, app, state).commit()

    # Another replica may be serving the very call: that is no fault of whoever hangs up.
    await settled(attempt)


__all__ = ["CallRefused", "live_call", "mark_hung_up"]
