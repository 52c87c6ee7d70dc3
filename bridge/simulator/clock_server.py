"""Gives the virtual time of a simulation to bridges in processes of their own.

async with ClockServer(plivo.clock) as server:
    …  # start `rt-bridge serve` with BRIDGE_TEST_CLOCK=server.address

One JSON object a line over a loopback socket; the simulation speaks first:

| simulation | bridge answers | meaning |
|---|---|---|
| `{"virtual_time": 1, "now": s, "patience_s": s}` | | the version, the wall time, and how long rest may take |
| `{"rest": true, "now": s}` | `{"alarm": s}`, null = never | it is so late; when are you at rest, and when do you wake? |
| | `{"stuck": text}` | it did not come to rest in time |
| `{"now": s}` | `{"heard": s}` | it is so late now |

A bridge takes part from its connection to the end of it, however that comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic_core import from_json, to_json

from bridge.simulator.clock import StuckError

if TYPE_CHECKING:
    from bridge.simulator.clock import VirtualClock

VERSION: Final = 1
#: Real s more than the patience of the clock, in which a bridge may say itself why it is stuck.
_GRACE_S: Final = 2.0


class ClockServer:
    """Listens while it is used; every bridge that connects shares the time of `clock`."""

    def __init__(self, clock: VirtualClock, host: str = "127.0.0.1", port: int = 0) -> None:
        self._clock = clock
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._remotes: list[_Remote] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._meet, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for remote in tuple(self._remotes):
            remote.close()
        await self.connected(0)

    @property
    def address(self) -> str:
        """Give host and port, as BRIDGE_TEST_CLOCK wants them; known inside `async with`."""
        return f"{self._host}:{self._port}"

    async def connected(self, count: int) -> None:
        """Wait, in real time, until so many bridges take part."""
        while len(self._remotes) != count:
            self._changed.clear()
            await self._changed.wait()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock, remote = self._clock, _Remote(self._clock, writer)
        remote.write({"virtual_time": VERSION, "now": clock.now(), "patience_s": clock.patience_s})
        self._remotes.append(remote)
        clock.participants.append(remote)
        self._changed.set()
        try:
            # A killed process may reset its connection; one that talks nonsense is sent away.
            with contextlib.suppress(OSError, ValueError):
                while line := await reader.readline():
                    remote.heard(from_json(line))
        finally:
            clock.participants.remove(remote)
            self._remotes.remove(remote)
            remote.leave()
            self._changed.set()


class _Remote:
    """A bridge in another process."""

    def __init__(self, clock: VirtualClock, writer: asyncio.StreamWriter) -> None:
        self._clock = clock
        self._writer = writer
        self._reply: asyncio.Future[dict[str, Any]] | None = None
        self._gone = False

    async def rest(self) -> float:
        """Wait until it is at rest; give its next alarm. Raises StuckError."""
        reply = await self._ask({"rest": True, "now": self._clock.now()})
        if "stuck" in reply:
            raise StuckError(f"A bridge in another process is stuck. {reply['stuck']}")
        alarm = reply.get("alarm")
        return inf if alarm is None else float(alarm)

    async def tell(self, now: float) -> None:
        """Tell it the time and wait until it has heard. Raises StuckError."""
        await self._ask({"now": now})

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Ask and wait for the answer, which is empty when it is gone."""
        if self._gone:
            return {}
        self._reply = asyncio.get_running_loop().create_future()
        self.write(message)
        patience_s = self._clock.patience_s + _GRACE_S
        try:
            async with asyncio.timeout(patience_s):
                return await self._reply
        except TimeoutError:
            raise StuckError(
                f"A bridge in another process said nothing for {patience_s:g} s of real time; "
                "is it stopped?"
            ) from None

    def write(self, message: dict[str, Any]) -> None:
        """Send a line."""
        self._writer.write(to_json(message) + b"\n")

    def heard(self, reply: dict[str, Any]) -> None:
        """Take an answer."""
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def close(self) -> None:
        """Send it away."""
        self._writer.close()

    def leave(self) -> None:
        """Note that it is gone: nobody waits for it any more."""
        self._gone = True
        self.heard({})
        self._writer.close()


__all__ = ["VERSION", "ClockServer"]
