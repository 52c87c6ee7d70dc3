"""The command line `rt-bridge`: parse arguments, build settings, hand over.

Everything heavy is imported inside the command that needs it, so that `--help`, `--version` and
the health check of a container start at once.
Exit status: 0 success, 1 failure, 2 wrong usage or settings; 3 of `verify`, an unreachable app; 143
of `serve`, stopped by force.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from bridge.doctor.commands import COMMANDS as DOCTOR_COMMANDS
from bridge.operators.commands import COMMANDS as OPERATOR_COMMANDS
from bridge.provision.commands import COMMANDS as PROVISION_COMMANDS
from bridge.testing.explore.command import COMMANDS as EXPLORE_COMMANDS
from bridge.testing.recording_commands import COMMANDS as RECORDING_COMMANDS
from bridge.testing.scenario.commands import COMMANDS as SCENARIO_COMMANDS

if TYPE_CHECKING:
    from bridge.rt_schema import Message
    from bridge.settings import Loaded

__all__ = ["main"]

_FAILURE: Final = 1
_USAGE_ERROR: Final = 2
_HTTP_OK: Final = 200


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings are read from BRIDGE_* variables and the TOML file named by BRIDGE_CONFIG.",
)
@click.version_option(package_name="plivo-rt-bridge", prog_name="rt-bridge")
def main() -> None:
    """Run voice apps written for CALLR's Real-Time protocol on Plivo."""


def _load(status: int = _USAGE_ERROR, *, workers: str | None = None) -> Loaded:
    """Read the settings, or print what is wrong with them and exit with `status`."""
    from bridge.errors import SettingsError  # noqa: PLC0415 -- keeps --help fast
    from bridge.settings import load_settings  # noqa: PLC0415 -- keeps --help fast

    try:
        given = {} if workers is None else {"BRIDGE_WORKERS": workers}
        return load_settings(os.environ | given)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(status)


@main.command()
@click.option(
    "--workers",
    metavar="N",
    help="Processes that share the work; needs a redis:// store. [default: BRIDGE_WORKERS, or 1]",
)
def serve(workers: str | None) -> None:
    """Run the bridge until SIGTERM or Ctrl-C.

    It then answers on for BRIDGE_DRAIN_S and finishes what it has begun; a second signal forces it to end (exit status 143).
    """
    settings = _load(workers=workers).settings
    from bridge.telemetry import configure_logging  # noqa: PLC0415 -- keeps --help fast

    configure_logging(settings.log_format, settings.log_level)
    if settings.workers > 1:
        from bridge.workers.supervisor import run as supervise  # noqa: PLC0415 -- seldom wanted

        sys.exit(supervise(settings))
    from bridge.serve import run  # noqa: PLC0415 -- imports the server

    sys.exit(run(settings))


@main.command()
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print the settings.",
)
def config(output: str) -> None:
    """Check and show the settings.

    Each value is shown with its origin, secrets hidden. Warnings go to standard error; the exit status is 2 when a setting is wrong.
    """
    loaded = _load()
    from bridge.settings import describe, warnings  # noqa: PLC0415 -- keeps --help fast

    rows = describe(loaded)
    if output == "json":
        from pydantic_core import to_json  # noqa: PLC0415 -- keeps --help fast

        click.echo(to_json(rows, indent=2))
    else:
        names = max(len(row.name) for row in rows)
        values = max(len(row.value) for row in rows)
        for row in rows:
            click.echo(f"{row.name:{names}}  {row.value:{values}}  {row.origin}")
    for sentence in warnings(loaded.settings):
        click.echo(f"Warning: {sentence}", err=True)


@main.command()
@click.option("--timeout", default=3.0, show_default=True, help="Seconds to wait for an answer.")
def healthcheck(timeout: float) -> None:
    """Ask the running bridge whether it is alive.

    The address is BRIDGE_ADMIN_LISTEN, the exit status 0 or 1; made for the health check of a container.
    """
    address = _load(status=_FAILURE).settings.admin_listen
    problem = _ask_health(address.host, address.port, timeout)
    if problem:
        click.echo(f"http://{address}/healthz: {problem}", err=True)
        sys.exit(_FAILURE)
    click.echo("ok")


def _ask_health(host: str, port: int, timeout_s: float) -> str:
    """Return why the bridge is not well, or nothing when it is."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 -- keeps --help fast

    # A wildcard address is for listening only; the health check runs on the same machine.
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = HTTPConnection(target, port, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status == _HTTP_OK else f"answered with status {status}"


@main.command()
@click.option("--app", "app_hash", metavar="HASH", help="Use the settings of this app.")
def translate(app_hash: str | None) -> None:
    """Show the Plivo XML of an RT.Response.

    The response is read from standard input. Works without any settings; when BRIDGE_CONFIG or BRIDGE_PUBLIC_URL is set, the settings are
    read, and voices, media and the options of the app are used.
    """
    given = any(os.environ.get(name) for name in ("BRIDGE_CONFIG", "BRIDGE_PUBLIC_URL"))
    settings = _load().settings if given else None
    from bridge.translate import translate_main  # noqa: PLC0415 -- imports the mappings

    text, status = translate_main(sys.stdin.buffer.read(), app=app_hash, settings=settings)
    click.echo(text, nl=not text.endswith("\n"))
    sys.exit(status)


@main.command("schema")
@click.argument("message", type=click.Choice(["request", "response"]), default="response")
@click.option("--strict", is_flag=True, help="What the RT page documents, without any tolerance.")
def schema_command(message: Message, strict: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Print the JSON Schema of RT.Request or RT.Response.

    MESSAGE is what an app gets (request) or answers (response, the default).
    Without --strict the response is whatever the bridge accepts of an app.
    """
    from bridge.rt_schema import schema_text  # noqa: PLC0415 -- imports the mappings

    click.echo(schema_text(message, strict=strict), nl=False)


for command in (
    *DOCTOR_COMMANDS,
    *OPERATOR_COMMANDS,
    *PROVISION_COMMANDS,
    *RECORDING_COMMANDS,
    *SCENARIO_COMMANDS,
    *EXPLORE_COMMANDS,
):
    main.add_command(command)


@main.command()
@click.option(
    "--exit",
    "--exit-after-call",
    "exit_after_call",
    is_flag=True,
    help="Stop after the call instead of serving on.",
)
def demo(exit_after_call: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Place a simulated call through an example app.

    Starts the bridge and the app, prints the conversation, and serves on.
    """
    from bridge.demo import run_demo  # noqa: PLC0415 -- imports server and simulator

    sys.exit(run_demo(exit_after_call=exit_after_call))


if __name__ == "__main__":  # pragma: no cover -- tests start it in a process of its own
    main(prog_name="rt-bridge")
