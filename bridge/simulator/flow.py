"""How a simulated call leaves a document: to the next one, elsewhere, or for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.simulator.leg import Ending, Method


@dataclass(frozen=True, slots=True)
class Follow:
    """The next document to fetch: how it is asked for, where, and with which parameters."""

    label: str
    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    method: Method | None = None


class Over(Exception):  # noqa: N818 - not an error: how a call leaves its documents
    """The call ended."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending[2])
        self.ending = ending


class Moved(Exception):  # noqa: N818 - not an error: how a transfer leaves a document
    """The call was transferred."""

    def __init__(self, url: str, method: Method = "POST") -> None:
        super().__init__(url)
        self.url = url
        self.method = method


__all__ = ["Follow", "Moved", "Over"]
