"""A line to somebody who is called: the phone rings first, and its person takes the call or not."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects, Rings
from bridge.simulator.causes import (
    BUSY,
    CALLEE_HUNG_UP,
    CALLER_HUNG_UP,
    CANCELLED_BY_API,
    HUNG_UP_BY_API,
    NO_ANSWER,
    REJECTED,
    RING_TIMEOUT,
    Ending,
    party_failed,
)
from bridge.simulator.inputs import HungUp, Input, Takes
from bridge.simulator.line import Line
from bridge.simulator.unanswered import unanswered_status

#: Longest a phone rings, in s (page "Hangup causes").
LONGEST_RING_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What somebody does `after` s, and whether the phone rings until then."""

    after: float
    takes: Takes | None = None
    rings: bool = True


def _plan(callee: Callee, ring_s: float) -> _Plan:
    match callee:
        case Rings():
            return _Plan(inf)
        case Answers():
            return _Plan(callee.after, Takes("answered"))
        case Busy():
            return _Plan(callee.after, Takes("busy"), rings=False)
        case Rejects():
            return _Plan(callee.after, Takes("rejected"))
        case NoAnswer():
            return _Plan(ring_s, Takes("no-answer"))
        case Fails():
            takes = Takes("failed", callee.code, callee.cause)
            return _Plan(callee.after, takes, rings=False)


class CalledLine(Line):
    """A line whose person is called by Plivo.

    `callee` says what the person does unless a test says it first, with `Takes`.
    """

    callee: Callee = Rings()
    #: Whether the phone rang at all.
    rang = False

    def post(self, event: Input) -> None:
        """Let something happen; who hangs up a ringing phone declines the call."""
        if isinstance(event, HungUp) and event.ending in (CALLER_HUNG_UP, CALLEE_HUNG_UP):
            event = HungUp(REJECTED if self.leg.status == "ringing" else CALLEE_HUNG_UP)
        super().post(event)

    def cut(self, ending: Ending) -> None:
        """End the line from the platform's side."""
        super().post(HungUp(ending))

    async def ring(self, seconds: float) -> Ending | None:
        """Ring for so many s at most; None once it is answered, else how the call failed.

        Raises Over when the call is given up meanwhile.
        """
        seconds = min(seconds, LONGEST_RING_S)
        plan = _plan(self.callee, seconds)
        takes: Takes | None
        if not plan.rings:
            takes = await self._taken(min(plan.after, seconds)) or plan.takes
            return self._outcome(takes)
        self.rang = True
        self.leg.status = "ringing"
        self.ringing()
        with self.listens("ringing", "answer"):
            takes = await self._taken(min(plan.after, seconds))
        if takes is None and plan.after <= seconds:
            takes = plan.takes
        return self._outcome(takes)

    def ringing(self) -> None:
        """Hear that the phone began to ring."""

    async def _taken(self, seconds: float) -> Takes | None:
        until = self.clock.now() + seconds
        while (event := await self.next(until - self.clock.now())) is not None:
            if isinstance(event, Takes):
                return event
            self.lose(event)
        return None

    def _outcome(self, takes: Takes | None) -> Ending | None:
        if takes is None:
            return RING_TIMEOUT
        match takes.outcome:
            case "answered":
                self.leg.status = "in-progress"
                self.leg.answered = self.clock.now()
                self.add("does", "answers", action="answer")
                return None
            case "busy":
                ending = BUSY
            case "rejected":
                ending = REJECTED
            case "no-answer":
                ending = NO_ANSWER
            case "failed":
                ending = party_failed(takes.code, takes.cause)
        return ending

    def end(self, ending: Ending) -> None:
        """End the line; one that nobody answered has the status of its cause."""
        if self.ending is None and self.leg.answered is None:
            if ending == HUNG_UP_BY_API:
                ending = CANCELLED_BY_API
            self.leg.status = unanswered_status(ending)
        super().end(ending)


__all__ = ["LONGEST_RING_S", "CalledLine"]
