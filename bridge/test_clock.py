"""The clock of a bridge whose time a simulation in another process owns (BRIDGE_TEST_CLOCK).

Nothing happens by itself: time passes when the simulation says so, and it asks first whether this
process is at rest. The other end, and the protocol, are in `bridge.simulator.clock_server`.
"""

from __future__ import annotations

import asyncio
import contextlib
from math import inf
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic_core import from_json, to_json

from bridge.errors import BridgeError
from bridge.simulator.clock import StuckError, VirtualClock
from bridge.simulator.clock_server import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.settings import Listen

#: Real s in which the simulation must answer when the bridge starts.
CONNECT_S: Final = 5.0


class ClockError(BridgeError):
    """Nobody gives virtual time at the address; the message is a sentence that says why."""


class SharedClock:
    """Virtual time from elsewhere, until it is `lost`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: VirtualClock
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self.lost = False
        self._when_lost: Callable[[], object] | None = None
        # Not spawned: a background task would have to be at rest itself.
        loop = asyncio.get_running_loop()
        self._listening = loop.create_task(self._listen(), name="test clock")

    @classmethod
    async def connect(cls, address: Listen) -> Self:
        """Join the simulation and take over its time. Raises ClockError."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(address.host, address.port)
                line = await reader.readline()
        except OSError as error:
            if writer is not None:
                writer.close()
            raise ClockError(
                f"nobody gives virtual time at {address}: {str(error) or 'no answer'}; start the "
                "simulation first, or unset the variable to run in real time"
            ) from None
        hello = _understood(line)
        if hello.get("virtual_time") != VERSION:
            writer.close()
            raise ClockError(
                f"whoever listens at {address} does not give virtual time as this version knows it; "
                "it must be the address of a ClockServer of the same release"
            )
        return cls(reader, writer, VirtualClock(hello["now"], patience_s=hello["patience_s"]))

    def now(self) -> float:
        """Give the wall time in s, as the simulation has it."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the simulation has advanced so far."""
        await self._clock.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set or the simulation has advanced so far."""
        await self._clock.wait(event, seconds)

    def when_lost(self, action: Callable[[], object]) -> None:
        """Do something once the simulation goes away, or now when it is gone already."""
        self._when_lost = action
        if self.lost:
            action()

    async def close(self) -> None:
        """Leave the simulation."""
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        self._writer.close()

    async def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while message := _understood(await self._reader.readline()):
                self._clock.advance_to(message["now"])
                reply = await self._rested() if "rest" in message else {"heard": message["now"]}
                self._writer.write(to_json(reply) + b"\n")
        self.lost = True
        if self._when_lost is not None:
            self._when_lost()

    async def _rested(self) -> dict[str, Any]:
        try:
            await self._clock.at_rest()
        except StuckError as stuck:
            return {"stuck": str(stuck)}
        alarm = self._clock.next_alarm()
        return {"alarm": None if alarm == inf else alarm}


def _understood(line: bytes) -> dict[str, Any]:
    try:
        found = from_json(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


__all__ = ["CONNECT_S", "ClockError", "SharedClock"]
