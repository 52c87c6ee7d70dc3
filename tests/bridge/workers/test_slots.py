from __future__ import annotations

import socket
import sys

import pytest

from bridge.settings import Listen
from bridge.workers.slots import close_slots, open_slots, port_of

ANY = Listen("127.0.0.1", 0)


def test_slots_share_one_address() -> None:
    """Every slot has a socket of its own at the same address, a free one when the port is 0."""
    found = open_slots(ANY, 3)
    try:
        addresses = {one.getsockname() for slot in found for one in slot}
        assert {("127.0.0.1", port_of(found))} == addresses
        assert 3 == len({one.fileno() for slot in found for one in slot})
    finally:
        close_slots(found)


def test_every_address_of_a_name() -> None:
    """A name stands for all its addresses that this machine has, on one port."""
    found = open_slots(Listen("localhost", 0), 2)
    try:
        ports = {one.getsockname()[1] for slot in found for one in slot}
        assert {port_of(found)} == ports
        assert [len(found[0])] * 2 == [len(slot) for slot in found]
    finally:
        close_slots(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_address_of_somebody_else(host: str) -> None:
    """An address that somebody listens at is refused, and is named."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            open_slots(Listen(host, port), 2)


def test_slots_of_another_supervisor_are_not_shared() -> None:
    """A second supervisor at the same address is refused, though the first one's sockets can be shared."""
    found = open_slots(ANY, 2)
    try:
        found[0][0].listen()
        with pytest.raises(OSError, match="in use"):
            open_slots(Listen("127.0.0.1", port_of(found)), 2)
    finally:
        close_slots(found)


def test_address_that_the_machine_does_not_have() -> None:
    """A foreign address is refused."""
    with pytest.raises(OSError, match="assign"):
        open_slots(Listen("192.0.2.1", 0), 2)


def test_system_that_does_not_spread() -> None:
    """Where sockets at one address are not served evenly, all slots are the same sockets."""
    found = open_slots(ANY, 3, spread=False)
    try:
        assert found[0] is found[1] is found[2]
        assert 0 != port_of(found)
    finally:
        close_slots(found)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not spread connections")
def test_connections_are_spread_and_outlive_who_listened() -> None:
    """Both slots get connections, and those that wait at one are found by the next who listens there."""
    found = open_slots(ANY, 2)
    try:
        (first,), (second,) = found
        worker = first.dup()
        worker.listen(100)
        second.listen(100)
        clients = [socket.create_connection(first.getsockname()) for _ in range(64)]
        worker.close()
        waiting = []
        for one in (first, second):
            one.settimeout(0.0)
            count = 0
            try:
                while True:
                    one.accept()[0].close()
                    count += 1
            except BlockingIOError:
                waiting.append(count)
        for client in clients:
            client.close()

        assert 64 == sum(waiting)
        # By chance alone, fewer than 8 of 64 would happen once in 10 ** 10 times.
        assert min(waiting) >= 8
    finally:
        close_slots(found)
