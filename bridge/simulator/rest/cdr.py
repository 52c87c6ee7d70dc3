"""Records of calls that are over (page "Call detail records"); whom a call dialled has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.simulator.rest import live
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import compared, page, read_time, read_whole, written_time

if TYPE_CHECKING:
    from bridge.simulator.leg import Ending
    from bridge.simulator.line import Line

_STATES: Final = ("", "live", "queued")


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call that is over; times are wall time in s, `seconds` what it talked."""

    line: Line
    ending: Ending
    at: float
    hangup: dict[str, str]

    @property
    def seconds(self) -> int:
        return int(float(self.hangup["Duration"]))


def everything(asked: Asked) -> Reply:
    """List records, newest first; ids alone with status=live or queued."""
    if asked.choice("status", _STATES):
        return live.ids(asked)
    found = [ended for ended in _ended(asked) if _wanted(asked, ended)]
    found.sort(key=lambda ended: ended.at, reverse=True)
    return page(asked, "Call", [_shown(asked, ended) for ended in found])


def one(asked: Asked) -> Reply:
    """Give one record; what is known of a call that is not over with status=live or queued."""
    if asked.choice("status", _STATES):
        return live.one(asked)
    for ended in _ended(asked):
        if ended.line.uuid == asked.ids["call_uuid"]:
            return Reply(200, _shown(asked, ended))
    raise Refused(404, "call not found")


def _ended(asked: Asked) -> list[_Ended]:
    plivo, found = asked.api.plivo, []
    times = {(entry.call, entry.leg): entry.at for entry in plivo.timeline.of("ends")}
    for line in asked.api.registry.lines():
        if line.ending is not None:
            at = plivo.began + times[line.number, line.leg_number]
            found.append(_Ended(line, line.ending, at, line.leg.hangup_parameters(line.ending, at)))
    return found


def _wanted(asked: Asked, ended: _Ended) -> bool:
    line, leg = ended.line, ended.line.leg
    parent = "" if line.parent is None else line.parent.uuid
    words = {
        "parent_call_uuid": parent,
        "hangup_cause_code": ended.ending[1],
        "hangup_source": ended.ending[3],
    }
    return (
        live.between(asked, line)
        and all(asked.text(name) in {"", value} for name, value in words.items())
        and compared(asked, "bill_duration", ended.seconds, read_whole)
        and compared(asked, "end_time", ended.at, read_time)
        and compared(asked, "initiation_time", leg.began, read_time)
        and (leg.answered is None or compared(asked, "answer_time", leg.answered, read_time))
        and not asked.text("subaccount")
    )


def _shown(asked: Asked, ended: _Ended) -> dict[str, Any]:
    line, leg = ended.line, ended.line.leg
    _, code, name, source = ended.ending
    return {
        "answer_time": None if leg.answered is None else written_time(leg.answered),
        "bill_duration": ended.seconds,
        "billed_duration": int(ended.hangup["BillDuration"]),
        "call_direction": leg.direction,
        "call_duration": ended.seconds,
        "call_uuid": leg.uuid,
        "end_time": written_time(ended.at),
        "from_number": leg.caller,
        "hangup_cause_code": int(code),
        "hangup_cause_name": name,
        "hangup_source": source,
        "initiation_time": written_time(leg.began),
        "parent_call_uuid": None if line.parent is None else line.parent.uuid,
        "resource_uri": f"{asked.api.base}/Call/{leg.uuid}/",
        "to_number": leg.called,
        "total_amount": ended.hangup["TotalCost"],
        "total_rate": "0.00500",
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "Call/", everything),
    Route("GET", "Call/{call_uuid}/", one),
)

__all__ = ["ROUTES"]
