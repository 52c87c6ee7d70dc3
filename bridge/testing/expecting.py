"""How an expectation waits: along the timeline of one call, on the virtual clock."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from bridge.simulator.line import Line
from bridge.simulator.timeline import Entry
from bridge.testing.failures import ExpectationError, closest, explain
from bridge.testing.wants import Want

if TYPE_CHECKING:
    from bridge.testing.rig import Rig

#: Virtual s that an expectation waits unless it is told otherwise.
WITHIN_S: Final = 60.0


class Cursor:
    """A reader of the timeline of one call.

    Every kind of expectation has its own place: what was matched once is not matched again.
    """

    def __init__(self, rig: Rig, line: Line) -> None:
        self._rig = rig
        self._line = line
        self._places: dict[str, int] = {}

    async def meet(self, want: Want, within: float, *, soft: bool) -> Entry | None:
        """Wait for an entry that fits; None only when soft. Raises ExpectationError."""
        __tracebackhide__ = True
        rig = self._rig
        scan = _Scan(self, want)
        began = rig.clock.now()
        await rig.clock.drive(
            lambda: scan.found or (self._line.over.is_set() and not want.late), began + within
        )
        waited = rig.clock.now() - began
        if scan.found:
            self._places[want.name] = scan.place
            self._note(want.sentence, ok=True, waited=waited)
            return rig.timeline.entries[scan.place - 1]
        how = f"within {within:g} s" if waited >= within else "before the call was over"
        self._fail(f"Expected {want.sentence}, and it did not come {how}.", want, waited, soft=soft)
        return None

    async def miss(self, want: Want, within: float, *, soft: bool) -> None:
        """Make sure that nothing fits so far nor in the next `within` s. Raises ExpectationError."""
        __tracebackhide__ = True
        rig = self._rig
        scan = _Scan(self, want)
        began = rig.clock.now()
        over = self._line.over
        await rig.clock.drive(
            lambda: scan.found or (over.is_set() and not want.late), began + within
        )
        waited = rig.clock.now() - began
        if not scan.found:
            self._note(f"no {want.sentence}", ok=True, waited=waited)
            return
        entry = rig.timeline.entries[scan.place - 1]
        sentence = f"Did not expect {want.sentence}, and it came at {entry.at:.1f} s: {entry.text}"
        self._fail(sentence, None, waited, soft=soft)

    def refuse(self, sentence: str) -> None:
        """Fail because the test asks for what cannot be done. Raises ExpectationError."""
        __tracebackhide__ = True
        self._fail(sentence, None, 0.0, soft=False)

    def place(self, name: str) -> int:
        """Give where a kind of expectation looks from."""
        return self._places.get(name, 0)

    def concerns(self, entry: Entry) -> bool:
        """Say whether an entry is about this call; a REST request may be about no single one."""
        return entry.call == self._line.number or (entry.kind == "rest" and not entry.call)

    @property
    def entries(self) -> list[Entry]:
        """Give the whole timeline."""
        return self._rig.timeline.entries

    def _note(self, sentence: str, *, ok: bool, waited: float) -> None:
        self._line.add(
            "expects",
            f"{'✓' if ok else '✗'} {sentence}" + (f" (waited {waited:.1f} s)" if waited else ""),
            expectation=sentence,
            ok=ok,
            waited=waited,
        )

    def _fail(self, sentence: str, want: Want | None, waited: float, *, soft: bool) -> None:
        __tracebackhide__ = True
        nearest = "" if want is None else self._nearest(want)
        self._note(sentence, ok=False, waited=waited)
        text = explain(self._rig, sentence, nearest, self._line.number)
        if not soft:
            raise ExpectationError(text, len(self.entries) - 1)
        self._rig.soft_failures.append(text)

    def _nearest(self, want: Want) -> str:
        candidates = [
            (entry, text)
            for entry in self.entries
            if entry.kind in want.kinds
            and self.concerns(entry)
            and (text := want.about(entry)) is not None
        ]
        taken = [(entry, text) for entry, text in candidates if want.fits(entry)]
        if taken:
            entry, text = taken[-1]
            return f"It came at {entry.at:.1f} s, and an earlier expectation took it: {text}"
        return closest(want.wanted, candidates)


class _Scan:
    """Looks through the timeline as it grows; every entry once."""

    def __init__(self, cursor: Cursor, want: Want) -> None:
        self._cursor = cursor
        self._want = want
        self._hit = False
        self.place = cursor.place(want.name)

    @property
    def found(self) -> bool:
        """Say whether an entry fits; `place` is then just after it."""
        entries, want = self._cursor.entries, self._want
        while not self._hit and self.place < len(entries):
            entry = entries[self.place]
            self.place += 1
            self._hit = (
                entry.kind in want.kinds and self._cursor.concerns(entry) and want.fits(entry)
            )
        return self._hit


async def until_accepts(rig: Rig, line: Line, what: str, within: float = WITHIN_S) -> bool:
    """Let time pass until a line accepts something; False when it does not, or is over."""
    await rig.clock.drive(
        lambda: what in line.listening or line.over.is_set(), rig.clock.now() + within
    )
    return what in line.listening


async def pass_time(rig: Rig, seconds: float) -> None:
    """Let virtual time pass."""
    await rig.clock.drive(lambda: False, min(rig.clock.now() + seconds, inf))


__all__ = ["WITHIN_S", "Cursor", "pass_time", "until_accepts"]
