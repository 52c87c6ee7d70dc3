"""`rt-bridge cdr`: list call records; see docs/cdr.md."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

import click

from bridge.cdr.record import KIND, Cdr, load
from bridge.cdr.show import as_csv, as_json, as_table, csv_header
from bridge.errors import SettingsError
from bridge.operators.moments import moment
from bridge.settings import load_settings
from bridge.store.protocol import StoreUnavailable
from bridge.store.reading import Records, reading

if TYPE_CHECKING:
    from bridge.settings import Settings

FAILURE: Final = 1
USAGE: Final = 2
_PAGE: Final = 500
#: As many lines as somebody at a terminal can look over.
_TABLE_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: of one app or call, that ended in [since, until), at most so many."""

    app: str | None
    callid: int | None
    since: float
    until: float
    limit: int


def cdr_main(  # noqa: PLR0917 - the options of the command
    output_format: str,
    app: str | None,
    callid: int | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    output: Path | None,
    *,
    redact: bool,
) -> int:
    """Print the records; give the exit status."""
    now = time()
    try:
        settings = load_settings(os.environ).settings
        default = _TABLE_LIMIT if output_format == "table" else 0
        wanted = Wanted(
            app,
            callid,
            -inf if since is None else moment(since, now),
            inf if until is None else moment(until, now),
            default if limit is None else limit,
        )
    except (SettingsError, ValueError) as error:
        click.echo(str(error), err=True)
        return USAGE
    try:
        if output is None:
            asyncio.run(_print(settings, wanted, output_format, sys.stdout.write, redact=redact))
        else:
            _to_file(settings, wanted, output_format, output, redact=redact)
    except StoreUnavailable as error:
        click.echo(str(error), err=True)
        return FAILURE
    return 0


def _to_file(
    settings: Settings, wanted: Wanted, output_format: str, output: Path, *, redact: bool
) -> None:
    # Numbers are in it: a new file is for its owner alone.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(output, flags, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{output} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        asyncio.run(_print(settings, wanted, output_format, file.write, redact=redact))


async def _print(
    settings: Settings,
    wanted: Wanted,
    output_format: str,
    write: Callable[[str], object],
    *,
    redact: bool,
) -> None:
    async with reading(settings.store) as records:
        found = (cdr.redacted() if redact else cdr async for cdr in _found(records, wanted))
        match output_format:
            case "csv":
                write(csv_header())
                async for cdr in found:
                    write(as_csv(cdr))
            case "json":
                async for cdr in found:
                    write(as_json(cdr))
            case _:
                write(as_table([cdr async for cdr in found]))


async def _found(records: Records, wanted: Wanted) -> AsyncIterator[Cdr]:
    """Give the newest ones up to the limit, oldest first; without a limit, as they are read."""
    if wanted.limit:
        newest: list[Cdr] = []
        async for cdr in _walk(records, wanted, newest_first=True):
            newest.append(cdr)
            if len(newest) == wanted.limit:
                break
        for cdr in reversed(newest):
            yield cdr
        return
    async for cdr in _walk(records, wanted, newest_first=False):
        yield cdr


async def _walk(records: Records, wanted: Wanted, *, newest_first: bool) -> AsyncIterator[Cdr]:
    begin = wanted.until if newest_first else wanted.since
    after: tuple[float, str] | None = (begin, "") if abs(begin) != inf else None
    while rows := await records.list_records(
        KIND, scope=wanted.app, after=after, limit=_PAGE, newest_first=newest_first
    ):
        for row in rows:
            if not wanted.since <= row.sort < wanted.until:
                return
            cdr = load(row)
            if wanted.callid in {None, cdr.callid}:
                yield cdr
        after = rows[-1].sort, rows[-1].key


__all__ = ["cdr_main"]
