"""REST actions of mappings, performed; every failure becomes an event the mapping can decide on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, assert_never

import structlog

from bridge.plivo.rest_errors import PlivoNotFound, PlivoRefused, PlivoRestError
from bridge.state import Phase, load
from mappings._kernel.actions import HangUpCall, StartRecording, StopRecording
from mappings._kernel.events import RestDone, RestFailed, RestUnknown

if TYPE_CHECKING:
    from bridge.plivo.rest import PlivoRest
    from bridge.runtime import App, Runtime
    from bridge.state import CallState
    from mappings._kernel.actions import RestAction
    from mappings._kernel.events import Event

log = structlog.get_logger()

#: A REST action happens inside a webhook, which has 8 s in all.
BUDGET_S: Final = 5.0


class RestActions:
    """Performs REST actions with the account's client."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def perform(self, app: App, state: CallState, action: RestAction) -> Event:
        """Perform one action for a call and say what came of it; never raises for Plivo's sake."""
        rest = self._runtime.rest
        if rest is None:
            return RestFailed("REST_UNAVAILABLE", "BRIDGE_PLIVO_REST is false")
        try:
            async with asyncio.timeout(BUDGET_S):
                return await self._perform(rest, app, state, action)
        except TimeoutError:
            event: RestFailed | RestUnknown = RestUnknown(
                f"Plivo did not answer within {BUDGET_S:g} s"
            )
        except PlivoRestError as error:
            event = _failure(error)
        except ValueError as error:
            # The client refuses ids and texts that could mean anything but one single thing.
            event = RestFailed("REST_REFUSED", str(error))
        log.warning("plivo.rest_failed", call=state.callid, app=state.app, why=event.message)
        return event

    async def _perform(
        self, rest: PlivoRest, app: App, state: CallState, action: RestAction
    ) -> Event:
        match action:
            case HangUpCall():
                return await self._hang_up(rest, app, action)
            case StartRecording():
                recording = await rest.start_recording(
                    state.uuid,
                    time_limit_s=action.time_limit,
                    record_channel_type="stereo" if action.stereo else "mono",
                    transcription_type="auto" if action.transcribe else None,
                )
                return RestDone(recording_id=recording.recording_id)
            case StopRecording():
                await rest.stop_recording(state.uuid)
                return RestDone(recording_id=action.recording_id)
            case _:
                assert_never(action)

    async def _hang_up(self, rest: PlivoRest, app: App, action: HangUpCall) -> Event:
        stored = await self._runtime.store.load_call(action.callid)
        missing = RestFailed(
            "CALL_NOT_FOUND", f"hangup_callid.callid: no live call {action.callid}"
        )
        if stored is None:
            return missing
        other = load(stored.blob, stored.version)
        if other.app != app.hash or other.phase is Phase.ENDED:
            return missing
        try:
            await rest.hang_up_call(other.uuid)
        except PlivoNotFound:
            return missing
        return RestDone()


def _failure(error: PlivoRestError) -> RestFailed | RestUnknown:
    if error.maybe_done:
        return RestUnknown(str(error))
    refused = isinstance(error, PlivoRefused)
    return RestFailed("REST_REFUSED" if refused else "REST_UNAVAILABLE", str(error))


__all__ = ["BUDGET_S", "RestActions"]
