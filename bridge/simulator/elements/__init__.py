"""How the simulated platform executes each element of Plivo XML; one coroutine per element.

Each gives the next document to fetch, or None when the next element runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.elements.conference import conference
from bridge.simulator.elements.dial import dial
from bridge.simulator.elements.dtmf import dtmf
from bridge.simulator.elements.get_digits import get_digits
from bridge.simulator.elements.get_input import get_input
from bridge.simulator.elements.hangup import hangup
from bridge.simulator.elements.message import message
from bridge.simulator.elements.multi_party_call import multi_party_call
from bridge.simulator.elements.record import record
from bridge.simulator.elements.redirect import redirect
from bridge.simulator.elements.speak_play import play, pre_answer, speak
from bridge.simulator.elements.stream import stream
from bridge.simulator.elements.wait import wait
from bridge.simulator.flow import Follow

if TYPE_CHECKING:
    from bridge.simulator.line import Line

Handler = Callable[["Line", Element], Awaitable[Follow | None]]

#: Elements that leave an inbound call ringing: those of the framework Plivo published, Message,
#: which it does not know, and Redirect, about which the profile has the last word.
UNANSWERING: Final = frozenset({"Wait", "PreAnswer", "Hangup", "Dial", "Redirect", "Message"})

HANDLERS: Final[dict[str, Handler]] = {
    "Conference": conference,
    "DTMF": dtmf,
    "Dial": dial,
    "GetDigits": get_digits,
    "GetInput": get_input,
    "Hangup": hangup,
    "Message": message,
    "MultiPartyCall": multi_party_call,
    "Play": play,
    "PreAnswer": pre_answer,
    "Record": record,
    "Redirect": redirect,
    "Speak": speak,
    "Stream": stream,
    "Wait": wait,
}

__all__ = ["HANDLERS", "UNANSWERING"]
