"""Where a bridge can be reached, and who tells it to stop: its own addresses, and signals.

A worker of `rt-bridge serve --workers` has another place (bridge.workers.seat).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from bridge.door import Door
    from bridge.settings import Settings


class Listening(Protocol):
    """What lets connections in until it is closed."""

    def close(self) -> None:
        """Let no more in; those that are open stay so."""


class Place:
    """The addresses of the settings. `port` and `admin_port` are known once they are open."""

    #: Of the application behind the admin listener.
    admin_middlewares: Sequence[Middleware] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = 0
        self.admin_port = 0

    async def open(self, door: Door, runner: web.AppRunner) -> Listening:
        """Let Plivo in to an application that was set up, through the door. Raises OSError."""
        host, port = self.settings.listen.host, self.settings.listen.port
        listener = await door.listen(runner, host, port)
        self.port = listener.sockets[0].getsockname()[1]
        return listener

    async def open_admin(self, runner: web.AppRunner) -> None:
        """Let operators in to an application that was set up. Raises OSError."""
        host, port = self.settings.admin_listen.host, self.settings.admin_listen.port
        await web.TCPSite(runner, host, port, backlog=1024).start()
        self.admin_port = runner.addresses[0][1]

    def when_told_to_stop(self, told: Callable[[], object]) -> None:
        """Have something done at the first word, and again when whoever gave it has lost patience."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told)

    def serves(self) -> None:
        """Take note that everything is open."""


__all__ = ["Listening", "Place"]
