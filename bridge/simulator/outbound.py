"""Calls that the account makes through REST: queued, ringing, answered, then led by documents."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from bridge.simulator.called import LONGEST_RING_S, CalledLine
from bridge.simulator.callees import Answers
from bridge.simulator.causes import (
    CANCELLED_BY_API,
    MACHINE_DETECTED,
    SCHEDULED_HANGUP,
    UNKNOWN_CALLER_ID,
)
from bridge.simulator.flow import Over
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Method
from bridge.simulator.line import LONGEST_S
from bridge.simulator.party import sip_headers

if TYPE_CHECKING:
    from bridge.simulator.platform import Application, Plivo

#: s that detection takes to be sure of a person; nobody documents it.
PERSON_DETECTED_S: Final = 1.0
#: s that pass between a request and its call, when nothing is queued.
_DIALLING_S: Final = 0.1


class CallOptions(TypedDict, total=False):
    """What a call can be made with, in the words of Plivo's page "Make a call"; times in s.

    `machine_detection_time` is in ms, as Plivo has it, `hangup_on_ring` counts from the first ring.
    """

    caller_name: str
    ring_timeout: float
    time_limit: float
    send_digits: str
    send_on_preanswer: bool
    hangup_on_ring: float
    machine_detection: Literal["", "true", "hangup"]
    machine_detection_time: float
    machine_detection_url: str
    machine_detection_method: Method
    sip_headers: str


@dataclass(slots=True)
class Departures:
    """When calls leave the queue: at most `per_second` in any second (page "Account limits").

    Nothing else is queued: a Dial does not count.
    """

    per_second: int = 2
    _latest: deque[float] = field(default_factory=deque)

    def next(self, now: float) -> float:
        """Give the instant at which one more call leaves, in wall time."""
        while len(self._latest) >= self.per_second:
            earliest = self._latest.popleft()
            now = max(now, earliest + 1.0)
        self._latest.append(now)
        return now


class OutboundLine(CalledLine):
    """A call made through REST."""

    options: CallOptions
    #: When it leaves the queue, in wall time.
    due = 0.0
    queued = False

    def parameters(self) -> dict[str, str]:
        """Give the parameters of its requests; a ring request has a plus in From and no A leg."""
        known = super().parameters()
        if self.leg.status == "ringing":
            known = {name: value for name, value in known.items() if not name.startswith("ALeg")}
            known["From"] = f"+{self.leg.caller}" if self.leg.caller.isdigit() else self.leg.caller
        return known

    def ringing(self) -> None:
        """Ask for the ring URL, once."""
        self.add("leg", f"{self.leg.called}: ringing", leg=0, state="ringing")
        mine, options = self.application, self.options
        self.tell("ring", mine.ring_url, {"Event": "Ring"}, method=mine.ring_method)
        if "hangup_on_ring" in options:
            self.later(options["hangup_on_ring"], lambda: self.cut(CANCELLED_BY_API))
        if options.get("send_on_preanswer"):
            self._send_digits()

    async def _live(self) -> None:
        options = self.options
        await self.idle(self.due - self.clock.now())
        self.queued = False
        if not self.plivo.may_show(self.leg.caller):
            raise Over(UNKNOWN_CALLER_ID)
        failed = await self.ring(options.get("ring_timeout", LONGEST_RING_S))
        if failed is not None:
            raise Over(failed)
        self.add("leg", f"{self.leg.called}: answered", leg=0, state="answered")
        limit = options.get("time_limit", LONGEST_S)
        self.later(limit, lambda: self.cut(SCHEDULED_HANGUP))
        if isinstance(self.callee, Answers) and self.callee.talks is not None:
            self.later(self.callee.talks, lambda: self.post(HungUp()))
        if not options.get("send_on_preanswer"):
            self._send_digits()
        await self._detect_machine()
        await super()._live()

    def _send_digits(self) -> None:
        tones = self.options.get("send_digits", "")
        if tones:
            self.add("hears", f"the tones {tones}", element="DTMF", tones=tones)

    async def _detect_machine(self) -> None:
        """Find out whether a machine answered: before the answer URL, or beside it with an own URL."""
        options = self.options
        wanted = options.get("machine_detection", "")
        if not wanted:
            return
        machine = isinstance(self.callee, Answers) and self.callee.machine
        longest = options.get("machine_detection_time", 5000.0) / 1000
        seconds = longest if machine else min(PERSON_DETECTED_S, longest)
        url = options.get("machine_detection_url", "")
        if url:
            self.later(seconds, lambda: self._verdict(url, machine=machine))
            return
        await self.idle(seconds)
        if machine and wanted == "hangup":
            raise Over(MACHINE_DETECTED)
        self.leg.extra = {**self.leg.extra, "Machine": "true" if machine else "false"}

    def _verdict(self, url: str, *, machine: bool) -> None:
        hangs_up = machine and self.options.get("machine_detection") == "hangup"
        form = {
            "Event": "MachineDetection",
            "Machine": "true" if machine else "false",
            "IfMachine": "hangup" if hangs_up else "continue",
        }
        method = self.options.get("machine_detection_method", "POST")
        self.tell("machine detection", url, form, method=method)
        if hangs_up:
            self.cut(MACHINE_DETECTED)


def make_call(
    plivo: Plivo, caller: str, called: str, application: Application, options: CallOptions
) -> OutboundLine:
    """Put a call into the queue; it lives from then on."""
    number, now = plivo.next_number(), plivo.clock.now()
    leg = plivo.leg(
        number,
        caller,
        called,
        direction="outbound",
        caller_name=options.get("caller_name"),
        status="queued",
        extra=sip_headers(options.get("sip_headers", "")),
    )
    if plivo.profile.uuids_differ:
        leg.request_uuid, leg.a_leg_uuid = leg.new_uuid(), leg.new_uuid()
    line = OutboundLine(plivo, leg, application, number, longest_s=float("inf"))
    line.options = options
    line.callee = plivo.callees.get(called, plivo.default_callee)
    leaves = plivo.departures.next(now)
    line.queued, line.due = leaves > now, leaves + _DIALLING_S
    plivo.register(line)
    line.add("dials", f"{called}, showing {caller}", number=called, caller_id=caller, leg=0)
    line.start()
    return line


__all__ = ["PERSON_DETECTED_S", "CallOptions", "Departures", "OutboundLine", "make_call"]
