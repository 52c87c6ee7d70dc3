"""An event loop in a thread of its own, for tests that are no coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_T = TypeVar("_T")


class Portal:
    """Runs coroutines in its loop and waits for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine; give its result or raise what it raises."""
        __tracebackhide__ = True
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            error = future.exception()
        except BaseException:
            # Ctrl-C: nobody waits for it any more.
            future.cancel()
            raise
        if error is not None:
            # Not by `result()`, whose frames are none of the test's business.
            raise error
        return future.result()


@contextmanager
def portal() -> Iterator[Portal]:
    """Start the loop, and stop it at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="rt-bridge simulation", daemon=True)
    thread.start()
    try:
        yield Portal(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


__all__ = ["Portal", "portal"]
