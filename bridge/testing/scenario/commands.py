"""The commands `rt-bridge simulate` and `rt-bridge call`: options only.

What they do is imported when they run, so that `rt-bridge --help` starts at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

_SCENARIO_STATUS: Final = (
    "Exit status: 0 every scenario passed, 1 one failed, 2 wrong file or usage, "
    "3 the app cannot be reached."
)
_CALL_STATUS: Final = (
    "Exit status: 0 the call was played, 1 the app broke the protocol or an input was never used, "
    "2 wrong usage, 3 the app cannot be reached."
)
#: What a caller does, in the order of the command line.
_INPUTS: Final = ("--press", "--say", "--speak")
_PLAYING: Final = ("app", "app_command", "seed", "profile", "faults")
_Command = TypeVar("_Command", bound=Callable[..., object])


def _simulation(command: _Command) -> _Command:
    """Add the options that say which app is called and how the simulation behaves."""
    for option in (
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="FAULT",
            help="Inject a fault: what[:name][=seconds][@share][#nth], such as "
            "duplicate:recording. Repeatable.",
        ),
        click.option(
            "--profile",
            type=click.Choice(["normal", "hostile"]),
            help="How what nobody documents about Plivo is answered.",
        ),
        click.option(
            "--seed", type=int, help="Seed of every id, delay and fault; by default a new one."
        ),
        click.option(
            "--app-command",
            default="",
            metavar="COMMAND",
            help="Start the app with this command. It listens where --app says, or on the port "
            "that it finds in $PORT and in the place of {port}; --app may then be a path.",
        ),
        click.option("--app", default="", metavar="URL", help="URL of the RT app."),
    ):
        command = option(command)
    return command


@click.command(epilog=_SCENARIO_STATUS)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_simulation
@click.option(
    "--only", multiple=True, metavar="NAME", help="Play only this scenario or step. Repeatable."
)
@click.option(
    "--skip", multiple=True, metavar="NAME", help="Leave out this scenario or step. Repeatable."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="STEP.FIELD=VALUE",
    help="Change a step, or with FIELD=VALUE the scenario. Repeatable.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the report to a file as well."
)
@click.option(
    "--trace", type=click.Path(path_type=Path), help="Write a page of each scenario to this folder."
)
@click.option(
    "--record", type=click.Path(path_type=Path), help="Record the calls of one scenario in a file."
)
@click.option("--list", "only_list", is_flag=True, help="List scenarios and steps; play nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Name every step while it is played.")
def simulate(**given: Any) -> None:
    """Play scenarios against an RT app.

    FILES are YAML scenarios, or folders of them. Bridge and Plivo are simulated around the app on
    virtual time: no phone, no account and no network are needed.
    """
    from bridge.testing.scenario import cli, playing  # noqa: PLC0415 -- the whole bridge

    options = {name: given.pop(name) for name in (*_PLAYING, "trace", "record")}
    sys.exit(cli.simulate(cli.Choice(**given), playing.Options(**options)))


class _InOrder(click.Command):
    """Keeps the order in which inputs of different options were given, which click does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the inputs, and leave the parsing to click."""
        valued = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        inputs: list[tuple[str, str]] = []
        words = iter(args)
        for word in words:
            name, equals, value = word.partition("=")
            if name in valued:
                value = value if equals else next(words, "")
                inputs += [(name, value)] if name in _INPUTS else []
        ctx.meta[__name__] = inputs
        return super().parse_args(ctx, args)


@click.command(cls=_InOrder, epilog=_CALL_STATUS)
@click.option(
    "--from",
    "caller",
    metavar="NUMBER",
    default="+33612345678",
    show_default=True,
    help="Who calls; anonymous hides it.",
)
@click.option(
    "--to",
    "called",
    metavar="NUMBER",
    default="+33187654321",
    show_default=True,
    help="The number that is called.",
)
@click.option(
    "--press",
    multiple=True,
    metavar="KEYS",
    help="Press keys; groups with commas between, such as 1,2#, at one input each. Repeatable.",
)
@click.option("--say", multiple=True, metavar="TEXT", help="Say something. Repeatable.")
@click.option(
    "--speak", multiple=True, metavar="SECONDS", help="Speak into a recording, then press #."
)
@click.option("--answer-after", metavar="SECONDS", help="Dialled parties pick up; else they ring.")
@click.option("--hang-up-after", metavar="SECONDS", help="Hang up so long after the call began.")
@click.option(
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a field of RT.Request: cli_name, cli_number, number or date_started. Repeatable.",
)
@_simulation
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the call.",
)
@click.pass_context
def call(ctx: click.Context, /, **given: Any) -> None:
    """Place one simulated call and print what happened.

    --press, --say and --speak are used in the order in which they are given, each as soon as the
    call accepts it. After the last one the caller waits for the end.
    """
    from bridge.testing.scenario import ad_hoc, playing  # noqa: PLC0415 -- the whole bridge

    options = playing.Options(**{name: given.pop(name) for name in _PLAYING})
    sys.exit(ad_hoc.call(ctx.meta[__name__], given, options))


COMMANDS: Final = (simulate, call)

__all__ = ["COMMANDS", "call", "simulate"]
