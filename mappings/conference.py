"""conference: join a room, after a welcome and a PIN dialogue if there are any.

| RT parameter | Plivo | default | difference |
|---|---|---|---|
| id | room name, hashed, kept apart per app unless rooms are shared | (required) | any text or number |
| welcome | Speak or Play first | none | |
| pin_code | GetDigits log="false" | none | up to 10 digits, `#` after them |
| pin_prompt, pin_error, pin_valid | Speak or Play around the GetDigits | none | |
| pin_max_tries | one GetDigits each | 3 | 0 = the default |
| pin_wait | GetDigits timeout and digitTimeout | 5 | s; 0 = the default |
| user_join, user_leave | enterSound, exitSound | none | heard by the whole room |
| waiting | waitSound | none | |
| auto_leave_when_alone | kick through REST; stayAlone without | false | without REST it holds for the whole room |
| auto_leave_announce | Speak or Play after leaving | none | |

Unknown media ids → MEDIA_NOT_FOUND. A full room → ROOM_FULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mappings._kernel.actions import Reply
from mappings._kernel.command import Flow, SubFlow, command
from mappings._kernel.events import DigitsReceived
from mappings._plivo.verbs import GetDigits
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtBool, RtMedia
from mappings.simple_conference import RoomSounds, room_flow

if TYPE_CHECKING:
    from mappings._kernel.context import CallContext
    from mappings._plivo.verbs import Sound

#: RT allows a PIN of 10 digits; a few more let a caller's slip reach the "wrong PIN" answer.
PIN_DIGITS = 20


class ConferenceParams(Params):
    """Params of `conference`."""

    id: str = Field(min_length=1, max_length=200)
    welcome: RtMedia = NoMedia()
    pin_code: str = Field("", pattern=r"^[0-9]{0,10}$")
    pin_prompt: RtMedia = NoMedia()
    pin_error: RtMedia = NoMedia()
    pin_valid: RtMedia = NoMedia()
    pin_max_tries: int = Field(3, ge=0, le=100)
    pin_wait: int = Field(5, ge=0, le=300)
    user_join: RtMedia = NoMedia()
    user_leave: RtMedia = NoMedia()
    waiting: RtMedia = NoMedia()
    auto_leave_when_alone: RtBool = False
    auto_leave_announce: RtMedia = NoMedia()


@command("conference", ConferenceParams)
def conference(p: ConferenceParams, call: CallContext) -> Flow:
    """Welcome, ask for the PIN, join; PIN_ERROR, PIN_TIMEOUT or the way the room was left."""
    sounds = RoomSounds(
        joined=call.sounds(p.user_join),
        left=call.sounds(p.user_leave),
        waiting=call.sounds(p.waiting),
        alone=call.sounds(p.auto_leave_announce),
    )
    opening = call.sounds(p.welcome)
    if p.pin_code:
        # Looked up before anybody is asked: an unknown id must not waste the caller's PIN.
        valid = call.sounds(p.pin_valid)
        verdict = yield from pin_flow(p, call, opening)
        if verdict:
            return verdict
        opening = valid
    return (
        yield from room_flow(
            p.id, call, opening, sounds, auto_leave_when_alone=p.auto_leave_when_alone
        )
    )


def pin_flow(p: ConferenceParams, call: CallContext, opening: tuple[Sound, ...]) -> SubFlow[str]:
    """Ask for the PIN up to `pin_max_tries` times; "" when it was right, else the result."""
    question = GetDigits(
        prompts=call.sounds(p.pin_prompt),
        timeout=p.pin_wait or 5,
        digit_timeout=p.pin_wait or 5,
        num_digits=PIN_DIGITS,
        log=False,
    )
    wrong = call.sounds(p.pin_error)
    entered = False
    for _ in range(p.pin_max_tries or 3):
        event = yield Reply(*opening, question)
        opening = ()
        if isinstance(event, DigitsReceived) and event.digits:
            if event.digits == p.pin_code:
                return ""
            entered = True
            opening = wrong
    if opening:
        yield Reply(*opening)
    return "PIN_ERROR" if entered else "PIN_TIMEOUT"
