"""Lists: a page of at most 20 objects and where the next one is, and filters by comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import eq, ge, gt, le, lt
from typing import Any, Final
from urllib.parse import urlencode

from bridge.simulator.rest.asked import Asked, Reply

MOST: Final = 20
_COMPARISONS: Final = (("", eq), ("__gt", gt), ("__gte", ge), ("__lt", lt), ("__lte", le))


def page(asked: Asked, path: str, objects: Sequence[Mapping[str, Any]]) -> Reply:
    """Give one page of a list; `path` is that of the list below the account."""
    limit = asked.whole("limit", MOST, 1, MOST)
    offset = asked.whole("offset", 0, 0, 10**9)

    def link(start: int) -> str:
        others = {k: v for k, v in asked.given.items() if k not in {"limit", "offset"}}
        query = urlencode({**others, "limit": limit, "offset": start})
        return f"{asked.api.base}/{path}/?{query}"

    total = len(objects)
    meta = {
        "limit": limit,
        "next": link(offset + limit) if offset + limit < total else None,
        "offset": offset,
        "previous": link(max(0, offset - limit)) if offset else None,
        "total_count": total,
    }
    return Reply(200, {"meta": meta, "objects": list(objects[offset : offset + limit])})


def compared(asked: Asked, name: str, value: float, read: Callable[[Asked, str], float]) -> bool:
    """Say whether a value passes `name`, `name__gt`, `name__gte`, `name__lt`, `name__lte`."""
    return all(
        compare(value, read(asked, name + suffix))
        for suffix, compare in _COMPARISONS
        if asked.text(name + suffix)
    )


def read_time(asked: Asked, name: str) -> float:
    """Read a time (UTC when it has no zone) as wall time in s."""
    try:
        given = datetime.fromisoformat(asked.text(name))
    except ValueError:
        asked.bad(name, "must be a time such as 2026-01-05 10:00:00")
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def read_whole(asked: Asked, name: str) -> float:
    """Read a whole number of 0 or more."""
    return asked.whole(name, 0, 0, 10**12)


def written_time(at: float, *, digits: bool = False) -> str:
    """Write a wall time as Plivo's lists do: with its zone, and with microseconds if asked for."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(" ", "microseconds" if digits else "seconds")


__all__ = ["MOST", "compared", "page", "read_time", "read_whole", "written_time"]
