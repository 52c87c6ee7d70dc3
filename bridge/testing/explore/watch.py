"""What must not happen in a call: seen in the turns and the timeline of a rig."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from bridge.simulator.timeline import Entry
from bridge.testing.rig import Rig

LOOP: Final = "LOOP"
ENDLESS: Final = "ENDLESS"
BRIDGE: Final = "BRIDGE"
#: What people do; the rest of what they "do" is silence, or how the platform took it.
_ACTS: Final = frozenset({"answer", "call", "hang_up", "noise", "press", "say", "speak"})
_TAKEN: Final = frozenset({"answered", "busy", "failed", "rejected"})
_LIVE: Final = frozenset({"UP", "INCOMING_CALL"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an app may repeat itself while nobody does anything.

    `repeats` is how often it may give the same reply to the same request, `turns` how many replies
    it may give in all.
    """

    repeats: int = 10
    turns: int = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What went wrong: a code of the contract, LOOP, ENDLESS or BRIDGE, and a sentence."""

    code: str
    sentence: str
    #: Where in the timeline it is seen.
    entry: int


class Watch:
    """Watches one rig; `finding` is the first thing found. `limits` are those of LOOP and ENDLESS."""

    def __init__(self, rig: Rig, limits: Limits, *, faulty: bool = False) -> None:
        """Begin to watch; `faulty` = faults are injected, which explain problems of the bridge."""
        self._rig = rig
        self._limits = limits
        self._faulty = faulty
        self._seen = 0
        self._quiet_since = 0.0
        self._turns: Counter[int] = Counter()
        self._states: Counter[tuple[int, str]] = Counter()
        self._found: Finding | None = None
        rig.timeline.listeners.append(self._entry)

    @property
    def finding(self) -> Finding | None:
        """Give what was found first, None as long as all is well."""
        turns = len(self._rig.turns)
        if turns != self._seen:
            self._seen = turns
            errors = self._rig.contract.errors
            if errors:
                first = errors[0]
                where = "" if first.path == "$" else f" At {first.path}."
                expected = f" Expected: {first.expected}." if first.expected else ""
                self._find(first.code, f"{first.sentence}{where}{expected}", first=True)
        return self._found

    def fail(self, sentence: str) -> None:
        """Find a fault of the simulation itself."""
        self._find(BRIDGE, sentence)

    def _find(self, code: str, sentence: str, *, first: bool = False) -> None:
        # What the app did against the protocol explains what the bridge does then.
        if self._found is None or (first and self._found.code == BRIDGE):
            self._found = Finding(code, sentence, len(self._rig.timeline.entries) - 1)

    def _entry(self, entry: Entry) -> None:
        if _is_act(entry):
            self._quiet_since = entry.at
            self._turns.clear()
            self._states.clear()
        elif entry.kind == "problem" and not self._faulty:
            self._find(BRIDGE, f"A fault of the bridge or of its simulation: {entry.text}.")
        elif entry.kind == "app":
            self._turn(entry)

    def _turn(self, entry: Entry) -> None:
        request, reply = entry.data["request"], entry.data["reply"]
        if request.get("call_status") not in _LIVE or reply is None:
            return
        call = int(request.get("callid", 0))
        state = (call, json.dumps([_outcome(request), reply], sort_keys=True))
        self._turns[call] += 1
        self._states[state] += 1
        lasted = f"within {entry.at - self._quiet_since:.0f} s, while nobody did anything"
        shown = f"{reply.get('command')} ({reply.get('command_id')})"
        if self._states[state] >= self._limits.repeats:
            count = self._states[state]
            self._find(LOOP, f"The app gave the same reply, {shown}, {count} times {lasted}.")
        elif self._turns[call] >= self._limits.turns:
            count = self._turns[call]
            self._find(ENDLESS, f"The app gave {count} replies, at last {shown}, {lasted}.")


def _is_act(entry: Entry) -> bool:
    if entry.kind == "leg":
        return entry.data.get("state") in _TAKEN
    return entry.kind == "does" and entry.data.get("action") in _ACTS


def _outcome(request: dict[str, Any]) -> list[Any]:
    names = ("command", "command_id", "command_result", "command_error")
    return [request.get(name) for name in names]


__all__ = ["BRIDGE", "ENDLESS", "LOOP", "Finding", "Limits", "Watch"]
