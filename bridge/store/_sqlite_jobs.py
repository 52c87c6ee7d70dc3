"""What the event loop gives to the store's thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.store.protocol import CallWrite, Commit, HistoryRow

#: A commit that changes the state of one live call, adds to its history, and does nothing else.
Step = tuple[CallWrite, tuple[HistoryRow, ...]]


@dataclass(slots=True, eq=False)
class Write:
    """A commit on its way. `replaces` is the state that a steady one replaces, see `rows.apply`."""

    change: Commit
    replaces: bytes | None
    done: asyncio.Future[None]
    answer: None = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Steps:
    """Steps that are durable in one half of the step log, and acknowledged."""

    steps: list[Step]
    half: int


@dataclass(slots=True, eq=False)
class Ask:
    """Anything else to be done in the thread, outside of a transaction; `pages` it may change.

    `steps_of` is the call whose steps it has to see, 0 = those of all; it fails while they cannot
    be written.
    """

    query: Callable[[sqlite3.Cursor], Any]
    done: asyncio.Future[Any]
    pages: int = 0
    steps_of: int | None = None
    answer: Any = None
    error: BaseException | None = None


#: None = stop.
Job = Write | Steps | Ask | None

__all__ = ["Ask", "Job", "Step", "Steps", "Write"]
