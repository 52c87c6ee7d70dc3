"""One Dial at work: its parties ring together, the first that accepts the call is connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.simulator.causes import LOST_RACE, Ending
from bridge.simulator.document import Element
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.party import Party

_EVENTS: Final = {
    "answer": "DialAnswer",
    "connected": "DialConnected",
    "digits": "DialDigits",
    "hangup": "DialHangup",
}


@dataclass(slots=True)
class Dialling:
    """One Dial at work for the line that executes it."""

    line: Line
    element: Element
    parties: list[Party] = field(default_factory=list)
    winner: Party | None = None
    #: The party that was given up last, while none was connected.
    last: Party | None = None

    def waiting(self) -> bool:
        """Say whether somebody may still accept the call."""
        return self.winner is None and any(party.here for party in self.parties)

    def connect(self, party: Party) -> bool:
        """Connect the party, unless another one was faster; the others are dropped."""
        if self.winner is not None:
            return False
        self.winner = party
        for other in self.parties:
            if other is not party and other.here:
                other.cut(LOST_RACE)
        line = self.line
        line.answer()
        line.add("hears", f"{party.leg.called}: connected", element="connected")
        line.dial_connected()
        return True

    def drop(self, ending: Ending) -> None:
        """End whoever is still there."""
        for party in self.parties:
            if party.here:
                party.cut(ending)

    def tell(self, action: str, party: Party, **more: str) -> None:
        """Notify callbackUrl; CallUUID is that of the line that dialled, as in the framework."""
        method: Method = "GET" if self.element.get("callbackMethod") == "GET" else "POST"
        form = {
            "Event": _EVENTS[action],
            "DialAction": action,
            "DialBLegStatus": "connected" if action == "digits" else action,
            "DialALegUUID": self.line.uuid,
            "DialBLegUUID": party.uuid,
            "DialBLegFrom": party.leg.caller,
            "DialBLegTo": party.leg.called,
            **more,
        }
        self.line.tell(action, self.element.get("callbackUrl"), form, method=method)

    def digits(self, party: Party, matched: str, pressed_by: str) -> None:
        """Notify that somebody pressed one of the patterns."""
        self.tell("digits", party, DialDigitsMatch=matched, DialDigitsPressedBy=pressed_by)


__all__ = ["Dialling"]
