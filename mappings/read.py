"""read: play a prompt and collect digits at the same time.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| media_id | prompt inside GetDigits | none | unknown id → MEDIA_NOT_FOUND |
| max_digits | numDigits | 20 | 1 to 20 |
| attempts | one GetDigits each, retries=1 | 10 | 1 to 10 |
| timeout_ms | timeout and digitTimeout, in whole seconds, rounded up | 30000 | 100 to 30000 |

Digits followed by silence instead of `#` are submitted by Plivo (its XML reference, GetDigits);
RT calls that TIMEOUT. The app's `partial_read` chooses: "keys" returns them, "timeout" counts fewer
than max_digits as no input, "exact" collects the `#` itself and so can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.events import DigitsReceived
from mappings._plivo.verbs import GetDigits
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext


class ReadParams(Params):
    """Params of `read`."""

    media_id: RtMedia = NoMedia()
    max_digits: int = Field(20, ge=1, le=20)
    attempts: int = Field(10, ge=1, le=10)
    timeout_ms: int = Field(30_000, ge=100, le=30_000)


@command("read", ReadParams)
def read(p: ReadParams, call: CallContext) -> Flow:
    """Ask up to `attempts` times; the keys without `#`, or TIMEOUT."""
    exact = call.partial_read == "exact"
    seconds = max(1, -(-p.timeout_ms // 1000))
    question = GetDigits(
        prompts=call.sounds(p.media_id),
        timeout=seconds,
        digit_timeout=seconds,
        num_digits=p.max_digits,
        finish_on_key="none" if exact else "#",
    )
    for _ in range(p.attempts):
        event = yield Reply(question)
        if isinstance(event, DigitsReceived):
            keys, finished, _ = event.digits.partition("#")
            complete = bool(finished) or len(keys) >= p.max_digits
            if complete or call.partial_read == "keys" or (not exact and not keys):
                return keys[: p.max_digits]
    return "TIMEOUT"
