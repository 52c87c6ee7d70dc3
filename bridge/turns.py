"""What a turn is made of besides its steps: its log line, its waiters, its errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bridge.metrics import RESULTS
from bridge.rt.failures import AppFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.runtime import App
    from bridge.state import CallState
    from mappings._rt.reader import RtResponse

#: The fields of a webhook's canonical log line.
Line = dict[str, Any]


class UnknownCall(Exception):  # noqa: N818 - named for what it is
    """No call of this app has that callid and CallUUID; the store may have been replaced."""


def same_call(state: CallState, app: App, form: Mapping[str, str]) -> bool:
    """Tell whether a request for this app, perhaps with a CallUUID, concerns that call."""
    return state.app == app.hash and state.uuid == (form.get("CallUUID") or state.uuid)


class Turn:
    """A turn in progress in this process; others that arrive for it wait for its end."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[None] | None = None

    async def wait(self, seconds: float) -> None:
        """Wait until it ended, but no longer than that."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._ended,), timeout=max(0.0, seconds))

    def end(self) -> None:
        """Let those who wait go on."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


def turn_line(
    state: CallState, answer: RtResponse | AppFailure, result: str, seconds: float, *, again: bool
) -> Line:
    """Write the canonical log line of a question to an app."""
    return {
        "call": state.callid,
        "app": state.app,
        "step": state.step,
        "command": state.command,
        "result": result,
        "reply": answer.code if isinstance(answer, AppFailure) else answer.command,
        "again": again,
        "ms": round(seconds * 1000, 1),
    }


def result_class(state: CallState) -> str:
    """Say what kind of result a turn reports, "" when it reports none."""
    if not (state.command or state.error or state.result):
        return ""
    return result_word(state.result, state.error)


def result_word(result: object, error: str) -> str:
    """Say what kind of result this is, without the digits or names in it."""
    if error:
        return "break" if error.startswith("BREAK") else "error"
    return result if isinstance(result, str) and result in RESULTS else "ok"


__all__ = ["Line", "Turn", "UnknownCall", "result_class", "result_word", "same_call", "turn_line"]
