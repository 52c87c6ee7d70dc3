"""One worker as the supervisor sees it: a process, the line to it, and what it answers."""

from __future__ import annotations

import asyncio
import io
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.workers.line import Message, Word, receive, send
from bridge.workers.totals import Snapshot

if TYPE_CHECKING:
    from bridge.settings import Settings

#: What a worker runs, after the interpreter and before its number and its end of the line.
PROGRAM: Final = ("-m", "bridge.workers.child")


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """A worker did not answer; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker answered to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Worker:
    """The worker with that number, of one process: a successor is another one.

    `changed` is called when it serves and when it lets no more connections in.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        changed: Callable[[], object],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.number = number
        self._settings = settings
        self._changed = changed
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._line: socket.socket | None = None
        #: Set once it serves.
        self.serving = asyncio.Event()
        #: It lets connections in.
        self.able = False
        #: What it had counted when it was last asked.
        self.snapshot: Snapshot = {}
        #: By which it names itself to those outside; "" = not known yet.
        self.instance = ""

    @property
    def served(self) -> bool:
        """Tell whether it serves, or did before it began to stop."""
        return self.serving.is_set()

    @property
    def pid(self) -> int:
        """Tell the process id, 0 before `start`."""
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process. Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0.0)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_safe_path(),
                *self._program,
                str(self.number),
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.PIPE,
                # Ctrl-C reaches the whole group of a terminal: it is for the supervisor to pass on.
                process_group=0,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._line = ours
        asyncio.get_running_loop().add_reader(ours, self._hear)
        if process.stdin is not None:
            process.stdin.write(pickle.dumps(self._settings))
            process.stdin.close()

    async def ended(self) -> int:
        """Wait until it ended; give its exit status, minus the signal that ended it."""
        if self._process is None:
            return -signal.SIGKILL
        status = await self._process.wait()
        self.able = False
        self._hang_up()
        return status

    def say(self, word: Word, slot: int = 0, sockets: Sequence[socket.socket] = ()) -> bool:
        """Tell it something; False = it is gone, or does not listen."""
        return self._line is not None and send(self._line, Message(word, slot, sockets))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def ask(
        self,
        method: str,
        target: str,
        timeout_s: float,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Make a request at its admin listener, which has no address. Raises Unanswered."""
        head = {"Host": "worker", "Connection": "close", "Content-Length": str(len(body))}
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in {**(headers or {}), **head}.items()]
        request = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
        try:
            async with asyncio.timeout(timeout_s):
                return _parsed(await self._exchange(request), method)
        except TimeoutError:
            raise Unanswered(
                f"Worker {self.number} did not answer within {timeout_s:g} s."
            ) from None
        except (OSError, HTTPException) as error:
            raise Unanswered(f"Worker {self.number} does not answer: {error}.") from None

    async def _exchange(self, request: bytes) -> bytes:
        ours, theirs = socket.socketpair()
        ours.settimeout(0.0)
        with theirs:
            if not self.say(Word.OPERATOR, sockets=[theirs]):
                ours.close()
                raise ConnectionResetError("its line is broken")
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()

    def _hear(self) -> None:
        if self._line is None:
            return
        try:
            message = receive(self._line)
        except BlockingIOError:
            return
        if message is None:
            # Its end is open as long as it lives: `ended` is about to say more.
            self._hang_up()
        elif message.word == Word.SERVES:
            self.able = True
            self.serving.set()
            self._changed()
        elif message.word == Word.CLOSES:
            self.able = False
            self._changed()

    def _hang_up(self) -> None:
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line)
            self._line.close()
            self._line = None


def _safe_path() -> tuple[str, ...]:
    """Keep the working directory out of where a worker finds its modules, unless we have it there."""
    first = Path(sys.path[0]).resolve() if sys.path else None
    return () if first == Path.cwd() else ("-P",)


class _Received:
    """Stands for a socket that everything was read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _parsed(data: bytes, method: str) -> Answer:
    # All it does with a socket is to read.
    response = HTTPResponse(_Received(data), method=method)  # type: ignore[arg-type]
    response.begin()
    return Answer(response.status, dict(response.getheaders()), response.read())


__all__ = ["PROGRAM", "Answer", "Unanswered", "Worker"]
