"""Times as operators write and read them; without a zone they are in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str, now: float) -> float:
    """Read `2024-05-31`, `2024-05-31T14:00`, the same with a zone, or `90m` ago; gives wall time in s.

    Raises ValueError with a sentence.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _UNIT_S[ago[2]]
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: write 2024-05-31, 2024-05-31T14:00:00+02:00 (UTC without a "
            "zone), or how long ago, such as 90m, 12h, 7d"
        ) from None


def written(at: float | None) -> str:
    """Write a wall time in s as `2024-05-31T14:00:00.250Z`; None is ""."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(at: float | None) -> str:
    """Write a wall time in s for a table: `2024-05-31 14:00:00`; None is "-"."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


__all__ = ["moment", "shown", "written"]
