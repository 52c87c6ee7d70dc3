"""What a command must have come to, given the documents of its call and how they were continued."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from crash.commands import EXPECT, Ended, Result, Step, Steps

if TYPE_CHECKING:
    from chaos.record import Fetched, Json, Seen

#: How a room may have been left, when the way of another member decides about it.
ROOM: Final = ("LEFT_CONFERENCE", "LAST_PARTICIPANT", "CONFERENCE_CLOSED")
#: What a request to Plivo's API may come to when its replica is killed, or when the call just ended.
REST_ERRORS: Final = ("REST_UNKNOWN", "REST_REFUSED", "REST_UNAVAILABLE")
_OK: Final = 200
_PLACE: Final = re.compile(r"/plivo/[^/]+/(?P<callid>\d+)/(?P<step>\d+)/(?P<kind>[a-z_]+)$")
_LINK: Final = re.compile(rb"/plivo/[^/\"<]+/(\d+)/(\d+)/([a-z_]+)[#\"<?]")
_ENTRY: Final = re.compile(rb"/plivo/[^/\"<]+/(?:answer|fallback)[/#\"<?]")
_RECORDED: Final = re.compile(r"/plivo/[^/]+/\d+/(?P<step>\d+)/notice/recording/")


def place(url: str) -> tuple[int, int, str]:
    """Give callid, step and kind of a continuation; callid 0 = it is where calls begin."""
    found = _PLACE.search(urlsplit(url).path)
    if found is None:
        return 0, 0, "next"
    return int(found["callid"]), int(found["step"]), found["kind"]


def leads_back(fetched: Fetched) -> bool:
    """Tell whether a document only asks to come back: its links are no newer than what was asked."""
    if fetched.xml is None:
        return False
    links = _LINK.findall(fetched.xml)
    if not links:
        return _ENTRY.search(fetched.xml) is not None
    return all(int(step) <= place(fetched.url)[1] for _, step, _ in links)


def holds(fetched: Fetched, message: str = "One moment, please.") -> bool:
    """Tell whether a document asks the caller to hold."""
    return leads_back(fetched) and message.encode() in (fetched.xml or b"")


def rescued(call: Seen) -> int:
    """Count the documents that never came, but that the fallback URL gave instead."""
    return sum(
        one.xml is None and instead.label == "fallback" and instead.xml is not None
        for one, instead in pairwise(call.documents)
    )


def callids(call: Seen) -> set[int]:
    """Give the callids under which a call was known; there may be only one."""
    asked = {place(fetched.url)[0] for fetched in call.documents}
    linked = {
        int(callid)
        for fetched in call.documents
        for callid, _, _ in _LINK.findall(fetched.xml or b"")
    }
    return (asked | linked) - {0}


def steps_of(call: Seen) -> Steps:
    """Give the documents of a call, without those that only led back, and their continuations."""
    steps: list[Step] = []
    recorded = recordings(call)
    for fetched in call.documents:
        _, number, kind = place(fetched.url)
        if steps and not steps[-1].kind and number == len(steps):
            steps[-1].kind, steps[-1].form = kind, _told(fetched)
            steps[-1].sure = False
        if fetched.xml is None or leads_back(fetched):
            continue
        if steps and steps[-1].kind:
            steps[-1].sure = True
        steps.append(Step(fetched.xml, recorded=len(steps) + 1 in recorded))
    if call.documents and call.documents[-1].xml is None and steps:
        steps[-1].sure = False
    return Steps(steps)


def recordings(call: Seen) -> dict[int, float]:
    """Tell of which documents a callback said that something was recorded, and when it was taken."""
    return {
        int(found["step"]): one.at
        for one in call.notices
        if one.status == _OK and (found := _RECORDED.search(one.url))
    }


def _told(fetched: Fetched) -> dict[str, str]:
    """Give what a request told; after an outage a part of it is in the URL."""
    return {**dict(parse_qsl(urlsplit(fetched.url).query)), **fetched.form}


def expected(reply: Json, steps: Steps) -> list[Result]:
    """List the results a command may have had: result, and code of the error. Raises Ended."""
    command, params = reply["command"], reply["params"]
    if command == "start_call_recording":
        return [("*", ""), *(("", code) for code in REST_ERRORS)]
    result = EXPECT[command](params, steps)
    if command == "conference":
        kind = steps.last.kind if steps.last else ""
        # A room that ends lets the documents of its members go on, and so does one that is full.
        full = [("", "ROOM_FULL"), ("CONFERENCE_CLOSED", ""), ("LAST_PARTICIPANT", "")]
        return [(how, "") for how in ROOM] if kind == "conference" else [result, *full]
    return [result]


def fits(told: Result, allowed: list[Result]) -> bool:
    """Tell whether a result is one of those; `*` is any text."""
    return any(
        told[1] == code and (told[0] == result or (result == "*" and told[0] != ""))
        for result, code in allowed
    )


__all__ = [
    "Ended",
    "Result",
    "callids",
    "expected",
    "fits",
    "holds",
    "leads_back",
    "place",
    "recordings",
    "rescued",
    "steps_of",
]
