"""When a worker that ended is started again, and when that is no use any more. Pure."""

from __future__ import annotations

from typing import Final

#: A worker that lived for so long (s) was well: its successor starts at once.
WELL_S: Final = 10.0
#: The pause before a second start in a row, doubled with every further one.
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
#: So many starts in a row that came to nothing, while nobody else serves either, are the last.
MOST_STARTS: Final = 5


class Restarts:
    """The starts of one worker."""

    def __init__(self) -> None:
        self._short_lives = 0
        #: Starts in a row that ended before the worker served.
        self.in_vain = 0

    def ended(self, lived_s: float, *, served: bool) -> float:
        """Take note of an end; gives the pause before the next start, in s."""
        self.in_vain = 0 if served else self.in_vain + 1
        if served and lived_s >= WELL_S:
            self._short_lives = 0
            return 0.0
        self._short_lives += 1
        if self._short_lives == 1:
            return 0.0
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._short_lives - 2, 16))


__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "MOST_STARTS", "WELL_S", "Restarts"]
