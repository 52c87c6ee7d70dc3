"""What is known of a run afterwards; all times in s since it began."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

Json = dict[str, Any]
#: Turns of the event loop from the connection to the reply, and how long before and after it, in s,
#: lateness counts.
TURNS: Final = 3
REACHES_S: Final = 6.0


@dataclass(slots=True)
class Ask:
    """One request that reached the app, from which process, and what became of it.

    `reply` is None when the app failed on purpose, in the way `failure` names, or the request was
    a final one.
    """

    at: float
    process: str
    body: bytes
    reply: Json | None = None
    failure: str = ""
    answered: float = inf
    request: Json = field(init=False)

    def __post_init__(self) -> None:
        """Read the request."""
        self.request = from_json(self.body)

    @property
    def callid(self) -> int:
        """Name the call."""
        callid: int = self.request["callid"]
        return callid

    @property
    def final(self) -> bool:
        """Tell whether it reports the end of a call."""
        return bool(self.request["call_status"] != "UP")


class Outage(NamedTuple):
    """A process was killed: from just before the signal until it was gone or, the store, back."""

    what: str
    begin: float
    end: float


@dataclass(slots=True)
class Fetched:
    """A document as Plivo asked for it: all attempts together; `xml` None = it never came."""

    label: str
    url: str
    form: dict[str, str]
    asked: float
    came: float
    attempts: int = 1
    #: Attempts that broke off, and those that were refused with an error status.
    lost: int = 0
    refused: int = 0
    xml: bytes | None = None


@dataclass(slots=True)
class Notice:
    """A notification and how its last attempt ended; status 0 = without an answer."""

    name: str
    url: str
    at: float
    status: int
    attempts: int = 1


@dataclass(slots=True)
class Seen:
    """One call as Plivo saw it. `phone` is the number of its person, unlike that of any other call."""

    number: int
    uuid: str
    phone: str
    direction: str = "inbound"
    ended: float | None = None
    documents: list[Fetched] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Evidence:
    """Everything that the verdicts and figures are made from."""

    asks: list[Ask] = field(default_factory=list)
    calls: list[Seen] = field(default_factory=list)
    #: Each kill of a replica, and each time the store was away.
    kills: list[Outage] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    #: The hashes of outbound calls that were accepted.
    accepted: list[str] = field(default_factory=list)
    #: Numbers that Plivo was told to call through its API.
    dialled: list[str] = field(default_factory=list)
    #: What the store still held at the end: calls that live, and final requests.
    unfinished: list[str] = field(default_factory=list)
    #: Log lines in which a replica reports a fault of its own.
    faults: list[str] = field(default_factory=list)
    #: Exit statuses of the replicas that were asked to stop at the end.
    stopped: list[int] = field(default_factory=list)
    most_at_once: int = 0
    #: When, and by how much, the process of app and Plivo was late, in s: it had too much to do.
    late: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0
    #: An app that answered no later than this, in s, was in time.
    in_time_s: float = 4.0

    def in_time(self, ask: Ask) -> bool:
        """Tell whether the app answered so early that the bridge surely heard it.

        A request reaches the app through some turns of the event loop: to accept, to read, to serve.
        """
        near = [
            late for at, late in self.late if ask.at - REACHES_S <= at <= ask.answered + REACHES_S
        ]
        return ask.answered - ask.at + TURNS * max(near, default=0.0) < self.in_time_s

    @property
    def most_late(self) -> float:
        """Give by how much the process was late at most, in s."""
        return max((late for _, late in self.late), default=0.0)

    def interrupted(self, ask: Ask, stored: float) -> bool:
        """Tell whether the process that asked was killed, or the store away, before an instant.

        A request may reach the app after the death of the process that sent it.
        """
        away = any(one.end >= ask.at and one.begin <= stored for one in self.outages)
        return away or any(kill.what == ask.process and kill.begin <= stored for kill in self.kills)


__all__ = ["Ask", "Evidence", "Fetched", "Json", "Notice", "Outage", "Seen"]
