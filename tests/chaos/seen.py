"""From the simulator's timeline to calls: which documents came, how long they took, what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.record import Fetched, Notice, Seen

if TYPE_CHECKING:
    from bridge.simulator.platform import Plivo
    from bridge.simulator.timeline import Entry

_OK = 200


def calls_of(plivo: Plivo) -> list[Seen]:
    """List the calls of a simulation."""
    calls: dict[int, Seen] = {}
    for line in plivo.lines:
        leg = line.leg
        phone = leg.called if leg.direction == "outbound" else leg.caller
        calls[line.number] = Seen(line.number, leg.uuid, phone, leg.direction)
    for entry in plivo.timeline.entries:
        if entry.call in calls:
            _note(calls[entry.call], entry)
    return list(calls.values())


def _note(call: Seen, entry: Entry) -> None:
    data = entry.data
    match entry.kind:
        case "asks" if entry.leg == 0:
            if data["attempt"] == 1:
                asked = entry.at - (entry.ms or 0.0) / 1000
                call.documents.append(
                    Fetched(data["label"], data["url"], dict(data["form"]), asked, entry.at)
                )
            fetched = call.documents[-1]
            fetched.attempts = data["attempt"]
            fetched.came = entry.at
            fetched.lost += data["status"] == 0
            fetched.refused += data["status"] > _OK
        case "gets" if entry.leg == 0:
            call.documents[-1].xml = data["xml"].encode()
        case "tells" if data["attempt"] == 1:
            call.notices.append(Notice(data["name"], data["url"], entry.at, data["status"]))
        case "tells":
            # The attempts of several notifications may mingle: the newest of that kind is meant.
            same = (one for one in reversed(call.notices) if one.url == data["url"])
            notice = next(one for one in same if one.name == data["name"])
            notice.at, notice.status = entry.at, data["status"]
            notice.attempts = data["attempt"]
        case "ends" if entry.leg == 0:
            call.ended = entry.at
        case "problem":
            call.problems.append(entry.text)
        case _:
            pass


__all__ = ["calls_of"]
