"""The command `rt-bridge doctor`: options only.

What it does is imported when it runs, so that `rt-bridge --help` starts at once.
"""

from __future__ import annotations

import sys
from typing import Final

import click

from bridge.doctor.findings import SKIPPABLE

_STATUS: Final = (
    "Exit status: 0 ready (there may be warnings), 1 a check failed, 2 wrong usage or settings."
)


@click.command(epilog=_STATUS)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print what was found.",
)
@click.option("--app", "apps", multiple=True, metavar="HASH", help="Only this app. Repeatable.")
@click.option(
    "--skip",
    multiple=True,
    type=click.Choice(SKIPPABLE),
    metavar="CHECK",
    help=f"Leave out this check: {', '.join(SKIPPABLE)}. Repeatable.",
)
@click.option(
    "--dry-call",
    is_flag=True,
    help="Ask each app as for a new call, and end it; without it the apps only hear of an end. "
    "An app may take it for a real call.",
)
def doctor(output: str, apps: tuple[str, ...], skip: tuple[str, ...], *, dry_call: bool) -> None:
    """Look whether everything is there that a call needs.

    Run it beside the running bridge, with the same settings. Nothing is changed, neither here nor at Plivo.
    """
    from bridge.doctor.command import doctor_main  # noqa: PLC0415 -- imports clients and mappings

    text, status = doctor_main(output, apps, skip, dry_call=dry_call)
    click.echo(text, nl=False)
    sys.exit(status)


COMMANDS: Final = (doctor,)

__all__ = ["COMMANDS", "doctor"]
