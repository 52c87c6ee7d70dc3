"""Connect to a host by name or address, with aiohttp's resolver and its race between addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from aiohappyeyeballs import AddrInfoType, start_connection
from aiohttp.abc import AbstractResolver

from bridge.rt.request import Address
from bridge.tasks import spawn

__all__ = ["Dialler", "UnknownHostError"]

# Another address of the host is tried as well when one keeps silent for this long (RFC 8305).
_HEAD_START_S: Final = 0.25
_REMEMBERED_S: Final = 10.0


class UnknownHostError(OSError):
    """The name of the host has no address, or the resolver failed."""


class Dialler:
    """Opens connections to one host; addresses are remembered for 10 s and taken in turns."""

    def __init__(self, address: Address, resolver: AbstractResolver) -> None:
        self._address = address
        self._resolver = resolver
        self._lookup: asyncio.Task[list[AddrInfoType] | OSError] | None = None
        self._known: list[AddrInfoType] = []
        self._known_until = 0.0
        self._numeric = _is_numeric(address.host)

    async def connect(self) -> socket.socket:
        """Give a connected socket; OSError when no address takes the connection."""
        addresses = await self._addresses()
        try:
            connected = await start_connection(addresses, happy_eyeballs_delay=_HEAD_START_S)
        except RuntimeError as error:  # uvloop's word for some failures of a socket
            raise OSError(str(error)) from error
        except OSError:
            # The host may have moved.
            self._known = []
            raise
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def close(self) -> None:
        """Give up the lookup that is under way."""
        if self._lookup is not None:
            self._lookup.cancel()

    async def _addresses(self) -> Sequence[AddrInfoType]:
        if self._numeric:
            return [_info(self._address.host, self._address.port)]
        if not self._known or asyncio.get_running_loop().time() >= self._known_until:
            # One lookup serves all who wait, and is not lost with the one who began it.
            lookup = self._lookup
            if lookup is None:
                lookup = spawn(self._look_up(), f"lookup of {self._address.host}")
                self._lookup = lookup
            await asyncio.wait([lookup])
            found = OSError("given up") if lookup.cancelled() else lookup.result()
            if isinstance(found, OSError):
                raise UnknownHostError(*found.args) from found
            return found
        self._known = [*self._known[1:], self._known[0]]
        return self._known

    async def _look_up(self) -> list[AddrInfoType] | OSError:
        try:
            answers = await self._resolver.resolve(
                self._address.host, self._address.port, family=socket.AF_UNSPEC
            )
        except OSError as error:
            return error
        else:
            self._known = [_info(answer["host"], answer["port"]) for answer in answers]
            self._known_until = asyncio.get_running_loop().time() + _REMEMBERED_S
            return self._known or OSError("the host has no address")
        finally:
            self._lookup = None


def _info(host: str, port: int) -> AddrInfoType:
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
