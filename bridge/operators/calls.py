"""`rt-bridge calls`, `hangup`, `break` and `close-room`: ask the running bridge; see docs/operators.md."""

from __future__ import annotations

import os
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode

import click
from pydantic_core import from_json, to_json

from bridge.errors import SettingsError
from bridge.operators.moments import moment, shown
from bridge.operators.tables import table
from bridge.settings import load_settings

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
#: Longer than the bridge waits for Plivo.
_PATIENCE_S: Final = 30.0
_HTTP_OK: Final = 200
_HEADER: Final = ("CALL", "APP", "DIRECTION", "FROM", "TO", "SINCE", "SECONDS", "PHASE", "COMMAND")
#: A wildcard address is for listening only; the commands run on the same machine.
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Failed(Exception):  # noqa: N818 - named for what happened
    """The request was not carried out: the exit status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def calls_main(output_format: str, app: str | None, limit: int) -> int:
    """Print the live calls; give the exit status."""
    query = urlencode({"limit": limit} | ({} if app is None else {"app": app}))
    try:
        answer = _ask("GET", f"/admin/calls?{query}", "calls")
    except Failed as failed:
        return _failed(failed)
    calls: list[dict[str, Any]] = answer["calls"]
    if output_format == "json":
        for call in calls:
            click.echo(to_json(call))
    else:
        click.echo(table(_HEADER, [_row(call) for call in calls]), nl=False)
    return DONE


def act_main(action: str, callid: int) -> int:
    """Do something to a live call, say what came of it, and give the exit status."""
    try:
        answer = _ask("POST", f"/admin/calls/{callid}/{action}", "message")
    except Failed as failed:
        return _failed(failed)
    click.echo(answer["message"])
    return DONE


def close_main(app: str, room: str) -> int:
    """Send everybody out of a room, say whom, and give the exit status."""
    query = urlencode({"app": app, "room": room}, errors="surrogateescape")
    try:
        answer = _ask("POST", f"/admin/rooms/close?{query}", "message")
    except Failed as failed:
        return _failed(failed)
    click.echo(answer["message"])
    return DONE


def _failed(failed: Failed) -> int:
    click.echo(str(failed), err=True)
    return failed.status


def _ask(method: str, target: str, member: str) -> dict[str, Any]:
    """Ask the bridge of the settings for an object with this member. Raises Failed."""
    try:
        settings = load_settings(os.environ).settings
    except SettingsError as error:
        raise Failed(USAGE, str(error)) from error
    if settings.admin_token is None:
        why = "BRIDGE_ADMIN_TOKEN is not set: give the bridge and this command the same one."
        raise Failed(USAGE, why)
    address = settings.admin_listen
    connection = HTTPConnection(
        _LOOPBACK.get(address.host, address.host), address.port, timeout=_PATIENCE_S
    )
    headers = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
    try:
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, HTTPException) as error:
        why = str(error) or type(error).__name__
        raise Failed(UNREACHABLE, f"No bridge answers on http://{address}: {why}.") from error
    finally:
        connection.close()
    return _read(address, status, body, member)


def _read(address: object, status: int, body: bytes, member: str) -> dict[str, Any]:
    try:
        answer = from_json(body)
        if status == _HTTP_OK and isinstance(answer, dict) and member in answer:
            return answer
        code, message = answer["error"]["code"], answer["error"]["message"]
    except (ValueError, LookupError, TypeError):
        why = f"http://{address} answered with status {status}, not as a bridge does."
        raise Failed(UNREACHABLE, why) from None
    wrong_settings = code in {"UNAUTHORIZED", "ADMIN_OFF", "INVALID_PARAMS"}
    raise Failed(USAGE if wrong_settings else REFUSED, f"{message} ({code})")


def _row(call: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(call["callid"]),
        call["app"],
        call["direction"],
        call["from"] or "-",
        call["to"] or "-",
        shown(moment(call["since"], 0)),
        str(call["seconds"]),
        call["phase"],
        call["command"] or "-",
    )


__all__ = ["DONE", "REFUSED", "UNREACHABLE", "USAGE", "act_main", "calls_main", "close_main"]
