"""The command `rt-bridge explore`: options only; what it does is imported when it runs."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

_USAGE: Final = 2
_PLAYING: Final = ("app", "app_command", "seed", "profile", "faults", "trace")
_STATUS: Final = (
    "Exit status: 0 nothing was found, 1 something was, 2 wrong usage, 3 the app cannot be reached."
)
_MOST: Final = click.IntRange(1, 100_000)


@click.command(epilog=_STATUS)
@click.option("--app", default="", metavar="URL", help="URL of the RT app.")
@click.option(
    "--app-command",
    default="",
    metavar="COMMAND",
    help="Start the app with this command. It listens where --app says, or on the port that it "
    "finds in $PORT and in the place of {port}; --app may then be a path.",
)
@click.option(
    "--max-examples",
    type=_MOST,
    default=100,
    show_default=True,
    help="Examples to try, of several calls each.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Most that is done in one example.",
)
@click.option("--seed", type=int, help="Seed of everything; by default a new one.")
@click.option(
    "--profile",
    type=click.Choice(["normal", "hostile"]),
    help="How what nobody documents about Plivo is answered.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Inject a fault: what[:name][=seconds][@share][#nth]. Repeatable.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="CODE",
    help="A violation that is known, such as NOT_200. Repeatable.",
)
@click.option(
    "--repeats",
    type=click.IntRange(2, 10_000),
    default=10,
    show_default=True,
    help="The same reply so often, while nobody does anything, is a LOOP.",
)
@click.option(
    "--max-turns",
    type=click.IntRange(2, 100_000),
    default=100,
    show_default=True,
    help="So many replies, while nobody does anything, are ENDLESS.",
)
@click.option(
    "--shrink",
    "shrink_s",
    type=click.FloatRange(0, 36_000),
    default=60.0,
    show_default=True,
    help="Real seconds to look for shorter calls.",
)
@click.option(
    "--fresh-app", is_flag=True, help="Start the app anew for each example, if it remembers calls."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Remember failures in this folder and try them first; by default nothing is kept.",
)
@click.option(
    "--scenarios",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".rt-bridge/explore"),
    show_default=True,
    help="Write a scenario of each failure to this folder.",
)
@click.option(
    "--trace", type=click.Path(path_type=Path), help="Write a page of each failure to this folder."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show what the bridge logs meanwhile.")
def explore(**given: Any) -> None:
    """Look for the shortest call that breaks an RT app.

    Simulated callers do legal but odd things: press any keys at any moment, talk, stay silent,
    hang up at any instant, meet in conferences, and whom the app dials answers, declines or fails.
    """
    if find_spec("hypothesis") is None:
        click.echo(
            "rt-bridge explore needs Hypothesis: install it with pip install 'plivo-rt-bridge[pytest]'.",
            err=True,
        )
        sys.exit(_USAGE)
    from bridge.testing.explore.cli import explore_main  # noqa: PLC0415 -- the whole bridge
    from bridge.testing.scenario.playing import Options  # noqa: PLC0415 -- as above

    options = Options(**{name: given.pop(name) for name in _PLAYING})
    sys.exit(explore_main(options, given))


COMMANDS: Final = (explore,)

__all__ = ["COMMANDS", "explore"]
