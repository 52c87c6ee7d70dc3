"""record: record the caller until `#`, silence or the maximum duration.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| max_duration | maxLength | 0 | s, 0 to 300; 0 = off = 24 h; 1 becomes 2, Plivo's minimum |
| silence | timeout | 0 | s, 0 to 20; 0 = off = 24 h |

The result is a name of our own, usable with play_record by any call of the app until it expires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from mappings._kernel.actions import KeepRecording, Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import RecordingReceived
from mappings._plivo.verbs import Record
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: Stands for "no limit": Plivo's own defaults are 60 s and 15 s, its maximum 24 h.
UNLIMITED_S: Final = 86_400
#: "maxLength > 1" (Plivo XML reference, Record).
SHORTEST_S: Final = 2


class RecordParams(Params):
    """Params of `record`."""

    max_duration: int = Field(0, ge=0, le=300)
    silence: int = Field(0, ge=0, le=20)


@command("record", RecordParams)
def record(p: RecordParams, call: CallContext) -> Flow:
    """Record; the media_file name, bound to silence when nothing was recorded."""
    event = yield Reply(
        Record(
            max_length=max(p.max_duration, SHORTEST_S) if p.max_duration else UNLIMITED_S,
            timeout=p.silence or UNLIMITED_S,
            finish_on_key="#",
            play_beep=True,
        )
    )
    if isinstance(event, RecordingReceived):
        yield KeepRecording(call.name, event.url, event.recording_id)
    else:
        yield KeepRecording(call.name, "", "")
    return call.name
