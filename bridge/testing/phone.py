"""Phones: who calls the app, who is called by it, and what numbers do when they are dialled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects
from bridge.simulator.line import Line
from bridge.simulator.platform import Application, Plivo, digits
from bridge.testing.failures import ExpectationError, explain

if TYPE_CHECKING:
    from bridge.testing.call import Call
    from bridge.testing.rig import Rig

#: The number that is called when a test names none, and who calls.
CALLED: Final = "+33187654321"
CALLER: Final = "+33612345678"
#: How the settings of the rig call the app.
HASH: Final = "DEFAULT"
#: E.164, or a SIP address.
_DIALLED: Final = re.compile(r"\+[1-9][0-9]{2,14}|sips?:\S+")
#: Virtual s that a phone waits for a call: it may be queued, and others are made before it.
RINGS_WITHIN_S: Final = 60.0


@dataclass(slots=True)
class CalleeSetting:
    """What a number does when it is dialled; the last word counts."""

    plivo: Plivo
    number: str

    def answers(
        self, after: float = 3.0, seconds: float | None = None, key: str | None = None
    ) -> CalleeSetting:
        """Pick up `after` s, press `key` when asked to confirm, hang up `seconds` after that."""
        return self._does(Answers(after, seconds, key or ""))

    def busy(self) -> CalleeSetting:
        """Be busy."""
        return self._does(Busy())

    def rejects(self) -> CalleeSetting:
        """Decline."""
        return self._does(Rejects())

    def no_answer(self) -> CalleeSetting:
        """Never pick up."""
        return self._does(NoAnswer())

    def fails(self, code: int = 3050) -> CalleeSetting:
        """Fail with this hangup cause of Plivo."""
        return self._does(Fails(code))

    def _does(self, callee: Callee) -> CalleeSetting:
        self.plivo.callees[digits(self.number)] = callee
        return self


@dataclass(frozen=True, slots=True)
class Phone:
    """Somebody with a phone."""

    rig: Rig = field(repr=False)
    number: str = CALLER

    async def dial(
        self, to: str = CALLED, from_: str | None = None, caller_name: str | None = None
    ) -> Call:
        """Call a number of the bridge; `from_` shows another number than this phone's."""
        __tracebackhide__ = True
        self._lead_to_the_app(to)
        line = self.rig.plivo.call(
            self.number if from_ is None else from_, to, caller_name=caller_name
        )
        return self.rig.call_of(line)

    def _lead_to_the_app(self, number: str) -> None:
        numbers = self.rig.plivo.numbers
        if digits(number) in numbers:
            return
        if not _DIALLED.fullmatch(number):
            __tracebackhide__ = True
            raise ValueError(
                f"“{number}” cannot be called: write a number with + and country code and nothing "
                "between, such as +33187654321."
            )
        numbers[digits(number)] = Application.at(self.rig.host.settings.public_url, HASH)

    async def rings(self, *, within: float = RINGS_WITHIN_S) -> Call:
        """Wait until somebody calls this phone; give the call, which `answer` takes.

        Raises ExpectationError when it does not ring within so many virtual s.
        """
        __tracebackhide__ = True
        rig, clock = self.rig, self.rig.clock
        await clock.drive(lambda: self._ringing() is not None, clock.now() + within)
        line = self._ringing()
        if line is None:
            sentence = (
                f"Expected the phone {self.number} to ring, and it did not within {within:g} s."
            )
            raise ExpectationError(explain(rig, sentence, "", 0), len(rig.timeline.entries) - 1)
        return rig.call_of(line)

    def _ringing(self) -> Line | None:
        mine = digits(self.number)
        for line in self.rig.plivo.lines:
            if line.leg.called == mine and line.listening == {"answer"}:
                return line
        return None


__all__ = ["CALLED", "CALLER", "HASH", "RINGS_WITHIN_S", "CalleeSetting", "Phone"]
