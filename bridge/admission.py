"""Who may put a question to an app: so many at once, the others in a line, known calls first.

Every app has its own places and its own line, so that one that is slow keeps nobody waiting but
its own callers.
"""

from __future__ import annotations

import asyncio
from typing import Final

#: So many may wait for one app; whoever comes then is turned away at once.
LONGEST_LINE: Final = 500


class Admission:
    """The places for questions to one app, for the tasks of one event loop.

    `asked` is how many are taken. Whoever entered leaves again, whatever became of the question.
    """

    __slots__ = ("_known", "_new", "asked", "longest_line", "places")

    def __init__(self, places: int, *, longest_line: int = LONGEST_LINE) -> None:
        self.places = places
        self.longest_line = longest_line
        self.asked = 0
        # Dictionaries for their order: whoever gives up leaves the line at once.
        self._known: dict[asyncio.Future[bool], None] = {}
        self._new: dict[asyncio.Future[bool], None] = {}

    @property
    def waiting(self) -> int:
        """Count those in the line."""
        return len(self._known) + len(self._new)

    async def enter(self, seconds: float, *, known: bool) -> bool:
        """Take a place, waiting so long (s) at most; False = turned away.

        `known` = the app knows the call already: it goes before calls that only begin, and where the
        line is full the last of those makes room for it.
        """
        if self.asked < self.places:
            self.asked += 1
            return True
        if self.waiting >= self.longest_line and not (known and self._turn_away()):
            return False
        line = self._known if known else self._new
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        line[place] = None
        try:
            async with asyncio.timeout(seconds):
                return await place
        except TimeoutError:
            return self._given_up(line, place)
        except asyncio.CancelledError:
            if self._given_up(line, place):
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to whoever waits longest, known calls first."""
        for line in (self._known, self._new):
            while line:
                place = next(iter(line))
                del line[place]
                if not place.done():
                    place.set_result(True)
                    return
        self.asked -= 1

    def _given_up(
        self, line: dict[asyncio.Future[bool], None], place: asyncio.Future[bool]
    ) -> bool:
        """Leave the line; True = a place was given at that very moment."""
        line.pop(place, None)
        return not place.cancelled() and place.done() and place.result()

    def _turn_away(self) -> bool:
        """Make room in a full line; False when all in it are known calls."""
        while self._new:
            place, _ = self._new.popitem()
            if not place.done():
                place.set_result(False)
                return True
        return False


__all__ = ["LONGEST_LINE", "Admission"]
