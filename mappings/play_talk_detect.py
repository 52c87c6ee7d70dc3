"""play_talk_detect: play a media and stop at once when the caller talks.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| media_id | prompt inside GetInput inputType="speech" | none | no media → "0" at once; unknown id → MEDIA_NOT_FOUND |
| min_ms, max_ms, silence_ms | none | 500, 60000, 5 | checked and otherwise ignored: Plivo's recogniser decides what speech is |
| analysistime_ms | none | 4000 | checked and otherwise ignored: the whole prompt is analysed, and 5 s after it |

Approximated: speech recognition is billed by Plivo, and silence is noticed 5 s after the prompt ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import SpeechReceived
from mappings._plivo.verbs import GetInput, Speak
from mappings._plivo.voices import recognised_language
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: The shortest time GetInput listens after the prompt (Plivo XML reference, GetInput).
TAIL_S: Final = 5


class PlayTalkDetectParams(Params):
    """Params of `play_talk_detect`."""

    media_id: RtMedia = NoMedia()
    min_ms: int = Field(500, ge=1, le=60_000)
    max_ms: int = Field(60_000, ge=1, le=60_000)
    silence_ms: int = Field(5, ge=1, le=5000)
    analysistime_ms: int = Field(4000, ge=1, le=60_000)


@command("play_talk_detect", PlayTalkDetectParams)
def play_talk_detect(p: PlayTalkDetectParams, call: CallContext) -> Flow:
    """Listen while playing; TALK or "0"."""
    prompts = call.sounds(p.media_id)
    if not prompts:
        return "0"
    spoken = prompts[0].language if isinstance(prompts[0], Speak) else ""
    event = yield Reply(GetInput(prompts, TAIL_S, recognised_language(spoken)))
    return "TALK" if isinstance(event, SpeechReceived) else "0"
