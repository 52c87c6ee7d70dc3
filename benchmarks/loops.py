"""One event loop for every process of a benchmark: uvloop when it is installed."""

from __future__ import annotations

import asyncio
import importlib.util
from importlib.metadata import version
from typing import Final

__all__ = ["loop_name", "new_loop"]

# An extra: Windows and minimal installs have none.
_UVLOOP: Final = importlib.util.find_spec("uvloop") is not None


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the fastest loop installed."""
    if not _UVLOOP:
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - not everywhere

    return uvloop.new_event_loop()


def loop_name() -> str:
    """Name what `new_loop` makes, with its version."""
    return f"uvloop {version('uvloop')}" if _UVLOOP else "asyncio"
