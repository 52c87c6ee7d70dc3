"""The line between the supervisor and a worker: short messages, some with open sockets.

A pair of connected sockets that nobody else has. Its end says that the other one is gone, however
that came about. A message is two bytes, which the system never tears apart: a word and a slot.
"""

from __future__ import annotations

import array
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: Sockets in one message at most: addresses that one host name stands for.
MOST_SOCKETS: Final = 16


class Word(IntEnum):
    """What one tells the other."""

    #: To a worker: let connections in by these sockets, those of a slot.
    LISTEN = ord("L")
    #: To a worker: let no more in by those of that slot.
    YIELD = ord("Y")
    #: To a worker: somebody is on this connection who may do what operators may.
    OPERATOR = ord("O")
    #: Of a worker: it serves.
    SERVES = ord("S")
    #: Of a worker: it lets no more connections in.
    CLOSES = ord("C")


@dataclass(frozen=True, slots=True)
class Message:
    """One message; who got it owns its sockets."""

    word: int
    slot: int = 0
    sockets: Sequence[socket.socket] = ()


def send(line: socket.socket, message: Message) -> bool:
    """Send it at once; False = the other one is gone, or has not listened for very long."""
    data = bytes([message.word, message.slot])
    try:
        if message.sockets:
            socket.send_fds(line, [data], [one.fileno() for one in message.sockets])
        else:
            line.send(data)
    except OSError:
        return False
    return True


def receive(line: socket.socket) -> Message | None:
    """Give the next message; None = the other one is gone. Raises BlockingIOError: there is none yet."""
    room = socket.CMSG_SPACE(MOST_SOCKETS * array.array("i").itemsize)
    try:
        data, extra, _, _ = line.recvmsg(2, room)
    except ConnectionError:
        return None
    numbers = array.array("i")
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    sockets = [socket.socket(fileno=number) for number in numbers]
    for one in sockets:
        one.set_inheritable(False)
    if len(data) < 2:  # noqa: PLR2004 - a word and a slot
        for one in sockets:
            one.close()
        return None
    return Message(data[0], data[1], sockets)


__all__ = ["MOST_SOCKETS", "Message", "Word", "receive", "send"]
