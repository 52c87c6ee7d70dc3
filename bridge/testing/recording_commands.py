"""The commands of `rt-bridge` that work on recordings: verify, redact and codegen.

Their bodies are imported when they run, so that `rt-bridge --help` starts at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

_USAGE_ERROR: Final = 2


@click.command()
@click.argument("recording", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--app", "url", required=True, metavar="URL", help="The app to ask.")
@click.option("--login", envvar="BRIDGE_APP_LOGIN", help="HTTP Basic login of the app.")
@click.option(
    "--password", envvar="BRIDGE_APP_PASSWORD", help="Better given as BRIDGE_APP_PASSWORD."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="How to print what differs.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="PATH",
    help="Do not compare this member, such as params.media_id or variables.*.at; repeatable.",
)
@click.option(
    "--set",
    "fields",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Send this in the place of the recorded number, cli_number …; repeatable.",
)
@click.option("--call", "calls", multiple=True, type=int, help="Only this call; repeatable.")
@click.option("--keep-going", is_flag=True, help="Play a call on after another command came.")
@click.option(
    "--timeout",
    "budget_s",
    type=click.FloatRange(0.001, 3600),
    default=5.0,
    show_default=True,
    help="Seconds the app has for an answer.",
)
def verify(recording: Path, **options: Any) -> None:
    """Play recorded calls against an app and show what it answers otherwise.

    The exit status is 0 when everything is as recorded, 1 when not, 2 when the recording or an option is wrong, 3 when the app cannot be
    reached.
    """
    from bridge.testing.verify.command import verify_main  # noqa: PLC0415 -- imports the client

    _finish(*verify_main(recording, **options))


@click.command()
@click.argument("recording", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--redact",
    "level",
    type=click.Choice(["none", "numbers", "all"]),
    default="all",
    show_default=True,
    help="What to mask.",
)
@click.option(
    "--keep", "kept", multiple=True, metavar="NUMBER", help="A number that stays; repeatable."
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A secret that gives the same masks again; without it nobody can.",
)
@click.option(
    "-o",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there; otherwise the recording itself is replaced.",
)
def redact(recording: Path, **options: Any) -> None:
    """Mask numbers, keys and names in a recording that was made without."""
    from bridge.testing.recording.command import redact_main  # noqa: PLC0415 -- keeps --help fast

    _finish(*redact_main(recording, **options))


@click.command()
@click.argument("recording", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--call", type=int, help="Which call; needed when there are several.")
@click.option(
    "--to", type=click.Choice(["scenario", "pytest"]), required=True, help="What to write."
)
@click.option(
    "-o",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there, not to standard output.",
)
def codegen(recording: Path, **options: Any) -> None:
    """Make a test of a recorded call.

    It expects what the caller heard, the parties that were dialled, recordings, conferences, results and how the call ended, and does what
    the caller did.
    """
    from bridge.testing.codegen.command import codegen_main  # noqa: PLC0415 -- keeps --help fast

    _finish(*codegen_main(recording, **options))


def _finish(text: str, status: int) -> NoReturn:
    """Print a report, or to standard error what was wrong with the usage, and exit."""
    click.echo(text, nl=False, err=status == _USAGE_ERROR)
    sys.exit(status)


COMMANDS: Final = (verify, redact, codegen)

__all__ = ["COMMANDS", "codegen", "redact", "verify"]
