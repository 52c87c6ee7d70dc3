"""REST actions of mappings, performed; every failure becomes an event the mapping can decide on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, assert_never

import structlog

from bridge.addresses import notice_url
from bridge.live_calls import CallRefused, live_call, mark_hung_up
from bridge.locks import Locks
from bridge.plivo.rest_errors import PlivoNotFound, PlivoRefused, PlivoRestError
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

    def __init__(self, runtime: Runtime, locks: Locks | None = None) -> None:
        self._runtime = runtime
        #: The locks of calls; the caller of `perform` holds none of them.
        self.locks = locks or Locks()

    async def perform(
        self, app: App, state: CallState, action: RestAction, *, again: bool = False
    ) -> Event:
        """Perform one action for a call and say what came of it; never raises for Plivo's sake.

        `again` = a restart may have hidden that it was carried out before.
        """
        rest = self._runtime.rest
        if rest is None:
            return RestFailed("REST_UNAVAILABLE", "BRIDGE_PLIVO_REST is false")
        try:
            async with asyncio.timeout(BUDGET_S):
                return await self._perform(rest, app, state, action, again=again)
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
        self, rest: PlivoRest, app: App, state: CallState, action: RestAction, *, again: bool
    ) -> Event:
        match action:
            case HangUpCall():
                return await self._hang_up(rest, app, action, again=again)
            case StartRecording():
                recording = await rest.start_recording(
                    state.uuid,
                    time_limit_s=action.time_limit,
                    record_channel_type="stereo" if action.stereo else "mono",
                    callback_url=self._notice(state, "call_recording"),
                    transcription_type="auto" if action.transcribe else None,
                    transcription_url=self._notice(state, "transcript")
                    if action.transcribe
                    else None,
                )
                return RestDone(recording.recording_id, recording.url)
            case StopRecording():
                await self._stop(rest, state)
                return RestDone(recording_id=action.recording_id)
            case _:
                assert_never(action)

    async def _hang_up(
        self, rest: PlivoRest, app: App, action: HangUpCall, *, again: bool
    ) -> Event:
        scope = None if app.settings.hangup_scope == "account" else app.hash
        try:
            other = await live_call(self._runtime, action.callid, app=scope)
            await mark_hung_up(self._runtime, self.locks, action.callid)
            await rest.hang_up_call(other.uuid)
        except CallRefused as refused:
            if again and refused.code == "CALL_ENDED":
                # By the request that the restart interrupted, as far as anybody can tell.
                return RestDone()
            return RestFailed(refused.code, f"hangup_callid.callid: {refused}")
        except PlivoNotFound:
            if again:
                return RestDone()
            sentence = f"hangup_callid.callid: Plivo knows no live call {action.callid} any more"
            return RestFailed("CALL_ENDED", sentence)
        return RestDone()

    def _notice(self, state: CallState, kind: str) -> str:
        """Address of a notification about what the open command has started."""
        notice = f"{kind}/{state.running.context.name}"
        public_url = self._runtime.settings.public_url
        return notice_url(public_url, state.app, state.callid, state.step, notice)

    async def _stop(self, rest: PlivoRest, state: CallState) -> None:
        """Stop the recordings the app has started, and none that somebody else has."""
        if not state.recordings:
            # Started by an earlier release, which did not remember where they are.
            await rest.stop_recording(state.uuid)
        for _, url in state.recordings:
            try:
                await rest.stop_recording(state.uuid, url)
            except PlivoNotFound:
                log.info("recording.stopped_before", call=state.callid, app=state.app)


def _failure(error: PlivoRestError) -> RestFailed | RestUnknown:
    if error.maybe_done:
        return RestUnknown(str(error))
    refused = isinstance(error, PlivoRefused)
    return RestFailed("REST_REFUSED" if refused else "REST_UNAVAILABLE", str(error))


__all__ = ["BUDGET_S", "RestActions"]
