"""play: play a media or say a text.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| media_id | Speak (a text over 3000 characters in parts) or Play | none | no media → "0" at once; unknown id → "1"; a file Plivo cannot fetch is not reported, so → "0" |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.actions import Note, Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.errors import CommandRefused
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class PlayParams(Params):
    """Params of `play`."""

    media_id: RtMedia = NoMedia()


@command("play", PlayParams)
def play(p: PlayParams, call: CallContext) -> Flow:
    """Play or say it; "0" when it was played, "1" when there is no such media."""
    try:
        sounds = call.sounds(p.media_id)
    except CommandRefused as unknown:
        yield Note(unknown.code, unknown.sentence)
        return "1"
    if sounds:
        yield Reply(*sounds)
    return "0"
