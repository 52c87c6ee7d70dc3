"""For commands that print: keep log lines about repeated requests out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import stamina

__all__ = ["without_retry_lines"]


@contextmanager
def without_retry_lines() -> Iterator[None]:
    """Log no retries inside."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)
