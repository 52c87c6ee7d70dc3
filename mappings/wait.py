"""wait: wait for a few seconds.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| wait (also `seconds`) | Wait length | 1 | s, 1 to 30; a ringing call is answered first, since a leading Wait would delay that |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._plivo.verbs import Wait
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class WaitParams(Params):
    """Params of `wait`."""

    wait: int = Field(1, ge=1, le=30, validation_alias=AliasChoices("wait", "seconds"))


@command("wait", WaitParams)
def wait(p: WaitParams, call: CallContext) -> Flow:
    """Wait; always "0"."""
    yield Reply(*call.answer_first(), Wait(p.wait))
    return "0"
