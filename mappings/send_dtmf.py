"""send_dtmf: send tones to the caller.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| digits (also `digit`) | DTMF | (required) | 0-9, * and #, at most 100 |
| duration_ms | none | 500 | 1 to 5000; checked and otherwise ignored: the DTMF element has no duration |
| timeout_ms | `w` (0.5 s) between the tones, to the nearest | 500 | 0 to 10000 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import AliasChoices, Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._plivo.verbs import DTMF
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: The pause `w` stands for (Plivo XML reference, DTMF).
PAUSE_MS: Final = 500


class SendDtmfParams(Params):
    """Params of `send_dtmf`."""

    digits: str = Field(
        pattern=r"^[0-9*#]{1,100}$", validation_alias=AliasChoices("digits", "digit")
    )
    duration_ms: int = Field(500, ge=1, le=5000)
    timeout_ms: int = Field(500, ge=0, le=10_000)


@command("send_dtmf", SendDtmfParams)
def send_dtmf(p: SendDtmfParams, call: CallContext) -> Flow:  # noqa: ARG001 - every mapping has both
    """Send them; the integer 0, as documented."""
    pause = "w" * ((p.timeout_ms + PAUSE_MS // 2) // PAUSE_MS)
    yield Reply(DTMF(pause.join(p.digits)))
    return 0
