"""wait_for_silence: wait until the caller has been silent `iterations` times, or time is up.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| iterations | one Wait each | 1 | 1 to 10 |
| silence_ms | Wait minSilence | 1000 | 1 to 5000 |
| timeout (also `timeout_ms`, also in s) | Wait length, one budget for all | 0 | s, 0 to 300; 0 = off = 4 h |

A silence as long as the time that is left cannot be heard: TIMEOUT when that time is over.
Plivo does not say how a Wait ended: one that came back more than 0.5 s early heard silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import AliasChoices, Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import DocumentEnded
from mappings._plivo.verbs import Wait
from mappings._rt.params import Params

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: Stands for "no timeout": the longest call Plivo allows by default is 4 h.
UNLIMITED_S: Final = 14_400
#: A Wait this much shorter than asked for was ended by silence.
EARLY_MS: Final = 500


class WaitForSilenceParams(Params):
    """Params of `wait_for_silence`."""

    iterations: int = Field(1, ge=1, le=10)
    silence_ms: int = Field(1000, ge=1, le=5000)
    timeout: int = Field(0, ge=0, le=300, validation_alias=AliasChoices("timeout", "timeout_ms"))


@command("wait_for_silence", WaitForSilenceParams)
def wait_for_silence(p: WaitForSilenceParams, call: CallContext) -> Flow:
    """Spend one time budget on `iterations` silences; SILENCE or TIMEOUT."""
    budget_ms = (p.timeout or UNLIMITED_S) * 1000
    answer = call.answer_first()
    for _ in range(p.iterations):
        length = max(1, budget_ms // 1000)
        if p.silence_ms >= length * 1000:
            # Plivo only looks for silences shorter than the Wait: this one would be too long.
            yield Reply(*answer, Wait(length))
            return "TIMEOUT"
        event = yield Reply(*answer, Wait(length, silence=True, min_silence=p.silence_ms))
        answer = ()
        elapsed_ms = event.elapsed_ms if isinstance(event, DocumentEnded) else 0
        if elapsed_ms >= length * 1000 - EARLY_MS:
            return "TIMEOUT"
        budget_ms -= elapsed_ms
    return "SILENCE"
