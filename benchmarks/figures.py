"""Statistics of paired samples: a ratio is only ever taken within one round.

Neighbouring samples share the machine's mood; samples minutes apart do not, and have been seen to
differ by a factor of two on virtual machines.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Spread", "percentile", "ratios"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of some samples."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value; one alone is its own quartiles."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def text(self, digits: int) -> str:
        """Write `median [low to high]` with so many decimals."""
        return f"{self.median:,.{digits}f} [{self.low:,.{digits}f} to {self.high:,.{digits}f}]"


def ratios(of: Sequence[float], to: Sequence[float]) -> Spread:
    """Summarise the ratios of samples of the same round."""
    return Spread.of([a / b for a, b in zip(of, to, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that at least `percent` % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
