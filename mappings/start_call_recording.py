"""start_call_recording: record the call in the background.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| announce | Speak or Play before the recording starts | none | unknown id → MEDIA_NOT_FOUND |
| feeds | record_channel_type | both | all, both, leg_a, leg_b; Plivo records both legs in any case: one leg alone gives a stereo file with both |
| transcription | transcription_type=auto | false | English only; the text goes to the app's transcript_url |
| locale | none | "" | Plivo transcribes English only: another language is noted |
| ner, pii, sentiment | none | not set | no counterpart: accepted and noted |

The result is Plivo's recording id. Without REST: Record recordSession, whose action carries the id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from mappings._kernel.actions import Note, RememberCallRecording, Reply, StartRecording
from mappings._kernel.command import Flow, command
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import RecordingReceived, RestDone
from mappings._kernel.rest import rest_failure
from mappings._plivo.verbs import Record
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtBool, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: The longest Plivo records (its XML reference, Record); its default of 60 s would cut a call short.
TIME_LIMIT_S: Final = 86_400


class StartCallRecordingParams(Params):
    """Params of `start_call_recording`."""

    announce: RtMedia = NoMedia()
    feeds: Literal["all", "both", "leg_a", "leg_b"] = "both"
    locale: str = ""
    ner: RtBool | None = None
    pii: RtBool | None = None
    sentiment: RtBool | None = None
    transcription: RtBool = False


@command("start_call_recording", StartCallRecordingParams)
def start_call_recording(p: StartCallRecordingParams, call: CallContext) -> Flow:
    """Announce it, start it, and return the id of the recording."""
    if p.ner or p.pii or p.sentiment:
        yield Note("NOT_SUPPORTED", "ner, pii and sentiment have no counterpart at Plivo")
    if p.transcription and p.locale and not p.locale.lower().startswith("en"):
        yield Note("NOT_SUPPORTED", "locale: Plivo transcribes English only")
    opening = call.sounds(p.announce) or call.answer_first()
    if call.rest:
        if opening:
            yield Reply(*opening)
        event = yield StartRecording(TIME_LIMIT_S, stereo=True, transcribe=p.transcription)
        if not isinstance(event, RestDone):
            raise rest_failure(event)
        recording_id = event.recording_id
    else:
        recorder = Record(TIME_LIMIT_S, record_session=True, transcribe=p.transcription)
        event = yield Reply(*opening, recorder)
        recording_id = event.recording_id if isinstance(event, RecordingReceived) else ""
    if not recording_id:
        raise CommandRefused("RECORDING_FAILED", "Plivo gave no recording id")
    yield RememberCallRecording(recording_id)
    return recording_id
