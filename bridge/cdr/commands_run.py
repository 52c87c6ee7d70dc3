"""Which commands a call has run, from its history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic_core import from_json

from bridge.turns import result_word

#: Commands in a row that differ; those of a longer call are only counted.
MOST_LISTED: Final = 200
#: Names are the app's own: an unknown command may be called anything.
LONGEST_NAME: Final = 64
#: Stands for the commands beyond `MOST_LISTED`.
MORE: Final = "(more)"
#: Class of the result of a command that the end of the call cut short.
CUT_SHORT: Final = "hangup"

Ran = tuple[str, str, int]


def commands_run(bodies: Iterable[bytes], latest: Iterable[dict[str, Any]]) -> list[Ran]:
    """List name, class of result and how often in a row.

    `bodies` are those of the stored history in its order, `latest` the records of steps that are
    not in it yet. What another release wrote and nobody can read any more is left out.
    """
    found = _Found()
    for body in bodies:
        try:
            records = from_json(body)
        except ValueError:
            continue
        for record in records if isinstance(records, list) else ():
            found.take(record)
    for record in latest:
        found.take(record)
    return found.listed()


class _Found:
    def __init__(self) -> None:
        self._ran: list[Ran] = []
        self._more = 0
        self._name: str | None = None

    def take(self, record: Any) -> None:
        """Read one record of the history: what was asked, replied, and what the command did."""
        if not isinstance(record, dict):
            return
        if asked := _items(record.get("asked"), 4):
            self._end(asked[2], asked[3])
        if reply := _items(record.get("reply"), 1):
            self._end("", "", cut=True)
            self._name = str(reply[0])[:LONGEST_NAME]
        cut = False
        for fact in _items(record.get("facts"), 1):
            match _items(fact, 2):
                case ["e", "HungUp", *_]:
                    cut = True
                case ["f", result, error, *_]:
                    self._end(result, error, cut=cut)
                case _:
                    pass
        if "given_up" in record:
            # The command that was one too many: nobody asked the app about it.
            self._end("", "given up")

    def listed(self) -> list[Ran]:
        self._end("", "", cut=True)
        return [*self._ran, (MORE, "", self._more)] if self._more else self._ran

    def _end(self, result: Any, error: Any, *, cut: bool = False) -> None:
        if self._name is None:
            return
        name, self._name = self._name, None
        word = CUT_SHORT if cut else result_word(result, str(error))
        if self._ran and self._ran[-1][:2] == (name, word):
            self._ran[-1] = (name, word, self._ran[-1][2] + 1)
        elif len(self._ran) < MOST_LISTED:
            self._ran.append((name, word, 1))
        else:
            self._more += 1


def _items(value: Any, least: int) -> list[Any]:
    return value if isinstance(value, list) and len(value) >= least else []


__all__ = ["CUT_SHORT", "MORE", "MOST_LISTED", "Ran", "commands_run"]
