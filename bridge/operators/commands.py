"""The commands of `rt-bridge` for those who run a bridge.

Their bodies are imported when they run, so that `rt-bridge --help` starts at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click


@click.command(
    epilog="Exit status: 0 listed; 1 the store cannot be read; 2 wrong usage or settings."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print them; json is one object per line.",
)
@click.option("--app", metavar="HASH", help="Only calls of this app.")
@click.option("--call", "callid", type=click.IntRange(1), metavar="CALLID", help="Only this call.")
@click.option("--since", metavar="TIME", help="Only legs that ended at this time or later.")
@click.option("--until", metavar="TIME", help="Only legs that ended before this time.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    help="The newest so many; 0 all of them. By default 100 in a table, else all.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there, not to standard output.",
)
@click.option("--redact", is_flag=True, help="Mask the numbers.")
def cdr(  # noqa: PLR0917 -- click passes options by name
    output_format: str,
    app: str | None,
    callid: int | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    output: Path | None,
    redact: bool,  # noqa: FBT001 -- as above
) -> None:
    """List call records, the oldest first.

    One for every leg of every call that is over. TIME is 2024-05-31, 2024-05-31T14:00:00+02:00 (UTC without a zone) or how long ago: 90m,
    12h, 7d. Read from the store of the settings, which a running bridge may be using.
    """
    from bridge.operators.cdr import cdr_main  # noqa: PLC0415 -- imports the store

    sys.exit(cdr_main(output_format, app, callid, since, until, limit, output, redact=redact))


COMMANDS: Final = (cdr,)

__all__ = ["COMMANDS", "cdr"]
