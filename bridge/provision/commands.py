"""The command `rt-bridge provision`: options only.

What it does is imported when it runs, so that `rt-bridge --help` starts at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

_STATUS: Final = (
    "Exit status: 0 nothing to do, or done; 1 --plan found differences, or the question was not "
    "answered with yes; 2 wrong usage, settings or state file; 3 Plivo cannot be reached, or "
    "refused; 4 something that is not ours is in the way, and nothing was changed."
)


@click.command(epilog=_STATUS)
@click.option("--plan", is_flag=True, help="Show what differs, change nothing.")
@click.option("--apply", is_flag=True, help="Show it, ask, and change it.")
@click.option("--undo", is_flag=True, help="Put back what --apply changed, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask; needed when there is no terminal.")
@click.option("--app", "hashes", multiple=True, metavar="HASH", help="Only this app. Repeatable.")
@click.option(
    "--take",
    "taken",
    multiple=True,
    metavar="NUMBER",
    help="Take this number, whatever it belongs to. Repeatable.",
)
@click.option("--force", is_flag=True, help="Take and overwrite whatever is in the way.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that remembers what was there before; by default rt-bridge-provision.json beside "
    "the SQLite file of BRIDGE_STORE.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the plan.",
)
def provision(*, plan: bool, apply: bool, undo: bool, **options: Any) -> None:
    """Make Plivo send the calls of your numbers to the bridge.

    Creates or changes one Plivo application for each configured app, and gives it the numbers of that app. Give one of --plan, --apply and
    --undo.
    """
    given = {"plan": plan, "apply": apply, "undo": undo}
    chosen = [action for action, is_given in given.items() if is_given]
    if len(chosen) != 1:
        raise click.UsageError("Give one of --plan, --apply and --undo.")
    from bridge.provision.command import provision_main  # noqa: PLC0415 -- imports the client

    sys.exit(provision_main(chosen[0], **options))


COMMANDS: Final = (provision,)

__all__ = ["COMMANDS", "provision"]
