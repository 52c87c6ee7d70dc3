"""Call records as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from bridge.operators.moments import shown, written
from bridge.operators.tables import csv_line, table

if TYPE_CHECKING:
    from bridge.cdr.record import Cdr

#: The columns of CSV and the members of JSON; new ones come at the end.
COLUMNS: Final = (
    "callid",
    "leg",
    "app",
    "direction",
    "from",
    "to",
    "uuid",
    "request_hash",
    "cdr_field",
    "start",
    "answer",
    "end",
    "duration",
    "billed",
    "status",
    "ended_by",
    "cause_code",
    "cause",
    "commands",
)
_HEADER: Final = (
    "CALL",
    "APP",
    "DIRECTION",
    "FROM",
    "TO",
    "START",
    "SECONDS",
    "STATUS",
    "ENDED BY",
)


def members(cdr: Cdr) -> dict[str, Any]:
    """Give the members of a record's JSON, named after `COLUMNS`."""
    values = (
        *(cdr.callid, cdr.leg, cdr.app, cdr.direction, cdr.caller, cdr.called, cdr.uuid),
        *(cdr.request_hash, cdr.cdr_field),
        *(written(at) or None for at in (cdr.started_at, cdr.answered_at, cdr.ended_at)),
        *(cdr.duration, cdr.billed, cdr.status, cdr.ended_by, cdr.cause_code, cdr.cause),
        [{"name": name, "result": word, "times": n} for name, word, n in cdr.commands],
    )
    return dict(zip(COLUMNS, values, strict=True))


def as_json(cdr: Cdr) -> str:
    """Write one line of JSON."""
    return to_json(members(cdr)).decode() + "\n"


def csv_header() -> str:
    """Write the first line of CSV."""
    return csv_line(COLUMNS)


def as_csv(cdr: Cdr) -> str:
    """Write one line of CSV; unknown values are empty, commands read `play:ok*2 read:TIMEOUT`."""
    values = members(cdr) | {"commands": _commands(cdr)}
    return csv_line(["" if value is None else str(value) for value in values.values()])


def as_table(cdrs: Sequence[Cdr]) -> str:
    """Write a table of what matters most; dialled legs stand as callid.leg."""
    return table(_HEADER, [_row(cdr) for cdr in cdrs])


def _row(cdr: Cdr) -> tuple[str, ...]:
    return (
        f"{cdr.callid}.{cdr.leg}" if cdr.leg else str(cdr.callid),
        cdr.app,
        cdr.direction,
        cdr.caller or "-",
        cdr.called or "-",
        shown(cdr.started_at),
        "-" if cdr.duration is None else str(cdr.duration),
        cdr.status,
        f"{cdr.ended_by or '-'} ({cdr.cause_code or cdr.cause or 'cause unknown'})",
    )


def _commands(cdr: Cdr) -> str:
    return " ".join(
        f"{name}:{word}" + (f"*{times}" if times > 1 else "") for name, word, times in cdr.commands
    )


__all__ = ["COLUMNS", "as_csv", "as_json", "as_table", "csv_header", "members"]
