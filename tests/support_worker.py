"""A worker that serves nothing but its process id, for tests of the supervisor; starts at once.

Run as a program it behaves as `<folder>/<number>` says, and notes what happens in `<folder>/log`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from bridge.workers.line import Message, Word, receive, send

#: What may be in the file of a worker: serve; serve, but without answer to those that the supervisor
#: sends; serve, but do not stop when told to; serve only when told to by SIGUSR1; end at once with 3.
SERVE, MUTE, DEAF, LATE, FAIL = "serve", "mute", "deaf", "late", "fail"
#: The environment variable that names the folder.
FOLDER = "SUPPORT_WORKER_FOLDER"


class FakeWorker:
    """One of them."""

    def __init__(self, number: int, line: socket.socket, folder: Path) -> None:
        self._line = line
        line.settimeout(0.0)
        self._log = folder / "log"
        told = folder / str(number)
        self._way = told.read_text() if told.exists() else SERVE
        self._number = number
        self._servers: dict[int, list[asyncio.Server]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> int:
        """Behave as told; give the exit status."""
        self.note("start")
        if self._way == FAIL:
            return 3
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGUSR1, send, self._line, Message(Word.SERVES))
        loop.add_signal_handler(signal.SIGUSR2, self._close)
        loop.add_reader(self._line, self._hear)
        if self._way == LATE:
            self.note("late")
        await self._over.wait()
        return 0

    def note(self, what: str) -> None:
        """Tell the test."""
        with self._log.open("a") as log:
            log.write(f"{self._number} {os.getpid()} {what}\n")

    def _stop(self, number: signal.Signals) -> None:
        self.note(number.name)
        if self._way != DEAF:
            self._over.set()

    def _close(self) -> None:
        for servers in self._servers.values():
            for server in servers:
                server.close()
        self._servers.clear()
        send(self._line, Message(Word.CLOSES))

    def _hear(self) -> None:
        message = receive(self._line)
        if message is None:
            self.note("orphaned")
            self._over.set()
            return
        task = asyncio.get_running_loop().create_task(self._obey(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _obey(self, message: Message) -> None:
        if message.word == Word.LISTEN:
            if self._way == LATE:
                for one in message.sockets:
                    one.close()
                return
            self._servers[message.slot] = [
                await asyncio.start_server(self._greet, sock=one) for one in message.sockets
            ]
            self.note(f"listens {message.slot}")
            if message.slot == self._number:
                send(self._line, Message(Word.SERVES))
        elif message.word == Word.YIELD:
            for server in self._servers.pop(message.slot):
                server.close()
            self.note(f"yields {message.slot}")
        elif self._way != MUTE:
            reader, writer = await asyncio.open_unix_connection(sock=message.sockets[0])
            await self._answer(reader, writer)

    async def _greet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d" % os.getpid())
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        body = b'{"status":"ready","checks":{"store":"ok"}}'
        if b" /metrics " in request:
            body = b"# TYPE rt_seen_total counter\nrt_seen_total %d\n" % self._number
        head = b"HTTP/1.1 200 OK\r\nX-RT-Bridge-Instance: i%d\r\n" % self._number
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        writer.write(head if request.startswith(b"HEAD ") else head + body)
        writer.close()


async def main() -> int:
    """Run the one that the arguments name."""
    number, line = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    return await FakeWorker(number, line, Path(os.environ[FOLDER])).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
