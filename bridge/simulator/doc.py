"""Write the tables of docs/simulator.md from the code: `python -m bridge.simulator.doc`.

With `--check` nothing is written; exit status 1 says that the page is out of date.
A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bridge.simulator.faults import MEANINGS
from bridge.simulator.profile import SWITCHES

__all__ = ["main", "page"]

PAGE: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "simulator.md"
_PART: Final = "<!-- begin {0} -->\n{1}<!-- end {0} -->"


def page(text: str) -> str:
    """Give the page with its tables as they should be. Raises ValueError when one has no place."""
    for name, table in (("switches", _switches()), ("faults", _faults())):
        place = re.compile(_PART.format(name, "(.*?)"), re.DOTALL)
        found = place.search(text)
        if found is None:
            raise ValueError(f"The page has no place for the table of {name}.")
        begin, end = found.span()
        text = text[:begin] + _PART.format(name, table) + text[end:]
    return text


def _switches() -> str:
    rows = (
        (
            f"`{known.name}`",
            known.metadata["question"],
            _answer(known.default),
            _answer(known.metadata["hostile"]),
        )
        for known in SWITCHES
    )
    return _table(("switch", "question", "normal", "hostile"), rows)


def _answer(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _faults() -> str:
    rows = ((f"`{what}`", meaning) for what, meaning in MEANINGS.items())
    return _table(("fault", "what happens"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str], target: Path = PAGE) -> int:
    """Write the tables into `target`, or compare with `--check`; return the exit status."""
    old = target.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in arguments:
        if old == new:
            return 0
        sys.stderr.write(f"{target} is out of date; run python -m bridge.simulator.doc\n")
        return 1
    target.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":  # pragma: no cover -- its test runs it in a process of its own
    sys.exit(main(sys.argv[1:]))
