"""dialout: call targets one after the other and bridge the first that answers.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| targets[].number | Dial, one per target, in order | (required) | E.164 |
| targets[].timeout | Dial timeout | 30 | s, 5 to 300; cut at the 120 s Plivo rings at most |
| cli | callerId | BLOCKED | BLOCKED presents the configured number, else the account's own number of the call: Plivo cannot withhold it; neither known → INVALID_PARAMS, since Plivo would show the caller's |
| ringtone | dialMusic | RING | MUSIC plays own music or the configured file |
| whisper | confirmSound | none | unknown id → MEDIA_NOT_FOUND |
| cdr_field | none | "" | ≤ 32 alphanumeric; kept in the call's history |

When a bridged call is over, both legs end: the app sees HANGUP. NOANSWER when all targets failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mappings._kernel.actions import Note, Reply
from mappings._kernel.command import Flow, command
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import DialEnded
from mappings._plivo.numbers import to_plivo
from mappings._plivo.verbs import Asset, Dial, Hangup, Play, Sounds
from mappings._rt.media import NoMedia
from mappings._rt.numbers import caller_id, phone_number
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext

#: The ring limit of a call, in s (Plivo's hangup causes).
LONGEST_RING_S: Final = 120
#: Far more than a caller waits for.
MOST_TARGETS: Final = 100
#: Raw causes for a caller id the account may not present (Plivo's hangup causes, 3030).
REFUSED_CALLER_ID: Final = frozenset({"3030", "UNKNOWN_CALLER_ID", "Unknown Caller ID"})


class Target(Params):
    """One number to ring."""

    number: Annotated[str, BeforeValidator(phone_number)]
    timeout: int = Field(30, ge=5, le=300)


def _enough(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    # Not min_length: pydantic counts good targets only, and would complain twice of one bad one.
    if not 1 <= len(targets) <= MOST_TARGETS:
        raise ValueError(f"1 to {MOST_TARGETS} targets are expected, not {len(targets)}")
    return targets


class DialoutParams(Params):
    """Params of `dialout`."""

    targets: Annotated[tuple[Target, ...], AfterValidator(_enough)]
    cli: Annotated[str, BeforeValidator(caller_id)] = "BLOCKED"
    ringtone: Literal["MUSIC", "RING"] = "RING"
    whisper: RtMedia = NoMedia()
    cdr_field: str = Field("", pattern=r"^[A-Za-z0-9]{0,32}$")


@command("dialout", DialoutParams)
def dialout(p: DialoutParams, call: CallContext) -> Flow:
    """Dial until one answers; a bridged call that is over hangs up, otherwise NOANSWER."""
    presented = call.caller_id if p.cli == "BLOCKED" else p.cli
    if not presented:
        # Without callerId Plivo shows the caller's own number (Plivo XML reference, Dial).
        raise CommandRefused(
            "INVALID_PARAMS",
            "dialout.cli: BLOCKED has no number to stand in for the caller's: "
            "set BRIDGE_APP_BLOCKED_CALLER_ID",
        )
    whisper = call.sounds(p.whisper)
    music = Sounds((Play(call.dial_music_url or Asset("music")),))
    for position, target in enumerate(p.targets):
        event = yield Reply(
            Dial(
                number=to_plivo(target.number),
                timeout=min(target.timeout, LONGEST_RING_S),
                caller_id=to_plivo(presented),
                confirm_sound=Sounds(whisper) if whisper else None,
                dial_music=music if p.ringtone == "MUSIC" else "real",
            )
        )
        if isinstance(event, DialEnded):
            if event.status == "completed":
                yield Reply(Hangup())
                return ""
            if event.cause in REFUSED_CALLER_ID:
                sentence = f"dialout.cli: Plivo refused the caller id for target {position}"
                yield Note("CALLER_ID_REFUSED", sentence)
    return "NOANSWER"
