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


@dataclass(frozen=True, slots=True)
class Background:
    """A recording of the whole call: since when, where its end is reported, and as what."""

    began: float
    url: str
    parameters: Mapping[str, str]


def recording_length(seconds: float) -> dict[str, str]:
    """Give the parameters that say how long a recording is; less than 0 = it only began."""
    names = ("RecordingDuration", "RecordingDurationMs", "RecordingStartMs", "RecordingEndMs")
    if seconds < 0:
        return dict.fromkeys(names, "-1")
    begun, ms = 1_767_607_200_000, round(1000 * seconds)
    return dict(zip(names, (f"{seconds:g}", str(ms), str(begun), str(begun + ms)), strict=True))


__all__ = ["Background", "Follow", "Moved", "Over", "recording_length"]
