"""stop_call_recording: stop the background recording of the call.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| announce | Speak or Play after the recording stopped | none | unknown id → MEDIA_NOT_FOUND |

The result is the id start_call_recording gave. Plivo has no XML for it: without REST →
REST_UNAVAILABLE. A call that is not recorded → NOT_RECORDING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.actions import RememberCallRecording, Reply, StopRecording
from mappings._kernel.command import Flow, command
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RestDone
from mappings._kernel.rest import require_rest, rest_failure
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class StopCallRecordingParams(Params):
    """Params of `stop_call_recording`."""

    announce: RtMedia = NoMedia()


@command("stop_call_recording", StopCallRecordingParams)
def stop_call_recording(p: StopCallRecordingParams, call: CallContext) -> Flow:
    """Stop it, announce that, and return the id of the recording."""
    announcement = call.sounds(p.announce)
    if not call.call_recording:
        raise CommandRefused("NOT_RECORDING", "start_call_recording has not been used on this call")
    require_rest(call, "stop_call_recording")
    event = yield StopRecording(call.call_recording)
    if not isinstance(event, RestDone):
        raise rest_failure(event)
    yield RememberCallRecording("")
    if announcement:
        yield Reply(*announcement)
    return call.call_recording
