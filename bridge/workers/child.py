"""What a worker runs: `python -m bridge.workers.child <number> <line>`, started by the supervisor.

The settings come through standard input: read once, by the supervisor, they are the same for all,
and for those that start later. Nobody else has the other end of it.
"""

from __future__ import annotations

import pickle
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from bridge.serve import run
from bridge.telemetry import configure_logging
from bridge.workers.seat import Seat

if TYPE_CHECKING:
    from bridge.settings import Settings


def main(arguments: Sequence[str], standard_input: BinaryIO) -> int:
    """Serve until told to stop; give the exit status, that of `rt-bridge serve`."""
    number, line = int(arguments[0]), int(arguments[1])
    settings: Settings = pickle.load(standard_input)  # noqa: S301 - written by our parent
    configure_logging(settings.log_format, settings.log_level, always={"worker": number})
    with socket.socket(fileno=line) as ours:
        return run(settings, Seat(settings, number, ours))


if __name__ == "__main__":  # pragma: no cover - runs in a process of its own
    sys.exit(main(sys.argv[1:], sys.stdin.buffer))
