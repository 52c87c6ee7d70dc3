from __future__ import annotations

import asyncio

import pytest

from bridge.state import CallState
from bridge.tasks import spawn
from bridge.turns import Turn, result_class


async def test_those_who_wait_go_on_when_the_turn_ends() -> None:
    """Everybody who waits for a turn is released by its end."""
    turn = Turn()
    waiting = [spawn(turn.wait(60), f"waits-{number}") for number in range(3)]
    await asyncio.sleep(0)
    assert [False, False, False] == [task.done() for task in waiting]

    turn.end()
    turn.end()  # a second end changes nothing
    done, _ = await asyncio.wait(waiting, timeout=5)

    assert set(waiting) == done


async def test_a_turn_that_ended_is_not_waited_for_twice() -> None:
    """Whoever comes after the first waiters were released goes on at once."""
    turn = Turn()
    first = spawn(turn.wait(60), "first")
    await asyncio.sleep(0)
    turn.end()
    await first
    late = spawn(turn.wait(60), "late")
    done, _ = await asyncio.wait({late}, timeout=5)

    assert {late} == done


@pytest.mark.parametrize("seconds", [0.0, -3.0, 0.01])
async def test_patience_is_bounded(seconds: float) -> None:
    """A turn that does not end is waited for no longer than said; no time left is no wait."""
    turn = Turn()
    hasty = spawn(turn.wait(seconds), "hasty")
    done, _ = await asyncio.wait({hasty}, timeout=5)
    assert {hasty} == done

    other = spawn(turn.wait(60), "other")
    await asyncio.sleep(0)
    assert not other.done()
    turn.end()
    await other


async def test_a_waiter_that_is_cancelled_leaves_the_others() -> None:
    """One webhook that is given up does not end the wait of another for the same turn."""
    turn = Turn()
    one, other = spawn(turn.wait(60), "one"), spawn(turn.wait(60), "other")
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.wait({one})
    assert not other.done()

    turn.end()
    done, _ = await asyncio.wait({other}, timeout=5)
    assert {other} == done


@pytest.mark.parametrize(
    ("command", "result", "error", "expected"),
    [
        ("", "", "", ""),
        ("read", "4929123412341234", "", "ok"),
        ("read", "TIMEOUT", "", "TIMEOUT"),
        ("conference", "LEFT_CONFERENCE", "", "LEFT_CONFERENCE"),
        ("record", "m0123456789", "", "ok"),
        ("send_dtmf", 0, "", "ok"),
        ("read", "", "INVALID_PARAMS: read.max_digits: too many", "error"),
        ("read", "", "BREAK: calls.realtime_break ended the command", "break"),
    ],
)
def test_class_of_a_result(command: str, result: str | int, error: str, expected: str) -> None:
    """A result is counted by its kind: documented words as they are, keys and names never."""
    state = CallState(7, "SHOP", "uuid", 0.0, command=command, result=result, error=error)

    assert expected == result_class(state)
