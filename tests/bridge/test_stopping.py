from __future__ import annotations

import os
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from bridge import stopping
from bridge.stopping import FORCED, TOGETHER_S, Stopping


class Told:
    """A bridge that can be told to stop, and a clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forced = 0
        self.exits: list[int] = []
        self.now = 1000.0
        self.stopping = Stopping(self.force)
        monkeypatch.setattr(self.stopping._loop, "time", lambda: self.now)
        monkeypatch.setattr(os, "_exit", self.exit)

    def force(self) -> None:
        """Count."""
        self.forced += 1

    def exit(self, status: int) -> None:
        """Do not return, as the real one."""
        self.exits.append(status)
        raise SystemExit(status)

    def hear(self, after_s: float) -> tuple[bool, int, list[int]]:
        """Let it be told again; gives whether it stops, how often it was forced, and its ends."""
        self.now += after_s
        with suppress(SystemExit):
            self.stopping.hear()
        return self.stopping.asked.is_set(), self.forced, self.exits


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Give a bridge nobody has told anything yet."""
    return Told(monkeypatch)


async def test_first_word_stops_and_second_forces(told: Told) -> None:
    """The second one waits for nothing, and says so in the log; a third ends the process there."""
    assert not told.stopping.asked.is_set()
    assert (True, 0, []) == told.hear(0)
    with capture_logs() as logs:
        assert (True, 1, []) == told.hear(TOGETHER_S)
    assert [("bridge.forced", "warning")] == [(one["event"], one["log_level"]) for one in logs]
    assert (True, 1, [FORCED]) == told.hear(TOGETHER_S)


async def test_signals_that_come_together_are_one(told: Told) -> None:
    """A signal to the whole group, and the same one passed on by the parent, force nothing."""
    told.hear(0)
    assert (True, 0, []) == told.hear(TOGETHER_S / 2)
    assert not told.stopping.forced
    assert (True, 1, []) == told.hear(TOGETHER_S)
    assert (True, 1, []) == told.hear(TOGETHER_S / 2)
    assert stopping.FORCED == 143
