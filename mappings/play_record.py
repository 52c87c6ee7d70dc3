"""play_record: play what the `record` command recorded.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| media_file | Play of a hosted copy | none | `""` or `0` → "0" at once; an unknown or expired name → "1"; a name under which nothing was recorded → "0" at once |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.actions import FindRecording, Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import RecordingFound
from mappings._plivo.verbs import HostedRecording, Play
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class PlayRecordParams(Params):
    """Params of `play_record`."""

    media_file: str = ""


@command("play_record", PlayRecordParams)
def play_record(p: PlayRecordParams, call: CallContext) -> Flow:  # noqa: ARG001 - every mapping has both
    """Play the recording through a hosted address that waits until Plivo has the file ready."""
    if not p.media_file.strip() or p.media_file.strip() == "0":
        return "0"
    found = yield FindRecording(p.media_file.strip())
    if not isinstance(found, RecordingFound):
        return "1"
    if not found.silent:
        yield Reply(Play(HostedRecording(p.media_file.strip())))
    return "0"
