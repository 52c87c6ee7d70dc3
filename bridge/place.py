"""Where a bridge can be reached, and who tells it to stop: its own addresses, and signals.

A worker of `rt-bridge serve --workers` has another place (bridge.workers.seat).
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from bridge.door import Door
    from bridge.settings import Listen, Settings

#: What to do about an address, by what the system says of it.
_ADVICE = {
    errno.EADDRINUSE: "stop the process that listens there, or choose another port",
    errno.EACCES: "choose a port from 1024 on, or give the process the right to lower ones",
}
_OTHERWISE = "name an address of this machine"


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
        with naming("BRIDGE_LISTEN", self.settings.listen):
            listener = await door.listen(runner, host, port)
        self.port = listener.sockets[0].getsockname()[1]
        return listener

    async def open_admin(self, runner: web.AppRunner) -> None:
        """Let operators in to an application that was set up. Raises OSError."""
        host, port = self.settings.admin_listen.host, self.settings.admin_listen.port
        with naming("BRIDGE_ADMIN_LISTEN", self.settings.admin_listen):
            await web.TCPSite(runner, host, port, backlog=1024).start()
        self.admin_port = runner.addresses[0][1]

    def when_told_to_stop(self, told: Callable[[], object]) -> None:
        """Have something done at the first word, and again when whoever gave it has lost patience."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told)

    def serves(self) -> None:
        """Take note that everything is open."""


@contextmanager
def naming(setting: str, listen: Listen) -> Iterator[None]:
    """Let an OSError say in a sentence which address cannot be used, why, and what to do."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        # Libraries put words of their own before those of the system; names have no such number.
        why = os.strerror(number) if number > 0 else str(error.strerror or error)
        advice = _ADVICE.get(number, _OTHERWISE)
        sentence = f"{setting} {listen} cannot be used: {why.lower()}; {advice}."
        raise OSError(number, sentence) from None


__all__ = ["Listening", "Place", "naming"]
