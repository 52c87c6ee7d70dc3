"""Which app is meant: a URL, or a command and perhaps a path."""

from __future__ import annotations

import shlex

from pydantic import TypeAdapter, ValidationError

from bridge.errors import BridgeError
from bridge.settings_types import WebUrl
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.playing import Options


class AddressError(BridgeError):
    """The app is not named, or not in a way that can be used; the message says how."""


def check_app(options: Options, scenario: Scenario | None = None) -> None:
    """Make sure that it is clear where the app is. Raises AddressError."""
    given = options.app or (scenario.app if scenario is not None else "")
    where = "--app" if options.app else f"{scenario.file}: `app`" if scenario is not None else ""
    if options.app_command:
        try:
            words = shlex.split(options.app_command)
        except ValueError as error:
            raise AddressError(f"--app-command cannot be read: {error}.") from None
        if not words:
            raise AddressError("--app-command is empty: give the command that starts the app.")
        if not given or given.startswith("/"):
            return
    if not given:
        named = f"{scenario.file} names no app" if scenario is not None else "No app is named"
        raise AddressError(
            f"{named}: give its URL with --app, or the command that starts it with --app-command."
        )
    try:
        TypeAdapter(WebUrl).validate_python(given)
    except ValidationError as error:
        message = error.errors()[0]["ctx"]["error"] if "ctx" in error.errors()[0] else "is no URL"
        path = " (or, with --app-command, a path such as /rt.php)"
        raise AddressError(f"{where} is “{given}”, but {message}{path}.") from None


__all__ = ["AddressError", "check_app"]
