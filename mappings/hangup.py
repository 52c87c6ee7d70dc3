"""hangup: hang up the current call. No parameters, no result: the app sees HANGUP next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._plivo.verbs import Hangup
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class HangupParams(Params):
    """Params of `hangup`: none."""


@command("hangup", HangupParams)
def hangup(p: HangupParams, call: CallContext) -> Flow:  # noqa: ARG001 - every mapping has both
    """End the call."""
    yield Reply(Hangup())
    return ""
