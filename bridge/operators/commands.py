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


_STATUS: Final = (
    "Exit status: 0 done; 1 refused; 2 wrong usage or settings; 3 the bridge cannot be reached."
)


@click.command(epilog=_STATUS)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print them; json is one object per line.",
)
@click.option("--app", metavar="HASH", help="Only calls of this app.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most."
)
def calls(output_format: str, app: str | None, limit: int) -> None:
    """List the live calls, the newest first.

    Asks the running bridge on BRIDGE_ADMIN_LISTEN with BRIDGE_ADMIN_TOKEN. Numbers are masked.
    """
    from bridge.operators.calls import calls_main  # noqa: PLC0415 -- keeps --help fast

    sys.exit(calls_main(output_format, app, limit))


@click.command(epilog=_STATUS)
@click.argument("callid", type=click.IntRange(1))
def hangup(callid: int) -> None:
    """End a live call.

    Its app hears of it as of any hangup. A call that Plivo knows no more is ended in the bridge alone.
    """
    from bridge.operators.calls import act_main  # noqa: PLC0415 -- keeps --help fast

    sys.exit(act_main("hangup", callid))


@click.command("break", epilog=_STATUS)
@click.argument("callid", type=click.IntRange(1))
def break_command(callid: int) -> None:
    """End the command that a live call is running.

    The app is told command_error BREAK and says how the call goes on. Works as calls.realtime_break of the JSON-RPC API does.
    """
    from bridge.operators.calls import act_main  # noqa: PLC0415 -- keeps --help fast

    sys.exit(act_main("break", callid))


@click.command("close-room", epilog=_STATUS)
@click.argument("app")
@click.argument("room")
def close_room(app: str, room: str) -> None:
    """End a conference: send everybody out of ROOM of the app APP.

    ROOM is the id that the app gives to conference or simple_conference. Their calls go on, and the app is told CONFERENCE_CLOSED for each.
    """
    from bridge.operators.calls import close_main  # noqa: PLC0415 -- keeps --help fast

    sys.exit(close_main(app, room))


_LISTED: Final = (
    "Exit status: 0 listed or shown; 1 there is none, or the store cannot be read; 2 wrong usage or "
    "settings."
)
_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print; json is one object per line.",
)


@click.group(epilog=_LISTED, invoke_without_command=True)
@_format
@click.option("--app", metavar="HASH", help="Only recordings of this app.")
@click.option("--call", "callid", type=click.IntRange(1), metavar="CALLID", help="Only this call.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most."
)
@click.pass_context
def recordings(
    context: click.Context, output_format: str, app: str | None, callid: int | None, limit: int
) -> None:
    """List recordings, the newest first.

    Those of the commands record (of the caller) and start_call_recording (of the call), as long as their names can be used. Read from the
    store of the settings, which a running bridge may be using.
    """
    if context.invoked_subcommand is not None:
        return
    from bridge.operators.recordings import list_main  # noqa: PLC0415 -- imports the store

    sys.exit(list_main(output_format, app, callid, limit))


@recordings.command(epilog=_LISTED)
@click.argument("name")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
def show(name: str, output_format: str) -> None:
    """Print the transcript of a recording.

    NAME is the one its app knows it by, and which the list shows.
    """
    from bridge.operators.recordings import show_main  # noqa: PLC0415 -- imports the store

    sys.exit(show_main(name, output_format))


COMMANDS: Final = (cdr, calls, hangup, break_command, close_room, recordings)

__all__ = ["COMMANDS", "break_command", "calls", "cdr", "close_room", "hangup", "recordings"]
