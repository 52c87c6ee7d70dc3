"""How evenly two workers get connections: `python -m benchmarks.accepting`.

Compares one socket that both accept from with a socket for each at the same address
(docs/adr/0014). Prints how many connections each of two processes got, for some that come at once
and for some that come one after the other. Nothing passes or fails.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.loops import loop_name, new_loop
from bridge.settings import Listen
from bridge.workers.slots import Slot, close_slots, open_slots, port_of

__all__ = ["main"]

_WORKERS: Final = 2
_ROUNDS: Final = 5
_SIZES: Final = (16, 64)


class _Greeter(asyncio.Protocol):
    """Says which process took the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write"):
            transport.write(b"%d\n" % os.getpid())


async def _serve(one: socket.socket) -> None:
    await asyncio.get_running_loop().create_server(_Greeter, sock=one, backlog=1024)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _worker(stack: ExitStack, slot: Slot) -> None:
    number = slot[0].fileno()
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.accepting", str(number)],
            pass_fds=[number],
            stdout=subprocess.PIPE,
        )
    )
    stack.callback(process.kill)
    if process.stdout is None or process.stdout.readline() != b"up\n":
        raise RuntimeError("a worker did not start")


async def _connect(port: int, count: int, *, at_once: bool) -> list[int]:
    """Open so many connections; give how many each process got, the most first."""
    found: Counter[bytes] = Counter()
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        found[await reader.readline()] += 1

    if at_once:
        await asyncio.gather(*(connect() for _ in range(count)))
    else:
        for _ in range(count):
            await connect()
    for writer in writers:
        writer.close()
    shares = sorted(found.values(), reverse=True)
    return shares + [0] * (_WORKERS - len(shares))


def _compare(what: str, *, spread: bool) -> None:
    found = open_slots(Listen("127.0.0.1", 0), _WORKERS, spread=spread)
    with ExitStack() as stack:
        stack.callback(close_slots, found)
        for slot in found:
            _worker(stack, slot)
        for size in _SIZES:
            for at_once in (True, False):
                shares = [
                    asyncio.run(_connect(port_of(found), size, at_once=at_once))
                    for _ in range(_ROUNDS)
                ]
                how = "at once" if at_once else "one by one"
                shown = ", ".join("/".join(map(str, share)) for share in shares)
                print(f"{what:<18} {size:>3} {how:<11} {shown}")


def main(arguments: Sequence[str]) -> None:
    """Compare, or be the worker that listens on the socket of that number."""
    if arguments:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_serve(socket.socket(fileno=int(arguments[0]))))
    print(f"connections of {_WORKERS} workers on {loop_name()}, {_ROUNDS} rounds")
    _compare("a socket for each", spread=True)
    _compare("one socket", spread=False)


if __name__ == "__main__":
    main(sys.argv[1:])
