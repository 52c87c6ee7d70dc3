"""The places at Plivo's address: one for each worker, all at the same address.

Linux spreads new connections evenly over sockets that share an address (SO_REUSEPORT). One socket
that all workers accept from would not be as even: whoever wakes first takes all that wait.
The supervisor keeps every socket open, so connections that wait at one outlive its worker.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bridge.workers.line import MOST_SOCKETS

if TYPE_CHECKING:
    from bridge.settings import Listen

#: Elsewhere sockets that share an address get nothing, or everything: there all workers have the same.
SPREADS: Final = sys.platform == "linux"

Slot = list[socket.socket]
_Address = tuple[socket.AddressFamily, str]


def open_slots(listen: Listen, count: int, *, spread: bool = SPREADS) -> list[Slot]:
    """Bind so many slots; none listens yet. Each has a socket for every address of the host.

    When they are not to be spread, all slots are the same sockets. Raises OSError, also when somebody has the address who would share it.
    """
    addresses = _addresses(listen)
    # An address that is taken must be refused, even by another supervisor's sockets: only who does
    # not offer to share it is told.
    alone, port = _bind(addresses, listen.port, shared=False)
    if not spread:
        return [alone] * count
    close_slots([alone])
    slots: list[Slot] = []
    for _ in range(count):
        with _closed_on_failure(slots):
            slots.append(_bind(addresses, port, shared=True)[0])
    return slots


def port_of(slots: list[Slot]) -> int:
    """Tell the port that was bound."""
    port: int = slots[0][0].getsockname()[1]
    return port


def close_slots(slots: list[Slot]) -> None:
    """Close what this process has of them."""
    for slot in slots:
        for one in slot:
            one.close()


def _addresses(listen: Listen) -> list[_Address]:
    found = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    once: dict[_Address, None] = {(one[0], str(one[4][0])): None for one in found}
    return list(once)[:MOST_SOCKETS]


def _bind(addresses: list[_Address], port: int, *, shared: bool) -> tuple[Slot, int]:
    slot: Slot = []
    missing: OSError | None = None
    for family, host in addresses:
        with _closed_on_failure([slot]):
            try:
                one = _bound(family, host, port, shared=shared)
            except OSError as error:
                # `localhost` often has a second address that the machine does not have.
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                missing = error
                continue
        slot.append(one)
        port = one.getsockname()[1]
    if not slot:
        raise missing or OSError(errno.EADDRNOTAVAIL, "the host has no address")
    return slot, port


def _bound(family: socket.AddressFamily, host: str, port: int, *, shared: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from None
    return one


@contextmanager
def _closed_on_failure(slots: list[Slot]) -> Iterator[None]:
    try:
        yield
    except OSError:
        close_slots(slots)
        raise


__all__ = ["SPREADS", "Slot", "close_slots", "open_slots", "port_of"]
