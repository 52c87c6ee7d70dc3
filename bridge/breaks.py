"""Ending the running command of a live call from outside of it."""

from __future__ import annotations

from typing import Protocol


class Breaks(Protocol):
    """What can end commands."""

    async def end_command(self, callid: int) -> bool:
        """End the command a live call is running, with `command_error` BREAK for its app.

        False when there is none to be ended. Raises PlivoRestError.
        """
        ...


__all__ = ["Breaks"]
