"""A party that Dial rings: it picks up, confirms, talks, hangs up; or is taken away by a transfer."""

from __future__ import annotations

from contextlib import nullcontext
from math import inf
from typing import TYPE_CHECKING, Final

from bridge.simulator.called import LONGEST_RING_S, CalledLine
from bridge.simulator.callees import Answers
from bridge.simulator.causes import (
    CALLEE_HUNG_UP,
    CONFIRM_FAILED,
    LOST_RACE,
    UNKNOWN_CALLER_ID,
    Ending,
)
from bridge.simulator.document import Element
from bridge.simulator.elements.speak_play import sounds_length
from bridge.simulator.flow import Moved, Over
from bridge.simulator.inputs import Key, PartyChanged
from bridge.simulator.key_patterns import KeyPatterns
from bridge.simulator.unanswered import State, unanswered_state

if TYPE_CHECKING:
    from bridge.simulator.dialling import Dialling
    from bridge.simulator.platform import Application

#: s without a key after the confirmation sound that end a party; nobody documents how long.
KEY_PATIENCE_S: Final = 5.0
#: What Dial allows when it says nothing else, in s (Plivo XML reference, Dial).
CONFIRM_TIMEOUT_S: Final = 120.0
#: Longest that a party lives, in s, whatever Dial says (Plivo XML reference, Dial).
_LONGEST_S: Final = 86_400.0


class Party(CalledLine):
    """A party that Dial rings; once a transfer took it away it executes documents itself."""

    dialling: Dialling
    child: Element
    state: State | None = None
    #: Whether the account may show the caller id.
    may_call = True
    departed = False
    timeout_s = inf

    @property
    def here(self) -> bool:
        """Say whether the party still belongs to its Dial."""
        return self.ending is None and not self.departed

    def depart(self) -> None:
        """Take the party out of its Dial: it is transferred."""
        self.departed = True
        self.dialling.line.post(PartyChanged(self.leg_number))

    def ringing(self) -> None:
        """Hear that the phone began to ring."""
        self._become("ringing")
        if self.child.get("sendOnPreanswer") == "true":
            self._send_digits()

    def end(self, ending: Ending) -> None:
        """End the party and tell the Dial."""
        if self.ending is not None:
            return
        super().end(ending)
        answered = self.leg.answered is not None
        self._become("ended" if answered else unanswered_state(ending))
        dialling = self.dialling
        if dialling.winner is None:
            dialling.last = self
        if ending != LOST_RACE or self.profile.losers_report_hangup:
            talked = round(self.clock.now() - self.leg.answered) if self.leg.answered else 0
            decimal = self.profile.decimal_durations
            _, code, name, source = ending
            dialling.tell(
                "hangup",
                self,
                DialBLegDuration=f"{talked:.1f}" if decimal else str(talked),
                DialBLegBillDuration=str(-(-talked // 60) * 60),
                DialBLegHangupCauseName=name,
                DialBLegHangupCauseCode=code,
                DialBLegHangupSource=source,
            )
        dialling.line.post(PartyChanged(self.leg_number))

    async def _live(self) -> None:
        try:
            await self._be_dialled()
        except Moved as moved:
            self.departed = True
            await self._go_on(await self._moved(moved))

    async def _be_dialled(self) -> None:
        if not self.may_call:
            raise Over(UNKNOWN_CALLER_ID)
        failed = await self.ring(self.timeout_s)
        if failed is not None:
            raise Over(failed)
        dialling = self.dialling
        self._become("answered")
        dialling.tell("answer", self)
        if self.child.get("sendOnPreanswer") != "true":
            self._send_digits()
        await self._confirm()
        await self.idle(0)
        if not dialling.connect(self):
            raise Over(LOST_RACE)
        self.add("hears", f"{self.leg.caller}: connected", element="connected")
        self._become("connected")
        dialling.tell("connected", self)
        dialling.line.post(PartyChanged(self.leg_number))
        await self._talk()

    def _become(self, state: State) -> None:
        self.state = state
        self.add("leg", f"{self.leg.called}: {state}", leg=self.leg_number, state=state)

    def _send_digits(self) -> None:
        tones = self.child.get("sendDigits")
        if tones:
            self.add("hears", f"the tones {tones}", element="DTMF", tones=tones)

    async def _confirm(self) -> None:
        """Play the confirmation sound and wait for the key.

        Without a key the party is connected after the sound, which must be over in time; a sound
        that does not come asks for nothing (Plivo XML reference, Dial).
        """
        element = self.dialling.element
        url, key = element.get("confirmSound"), element.get("confirmKey")
        elements = await self.sounds("confirmSound", url) if url else ()
        if not elements:
            return
        seconds = await sounds_length(self, elements)
        if not key:
            longest = element.number("confirmTimeout", CONFIRM_TIMEOUT_S)
            await self.idle(min(seconds, longest))
            if seconds > longest:
                raise Over(CONFIRM_FAILED)
            return
        if isinstance(self.callee, Answers) and self.callee.key:
            self.add(
                "does",
                f"presses {self.callee.key}",
                action="press",
                keys=self.callee.key,
            )
            self.post(Key(self.callee.key))
        until = self.clock.now() + seconds + KEY_PATIENCE_S
        with self.listens("Dial", "keys"):
            while (event := await self.next(until - self.clock.now())) is not None:
                if isinstance(event, Key):
                    if event.digit == key:
                        return
                    break
        raise Over(CONFIRM_FAILED)

    async def _talk(self) -> None:
        """Talk until somebody hangs up; the keys go to the other one."""
        callee, dialling = self.callee, self.dialling
        talks = callee.talks if isinstance(callee, Answers) else None
        until = inf if talks is None else self.clock.now() + talks
        patterns = KeyPatterns(dialling.element.get("digitsMatchBLeg"))
        with self.listens("Dial", "keys") if patterns else nullcontext():
            while (event := await self.next(until - self.clock.now())) is not None:
                if isinstance(event, Key):
                    matched, _ = patterns.press(event.digit, self.clock.now())
                    if matched:
                        dialling.digits(self, matched, "BLeg")
        self.add("does", "hangs up", action="hang_up")
        raise Over(CALLEE_HUNG_UP)


def dial_party(dialling: Dialling, child: Element, application: Application) -> Party:
    """Make the party of a Number or User; it begins to ring with `start`."""
    line, element = dialling.line, dialling.element
    plivo, call = line.plivo, line
    while call.parent is not None:
        call = call.parent
    number = len(call.legs) + 1
    chosen, called = element.get("callerId").removeprefix("+"), child.text.removeprefix("+")
    leg = plivo.leg(
        line.number,
        chosen or line.leg.caller,
        called,
        leg_number=number,
        direction="outbound",
        caller_name=element.get("callerName") or line.leg.caller_name,
        status="queued",
        extra=sip_headers(element.get("sipHeaders")) | sip_headers(child.get("sipHeaders")),
    )
    party = Party(
        plivo,
        leg,
        application,
        line.number,
        leg_number=number,
        parent=line,
        longest_s=_LONGEST_S,
    )
    party.dialling, party.child = dialling, child
    party.callee = plivo.callees.get(called, plivo.default_callee)
    party.may_call = not chosen or plivo.may_show(chosen)
    party.timeout_s = element.number("timeout", LONGEST_RING_S)
    dialling.parties.append(party)
    call.legs.append(party)
    plivo.register(party)
    text, shown = f"{called}, showing {leg.caller}", leg.caller
    line.add("dials", text, number=called, caller_id=shown, leg=number)
    return party


def sip_headers(text: str) -> dict[str, str]:
    """Give the parameters that requests about a line with these headers carry."""
    pairs = (header.partition("=") for header in text.split(",") if header)
    return {f"X-PH-{name}": value for name, _, value in pairs}


__all__ = ["CONFIRM_TIMEOUT_S", "KEY_PATIENCE_S", "Party", "dial_party", "sip_headers"]
