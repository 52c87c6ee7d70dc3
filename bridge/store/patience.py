"""How long whoever asks the store may wait for it while it is out of reach."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

#: What background work waits for, in s.
PATIENCE_S: Final = 4.0

deadline: Final[ContextVar[float | None]] = ContextVar("deadline", default=None)
"""Until when (time of the event loop, s) the current task may wait; None = PATIENCE_S from now."""

__all__ = ["PATIENCE_S", "deadline"]
