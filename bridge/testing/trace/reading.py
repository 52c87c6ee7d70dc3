"""How the entries of a timeline hang together: reading order, turns, causes and effects.

All of it is worked out from kinds, calls and legs alone, so that a trace of an older or newer
simulator still opens. An index is a position in the list that was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from typing import Any, Final

from bridge.simulator.timeline import Entry, Kind

#: What a document makes happen on the line.
_OF_A_DOCUMENT: Final[frozenset[Kind]] = frozenset(
    {"hears", "does", "fetches", "dials", "leg", "room", "records", "listens", "ends"}
)
#: What can be the next thing the bridge does after the app replied.
_AFTER_A_REPLY: Final[frozenset[Kind]] = frozenset({"app", "rest", "gets"})


def reading_order(entries: Sequence[Entry]) -> list[int]:
    """Put a request before the RT turns that it led to.

    A request can be noted when it began or when its reply came. In the second case the turns
    stand before it, and each run of turns is moved behind the request that follows.
    """
    late = {call for call in {e.call for e in entries} if _noted_late(entries, call)}
    order: list[int] = []
    held: dict[int, list[int]] = {}
    for index, entry in enumerate(entries):
        if entry.call in late and entry.kind == "app":
            held.setdefault(entry.call, []).append(index)
            continue
        order.append(index)
        if entry.kind in {"asks", "tells"}:
            order += held.pop(entry.call, [])
    return order + sorted(index for run in held.values() for index in run)


def turn_numbers(entries: Sequence[Entry]) -> list[int | None]:
    """Count the RT turns from 1, in timeline order; a number that the kit noted wins."""
    numbers: list[int | None] = []
    last = 0
    for entry in entries:
        if entry.kind == "app":
            noted = entry.data.get("turn")
            last = noted if isinstance(noted, int) else last + 1
            numbers.append(last)
        else:
            numbers.append(None)
    return numbers


def causes(entries: Sequence[Entry]) -> list[int | None]:
    """Say for each entry, in reading order, which earlier one it came from."""
    found: list[int | None] = []
    last: dict[tuple[Kind, int], int] = {}
    of_leg: dict[tuple[Kind, int, int], int] = {}
    for index, entry in enumerate(entries):
        document = of_leg.get(("gets", entry.call, entry.leg), last.get(("gets", entry.call)))
        cause: int | None = None
        match entry.kind:
            case "app":
                asked, told = last.get(("asks", entry.call)), last.get(("tells", entry.call))
                cause = asked if _wants_command(entry) else told if told is not None else asked
            case "gets":
                asked = of_leg.get(("asks", entry.call, entry.leg))
                cause = last.get(("app", entry.call), asked)
            case "asks" if entry.data.get("label") == "transfer":
                cause = last.get(("rest", entry.call), last.get(("rest", 0), document))
            case "tells":
                cause = _document_naming(entries, document, entry)
            case "rest":
                cause = last.get(("app", entry.call))
            case _:
                cause = document
        found.append(cause)
        last[entry.kind, entry.call] = index
        of_leg[entry.kind, entry.call, entry.leg] = index
    return found


def effects(entries: Sequence[Entry], caused: Sequence[int | None]) -> list[int | None]:
    """Say for each entry, in reading order, which later one came of it; `caused` as from `causes`."""
    found: list[int | None] = [None] * len(entries)
    asked: dict[tuple[int, int], int] = {}
    after_reply: dict[int, int] = {}
    for index in reversed(range(len(entries))):
        entry = entries[index]
        following = asked.get((entry.call, entry.leg), asked.get((entry.call, 0)))
        if entry.kind == "app":
            found[index] = after_reply.get(entry.call)
        elif entry.kind == "gets" or entry.kind in _OF_A_DOCUMENT - {"ends"}:
            found[index] = following
        if entry.kind in _AFTER_A_REPLY:
            after_reply[entry.call] = index
        elif entry.kind == "asks":
            asked[entry.call, entry.leg] = index
            after_reply.pop(entry.call, None)
    for index in reversed(range(len(entries))):
        cause = caused[index]
        if cause is not None and entries[cause].kind in {"asks", "tells", "rest"}:
            found[cause] = index
    return found


def _noted_late(entries: Sequence[Entry], call: int) -> bool:
    first = next((e.kind for e in entries if e.call == call and e.kind in {"app", "asks"}), None)
    return first == "app"


def _wants_command(entry: Entry) -> bool:
    request: Any = entry.data.get("request")
    return not isinstance(request, dict) or request.get("call_status", "UP") == "UP"


def _document_naming(entries: Sequence[Entry], document: int | None, told: Entry) -> int | None:
    """Find the document in force, if it names the URL told; a hangup URL is in no document."""
    if document is None:
        return None
    url = str(told.data.get("url", "")).partition("#")[0]
    xml = str(entries[document].data.get("xml") or entries[document].detail)
    return document if url and url in unescape(xml) else None


__all__ = ["causes", "effects", "reading_order", "turn_numbers"]
