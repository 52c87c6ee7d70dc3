"""Dial: call parties together and connect the first that accepts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from bridge.simulator.afterwards import note_hangup, report_after_hangup, report_after_transfer
from bridge.simulator.causes import (
    CANCELLED,
    CANCELLED_BY_API,
    HUNG_UP_BY_API,
    SCHEDULED_HANGUP,
    Ending,
)
from bridge.simulator.dialling import Dialling
from bridge.simulator.document import Element
from bridge.simulator.elements.speak_play import sounds_length
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inputs import Key
from bridge.simulator.key_patterns import KeyPatterns
from bridge.simulator.unanswered import unanswered_status

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: Longest that parties talk, in s, unless Dial says so; whatever it says, at most a day
#: (Plivo XML reference, Dial).
TIME_LIMIT_S: Final = 14_400.0
_LONGEST_S: Final = 86_400.0


async def dial(line: Line, element: Element) -> Follow | None:
    """Ring all parties, connect one, and go on when it is over; without any the next element runs.

    Sources: Plivo XML reference, Dial; what happens on hangup and transfer is up to the profile.
    """
    children = [child for child in element.children if child.text]
    if not children:
        line.problem("Dial has nobody to call")
        return None
    music = element.get("dialMusic")
    sounds = await line.sounds("dialMusic", music) if music.startswith("http") else ()
    dialling = Dialling(line, element)
    for party in [line.plivo.party(dialling, child) for child in children]:
        party.start()
    try:
        await _wait(dialling, sounds)
        await _talk(dialling)
    except Over as over:
        note_hangup(line)
        dialling.drop(_because_of(over.ending, connected=dialling.winner is not None))
        profile = line.profile
        report_after_hangup(
            line,
            element,
            _result(dialling, "ORIGINATOR_CANCEL", "cancel"),
            over.ending,
            redirects=profile.dial_action_after_hangup,
            reports=profile.dial_report_after_hangup,
        )
        raise
    except Moved:
        connected = dialling.winner is not None
        dialling.drop(HUNG_UP_BY_API if connected else CANCELLED_BY_API)
        report_after_transfer(line, element, _result(dialling, "ORIGINATOR_CANCEL", "cancel"))
        raise
    finally:
        line.dial_over()
    last = dialling.last.ending if dialling.last is not None else None
    cause, status = (last[0], unanswered_status(last)) if last else ("NORMAL_CLEARING", "failed")
    return line.follow(element, _result(dialling, cause, status))


async def _wait(dialling: Dialling, sounds: Sequence[Element]) -> None:
    """Wait until somebody accepts or everybody is given up; the music is repeated meanwhile."""
    line, element = dialling.line, dialling.element
    keys = _Keys(dialling)
    if sounds:
        await sounds_length(line, sounds)
    elif not element.get("dialMusic").startswith("http"):
        line.add("hears", "ringing", element="ringing")
    with line.listens("Dial", "answer", *(["keys"] if element.get("digitsMatch") else [])):
        while dialling.waiting():
            event = await line.next()
            if isinstance(event, Key):
                keys.press(event)


async def _talk(dialling: Dialling) -> None:
    """Let the two talk until the party is gone."""
    line, element, party = dialling.line, dialling.element, dialling.winner
    if party is None:
        return
    keys = _Keys(dialling, star=element.get("hangupOnStar") == "true")
    until = line.clock.now() + min(element.number("timeLimit", TIME_LIMIT_S), _LONGEST_S)
    with line.listens("Dial", "keys") if keys else nullcontext():
        while party.here:
            event = await line.next(until - line.clock.now())
            if isinstance(event, Key):
                keys.press(event)
            elif event is None and party.here:
                party.cut(SCHEDULED_HANGUP)
                until = float("inf")


class _Keys:
    """What the caller's keys do."""

    def __init__(self, dialling: Dialling, *, star: bool = False) -> None:
        self._dialling = dialling
        self._star = star
        self._patterns = KeyPatterns(dialling.element.get("digitsMatch"))

    def __bool__(self) -> bool:
        return self._star or bool(self._patterns)

    def press(self, key: Key) -> None:
        dialling = self._dialling
        party = dialling.winner or dialling.parties[0]
        matched, _ = self._patterns.press(key.digit, dialling.line.clock.now())
        if matched:
            dialling.digits(party, matched, "ALeg")
        if self._star and key.digit == "*" and party.here:
            party.cut(("NORMAL_CLEARING", "4000", "Normal Hangup", "Caller"))


def _because_of(ending: Ending, *, connected: bool) -> Ending:
    """Give the ending of the parties when the line that dialled them ended so."""
    by_api = ending[3] == "API Request"
    if not connected:
        return CANCELLED_BY_API if by_api else CANCELLED
    return HUNG_UP_BY_API if by_api else ("NORMAL_CLEARING", "4000", "Normal Hangup", "Caller")


def _result(dialling: Dialling, cause: str, status: str) -> dict[str, str]:
    """Give what the action is told; cause and status matter when nobody was connected."""
    winner = dialling.winner
    if winner is not None:
        cause, status = (winner.ending[0] if winner.ending else "NORMAL_CLEARING"), "completed"
    return {
        "DialRingStatus": "true" if any(party.rang for party in dialling.parties) else "false",
        "DialHangupCause": cause,
        "DialStatus": status,
        "DialALegUUID": dialling.line.uuid,
        "DialBLegUUID": winner.uuid if winner is not None else "",
    }


__all__ = ["TIME_LIMIT_S", "dial"]
