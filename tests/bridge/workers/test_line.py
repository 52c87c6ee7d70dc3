from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bridge.workers.line import Message, Word, receive, send

Line = tuple[socket.socket, socket.socket]


@pytest.fixture
def line() -> Iterator[Line]:
    """Give both ends of a line, neither of which waits."""
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(0.0)
    yield ends
    for end in ends:
        end.close()


def test_messages_keep_their_order_and_their_sockets(line: Line) -> None:
    """Sockets arrive with the message they were sent with, and lead to where the sender's lead."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        addresses = [one.getsockname(), two.getsockname()]
        assert send(line[0], Message(Word.YIELD, 3))
        assert send(line[0], Message(Word.LISTEN, 7, [one, two]))
        assert send(line[0], Message(Word.SERVES))
    found = []
    for _ in range(3):
        message = receive(line[1])
        assert message is not None
        found.append((message.word, message.slot, [s.getsockname() for s in message.sockets]))
        for received in message.sockets:
            assert not received.get_inheritable()
            received.close()

    assert [(Word.YIELD, 3, []), (Word.LISTEN, 7, addresses), (Word.SERVES, 0, [])] == found


def test_nothing_was_said(line: Line) -> None:
    """Somebody who listens to a silent line is not kept waiting."""
    with pytest.raises(BlockingIOError):
        receive(line[0])


def test_end_of_the_line(line: Line) -> None:
    """Whoever lives hears what was said before, then that the other one is gone, and can say nothing."""
    send(line[0], Message(Word.CLOSES))
    line[0].close()

    assert Message(Word.CLOSES, 0, []) == receive(line[1])
    assert None is receive(line[1])
    assert not send(line[1], Message(Word.SERVES))


def test_half_a_message(line: Line) -> None:
    """What ends in the middle of a message is the end of the line."""
    line[0].send(b"S")
    line[0].close()

    assert None is receive(line[1])


def test_nobody_listens(line: Line) -> None:
    """A line that nobody listens to takes no more at some point, and says so instead of waiting."""
    while send(line[0], Message(Word.SERVES)):
        pass

    assert Message(Word.SERVES, 0, []) == receive(line[1])
