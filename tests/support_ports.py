"""Ports for servers that are stopped and started again on the same one."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from random import Random

#: What the operating system gives to connections begins above (ip_local_port_range of Linux): the
#: port of a server that is dead must not be taken meanwhile.
PORTS = range(20_000, 32_000)


def free_port(*above: int) -> int:
    """Find a port that nobody listens on and no connection gets by chance.

    Nobody listens that far `above` it either.
    """
    for port in Random().sample(PORTS, len(PORTS)):
        with suppress(OSError), ExitStack() as stack:
            for more in (0, *above):
                stack.enter_context(socket.create_server(("127.0.0.1", port + more)))
            return port
    raise AssertionError("every port is taken")
