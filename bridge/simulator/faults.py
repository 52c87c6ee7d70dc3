"""What goes wrong on purpose: a seeded plan that the simulated platform asks at every request.

A fault is written `what[:name][=seconds][@share][#nth]`, for example `duplicate:recording`,
`delay:exit=5`, `drop:enter@0.5`, `hang_up#7`, `rest_429:Kick#1`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from random import Random
from typing import Final, Literal, cast, get_args

What = Literal[
    "duplicate",
    "delay",
    "drop",
    "reorder",
    "hang_up",
    "slow_media",
    "rest_500",
    "rest_lost",
    "rest_429",
]
WHATS: Final = get_args(What)
MEANINGS: Final[dict[What, str]] = {
    "duplicate": "the request is sent twice at the same time",
    "delay": "a notification is sent `seconds` later; "
    "the answer to a request for a document is lost, and asked for again",
    "drop": "a notification is never sent; "
    "the answer to a request for a document is lost, and asked for again",
    "reorder": "a notification waits until another one of its call was sent, or `seconds`",
    "hang_up": "the caller hangs up while the request for a document is in flight",
    "slow_media": "a file is fetched only after `seconds`; the name is that of the file",
    "rest_500": "a REST request is answered with 500 before anything is done",
    "rest_lost": "a REST request is carried out, but answered with 500",
    "rest_429": "a REST request is refused because there were too many",
}
_PATTERN: Final = re.compile(
    r"(?P<what>[a-z_0-9-]+)(:(?P<name>[^=@#]+))?(=(?P<seconds>[0-9]+(\.[0-9]+)?))?"
    r"(@(?P<share>[0-9]*\.?[0-9]+))?(#(?P<nth>[1-9][0-9]*))?"
)


class FaultError(ValueError):
    """The text does not describe a fault; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    `name` is a pattern for the name of a request (an ask's label: answer, action, redirect,
    transfer, fallback; a notification's name: recording, enter, exit, hangup url, …; for REST part
    of the path). It strikes with the probability `share`, or only at the `nth` request of that name.
    """

    what: What
    name: str = "*"
    seconds: float = 3.0
    share: float = 1.0
    nth: int | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a rule as it is written on a command line. Raises FaultError."""
        match = _PATTERN.fullmatch(text.strip())
        what = match["what"].replace("-", "_") if match else ""
        if match is None or what not in WHATS:
            close = get_close_matches(what or text, WHATS, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(WHATS)}."
            raise FaultError(
                f"“{text}” is no fault: write what[:name][=seconds][@share][#nth]{hint}"
            )
        share = float(match["share"] or 1)
        if not 0 < share <= 1:
            raise FaultError(f"“{text}”: the share after @ is more than 0 and at most 1.")
        return cls(
            cast("What", what),
            match["name"] or "*",
            float(match["seconds"] or 3),
            share,
            int(match["nth"]) if match["nth"] else None,
        )

    def __str__(self) -> str:
        text = self.what + (f":{self.name}" if self.name != "*" else "")
        text += f"={self.seconds:g}" if self.seconds != 3.0 else ""  # noqa: PLR2004 -- its default
        text += f"@{self.share:g}" if self.share < 1 else ""
        return text + (f"#{self.nth}" if self.nth else "")


@dataclass(slots=True)
class Faults:
    """The rules and the random source that decides about shares."""

    rules: tuple[Fault, ...] = ()
    random: Random = field(default_factory=lambda: Random(0))
    _seen: Counter[tuple[int, str]] = field(default_factory=Counter)

    @classmethod
    def parse(cls, texts: Iterable[str], seed: int) -> Faults:
        """Read the rules. Raises FaultError."""
        return cls(tuple(Fault.parse(text) for text in texts), Random(seed))

    def strike(self, what: What, name: str) -> Fault | None:
        """Say whether this fault strikes at a request of this name, and by which rule."""
        struck: Fault | None = None
        for number, rule in enumerate(self.rules):
            if rule.what != what or not fnmatchcase(name, rule.name):
                continue
            # Every rule counts every request, also one at which another rule strikes.
            self._seen[number, name] += 1
            if struck is not None:
                continue
            if rule.nth is not None:
                struck = rule if self._seen[number, name] == rule.nth else None
            elif self.random.random() < rule.share:
                struck = rule
        return struck


__all__ = ["MEANINGS", "WHATS", "Fault", "FaultError", "Faults", "What"]
