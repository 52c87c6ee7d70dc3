"""Everybody on a phone: they press keys, talk, are busy, and hang up when it suits them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from chaos.talk import PARTIES

from bridge.simulator.callees import Answers, Busy, Callee, Fails, NoAnswer, Rejects
from bridge.simulator.inputs import HungUp, Key, Talks

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.platform import Plivo
    from bridge.simulator.timeline import Entry

#: The share of callers who hang up at some moment within so many s.
LEAVES: Final = 0.3
LEAVES_WITHIN_S: Final = 40.0
#: Nobody stays longer on the phone, in s.
PATIENCE_S: Final = 120.0
#: Longest somebody stays in a conference, in s.
MEETS_S: Final = 15.0

_CALLEES: Final[tuple[Callee, ...]] = (
    Answers(after=1.0, talks=4.0),
    Answers(after=2.0, talks=8.0),
    Busy(after=0.5),
    NoAnswer(),
    Rejects(after=1.0),
    Fails(after=0.3),
)


class People:
    """Reacts to what the platform says in its timeline, `pace` times as slowly as the quickest."""

    def __init__(self, plivo: Plivo, seed: int, pace: float) -> None:
        self._pace = pace
        self._plivo = plivo
        self._seed = seed
        self._lines: dict[int, tuple[Line, Random]] = {}
        for number in range(PARTIES):
            plivo.callees[f"442070000{number:03}"] = _CALLEES[number % len(_CALLEES)]
        # Whoever is called through the API takes the call, most of the time.
        plivo.default_callee = Answers(after=1.0)
        plivo.timeline.listeners.append(self._noticed)

    def takes(self, line: Line) -> None:
        """Let somebody live with a call: in time they hang up."""
        random = Random(f"{self._seed}/person/{line.number}")
        self._lines[line.number] = (line, random)
        leaves = random.random() < LEAVES
        stays_s = random.random() * LEAVES_WITHIN_S if leaves else PATIENCE_S
        line.later(stays_s * self._pace, lambda: line.post(HungUp()))

    def _noticed(self, entry: Entry) -> None:
        if entry.kind != "listens" or entry.leg or entry.call not in self._lines:
            return
        line, random = self._lines[entry.call]
        match entry.data["element"]:
            case "GetDigits" if random.random() < 0.85:
                keys = "".join(random.choices("0123456789", k=random.randint(1, 6)))
                self._press(
                    line, random.uniform(0.3, 3.0) * self._pace, keys + random.choice(("#", ""))
                )
            case "Record" if random.random() < 0.8:
                begins = random.uniform(0.3, 1.5)
                line.later(begins, lambda: line.post(Talks(1.0)))
                if random.random() < 0.5:
                    self._press(line, begins + random.uniform(1.0, 3.0) * self._pace, "#")
            case "GetInput" if random.random() < 0.5:
                line.later(random.uniform(0.3, 2.0), lambda: line.post(Talks(1.0, "hello")))
            case "Conference":
                stays_s = random.uniform(2.0, MEETS_S) * self._pace
                if random.random() < 0.7:
                    self._press(line, stays_s, "*")
                else:
                    line.later(stays_s, lambda: line.post(HungUp()))
            case _:
                pass

    def _press(self, line: Line, seconds: float, keys: str) -> None:
        # Only where they were meant: a key too late would be taken for an answer to the next question.
        element = line.element

        def press() -> None:
            if line.element == element:
                for key in keys:
                    line.post(Key(key))

        line.later(seconds, press)


__all__ = ["PATIENCE_S", "People"]
